//! Events that arrive in another order than they happened in, or happen in one second.

use std::fs;

use serde_json::{Value, json};

use crate::support::{PullRequest, SERVICE, SERVICE_10, Scene};

const RULES: &str = "hello-service/service.hcl";

/// A scene whose service has this rule.
fn scene_with(from: &str, to: &str) -> Scene {
    let scene = Scene::new();
    let rules = scene.manager.read("main", RULES).unwrap();
    assert!(rules.contains(from), "{from} in {rules}");
    let rules = rules.replacen(from, to, 1);
    scene.manager.commit("main", &[(RULES, &rules)]);
    scene
}

fn send(scene: &Scene, payload: &Value) -> Value {
    let path = scene.world.path("event.json");
    fs::write(&path, payload.to_string()).unwrap();
    let words = ["event", "--event-name", "pull_request_target"];
    let more = ["--event-path", path.to_str().unwrap(), "--output", "json"];
    let output = scene.dayfly(&[&words[..], &more[..]].concat());
    output.succeeded().json()
}

/// What happened at a minute, with what the pull request was like then.
fn event(action: &str, minute: u32, change: impl FnOnce(&mut Value)) -> Value {
    let mut payload = PullRequest::service().payload(action, minute);
    change(&mut payload);
    payload
}

fn labels<'a>(label: Option<&'a str>, all: &'a [&str]) -> impl FnOnce(&mut Value) + 'a {
    move |payload| {
        if let Some(label) = label {
            payload["label"] = json!({ "name": label });
        }
        payload["pull_request"]["labels"] =
            all.iter().map(|name| json!({ "name": name })).collect();
    }
}

fn draft(is_draft: bool) -> impl FnOnce(&mut Value) {
    move |payload| payload["pull_request"]["draft"] = json!(is_draft)
}

fn body<'a>(from: &'a str, to: &'a str) -> impl FnOnce(&mut Value) + 'a {
    move |payload| {
        payload["changes"] = json!({ "body": { "from": from } });
        payload["pull_request"]["body"] = json!(to);
    }
}

fn base<'a>(from: &'a str, to: &'a str) -> impl FnOnce(&mut Value) + 'a {
    move |payload| {
        payload["changes"] = json!({ "base": { "ref": { "from": from } } });
        payload["pull_request"]["base"]["ref"] = json!(to);
    }
}

fn on_fork(payload: &mut Value) {
    payload["pull_request"]["head"]["repo"] = json!({ "id": 78, "full_name": "eve/fork" });
}

/// Sends events in the order of their arrival: the first makes the environment, the others are
/// answered as is said, and it stands at the end.
#[track_caller]
fn assert_stands(scene: &Scene, rule: &str, events: &[(Value, &str)]) {
    for (payload, expected) in events {
        let outcome = send(scene, payload);
        let said = match outcome["action"].as_str().unwrap() {
            "ignored" => outcome["reason"].as_str().unwrap(),
            action => action,
        };
        assert!(said.starts_with(expected), "{rule}: {outcome}");
    }
    let file = Scene::file(&PullRequest::service(), SERVICE_10);
    assert!(scene.manager.read("main", &file).is_some(), "{rule}");
}

#[test]
fn turn_away_that_was_taken_back_arrives_last() {
    let labels_rule = ("labels          = [] ", "labels          = [\"go\"] ");
    let drafts = ("drafts          = true", "drafts          = false");
    let bases = ("# base_branches = []", "base_branches = [\"main\"]");
    let forks = ("forks           = \"deny\"", "forks           = \"label\"");
    let fork_label = |action, minute, label, all| {
        event(action, minute, |payload| {
            labels(label, all)(payload);
            on_fork(payload);
        })
    };
    let (ignore, plain) = ("dayfly: ignore", "text");
    let rows = [
        (
            Some(labels_rule),
            [
                event("opened", 1, labels(None, &["go"])),
                event("labeled", 5, labels(Some("go"), &["go"])),
                event("unlabeled", 3, labels(Some("go"), &[])),
            ],
        ),
        (
            None,
            [
                event("opened", 1, labels(None, &[])),
                event("unlabeled", 5, labels(Some("no-preview"), &[])),
                event("labeled", 3, labels(Some("no-preview"), &["no-preview"])),
            ],
        ),
        (
            Some(drafts),
            [
                event("opened", 1, draft(false)),
                event("ready_for_review", 5, draft(false)),
                event("converted_to_draft", 3, draft(true)),
            ],
        ),
        (
            None,
            [
                event("opened", 1, |_| {}),
                event("edited", 5, body(ignore, plain)),
                event("edited", 3, body(plain, ignore)),
            ],
        ),
        (
            Some(bases),
            [
                event("opened", 1, |_| {}),
                event("edited", 5, base("develop", "main")),
                event("edited", 3, base("main", "develop")),
            ],
        ),
        (
            Some(forks),
            [
                fork_label("labeled", 2, Some("preview"), &["preview"]),
                fork_label("labeled", 6, Some("preview"), &["preview"]),
                fork_label("unlabeled", 4, Some("preview"), &[]),
            ],
        ),
    ];
    for (rule, [first, back, away]) in rows {
        let (scene, name) = match rule {
            Some((from, to)) => (scene_with(from, to), to),
            None => (Scene::new(), "default"),
        };
        let events = [
            (first, "created"),
            (back.clone(), "updated"),
            (back, "unchanged"),
            (away, "stale: "),
        ];
        assert_stands(&scene, name, &events);
    }
}

