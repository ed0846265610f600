//! Repositories that are renamed, spelled in other letters, or mistaken for one another.

use serde_json::{Value, json};

use crate::admission::{assert_said, event, run, set};
use crate::support::{PullRequest, SERVICE_10, Scene};

/// A pull request of a repository under another name.
fn named(repository: &str, number: u64) -> PullRequest {
    PullRequest::new(repository, number, "abcdef12", "x")
}

/// The same event, of the repository with another number.
fn with_id(mut payload: Value, id: u64) -> Value {
    payload["repository"]["id"] = json!(id);
    payload["pull_request"]["head"]["repo"]["id"] = json!(id);
    payload["pull_request"]["base"]["repo"]["id"] = json!(id);
    payload
}

#[test]
fn former_name_is_the_same_environment() {
    let scene = Scene::new();
    let (old, new) = ("acme/hello-service", "Initech/greeter");
    let opened = event(&scene, &named(old, 10).payload("opened", 1));
    assert_eq!(opened["environment"], SERVICE_10);
    // One that a person made knows no number of its repository.
    let by_hand = ["env", "upsert", "acme/hello-service#11", "--head-sha"];
    let by_hand = [&by_hand[..], &["abcdef12", "--head-branch", "x"]].concat();
    scene.dayfly(&by_hand).succeeded();
    let files = scene.manager.files("main");

    set(
        &scene,
        "source \"acme/hello-service\" {",
        "source \"initech/greeter\" {\n  former_names = [\"acme/hello-service\"]\n",
    );
    scene.dayfly(&["validate"]).succeeded();
    for number in [10, 11] {
        let payload = named(new, number).at("abcdef13").payload("synchronize", 2);
        assert_said(&event(&scene, &payload), "updated", "");
    }
    assert_eq!(
        scene.manager.files("main"),
        files,
        "no second file, no other name"
    );
    let text = |path: &Value| scene.manager.read("main", path.as_str().unwrap()).unwrap();
    assert!(text(&opened["path"]).contains("pull_request            = \"Initech/greeter#10\""));

    // A job that waited through the renaming does not take the name back.
    let waited = named(old, 10).at("abcdef14").payload("synchronize", 3);
    assert_said(&event(&scene, &waited), "updated", "");
    let after = text(&opened["path"]);
    assert!(
        after.contains("abcdef14") && after.contains("Initech/greeter#10"),
        "{after}"
    );

    // Another repository takes the name: its pull requests are its own.
    for (action, number) in [("opened", 10), ("opened", 20), ("closed", 10)] {
        let stranger = with_id(named(old, number).payload(action, 4), 99);
        assert_said(&event(&scene, &stranger), "ignored", "another repository");
    }
    let stranger = with_id(named(old, 20).payload("opened", 4), 99);
    let words = ["event", "--service", "hello-service", "--output", "json"];
    let named_service = run(&scene, &words, &stranger).succeeded().json();
    assert_said(&named_service, "ignored", "another repository");
    assert_eq!(scene.manager.files("main"), files);

    // A new one has the id of the new name; the ends find what they end.
    let fresh = event(&scene, &named(new, 12).payload("opened", 5));
    let id = scene.world.dayfly(&["env", "id", "initech/greeter#12"]);
    assert_eq!(fresh["environment"], id.succeeded().stdout.trim());
    for (number, name) in [(10, new), (11, new), (12, old)] {
        let closed = event(&scene, &named(name, number).payload("closed", 6));
        assert_eq!(closed["action"], "deleted", "{closed}");
    }
}

#[test]
fn other_letters_are_the_same_repository() {
    let scene = Scene::new();
    let opened = event(
        &scene,
        &named("acme/hello-service", 10).payload("opened", 1),
    );
    assert_eq!(opened["environment"], SERVICE_10);
    let shouted = named("ACME/Hello-Service", 10);
    let pushed = event(&scene, &shouted.at("abcdef13").payload("synchronize", 2));
    assert_said(&pushed, "updated", "");
    assert_eq!(pushed["path"], opened["path"]);
    let closed = event(&scene, &shouted.payload("closed", 4));
    assert_said(&closed, "deleted", "closed");
    let late = named("acme/hello-service", 10).payload("synchronize", 3);
    assert_said(&event(&scene, &late), "ignored", "stale");
    let reopened = event(&scene, &shouted.payload("reopened", 5));
    assert_eq!(reopened["path"], opened["path"]);
}

/// A name that a person gave tells nothing, however much it looks like the writer's.
#[test]
fn file_renamed_to_what_looks_like_another_is_found() {
    let scene = Scene::new();
    let own = PullRequest::service();
    let opened = event(&scene, &own.payload("opened", 1));
    let path = opened["path"].as_str().unwrap();
    let text = scene.manager.read("main", path).unwrap();
    let renamed = "hello-service/environments/checkout-redesign-2-20261121.tf";
    scene.manager.remove("main", &[path]);
    scene.manager.commit("main", &[(renamed, &text)]);
    let next = own.at(&"c".repeat(40));
    let followed = event(&scene, &next.payload("synchronize", 2));
    assert_eq!(
        (&followed["action"], &followed["path"]),
        (&json!("updated"), &json!(renamed))
    );
    let closed = event(&scene, &next.payload("closed", 3));
    assert_eq!(closed["action"], "deleted", "{closed}");
    assert!(!scene.manager.files("main").contains(&renamed.to_owned()));
}
