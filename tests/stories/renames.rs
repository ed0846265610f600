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

/// A repository was renamed on GitHub, and nobody has told `service.hcl` yet.
#[test]
fn standing_environment_follows_a_rename_by_its_number() {
    let scene = Scene::new();
    let (old, new) = ("acme/hello-service", "initech/greeter");
    let opened = event(&scene, &named(old, 10).payload("opened", 1));
    event(&scene, &named(old, 11).payload("opened", 1));
    let path = opened["path"].as_str().unwrap();

    let pushed = event(
        &scene,
        &named(new, 10).at("abcdef13").payload("synchronize", 2),
    );
    assert_said(&pushed, "updated", "");
    assert_eq!(
        (&pushed["path"], &pushed["environment"]),
        (&opened["path"], &opened["environment"])
    );
    let text = scene.manager.read("main", path).unwrap();
    assert!(text.contains("abcdef13"), "{text}");
    assert!(text.contains("\"acme/hello-service#10\""), "{text}");
    scene.dayfly(&["validate"]).succeeded();
    let again = event(
        &scene,
        &named(new, 10).at("abcdef13").payload("synchronize", 2),
    );
    assert_said(&again, "unchanged", "");
    let upsert = [
        "env",
        "upsert",
        "initech/greeter#10",
        "--head-sha",
        "abcdef14",
    ];
    let more = [
        "--head-branch",
        "x",
        "--repository-id",
        "77",
        "--output",
        "json",
    ];
    let by_hand = scene.dayfly(&[&upsert[..], &more].concat());
    assert_said(&by_hand.succeeded().json(), "updated", "");

    // A number that is nobody's, or none, leads nowhere; nor does a pull request that has none.
    let stranger = with_id(named(new, 10).payload("closed", 3), 99);
    assert_said(&event(&scene, &stranger), "ignored", "no service takes");
    let fresh = event(&scene, &named(new, 12).payload("opened", 3));
    assert_said(&fresh, "ignored", "former_names = [\"acme/hello-service\"]");
    assert_said(&fresh, "ignored", "hello-service/service.hcl");
    let upsert = [
        "env",
        "upsert",
        "initech/greeter#12",
        "--head-sha",
        "abcdef14",
    ];
    let told = scene.dayfly(&[&upsert[..], &more].concat()).exited(2);
    insta::assert_snapshot!(told.stderr);

    // Ends reach it, and are remembered for both names.
    let closed = event(&scene, &named(new, 10).payload("closed", 4));
    assert_said(&closed, "deleted", "closed");
    let late = named(old, 10).payload("synchronize", 3);
    assert_said(&event(&scene, &late), "ignored", "stale");
    let delete = ["env", "delete", "initech/greeter#11", "--output", "json"];
    let absent = scene.dayfly(&delete).exited(2);
    assert!(
        absent.stderr.contains("no service takes"),
        "{}",
        absent.stderr
    );
    let delete = [&delete[..], &["--repository-id", "77"]].concat();
    let deleted = scene.dayfly(&delete).succeeded().json();
    assert_said(&deleted, "deleted", "removed by hand");
    assert_eq!(
        scene
            .manager
            .files("main")
            .iter()
            .filter(|file| file.contains("-1"))
            .count(),
        0
    );
}

/// Who has the old name now is nobody's successor: it opens its own environments, and ends none.
#[test]
fn namesake_of_a_renamed_repository_ends_nothing() {
    let scene = Scene::new();
    let opened = event(
        &scene,
        &named("acme/hello-service", 10).payload("opened", 1),
    );
    let namesake = with_id(named("acme/hello-service", 10).payload("closed", 2), 99);
    assert_said(&event(&scene, &namesake), "absent", "");
    let words = [
        "env",
        "delete",
        "acme/hello-service#10",
        "--repository-id",
        "99",
    ];
    scene.dayfly(&words).succeeded();
    let path = opened["path"].as_str().unwrap().to_owned();
    assert!(scene.manager.files("main").contains(&path));
}

#[test]
fn ids_of_the_demo_depend_on_no_letters() {
    let scene = Scene::new();
    let rules = "hello-service/service.hcl";
    let text = scene.manager.read("main", rules).unwrap();
    let text = format!("scheme = \"spacelift-demo\"\n{text}").replace(
        "source \"acme/hello-service\"",
        "source \"Acme/Hello-Service\"",
    );
    scene.manager.commit("main", &[(rules, &text)]);
    // As the demo made it: no pull request stands in it, and its name has the letters.
    let id = scene.world.dayfly(&[
        "env",
        "id",
        "Acme/Hello-Service#10",
        "--scheme",
        "spacelift-demo",
    ]);
    let id = id.succeeded().stdout.trim().to_owned();
    let path = format!("hello-service/environments/Acme-Hello-Service-10-{id}.tf");
    let file = format!(
        "module \"Acme-Hello-Service-10-{id}\" {{\n  source = \"../template\"\n\n  environment = \"{id}\"\n}}\n"
    );
    scene.manager.commit("main", &[(&path, &file)]);
    for (minute, name) in [(1, "acme/hello-service"), (2, "ACME/Hello-service")] {
        let payload = named(name, 10).at(&format!("abcdef1{minute}"));
        let pushed = event(&scene, &payload.payload("synchronize", minute));
        assert_said(&pushed, "updated", "");
        assert_eq!(
            (&pushed["path"], &pushed["environment"]),
            (&json!(path), &json!(id))
        );
    }
    // Gone and back, under other letters: the same id, that of the name in `service.hcl`.
    let closed = event(
        &scene,
        &named("acme/hello-service", 10).payload("closed", 3),
    );
    assert_said(&closed, "deleted", "closed");
    let back = event(
        &scene,
        &named("acme/Hello-Service", 10).payload("reopened", 4),
    );
    assert_eq!(back["environment"], json!(id), "{back}");
}
