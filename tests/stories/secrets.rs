//! A sensitive value reaches the run that needs it, and nobody who reads.

use crate::support::{Output, Scene};

const FILE: &str = "shared.tf";

/// The secret stands in three attributes that the provider would show.
fn repository(secret: &str, more: &str) -> String {
    format!(
        r#"
variable "token" {{
  type      = string
  sensitive = true
  default   = "{secret}"
}}
resource "spacelift_context" "shared" {{
  name        = "shared"
  description = "opens with ${{var.token}}"
  labels      = ["open", var.token]
  {more}
}}
resource "spacelift_environment_variable" "token" {{
  context_id = spacelift_context.shared.id
  name       = "TOKEN"
  value      = var.token
  write_only = false
}}
"#
    )
}

#[test]
fn sensitive_values_are_applied_and_never_printed() {
    let scene = Scene::new();
    let commit = |text: &str| scene.manager.commit("main", &[(FILE, text)]);
    let told = |arguments: &[&str]| -> Output {
        let mut words = arguments.to_vec();
        words.extend(["--manager", &scene.manager.url]);
        let output = match arguments[0] {
            "validate" => scene.world.dayfly(&words),
            _ => scene.data(&words),
        };
        for text in [&output.stdout, &output.stderr] {
            assert!(!text.contains("hunter"), "{arguments:?}: {text}");
        }
        output
    };
    commit(&repository("hunter2", ""));
    told(&["validate"]).succeeded();
    let planned = told(&["plan"]).succeeded().stdout;
    for shown in [
        "+ description = (sensitive value)",
        "+ labels      = (sensitive value)",
        "+ value      = (sensitive value)",
    ] {
        assert!(planned.contains(shown), "{shown}: {planned}");
    }
    let planned = told(&["plan", "--output", "json"]).json();
    let changes = planned["changes"].as_array().unwrap();
    let shared = changes.iter().find(|change| change["id"] == "shared");
    assert_eq!(shared.unwrap()["after"]["description"], "(sensitive value)");
    told(&["apply"]).succeeded();
    told(&["plan", "--detailed-exitcode"]).exited(0);

    // What was sensitive is not told when it stops to be, nor when it goes.
    let opened = repository("hunter3", "").replace("  sensitive = true\n", "");
    commit(&opened.replace("hunter3", "public"));
    let planned = told(&["plan"]).succeeded().stdout;
    assert!(
        planned.contains("~ description = (sensitive value)"),
        "{planned}"
    );
    told(&["plan", "--output", "json"]).succeeded();
    commit(&repository("hunter2", "").replace("  sensitive = true\n", ""));
    // The same value, which everybody may read now: that alone is no change to see.
    told(&["plan", "--detailed-exitcode"]).exited(0);
    scene.manager.remove("main", &[FILE]);
    let planned = told(&["plan"]).succeeded().stdout;
    assert!(
        planned.contains("- description = (sensitive value) -> null"),
        "{planned}"
    );
    told(&["plan", "--output", "json"]).succeeded();

    // Neither in what is wrong with it, in any form.
    commit(&repository("hunter2", "").replace("[\"open\", var.token]", "[tonumber(var.token)]"));
    told(&["validate"]).exited(1);
    told(&["validate", "--output", "json"]).exited(1);
    let words = ["validate", "--manager", &scene.manager.url];
    let annotated = scene
        .world
        .dayfly_with(&[("GITHUB_ACTIONS", "true")], &words);
    assert!(annotated.stderr.contains("::error"), "{}", annotated.stderr);
    assert!(!annotated.stderr.contains("hunter"), "{}", annotated.stderr);
}
