//! The life of a preview, from the pull request's opening to its end.

use std::fs;

use crate::support::{INFRA, INFRA_7, PullRequest, SERVICE_10, Scene};

const STACK_10: &str = "hello-service-ca6d5eab";
const STACK_7: &str = "hello-service-3eac152a";

fn infra_pull_request(scene: &Scene) -> PullRequest {
    scene.infra.branch("wide", "main");
    let module = scene
        .infra
        .read("wide", "main.tf")
        .unwrap()
        .replace("\"plain\"", "\"wide\"");
    let sha = scene.infra.commit("wide", &[("main.tf", &module)]);
    PullRequest::new(INFRA, 7, &sha, "wide")
}

#[test]
fn pull_request_opens() {
    let scene = Scene::new();
    let outcome = scene.event("opened", &PullRequest::service());
    assert_eq!(outcome["action"], "created");
    assert_eq!(outcome["environment"], SERVICE_10);
    assert_eq!(
        outcome["url"],
        "https://ca6d5eab.hello-service.preview.example.com"
    );
    assert_eq!(
        outcome["commit"].as_str(),
        scene.manager.tip("main").as_deref()
    );

    let plan = scene.plan().succeeded().stdout;
    let address = "module.acme-hello-service-10-ca6d5eab.spacelift_stack.this";
    let created = format!("{address} will be created");
    assert!(plan.contains(&created), "{plan}");
    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied),
        [
            "hello-service-ca6d5eab TRACKED FINISHED",
            "hello-service-common TRACKED FINISHED",
        ]
    );
    assert_eq!(
        scene.page(SERVICE_10),
        Some(format!("{} plain", "a".repeat(40)))
    );
    let status = scene
        .data(&["status", "--output", "json"])
        .succeeded()
        .json();
    assert_eq!(
        status["stacks"][0]["outputs"]["text"],
        format!("{} plain", "a".repeat(40))
    );

    let again = scene.apply().succeeded();
    assert!(Scene::runs_of(&again).is_empty(), "{}", again.stdout);
    assert!(scene.plan().succeeded().stdout.contains("No changes."));
}

#[test]
fn pull_request_gets_a_commit() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    scene.event(
        "opened",
        &PullRequest {
            number: 11,
            ..PullRequest::service()
        },
    );
    scene.apply().succeeded();

    let outcome = scene.event("synchronize", &pull_request.at(&"b".repeat(40)));
    assert_eq!(outcome["action"], "updated");
    let plan = scene.plan().succeeded().stdout;
    let address = "module.hello-service.module.environments.module.acme-hello-service-10-ca6d5eab\
                   .spacelift_environment_variable.input[\"code_version\"]";
    for part in [
        &format!("# {address} must be replaced"),
        "# forces replacement",
        "Plan: 1 to add, 0 to change, 1 to destroy.",
    ] {
        assert!(plan.contains(part), "{plan}");
    }

    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied),
        ["hello-service-ca6d5eab TRACKED FINISHED"]
    );
    assert_eq!(
        scene.page(SERVICE_10),
        Some(format!("{} plain", "b".repeat(40)))
    );
}

#[test]
fn infra_branch_moves() {
    let scene = Scene::new();
    let pull_request = infra_pull_request(&scene);
    scene.event("opened", &PullRequest::service());
    scene.event("opened", &pull_request);
    scene.apply().succeeded();
    assert_eq!(scene.page(INFRA_7).as_deref(), Some("latest wide"));

    let module = scene
        .infra
        .read("wide", "main.tf")
        .unwrap()
        .replace("\"wide\"", "\"narrow\"");
    let sha = scene.infra.commit("wide", &[("main.tf", &module)]);
    let before = scene.manager.tip("main");
    assert_eq!(
        scene.event("synchronize", &pull_request.at(&sha))["action"],
        "unchanged"
    );
    assert_eq!(
        scene.manager.tip("main"),
        before,
        "its file names a branch and stays"
    );

    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied),
        [format!("{STACK_7} TRACKED FINISHED")]
    );
    assert_eq!(scene.page(INFRA_7).as_deref(), Some("latest narrow"));
}

#[test]
fn pull_request_closes() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    scene.apply().succeeded();

    let outcome = scene.event("closed", &pull_request);
    assert_eq!(outcome["action"], "deleted");
    assert_eq!(
        scene
            .manager
            .read("main", &Scene::file(&pull_request, SERVICE_10)),
        None
    );
    assert!(
        scene
            .plan()
            .succeeded()
            .stdout
            .contains("hello-service-10-ca6d5eab.spacelift_stack.this will be destroyed")
    );
    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied),
        [format!("{STACK_10} DESTROY FINISHED")]
    );

    assert_eq!(scene.page(SERVICE_10), None);
    assert_eq!(scene.stacks(), ["hello-service-common"]);
    let states: Vec<_> = fs::read_dir(scene.states())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(states, ["hello-service-common"], "no state is left");
    assert_eq!(scene.event("closed", &pull_request)["action"], "absent");
}

