//! Runs that wait, are stopped, and are tried again.

use std::fs;

use super::*;
use crate::support::{INFRA, INFRA_7};

#[test]
fn the_plan_that_was_seen_is_applied_once_confirmed() {
    let scene = reviewed();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let (run, state, note) = last(&scene);
    assert_eq!(state, "UNCONFIRMED");
    assert_eq!(note, "waits for a person (autodeploy is off)");
    assert_eq!(scene.page(SERVICE_10), None);

    // The branch moves on: the plan is still that of its commit.
    let module = scene.infra.read("main", "main.tf").unwrap();
    let newer = module.replace("${var.code_version} ", "newer ${var.code_version} ");
    let told = scene.data(&["runs", "confirm", &run]).succeeded();
    assert!(
        told.stdout.contains("is CONFIRMED: confirmed by "),
        "{}",
        told.stdout
    );
    scene.infra.commit("main", &[("main.tf", &newer)]);
    scene.apply().succeeded();
    assert_eq!(
        states(&scene, &run),
        "QUEUED READY PREPARING INITIALIZING PLANNING UNCONFIRMED CONFIRMED PREPARING_APPLY \
         APPLYING FINISHED"
    );
    let text = Some(format!("{} plain", "a".repeat(40)));
    assert_eq!(scene.page(SERVICE_10), text);
    assert_eq!(
        last(&scene).1,
        "UNCONFIRMED",
        "the newer commit waits for its turn"
    );
    let plans = fs::read_dir(scene.world.path("data/runs")).unwrap();
    let plans = plans.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with(".tfplan")
    });
    assert_eq!(
        plans.count(),
        1,
        "a plan that was applied holds secrets for nothing"
    );
}

#[test]
fn plan_that_is_gone_is_made_anew_and_waits_again() {
    let scene = reviewed();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let (run, ..) = last(&scene);
    let plan = scene.world.path("data/runs").join(format!("{run}.tfplan"));
    fs::remove_file(&plan).unwrap();
    let told = scene.data(&["confirm", &run]).succeeded();
    assert!(told.stdout.contains("planned anew"), "{}", told.stdout);
    scene.apply().succeeded();
    assert_eq!(last(&scene).1, "UNCONFIRMED");
    assert!(plan.exists());
    scene.data(&["confirm", &run]).succeeded();
    scene.apply().succeeded();
    assert!(states(&scene, &run).ends_with(
        "UNCONFIRMED REPLAN_REQUESTED PREPARING_REPLAN PLANNING UNCONFIRMED CONFIRMED \
         PREPARING_APPLY APPLYING FINISHED"
    ));
    assert!(scene.page(SERVICE_10).is_some());
}

