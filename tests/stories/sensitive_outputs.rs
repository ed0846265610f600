//! An output that is sensitive reaches the runs that take it, and nobody who reads.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{PullRequest, SERVICE_10, Scene};

const TEMPLATE: &str = "hello-service/template/main.tf";
const OF_STACK: &str = "  autodeploy = true\n";

/// Puts out a password and what holds another, both read from files beside the repositories.
const FIRST: &str = r#"
variable "code_version" {}
output "password" {
  sensitive = true
  value     = trimspace(file("WORLD/password"))
}
output "login" {
  sensitive = true
  value     = { names = ["n4me-of-login"], pin = 271828182 }
}
"#;

/// Says what it has taken wherever it can, and puts the password out in a value that is not sensitive.
const SECOND: &str = r#"
variable "password" { default = "none" }
variable "login" {
  type    = object({ names = list(string), pin = number })
  default = { names = [], pin = 0 }
}
resource "terraform_data" "it" {
  triggers_replace = { password = var.password, names = var.login.names, pin = var.login.pin }
  input            = { ledger = "WORLD/ledger", password = var.password }
  provisioner "local-exec" { command = "echo made ${var.password} ${var.login.pin} | tee -a WORLD/ledger" }
  provisioner "local-exec" {
    when    = destroy
    command = "echo gone ${self.input.password} | tee -a ${self.input.ledger}"
  }
}
output "address" { value = "db://admin:${var.password}@host" }
"#;

const THIRD: &str = r#"
variable "address" {}
resource "terraform_data" "it" {
  triggers_replace = var.address
  provisioner "local-exec" { command = "echo reached ${var.address} | tee -a WORLD/ledger" }
}
"#;

/// A stack that takes outputs, by the variables that they become, of the one before.
fn stack(name: &str, on: &str, takes: &[(&str, &str)]) -> String {
    let mut text = format!(
        r#"
resource "spacelift_stack" "{name}" {{
  name         = "{name}-${{var.environment}}"
  repository   = "hello-infra"
  branch       = "main"
  project_root = "{name}"
  autodeploy   = true
  labels       = ["feature:disable_resource_sanitization"]
  after_plan   = ["env | grep TF_VAR_"]
  github_enterprise {{
    namespace = "acme"
  }}
}}
resource "spacelift_stack_destructor" "{name}" {{
  stack_id = spacelift_stack.{name}.id
}}
resource "spacelift_policy_attachment" "{name}" {{
  policy_id = spacelift_policy.{name}.id
  stack_id  = spacelift_stack.{name}.id
}}
resource "spacelift_policy" "{name}" {{
  name = "{name}-${{var.environment}}"
  type = "PLAN"
  body = <<-REGO
    package spacelift
    flag[value] {{ value := input.terraform.resource_changes[_].change.after.input.password }}
    flag["judged-as-planned"] {{
      count(input.terraform.resource_changes[_].change.after.input.password) == 14
    }}
    sample := true
  REGO
}}
resource "spacelift_stack_dependency" "{name}" {{
  stack_id            = spacelift_stack.{name}.id
  depends_on_stack_id = spacelift_stack.{on}.id
}}
"#
    );
    for (output, input) in takes {
        text += &format!(
            r#"
resource "spacelift_stack_dependency_reference" "{name}-{output}" {{
  stack_dependency_id = spacelift_stack_dependency.{name}.id
  output_name         = "{output}"
  input_name          = "{input}"
}}
"#
        );
    }
    text
}

fn scene() -> Scene {
    let scene = Scene::new();
    let world = scene.world.path("").display().to_string();
    let world = world.trim_end_matches('/');
    let module = |text: &str| text.replace("WORLD", world);
    let files = [
        ("main.tf", &*module(FIRST)),
        ("second/main.tf", &module(SECOND)),
        ("third/main.tf", &module(THIRD)),
    ];
    scene.infra.commit("main", &files);
    let template = scene.manager.read("main", TEMPLATE).unwrap();
    let takes = [("password", "TF_VAR_password"), ("login", "TF_VAR_login")];
    let second = stack("second", "this", &takes);
    let third = stack("third", "second", &[("address", "TF_VAR_address")]);
    let template = template + &second + &third;
    scene.manager.commit("main", &[(TEMPLATE, &template)]);
    let data = scene.world.path("data");
    fs::create_dir(&data).unwrap();
    // Somebody has made it as directories are made.
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    set_password(&scene, "pa55-of-the-db");
    scene
}

