//! Who gets an environment: the rules of `service.hcl`, from GitHub's own payloads.

use std::fs;

use serde_json::{Value, json};

use crate::support::world::Output;
use crate::support::{PullRequest, SERVICE, SERVICE_10, Scene};

const RULES: &str = "hello-service/service.hcl";

/// Changes the rules of the service, as a person does.
pub(crate) fn set(scene: &Scene, from: &str, to: &str) {
    let rules = scene.manager.read("main", RULES).unwrap();
    assert!(rules.contains(from), "{from} in {rules}");
    let rules = rules.replacen(from, to, 1);
    scene.manager.commit("main", &[(RULES, &rules)]);
}

pub(crate) fn run(scene: &Scene, command: &[&str], payload: &Value) -> Output {
    let path = scene.world.path("event.json");
    fs::write(&path, payload.to_string()).unwrap();
    let mut words = command.to_vec();
    words.extend(["--event-name", "pull_request_target", "--event-path"]);
    words.push(path.to_str().unwrap());
    scene.dayfly(&words)
}

pub(crate) fn event(scene: &Scene, payload: &Value) -> Value {
    run(scene, &["event", "--output", "json"], payload)
        .succeeded()
        .json()
}

fn explain(scene: &Scene, payload: &Value) -> Value {
    run(scene, &["env", "explain", "--output", "json"], payload)
        .succeeded()
        .json()
}

#[track_caller]
pub(crate) fn assert_said(outcome: &Value, action: &str, reason: &str) {
    assert_eq!(outcome["action"], action, "{outcome}");
    let said = outcome["reason"].as_str().unwrap_or_default();
    assert!(said.contains(reason), "{outcome}");
}

/// The event of a label that was set or removed; `labels` are those that the pull request has then.
fn label_event(
    pull_request: &PullRequest,
    action: &str,
    minute: u32,
    label: &str,
    labels: &[&str],
) -> Value {
    let mut payload = pull_request.payload(action, minute);
    payload["label"] = json!({ "id": 9, "name": label, "color": "ededed" });
    payload["pull_request"]["labels"] = labels.iter().map(|name| json!({ "name": name })).collect();
    payload
}

/// The event of a text that was edited: the body before and after.
fn body_event(pull_request: &PullRequest, minute: u32, from: Value, to: Value) -> Value {
    let mut payload = pull_request.payload("edited", minute);
    payload["changes"] = json!({ "body": { "from": from } });
    payload["pull_request"]["body"] = to;
    payload
}

/// The references and their commits: all that a writer could change.
fn references(scene: &Scene) -> String {
    scene.manager.git(&["for-each-ref"])
}

#[test]
fn required_label_comes_and_goes() {
    let scene = Scene::new();
    set(
        &scene,
        "labels          = [] ",
        "labels          = [\"Preview\"] ",
    );
    let pull_request = PullRequest::service();
    let labels = |action, minute, label, labels: &[&str]| {
        event(
            &scene,
            &label_event(&pull_request, action, minute, label, labels),
        )
    };
    let opened = event(&scene, &pull_request.payload("opened", 1));
    assert_said(&opened, "ignored", "lacks the label `Preview` (labels)");
    let labeled = labels("labeled", 2, "preview", &["preview"]);
    assert_said(&labeled, "created", "");
    let removed = labels("unlabeled", 4, "preview", &["other"]);
    assert_said(&removed, "deleted", "lacks the label `Preview` (labels)");
    assert_said(&labels("labeled", 3, "x", &["preview"]), "ignored", "stale");
    let back = labels("labeled", 5, "preview", &["preview", "other"]);
    assert_said(&back, "created", "");
    assert_eq!(back["environment"], SERVICE_10);

    // The removal arrives first: what it ended does not begin.
    let other = PullRequest::new(SERVICE, 11, "abcdef12", "x");
    let gone = event(&scene, &label_event(&other, "unlabeled", 7, "preview", &[]));
    assert_said(&gone, "absent", "lacks the label");
    let late = label_event(&other, "labeled", 6, "preview", &["preview"]);
    assert_said(&event(&scene, &late), "ignored", "stale");
    let again = label_event(&other, "labeled", 8, "preview", &["preview"]);
    assert_said(&event(&scene, &again), "created", "");

    // Opened with the label: two events in one second, whose jobs arrive in any order.
    let third = PullRequest::new(SERVICE, 12, "abcdef12", "x");
    let labeled = label_event(&third, "labeled", 9, "preview", &["preview"]);
    assert_said(&event(&scene, &labeled), "created", "");
    assert_said(
        &event(&scene, &third.payload("opened", 9)),
        "ignored",
        "stale",
    );
    let removed = label_event(&third, "unlabeled", 9, "preview", &[]);
    assert_said(&event(&scene, &removed), "deleted", "lacks the label");
}

