//! Stacks keep what they are: nothing is forgotten, destroyed or run on a guess.

use std::fs;

use crate::support::world::Output;
use crate::support::{INFRA, PullRequest, SERVICE_10, Scene};

const STACK_10: &str = "hello-service-ca6d5eab";
const COMMON: &str = "hello-service-common";
const TEMPLATE: &str = "hello-service/template/main.tf";

fn standing() -> Scene {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    scene
}

/// The commit of the destroy run.
fn destroyed_at(applied: &Output) -> String {
    let runs = applied.json()["runs"].as_array().unwrap().clone();
    let destroy = runs.iter().find(|run| run["type"] == "DESTROY").unwrap();
    destroy["commit"].as_str().unwrap().to_owned()
}

#[test]
fn failed_destroy_survives_a_new_name() {
    let scene = standing();
    // Its destroy cannot finish: what it removes is gone.
    let page = scene.world.path("pages").join("ca6d5eab.html");
    fs::remove_file(&page).unwrap();
    scene.edit(
        TEMPLATE,
        "\"${var.service.name}-${var.environment}\"",
        "\"pr-${var.environment}\"",
    );
    let failed = destroyed_at(&scene.apply().exited(1));
    let stacks = scene.stacks();
    assert!(
        stacks.contains(&STACK_10.to_owned()),
        "a failed destroy stays visible: {stacks:?}"
    );
    fs::write(&page, "back").unwrap();
    assert_eq!(destroyed_at(&scene.apply().succeeded()), failed);
    assert_eq!(failed.len(), 40, "the commit that was applied: {failed}");
    assert_eq!(scene.stacks(), [COMMON, "pr-ca6d5eab"]);
    assert!(!scene.states().join(STACK_10).exists());
}

#[test]
fn protected_stack_is_not_renamed_away() {
    let scene = standing();
    scene.edit(
        "hello-service/main.tf",
        "\"hello-service-common\"",
        "\"hello-service-shared\"",
    );
    for _ in 0..2 {
        let applied = scene.apply().exited(1);
        assert!(
            applied.json()["problems"]
                .to_string()
                .contains("protected from deletion")
        );
        assert_eq!(scene.stacks(), [STACK_10, COMMON]);
    }
}

#[test]
fn renamed_module_moves_its_stacks() {
    let scene = standing();
    scene.edit("main.tf", "module \"hello-service\"", "module \"hello\"");
    let plan = scene.plan().succeeded().stdout;
    assert!(
        plan.contains("has moved to module.hello.spacelift_stack.common"),
        "{plan}"
    );
    let applied = scene.apply().succeeded();
    assert!(Scene::runs_of(&applied).is_empty(), "{}", applied.stdout);
    assert_eq!(scene.stacks(), [STACK_10, COMMON]);
    assert!(scene.plan().succeeded().stdout.contains("No changes."));
    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    assert_eq!(scene.page(SERVICE_10), None);
}

#[test]
fn two_files_never_share_a_stack() {
    let scene = standing();
    let file = Scene::file(&PullRequest::service(), SERVICE_10);
    let text = scene.manager.read("main", &file).unwrap();
    let second = text.replace("acme-hello-service-10-ca6d5eab", "mine");
    scene.manager.commit(
        "main",
        &[
            (&file, "module \"broken\" {"),
            (
                "hello-service/environments/mine.tf",
                &second.replace(&"a".repeat(40), &"b".repeat(40)),
            ),
        ],
    );
    let applied = scene.apply().exited(1);
    assert!(
        applied.json()["problems"].to_string().contains(STACK_10),
        "{}",
        applied.stdout
    );
    assert_eq!(scene.stacks(), [STACK_10, COMMON]);
    assert_eq!(
        scene.page(SERVICE_10),
        Some(format!("{} plain", "a".repeat(40)))
    );
}

#[test]
fn branch_that_is_not_there_is_not_guessed() {
    let scene = standing();
    let file = Scene::file(&PullRequest::service(), SERVICE_10);
    scene.edit(&file, "\"main\"", "\"nowhere\"");
    let applied = scene.apply().exited(1);
    assert_eq!(
        Scene::runs_of(&applied),
        [format!("{STACK_10} TRACKED FAILED")]
    );
    let note = applied.json()["runs"][0]["note"].to_string();
    assert!(note.contains("no branch nowhere"), "{note}");
    scene.infra.branch("nowhere", "main");
    assert_eq!(
        Scene::runs_of(&scene.apply().succeeded()),
        [format!("{STACK_10} TRACKED FINISHED")]
    );
}

