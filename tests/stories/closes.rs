//! A closed pull request stays closed, in whatever order its events arrive.

use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{PullRequest, SERVICE, SERVICE_10, Scene};

const DAYFLY: &str = env!("CARGO_BIN_EXE_dayfly");
const DAY: i64 = 24 * 60;
/// Minutes to when closes from then are old by now.
const LONG_AGO: i64 = -70 * DAY;

/// The closes that the server remembers, by their full names.
fn remembered(scene: &Scene) -> Vec<String> {
    let names = scene
        .manager
        .git(&["for-each-ref", "--format=%(refname)", "refs/dayfly/closed"]);
    names.lines().map(str::to_owned).collect()
}

fn event(scene: &Scene, minute: impl Into<i64>, action: &str, pull_request: &PullRequest) -> Value {
    let output = scene.event_at(minute, action, pull_request);
    output.succeeded().json()
}

#[track_caller]
fn assert_stale(outcome: &Value) {
    assert_eq!(outcome["action"], "ignored", "{outcome}");
    let reason = outcome["reason"].as_str().unwrap();
    assert!(reason.starts_with("stale: "), "{outcome}");
    assert_eq!(outcome["commit"], Value::Null);
}

fn is_open(scene: &Scene, pull_request: &PullRequest) -> bool {
    let end = format!("-{}-", pull_request.number);
    let files = scene.manager.files("main");
    files.iter().any(|file| file.contains(&end))
}

/// The arguments that send an event, which lies in a file of this name.
fn arguments(
    scene: &Scene,
    name: &str,
    minute: u32,
    action: &str,
    pull_request: &PullRequest,
) -> Vec<String> {
    let path = scene.world.path(name);
    fs::write(&path, pull_request.payload(action, minute).to_string()).unwrap();
    let words = [
        "event",
        "--event-name",
        "pull_request_target",
        "--event-path",
        path.to_str().unwrap(),
        "--manager",
        &scene.manager.url,
    ];
    words.map(str::to_owned).to_vec()
}

/// An event whose job runs beside others.
fn send(scene: &Scene, minute: u32, action: &str, pull_request: &PullRequest) -> Child {
    let name = format!("{}-{action}.json", pull_request.number);
    let mut command = scene.world.command(DAYFLY);
    command
        .args(arguments(scene, &name, minute, action, pull_request))
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Lets an event arrive and be done with while the server holds back a push to `references`.
fn meanwhile(
    scene: &Scene,
    references: &str,
    minute: u32,
    action: &str,
    pull_request: &PullRequest,
) {
    let name = format!("{action}-meanwhile.json");
    let words = arguments(scene, &name, minute, action, pull_request);
    let done = scene.world.path("meanwhile");
    let script = format!(
        "if grep -q {references} && mkdir {done}; then\n\
         env -i PATH=\"$PATH\" HOME=\"$HOME\" {DAYFLY} {words} > {done}/said 2>&1 || exit 1\n\
         fi",
        done = done.display(),
        words = words.join(" "),
    );
    scene.manager.hook("pre-receive", &script);
}

/// What that event's job said.
fn said_meanwhile(scene: &Scene) -> String {
    fs::read_to_string(scene.world.path("meanwhile").join("said")).unwrap()
}

#[test]
fn late_events_do_not_bring_it_back() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    event(&scene, 1, "opened", &pull_request);
    let closed = event(&scene, 5, "closed", &pull_request);
    assert_eq!(closed["action"], "deleted");
    let tip = scene.manager.tip("main");
    assert_eq!(closed["commit"].as_str(), tip.as_deref());
    let names = remembered(&scene);
    assert_eq!(names.len(), 1, "{names:?}");
    let target = scene.manager.git(&["rev-parse", &names[0]]);
    assert_eq!(Some(target), tip, "it points at the commit of the close");

    for (minute, action) in [
        (4, "synchronize"),
        (5, "synchronize"),
        (1, "opened"),
        (3, "labeled"),
        (2, "ready_for_review"),
        (3, "reopened"),
    ] {
        let newer = pull_request.at(&"b".repeat(40));
        assert_stale(&event(&scene, minute, action, &newer));
    }
    let upsert = |more: &[&str]| {
        let id = format!("{SERVICE}#10");
        let mut words = vec!["env", "upsert", &id, "--output", "json"];
        words.extend(["--head-sha", "abcdef12", "--head-branch", "x"]);
        words.extend(more);
        scene.dayfly(&words).succeeded().json()
    };
    assert_stale(&upsert(&["--at", "2026-11-21T00:05:00Z"]));
    assert_eq!(scene.manager.tip("main"), tip);
    assert_eq!(remembered(&scene), names);

    // A person who names no time means now.
    assert_eq!(upsert(&[])["action"], "created");
    assert!(remembered(&scene).is_empty());
}

