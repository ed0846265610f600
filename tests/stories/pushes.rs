//! What pushes to the repositories of stacks lead to, as GIT_PUSH policies have it.

use serde_json::Value;

use crate::support::sweep_scene::{SWEEPER, SweepScene};
use crate::support::{INFRA, PullRequest, SERVICE_10, Scene};

const STACK: &str = "hello-service-ca6d5eab";
const TEMPLATE: &str = "hello-service/template/main.tf";
const POLICY: &str = "hello-service/policies/push.rego";

/// A preview that stands, judged by the rules in the place of the generated push policy.
fn standing(rules: &str) -> Scene {
    let scene = Scene::new();
    assert!(scene.manager.read("main", POLICY).is_some());
    let text = format!("package spacelift\n\nimport rego.v1\n\n{rules}\n");
    scene.manager.commit("main", &[(POLICY, &text)]);
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    scene
}

/// The runs of the preview's stack, newest first.
fn runs(scene: &Scene) -> Vec<Value> {
    let runs = scene.data(&["runs", "--output", "json", "--stack", STACK]);
    runs.json().as_array().unwrap().clone()
}

fn ended(scene: &Scene) -> Vec<String> {
    let told = |run: &Value| {
        let text = |name: &str| run[name].as_str().unwrap_or_default().to_owned();
        let branch = text("branch");
        format!("{} {} {branch}", text("type"), text("state"))
            .trim_end()
            .to_owned()
    };
    runs(scene).iter().map(told).collect()
}

/// Pushes another layout to a branch that begins where main stands.
fn push(scene: &Scene, branch: &str, layout: &str) -> String {
    if scene.infra.tip(branch).is_none() {
        scene.infra.branch(branch, "main");
    }
    let text = scene.infra.read("main", "main.tf").unwrap();
    let text = text.replace("\"plain\"", &format!("{layout:?}"));
    scene.infra.commit(branch, &[("main.tf", &text)])
}

#[test]
fn push_to_another_branch_is_proposed_once_and_never_applied() {
    let scene = standing(
        "track if input.push.branch == input.stack.branch\n\n\
         propose if {\n\tinput.push.branch != input.stack.branch\n\t\
         \"main.tf\" in input.push.affected_files\n\t\
         not \"common/main.tf\" in input.push.affected_files\n}",
    );
    // What main has moved by meanwhile is no part of the push.
    scene.infra.branch("feature", "main");
    scene.infra.commit("main", &[("common/main.tf", "# newer")]);
    scene.apply().succeeded();
    let before = ended(&scene);
    let page = scene.page(SERVICE_10);

    let commit = push(&scene, "other", "wide");
    scene.infra.branch("same", "other");
    scene.apply().succeeded();
    let (newest, all) = (runs(&scene)[0].clone(), ended(&scene));
    assert_eq!(all[1..], before, "one commit is proposed once: {all:?}");
    assert_eq!(all[0], "PROPOSED FINISHED other");
    assert_eq!(newest["commit"], commit.as_str());
    assert_eq!(newest["added"], 1, "{newest}");
    assert_eq!(scene.page(SERVICE_10), page, "it plans, and no more");

    let id = newest["id"].as_str().unwrap();
    let told = scene
        .data(&["policy", "input", id, "--type", "git_push"])
        .json();
    assert_eq!(told["push"]["branch"], "other");
    assert_eq!(told["push"]["exist_on_tracked_branch"], false);
    assert_eq!(told["push"]["affected_files"][0], "main.tf");
    let shown = scene.data(&["runs", "show", id]).succeeded().stdout;
    assert!(shown.contains("branch  other"), "{shown}");

    scene.apply().succeeded();
    assert_eq!(ended(&scene), all, "nothing was pushed");
    push(&scene, "feature", "tall");
    scene.infra.delete_branch("other");
    scene.apply().succeeded();
    assert_eq!(ended(&scene)[0], "PROPOSED FINISHED feature");
}

