//! The policies of the manager's own stack judge what comes to its branch.

use crate::support::{PullRequest, SERVICE_10, Scene};

/// A scene whose first apply has recorded the policies.
fn guarded() -> Scene {
    let scene = Scene::new();
    scene.apply().succeeded();
    scene
}

/// Commits files as somebody.
fn commit_as(scene: &Scene, author: &str, files: &[(&str, &str)]) -> String {
    scene.manager.commit_by(author, "main", files)
}

fn with_comment(scene: &Scene, path: &str) -> String {
    scene.manager.read("main", path).unwrap() + "\n# more\n"
}

#[test]
fn writer_that_touches_more_than_environments_is_denied() {
    let scene = guarded();
    let template = with_comment(&scene, "hello-service/template/main.tf");
    let bad = commit_as(
        &scene,
        "dayfly[bot]",
        &[("hello-service/template/main.tf", &template)],
    );
    // A good commit above it takes nothing of it along.
    scene.event("opened", &PullRequest::service());
    for _ in 0..2 {
        let denied = scene.apply().exited(3).stderr;
        let expected = format!(
            "error: denied, and nothing was recorded: commit {} by dayfly[bot]: policy \
             previews-push: hello-service/template/main.tf is no environment file",
            &bad[..8]
        );
        assert!(denied.contains(&expected), "{denied}");
        assert!(
            denied.contains(&format!("git revert {}", &bad[..8])),
            "{denied}"
        );
        assert_eq!(scene.page(SERVICE_10), None);
    }
    let planned = scene.plan().exited(3).stderr;
    assert!(
        planned.contains("by dayfly[bot]: policy previews-push: "),
        "{planned}"
    );

    // A person takes it back: what the newest commit no longer holds does not count.
    let template = template.replace("\n# more\n", "");
    commit_as(
        &scene,
        "Ann",
        &[("hello-service/template/main.tf", &template)],
    );
    scene.apply().succeeded();
    assert!(scene.page(SERVICE_10).is_some());
}

#[test]
fn person_below_a_writer_is_no_trespass() {
    let scene = guarded();
    let template = with_comment(&scene, "hello-service/template/main.tf");
    let policy = with_comment(&scene, "hello-service/policies/plan.rego");
    commit_as(
        &scene,
        "Ann",
        &[
            ("hello-service/template/main.tf", &template),
            ("hello-service/policies/plan.rego", &policy),
        ],
    );
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    assert!(scene.page(SERVICE_10).is_some());
}

#[test]
fn policy_does_not_come_with_the_commit_that_takes_it_away() {
    let scene = guarded();
    let settings = scene.manager.read("main", "dayfly.hcl").unwrap();
    commit_as(
        &scene,
        "dayfly",
        &[
            ("policies/push.rego", "package spacelift\n\ntrack := true\n"),
            (
                "dayfly.hcl",
                &settings.replace("\"previews\"", "\"another\""),
            ),
        ],
    );
    let denied = scene.apply().exited(3).stderr;
    assert!(
        denied.contains("policies/push.rego is no environment file"),
        "{denied}"
    );
}

#[test]
fn environment_file_makes_no_policy() {
    let scene = guarded();
    let file = "resource \"spacelift_policy\" \"open\" {\n  name = \"open\"\n  type = \"APPROVAL\"\n  \
                body = \"package spacelift\\napprove { true }\"\n}\n";
    commit_as(
        &scene,
        "dayfly[bot]",
        &[("hello-service/environments/x.tf", file)],
    );
    let denied = scene.apply().exited(3).stderr;
    assert!(denied.contains("policy previews-plan: "), "{denied}");
    assert!(
        denied.contains("dayfly[bot] may change environments only"),
        "{denied}"
    );
}

#[test]
fn warning_waits_for_a_person_who_names_the_commit() {
    let scene = guarded();
    let plan = scene.manager.read("main", "policies/plan.rego").unwrap()
        + "\nwarn contains \"look twice\" if count(input.terraform.resource_changes) > 0\n";
    commit_as(&scene, "Ann", &[("policies/plan.rego", &plan)]);
    scene.apply().succeeded();
    scene.event("opened", &PullRequest::service());
    let head = scene.manager.tip("main").unwrap();
    let waits = scene.apply().exited(3).stderr;
    assert!(
        waits.contains("waits for a person: policy previews-plan: look twice"),
        "{waits}"
    );
    assert!(
        waits.contains(&format!("--confirm {}", &head[..8])),
        "{waits}"
    );
    scene.apply_with(&["--confirm", &"0".repeat(40)]).exited(3);
    assert_eq!(scene.page(SERVICE_10), None);
    scene.apply_with(&["--confirm", &head[..8]]).succeeded();
    assert!(scene.page(SERVICE_10).is_some());
}