#[test]
fn trigger_policy_that_failed_is_asked_again() {
    let scene = Scene::new();
    let policy = scene.manager.read("main", "policies/trigger.rego").unwrap();
    scene.manager.commit(
        "main",
        &[("policies/trigger.rego", "package spacelift\n\nnonsense(")],
    );
    scene.event("opened", &PullRequest::service());
    let applied = scene.apply().exited(1);
    assert!(Scene::runs_of(&applied).is_empty());
    scene
        .manager
        .commit("main", &[("policies/trigger.rego", &policy)]);
    let applied = scene.apply().succeeded();
    assert_eq!(Scene::runs_of(&applied).len(), 2, "{}", applied.stdout);
    assert!(Scene::runs_of(&scene.apply().succeeded()).is_empty());
}

#[test]
fn push_that_no_policy_judged_is_seen_again() {
    let scene = standing();
    let path = "hello-service/policies/push.rego";
    let policy = scene.manager.read("main", path).unwrap();
    let conflict = format!(
        "{policy}\nclash := 1\n\nclash := count(input.push.affected_files)\n\nignore if clash == 0\n"
    );
    scene.manager.commit("main", &[(path, &conflict)]);
    scene.infra.commit("main", &[("a.txt", ""), ("b.txt", "")]);
    let applied = scene.apply().exited(1);
    assert!(Scene::runs_of(&applied).is_empty(), "{}", applied.stdout);
    scene.manager.commit("main", &[(path, &policy)]);
    assert_eq!(
        Scene::runs_of(&scene.apply().succeeded()),
        [format!("{STACK_10} TRACKED FINISHED")]
    );
}