#[test]
fn reopened_brings_it_back() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    event(&scene, 1, "opened", &pull_request);
    event(&scene, 5, "closed", &pull_request);
    let reopened = event(&scene, 5, "reopened", &pull_request);
    assert_eq!(reopened["action"], "created", "{reopened}");
    assert_eq!(reopened["environment"], SERVICE_10);
    assert!(remembered(&scene).is_empty());

    // So does whatever happened later, whether `reopened` arrives or not.
    event(&scene, 7, "closed", &pull_request);
    let later = event(&scene, 9, "synchronize", &pull_request);
    assert_eq!(later["action"], "created", "{later}");
    assert!(remembered(&scene).is_empty());
    assert_eq!(
        event(&scene, 8, "closed", &pull_request)["action"],
        "ignored"
    );
}

#[test]
fn closed_arrives_before_opened() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    let tip = scene.manager.tip("main");
    let closed = event(&scene, 5, "closed", &pull_request);
    assert_eq!(closed["action"], "absent", "{closed}");
    assert_eq!(closed["commit"], Value::Null);
    assert_eq!(remembered(&scene).len(), 1);
    assert_stale(&event(&scene, 1, "opened", &pull_request));
    assert_stale(&event(&scene, 2, "synchronize", &pull_request));
    assert_eq!(scene.manager.tip("main"), tip);

    // What the rules refuse for life needs no memory.
    let fork = PullRequest {
        is_fork: true,
        number: 11,
        ..PullRequest::service()
    };
    let bot = PullRequest::new(SERVICE, 12, "abcdef12", "dependabot/npm/x");
    for stranger in [fork, bot] {
        assert_eq!(event(&scene, 5, "closed", &stranger)["action"], "absent");
    }
    assert_eq!(remembered(&scene).len(), 1);
}

#[test]
fn same_close_twice_is_remembered_once() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    event(&scene, 1, "opened", &pull_request);
    event(&scene, 5, "closed", &pull_request);
    let (tip, names) = (scene.manager.tip("main"), remembered(&scene));
    let pushes = scene.world.server.counts().pushes;
    for minute in [5, 4] {
        assert_eq!(
            event(&scene, minute, "closed", &pull_request)["action"],
            "absent"
        );
    }
    assert_eq!(scene.manager.tip("main"), tip);
    assert_eq!(remembered(&scene), names);
    assert_eq!(
        scene.world.server.counts().pushes,
        pushes,
        "nothing was sent"
    );

    // A later close takes the place of the older.
    assert_eq!(
        event(&scene, 6, "closed", &pull_request)["action"],
        "absent"
    );
    assert_eq!(remembered(&scene).len(), 1);
    assert_ne!(remembered(&scene), names);
    assert_eq!(scene.manager.tip("main"), tip);
    assert_stale(&event(&scene, 6, "synchronize", &pull_request));
}

