use super::{Scene, StateOwner, reason};
use crate::run::{RunState, RunType};

#[tokio::test]
async fn a_destroy_provisioner_that_fails_leaves_the_resource_in_the_state() {
    let scene = Scene::page();
    scene.run(RunType::Tracked).await;
    std::fs::remove_file(scene.path("page")).unwrap();
    let outcome = scene.run(RunType::Destroy).await;
    assert_eq!(outcome.state, RunState::Failed);
    assert_eq!(outcome.left, ["terraform_data.page"]);
    assert!(
        reason(&outcome).starts_with("destroy: local-exec"),
        "{}",
        reason(&outcome)
    );

    // Tried again, it ends well.
    scene.write("page", "v1");
    let outcome = scene.run(RunType::Destroy).await;
    assert_eq!(outcome.state, RunState::Finished, "{}", reason(&outcome));
}

#[tokio::test]
async fn a_stack_that_was_never_applied_is_destroyed_at_once() {
    let outcome = Scene::page().run(RunType::Destroy).await;
    assert_eq!(outcome.state, RunState::Finished);
}

#[tokio::test]
async fn a_destroy_that_only_says_so_is_found_out() {
    let mut scene = Scene::page();
    scene.run(RunType::Tracked).await;
    // Two targets hide the resource from this destroy, which still ends well.
    scene.set("TF_CLI_ARGS_destroy", "-target=terraform_data.other");
    let outcome = scene.run(RunType::Destroy).await;
    assert_eq!(outcome.state, RunState::Failed);
    assert_eq!(outcome.left, ["terraform_data.page"]);
    assert_eq!(
        reason(&outcome),
        "destroyed, but the state still holds terraform_data.page"
    );
}

#[tokio::test]
async fn a_state_of_the_stacks_own_is_used_and_one_that_would_be_lost_is_refused() {
    let mut scene = Scene::page();
    scene.plan.state = StateOwner::Own;
    let mut book = super::Book::default();
    let error = scene
        .run_with(RunType::Tracked, &mut book)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("would keep it in the workspace"), "{error}");
    assert_eq!(book.entered, [RunState::Initializing]);

    let own = scene.path("own.tfstate").display().to_string();
    let backend = format!("terraform {{\n  backend \"local\" {{\n    path = \"{own}\"\n  }}\n}}\n");
    scene.write("workspace/backend.tf", &backend);
    assert_eq!(scene.run(RunType::Tracked).await.state, RunState::Finished);
    assert!(scene.path("own.tfstate").exists());
    assert!(!scene.path("states").exists());
}

#[tokio::test]
async fn a_state_that_could_not_be_stored_is_taken_out_of_the_workspace() {
    // What the tool does when it cannot write; no test can keep root from writing.
    let scene = Scene::new(
        r#"
resource "terraform_data" "a" {
  provisioner "local-exec" {
    command = "echo rescued > errored.tfstate"
  }
}
"#,
    );
    let outcome = scene.run(RunType::Tracked).await;
    assert_eq!(outcome.state, RunState::Failed);
    let kept = scene.path("states/hello.tfstate.errored-01RUN");
    assert!(reason(&outcome).ends_with(&kept.display().to_string()));
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "rescued\n");
}
