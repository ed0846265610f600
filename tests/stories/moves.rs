//! `moved` blocks go through a real apply: what has moved keeps its state, and nothing is destroyed.

use serde_json::Value;

use crate::support::{PullRequest, SERVICE_10, Scene};

const STACK_10: &str = "hello-service-ca6d5eab";

#[test]
fn moved_module_and_resource_keep_what_they_have_made() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let stacks = scene.stacks();
    let page = scene.page(SERVICE_10).unwrap();
    let state = || scene.data(&["state", "pull", STACK_10]).succeeded().json();
    let before = state();
    assert_ne!(before["resources"], serde_json::json!([]));

    // The module is called by another name, and one of its resources has another name and another id.
    scene.edit(
        "main.tf",
        "module \"hello-service\" {",
        "moved {\n  from = module.hello-service\n  to   = module.greeting\n}\n\nmodule \"greeting\" {",
    );
    scene.edit(
        "hello-service/main.tf",
        "resource \"spacelift_environment_variable\" \"common_domain\" {\n  stack_id   = spacelift_stack.common.id\n  name       = \"TF_VAR_domain\"",
        "moved {\n  from = spacelift_environment_variable.common_domain\n  to   = spacelift_environment_variable.zone\n}\n\nresource \"spacelift_environment_variable\" \"zone\" {\n  stack_id   = spacelift_stack.common.id\n  name       = \"TF_VAR_zone\"",
    );
    scene.dayfly(&["validate"]).succeeded();
    let planned = scene.plan().succeeded().stdout;
    assert!(
        planned.contains("Plan: 1 to add, 0 to change, 1 to destroy."),
        "{planned}"
    );
    let applied = scene.apply().succeeded();
    let changes = applied.json()["changes"].as_array().unwrap().clone();
    let of = |name: &str, change: &Value| change[name].as_str().unwrap_or_default().to_owned();
    for change in &changes {
        let (from, to) = (of("moved_from", change), of("address", change));
        assert!(from.starts_with("module.hello-service."), "{change}");
        assert!(to.starts_with("module.greeting."), "{change}");
    }
    let told: Vec<String> = changes.iter().map(|change| of("action", change)).collect();
    let replaced = changes
        .iter()
        .find(|change| change["action"] == "replaced")
        .unwrap();
    assert_eq!(
        of("address", replaced),
        "module.greeting.spacelift_environment_variable.zone"
    );
    assert!(
        told.iter()
            .all(|action| matches!(action.as_str(), "changed" | "replaced")),
        "{told:?}"
    );

    let runs = Scene::runs_of(&applied);
    assert!(runs.iter().all(|run| !run.contains("DESTROY")), "{runs:?}");
    assert!(
        runs.iter().all(|run| !run.starts_with(STACK_10)),
        "{runs:?}"
    );
    assert_eq!(scene.stacks(), stacks);
    assert_eq!(scene.page(SERVICE_10), Some(page));
    assert_eq!(state(), before);
    assert!(scene.plan().succeeded().stdout.starts_with("No changes."));

    // The pull request's end still finds what it has made.
    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    assert_eq!(scene.page(SERVICE_10), None);
}
