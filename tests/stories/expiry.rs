//! Environments that end by themselves: when, who puts it off, and what brings them back.

use serde_json::Value;

use crate::support::sweep_scene::{SweepScene, actions, of, rows};
use crate::support::{INFRA, PullRequest, SERVICE};

/// The end of an environment of the first minute, three days on; and a minute before it.
const END: &str = "2026-11-24T00:01:00Z";
const BEFORE: &str = "2026-11-24T00:00:00Z";
const DAY: u32 = 24 * 60;

fn said(value: &str) -> String {
    format!("expires_at              = {value}\n")
}

#[track_caller]
fn assert_expires(scene: &SweepScene, number: u64, at: &str) {
    let file = scene.file(number).unwrap();
    let seconds = at.parse::<jiff::Timestamp>().unwrap().as_second();
    assert!(file.contains(&said(&format!("\"{at}\""))), "{file}");
    assert!(
        file.contains(&format!("expires_at_unix         = {seconds}\n")),
        "{file}"
    );
}

#[test]
fn end_moves_on_with_each_commit_and_with_nothing_else() {
    let scene = SweepScene::expiring();
    let pull_request = of(1);
    scene.event("opened", &pull_request);
    assert_expires(&scene, 1, END);
    for action in ["labeled", "edited", "opened"] {
        let outcome = scene.event(action, &pull_request);
        assert!(outcome["commit"].is_null(), "{action}: {outcome}");
    }
    assert_expires(&scene, 1, END);
    scene.event_at(10, "synchronize", &pull_request.at(&"b".repeat(40)));
    assert_expires(&scene, 1, "2026-11-24T00:10:00Z");
    let again = scene.event_at(10, "synchronize", &pull_request.at(&"b".repeat(40)));
    assert_eq!(again["action"], "unchanged");

    // A branch that is followed changes no attribute: its commits count all the same.
    let infra = PullRequest::new(INFRA, 7, &"a".repeat(40), "cache");
    scene.event_at(20, "opened", &infra);
    scene.event_at(30, "synchronize", &infra.at(&"b".repeat(40)));
    assert_expires(&scene, 7, "2026-11-24T00:30:00Z");
    let again = scene.event_at(30, "synchronize", &infra.at(&"b".repeat(40)));
    assert_eq!(again["action"], "unchanged");
}

#[test]
fn nothing_expires_where_nobody_said_so() {
    let scene = SweepScene::new();
    scene.open(1);
    assert!(!scene.file(1).unwrap().contains("expires_at"));
    scene.sweep(&["--at", "2036-01-01T00:00:00Z"]);
    let outcome = scene
        .person("extend", 1, &["--by", "24h"])
        .succeeded()
        .json();
    assert_eq!(outcome["action"], "ignored");
    assert_eq!(
        outcome["reason"],
        "environments of hello-service do not expire"
    );
    assert_eq!(scene.standing(), [1]);
}

#[test]
fn expired_stays_expired() {
    let scene = SweepScene::expiring();
    let pull_request = scene.open(1);
    scene.sweep(&["--at", BEFORE]);
    assert_eq!(scene.standing(), [1]);
    let swept = scene.sweep(&["--at", END]);
    let expected = (1, "removed".to_owned(), format!("expired at {END}"));
    assert_eq!(rows(&swept), [expected]);
    assert_eq!(
        (scene.remembered("expired"), scene.remembered("closed")),
        (1, 0)
    );

    // Its pull request is open, and is talked about: that is no news.
    scene.fake().label(SERVICE, 1, "urgent");
    let swept = scene.sweep(&["--at", END]);
    assert_eq!(actions(&swept), [(1, "skipped".to_owned())]);
    assert!(rows(&swept)[0].2.starts_with("expired: "), "{swept}");
    for (minute, action) in [
        (4 * DAY, "labeled"),
        (4 * DAY + 1, "synchronize"),
        (1, "opened"),
    ] {
        let outcome = scene.event_at(minute, action, &pull_request);
        assert_eq!(outcome["action"], "ignored", "{action}: {outcome}");
    }
    assert_eq!(scene.standing(), [0; 0]);

    // A new commit, told by its event or found by a sweep, brings it back; so does a reopening.
    let back = |outcome: &Value| {
        assert_eq!(outcome["action"], "created", "{outcome}");
        assert_eq!(scene.remembered("expired"), 0);
        let swept = scene.sweep(&["--at", "2026-12-24T00:00:00Z"]);
        assert!(
            actions(&swept).contains(&(1, "removed".to_owned())),
            "{swept}"
        );
    };
    let newer = |letter: &str| pull_request.at(&letter.repeat(40));
    back(&scene.event_at(4 * DAY + 2, "synchronize", &newer("b")));
    back(&scene.event_at(4 * DAY + 3, "labeled", &newer("c")));
    back(&scene.event_at(4 * DAY + 4, "reopened", &newer("c")));
    // By now the fake's own clock is behind: sweeps are for another pull request.
    scene.open(2);
    scene.sweep(&["--at", END]);
    scene.fake().push(SERVICE, 2, &"d".repeat(40));
    let swept = scene.sweep(&["--at", BEFORE]);
    assert!(
        actions(&swept).contains(&(2, "written".to_owned())),
        "{swept}"
    );
    assert!(scene.file(2).unwrap().contains(&"d".repeat(40)));
}

