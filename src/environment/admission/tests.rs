//! The table of all rules: one row for each way a rule can turn.

use super::*;

fn event(action: Action, change: impl FnOnce(&mut PullRequest)) -> PullRequestEvent {
    let mut pull_request = PullRequest {
        head_branch: "feature".parse().unwrap(),
        base_branch: Some("main".parse().unwrap()),
        head_sha: "68a0e427".parse().unwrap(),
        ..PullRequest::example("acme/hello-service".parse().unwrap())
    };
    change(&mut pull_request);
    PullRequestEvent {
        action,
        pull_request,
        at: None,
        by: None,
    }
}

fn labeled(label: &str) -> Action {
    Action::Labeled(Some(label.to_owned()))
}

fn unlabeled(label: &str) -> Action {
    Action::Unlabeled(Some(label.to_owned()))
}

fn edited(base_changed: bool, ignore_changed: bool) -> Action {
    Action::Edited {
        base_changed,
        ignore_changed,
    }
}

/// What was decided, with `end: ` where the event acts as a close.
fn said(judgement: &Judgement) -> String {
    let word = match &judgement.admission {
        Admission::Take => "take".to_owned(),
        Admission::Refuse(reason) => format!("refuse: {reason}"),
        Admission::Ignore(reason) => format!("ignore: {reason}"),
    };
    if judgement.is_end {
        format!("end: {word}")
    } else {
        word
    }
}

fn patterns(texts: &[&str]) -> Vec<BranchPattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

type Row = (
    Action,
    fn(&mut PullRequest),
    fn(&mut Admit),
    Standing,
    &'static str,
);

#[track_caller]
fn check(rows: &[Row]) {
    for (action, change, set, standing, expected) in rows {
        let mut rules = Admit::default();
        set(&mut rules);
        let event = event(action.clone(), change);
        let judgement = admit(&event, &rules, *standing);
        assert_eq!(said(&judgement), *expected, "{event:?} {standing:?}");
    }
}

fn same(_: &mut PullRequest) {}
fn default(_: &mut Admit) {}