#[test]
fn newer_run_waits_behind_one_that_waits_for_a_person() {
    let scene = reviewed();
    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    scene.apply().succeeded();
    let (first, ..) = last(&scene);
    for commit in ["b", "c"] {
        scene.event("synchronize", &pull_request.at(&commit.repeat(40)));
        assert!(Scene::runs_of(&scene.apply().succeeded()).is_empty());
    }
    let all = runs(&scene);
    let states: Vec<&str> = all
        .iter()
        .map(|run| run["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states,
        ["QUEUED", "UNCONFIRMED"],
        "one is queued for both commits"
    );
    let note = format!("waits for run {first}, which is UNCONFIRMED");
    assert_eq!(all[0]["note"], *note);
    refused(
        scene.data(&["runs", "retry", &first]),
        &[
            "is UNCONFIRMED: it cannot be retried now",
            "dayfly runs confirm",
            "dayfly runs discard",
        ],
    );
    scene.data(&["runs", "discard", &first]).succeeded();
    assert_eq!(
        Scene::runs_of(&scene.apply().succeeded()),
        [format!("{STACK_10} TRACKED UNCONFIRMED")]
    );
    // What a closed pull request's plan waits for, nobody can give.
    scene.event("closed", &pull_request);
    scene.apply().succeeded();
    assert_eq!(last(&scene).1, "DISCARDED");
    assert_eq!(scene.stacks(), ["hello-service-common"]);
}

#[test]
fn discarded_run_is_not_tried_again_by_itself_and_can_be_retried() {
    let scene = reviewed();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let (run, ..) = last(&scene);
    scene.data(&["discard", &run]).succeeded();
    assert!(Scene::runs_of(&scene.apply().succeeded()).is_empty());
    let told = scene.data(&["retry", &run, "--output", "json"]).succeeded();
    assert_eq!(told.json()["queued"]["commit"], runs(&scene)[0]["commit"]);
    let (queued, state, _) = last(&scene);
    assert_eq!(state, "QUEUED");
    refused(
        scene.data(&["retry", &run]),
        &[
            &format!("run {queued} of stack {STACK_10} is newer, and QUEUED"),
            "runs cancel",
        ],
    );
    scene.data(&["cancel", &queued]).succeeded();
    assert!(Scene::runs_of(&scene.apply().succeeded()).is_empty());
    refused(
        scene.data(&["cancel", &queued]),
        &["is CANCELED", "dayfly runs retry"],
    );
    scene.data(&["retry", &run]).succeeded();
    scene.apply().succeeded();
    assert_eq!(last(&scene).1, "UNCONFIRMED");
}

#[test]
fn run_that_plans_is_stopped_and_one_that_applies_is_not() {
    let scene = Scene::new();
    gated(&scene, "before_plan");
    scene.event("opened", &PullRequest::service());
    let mut apply = spawn(&scene);
    wait_until("the plan", || started(&scene));
    let (run, ..) = last(&scene);
    refused(
        scene.data(&["confirm", &run]),
        &["is PLANNING", "dayfly runs stop"],
    );
    let told = scene.data(&["runs", "stop", &run]).succeeded();
    assert!(
        told.stdout.contains("is STOPPED: stopped by"),
        "{}",
        told.stdout
    );
    apply.wait().unwrap();
    assert_eq!(scene.page(SERVICE_10), None);
    assert!(
        Scene::runs_of(&scene.apply().succeeded()).is_empty(),
        "nobody asked for it"
    );

    fs::remove_file(scene.world.path("started")).unwrap();
    scene.edit(TEMPLATE, "before_plan", "before_apply");
    let text = scene.manager.read("main", TEMPLATE).unwrap();
    assert!(text.contains("before_apply"));
    scene.data(&["retry", &run]).succeeded();
    let mut apply = spawn(&scene);
    wait_until("the apply", || started(&scene));
    let (run, ..) = last(&scene);
    refused(
        scene.data(&["stop", &run]),
        &["is APPLYING", "nothing is possible before its end"],
    );
    fs::write(scene.world.path("gate"), "").unwrap();
    apply.wait().unwrap();
    assert!(scene.page(SERVICE_10).is_some());
}

#[test]
fn run_is_confirmed_and_another_canceled_while_an_apply_works() {
    let scene = reviewed();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let (run, ..) = last(&scene);
    // The other preview keeps the apply at work; a third run waits for its turn.
    gated(&scene, "before_plan");
    let other = PullRequest::new("acme/hello-service", 11, &"c".repeat(40), "other");
    scene.event("opened", &other);
    let mut apply = spawn(&scene);
    wait_until("the other's plan", || started(&scene));
    scene.data(&["confirm", &run]).succeeded();
    fs::write(scene.world.path("gate"), "").unwrap();
    assert!(apply.wait().unwrap().success());
    assert_eq!(
        scene.page(SERVICE_10),
        Some(format!("{} plain", "a".repeat(40)))
    );
}

#[test]
fn what_fails_once_is_tried_again_in_the_same_apply() {
    let scene = Scene::new();
    let seen = scene.world.path("seen");
    // It fails at its first apply, and at none after it.
    let script = format!("test -e {0} || {{ touch {0}; exit 1; }}", seen.display());
    scene.edit(
        TEMPLATE,
        "autodeploy = ",
        &format!("before_apply = [\"{script}\"]\n  autodeploy = "),
    );
    scene.event("opened", &PullRequest::service());
    let applied = scene.apply().succeeded();
    let all = runs(&scene);
    let word = |place: usize, name: &str| all[place][name].as_str().unwrap().to_owned();
    assert_eq!(
        (word(0, "state"), word(1, "state")),
        ("FINISHED".into(), "FAILED".into())
    );
    assert_eq!(
        word(0, "cause"),
        format!("retry 1 of 2, after run {}", word(1, "id"))
    );
    assert_eq!(applied.json()["runs"].as_array().unwrap().len(), 3);
    scene.data(&["status"]).succeeded();
}

#[test]
fn state_goes_back_while_another_stack_is_at_work() {
    let scene = Scene::new();
    let place = scene.world.path("").display().to_string();
    let place = place.trim_end_matches('/');
    let script = format!(
        "[ $TF_VAR_environment != {INFRA_7} ] || {{ touch {place}/started; \
         while [ ! -e {place}/gate ]; do sleep 0.05; done; }}"
    );
    scene.edit(
        TEMPLATE,
        "  autodeploy = true",
        &format!("  before_plan = [\"{script}\"]\n  autodeploy = true"),
    );
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    scene.apply().succeeded();
    scene.infra.branch("feature", "main");
    scene.event(
        "opened",
        &PullRequest::new(INFRA, 7, &"c".repeat(40), "feature"),
    );
    let mut applying = spawn(&scene);
    wait_until("the run", || started(&scene));
    let back = |stack: &str| scene.data(&["state", "rollback", stack, "--version", "1"]);
    back(STACK_10).succeeded();
    let at_work = back(&format!("hello-service-{INFRA_7}")).exited(1).stderr;
    assert!(at_work.contains("holds stack"), "{at_work}");
    std::fs::write(scene.world.path("gate"), "").unwrap();
    assert!(applying.wait().unwrap().success());
    let versions = scene
        .data(&["state", "list", STACK_10, "--output", "json"])
        .json();
    assert!(versions.to_string().contains("\"version\":3"), "{versions}");
}
