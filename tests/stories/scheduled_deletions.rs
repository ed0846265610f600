//! `spacelift_scheduled_delete_stack` ends an environment on time, through the manager repository.

use crate::support::{Hold, PullRequest, SERVICE_10, Scene};

const TEMPLATE: &str = "hello-service/template/main.tf";

/// A scene whose environments end at a second since 1970.
fn ending(at: i64, more: &str) -> Scene {
    let scene = Scene::new();
    let template = scene.manager.read("main", TEMPLATE).unwrap();
    let deletion = format!(
        "resource \"spacelift_scheduled_delete_stack\" \"end\" {{\n  stack_id = spacelift_stack.this.id\n  \
         at = {at}\n{more}}}\n"
    );
    scene
        .manager
        .commit("main", &[(TEMPLATE, &(template + &deletion))]);
    scene.event("opened", &PullRequest::service());
    scene
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[test]
fn environment_ends_on_time_and_its_file_first() {
    let scene = ending(now() - 5, "");
    let file = Scene::file(&PullRequest::service(), SERVICE_10);
    scene.dayfly(&["validate"]).succeeded();
    // What is not recorded is not due.
    scene.apply().succeeded();
    assert!(scene.page(SERVICE_10).is_some());
    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied),
        ["hello-service-ca6d5eab DESTROY FINISHED"]
    );
    assert_eq!(scene.page(SERVICE_10), None);
    assert_eq!(scene.manager.read("main", &file), None);
    // The same commit does not bring it back, the next one does.
    let told = scene.event("labeled", &PullRequest::service());
    assert_eq!(told["action"], "ignored", "{told}");
    let told = scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    assert_eq!(told["action"], "created", "{told}");
}

#[test]
fn nothing_ends_before_its_time_or_against_its_word() {
    let later = ending(now() + 3600, "");
    let kept = ending(now() - 5, "  delete_resources = false\n");
    for scene in [&later, &kept] {
        scene.apply().succeeded();
        assert!(Scene::runs_of(&scene.apply().succeeded()).is_empty());
        assert!(scene.page(SERVICE_10).is_some());
    }
    let warned = kept.dayfly(&["validate"]).succeeded().stderr;
    assert!(warned.contains("with their resources"), "{warned}");
    assert!(
        warned.contains("hello-service/template/main.tf:"),
        "{warned}"
    );
    let silent = later.dayfly(&["validate"]).succeeded().stderr;
    assert!(!silent.contains("scheduled"), "{silent}");
}

#[test]
fn file_that_changes_while_it_is_deleted_stays() {
    let scene = ending(now() - 5, "");
    let file = Scene::file(&PullRequest::service(), SERVICE_10);
    scene.apply().succeeded();
    // The deletion is on its way when somebody prolongs the environment.
    let is_deletion = |path: &str, body: &[u8]| {
        let body = String::from_utf8_lossy(body);
        path.ends_with("/git-receive-pack") && body.contains(" refs/heads/main")
    };
    let held = scene.world.server.hold(Hold::Before, is_deletion);
    let data = scene.world.path("data");
    let mut apply = scene
        .world
        .command(env!("CARGO_BIN_EXE_dayfly"))
        .args(["apply", "--manager", &scene.manager.url, "--data-dir"])
        .arg(&data)
        .spawn()
        .unwrap();
    assert!(held.wait_or_end(&mut apply), "nothing was pushed");
    let text = scene.manager.read("main", &file).unwrap() + "# It is wanted for longer.\n";
    let template = scene.manager.read("main", TEMPLATE).unwrap();
    let (end, later) = (at(&template), now() + 3600);
    let template = template.replace(end, &format!("at = {later}"));
    scene
        .manager
        .commit("main", &[(&file, &text), (TEMPLATE, &template)]);
    held.release();
    assert!(apply.wait().unwrap().success());
    assert_eq!(scene.manager.read("main", &file), Some(text));
    // What is recorded is still due, and what stands in the repository is not.
    let applied = scene.apply().succeeded();
    assert!(Scene::runs_of(&applied).is_empty(), "{}", applied.stdout);
    assert!(scene.page(SERVICE_10).is_some());
}

/// Where a template with a scheduled deletion says when.
fn at(template: &str) -> &str {
    let begin = template.rfind("at = ").unwrap();
    template[begin..].lines().next().unwrap()
}

#[test]
fn many_at_once_wait_for_a_person() {
    let scene = ending(now() - 5, "");
    scene.edit("dayfly.hcl", "deletions      = 10", "deletions      = 0");
    scene.apply().succeeded();
    for _ in 0..2 {
        let applied = scene.apply().succeeded();
        let problems = applied.json()["problems"].to_string();
        assert!(
            problems.contains("are due at once: they wait"),
            "{problems}"
        );
        assert!(scene.page(SERVICE_10).is_some());
    }
    scene.apply_with(&["--allow-deletions", "1"]).succeeded();
    assert_eq!(scene.page(SERVICE_10), None);
}
