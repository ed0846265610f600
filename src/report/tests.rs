use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::*;
use crate::escape::escaped;
use crate::event::PullRequest;
use crate::manager::Particulars;

fn event(action: Action) -> PullRequestEvent {
    let mut pull_request = PullRequest::example("acme/hello-service".parse().unwrap());
    pull_request.id.number = 10;
    pull_request.head_sha = "68a0e427aba817ba6f79a76f71c0f0ad710735db".parse().unwrap();
    PullRequestEvent {
        action,
        pull_request,
        at: "2026-11-21T09:00:00Z".parse().ok(),
        by: None,
    }
}

fn outcome(action: OutcomeAction) -> Outcome {
    let stands = !matches!(action, OutcomeAction::Ignored | OutcomeAction::Absent);
    let text = |text: &str| Some(text.to_owned()).filter(|_| stands);
    Outcome {
        action,
        reason: None,
        service: Some("hello-service".to_owned()),
        environment: text("ca6d5eab"),
        path: text("hello-service/environments/acme-hello-service-10-ca6d5eab.tf"),
        commit: text("1f0c0de5d4f1b2a3948576a0b1c2d3e4f5061728"),
        url: text("https://ca6d5eab.hello-service.preview.example.com"),
        proposal: None,
        over_limit: false,
        particulars: Box::new(Particulars {
            comments: true,
            rule: None,
            inputs: vec![
                (
                    "code_version".to_owned(),
                    "68a0e427aba817ba6f79a76f71c0f0ad710735db".to_owned(),
                ),
                ("infra_repository_branch".to_owned(), "main".to_owned()),
            ],
            expires_at: None,
            exclude_labels: vec!["no-preview".to_owned()],
        }),
    }
}

fn links() -> Links {
    let page = |rest: &str| Some(format!("https://github.com/acme/{rest}"));
    Links {
        head: page("hello-service/commit/68a0e427aba817ba6f79a76f71c0f0ad710735db"),
        file: page(
            "previews/blob/1f0c0de5d4f1b2a3948576a0b1c2d3e4f5061728/hello-service/environments/\
             acme-hello-service-10-ca6d5eab.tf",
        ),
        commit: page("previews/commit/1f0c0de5d4f1b2a3948576a0b1c2d3e4f5061728"),
    }
}

/// The report of each kind of outcome, by a name.
fn reports() -> Vec<(&'static str, Report)> {
    let mut expiring = outcome(OutcomeAction::Updated);
    expiring.particulars.expires_at = "2026-11-24T09:00:00Z".parse().ok();
    let mut proposed = outcome(OutcomeAction::Created);
    proposed.proposal = Some(Proposal {
        number: 5,
        url: "https://github.com/acme/previews/pull/5".to_owned(),
    });
    let removal = Outcome {
        action: OutcomeAction::Deleted,
        ..proposed.clone()
    };
    let with = |mut outcome: Outcome, reason: &str| {
        outcome.reason = Some(reason.to_owned());
        outcome
    };
    let standing = Outcome {
        action: OutcomeAction::Ignored,
        commit: None,
        ..outcome(OutcomeAction::Updated)
    };
    [
        ("written", outcome(OutcomeAction::Created)),
        ("written, and expires", expiring),
        ("proposed", proposed),
        (
            "removal proposed",
            with(removal, "the pull request was closed"),
        ),
        ("unchanged", outcome(OutcomeAction::Unchanged)),
        (
            "removed",
            with(
                outcome(OutcomeAction::Deleted),
                "the pull request was closed",
            ),
        ),
        ("absent", outcome(OutcomeAction::Absent)),
        (
            "ignored",
            with(
                outcome(OutcomeAction::Ignored),
                "the limit is reached (limit = 1, 1 stand): one would have to go first, the oldest \
                 is acme-hello-service-9-5d41c2f0",
            ),
        ),
        (
            "ignored beside one that stands",
            with(
                standing,
                "commit 9c1185a5c5e9fc54612808977ee8f548b2258d31 of a fork is not approved, the \
                 environment stays at the one that is: remove the label `preview` and set it again \
                 (forks = \"label\")",
            ),
        ),
    ]
    .into_iter()
    .map(|(name, mut outcome)| {
        if outcome.action == OutcomeAction::Ignored {
            let rule = if name == "ignored" { "limit" } else { "forks" };
            let mut judged = crate::environment::limit_not_asked(1);
            judged.rule = rule;
            outcome.particulars.rule = Some(judged);
        }
        let links = match outcome.commit {
            Some(_) => links(),
            None => Links::default(),
        };
        (
            name,
            Report::new(&event(Action::Synchronize), &outcome, links),
        )
    })
    .collect()
}

