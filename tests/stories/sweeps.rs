//! Events get lost; a sweep finds out, and proves before it removes.

use serde_json::Value;

use crate::support::sweep_scene::{SweepScene, actions, of, rows, told};
use crate::support::web_server::answer;
use crate::support::{Failure, INFRA, MANAGER, PullRequest, SERVICE, WebServer};

#[test]
fn webhook_was_lost_sweep_heals() {
    let scene = SweepScene::new();
    let fake = scene.fake();
    for number in [1, 2, 3, 5] {
        scene.open(number);
    }
    // What happens now, nobody tells.
    let newer = "b".repeat(40);
    fake.close(SERVICE, 2);
    fake.close(SERVICE, 3);
    fake.open(SERVICE, 4, &newer);
    fake.push(SERVICE, 5, &newer);
    fake.open(SERVICE, 6, &newer);
    fake.name_branch(SERVICE, 6, "renovate/all");
    fake.open(INFRA, 7, &newer);
    let before = scene.scene().world.server.counts();

    let swept = scene.sweep(&[]);
    let expected = [
        (1, "kept"),
        (2, "removed"),
        (3, "removed"),
        (4, "written"),
        (5, "written"),
        (7, "written"),
    ];
    assert_eq!(actions(&swept), told(&expected));
    assert_eq!(scene.standing(), [1, 4, 5, 7]);
    assert!(
        scene.file(5).unwrap().contains(&newer),
        "{:?}",
        scene.file(5)
    );
    assert!(scene.file(7).unwrap().contains("\"change-7\""));
    let after = scene.scene().world.server.counts();
    assert_eq!(
        after.branch_pushes - before.branch_pushes,
        1,
        "all of it in one push"
    );
    let log = [
        "log",
        "-5",
        "--format=%s|%(trailers:key=Dayfly-Event,valueonly,separator=%x2C)",
        "main",
    ];
    let log = scene.scene().manager.git(&log);
    for line in [
        "hello-service: remove acme/hello-service#2|closed",
        "hello-service: remove acme/hello-service#3|closed",
        "hello-service: open acme/hello-service#4|seen",
        "hello-service: update acme/hello-service#5|seen",
        "hello-service: open acme/hello-infra#7|seen",
    ] {
        assert!(log.lines().any(|one| one == line), "{line} in {log}");
    }
    // Two listings, and an answer of each pull request that is in none.
    assert_eq!(swept["requests"], 4);
    assert_eq!(scene.remembered("closed"), 2);

    // What was lost may still arrive: it is late by now.
    for action in ["synchronize", "closed"] {
        let late = scene.event(action, &of(2));
        assert!(late["commit"].is_null(), "{late}");
    }
    let tip = scene.scene().manager.tip("main");
    let again = scene.sweep(&[]);
    let expected = [(1, "kept"), (4, "kept"), (5, "kept"), (7, "kept")];
    assert_eq!(actions(&again), told(&expected));
    assert_eq!(scene.scene().manager.tip("main"), tip, "no needless write");
    fake.reopen(SERVICE, 2);
    let healed = scene.sweep(&[]);
    assert!(
        actions(&healed).contains(&(2, "written".to_owned())),
        "{healed}"
    );
    assert_eq!(scene.remembered("closed"), 1);
}

/// GitHub sends no `closed` of a pull request with a conflict to `pull_request` workflows.
#[test]
fn closed_with_conflict() {
    let scene = SweepScene::new();
    let pull_request = scene.open(1);
    scene.fake().close(SERVICE, 1);
    let swept = scene.sweep(&[]);
    let expected = (1, "removed".to_owned(), "closed".to_owned());
    assert_eq!(rows(&swept), [expected]);
    assert_eq!(scene.standing(), [0; 0]);
    let evening = 20 * 60;
    assert_eq!(
        scene.event_at(evening, "reopened", &pull_request)["action"],
        "created"
    );
}

#[test]
fn reopened_between_answer_and_push() {
    let scene = SweepScene::new();
    let pull_request = scene.open(1);
    scene.fake().close(SERVICE, 1);
    let (held, child) = scene.sweep_held();
    // GitHub has said that it is closed; then somebody reopens it, and the event is faster.
    scene.fake().reopen(SERVICE, 1);
    scene.event_at(20 * 60, "reopened", &pull_request);
    held.release();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let swept: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [(_, action, reason)] = &rows(&swept)[..] else {
        panic!("{swept}")
    };
    assert_eq!(action, "kept");
    assert!(reason.starts_with("stale: "), "{reason}");
    assert_eq!(scene.standing(), [1]);
}