#[test]
fn draft_acts_as_a_close_where_drafts_are_not_taken() {
    let scene = Scene::new();
    set(&scene, "drafts          = true", "drafts          = false");
    let pull_request = PullRequest::service();
    let send = |action: &str, minute, is_draft: bool| {
        let mut payload = pull_request.payload(action, minute);
        payload["pull_request"]["draft"] = json!(is_draft);
        event(&scene, &payload)
    };
    assert_said(
        &send("opened", 1, true),
        "ignored",
        "draft (drafts = false)",
    );
    assert_said(&send("ready_for_review", 2, false), "created", "");
    let drafted = send("converted_to_draft", 4, true);
    assert_said(&drafted, "deleted", "draft (drafts = false)");
    assert_said(&send("synchronize", 3, false), "ignored", "stale");
    assert_said(&send("ready_for_review", 5, false), "created", "");
}

#[test]
fn base_decides_when_it_changes() {
    let scene = Scene::new();
    set(
        &scene,
        "# base_branches = []",
        "base_branches = [\"main\", \"release/*\"]",
    );
    let pull_request = PullRequest::service();
    let edited = |minute, from: &str, to: &str| {
        let mut payload = pull_request.payload("edited", minute);
        payload["changes"] =
            json!({ "base": { "ref": { "from": from }, "sha": { "from": "00" } } });
        payload["pull_request"]["base"]["ref"] = json!(to);
        event(&scene, &payload)
    };
    assert_said(
        &event(&scene, &pull_request.payload("opened", 1)),
        "created",
        "",
    );
    let moved = edited(2, "main", "develop");
    assert_said(
        &moved,
        "deleted",
        "its base branch `develop` is not taken (base_branches: main, release/*)",
    );
    assert_said(&edited(3, "develop", "release/1"), "created", "");
    let mut title = pull_request.payload("edited", 4);
    title["changes"] = json!({ "title": { "from": "x" } });
    title["pull_request"]["base"]["ref"] = json!("develop");
    assert_said(&event(&scene, &title), "ignored", "edit of the text");

    set(&scene, "# branches      = []", "branches = [\"feature/*\"]");
    let other = PullRequest::new(SERVICE, 11, "abcdef12", "fix/x");
    let refused = event(&scene, &other.payload("opened", 5));
    assert_said(
        &refused,
        "ignored",
        "its branch `fix/x` is not taken (branches: feature/*)",
    );
    set(&scene, "[\"feature/*\"]\n", "[\"feature/?\"]\n");
    let failed = run(&scene, &["event"], &other.payload("opened", 6)).exited(2);
    let place = "hello-service/service.hcl:40:15: `branches`: `feature/?` can match no branch";
    assert!(failed.stderr.contains(place), "{}", failed.stderr);
}