/// A file that follows a branch does not tell its commit: then only an event of a commit counts.
#[test]
fn expired_without_a_known_commit() {
    let scene = SweepScene::expiring();
    let infra = PullRequest::new(INFRA, 7, &"a".repeat(40), "cache");
    scene.event("opened", &infra);
    scene.fake().open(INFRA, 7, &infra.sha);
    scene.sweep(&["--at", END]);
    scene.fake().push(INFRA, 7, &"b".repeat(40));
    assert_eq!(actions(&scene.sweep(&[])), [(7, "skipped".to_owned())]);
    let newer = infra.at(&"b".repeat(40));
    assert_eq!(
        scene.event_at(4 * DAY, "labeled", &newer)["action"],
        "ignored"
    );
    assert_eq!(
        scene.event_at(4 * DAY, "synchronize", &newer)["action"],
        "created"
    );
}

#[test]
fn expiry_needs_no_answer_but_a_close_comes_first() {
    let scene = SweepScene::expiring();
    scene.open(1);
    scene.open(2);
    scene.fake().close(SERVICE, 2);
    scene.fake().fail(
        &format!("repos/{SERVICE}/pulls"),
        1,
        crate::support::Failure::ServerError,
    );
    let swept = scene.sweeping(&["--at", END]).exited(5).json();
    let expected = [(1, "removed".to_owned()), (2, "unknown".to_owned())];
    assert_eq!(actions(&swept), expected);
}

#[test]
fn closed_is_remembered_before_expired() {
    let scene = SweepScene::expiring();
    let pull_request = scene.open(1);
    scene.fake().close(SERVICE, 1);
    let swept = scene.sweep(&["--at", END]);
    assert_eq!(
        rows(&swept),
        [(1, "removed".to_owned(), "closed".to_owned())]
    );
    assert_eq!(
        (scene.remembered("expired"), scene.remembered("closed")),
        (0, 1)
    );

    // The other way round the close takes the place of the expiry.
    scene.event_at(13 * 60, "reopened", &pull_request);
    scene.fake().reopen(SERVICE, 1);
    scene.sweep(&["--at", "2026-12-24T00:00:00Z"]);
    assert_eq!(
        (scene.remembered("expired"), scene.remembered("closed")),
        (1, 0)
    );
    scene.event_at(14 * 60, "closed", &pull_request);
    assert_eq!(
        (scene.remembered("expired"), scene.remembered("closed")),
        (0, 1)
    );
}