fn set_password(scene: &Scene, password: &str) {
    fs::write(scene.world.path("password"), password).unwrap();
}

/// What the runs have really got.
fn ledger(scene: &Scene) -> Vec<String> {
    let text = fs::read_to_string(scene.world.path("ledger")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn runs(scene: &Scene) -> Vec<Value> {
    let listed = scene.data(&["runs", "--output", "json", "--limit", "99"]);
    listed.json().as_array().unwrap().clone()
}

const SECRETS: [&str; 4] = ["pa55-of", "n4me-of-login", "271828182", "new-pa55"];

fn tells_nothing(of: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is told by {of}:\n{text}");
    }
}

/// Has everything printed that can be, but for states as they are.
fn nothing_is_printed(scene: &Scene) {
    let words = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut commands = vec![
        words("status"),
        words("status --output json"),
        words("runs --limit 99"),
        words("runs --limit 99 --output json"),
    ];
    for run in runs(scene) {
        let id = run["id"].as_str().unwrap();
        commands.push(words(&format!("runs show {id}")));
        commands.push(words(&format!("runs show {id} --output json")));
        commands.push(words(&format!("logs {id}")));
        commands.push(words(&format!("policy input {id} --type plan")));
    }
    for name in ["hello-service", "second", "third"] {
        commands.push(words(&format!("state list {name}-{SERVICE_10}")));
    }
    for output in ["", " --output json"] {
        let plan = format!("plan --manager {}{output}", scene.manager.url);
        commands.push(words(&plan));
    }
    for command in commands {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let printed = scene.data(&command);
        tells_nothing(
            &command.join(" "),
            &format!("{}{}", printed.stdout, printed.stderr),
        );
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|it| it.unwrap());
    let files = entries.flat_map(|entry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => files(&entry.path()),
        kind if kind.is_file() => vec![entry.path()],
        _ => Vec::new(),
    });
    files.collect()
}

/// Only the store and the states hold secrets, and only their owner can read those.
fn nothing_lies_about(scene: &Scene) {
    let data = scene.world.path("data");
    for file in files(&data) {
        let content = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&content);
        let within = file.strip_prefix(&data).unwrap();
        let is_store = within.to_str().unwrap().starts_with("dayfly.db");
        if !is_store && !within.starts_with("states") {
            tells_nothing(&within.display().to_string(), &text);
        } else {
            let mut way = within.ancestors().filter(|it| !it.as_os_str().is_empty());
            let is_shut = |path: &Path| {
                let mode = fs::metadata(data.join(path)).unwrap().permissions().mode();
                mode & 0o077 == 0
            };
            assert!(way.any(is_shut), "others can read {}", within.display());
        }
    }
}