#[test]
fn fork_label_is_bound_to_its_commit() {
    let scene = Scene::new();
    set(
        &scene,
        "forks           = \"deny\"",
        "forks           = \"label\"",
    );
    let first = PullRequest {
        is_fork: true,
        labels: vec!["preview".to_owned()],
        ..PullRequest::service()
    };
    let second = first.at(&"b".repeat(40));
    let commit = || {
        let path = Scene::file(&first, SERVICE_10);
        let text = scene.manager.read("main", &path)?;
        let line = text.lines().find(|line| line.contains("code_version"))?;
        line.split('"').nth(1).map(str::to_owned)
    };
    let label = |pull_request: &PullRequest, action, minute, labels: &[&str]| {
        event(
            &scene,
            &label_event(pull_request, action, minute, "preview", labels),
        )
    };
    // Whoever opens it with the label set, or pushes to it, has no approval.
    let bare = PullRequest {
        labels: Vec::new(),
        ..first.clone()
    };
    let opened = event(&scene, &bare.payload("opened", 1));
    assert_said(&opened, "ignored", "the label `preview` approves");
    for (minute, action) in [(2, "opened"), (3, "synchronize"), (4, "reopened")] {
        let outcome = event(&scene, &first.payload(action, minute));
        assert_said(
            &outcome,
            "ignored",
            "remove the label `preview` and set it again",
        );
    }
    assert_said(&label(&first, "labeled", 5, &["preview"]), "created", "");
    assert_eq!(commit(), Some(first.sha.clone()));

    // A new commit: neither its own event nor another label's takes it.
    for (minute, action) in [(6, "synchronize"), (7, "reopened"), (8, "ready_for_review")] {
        let outcome = event(&scene, &second.payload(action, minute));
        assert_said(&outcome, "ignored", &second.sha);
        assert_said(
            &outcome,
            "ignored",
            "remove the label `preview` and set it again",
        );
        assert_eq!(outcome["environment"], SERVICE_10);
    }
    let other = label_event(&second, "labeled", 9, "bug", &["preview", "bug"]);
    assert_said(&event(&scene, &other), "ignored", "not approved");
    assert_eq!(commit(), Some(first.sha.clone()));
    assert_said(&label(&first, "labeled", 5, &["preview"]), "unchanged", "");

    // The label is removed and set again: the new commit is approved, and the old one is not any
    // more, however late its approval arrives.
    assert_said(
        &label(&second, "unlabeled", 10, &[]),
        "deleted",
        "label `preview`",
    );
    assert_said(
        &event(&scene, &second.payload("synchronize", 10)),
        "ignored",
        "fork",
    );
    assert_said(
        &label(&first, "labeled", 5, &["preview"]),
        "ignored",
        "stale",
    );
    assert_said(&label(&second, "labeled", 11, &["preview"]), "created", "");
    assert_eq!(commit(), Some(second.sha.clone()));
    assert_said(
        &label(&first, "labeled", 5, &["preview"]),
        "ignored",
        "stale",
    );
    assert_said(&label(&second, "unlabeled", 10, &[]), "ignored", "stale");
    assert_eq!(commit(), Some(second.sha.clone()));

    // It ends as any other, and its approval with it; the fork may be gone by then.
    let mut closed = second.payload("closed", 12);
    closed["pull_request"]["head"]["repo"] = Value::Null;
    assert_said(&event(&scene, &closed), "deleted", "closed");
    assert_said(
        &label(&second, "labeled", 11, &["preview"]),
        "ignored",
        "stale",
    );
    let mut reopened = second.payload("reopened", 13);
    reopened["pull_request"]["head"]["repo"] = Value::Null;
    assert_said(&event(&scene, &reopened), "ignored", "not approved");
    assert_eq!(commit(), None);
}