#[test]
fn stack_follows_another_branch_where_its_policy_tracks_it() {
    let scene = standing("track if input.push.branch == \"release\"\n\npropose if false");
    let commit = push(&scene, "release", "wide");
    scene.apply().succeeded();
    assert_eq!(ended(&scene)[0], "TRACKED FINISHED release");
    assert_eq!(runs(&scene)[0]["commit"], commit.as_str());
    assert!(scene.page(SERVICE_10).unwrap().ends_with("wide"));
    // What its own branch has is not the head any more.
    scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    scene.apply().succeeded();
    assert_eq!(runs(&scene)[0]["commit"], commit.as_str());
}

#[test]
fn pull_request_of_a_branch_is_judged_where_its_push_led_to_nothing() {
    let scene = SweepScene::new();
    let rules = "package spacelift\n\nimport rego.v1\n\n\
        propose if {\n\tinput.pull_request.labels[_] == \"plan\"\n\t\
        input.pull_request.undiverged\n}\n\n\
        ignore if is_null(input.pull_request)\n";
    let world = scene.scene();
    world.manager.commit("main", &[(POLICY, rules)]);
    scene.event("opened", &PullRequest::service());
    let data = world.world.path("data").to_str().unwrap().to_owned();
    let apply = || {
        let words = ["apply", "--data-dir", &data];
        scene.github.dayfly(&[("DAYFLY_TOKEN", SWEEPER)], &words)
    };
    apply().succeeded();
    let before = ended(world);
    push(world, "feature", "wide");
    let pull_request = PullRequest {
        labels: vec!["plan".to_owned()],
        ..PullRequest::new(INFRA, 7, &world.infra.tip("feature").unwrap(), "feature")
    };
    let mut payload = pull_request.payload("opened", 5);
    payload["pull_request"]["base"]["sha"] = world.infra.tip("main").unwrap().into();
    scene.fake().put_pull(INFRA, &payload);
    push(world, "other", "tall");
    apply().succeeded();
    let (newest, all) = (runs(world)[0].clone(), ended(world));
    assert_eq!(all[1..], before, "a branch without one is ignored: {all:?}");
    assert_eq!(all[0], "PROPOSED FINISHED feature");
    let id = newest["id"].as_str().unwrap();
    let told = world
        .data(&["policy", "input", id, "--type", "git_push"])
        .json();
    let asked = &told["pull_request"];
    assert_eq!(asked["id"], 7);
    assert_eq!(asked["action"], "opened");
    assert_eq!(asked["base"]["branch"], "main");
    assert_eq!(asked["diff"][0], "main.tf");
    assert_eq!(told["push"]["pull_request_id"], 7);
}

#[test]
fn policy_that_fails_is_asked_of_the_same_push_again() {
    let scene = standing(
        "propose if input.push.branch != input.stack.branch\n\nsample := true\n\nsample := false if \
         input.push.branch",
    );
    push(&scene, "feature", "wide");
    let told = scene.apply();
    assert!(told.stdout.contains("gave no answer"), "{told:?}");
    assert_eq!(ended(&scene).len(), 1);
    let rules =
        "package spacelift\n\nimport rego.v1\n\npropose if input.push.branch == \"feature\"\n";
    scene.manager.commit("main", &[(POLICY, rules)]);
    scene.apply().succeeded();
    assert_eq!(ended(&scene)[0], "PROPOSED FINISHED feature");
}

#[test]
fn lock_of_a_policy_lets_its_own_pushes_through_and_no_others() {
    let scene = standing(
        "track if startswith(input.push.branch, \"lock-\")\n\n\
         lock := input.push.branch if startswith(input.push.branch, \"lock-\")\n\n\
         unlock := \"lock-a\" if input.push.branch == \"free\"\n\npropose if false",
    );
    push(&scene, "lock-a", "wide");
    scene.apply().succeeded();
    // A lock turns autodeploy off, as on Spacelift; its key is enough to confirm.
    let run = runs(&scene)[0].clone();
    assert_eq!(run["state"], "UNCONFIRMED");
    let note = run["note"].as_str().unwrap_or_default();
    assert!(note.contains("locked by lock-a"), "{run}");
    scene
        .data(&["runs", "confirm", run["id"].as_str().unwrap()])
        .succeeded();
    scene.apply().succeeded();
    assert_eq!(ended(&scene)[0], "TRACKED FINISHED lock-a");

    let before = ended(&scene);
    push(&scene, "lock-b", "tall");
    let told = scene.apply();
    assert!(told.stdout.contains("lock-a holds it"), "{told:?}");
    assert_eq!(ended(&scene), before, "another key's push is left out");
    scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    scene.apply();
    let run = runs(&scene)[0].clone();
    assert_eq!(run["state"], "QUEUED");
    assert!(
        run["note"].as_str().unwrap().contains("locked by lock-a"),
        "{run}"
    );

    scene.infra.branch("free", "main");
    scene.apply().succeeded();
    assert_eq!(ended(&scene)[0], "TRACKED FINISHED");
}

