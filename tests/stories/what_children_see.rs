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
        "  before_init = [\"env > {seen}\", \"cat ../cloud.json >> {seen} || true\", \"cat {seen}\"]\n"
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
fn children_cannot_read_what_dayfly_was_started_with() {
    let scene = scene("", "");
    let seen = scene.world.path("seen").display().to_string();
    // The hook's shell is a child of dayfly's.
    scene.edit(
        TEMPLATE,
        &format!("\"env > {seen}\""),
        &format!("\"tr '\\\\0' '\\\\n' < /proc/$PPID/environ > {seen} || echo refused > {seen}\""),
    );
    scene.event("opened", &PullRequest::service());
    let data = scene.world.path("data");
    let dayfly = env!("CARGO_BIN_EXE_dayfly");
    // Root reads everything by its powers; without them it is as others are.
    let mut words: Vec<&str> = match rustix::process::geteuid().is_root() {
        true => vec!["setpriv", "--bounding-set=-all", "--inh-caps=-all"],
        false => vec!["env"],
    };
    words.extend([
        dayfly,
        "apply",
        "--manager",
        &scene.manager.url,
        "--data-dir",
    ]);
    words.push(data.to_str().unwrap());
    scene.world.program_with(&MACHINE, &words).succeeded();
    assert_eq!(self::seen(&scene), "refused\n");
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

/// What Spacelift gives a stack, this machine's dayfly gives it as well.
#[test]
fn stack_is_given_what_spacelift_gives_it() {
    let more = r#"
resource "spacelift_environment_variable" "more" {
  for_each = {
    ro_TF_VAR_phase = "reading"
    wo_TF_VAR_phase = "writing"
    TF_VAR_joined   = "${"$"}{TF_VAR_code_version} in ${"$"}{TF_VAR_spacelift_stack_id}"
    OWN             = "of the stack"
  }
  stack_id   = spacelift_stack.this.id
  name       = each.key
  value      = each.value
  write_only = false
}
resource "spacelift_mounted_file" "in" {
  stack_id      = spacelift_stack.this.id
  relative_path = "source/mounted.auto.tfvars"
  content       = base64encode("layout = \"mounted\"\n")
  write_only    = false
}
resource "spacelift_mounted_file" "beside" {
  stack_id      = spacelift_stack.this.id
  relative_path = "beside.txt"
  content       = base64encode("beside the tree")
}
resource "spacelift_context" "of" {
  for_each = { b = "autoattach:preview", a = "autoattach:*", c = "autoattach:other" }
  name     = each.key
  labels   = [each.value]
}
resource "spacelift_environment_variable" "of" {
  for_each   = toset(["a", "b", "c"])
  context_id = spacelift_context.of[each.key].id
  name       = "FROM"
  value      = each.key
  write_only = false
}
resource "spacelift_environment_variable" "under" {
  context_id = spacelift_context.of["b"].id
  name       = "OWN"
  value      = "of a context"
  write_only = false
}
"#;
    let scene = scene(more, "  pass_environment = []");
    let told = scene.world.path("told").display().to_string();
    let hooks = format!(
        "  after_plan   = [\"cat ../beside.txt > {told}\", \"env | sort >> {told}\"]\n  \
         before_apply = [\"env | sort > {told}.apply\"]\n  after_run = [\"env | sort > {told}.end\"]\n"
    );
    scene.edit(
        TEMPLATE,
        "  autodeploy = true\n",
        &format!("  autodeploy = true\n{hooks}"),
    );
    scene.event("opened", &PullRequest::service());
    let applied = apply(&scene).succeeded();
    let runs = applied.json()["runs"].as_array().unwrap().clone();
    let run = runs
        .iter()
        .find(|run| run["stack"] == "hello-service-ca6d5eab")
        .unwrap();
    let read = |name: &str| fs::read_to_string(scene.world.path(name)).unwrap();
    let (planned, written, ended) = (read("told"), read("told.apply"), read("told.end"));
    let sha = "a".repeat(40);
    let infra = scene.infra.tip("main").unwrap();
    let id = format!("TF_VAR_spacelift_run_id={}", run["id"].as_str().unwrap());
    for (text, lines) in [
        (
            &planned,
            vec![
                "beside the tree",
                "TF_VAR_phase=reading",
                &*format!("TF_VAR_joined={sha} in hello-service-ca6d5eab"),
                "OWN=of the stack",
                "FROM=a",
                "TF_VAR_spacelift_account_name=acme",
                "TF_VAR_spacelift_commit_branch=main",
                &*format!("TF_VAR_spacelift_commit_sha={infra}"),
                "TF_VAR_spacelift_local_preview=false",
                "TF_VAR_spacelift_project_root=",
                "TF_VAR_spacelift_repository=acme/hello-infra",
                &*id,
                "TF_VAR_spacelift_run_state=PLANNING",
                "TF_VAR_spacelift_run_type=TRACKED",
                "TF_VAR_spacelift_space_id=root",
                "TF_VAR_spacelift_stack_branch=main",
                "TF_VAR_spacelift_stack_id=hello-service-ca6d5eab",
                "TF_VAR_spacelift_stack_labels=hello-service,preview",
                "TF_VAR_spacelift_stack_labels_list=[\"hello-service\",\"preview\"]",
            ],
        ),
        (
            &written,
            vec![
                "TF_VAR_phase=writing",
                "TF_VAR_spacelift_run_state=APPLYING",
            ],
        ),
        (
            &ended,
            vec![
                "TF_VAR_phase=reading",
                "TF_VAR_spacelift_run_state=FINISHED",
                "TF_VAR_spacelift_final_run_state=FINISHED",
            ],
        ),
    ] {
        for line in lines {
            assert!(
                text.lines().any(|it| it == line) || text.starts_with(line),
                "{line}\n{text}"
            );
        }
        assert!(
            !text.contains("ro_TF_VAR") && !text.contains("wo_TF_VAR"),
            "{text}"
        );
    }
    let root = planned
        .lines()
        .find_map(|line| line.strip_prefix("TF_VAR_spacelift_workspace_root="));
    assert!(root.unwrap().ends_with("workspaces/hello-service-ca6d5eab"));
    assert!(
        planned.contains("TF_VAR_spacelift_run_trigger="),
        "{planned}"
    );
    assert_eq!(scene.page(SERVICE_10), Some(format!("{sha} mounted")));
}