#[test]
fn each_rule_has_its_reason() {
    use Standing::{Elsewhere, Nothing};
    let closed: fn(&mut PullRequest) = |p| p.is_open = false;
    let draft: fn(&mut PullRequest) = |p| p.is_draft = true;
    let no_drafts: fn(&mut Admit) = |a| a.drafts = false;
    let no_preview: fn(&mut PullRequest) = |p| p.labels = vec!["No-Preview".into()];
    let preview: fn(&mut PullRequest) = |p| p.labels = vec!["preview".into()];
    let wants_preview: fn(&mut Admit) = |a| a.labels = vec!["preview".into()];
    let features: fn(&mut Admit) = |a| a.branches = patterns(&["feature/*", "fix/*"]);
    let ignored: fn(&mut PullRequest) = |p| p.asks_for_none = true;
    let bases: fn(&mut Admit) = |a| a.base_branches = patterns(&["main", "release/*"]);
    let develop: fn(&mut PullRequest) = |p| p.base_branch = Some("develop".parse().unwrap());
    check(&[
        // The event.
        (Action::Opened, same, default, Nothing, "take"),
        (Action::Reopened, same, default, Nothing, "take"),
        (Action::Synchronize, same, default, Elsewhere, "take"),
        (Action::ReadyForReview, same, default, Elsewhere, "take"),
        (Action::ConvertedToDraft, draft, default, Elsewhere, "take"),
        (labeled("other"), same, default, Elsewhere, "take"),
        (Action::Labeled(None), same, default, Elsewhere, "take"),
        (unlabeled("other"), same, default, Elsewhere, "take"),
        (edited(true, false), same, default, Elsewhere, "take"),
        (
            Action::Closed,
            closed,
            default,
            Elsewhere,
            "refuse: the pull request was closed",
        ),
        (
            labeled("other"),
            closed,
            default,
            Elsewhere,
            "refuse: the pull request is closed",
        ),
        (
            edited(false, false),
            no_preview,
            default,
            Elsewhere,
            "ignore: an edit of the text changes no environment",
        ),
        (
            Action::Other("assigned".into()),
            no_preview,
            default,
            Elsewhere,
            "ignore: `assigned` changes no environment",
        ),
        // The body.
        (
            edited(false, true),
            ignored,
            default,
            Elsewhere,
            "end: refuse: its body says `dayfly: ignore`",
        ),
        (edited(false, true), same, default, Nothing, "take"),
        (
            Action::Synchronize,
            ignored,
            default,
            Nothing,
            "refuse: its body says `dayfly: ignore`",
        ),
        // Branches.
        (
            Action::Opened,
            |p| p.head_branch = "renovate/x".parse().unwrap(),
            default,
            Nothing,
            "refuse: its branch is ignored (ignore_branches: renovate/*)",
        ),
        (
            Action::Opened,
            |p| p.head_branch = "dependabot/npm/x".parse().unwrap(),
            |a| a.ignore_branches = Vec::new(),
            Nothing,
            "take",
        ),
        (
            Action::Opened,
            |p| p.head_branch = "fix/a/b".parse().unwrap(),
            features,
            Nothing,
            "take",
        ),
        (
            Action::Opened,
            same,
            features,
            Nothing,
            "refuse: its branch `feature` is not taken (branches: feature/*, fix/*)",
        ),
        (Action::Opened, same, bases, Nothing, "take"),
        (
            Action::Opened,
            |p| p.base_branch = Some("release/1".parse().unwrap()),
            bases,
            Nothing,
            "take",
        ),
        (
            Action::Opened,
            |p| p.base_branch = None,
            bases,
            Nothing,
            "take",
        ),
        (
            Action::Opened,
            develop,
            bases,
            Nothing,
            "refuse: its base branch `develop` is not taken (base_branches: main, release/*)",
        ),
        (
            edited(true, false),
            develop,
            bases,
            Elsewhere,
            "end: refuse: its base branch `develop` is not taken (base_branches: main, release/*)",
        ),
        (edited(true, false), same, bases, Nothing, "take"),
        // Drafts.
        (Action::Opened, draft, default, Nothing, "take"),
        (
            Action::Opened,
            draft,
            no_drafts,
            Nothing,
            "refuse: it is a draft (drafts = false)",
        ),
        (
            Action::ConvertedToDraft,
            draft,
            no_drafts,
            Elsewhere,
            "end: refuse: it is a draft (drafts = false)",
        ),
        (Action::ReadyForReview, same, no_drafts, Nothing, "take"),
        // Labels.
        (
            labeled("no-preview"),
            no_preview,
            default,
            Elsewhere,
            "end: refuse: it has the label `no-preview` (exclude_labels)",
        ),
        (
            Action::Synchronize,
            no_preview,
            default,
            Elsewhere,
            "refuse: it has the label `no-preview` (exclude_labels)",
        ),
        (unlabeled("no-preview"), same, default, Nothing, "take"),
        (
            Action::Opened,
            same,
            wants_preview,
            Nothing,
            "refuse: it lacks the label `preview` (labels)",
        ),
        (
            unlabeled("Preview"),
            same,
            wants_preview,
            Elsewhere,
            "end: refuse: it lacks the label `preview` (labels)",
        ),
        (
            unlabeled("other"),
            same,
            wants_preview,
            Elsewhere,
            "refuse: it lacks the label `preview` (labels)",
        ),
        (labeled("preview"), preview, wants_preview, Nothing, "take"),
    ]);
}

