//! Events get lost; a sweep finds out, and proves before it removes.

use serde_json::Value;

use crate::support::sweep_scene::{SweepScene, actions, of, rows};
use crate::support::{Failure, Hold, INFRA, MANAGER, PullRequest, SERVICE};

const FAILURES: [Failure; 7] = [
    Failure::ServerError,
    Failure::NotFound,
    Failure::Denied,
    Failure::RateLimit,
    Failure::SecondaryLimit,
    Failure::Truncated,
    Failure::Cut,
];

fn told(rows: &[(u64, &str)]) -> Vec<(u64, String)> {
    let rows = rows.iter();
    rows.map(|(number, action)| (*number, (*action).to_owned()))
        .collect()
}

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

/// Three pages of pull requests; environments of an open one on each, and of one that has closed.
fn three_pages() -> SweepScene {
    let scene = SweepScene::new();
    let sha = "a".repeat(40);
    scene.fake().open_all(SERVICE, 1..=250, &sha);
    for number in (1..=250).filter(|number| ![1, 150, 250].contains(number)) {
        scene.fake().name_branch(SERVICE, number, "renovate/all");
    }
    for number in [1, 150, 250, 1_000] {
        scene.event("opened", &of(number));
    }
    scene.fake().open(SERVICE, 1_000, &sha);
    scene.fake().close(SERVICE, 1_000);
    scene
}

#[test]
fn listing_fails_nothing_is_deleted() {
    let scene = three_pages();
    let fake = scene.fake();
    let all = [1, 150, 250, 1_000];
    let tip = scene.scene().manager.tip("main");
    let pulls = format!("repos/{SERVICE}/pulls");
    for failure in FAILURES {
        for page in 1..=3 {
            fake.fail(&pulls, page, failure);
            let swept = scene.sweeping(&[]).exited(5).json();
            let said = format!("{failure:?} at page {page}: {swept}");
            assert_eq!(scene.standing(), all, "{said}");
            // What stands on the pages before is known to be open.
            let places = [1, 2, 3, 4].map(|own| if own < page { "kept" } else { "unknown" });
            let expected: Vec<(u64, &str)> = all.into_iter().zip(places).collect();
            assert_eq!(actions(&swept), told(&expected), "{said}");
            fake.recover();
        }
        // All pages come, but the closed one does not say so itself.
        fake.fail(&format!("{pulls}/1000"), 1, failure);
        let swept = scene.sweeping(&[]).exited(5).json();
        let expected = [
            (1, "kept"),
            (150, "kept"),
            (250, "kept"),
            (1_000, "unknown"),
        ];
        assert_eq!(actions(&swept), told(&expected), "{failure:?}: {swept}");
        fake.recover();
    }
    // A list that lacks something, or all, proves nothing: what is open says so itself.
    fake.fail(&format!("{pulls}/1000"), 1, Failure::Empty);
    for page in 1..=3 {
        fake.fail(&pulls, page, Failure::Empty);
        let swept = scene.sweeping(&[]).exited(5).json();
        let expected = [
            (1, "kept"),
            (150, "kept"),
            (250, "kept"),
            (1_000, "unknown"),
        ];
        assert_eq!(actions(&swept), told(&expected), "page {page}: {swept}");
    }
    assert_eq!(scene.scene().manager.tip("main"), tip);

    fake.recover();
    let swept = scene.sweep(&[]);
    assert_eq!(
        swept["requests"], 5,
        "three pages, the other list, and one answer"
    );
    assert_eq!(scene.standing(), [1, 150, 250]);
}

/// Nobody can tell what was missed in a repository that is unlisted, though no environment is its.
#[test]
fn repository_without_environments_is_unlisted() {
    let scene = SweepScene::new();
    let pulls = format!("repos/{INFRA}/pulls");
    scene.fake().fail(&pulls, 1, Failure::NotFound);
    let swept = scene.sweeping(&[]).exited(5).json();
    assert_eq!(swept["unlisted"][0]["repository"], INFRA, "{swept}");
}

#[test]
fn server_is_silent() {
    let scene = SweepScene::new();
    scene.open(1);
    scene.fake().trouble(Some(crate::support::Trouble::Down));
    let swept = scene.sweeping(&[]).exited(5).json();
    assert_eq!(actions(&swept), told(&[(1, "unknown")]));
    assert_eq!(scene.standing(), [1]);

    // After three repositories it is given up.
    let sources: String = (0..9)
        .map(|n| format!("source \"acme/other-{n}\" {{}}\n"))
        .collect();
    let rules = sources;
    scene
        .scene()
        .manager
        .commit("main", &[("other/service.hcl", &rules)]);
    let before = scene.fake().requests().len();
    let swept = scene.sweeping(&[]).exited(5).json();
    assert_eq!(swept["unlisted"].as_array().unwrap().len(), 11, "{swept}");
    assert_eq!(scene.fake().requests().len() - before, 3);
}

