use super::{Book, Hooks, Scene, Verdict, reason};
use crate::error::Diagnose;
use crate::run::{RunEvent, RunState, RunType};
use crate::runner::Counts;

#[tokio::test]
async fn a_stack_is_created_left_alone_changed_and_destroyed() {
    let mut scene = Scene::page();
    let mut book = Book::default();
    let created = scene.run_with(RunType::Tracked, &mut book).await.unwrap();
    assert_eq!(created.state, RunState::Finished, "{}", scene.log());
    assert_eq!(
        created.counts,
        Some(Counts {
            add: 1,
            ..Counts::default()
        })
    );
    assert_eq!(scene.read("page"), "v1");
    assert_eq!(
        book.entered,
        [
            RunState::Initializing,
            RunState::Planning,
            RunState::Applying
        ]
    );
    assert_eq!(
        book.judged.unwrap()["resource_changes"][0]["change"]["actions"][0],
        "create"
    );
    let url = format!("file://{}", scene.path("page").display());
    assert_eq!(created.outputs, [("url".to_owned(), url.into())].into());
    assert!(!scene.path("plans/01RUN").exists());

    // Everything but the state is thrown away between runs.
    let module = scene.read("workspace/main.tf");
    std::fs::remove_dir_all(scene.path("workspace")).unwrap();
    scene.write("workspace/main.tf", &module);
    let mut book = Book::default();
    let unchanged = scene.run_with(RunType::Tracked, &mut book).await.unwrap();
    assert_eq!(unchanged.state, RunState::Finished);
    assert_eq!(unchanged.counts, Some(Counts::default()));
    assert_eq!(unchanged.outputs, created.outputs);
    assert_eq!(book.entered, [RunState::Initializing, RunState::Planning]);

    scene.set("TF_VAR_version_of_code", "v2");
    let changed = scene.run(RunType::Tracked).await;
    assert_eq!(
        changed.counts,
        Some(Counts {
            add: 1,
            change: 0,
            destroy: 1
        })
    );
    assert_eq!(scene.read("page"), "v2");

    let mut book = Book::default();
    let destroyed = scene.run_with(RunType::Destroy, &mut book).await.unwrap();
    assert_eq!(destroyed.state, RunState::Finished, "{}", scene.log());
    assert_eq!(
        destroyed.counts,
        Some(Counts {
            destroy: 1,
            ..Counts::default()
        })
    );
    assert_eq!(book.entered, [RunState::Initializing, RunState::Destroying]);
    assert!(!scene.path("page").exists());
}

#[tokio::test]
async fn a_proposed_run_plans_and_changes_nothing() {
    let scene = Scene::page();
    let outcome = scene.run(RunType::Proposed).await;
    assert_eq!(outcome.state, RunState::Finished);
    assert_eq!(
        outcome.counts,
        Some(Counts {
            add: 1,
            ..Counts::default()
        })
    );
    assert!(!scene.path("page").exists() && !scene.path("states/hello.tfstate").exists());
}

#[tokio::test]
async fn a_denied_plan_is_not_applied() {
    let scene = Scene::page();
    let mut book = Book::saying(Verdict::Deny(vec!["not on\na Friday".to_owned()]));
    let outcome = scene.run_with(RunType::Tracked, &mut book).await.unwrap();
    assert_eq!(outcome.state, RunState::Failed);
    assert_eq!(reason(&outcome), "denied by policy: not on a Friday");
    assert!(!scene.path("page").exists() && !scene.path("plans/01RUN").exists());
}

#[tokio::test]
async fn a_warning_or_a_stack_without_autodeploy_waits_with_its_plan_kept() {
    let scene = Scene::page();
    let mut book = Book::saying(Verdict::Warn(vec!["look".to_owned()]));
    let outcome = scene.run_with(RunType::Tracked, &mut book).await.unwrap();
    assert_eq!(outcome.state, RunState::Unconfirmed);
    assert_eq!(outcome.warnings, ["look"]);
    assert!(scene.path("plans/01RUN").exists() && !scene.path("page").exists());

    let mut scene = Scene::page();
    scene.plan.autodeploy = false;
    assert_eq!(
        scene.run(RunType::Tracked).await.state,
        RunState::Unconfirmed
    );
    assert!(scene.path("plans/01RUN").exists() && !scene.path("page").exists());
}

#[tokio::test]
async fn the_plan_that_a_person_confirmed_is_the_one_applied() {
    let mut scene = Scene::page();
    scene.plan.autodeploy = false;
    let outcome = scene.run(RunType::Tracked).await;
    assert_eq!(outcome.event, RunEvent::Await);
    // Whatever is in the workspace by then, the plan was seen.
    let other = r#"resource "terraform_data" "smuggled" {}"#;
    scene.write("workspace/main.tf", other);
    scene.plan.from = RunState::Confirmed;
    let mut book = Book::default();
    let outcome = scene.run_with(RunType::Tracked, &mut book).await.unwrap();
    assert_eq!(outcome.state, RunState::Finished, "{}", scene.log());
    assert_eq!(book.entered, [RunState::PreparingApply, RunState::Applying]);
    assert_eq!(scene.read("page"), "v1");
    assert!(!scene.read("states/hello.tfstate").contains("smuggled"));
    assert!(!scene.path("plans/01RUN").exists(), "it holds secrets");
}

#[tokio::test]
async fn a_run_is_planned_anew_on_request() {
    let mut scene = Scene::page();
    scene.plan.autodeploy = false;
    scene.plan.from = RunState::ReplanRequested;
    let mut book = Book::default();
    let outcome = scene.run_with(RunType::Tracked, &mut book).await.unwrap();
    assert_eq!(outcome.state, RunState::Unconfirmed, "{}", scene.log());
    assert_eq!(
        book.entered,
        [RunState::PreparingReplan, RunState::Planning]
    );
}