#[test]
fn people_put_the_end_off() {
    let scene = SweepScene::expiring();
    let pull_request = scene.open(1);
    let person = |command: &str, arguments: &[&str]| {
        let mut words = arguments.to_vec();
        words.extend(["--at", "2026-11-22T00:00:00Z"]);
        scene.person(command, 1, &words).succeeded().json()
    };
    let extended = person("extend", &["--by", "24h"]);
    assert_eq!(extended["action"], "updated", "{extended}");
    assert_eq!(extended["reason"], "it expires at 2026-11-25T00:01:00Z");
    assert_expires(&scene, 1, "2026-11-25T00:01:00Z");
    let message = scene
        .scene()
        .manager
        .git(&["log", "-1", "--format=%B", "main"]);
    assert!(message.contains("\nDayfly-Event: extend\n"), "{message}");
    // A person's word is kept: a commit does not bring the end nearer, nor is it stale.
    scene.event_at(10, "synchronize", &pull_request.at(&"b".repeat(40)));
    assert_expires(&scene, 1, "2026-11-25T00:01:00Z");
    assert!(scene.file(1).unwrap().contains(&"b".repeat(40)));

    let file = scene.file(1).unwrap();
    let pinned = person("pin", &[]);
    assert_eq!(pinned["reason"], "it is pinned and does not expire");
    let expected = file
        .replace("\"2026-11-25T00:01:00Z\"", "null")
        .replace("1795564860", "null");
    assert_eq!(
        scene.file(1).unwrap(),
        expected,
        "and nothing else has changed"
    );
    assert_eq!(person("pin", &[])["action"], "ignored");
    let outcome = person("extend", &["--by", "24h"]);
    assert_eq!(outcome["reason"], "it is pinned and does not expire");
    // Later events keep it so, and no sweep takes it.
    scene.event_at(11, "synchronize", &pull_request.at(&"c".repeat(40)));
    assert!(
        scene.file(1).unwrap().contains(&said("null")),
        "{:?}",
        scene.file(1)
    );
    scene.sweep(&["--at", "2036-01-01T00:00:00Z"]);
    assert_eq!(scene.standing(), [1]);

    let unpinned = person("unpin", &[]);
    assert_eq!(unpinned["reason"], "it expires at 2026-11-25T00:00:00Z");
    assert_eq!(person("unpin", &[])["reason"], "it is not pinned");
    // From now, where that is later than the end.
    let late = scene.person("extend", 1, &["--by", "1h", "--at", "2026-11-26T00:00:00Z"]);
    assert_eq!(
        late.succeeded().json()["reason"],
        "it expires at 2026-11-26T01:00:00Z"
    );
    let nobody = scene.person("pin", 99, &[]).exited(2);
    assert!(
        nobody
            .stderr
            .contains("no environment acme/hello-service#99"),
        "{}",
        nobody.stderr
    );
}

#[test]
fn extended_again_after_it_has_gone() {
    let scene = SweepScene::expiring();
    scene.open(1);
    scene.sweep(&["--at", END]);
    let extend = ["--by", "24h", "--at", END];
    let pinned = scene.person("pin", 1, &[]).exited(2);
    assert!(
        pinned.stderr.contains("has expired and is gone"),
        "{}",
        pinned.stderr
    );

    // Without a token nobody knows its commit.
    let id = format!("{SERVICE}#1");
    let mut words = vec!["env", "extend", &id];
    words.extend(extend);
    let refused = scene.github.dayfly(&[], &words).exited(2);
    let hint = "`dayfly env upsert 'acme/hello-service#1' --head-sha SHA --head-branch BRANCH`";
    assert!(refused.stderr.contains(hint), "{}", refused.stderr);

    let asked = scene.fake().requests().len();
    let back = scene.person("extend", 1, &extend).succeeded().json();
    assert_eq!(scene.fake().requests().len(), asked + 1);
    assert_eq!(back["action"], "created", "{back}");
    assert_expires(&scene, 1, "2026-11-25T00:01:00Z");
    assert!(scene.file(1).unwrap().contains(&"a".repeat(40)));
    assert_eq!(scene.remembered("expired"), 0);

    // What has closed is not brought back.
    scene.sweep(&["--at", "2026-12-24T00:00:00Z"]);
    scene.fake().close(SERVICE, 1);
    let closed = scene.person("extend", 1, &extend).succeeded().json();
    assert_eq!(
        (&closed["action"], &closed["reason"]),
        (&"ignored".into(), &"the pull request is closed".into())
    );
    scene.event_at(4 * DAY + 60, "closed", &of(1));
    let gone = scene.person("extend", 1, &extend).exited(2);
    assert!(gone.stderr.contains("no environment"), "{}", gone.stderr);
}