/// What is seen is judged again where it is written: a refusal by new rules takes nothing away.
#[test]
fn rules_change_between_answer_and_push() {
    let scene = SweepScene::new();
    scene.open(1);
    scene.fake().push(SERVICE, 1, &"b".repeat(40));
    let (held, child) = scene.sweep_held();
    scene.set("labels          = []", "labels          = [\"preview\"]");
    held.release();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let swept: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [(1, action, reason)] = &rows(&swept)[..] else {
        panic!("{swept}")
    };
    assert_eq!(action, "kept");
    assert!(reason.contains("it lacks the label"), "{reason}");
    assert_eq!(scene.standing(), [1]);
}

#[test]
fn mass_deletion_waits() {
    let scene = SweepScene::new();
    for number in 1..=12 {
        scene.open(number);
        scene.fake().close(SERVICE, number);
    }
    scene.fake().open(SERVICE, 20, &"a".repeat(40));
    let all: Vec<u64> = (1..=12).collect();
    let output = scene.sweeping(&[]).exited(3);
    assert!(
        output
            .stderr
            .contains("12 of 12 environments would be removed"),
        "{}",
        output.stderr
    );
    assert!(
        output.stderr.contains("--allow-deletions 12"),
        "{}",
        output.stderr
    );
    let swept = output.json();
    assert_eq!(
        (&swept["counts"]["waiting"], &swept["counts"]["written"]),
        (&12.into(), &1.into())
    );
    let with_new: Vec<u64> = all.iter().copied().chain([20]).collect();
    assert_eq!(
        scene.standing(),
        with_new,
        "what is missed is written all the same"
    );

    scene.sweeping(&["--allow-deletions", "11"]).exited(3);
    assert_eq!(scene.standing(), with_new);
    let before = scene.scene().world.server.counts();
    scene.sweep(&["--allow-deletions", "12"]);
    let after = scene.scene().world.server.counts();
    assert_eq!(after.branch_pushes - before.branch_pushes, 1);
    assert_eq!(scene.standing(), [20]);
}

#[test]
fn forks_are_written_only_where_they_are_allowed() {
    for (forks, written) in [("deny", false), ("label", false), ("allow", true)] {
        let scene = SweepScene::new();
        scene.set(
            "forks           = \"deny\"",
            &format!("forks           = \"{forks}\""),
        );
        scene.fake().open(SERVICE, 1, &"a".repeat(40));
        scene.fake().make_fork(SERVICE, 1);
        // The approval may have been of another commit.
        scene.fake().label(SERVICE, 1, "preview");
        let swept = scene.sweep(&[]);
        assert_eq!(
            scene.standing(),
            vec![1; usize::from(written)],
            "{forks}: {swept}"
        );
    }
}

#[test]
fn open_pull_request_that_rules_refuse_is_left_alone() {
    let scene = SweepScene::new();
    scene.open(1);
    scene.fake().label(SERVICE, 1, "no-preview");
    scene.fake().push(SERVICE, 1, &"b".repeat(40));
    assert_eq!(actions(&scene.sweep(&[])), told(&[(1, "kept")]));
}

/// Anybody may name a branch of a fork so that no reader of Git's rules takes it.
#[test]
fn strange_branch_stops_nobody_else() {
    let scene = SweepScene::new();
    scene.open(1);
    scene.open(2);
    scene.fake().close(SERVICE, 2);
    scene.fake().open(SERVICE, 3, &"a".repeat(40));
    scene.fake().name_branch(SERVICE, 3, "-x");
    let swept = scene.sweep(&[]);
    assert_eq!(actions(&swept), told(&[(1, "kept"), (2, "removed")]));
}

#[test]
fn nobody_answers_without_a_token() {
    let scene = SweepScene::new();
    scene.open(1);
    let output = scene.github.dayfly(&[], &["sweep"]).exited(2);
    assert!(
        output
            .stderr
            .contains("no token that may read pull requests"),
        "{}",
        output.stderr
    );
}