#[test]
fn removed_label_and_removal_by_hand_are_remembered_too() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    let labeled = PullRequest {
        labels: vec!["no-preview".to_owned()],
        ..pull_request.clone()
    };
    event(&scene, 1, "opened", &pull_request);
    assert_eq!(event(&scene, 5, "labeled", &labeled)["action"], "deleted");
    assert_stale(&event(&scene, 4, "synchronize", &pull_request));
    // Other events of the label's own second may have the last word.
    assert_eq!(
        event(&scene, 5, "unlabeled", &pull_request)["action"],
        "created"
    );

    // A removal by hand has no time: what the file knew of is late, what came after is not.
    let deleted = scene.dayfly(&["env", "delete", "acme/hello-service#10"]);
    deleted.succeeded();
    assert_stale(&event(&scene, 5, "synchronize", &pull_request));
    assert_eq!(
        event(&scene, 6, "synchronize", &pull_request)["action"],
        "created"
    );
    let deleted = scene.dayfly(&[
        "env",
        "delete",
        "acme/hello-service#10",
        "--at",
        "2026-11-21T00:08:00Z",
    ]);
    deleted.succeeded();
    assert_stale(&event(&scene, 8, "synchronize", &pull_request));
}

#[test]
fn closes_are_forgotten_after_thirty_days() {
    let scene = Scene::new();
    let pull_request = |number| PullRequest {
        number,
        ..PullRequest::service()
    };
    event(&scene, LONG_AGO, "closed", &pull_request(1));
    event(&scene, LONG_AGO + 10, "closed", &pull_request(2));
    event(&scene, LONG_AGO + 30 * DAY, "closed", &pull_request(3));
    assert_eq!(remembered(&scene).len(), 3);
    event(&scene, LONG_AGO + 30 * DAY + 5, "opened", &pull_request(4));
    assert_eq!(remembered(&scene).len(), 3, "only a close prunes");
    event(&scene, LONG_AGO + 30 * DAY + 5, "closed", &pull_request(4));
    assert_eq!(remembered(&scene).len(), 3, "the first is gone");
    assert_stale(&event(
        &scene,
        LONG_AGO + 9,
        "synchronize",
        &pull_request(2),
    ));
    assert_eq!(
        event(&scene, LONG_AGO + 9, "synchronize", &pull_request(1))["action"],
        "created"
    );

    // A server that prohibits deletions keeps the old ones, and the new one as well.
    let no_deletion = "case $3 in *[!0]*) ;; *) echo 'it stays' >&2; exit 1;; esac";
    scene.manager.hook("update", no_deletion);
    event(&scene, LONG_AGO + 60 * DAY, "opened", &pull_request(5));
    let closed = event(&scene, LONG_AGO + 61 * DAY, "closed", &pull_request(5));
    assert_eq!(closed["action"], "deleted", "{closed}");
    assert_eq!(closed["reason"], "the pull request was closed");
    assert_eq!(remembered(&scene).len(), 4);
    assert_stale(&event(
        &scene,
        LONG_AGO + 60 * DAY,
        "synchronize",
        &pull_request(5),
    ));
    let reopened = event(&scene, LONG_AGO + 62 * DAY, "reopened", &pull_request(5));
    assert_eq!(reopened["action"], "created", "{reopened}");
}

#[test]
fn prune_that_loses_a_race_does_not_fail_the_close() {
    let scene = Scene::new();
    let old = PullRequest::new(SERVICE, 1, "abcdef12", "old");
    event(&scene, LONG_AGO, "closed", &old);
    let name = remembered(&scene).remove(0);
    let pull_request = PullRequest::service();
    event(&scene, LONG_AGO + 31 * DAY, "opened", &pull_request);
    // Others are at the same old close whenever this one's push arrives.
    let script = format!(
        "if grep -q {name}; then\n\
         old=refs/heads/main; [ $(git rev-parse {name}) != $(git rev-parse $old) ] || old=$old~1\n\
         env -u GIT_QUARANTINE_PATH git update-ref {name} $(git rev-parse $old)\n\
         fi"
    );
    scene.manager.hook("pre-receive", &script);
    let closed = event(&scene, LONG_AGO + 32 * DAY, "closed", &pull_request);
    assert_eq!(closed["action"], "deleted", "{closed}");
    assert!(!is_open(&scene, &pull_request));
    assert_eq!(remembered(&scene).len(), 2, "pruned another time");
}

