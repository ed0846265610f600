//! Stacks that are locked, proposed for, and orphaned.

use std::fs;

use super::*;

#[test]
fn locked_stack_does_not_run_and_says_so() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let lock = [
        "stack",
        "lock",
        STACK_10,
        "--note",
        "looking at the database",
    ];
    let by = |person: &str, arguments: &[&str]| {
        let data = scene.world.path("data");
        let mut all = arguments.to_vec();
        all.extend(["--data-dir", data.to_str().unwrap()]);
        scene.world.dayfly_with(&[("LOGNAME", person)], &all)
    };
    let told = by("ann", &lock).succeeded();
    let words = format!("stack {STACK_10} is locked by ann since ");
    assert!(told.stdout.starts_with(&words), "{}", told.stdout);
    by("ann", &lock[..3]).succeeded();
    refused(
        by("bob", &lock),
        &["is locked by ann", "dayfly stack unlock"],
    );
    scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    assert!(Scene::runs_of(&scene.apply().succeeded()).is_empty());
    let (run, state, note) = last(&scene);
    assert_eq!(state, "QUEUED");
    assert!(
        note.starts_with("waits: its stack is locked by ann"),
        "{note}"
    );
    let status = scene.data(&["status"]).succeeded().stdout;
    assert!(status.contains("looking at the database"), "{status}");
    let status = scene.data(&["status", "--output", "json"]).json();
    assert_eq!(status["stacks"][0]["lock"]["holder"], "ann", "{status}");
    let told = by("bob", &["unlock", STACK_10]).succeeded();
    assert!(
        told.stdout.contains("it was locked by ann"),
        "{}",
        told.stdout
    );
    refused(by("bob", &["unlock", STACK_10]), &["is not locked"]);
    by("bob", &["lock", "nothing"]).exited(2);
    scene.apply().succeeded();
    assert!(states(&scene, &run).ends_with("FINISHED"));
}

#[test]
fn stack_that_is_locked_while_it_plans_waits_for_a_person() {
    let scene = Scene::new();
    gated(&scene, "before_plan");
    scene.event("opened", &PullRequest::service());
    let mut apply = spawn(&scene);
    wait_until("the plan", || started(&scene));
    scene.data(&["lock", STACK_10]).succeeded();
    fs::write(scene.world.path("gate"), "").unwrap();
    apply.wait().unwrap();
    let (run, state, note) = last(&scene);
    assert_eq!(state, "UNCONFIRMED", "{note}");
    assert!(note.contains("locked by"), "{note}");
    refused(
        scene.data(&["confirm", &run]),
        &["is locked by", "stack unlock"],
    );
    scene.data(&["unlock", STACK_10]).succeeded();
    scene.data(&["confirm", &run]).succeeded();
    scene.apply().succeeded();
    assert!(scene.page(SERVICE_10).is_some());
}

/// A preview whose stack has left without a destructor.
fn orphaned() -> Scene {
    let scene = Scene::new();
    let text = scene.manager.read("main", TEMPLATE).unwrap();
    let destructor = text
        .find("resource \"spacelift_stack_destructor\"")
        .unwrap();
    let end = text[destructor..].find("\n}\n").unwrap() + destructor + 3;
    let without = format!("{}{}", &text[..destructor], &text[end..]);
    scene.manager.commit("main", &[(TEMPLATE, &without)]);
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    scene.event("closed", &PullRequest::service());
    let planned = scene.plan().succeeded().stderr;
    let warning = format!("warning: stack {STACK_10} would leave without a destructor");
    assert!(planned.contains(&warning), "{planned}");
    let applied = scene.apply().succeeded();
    assert!(Scene::runs_of(&applied).is_empty());
    let told = applied.json()["problems"].to_string();
    let warning = format!("stack {STACK_10} left without a destructor");
    assert!(told.contains(&warning), "{told}");
    assert!(scene.page(SERVICE_10).is_some());
    scene
}

