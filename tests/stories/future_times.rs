//! Times that lie in the future: what they would make stale until then stays as it is.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::admission::{assert_said, event};
use crate::support::{PullRequest, SERVICE, SERVICE_10, Scene};

fn in_minutes(minutes: i64) -> String {
    (Timestamp::now() + SignedDuration::from_mins(minutes)).to_string()
}

const UPSERT: [&str; 7] = [
    "env",
    "upsert",
    "acme/hello-service#10",
    "--head-sha",
    "abcdef12",
    "--head-branch",
    "x",
];

#[test]
fn person_cannot_speak_for_the_future() {
    let scene = Scene::new();
    let opened = event(&scene, &PullRequest::service().payload("opened", 1));
    let references = || scene.manager.git(&["for-each-ref"]);
    let before = references();
    let delete = ["env", "delete", "acme/hello-service#10"];
    for words in [&UPSERT[..], &delete] {
        let at = in_minutes(60);
        let told = scene.dayfly(&[words, &["--at", &at]].concat()).exited(2);
        let said = &told.stderr;
        assert!(said.contains("lies in the future"), "{said}");
        assert!(said.contains("hint: "), "{said}");
    }
    assert_eq!(references(), before, "nothing was remembered of it");

    // Clocks differ a little.
    let at = in_minutes(1);
    let told = scene.dayfly(&[&UPSERT[..], &["--at", &at, "--output", "json"]].concat());
    let told = told.succeeded().json();
    assert_said(&told, "updated", "");
    assert_eq!(told["path"], opened["path"]);
}

#[test]
fn event_from_the_future_is_refused() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    let mut payload = pull_request.payload("closed", 1);
    payload["pull_request"]["updated_at"] = json!("2999-01-01T00:00:00Z");
    let told = crate::admission::run(&scene, &["event"], &payload).exited(2);
    insta::assert_snapshot!(told.stderr.replace(&now_in(&told.stderr), "NOW"));
    assert_eq!(scene.manager.git(&["for-each-ref", "refs/dayfly"]), "");
    let opened = event(&scene, &pull_request.payload("opened", 1));
    assert_said(&opened, "created", "");
}

/// The second time that an error names.
fn now_in(said: &str) -> String {
    let is_time = |word: &&str| {
        word.trim_end_matches([',', ')'])
            .parse::<Timestamp>()
            .is_ok()
    };
    let word = said.split_whitespace().filter(is_time).nth(1).unwrap();
    word.trim_end_matches([',', ')']).to_owned()
}

#[test]
fn forged_wish_from_the_future_poisons_nothing() {
    let scene = Scene::new();
    let opened = event(&scene, &PullRequest::service().payload("opened", 1));
    let path = opened["path"].as_str().unwrap();
    let before = scene.manager.read("main", path);
    let id = format!("{SERVICE}#10");
    let pull_request = |at: &str| {
        json!({ "event": { "at": at, "action": "closed", "pull_request": {
            "id": id, "repository_id": 77, "head_sha": "abcdef12", "head_branch": "x",
            "base_branch": "main", "is_open": true, "is_draft": false, "is_fork": false,
            "asks_for_none": false, "labels": [],
        } } })
    };
    let future = "2999-01-01T00:00:00Z";
    let words = [
        pull_request(future),
        json!({ "delete": { "pull_request": id, "at": future } }),
    ];
    for (number, word) in words.iter().enumerate() {
        let wish = json!({ "word": word, "service": null });
        let message = format!("dayfly intent 1\n\n{wish}");
        crate::intents::plant(&scene, &format!("00000000000000b{number}"), &message);
    }
    let other = event(
        &scene,
        &PullRequest::new(SERVICE, 11, "abcdef12", "x").payload("opened", 2),
    );
    assert_said(&other, "created", "");
    assert_eq!(scene.manager.read("main", path), before);
    assert_eq!(
        scene.manager.git(&["for-each-ref", "refs/dayfly/closed"]),
        ""
    );
    let pushed = PullRequest::service()
        .at("abcdef13")
        .payload("synchronize", 3);
    assert_said(&event(&scene, &pushed), "updated", "");
}

/// One that an earlier version, or a person, has written all the same.
#[test]
fn file_from_the_future_makes_nothing_stale() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    event(&scene, &pull_request.payload("opened", 1));
    let path = Scene::file(&pull_request, SERVICE_10);
    let text = scene.manager.read("main", &path).unwrap();
    let text = text.replace("2026-11-21T00:01:00Z", "2999-01-01T00:00:00Z");
    assert!(text.contains("2999"), "{text}");
    scene.manager.commit("main", &[(&path, &text)]);
    let pushed = pull_request.at("abcdef13").payload("synchronize", 2);
    assert_said(&event(&scene, &pushed), "updated", "");
    let text = scene.manager.read("main", &path).unwrap();
    assert!(!text.contains("2999"), "{text}");
    let closed: Value = event(&scene, &pull_request.payload("closed", 3));
    assert_said(&closed, "deleted", "closed");
}
