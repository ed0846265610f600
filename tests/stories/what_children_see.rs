//! What the children of a run see of this machine: what `dayfly.hcl` names for their stack.

use std::fs;

use crate::support::{Output, PullRequest, SERVICE_10, Scene};

const TEMPLATE: &str = "hello-service/template/main.tf";
const FORKS: [&str; 3] = ["hello-service/service.hcl", "\"deny\"", "\"allow\""];
/// What this machine has.
const MACHINE: [(&str, &str); 5] = [
    ("AWS_REGION", "eu-north-1"),
    ("ARM_TENANT", "t"),
    ("HELLO_PASSWORD", "pa55w0rd"),
    ("DAYFLY_TOKEN", "t0ken-of-dayfly"),
    ("GH_TOKEN", "t0ken-of-dayfly"),
];

/// A service whose stack has `more` and writes down what its first hook sees.
fn scene(more: &str, rules: &str) -> Scene {
    let scene = Scene::new();
    let seen = scene.world.path("seen").display().to_string();
    fs::write(scene.world.path("cloud.json"), "{\"key\": \"c10ud-key\"}").unwrap();
    let hook = format!(
        "  before_init = [\"env > {seen}\", \"cat cloud.json >> {seen} || true\", \"cat {seen}\"]\n"
    );
    let template = scene.manager.read("main", TEMPLATE).unwrap();
    let template = template.replace(
        "  autodeploy = true\n",
        &format!("  autodeploy = true\n{hook}"),
    );
    scene
        .manager
        .commit("main", &[(TEMPLATE, &(template + more))]);
    scene.edit("dayfly.hcl", "  pass_environment = []", rules);
    scene
}

fn apply(scene: &Scene) -> Output {
    let data = scene.world.path("data");
    let apply = [
        "apply",
        "--output",
        "json",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let all = [&apply[..], &["--manager", &scene.manager.url]].concat();
    scene.world.dayfly_with(&MACHINE, &all)
}

fn seen(scene: &Scene) -> String {
    fs::read_to_string(scene.world.path("seen")).unwrap()
}

fn rules(scene: &str) -> String {
    format!(
        r#"  pass_environment = ["GH_*"]
  service "hello-service" {{
    pass_environment = ["AWS_*"]
    pass_files       = {{ "cloud.json" = "{scene}" }}
    write_only       = {{ TF_VAR_password = "HELLO_PASSWORD" }}
  }}
  service "another" {{
    pass_environment = ["ARM_*"]
  }}"#
    )
}

const PASSWORD: &str = r#"
resource "spacelift_environment_variable" "password" {
  stack_id = spacelift_stack.this.id
  name     = "TF_VAR_password"
  value    = "of Git"
}
"#;

#[test]
fn children_see_what_is_named_for_their_stack() {
    let scene = scene(PASSWORD, "");
    let cloud = scene.world.path("cloud.json").display().to_string();
    scene.edit(
        "dayfly.hcl",
        "runner {\n",
        &format!("runner {{\n{}", rules(&cloud)),
    );
    scene.event("opened", &PullRequest::service());
    let applied = apply(&scene).succeeded();
    let seen = seen(&scene);
    for line in [
        "AWS_REGION=eu-north-1",
        "TF_VAR_password=pa55w0rd",
        "c10ud-key",
    ] {
        assert!(seen.contains(line), "{line} is not in\n{seen}");
    }
    for word in [
        "ARM_TENANT",
        "HELLO_PASSWORD",
        "t0ken-of-dayfly",
        "of Git",
        "DAYFLY",
    ] {
        assert!(!seen.contains(word), "{word} is in\n{seen}");
    }
    let run = applied.json()["runs"][0]["id"].as_str().unwrap().to_owned();
    let log = scene.data(&["logs", &run]).succeeded().stdout;
    assert!(log.contains("eu-north-1"), "{log}");
    for secret in ["pa55w0rd", "c10ud-key"] {
        assert!(!log.contains(secret), "{log}");
    }

    // It is of the machine, so a destroy needs it too, and says what is missing.
    scene.event("closed", &PullRequest::service());
    let note = scene.apply().exited(1).stdout;
    assert!(
        note.contains("this machine has no variable HELLO_PASSWORD"),
        "{note}"
    );
    apply(&scene).succeeded();
    assert_eq!(scene.page(SERVICE_10), None);
}

#[test]
fn runs_of_forks_are_given_nothing() {
    // By the label of their stack, or where the template does not set it, by their file.
    for takes_label_out in [false, true] {
        let scene = scene(PASSWORD, "");
        let cloud = scene.world.path("cloud.json").display().to_string();
        scene.edit(
            "dayfly.hcl",
            "runner {\n",
            &format!("runner {{\n{}", rules(&cloud)),
        );
        scene.edit(FORKS[0], FORKS[1], FORKS[2]);
        if takes_label_out {
            scene.edit(TEMPLATE, "var.fork ? [\"fork\"] : [], ", "");
        } else {
            scene.edit("hello-service/policies/approval.rego", "fork", "spoon");
        }
        let mut fork = PullRequest::service();
        fork.is_fork = true;
        assert_eq!(scene.event("opened", &fork)["action"], "created");
        apply(&scene).succeeded();
        let seen = seen(&scene);
        for word in [
            "AWS_REGION",
            "TF_VAR_password",
            "c10ud-key",
            "t0ken-of-dayfly",
        ] {
            assert!(!seen.contains(word), "{word} is in\n{seen}");
        }
        let home = seen.lines().find(|line| line.starts_with("HOME=")).unwrap();
        assert!(home.contains("workspaces"), "{home}");
    }
}

#[test]
fn stack_whose_integration_is_not_performed_stops() {
    let role = r#"
resource "spacelift_aws_role" "this" {
  stack_id = spacelift_stack.this.id
  role_arn = "arn:aws:iam::1:role/previews"
}
"#;
    let scene = scene(role, "  pass_environment = [\"ARM_*\"]");
    scene.event("opened", &PullRequest::service());
    let told =
        "spacelift_aws_role gives stack hello-service-ca6d5eab credentials, which dayfly does not";
    let validated = scene.dayfly(&["validate"]).succeeded();
    let warned = format!("{}{}", validated.stdout, validated.stderr);
    assert!(warned.contains(told), "{warned}");
    assert!(
        warned.contains("hello-service/template/main.tf:"),
        "{warned}"
    );
    for _ in 0..2 {
        let applied = apply(&scene).exited(1);
        let runs = Scene::runs_of(&applied);
        assert_eq!(runs[0], "hello-service-ca6d5eab TRACKED FAILED");
        let note = applied.json()["runs"].to_string();
        assert!(note.contains(told) && note.contains("AWS_*"), "{note}");
    }
    assert_eq!(scene.page(SERVICE_10), None);

    scene.edit("dayfly.hcl", "ARM_", "AWS_");
    let validated = scene.dayfly(&["validate"]).succeeded();
    assert!(
        !validated.stderr.contains("credentials"),
        "{}",
        validated.stderr
    );
    apply(&scene).succeeded();
    assert!(seen(&scene).contains("AWS_REGION=eu-north-1"));
    assert!(scene.page(SERVICE_10).is_some());
}