#[test]
fn approval_that_was_taken_back_arrives_late() {
    let scene = Scene::new();
    set(
        &scene,
        "forks           = \"deny\"",
        "forks           = \"label\"",
    );
    set(
        &scene,
        "# fork_label = \"preview\"",
        "fork_label = \"ok to test\"",
    );
    let fork = PullRequest {
        is_fork: true,
        ..PullRequest::service()
    };
    let label = |action, minute, label: &str, labels: &[&str]| {
        event(&scene, &label_event(&fork, action, minute, label, labels))
    };
    assert_said(
        &label("labeled", 1, "preview", &["preview"]),
        "ignored",
        "`ok to test`",
    );
    assert_said(
        &label("unlabeled", 5, "ok to test", &[]),
        "absent",
        "`ok to test`",
    );
    let approval = label("labeled", 4, "ok to test", &["ok to test"]);
    assert_said(&approval, "ignored", "stale");

    // An approval that a newer commit overtook is still one of its own commit.
    let newer = fork.at(&"b".repeat(40)).payload("synchronize", 8);
    assert_said(&event(&scene, &newer), "ignored", "fork");
    let approval = label("labeled", 7, "ok to test", &["ok to test"]);
    assert_said(&approval, "created", "");
    let text = scene.manager.read("main", &Scene::file(&fork, SERVICE_10));
    assert!(text.unwrap().contains(&fork.sha));
}

#[test]
fn body_asks_for_no_environment() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    assert_said(
        &event(&scene, &pull_request.payload("opened", 1)),
        "created",
        "",
    );
    let asking = json!("A secret plan.\r\n\r\n  Dayfly: Ignore \r\n");
    let added = body_event(&pull_request, 3, Value::Null, asking.clone());
    let removed = event(&scene, &added);
    assert_said(&removed, "deleted", "its body says `dayfly: ignore`");
    assert!(!removed.to_string().contains("secret"), "{removed}");
    assert_said(
        &event(&scene, &pull_request.payload("opened", 2)),
        "ignored",
        "stale",
    );
    let mut pushed = pull_request.payload("synchronize", 4);
    pushed["pull_request"]["body"] = asking.clone();
    assert_said(&event(&scene, &pushed), "ignored", "its body says");
    let reworded = body_event(&pull_request, 5, json!("dayfly: ignore"), asking.clone());
    assert_said(&event(&scene, &reworded), "ignored", "edit of the text");
    let taken_out = body_event(
        &pull_request,
        6,
        asking,
        json!("please do not dayfly: ignore"),
    );
    assert_said(&event(&scene, &taken_out), "created", "");
}

#[test]
fn limit_says_who_would_have_to_go_first() {
    let scene = Scene::new();
    set(&scene, "limit           = 200", "limit           = 2");
    let number = |number| PullRequest::new(SERVICE, number, "abcdef12", "x");
    for (minute, pull_request) in [(2, 10), (1, 11)] {
        let opened = event(&scene, &number(pull_request).payload("opened", minute));
        assert_said(&opened, "created", "");
    }
    let third = number(12).payload("opened", 3);
    let before = references(&scene);
    let expected = "the limit is reached (limit = 2, 2 stand): one would have to go first, the oldest is \
                    acme-hello-service-11-";
    for outcome in [event(&scene, &third), explain(&scene, &third)] {
        assert_said(&outcome, "ignored", expected);
        assert_said(&outcome, "ignored", "of 2026-11-21T00:01:00Z");
    }
    assert_eq!(references(&scene), before);
    event(&scene, &number(11).payload("closed", 4));
    assert_said(&event(&scene, &third), "created", "");
}