#[test]
fn close_and_commit_race() {
    let scene = Scene::new();
    let pull_requests: Vec<PullRequest> = (1..=4)
        .map(|number| PullRequest {
            number,
            ..PullRequest::service()
        })
        .collect();
    for pull_request in &pull_requests {
        event(&scene, 1, "opened", pull_request);
    }
    let mut jobs = Vec::new();
    for (number, pull_request) in (0..).zip(&pull_requests) {
        let newer = pull_request.at(&"b".repeat(40));
        let mut pair = vec![(3, "closed", pull_request), (2, "synchronize", &newer)];
        if number % 2 == 1 {
            pair.reverse();
        }
        for (minute, action, pull_request) in pair {
            jobs.push(send(&scene, minute, action, pull_request));
        }
    }
    for mut job in jobs {
        assert!(job.wait().unwrap().success());
    }
    for pull_request in &pull_requests {
        assert!(!is_open(&scene, pull_request), "{}", pull_request.number);
    }
    assert_eq!(remembered(&scene).len(), 4);
}

#[test]
fn close_lands_while_a_commit_is_pushed() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    event(&scene, 1, "opened", &pull_request);
    meanwhile(&scene, "refs/heads/main", 3, "closed", &pull_request);
    let late = event(&scene, 2, "synchronize", &pull_request.at(&"b".repeat(40)));
    assert_stale(&late);
    assert!(said_meanwhile(&scene).starts_with("deleted"));
    assert!(!is_open(&scene, &pull_request));
}

#[test]
fn commit_lands_while_a_close_is_pushed() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    event(&scene, 1, "opened", &pull_request);
    let newer = pull_request.at(&"b".repeat(40));
    meanwhile(&scene, "refs/heads/main", 2, "synchronize", &newer);
    let closed = event(&scene, 3, "closed", &pull_request);
    assert!(said_meanwhile(&scene).starts_with("updated"));
    assert_eq!(closed["action"], "deleted", "{closed}");
    assert!(!is_open(&scene, &pull_request));
    assert_eq!(remembered(&scene).len(), 1);
}

#[test]
fn close_finds_nothing_while_the_opening_is_pushed() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    meanwhile(&scene, "refs/heads/main", 3, "closed", &pull_request);
    let opened = event(&scene, 1, "opened", &pull_request);
    assert!(said_meanwhile(&scene).starts_with("absent"));
    assert_stale(&opened);
    assert!(!is_open(&scene, &pull_request));
    assert_eq!(remembered(&scene).len(), 1);
}

#[test]
fn opening_lands_while_a_close_of_nothing_is_pushed() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    meanwhile(&scene, "refs/dayfly", 1, "opened", &pull_request);
    let closed = event(&scene, 3, "closed", &pull_request);
    assert!(said_meanwhile(&scene).starts_with("created"));
    assert_eq!(closed["action"], "deleted", "{closed}");
    assert!(!is_open(&scene, &pull_request));
    assert_eq!(remembered(&scene).len(), 1);
}

#[test]
fn renamed_repository_stays_closed() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    event(&scene, 1, "opened", &pull_request);
    event(&scene, 5, "closed", &pull_request);
    let path = "hello-service/service.hcl";
    let rules = scene.manager.read("main", path).unwrap();
    let rules = rules.replace(SERVICE, "acme/renamed");
    scene.manager.commit("main", &[(path, &rules)]);
    let renamed = PullRequest {
        repository: "acme/renamed".to_owned(),
        ..pull_request
    };
    assert_stale(&event(&scene, 4, "synchronize", &renamed));
    // One reference for both names.
    event(&scene, 6, "closed", &renamed);
    assert_eq!(remembered(&scene).len(), 1);
    let reopened = event(&scene, 7, "reopened", &renamed);
    assert_eq!(reopened["action"], "created", "{reopened}");
    assert!(remembered(&scene).is_empty());
}