#[test]
fn what_one_second_lacked_ends_nothing() {
    let two = "labels          = [\"x\", \"y\"] ";
    let scene = scene_with("labels          = [] ", two);
    let events = [
        (
            event("labeled", 5, labels(Some("y"), &["x", "y"])),
            "created",
        ),
        (event("labeled", 5, labels(Some("x"), &["x"])), "stale: "),
    ];
    assert_stands(&scene, two, &events);
    let gone = event("unlabeled", 5, labels(Some("x"), &["y"]));
    assert_eq!(send(&scene, &gone)["action"], "deleted");

    let scene = scene_with("drafts          = true", "drafts          = false");
    let events = [
        (event("ready_for_review", 5, draft(false)), "created"),
        (event("synchronize", 5, draft(true)), "stale: "),
    ];
    assert_stands(&scene, "drafts", &events);
    let drafted = event("converted_to_draft", 5, draft(true));
    assert_eq!(send(&scene, &drafted)["action"], "deleted");
}

#[test]
fn commit_that_was_taken_back_arrives_last() {
    let scene = Scene::new();
    let (one, other) = ("a".repeat(40), "b".repeat(40));
    let is_first = |number: u64| {
        let files = scene.manager.files("main");
        let file = files
            .iter()
            .find(|file| file.contains(&format!("-{number}-")));
        scene
            .manager
            .read("main", file.unwrap())
            .unwrap()
            .contains(&one)
    };
    let pull_request = PullRequest::service();
    let push = |minute, action, sha: &str| {
        let output = scene.event_at(minute, action, &pull_request.at(sha));
        output.succeeded().json()["action"].clone()
    };
    assert_eq!(push(1, "opened", &one), "created");
    assert_eq!(push(5, "synchronize", &one), "updated");
    assert_eq!(push(5, "synchronize", &one), "unchanged");
    assert_eq!(push(3, "synchronize", &other), "ignored");
    assert!(is_first(10));

    let upsert = |second: u32, sha: &str| {
        let (id, at) = (
            format!("{SERVICE}#11"),
            format!("2026-11-21T00:00:0{second}Z"),
        );
        let words = [
            "env",
            "upsert",
            &id,
            "--head-sha",
            sha,
            "--head-branch",
            "feature",
        ];
        let words = [&words[..], &["--at", &at, "--output", "json"]].concat();
        scene.dayfly(&words).succeeded().json()["action"].clone()
    };
    assert_eq!(upsert(1, &one), "created");
    assert_eq!(upsert(5, &one), "updated");
    assert_eq!(upsert(3, &other), "ignored");
    assert!(is_first(11));
}

#[test]
fn push_that_the_file_does_not_name_makes_no_commit() {
    let scene = Scene::new();
    let infra = PullRequest::new(crate::support::INFRA, 7, &"a".repeat(40), "layout");
    scene.event_at(1, "opened", &infra).succeeded();
    let tip = scene.manager.tip("main");
    for (minute, sha) in [(2, "b".repeat(40)), (3, "a".repeat(40))] {
        let pushed = scene
            .event_at(minute, "synchronize", &infra.at(&sha))
            .succeeded();
        assert_eq!(pushed.json()["action"], "unchanged");
    }
    assert_eq!(scene.manager.tip("main"), tip);
}