#[test]
fn limit_runs_out_only_what_was_proved_goes() {
    let scene = SweepScene::new();
    for number in 1..=3 {
        scene.open(number);
        scene.fake().close(SERVICE, number);
    }
    // Two lists and two answers.
    scene.fake().set_remaining(4);
    let swept = scene.sweeping(&[]).exited(5).json();
    let expected = [(1, "removed"), (2, "removed"), (3, "unknown")];
    assert_eq!(actions(&swept), told(&expected));
    let reason = &rows(&swept)[2].2;
    assert!(reason.contains("rate limit is used up until"), "{reason}");
    assert_eq!(swept["unlisted"], serde_json::json!([]));
    assert_eq!(
        (&swept["requests"], &swept["requests_left"]),
        (&4.into(), &0.into())
    );
    assert_eq!(
        scene.fake().requests().len(),
        4,
        "nothing is asked beyond the limit"
    );
}

#[test]
fn repository_is_not_what_it_was() {
    let scene = SweepScene::new();
    let fake = scene.fake();
    scene.open(1);
    scene.open(2);
    fake.close(SERVICE, 2);
    let unknown = |words: &str| {
        let swept = scene.sweeping(&[]).exited(5).json();
        assert_eq!(swept["counts"]["unknown"], 2, "{swept}");
        let reason = swept["unlisted"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(words), "{reason}");
        assert_eq!(scene.standing(), [1, 2]);
    };
    let new = "acme/renamed";
    fake.rename(SERVICE, new);
    unknown("another name");

    // Named as it is now, it is known again, and its closed pull request goes.
    let rules = scene
        .scene()
        .manager
        .read("main", "hello-service/service.hcl")
        .unwrap();
    let named = rules.replace(
        &format!("source \"{SERVICE}\" {{"),
        &format!("source \"{new}\" {{\n  former_names = [\"{SERVICE}\"]"),
    );
    scene
        .scene()
        .manager
        .commit("main", &[("hello-service/service.hcl", &named)]);
    assert_eq!(
        actions(&scene.sweep(&[])),
        told(&[(1, "kept"), (2, "removed")])
    );

    // Another repository takes a name: its pull requests are not those of the first.
    scene
        .scene()
        .manager
        .commit("main", &[("hello-service/service.hcl", &rules)]);
    fake.repository(SERVICE, 999, None);
    fake.open(SERVICE, 1, &"c".repeat(40));
    let swept = scene.sweeping(&[]).exited(5).json();
    assert_eq!(actions(&swept), told(&[(1, "unknown")]));
    fake.close(SERVICE, 1);
    let swept = scene.sweeping(&[]).exited(5).json();
    assert_eq!(actions(&swept), told(&[(1, "unknown")]));

    fake.delete_repository(SERVICE);
    fake.delete_repository(new);
    let swept = scene.sweeping(&[]).exited(5).json();
    let reason = swept["unlisted"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("GitHub knows none that this token may see"),
        "{reason}"
    );
    assert_eq!(scene.standing(), [1]);
}

#[test]
fn reopened_between_answer_and_push() {
    let scene = SweepScene::new();
    let pull_request = scene.open(1);
    scene.fake().close(SERVICE, 1);
    let mut is_first = true;
    let held = scene
        .scene()
        .world
        .server
        .hold(Hold::Before, move |path, _| {
            path.ends_with("git-receive-pack") && std::mem::take(&mut is_first)
        });
    let mut command = scene.command(env!("CARGO_BIN_EXE_dayfly"));
    command.args(["sweep", "--output", "json"]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    held.wait();
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
        (&swept["counts"]["waits"], &swept["counts"]["written"]),
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
fn what_cannot_be_read_is_not_absent() {
    let scene = SweepScene::new();
    scene.open(1);
    scene.fake().close(SERVICE, 1);
    let environments = "hello-service/environments";
    let broken = format!("{environments}/acme-hello-service-9-00000009.tf");
    let mine = format!("{environments}/mine.tf");
    let text =
        "module \"mine\" {\n  source      = \"../template\"\n  environment = \"feed1234\"\n}\n";
    scene
        .scene()
        .manager
        .commit("main", &[(&broken, "module {"), (&mine, text)]);
    let swept = scene.sweeping(&[]).exited(5).json();
    assert_eq!(swept["counts"]["unknown"], 2, "{swept}");
    assert_eq!(swept["counts"]["removed"], 1, "{swept}");
    let files = scene.scene().manager.files("main");
    assert!(files.contains(&broken) && files.contains(&mine));
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