#[test]
fn a_fork_is_bound_to_its_approved_commit() {
    use Standing::{AtHead, Elsewhere, Nothing};
    let fork: fn(&mut PullRequest) = |p| p.is_fork = true;
    let approved: fn(&mut PullRequest) = |p| {
        p.is_fork = true;
        p.labels = vec!["ok-to-test".into(), "other".into()];
    };
    let label: fn(&mut Admit) = |a| {
        a.forks = Forks::Label;
        a.fork_label = "ok-to-test".into();
    };
    let allow: fn(&mut Admit) = |a| a.forks = Forks::Allow;
    const DENIED: &str = "refuse: its head is in a fork (forks = \"deny\")";
    const NONE: &str = "refuse: its head is in a fork, the label `ok-to-test` approves its commit \
                        (forks = \"label\")";
    const NEW: &str = "refuse: commit 68a0e427 of a fork is not approved, remove the label \
                       `ok-to-test` and set it again (forks = \"label\")";
    const STAYS: &str = "ignore: commit 68a0e427 of a fork is not approved, the environment stays \
                         at the one that is: remove the label `ok-to-test` and set it again \
                         (forks = \"label\")";
    const IS_THERE: &str = "ignore: the environment stands at its approved commit 68a0e427 (forks \
                            = \"label\")";
    const GONE: &str =
        "refuse: it lacks the label `ok-to-test` that approved its commit (forks = \"label\")";
    const ENDED: &str = "end: refuse: it lacks the label `ok-to-test` that approved its commit \
                         (forks = \"label\")";
    const NEVER: &str = "end: refuse: its head is in a fork, the label `ok-to-test` approves its \
                         commit (forks = \"label\")";
    check(&[
        (Action::Opened, fork, default, Nothing, DENIED),
        (labeled("preview"), fork, default, Nothing, DENIED),
        (Action::Opened, fork, allow, Nothing, "take"),
        // The approval, and it alone.
        (labeled("ok-to-test"), approved, label, Nothing, "take"),
        (labeled("OK-to-test"), approved, label, Elsewhere, "take"),
        (labeled("ok-to-test"), approved, label, AtHead, "take"),
        (Action::Opened, fork, label, Nothing, NONE),
        (Action::Synchronize, fork, label, Nothing, NONE),
        (labeled("other"), fork, label, Nothing, NONE),
        (Action::Opened, approved, label, Nothing, NEW),
        (Action::Synchronize, approved, label, Nothing, NEW),
        (Action::Reopened, approved, label, Nothing, NEW),
        (Action::ReadyForReview, approved, label, Nothing, NEW),
        (edited(true, false), approved, label, Nothing, NEW),
        (labeled("other"), approved, label, Nothing, NEW),
        (Action::Labeled(None), approved, label, Nothing, NEW),
        // What stands stays where it was approved.
        (Action::Synchronize, approved, label, Elsewhere, STAYS),
        (Action::Opened, approved, label, Elsewhere, STAYS),
        (Action::Reopened, approved, label, Elsewhere, STAYS),
        (edited(true, false), approved, label, Elsewhere, STAYS),
        (labeled("other"), approved, label, Elsewhere, STAYS),
        (Action::ReadyForReview, approved, label, AtHead, IS_THERE),
        // The label was removed meanwhile, or its removal was never heard of.
        (labeled("ok-to-test"), fork, label, Nothing, NONE),
        (unlabeled("ok-to-test"), fork, label, Elsewhere, ENDED),
        (unlabeled("ok-to-test"), fork, label, Nothing, NEVER),
        (Action::Synchronize, fork, label, AtHead, GONE),
        // It is removed and set again: the approval has an event of its own.
        (unlabeled("ok-to-test"), approved, label, Elsewhere, STAYS),
        // The other rules apply to it as to any.
        (
            labeled("ok-to-test"),
            |p| {
                p.is_fork = true;
                p.is_draft = true;
                p.labels = vec!["ok-to-test".into()];
            },
            |a| {
                a.forks = Forks::Label;
                a.fork_label = "ok-to-test".into();
                a.drafts = false;
            },
            Nothing,
            "refuse: it is a draft (drafts = false)",
        ),
        (
            Action::Synchronize,
            |p| {
                p.is_fork = true;
                p.labels = vec!["ok-to-test".into(), "no-preview".into()];
            },
            label,
            Elsewhere,
            "refuse: it has the label `no-preview` (exclude_labels)",
        ),
        (
            Action::Closed,
            approved,
            label,
            Elsewhere,
            "refuse: the pull request was closed",
        ),
    ]);
}