#[test]
fn another_branch_is_not_applied() {
    let scene = Scene::new();
    scene.manager.branch("old", "main");
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let refused = scene.apply_with(&["--branch", "old"]).exited(2);
    assert!(
        refused.stderr.contains("follows the branch main"),
        "{}",
        refused.stderr
    );
    let data = scene.world.path("data");
    let directory = scene.world.clone_of(&scene.manager, "plain");
    fs::remove_dir_all(directory.join(".git")).unwrap();
    let refused = scene.world.dayfly(&[
        "apply",
        "--manager",
        directory.to_str().unwrap(),
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    assert_eq!(refused.status, 2, "{}", refused.stderr);
    assert!(scene.page(SERVICE_10).is_some());
}

#[test]
fn plan_policy_denies_and_fails_closed() {
    let scene = standing();
    let add = |body: &str| {
        let resource = "\nresource \"spacelift_policy\" \"gate\" {\n  name = \"gate\"\n  type = \"PLAN\"\n  engine_type = \"REGO_V1\"\n  labels = [\"autoattach:preview\"]\n  body = file(\"${path.module}/policies/gate.rego\")\n}\n";
        let main = scene.manager.read("main", "hello-service/main.tf").unwrap();
        let main = if main.contains("\"gate\"") {
            main
        } else {
            main + resource
        };
        scene.manager.commit(
            "main",
            &[
                ("hello-service/main.tf", &main),
                ("hello-service/policies/gate.rego", body),
            ],
        );
    };
    let pull_request = PullRequest::service();
    for (body, sha, reason) in [
        ("package spacelift\n\nnonsense(", "b", "gate"),
        (
            "package spacelift\n\nimport rego.v1\n\ndeny contains \"never\" if true\n",
            "c",
            "never",
        ),
    ] {
        add(body);
        scene.event("synchronize", &pull_request.at(&sha.repeat(40)));
        let applied = scene.apply().exited(1);
        assert_eq!(
            Scene::runs_of(&applied),
            [format!("{STACK_10} TRACKED FAILED")],
            "{body}"
        );
        assert!(
            applied.json()["runs"][0]["note"]
                .to_string()
                .contains(reason),
            "{}",
            applied.stdout
        );
        assert_eq!(
            scene.page(SERVICE_10),
            Some(format!("{} plain", "a".repeat(40)))
        );
    }
    add("package spacelift\n\nimport rego.v1\n\ndeny contains \"never\" if false\n");
    scene.apply().succeeded();
    assert_eq!(
        scene.page(SERVICE_10),
        Some(format!("{} plain", "c".repeat(40)))
    );
}

#[test]
fn emptied_file_removes_nothing() {
    let scene = standing();
    for path in [
        Scene::file(&PullRequest::service(), SERVICE_10),
        TEMPLATE.to_owned(),
    ] {
        let whole = scene.manager.read("main", &path).unwrap();
        scene.manager.commit("main", &[(&path, "")]);
        let applied = scene.apply();
        assert!(
            applied.json()["problems"].to_string().contains(&path),
            "{}",
            applied.stdout
        );
        assert!(
            Scene::runs_of(&applied).is_empty(),
            "{path}: {}",
            applied.stdout
        );
        assert_eq!(scene.stacks(), [STACK_10, COMMON], "{path}");
        scene.manager.commit("main", &[(&path, &whole)]);
        scene.apply().succeeded();
    }
}

#[test]
fn nothing_is_recorded_where_nothing_can_be_run() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    let bin = scene.world.path("bin");
    let terraform = fs::read_link(bin.join("terraform")).ok();
    for tool in ["terraform", "tofu"] {
        let _ = fs::remove_file(bin.join(tool));
    }
    let refused = scene.apply().exited(5);
    assert!(
        refused.stderr.contains("terraform") && refused.stderr.contains("hint:"),
        "{}",
        refused.stderr
    );
    assert!(scene.stacks().is_empty());
    if let Some(terraform) = terraform {
        std::os::unix::fs::symlink(terraform, bin.join("terraform")).unwrap();
        assert_eq!(Scene::runs_of(&scene.apply().succeeded()).len(), 2);
    }
}

#[test]
fn state_that_a_crash_kept_is_taken_away() {
    let scene = standing();
    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    let left = scene.states().join(STACK_10);
    fs::create_dir(&left).unwrap();
    fs::write(
        left.join("terraform.tfstate"),
        "{\"version\":4,\"resources\":[]}",
    )
    .unwrap();
    scene.apply().succeeded();
    assert!(!left.exists());
    fs::create_dir(&left).unwrap();
    fs::write(
        left.join("terraform.tfstate"),
        "{\"version\":4,\"resources\":[{}]}",
    )
    .unwrap();
    let applied = scene.apply().succeeded();
    assert!(
        applied.json()["problems"].to_string().contains(STACK_10),
        "{}",
        applied.stdout
    );
    assert!(left.exists(), "it holds something");
}

#[test]
fn secrets_stay_out_of_logs_and_plans() {
    let scene = Scene::new();
    let secret = "correct-horse-battery";
    let variable = format!(
        "\nresource \"spacelift_environment_variable\" \"secret\" {{\n  stack_id = spacelift_stack.this.id\n  name = \"TF_VAR_layout\"\n  value = \"{secret}\"\n}}\n"
    );
    let template = scene.manager.read("main", TEMPLATE).unwrap();
    scene
        .manager
        .commit("main", &[(TEMPLATE, &(template.clone() + &variable))]);
    scene.event("opened", &PullRequest::new(INFRA, 7, "abcdef12", "main"));
    scene.apply().succeeded();
    let runs = scene.data(&["runs", "--output", "json"]).json();
    for run in runs.as_array().unwrap() {
        let log = scene
            .data(&["logs", run["id"].as_str().unwrap()])
            .succeeded();
        assert!(!log.stdout.contains(secret), "{}", log.stdout);
    }
    let open = variable
        .replace("  value", "  write_only = false\n  value")
        .replace(secret, "known");
    scene
        .manager
        .commit("main", &[(TEMPLATE, &(template + &open))]);
    let plan = scene.plan().succeeded().stdout;
    assert!(plan.contains("TF_VAR_layout"), "{plan}");
    assert!(!plan.contains(secret), "{plan}");
}

#[test]
fn second_commit_needs_no_init_but_where_a_fork_wrote_it() {
    for is_fork in [false, true] {
        let scene = Scene::new();
        scene.edit("hello-service/service.hcl", "\"deny\"", "\"allow\"");
        scene.edit("hello-service/policies/approval.rego", "fork", "spoon");
        let mut pull_request = PullRequest::service();
        pull_request.is_fork = is_fork;
        scene.event("opened", &pull_request);
        scene.apply().succeeded();
        scene.event("synchronize", &pull_request.at(&"b".repeat(40)));
        let applied = scene.apply().succeeded();
        let run = applied.json()["runs"][0]["id"].as_str().unwrap().to_owned();
        let log = scene.data(&["logs", &run]).succeeded().stdout;
        assert_eq!(log.contains("== init: skipped"), !is_fork, "{log}");
        assert!(scene.page(SERVICE_10).unwrap().starts_with("bbbb"));
        let kept = scene.world.path("data/initialized").join(STACK_10);
        assert_eq!(kept.exists(), !is_fork);
        scene.event("closed", &pull_request);
        scene.apply().succeeded();
        assert!(!kept.exists());
    }
}