#[test]
fn orphan_stays_listed_until_somebody_has_it_destroyed() {
    let scene = orphaned();
    scene.apply().succeeded();
    let status = scene.data(&["status"]).succeeded().stdout;
    assert!(status.contains("(orphaned)"), "{status}");
    let age = status
        .split("is orphaned for ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    assert!(age.unwrap().parse::<u64>().is_ok(), "{status}");
    let told = scene.data(&["status", "--output", "json"]).json();
    let stacks = told["stacks"].as_array().unwrap();
    let since = stacks
        .iter()
        .find_map(|stack| stack["orphaned_since"].as_str());
    assert!(since.unwrap().parse::<jiff::Timestamp>().is_ok(), "{told}");
    assert!(
        status.contains(&format!("dayfly stack forget {STACK_10} --yes")),
        "{status}"
    );
    refused(
        scene.data(&["stack", "propose", STACK_10]),
        &["is orphaned"],
    );
    let destroy = ["stack", "destroy", STACK_10, "--output", "json"];
    let queued = scene.data(&destroy).succeeded().json()["run"]["id"].clone();
    refused(
        scene.data(&["stack", "destroy", STACK_10]),
        &["is being destroyed"],
    );
    refused(
        scene.data(&["stack", "forget", STACK_10, "--yes"]),
        &["is being destroyed"],
    );
    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied),
        [format!("{STACK_10} DESTROY FINISHED")]
    );
    assert_eq!(applied.json()["runs"][0]["id"], queued);
    assert_eq!(scene.page(SERVICE_10), None);
    assert_eq!(scene.stacks(), ["hello-service-common"]);
}

#[test]
fn orphan_is_forgotten_by_a_person_who_says_so() {
    let scene = orphaned();
    let common = ["stack", "forget", "hello-service-common", "--yes"];
    // Who is refused is not asked to say so first.
    for words in [&common[..], &common[..3]] {
        refused(scene.data(words), &["stands in the manager repository"]);
    }
    let unsaid = scene.data(&["stack", "forget", STACK_10]).exited(2);
    assert!(unsaid.stderr.contains("--yes"), "{}", unsaid.stderr);
    let told = scene.data(&["stack", "forget", STACK_10, "--yes", "--output", "json"]);
    let kept = told.succeeded().json()["state"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(std::path::Path::new(&kept).exists(), "{kept}");
    assert_eq!(scene.stacks(), ["hello-service-common"]);
    let applied = scene.apply().succeeded().json();
    assert_eq!(
        applied["problems"].as_array().unwrap().len(),
        0,
        "{applied}"
    );
    assert!(scene.page(SERVICE_10).is_some(), "what it made stays");
}

#[test]
fn proposed_run_plans_beside_one_that_waits_and_applies_nothing() {
    let scene = reviewed();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let (waits, ..) = last(&scene);
    let told = scene.data(&["stack", "propose", STACK_10, "--output", "json"]);
    let run = told.succeeded().json()["run"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        Scene::runs_of(&scene.apply().succeeded()),
        [format!("{STACK_10} PROPOSED FINISHED")]
    );
    assert_eq!(
        states(&scene, &run),
        "QUEUED READY PREPARING INITIALIZING PLANNING FINISHED"
    );
    assert_eq!(scene.page(SERVICE_10), None);
    let status = scene.data(&["status", "--output", "json"]).json();
    assert_eq!(status["stacks"][0]["state"], "UNCONFIRMED", "{status}");
    scene.data(&["confirm", &waits]).succeeded();
    scene.apply().succeeded();
    assert!(scene.page(SERVICE_10).is_some());
}

#[test]
fn proposed_run_fetches_the_commit_that_a_person_names() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    scene.infra.branch("idea", "main");
    let commit = scene
        .infra
        .commit("idea", &[("more.tf", "output \"more\" { value = 1 }\n")]);
    let propose = |commit: &str| {
        let told = scene.data(&[
            "stack", "propose", STACK_10, "--commit", commit, "--output", "json",
        ]);
        told.succeeded().json()["run"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let run = propose(&commit);
    scene.apply().succeeded();
    assert!(states(&scene, &run).ends_with("PLANNING FINISHED"));
    let told = scene.data(&["logs", &run]).succeeded().stdout;
    assert!(told.contains("more"), "{told}");

    let run = propose(&"c".repeat(40));
    scene.apply().exited(1);
    let told = scene.data(&["runs", "show", &run]).succeeded().stdout;
    assert!(
        told.contains("FAILED") && told.contains("cccccccc"),
        "{told}"
    );
}
