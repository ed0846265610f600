//! What a sweep cannot know, and what it does not remove then.

use crate::support::sweep_scene::{SweepScene, actions, of, rows, told};
use crate::support::{Failure, INFRA, MANAGER, SERVICE, Trouble};

const FAILURES: [Failure; 7] = [
    Failure::ServerError,
    Failure::NotFound,
    Failure::Denied,
    Failure::RateLimit,
    Failure::SecondaryLimit,
    Failure::Truncated,
    Failure::Cut,
];

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
    scene.fake().trouble(Some(Trouble::Down));
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
    scene.grant(&[MANAGER, SERVICE, new, INFRA]);
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
        reason.contains("GitHub knows none that the token"),
        "{reason}"
    );
    assert_eq!(scene.standing(), [1]);
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
fn a_list_has_not_noticed_yet_what_closed() {
    let scene = SweepScene::new();
    scene.open(1);
    scene.open(2);
    scene.fake().close(SERVICE, 1);
    scene.fake().fall_behind();
    assert_eq!(
        actions(&scene.sweep(&[])),
        told(&[(1, "removed"), (2, "kept")])
    );
    assert_eq!(scene.standing(), [2]);
}