#[test]
fn sensitive_outputs_reach_dependants_and_are_told_to_nobody() {
    let scene = scene();
    let applied = |code: &str| {
        let pull_request = PullRequest::service().at(&code.repeat(40));
        scene.event("synchronize", &pull_request);
        let applied = scene.apply().succeeded();
        let said = format!("{}{}", applied.stdout, applied.stderr);
        tells_nothing("apply", &said);
        nothing_is_printed(&scene);
        nothing_lies_about(&scene);
        Scene::runs_of(&applied)
    };
    let state_of = |runs: &[String], stack: &str| {
        let run = runs.iter().find(|run| run.starts_with(stack));
        run.map(|run| run.rsplit(' ').next().unwrap().to_owned())
    };
    let first = applied("a");
    assert_eq!(state_of(&first, "third").unwrap(), "FINISHED", "{first:?}");
    let reached = "reached db://admin:pa55-of-the-db@host";
    let made = "made pa55-of-the-db 271828182";
    assert_eq!(ledger(&scene), [made, reached]);
    let status = scene.data(&["status", "--output", "json"]).stdout;
    assert!(status.contains("db://admin:****@host"), "{status}");
    let of_second = |run: &&Value| run["stack"] == format!("second-{SERVICE_10}");
    let run = runs(&scene).iter().find(of_second).unwrap()["id"].clone();
    let log = scene.data(&["logs", run.as_str().unwrap()]).stdout;
    for masked in [
        "TF_VAR_password=****",
        "TF_VAR_login=****",
        "made **** ****",
    ] {
        assert!(log.contains(masked), "{masked} is not in {log}");
    }
    let asked = scene.data(&["policy", "input", run.as_str().unwrap(), "--type", "plan"]);
    assert!(asked.stdout.contains("****"), "{}", asked.stdout);
    let shown = scene.data(&["runs", "show", run.as_str().unwrap(), "--output", "json"]);
    assert!(
        shown.stdout.contains("judged-as-planned"),
        "{}",
        shown.stdout
    );

    let unchanged = applied("b");
    let skipped = state_of(&unchanged, "second");
    assert_eq!(skipped.unwrap(), "SKIPPED", "{unchanged:?}");
    assert_eq!(ledger(&scene).len(), 2);

    set_password(&scene, "new-pa55");
    let changed = applied("c");
    let again = state_of(&changed, "second");
    assert_eq!(again.unwrap(), "FINISHED", "{changed:?}");
    assert_eq!(
        ledger(&scene)[2..],
        [
            "gone pa55-of-the-db",
            "made new-pa55 271828182",
            "reached db://admin:new-pa55@host"
        ]
    );

    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    assert_eq!(ledger(&scene).last().unwrap(), "gone new-pa55");
    nothing_is_printed(&scene);
    nothing_lies_about(&scene);
    let left: Vec<_> = fs::read_dir(scene.states()).unwrap().collect();
    assert_eq!(left.len(), 1, "that of the common stack: {left:?}");
}

#[test]
fn fork_takes_no_sensitive_output() {
    let scene = scene();
    scene.edit("hello-service/service.hcl", "\"deny\"", "\"allow\"");
    scene.edit("hello-service/policies/approval.rego", "fork", "spoon");
    let made = ["made none 0", "reached db://admin:none@host"];
    for code in ["a", "b"] {
        let pull_request = PullRequest {
            is_fork: true,
            ..PullRequest::service().at(&code.repeat(40))
        };
        scene.event("synchronize", &pull_request);
        let applied = scene.apply().succeeded();
        assert_eq!(ledger(&scene), made);
        let runs = Scene::runs_of(&applied);
        let of_second = runs.iter().find(|run| run.starts_with("second")).unwrap();
        // What it is not given is no news.
        let state = if code == "a" { "FINISHED" } else { "SKIPPED" };
        assert!(of_second.ends_with(state), "{runs:?}");
    }
}

#[test]
fn value_that_holds_a_secret_is_passed_where_no_sensitive_output_is() {
    let scene = scene();
    let root = "  project_root = \"second\"\n";
    let silent = format!("{root}  enable_sensitive_outputs_upload = false\n");
    scene.edit(TEMPLATE, root, &silent);
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let reached = "reached db://admin:pa55-of-the-db@host";
    assert_eq!(ledger(&scene).last().unwrap(), reached);
}

#[test]
fn stack_may_keep_its_sensitive_outputs_to_itself() {
    let scene = scene();
    let silent = format!("{OF_STACK}  enable_sensitive_outputs_upload = false\n");
    scene.edit(TEMPLATE, OF_STACK, &silent);
    scene.event("opened", &PullRequest::service());
    scene.apply().exited(1);
    assert!(ledger(&scene).is_empty());
    let runs = runs(&scene);
    let second = format!("second-{SERVICE_10}");
    let failed = runs.iter().find(|run| run["stack"] == second).unwrap();
    assert_eq!(
        failed["note"],
        format!(
            "stack hello-service-{SERVICE_10} has no output login, which is wanted as \
             TF_VAR_login (a sensitive one is passed unless the stack sets \
             enable_sensitive_outputs_upload = false)"
        )
    );
}