#[test]
fn only_where_it_comes_from_is_for_life() {
    type Case = (fn(&mut PullRequest), fn(&mut Admit), bool);
    let fork: fn(&mut PullRequest) = |p| p.is_fork = true;
    let rows: [Case; 7] = [
        (same, default, false),
        (fork, default, true),
        (fork, |a| a.forks = Forks::Label, false),
        (fork, |a| a.forks = Forks::Allow, false),
        (
            |p| p.head_branch = "renovate/x".parse().unwrap(),
            default,
            true,
        ),
        (same, |a| a.branches = patterns(&["fix/*"]), true),
        (
            |p| {
                p.is_draft = true;
                p.asks_for_none = true;
            },
            |a| {
                a.drafts = false;
                a.labels = vec!["preview".into()];
                a.base_branches = patterns(&["develop"]);
            },
            false,
        ),
    ];
    for (change, set, expected) in rows {
        let mut rules = Admit::default();
        set(&mut rules);
        let pull_request = event(Action::Closed, change).pull_request;
        let refusal = refusal_for_life(&pull_request, &rules);
        assert_eq!(refusal.is_some(), expected, "{pull_request:?}");
    }
}

#[test]
fn each_rule_is_listed_as_it_was_judged() {
    let listed = |event: &PullRequestEvent| -> Vec<String> {
        let rules = admit(event, &Admit::default(), Standing::Nothing).rules;
        let lines = rules
            .iter()
            .map(|rule| format!("{} {} {:?}", rule.rule, rule.value, rule.verdict));
        lines.collect()
    };
    let draft = event(Action::Opened, |p| p.labels = vec!["no-preview".into()]);
    assert_eq!(
        listed(&draft),
        [
            "event \"opened\" Passes",
            "body \"dayfly: ignore\" Passes",
            "forks \"deny\" NotAsked",
            "branches [] Passes",
            "ignore_branches [\"dependabot/*\",\"renovate/*\"] Passes",
            "base_branches [] Passes",
            "drafts true Passes",
            "exclude_labels [\"no-preview\"] Refuses",
            "labels [] Passes",
        ]
    );
    let closed = listed(&event(Action::Closed, same));
    assert_eq!(closed[0], "event \"closed\" Refuses");
    assert!(closed[1..].iter().all(|line| line.ends_with(" NotAsked")));
}

#[test]
fn a_limit_names_who_would_have_to_go_first() {
    let file = |name: &str, at: Option<&str>| {
        let at = at
            .map(|at| format!("event_at = \"{at}\"\n"))
            .unwrap_or_default();
        let text = format!("module \"{name}\" {{\n{at}}}\n");
        EnvironmentFile::read(&format!("s/environments/{name}.tf"), &text)
            .unwrap()
            .unwrap()
    };
    let by_hand = file("by-hand", None);
    let newer = file("newer", Some("2026-11-21T09:00:01Z"));
    let older = file("older", Some("2026-11-21T09:00:00Z"));
    for (limit, standing, expected) in [
        (3, vec![&by_hand, &newer], None),
        (
            3,
            vec![&by_hand, &newer, &older],
            Some(
                "the limit is reached (limit = 3, 3 stand): one would have to go first, the oldest is older \
                 of 2026-11-21T09:00:00Z",
            ),
        ),
        (
            1,
            vec![&by_hand],
            Some(
                "the limit is reached (limit = 1, 1 stand): one would have to go first, the oldest is \
                 by-hand",
            ),
        ),
        (0, vec![], Some("no environment may stand (limit = 0)")),
    ] {
        let judged = judge_limit(limit, standing.len(), &standing);
        assert_eq!(judged.reason.as_deref(), expected);
        assert_eq!(judged.verdict == Verdict::Refuses, expected.is_some());
    }
}