#[test]
fn run_waits_for_what_is_done_elsewhere() {
    let scene = standing(
        "track if input.push.branch == input.stack.branch\n\n\
         external_dependency contains sprintf(\"%s-image\", [input.push.hash])",
    );
    let commit = push(&scene, "main", "wide");
    scene.apply().succeeded();
    let name = format!("{commit}-image");
    let run = runs(&scene)[0].clone();
    assert_eq!(run["state"], "QUEUED");
    assert_eq!(
        run["note"],
        format!("waits for what is done elsewhere: {name}")
    );
    let unknown = scene.data(&["runs", "complete", "image"]).exited(2);
    assert!(
        unknown.stderr.contains("no run waits for \"image\""),
        "{unknown:?}"
    );
    let told = scene.data(&["runs", "complete", &name]).succeeded();
    assert!(told.stdout.contains("is finished, for 2 runs"), "{told:?}");
    scene.apply().succeeded();
    assert_eq!(ended(&scene)[0], "TRACKED FINISHED main");

    let commit = push(&scene, "main", "tall");
    scene.apply().succeeded();
    let name = format!("{commit}-image");
    scene
        .data(&["runs", "complete", &name, "--status", "failed"])
        .succeeded();
    scene.apply().exited(1);
    let run = runs(&scene)[0].clone();
    assert_eq!(run["state"], "FAILED");
    assert_eq!(run["note"], format!("failed elsewhere: {name}"));
    assert!(scene.page(SERVICE_10).unwrap().ends_with("wide"));
    let shown = scene.data(&["runs", "show", run["id"].as_str().unwrap()]);
    assert!(
        shown.stdout.contains(&format!("{name}: failed")),
        "{shown:?}"
    );
}

#[test]
fn generated_policy_cancels_what_waits_for_a_person_and_ignores_other_branches() {
    let scene = Scene::new();
    scene.edit(TEMPLATE, "autodeploy = true", "autodeploy = false");
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    assert_eq!(ended(&scene), ["TRACKED UNCONFIRMED"]);
    push(&scene, "feature", "wide");
    scene.apply().succeeded();
    assert_eq!(ended(&scene), ["TRACKED UNCONFIRMED"]);
    push(&scene, "main", "wide");
    scene.apply().succeeded();
    assert_eq!(
        ended(&scene),
        ["TRACKED UNCONFIRMED main", "TRACKED DISCARDED"]
    );
    let note = runs(&scene)[1]["note"].as_str().unwrap().to_owned();
    assert!(
        note.starts_with("cancelled by a push policy, for the push of "),
        "{note}"
    );
}

#[test]
fn what_policies_say_of_the_managers_own_commit_is_shown() {
    let scene = standing("track if input.push.branch == input.stack.branch");
    scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    scene.apply().succeeded();
    let commit = scene.manager.tip("main").unwrap();
    let shown = scene
        .data(&["runs", "show", &commit[..10]])
        .succeeded()
        .stdout;
    assert!(shown.contains(&format!("commit  {commit}")), "{shown}");
    assert!(shown.contains("GIT_PUSH at "), "{shown}");
    let unknown = scene.data(&["runs", "show", "deadbeef"]).exited(2);
    assert!(
        unknown.stderr.contains("there is no run deadbeef"),
        "{unknown:?}"
    );
}