#[tokio::test]
async fn a_proposed_run_with_a_warning_waits_where_its_stack_is_reviewed() {
    let mut scene = Scene::page();
    for (is_reviewed, expected) in [(false, RunState::Finished), (true, RunState::PendingReview)] {
        scene.plan.is_reviewed = is_reviewed;
        let mut book = Book::saying(Verdict::Warn(vec!["look".to_owned()]));
        let outcome = scene.run_with(RunType::Proposed, &mut book).await.unwrap();
        assert_eq!(outcome.state, expected);
        assert!(!scene.path("plans/01RUN").exists() && !scene.path("page").exists());
    }
}

#[tokio::test]
async fn what_was_judged_is_what_is_applied() {
    let scene = Scene::page();
    let other = r#"resource "terraform_data" "smuggled" {}"#.to_owned();
    let mut book = Book {
        meanwhile: Some((scene.path("workspace/main.tf"), other)),
        ..Book::default()
    };
    let outcome = scene.run_with(RunType::Tracked, &mut book).await.unwrap();
    assert_eq!(outcome.state, RunState::Finished, "{}", scene.log());
    assert_eq!(scene.read("page"), "v1");
    assert!(!scene.read("states/hello.tfstate").contains("smuggled"));
}

#[tokio::test]
async fn the_tools_first_error_is_the_reason() {
    let scene = Scene::new("resource \"terraform_data\" \"a\" {\n  input = foo\n}\n");
    let outcome = scene.run(RunType::Tracked).await;
    assert_eq!(outcome.state, RunState::Failed);
    assert_eq!(
        reason(&outcome),
        "plan: Invalid reference: A reference to a resource type must be followed by at least \
         one attribute access, specifying the resource name. (on main.tf line 2)"
    );

    let scene = Scene::new("not hcl");
    let outcome = scene.run(RunType::Tracked).await;
    assert!(
        reason(&outcome).starts_with("init: "),
        "{}",
        reason(&outcome)
    );
    assert!(
        reason(&outcome).contains("main.tf line 1"),
        "{}",
        reason(&outcome)
    );
}

#[tokio::test]
async fn a_failed_apply_keeps_what_was_made() {
    let scene = Scene::new(
        r#"
resource "terraform_data" "good" {}
resource "terraform_data" "bad" {
  depends_on = [terraform_data.good]
  provisioner "local-exec" {
    command = "echo boom; exit 3"
  }
}
"#,
    );
    let outcome = scene.run(RunType::Tracked).await;
    assert_eq!(outcome.state, RunState::Failed);
    assert!(
        reason(&outcome).contains("exit status 3. Output: boom"),
        "{}",
        reason(&outcome)
    );
    assert!(
        reason(&outcome).contains("with terraform_data.bad"),
        "{}",
        reason(&outcome)
    );
    assert!(scene.read("states/hello.tfstate").contains("\"good\""));
}

#[tokio::test]
async fn a_state_that_cannot_be_recorded_ends_the_run_before_its_effect() {
    let scene = Scene::page();
    let mut book = Book {
        refuses: Some(RunState::Applying),
        ..Book::default()
    };
    let error = scene
        .run_with(RunType::Tracked, &mut book)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "run 01RUN: cannot record that it is APPLYING"
    );
    assert!(!scene.path("page").exists() && !scene.path("plans/01RUN").exists());
}

#[tokio::test]
async fn hooks_run_around_their_phase_and_one_that_fails_fails_the_run() {
    let mut scene = Scene::page();
    let trail = scene.path("trail").display().to_string();
    let note = |word: &str| vec![format!("echo {word} >> '{trail}'")];
    scene.plan.hooks = Hooks {
        before_init: note("before_init"),
        after_init: note("after_init"),
        before_plan: note("before_plan"),
        after_plan: note("after_plan"),
        before_apply: note("before_apply"),
        after_apply: note("after_apply"),
        before_destroy: note("before_destroy"),
        after_destroy: vec![
            format!("echo after_destroy >> '{trail}'"),
            "exit 4".to_owned(),
        ],
        after_run: note("after_run:$TF_VAR_spacelift_final_run_state"),
    };
    assert_eq!(scene.run(RunType::Tracked).await.state, RunState::Finished);
    let outcome = scene.run(RunType::Destroy).await;
    assert_eq!(outcome.state, RunState::Failed);
    assert_eq!(reason(&outcome), "after_destroy: exit code 4");
    let walked: Vec<String> = scene.read("trail").lines().map(str::to_owned).collect();
    assert_eq!(
        walked,
        [
            "before_init",
            "after_init",
            "before_plan",
            "after_plan",
            "before_apply",
            "after_apply",
            "after_run:FINISHED",
            "before_init",
            "after_init",
            "before_destroy",
            "after_destroy",
            "after_run:FAILED",
        ]
    );
}

#[tokio::test]
async fn a_missing_project_root_names_stack_repository_and_commit() {
    let mut scene = Scene::page();
    for (root, part) in [
        ("nowhere", "no project root"),
        ("../..", "leaves"),
        ("main.tf", "no project root"),
    ] {
        scene.plan.project_root = root.to_owned();
        let error = scene
            .run_with(RunType::Tracked, &mut Book::default())
            .await
            .unwrap_err();
        let message = error.to_string();
        for word in [part, "hello", "acme/hello-infra", "68a0e42"] {
            assert!(message.contains(word), "{message}");
        }
        assert!(error.hint().is_some());
    }
}