#[test]
fn app_reads_the_sources_with_a_token_of_its_own() {
    const KEY: &str = include_str!("../fixtures/github-app.pem");
    let scene = SweepScene::new();
    let grant = crate::support::Grant::new(
        &[MANAGER, SERVICE, INFRA],
        &[("contents", "write"), ("pull_requests", "write")],
    );
    scene.fake().install_app("Iv23abc", KEY, 99, grant);
    scene.open(1);
    scene.fake().close(SERVICE, 1);
    let app = [("DAYFLY_APP_ID", "Iv23abc"), ("DAYFLY_APP_KEY", KEY)];
    let swept = scene.github.dayfly(&app, &["sweep"]).succeeded().json();
    assert_eq!(actions(&swept), told(&[(1, "removed")]));
    let given = scene.fake().given_tokens();
    let mut permissions: Vec<String> = given
        .iter()
        .map(|(_, grant)| format!("{:?} {:?}", grant.permissions, grant.repositories))
        .collect();
    permissions.sort();
    assert_eq!(
        permissions,
        [
            r#"{"contents": "write"} ["acme/previews"]"#,
            r#"{"pull_requests": "read"} ["acme/previews", "acme/hello-service", "acme/hello-infra"]"#,
        ]
    );
}

/// A terminal, as `script` makes one.
#[test]
fn terminal_gets_a_dry_run() {
    let scene = SweepScene::new();
    for number in 1..=9 {
        scene.open(number);
    }
    scene.fake().close(SERVICE, 1);
    scene.fake().open(SERVICE, 20, &"b".repeat(40));
    scene
        .fake()
        .fail(&format!("repos/{INFRA}/pulls"), 1, Failure::ServerError);
    let infra = PullRequest::new(INFRA, 7, &"c".repeat(40), "cache");
    scene.event("opened", &infra);
    let on_terminal = |arguments: &str| {
        let dayfly = env!("CARGO_BIN_EXE_dayfly");
        let sweep = format!("stty cols 80; {dayfly} sweep {arguments}");
        let mut command = scene.command("script");
        command.args(["--quiet", "--return", "--command", &sweep, "/dev/null"]);
        let output = command
            .env("SHELL", "/bin/sh")
            .env("TERM", "dumb")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        anstream::adapter::strip_str(&text)
            .to_string()
            .replace('\r', "")
    };
    let tip = scene.scene().manager.tip("main");
    let dry = on_terminal("");
    assert_eq!(scene.scene().manager.tip("main"), tip);
    let acted = on_terminal("--yes");
    assert_eq!(scene.standing(), [2, 3, 4, 5, 6, 7, 7, 8, 9, 20]);
    insta::assert_snapshot!(format!(
        "$ dayfly sweep\n{dry}\n$ dayfly sweep --yes\n{acted}"
    ));
}

#[test]
fn what_is_not_built_is_not_written() {
    let (built, unbuilt) = ("a".repeat(40), "b".repeat(40));
    let path = format!("/builds/{built}.zip");
    let server = WebServer::start(move |_, asked, _| match asked == path {
        true => answer("200 OK", b""),
        false => answer("404 Not Found", b""),
    });
    let scene = SweepScene::new();
    let rule = format!(
        "artifact = \"{}\"\n# expire {{",
        server.url("builds/${code_version}.zip")
    );
    scene.set("# expire {", &rule);
    scene.fake().open(SERVICE, 1, &built);
    scene.fake().open(SERVICE, 2, &unbuilt);
    let swept = scene.sweep(&[]);
    let expected = [(1, "written".to_owned()), (2, "skipped".to_owned())];
    assert_eq!(actions(&swept), expected, "{swept}");
    let reason = &rows(&swept)[1].2;
    let address = server.url(&format!("builds/{unbuilt}.zip"));
    assert!(
        reason.ends_with(&format!("its artifact {address} is not there")),
        "{reason}"
    );
    assert_eq!(scene.standing(), [1]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn what_would_have_expired_is_not_written() {
    let scene = SweepScene::expiring();
    scene.fake().open(SERVICE, 1, &"a".repeat(40));
    let late = scene.sweep(&["--at", "2026-11-25T00:00:00Z"]);
    assert_eq!(actions(&late), [(1, "skipped".to_owned())], "{late}");
    assert!(rows(&late)[0].2.contains("would have expired"), "{late}");
    assert_eq!(scene.standing(), [0; 0]);
    let early = scene.sweep(&["--at", "2026-11-22T00:00:00Z"]);
    assert_eq!(actions(&early), [(1, "written".to_owned())], "{early}");
}