#[test]
fn explain_tells_and_does_nothing() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    let opened = pull_request.payload("opened", 1);
    let labeled = label_event(&pull_request, "labeled", 3, "no-preview", &["no-preview"]);
    let steps = [
        (opened, "created"),
        (
            pull_request.at("abcdef12").payload("synchronize", 2),
            "updated",
        ),
        (
            pull_request.at("abcdef12").payload("synchronize", 2),
            "unchanged",
        ),
        (labeled, "deleted"),
        (pull_request.payload("opened", 1), "ignored"),
        (pull_request.payload("closed", 4), "absent"),
        (
            PullRequest::new("acme/unknown", 1, "abcdef12", "x").payload("opened", 5),
            "ignored",
        ),
    ];
    for (payload, action) in steps {
        let before = references(&scene);
        let told = explain(&scene, &payload);
        assert_eq!(references(&scene), before, "{action}");
        assert_eq!(told["action"], action, "{told}");
        assert_eq!(told["commit"], Value::Null);
        let done = event(&scene, &payload);
        for key in ["action", "reason", "service", "environment", "path", "url"] {
            assert_eq!(told[key], done[key], "{key} {told} {done}");
        }
    }

    let draft = PullRequest {
        labels: vec!["no-preview".to_owned()],
        ..PullRequest::new(SERVICE, 11, "abcdef12", "x")
    };
    let told = explain(&scene, &draft.payload("opened", 6));
    let rules = told["rules"].as_array().unwrap();
    let verdict = |name: &str| {
        let rule = rules.iter().find(|rule| rule["rule"] == name).unwrap();
        rule["verdict"].as_str().unwrap()
    };
    assert_eq!(verdict("event"), "passes");
    assert_eq!(verdict("drafts"), "passes");
    assert_eq!(verdict("forks"), "not_asked");
    assert_eq!(verdict("exclude_labels"), "refuses");
    assert_eq!(verdict("limit"), "not_asked");
    let text = run(&scene, &["env", "explain"], &draft.payload("opened", 6)).succeeded();
    insta::assert_snapshot!(text.stdout);
}

/// What changes nothing may still be a return: what was before it, and arrives after it, is late.
#[test]
fn late_turn_away_does_not_undo_a_return_that_changed_nothing() {
    let scene = Scene::new();
    let own = PullRequest::service();
    set(&scene, "labels          = []", "labels          = [\"go\"]");
    set(&scene, "drafts          = true", "drafts          = false");
    let labeled = |minute| label_event(&own, "labeled", minute, "go", &["go"]);
    assert_eq!(event(&scene, &labeled(1))["action"], "created");
    assert_eq!(event(&scene, &labeled(5))["action"], "updated");
    assert_eq!(event(&scene, &labeled(5))["action"], "unchanged");
    let late = label_event(&own, "unlabeled", 3, "go", &[]);
    assert_said(&event(&scene, &late), "ignored", "stale");

    let draft = |action, minute, is_draft: bool| {
        let mut payload = label_event(&own, action, minute, "go", &["go"]);
        payload["pull_request"]["draft"] = json!(is_draft);
        payload
    };
    event(&scene, &draft("ready_for_review", 9, false));
    let late = draft("converted_to_draft", 7, true);
    assert_said(&event(&scene, &late), "ignored", "stale");
    // In one second only what turns away by itself is sure to be later.
    let same_second = draft("synchronize", 9, true);
    assert_said(&event(&scene, &same_second), "ignored", "stale");

    // A branch that was forced back to its commit has an older commit on its way.
    let at = |minute, sha: &str| {
        let mut payload = draft("synchronize", minute, false);
        payload["pull_request"]["head"]["sha"] = json!(sha.repeat(40));
        payload
    };
    event(&scene, &at(11, "a"));
    event(&scene, &at(15, "a"));
    assert_said(&event(&scene, &at(13, "b")), "ignored", "stale");
}

#[test]
fn close_needs_no_branch_that_can_be() {
    let scene = Scene::new();
    let own = PullRequest::service();
    event(&scene, &own.payload("opened", 1));
    let mut payload = own.payload("closed", 2);
    payload["pull_request"]["base"]["ref"] = json!("-x");
    assert_eq!(event(&scene, &payload)["action"], "deleted");
    payload["action"] = json!("opened");
    payload["pull_request"]["state"] = json!("open");
    let refused = run(&scene, &["event"], &payload).exited(2);
    assert!(refused.stderr.contains("hint: "), "{}", refused.stderr);
}
