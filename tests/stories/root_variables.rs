//! The root's variables are set outside of its modules: every command sees the same values.

use crate::support::{Output, PullRequest, Scene};

const NAME: &str = "TF_VAR_purpose";
const CONTEXT: &str = r#"
variable "purpose" {
  type = string
}
resource "spacelift_context" "shared" {
  name        = "shared"
  description = var.purpose
}
"#;

#[test]
fn every_command_sees_the_same_values() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    let commit = |path: &str, text: &str| scene.manager.commit("main", &[(path, text)]);
    commit("shared.tf", CONTEXT);
    let url = scene.manager.url.as_str();
    let data = scene.world.path("data").to_str().unwrap().to_owned();
    let of_machine = |value: &str, command: &str| -> Output {
        let mut words = vec![command, "--output", "json", "--manager", url];
        if command != "validate" {
            words.extend(["--data-dir", &data]);
        }
        scene.world.dayfly_with(&[(NAME, value)], &words)
    };
    let purpose = |planned: &Output| -> Option<String> {
        let changes = planned.json()["changes"].as_array().unwrap().clone();
        let is_shared =
            |change: &&serde_json::Value| change["address"] == "spacelift_context.shared";
        let purpose = &changes.iter().find(is_shared)?["after"]["description"];
        purpose.as_str().map(str::to_owned)
    };

    let missing = scene.dayfly(&["validate"]).exited(1).stderr;
    assert!(missing.contains("shared.tf:2:1"), "{missing}");
    assert!(missing.contains(NAME), "{missing}");
    assert!(scene.plan().exited(1).stderr.contains(NAME));

    of_machine("one", "validate").succeeded();
    assert_eq!(purpose(&of_machine("one", "plan")).as_deref(), Some("one"));
    of_machine("one", "apply").succeeded();
    // The commit is the same, and so is all that was looked at: the value is not.
    assert_eq!(purpose(&of_machine("one", "plan")), None);
    assert_eq!(purpose(&of_machine("two", "plan")).as_deref(), Some("two"));

    // Without a value nothing is known of it: it stays.
    let unknown = scene
        .data(&["plan", "--output", "json", "--manager", url])
        .exited(1);
    assert_eq!(unknown.json()["changes"], serde_json::json!([]));
    assert_eq!(unknown.json()["kept"][0], "spacelift_context.shared");

    commit("terraform.tfvars", "purpose = \"three\"\n");
    assert_eq!(
        purpose(&of_machine("two", "plan")).as_deref(),
        Some("three")
    );
    scene.apply().succeeded();
    assert_eq!(purpose(&of_machine("two", "plan")), None);

    let clone = scene.world.clone_of(&scene.manager, "clone");
    let at = clone.to_str().unwrap();
    let words = [
        "plan",
        "--output",
        "json",
        "--manager",
        at,
        "--against",
        "HEAD^",
    ];
    let against = scene.world.dayfly_with(&[(NAME, "two")], &words);
    assert_eq!(purpose(&against).as_deref(), Some("three"));
    assert_eq!(against.json()["changes"][0]["before"]["description"], "two");
}