#[test]
fn how_each_state_reads() {
    let all: String = reports()
        .iter()
        .map(|(name, report)| {
            let (comment, summary) = (report.comment(), report.summary());
            format!("=== {name}: comment\n{comment}\n=== {name}: summary\n{summary}\n")
        })
        .collect();
    insta::assert_snapshot!(all);
}

#[test]
fn the_readme_shows_the_comment_as_it_is() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (_, report) = reports().swap_remove(1);
    let quoted: String = report
        .comment()
        .lines()
        .map(|line| format!("> {line}").trim_end().to_owned() + "\n")
        .collect();
    assert!(readme.contains(&quoted), "README.md is to show:\n{quoted}");
}

#[test]
fn who_is_told_what() {
    use crate::environment::{Standing, admit, judge_limit};
    let told = |action, rule: Option<Judged>| {
        let mut outcome = outcome(action);
        outcome.particulars.rule = rule;
        telling(&outcome)
    };
    for (action, expected) in [
        (OutcomeAction::Created, Telling::Always),
        (OutcomeAction::Updated, Telling::Always),
        (OutcomeAction::Deleted, Telling::Always),
        (OutcomeAction::Absent, Telling::IfToldBefore),
        (OutcomeAction::Unchanged, Telling::IfNeverTold),
        // Late, or nobody's.
        (OutcomeAction::Ignored, Telling::Never),
    ] {
        assert_eq!(told(action, None), expected, "{action:?}");
        let mut off = outcome(action);
        off.particulars.comments = false;
        assert_eq!(telling(&off), Telling::Never);
    }
    let expired = crate::environment::judge_expired(None, "expired");
    assert_eq!(
        told(OutcomeAction::Ignored, Some(expired)),
        Telling::IfToldBefore
    );
    let judged = |change: &dyn Fn(&mut PullRequestEvent), rules: &str, standing, rule: &str| {
        let mut event = event(Action::Synchronize);
        change(&mut event);
        let text = format!("source \"acme/hello-service\" {{}}\nadmit {{\n{rules}\n}}");
        let rules = crate::config::ServiceRules::read("x", &text).unwrap();
        let judgement = admit(&event, &rules.admit, standing);
        let mut rules = judgement.rules.into_iter();
        told(
            OutcomeAction::Ignored,
            rules.find(|judged| judged.rule == rule),
        )
    };
    let fork = |event: &mut PullRequestEvent| event.pull_request.is_fork = true;
    let labeled_fork = |event: &mut PullRequestEvent| {
        event.pull_request.is_fork = true;
        event.pull_request.labels = vec!["preview".to_owned()];
    };
    let edit = |event: &mut PullRequestEvent| event.action = Action::Other("assigned".to_owned());
    let none = |_: &mut PullRequestEvent| {};
    let label = "forks = \"label\"";
    use Standing::{AtHead, Elsewhere, Nothing};
    use Telling::{Always, IfToldBefore, Never};
    assert_eq!(judged(&fork, label, Nothing, "forks"), Always);
    assert_eq!(judged(&labeled_fork, label, Elsewhere, "forks"), Always);
    assert_eq!(judged(&labeled_fork, label, AtHead, "forks"), Never);
    assert_eq!(judged(&fork, "", Nothing, "forks"), IfToldBefore);
    assert_eq!(
        judged(
            &none,
            "ignore_branches = [\"*\"]",
            Nothing,
            "ignore_branches"
        ),
        IfToldBefore
    );
    assert_eq!(
        judged(&none, "labels = [\"x\"]", Nothing, "labels"),
        IfToldBefore
    );
    assert_eq!(judged(&edit, "", AtHead, "event"), Never);
    let file = crate::environment::EnvironmentFile::read("x.tf", "module \"x\" {}")
        .unwrap()
        .unwrap();
    assert_eq!(
        told(OutcomeAction::Ignored, Some(judge_limit(1, 1, &[&file]))),
        Always
    );
    // Nobody is to have one: that is no news for anybody.
    assert_eq!(
        told(OutcomeAction::Ignored, Some(judge_limit(0, 0, &[]))),
        IfToldBefore
    );
}

fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("`"),
        Just("``` "),
        Just("\\"),
        Just("\n\n# x\n"),
        Just("\r\n- [ ] x"),
        Just("@acme/team"),
        Just("closes #1 GH-1"),
        Just("68a0e427aba817ba6f79a76f71c0f0ad710735db"),
        Just("-->\n"),
        Just("<!-- dayfly:comment "),
        Just("<script>"),
        Just("![x](https://evil.example/x.png)"),
        Just("](https://evil.example)"),
        Just("&lt;&#96;"),
        Just("www.evil.example https://evil.example"),
        Just("|\n|-|\n"),
        Just("\u{202e}\u{200b}"),
    ];
    let piece = prop_oneof![pieces.prop_map(str::to_owned), any::<String>()];
    prop::collection::vec(piece, 0..6).prop_map(|parts| parts.concat())
}

/// What a reader of Markdown finds: the texts in code spans, in their order, and all else.
fn found(markdown: &str) -> (Vec<String>, Vec<String>) {
    let (mut codes, mut rest) = (Vec::new(), Vec::new());
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Code(code) => {
                codes.push(code.to_string());
                rest.push("code".to_owned());
            }
            Event::Start(Tag::Link { dest_url, .. }) => rest.push(format!("link {dest_url}")),
            event => rest.push(format!("{event:?}")),
        }
    }
    (codes, rest)
}

/// The report with all of its texts of others' replaced.
fn with_texts(report: &Report, mut text: impl FnMut() -> String) -> Report {
    let mut report = report.clone();
    for part in [
        &mut report.environment,
        &mut report.service,
        &mut report.path,
    ] {
        *part = part.as_ref().map(|_| text());
    }
    report.url = report.url.as_ref().map(|_| format!("x{}", text()));
    if let Some(proposal) = &mut report.proposal {
        proposal.url = format!("x{}", text());
    }
    report.inputs = report.inputs.iter().map(|_| (text(), text())).collect();
    report.exclude_labels = report.exclude_labels.iter().map(|_| text()).collect();
    match &mut report.state {
        State::Removed { reason } | State::Absent { reason } | State::Ignored { reason, .. } => {
            *reason = reason.as_ref().map(|_| text());
        }
        State::Written | State::Unchanged => {}
    }
    report
}

/// The texts of others' that a comment is to show.
fn texts_of(report: &Report) -> Vec<String> {
    let reason = match &report.state {
        State::Removed { reason } | State::Absent { reason } | State::Ignored { reason, .. } => {
            reason.clone()
        }
        State::Written | State::Unchanged => None,
    };
    let mut texts: Vec<String> = report.service.iter().cloned().chain(reason).collect();
    texts.extend(report.proposal.iter().map(|proposal| proposal.url.clone()));
    if report.stands() {
        let inputs = report.inputs.iter();
        texts.extend(inputs.flat_map(|(name, value)| [name.clone(), value.clone()]));
        let others = [&report.environment, &report.url, &report.path];
        texts.extend(others.into_iter().flatten().cloned());
        let labels = report.exclude_labels.iter().filter(|_| !report.is_end());
        texts.extend(labels.cloned());
    }
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn texts_of_others_are_text(words in prop::collection::vec(hostile(), 12)) {
        let shown = |text: &str| match text {
            "" => " ".to_owned(),
            text => escaped(text).chars().take(900).collect::<String>(),
        };
        for (name, report) in reports() {
            let mut next = words.iter().cycle();
            let mut hostile = || {
                let word = next.next().cloned().unwrap_or_default();
                word.chars().take(100).collect::<String>()
            };
            let plain = with_texts(&report, || "plain".to_owned());
            let told = with_texts(&report, &mut hostile);
            for (plain, told) in [(plain.comment(), told.comment()), (plain.summary(), told.summary())] {
                let (_, expected) = found(&plain);
                let (_, rest) = found(&told);
                // The same document, but for what stands in its code spans.
                prop_assert_eq!(rest, expected, "{}: {}", name, told);
            }
            let (codes, _) = found(&told.comment());
            for text in texts_of(&told) {
                let is_shown = codes.iter().any(|code| *code == shown(&text));
                prop_assert!(is_shown, "{name}: {text:?} in {codes:?}");
            }
            let key = key("x", "y");
            let mut draft = Draft::new(&told, key.clone(), Telling::Always).unwrap();
            let Step::Create(body) = draft.step(&[]) else {
                return Err(TestCaseError::fail("nothing is begun"));
            };
            prop_assert!(draft.marks(&body));
            prop_assert_eq!(body.matches("<!--").count() - told.comment().matches("<!--").count(), 1);
            prop_assert!(body.chars().count() < 65_536);
        }
    }
}