#[test]
fn server_without_the_memory_still_closes() {
    type Refusal = (&'static str, fn(&Scene));
    let refusals: [Refusal; 4] = [
        ("not here", |scene| {
            let script = "if grep -q refs/dayfly; then echo 'not here' >&2; exit 1; fi";
            scene.manager.hook("pre-receive", script);
        }),
        ("hook declined", |scene| {
            let script = "case $1 in refs/dayfly/*) exit 1;; esac";
            scene.manager.hook("update", script);
        }),
        ("does not support --atomic", |scene| {
            let setting = ["config", "receive.advertiseAtomic", "false"];
            scene.manager.git(&setting);
        }),
        ("hidden ref", |scene| {
            let setting = ["config", "transfer.hideRefs", "refs/dayfly"];
            scene.manager.git(&setting);
        }),
    ];
    for (words, refuse) in refusals {
        let scene = Scene::new();
        let pull_request = PullRequest::service();
        event(&scene, 1, "opened", &pull_request);
        refuse(&scene);
        let closed = event(&scene, 5, "closed", &pull_request);
        assert_eq!(closed["action"], "deleted", "{words}: {closed}");
        assert_eq!(
            closed["commit"].as_str(),
            scene.manager.tip("main").as_deref()
        );
        let reason = closed["reason"].as_str().unwrap();
        assert!(reason.contains("is not remembered"), "{reason}");
        assert!(reason.contains(words), "{reason}");
        assert!(!is_open(&scene, &pull_request));
        assert!(remembered(&scene).is_empty());
        // One that finds nothing has nothing to lose either.
        event(&scene, 6, "closed", &pull_request)
            .as_object()
            .unwrap();
    }
}

#[test]
fn protected_branch_is_no_matter_of_the_memory() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    event(&scene, 1, "opened", &pull_request);
    let script = "if grep -q refs/heads/main; then echo 'it is protected' >&2; exit 1; fi";
    scene.manager.hook("pre-receive", script);
    let refused = scene.event_at(5, "closed", &pull_request).exited(5);
    assert!(
        refused.stderr.contains("it is protected"),
        "{}",
        refused.stderr
    );
    assert!(is_open(&scene, &pull_request));
    assert!(remembered(&scene).is_empty());
}

#[test]
fn ten_thousand_closes_are_listed_in_one_call() {
    const CLOSES: u64 = 10_000;
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    let cost = |scene: &Scene, minute| {
        let before = scene.world.server.counts();
        event(
            scene,
            minute,
            "synchronize",
            &pull_request.at(&format!("{minute:040x}")),
        );
        let after = scene.world.server.counts();
        (
            after.requests - before.requests,
            after.bytes_sent - before.bytes_sent,
        )
    };
    event(&scene, 1, "opened", &pull_request);
    let (requests, bytes) = cost(&scene, 2);
    let tip = scene.manager.tip("main").unwrap();
    let mut packed = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for number in 0..CLOSES {
        let second = 1_795_000_000 + number;
        writeln!(
            packed,
            "{tip} refs/dayfly/closed/{number:012x}-{number:012x}-{second}"
        )
        .unwrap();
    }
    writeln!(packed, "{tip} refs/heads/main").unwrap();
    fs::write(scene.manager.path.join("packed-refs"), packed).unwrap();
    assert_eq!(remembered(&scene).len(), 10_000);

    let (with, with_bytes) = cost(&scene, 3);
    assert_eq!(with, requests, "no call more");
    // Once in the listing, once where the server answers to the push.
    let each = (with_bytes - bytes) as u64 / CLOSES;
    assert!((100..=210).contains(&each), "{each} bytes each");
}