#[test]
fn branch_is_gone_at_destroy() {
    let scene = Scene::new();
    let pull_request = infra_pull_request(&scene);
    scene.event("opened", &pull_request);
    scene.apply().succeeded();

    scene.infra.delete_branch("wide");
    let still = scene.apply().succeeded();
    assert!(
        Scene::runs_of(&still).is_empty(),
        "a vanished branch is neither a push nor an end"
    );
    assert!(scene.page(INFRA_7).is_some());

    scene
        .infra
        .git(&["reflog", "expire", "--expire=now", "--all"]);
    scene.infra.git(&["gc", "--quiet", "--prune=now"]);
    scene.event("closed", &pull_request);
    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied),
        [format!("{STACK_7} DESTROY FINISHED")]
    );
    assert_eq!(scene.page(INFRA_7), None);
}

#[test]
fn push_to_another_branch_runs_nothing() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    scene.infra.branch("other", "main");
    scene.infra.commit("other", &[("main.tf", "# other")]);
    assert!(Scene::runs_of(&scene.apply().succeeded()).is_empty());

    // The counterpart: a push to the stacks' own branch does run them.
    scene.infra.commit("main", &[("note.txt", "new")]);
    assert_eq!(
        Scene::runs_of(&scene.apply().succeeded()),
        [format!("{STACK_10} TRACKED FINISHED")]
    );
}

#[test]
fn same_event_twice() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    assert_eq!(scene.event("opened", &pull_request)["action"], "created");
    let tip = scene.manager.tip("main");
    let again = scene.event("opened", &pull_request);
    assert_eq!(again["action"], "unchanged");
    assert_eq!(again["commit"], serde_json::Value::Null);
    assert_eq!(scene.manager.tip("main"), tip, "a second commit was made");
}

#[test]
fn late_event_of_an_older_commit_is_stale() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene
        .event_at(30, "opened", &pull_request.at(&"b".repeat(40)))
        .succeeded();
    let late = scene
        .event_at(20, "synchronize", &pull_request)
        .succeeded()
        .json();
    assert_eq!(late["action"], "ignored");
    assert!(
        late["reason"].as_str().unwrap().starts_with("stale"),
        "{late}"
    );
    let late = scene
        .event_at(20, "closed", &pull_request)
        .succeeded()
        .json();
    assert_eq!(late["action"], "ignored", "it was opened again since");
}

#[test]
fn preview_that_is_wanted_again_is_made_anew() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    scene.apply().succeeded();
    scene.event("closed", &pull_request);
    // Its destroy cannot finish: the page is gone, so the module's own command fails.
    fs::remove_file(scene.world.path("pages").join("ca6d5eab.html")).unwrap();
    let applied = scene.apply().exited(1);
    // What may pass is tried three times.
    assert_eq!(
        Scene::runs_of(&applied),
        vec![format!("{STACK_10} DESTROY FAILED"); 3]
    );
    assert_eq!(
        scene.stacks(),
        [STACK_10, "hello-service-common"],
        "a failed destroy stays visible"
    );
    scene.data(&["status"]).exited(1);

    scene.event("reopened", &pull_request.at(&"c".repeat(40)));
    fs::write(scene.world.path("pages").join("ca6d5eab.html"), "back").unwrap();
    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied),
        [
            format!("{STACK_10} DESTROY FINISHED"),
            format!("{STACK_10} TRACKED FINISHED")
        ]
    );
    assert_eq!(
        scene.page(SERVICE_10),
        Some(format!("{} plain", "c".repeat(40)))
    );
    scene.data(&["status"]).succeeded();
}

#[test]
fn failed_run_fails_alone() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    scene.event(
        "opened",
        &PullRequest {
            number: 11,
            ..PullRequest::service()
        },
    );
    scene.infra.branch("broken", "main");
    let sha = scene
        .infra
        .commit("broken", &[("main.tf", "resource \"terraform_data\" {}")]);
    scene.event("opened", &PullRequest::new(INFRA, 7, &sha, "broken"));

    let applied = scene.apply().exited(1);
    let runs = Scene::runs_of(&applied);
    assert_eq!(
        runs.iter().filter(|run| run.ends_with("FINISHED")).count(),
        3,
        "{runs:?}"
    );
    assert!(
        runs.contains(&format!("{STACK_7} TRACKED FAILED")),
        "{runs:?}"
    );
    let log = scene
        .data(&["runs", "--output", "json", "--stack", STACK_7])
        .succeeded()
        .json();
    let note = log[0]["note"].as_str().unwrap();
    assert!(note.contains("main.tf"), "the note names the place: {note}");

    let module = scene.infra.read("main", "main.tf").unwrap();
    scene.infra.commit("broken", &[("main.tf", &module)]);
    assert_eq!(
        Scene::runs_of(&scene.apply().succeeded()),
        [format!("{STACK_7} TRACKED FINISHED")]
    );
}

#[test]
fn stack_that_never_began_an_apply_leaves_without_a_run() {
    let scene = Scene::new();
    scene.infra.branch("broken", "main");
    let sha = scene.infra.commit("broken", &[("main.tf", "nonsense")]);
    let pull_request = PullRequest::new(INFRA, 7, &sha, "broken");
    scene.event("opened", &pull_request);
    scene.apply().exited(1);
    scene.event("closed", &pull_request);
    let applied = scene.apply().succeeded();
    assert!(Scene::runs_of(&applied).is_empty(), "{}", applied.stdout);
    assert_eq!(scene.stacks(), ["hello-service-common"]);
}
