use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use super::{Book, Scene, names, reason};
use crate::run::{RunState, RunType};

#[tokio::test]
async fn a_child_sees_only_what_is_meant_for_it() {
    let mut scene = Scene::new(
        r#"
variable "seen" {}
resource "terraform_data" "env" {
  provisioner "local-exec" {
    command = "env > '${var.seen}'"
  }
}
"#,
    );
    let seen = scene.path("seen").display().to_string();
    scene.set("TF_VAR_seen", &seen);
    scene.set("TF_VAR_spacelift_stack_id", "hello");
    scene.set("REGION", "of the stack");
    scene.plan.pass_environment = [("REGION", "of the host"), ("AWS_PROFILE", "preview")]
        .map(|(a, b)| (a.into(), b.into()))
        .into();
    let outcome = scene.run(RunType::Tracked).await;
    assert_eq!(outcome.state, RunState::Finished, "{}", reason(&outcome));

    let text = scene.read("seen");
    assert!(!text.contains("do-not-pass"), "{text}");
    assert!(text.contains("REGION=of the stack\n"), "{text}");
    let found: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    let shell = ["PWD", "OLDPWD", "SHLVL", "_"];
    let found: Vec<&str> = found
        .into_iter()
        .filter(|name| !shell.contains(name))
        .collect();
    assert_eq!(
        found,
        [
            "AWS_PROFILE",
            "CHECKPOINT_DISABLE",
            "HOME",
            "PATH",
            "REGION",
            "TF_DATA_DIR",
            "TF_INPUT",
            "TF_IN_AUTOMATION",
            "TF_PLUGIN_CACHE_DIR",
            "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE",
            "TF_VAR_seen",
            "TF_VAR_spacelift_run_state",
            "TF_VAR_spacelift_stack_id",
            "TF_WORKSPACE",
        ]
    );
}

#[tokio::test]
async fn a_secret_is_masked_in_log_reason_and_outputs() {
    let mut scene = Scene::new(
        r#"
variable "password" {}
output "address" { value = "https://u:${var.password}@example.com" }
resource "terraform_data" "a" {
  provisioner "local-exec" {
    command = "echo ${var.password}"
  }
}
"#,
    );
    scene.set("TF_VAR_password", "topsecret-42");
    scene.plan.secrets = vec!["topsecret-42".to_owned()];
    // Two chunks, each without the secret.
    let split = "printf 'split topse'; sleep 0.2; printf 'cret-%s\\n' 42";
    scene.plan.hooks.before_init = vec![split.to_owned()];
    let outcome = scene.run(RunType::Tracked).await;
    assert_eq!(outcome.state, RunState::Finished, "{}", reason(&outcome));
    assert_eq!(outcome.outputs["address"], "https://u:****@example.com");
    let log = scene.log();
    assert!(log.contains("terraform_data.a (local-exec): ****"), "{log}");
    assert!(log.contains("\nsplit ****\n"), "{log}");
    assert!(!log.contains("topsecret"), "{log}");
    for step in ["== init: ", "== plan: ", "== show: ", "== apply: "] {
        assert!(log.contains(step), "{step} in {log}");
    }

    scene.plan.hooks.before_init = vec!["echo no topsecret-42 >&2; exit 7".to_owned()];
    let outcome = scene.run(RunType::Tracked).await;
    assert_eq!(reason(&outcome), "before_init: exit code 7: no ****");
    assert!(!scene.log().contains("topsecret"));
}

#[tokio::test]
async fn the_state_is_kept_whatever_backend_the_module_names() {
    let backends = [
        ("none", "", ""),
        ("s3", "terraform {\n  backend \"s3\" {}\n}\n", ""),
        (
            "cloud",
            "terraform {\n  cloud {\n    organization = \"acme\"\n    workspaces {\n      name = \"x\"\n    }\n  }\n}\n",
            "",
        ),
        ("override", "", "terraform {\n  backend \"http\" {}\n}\n"),
    ];
    for (name, backend, more) in backends {
        let mut scene = Scene::page();
        scene.plan.kept_init = None;
        // Another workspace's state would be kept elsewhere.
        scene.set("TF_WORKSPACE", "elsewhere");
        scene.write("workspace/backend.tf", backend);
        scene.write("workspace/more_override.tf", more);
        let before = names(&scene.path("workspace"));
        let outcome = scene.run(RunType::Tracked).await;
        assert_eq!(
            outcome.state,
            RunState::Finished,
            "{name}: {}",
            reason(&outcome)
        );
        assert!(
            scene
                .read("states/hello.tfstate")
                .contains("terraform_data"),
            "{name}"
        );

        assert_eq!(scene.read("workspace/backend.tf"), backend);
        let new: Vec<String> = names(&scene.path("workspace"))
            .into_iter()
            .filter(|name| !before.contains(name))
            .collect();
        assert_eq!(
            new,
            [
                ".dayfly_state",
                ".terraform",
                "zzz_dayfly_state_override.tf.json"
            ],
            "{name}"
        );
        // Once more in the same workspace.
        assert_eq!(
            scene.run(RunType::Destroy).await.state,
            RunState::Finished,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_repository_that_takes_the_state_for_itself_is_refused() {
    let scene = Scene::page();
    let elsewhere = scene.path("elsewhere.tfstate").display().to_string();
    scene.write(
        "workspace/zzzz_override.tf",
        &format!("terraform {{\n  backend \"local\" {{\n    path = \"{elsewhere}\"\n  }}\n}}\n"),
    );
    let error = scene
        .run_with(RunType::Tracked, &mut Book::default())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("overrides the backend"),
        "{error}"
    );
    assert!(!scene.path("elsewhere.tfstate").exists() && !scene.path("page").exists());

    let scene = Scene::page();
    scene.write("workspace/zzz_dayfly_state_override.tf.json", "{}");
    let error = scene
        .run_with(RunType::Tracked, &mut Book::default())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("a name that dayfly needs"),
        "{error}"
    );
    assert_eq!(
        scene.read("workspace/zzz_dayfly_state_override.tf.json"),
        "{}"
    );
}

#[tokio::test]
async fn mounted_files_stay_in_the_workspace() {
    let mut scene = Scene::new("output \"text\" { value = file(\"deep/er/text\") }\n");
    scene.plan.mounted_files = vec![("deep/er/text".to_owned(), b"mounted".to_vec())];
    for _ in 0..2 {
        let outcome = scene.run(RunType::Tracked).await;
        assert_eq!(outcome.outputs["text"], "mounted", "{}", reason(&outcome));
    }

    fs::create_dir(scene.path("outside")).unwrap();
    symlink(scene.path("outside"), scene.path("workspace/link")).unwrap();
    for path in [
        "../x",
        "/tmp/x",
        "link/x",
        "link/y/x",
        "a/../../x",
        "",
        "..",
    ] {
        scene.plan.mounted_files = vec![(path.to_owned(), Vec::new())];
        let refused = scene.run_with(RunType::Tracked, &mut Book::default()).await;
        let error = refused
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(error.contains("leaves the workspace"), "{path:?}: {error}");
    }
    assert!(names(&scene.path("outside")).is_empty());
    assert!(!scene.path("x").exists());

    scene.plan.mounted_files.clear();
    scene.plan.project_root = "link".to_owned();
    let error = scene
        .run_with(RunType::Tracked, &mut Book::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("leaves the tree"), "{error}");
}