#[test]
fn proposed_where_changes_are_reviewed() {
    let scene = SweepScene::expiring();
    scene.open(1);
    let words = ["env", "pin", "acme/hello-service#1", "--propose"];
    let token = [("DAYFLY_TOKEN", crate::support::TOKEN)];
    let outcome = scene.github.dayfly(&token, &words).succeeded().json();
    assert_eq!(outcome["proposal"]["number"], 1, "{outcome}");
    assert_expires(&scene, 1, END);
}

/// The files are Terraform's own language, with and without an end, and so is the stack's own end
/// on Spacelift.
#[test]
fn terraform_and_the_evaluator_take_both_states() {
    let scene = SweepScene::expiring();
    let scheduled = |text: &str| {
        let mut is_within = false;
        let lines = text.lines().map(|line| {
            is_within |= line.starts_with("# resource \"spacelift_scheduled_delete_stack\"");
            let shown = if is_within {
                line.trim_start_matches('#').trim_start_matches(' ')
            } else {
                line
            };
            is_within &= line != "# }";
            format!("{shown}\n")
        });
        lines.collect::<String>()
    };
    let template = "hello-service/template/main.tf";
    let text = scene.scene().manager.read("main", template).unwrap();
    let text = scheduled(&text);
    assert!(
        text.contains("\nresource \"spacelift_scheduled_delete_stack\" \"expiry\" {"),
        "{text}"
    );
    scene.scene().manager.commit("main", &[(template, &text)]);
    scene.open(1);
    scene.open(2);
    scene.person("pin", 2, &[]).succeeded();
    let plan = scene.scene().plan().succeeded().stdout;
    let ends = plan
        .lines()
        .filter(|line| line.starts_with("  # ") && line.contains("scheduled_delete_stack"));
    assert_eq!(ends.count(), 1, "{plan}");
    scene.scene().dayfly(&["validate"]).succeeded();

    // Terraform itself takes the arguments of the files: it checks them before it needs a provider.
    let clone = scene
        .scene()
        .world
        .clone_of(&scene.scene().manager, "clone");
    let module = clone.join("hello-service/template");
    std::fs::write(module.join("main.tf"), "").unwrap();
    for words in [
        &["init", "-backend=false", "-input=false"][..],
        &["validate"],
    ] {
        let mut command = scene.command("terraform");
        command
            .current_dir(clone.join("hello-service/environments"))
            .args(words);
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }
    let formatted = scene
        .command("terraform")
        .current_dir(&clone)
        .args(["fmt", "-check", "-recursive"])
        .status();
    assert!(formatted.unwrap().success());
}

/// The check of the manager repository takes what the writers of ends write.
#[test]
fn range_check_takes_ends() {
    let scene = SweepScene::expiring();
    let base = scene.scene().manager.tip("main").unwrap();
    scene.open(1);
    scene.open(2);
    scene.person("pin", 1, &[]).succeeded();
    scene.person("extend", 2, &["--by", "24h"]).succeeded();
    scene.sweep(&["--at", "2036-01-01T00:00:00Z"]);
    assert_eq!(scene.standing(), [1]);
    let path = scene.scene().manager.path.to_str().unwrap().to_owned();
    let range = format!("{base}..HEAD");
    let words = [
        "validate",
        "--manager",
        &path,
        "--only-environments",
        &range,
    ];
    scene.scene().world.dayfly(&words).succeeded();
}

/// Rules that expire need a template that has a place for the end.
#[test]
fn template_without_a_place_for_the_end_is_told() {
    let scene = SweepScene::expiring();
    let path = "hello-service/environment.tf.tera";
    let text = scene.scene().manager.read("main", path).unwrap();
    let without: String = text
        .lines()
        .filter(|line| !line.starts_with("  expires_at"))
        .map(|line| format!("{line}\n"))
        .collect();
    scene.scene().manager.commit("main", &[(path, &without)]);
    let output = scene.scene().dayfly(&["validate"]);
    assert_eq!(output.status, 1, "{}", output.stderr);
    let words = format!("{path}:");
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(
        said.contains(&words) && said.contains("must set `expires_at`"),
        "{said}"
    );
}
