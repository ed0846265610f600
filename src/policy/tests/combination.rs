//! What several policies together decide, and what a failure does.

use std::time::{Duration, Instant};

use serde_json::json;

use super::policy;
use crate::policy::input::*;
use crate::policy::{
    Approval, FailureReason, Flags, Policy, PolicyType, PushDecision, judge_approval,
    judge_notification, judge_plan, judge_push, judge_trigger, sanitize,
};

/// Ends in two values for one rule, whatever the input.
const FAILS: &str = "sample = true { true }\nsample = false { true }";

fn push_of(branch: &str, files: &[&str]) -> PushInput {
    PushInput {
        push: PushedCommit {
            affected_files: files.iter().map(|file| (*file).to_owned()).collect(),
            commit: Commit {
                branch: branch.to_owned(),
                ..Commit::default()
            },
        },
        stack: Stack {
            branch: "main".to_owned(),
            project_root: "infra/app".to_owned(),
            additional_project_globs: vec!["shared/**/*.tf".to_owned()],
            ..Stack::default()
        },
        ..PushInput::default()
    }
}

#[test]
fn pushes_are_decided_together() {
    use PushDecision::{Ignore, MoveHead, Propose, Track};
    for (bodies, decision) in [
        (vec![""], Ignore),
        (vec!["track { true }"], Track),
        (vec!["track { true }", "propose { true }"], Track),
        (vec!["track { true }", "ignore { true }"], Ignore),
        (vec!["track { true }", "ignore_track { true }"], Ignore),
        (
            vec!["track { true }\npropose { true }", "ignore_track { true }"],
            Propose,
        ),
        (vec!["track { true }", "notrigger { true }"], MoveHead),
        (vec!["propose { true }", "notrigger { true }"], Propose),
        (vec!["track { true }", FAILS], Ignore),
    ] {
        let policies: Vec<Policy> = bodies
            .iter()
            .map(|body| policy(PolicyType::GitPush, body))
            .collect();
        let verdict = judge_push(&policies, &push_of("main", &[])).unwrap();
        assert_eq!(verdict.decision(false), decision, "{bodies:?}");
        assert_eq!(
            verdict.errors.len(),
            bodies.iter().filter(|body| **body == FAILS).count()
        );
    }
}

#[test]
fn a_fork_runs_only_where_it_may() {
    let closed = policy(PolicyType::GitPush, "propose { true }");
    let open = policy(
        PolicyType::GitPush,
        "propose { true }\nallow_fork { input.pull_request.head_owner == \"friend\" }",
    );
    let mut input = push_of("feature", &[]);
    input.pull_request = Some(PullRequest {
        head_owner: "friend".to_owned(),
        ..PullRequest::default()
    });
    let decide = |policy| judge_push([policy], &input).unwrap().decision(true);
    assert_eq!(decide(&closed), PushDecision::Ignore);
    assert_eq!(decide(&open), PushDecision::Propose);
}

#[test]
fn the_default_push_policy_counts_where_there_is_none() {
    use PushDecision::{Ignore, Propose, Track};
    let proposal = |files: &[&str]| PullRequest {
        diff: files.iter().map(|file| (*file).to_owned()).collect(),
        ..PullRequest::default()
    };
    for (branch, files, diff, tag, decision) in [
        ("main", vec!["infra/app/main.tf"], None, "", Track),
        ("main", vec!["infra/application.tf"], None, "", Track),
        ("main", vec!["/infra/app/main.tf"], None, "", Track),
        ("feature", vec!["infra/app/main.tf"], None, "", Propose),
        ("main", vec!["docs/a.md"], None, "", Ignore),
        ("main", vec!["shared/a/b/c.tf"], None, "", Track),
        ("main", vec!["shared/a/b/c.md"], None, "", Ignore),
        ("main", vec!["infra/app/main.tf"], None, "v1", Ignore),
        (
            "feature",
            vec!["docs/a.md"],
            Some(vec!["infra/app/a.tf"]),
            "",
            Propose,
        ),
        (
            "feature",
            vec!["docs/a.md"],
            Some(vec!["docs/a.md"]),
            "",
            Ignore,
        ),
        ("main", vec![], None, "", Ignore),
    ] {
        let mut input = push_of(branch, &files);
        input.push.commit.tag = tag.to_owned();
        input.pull_request = diff.as_ref().map(|files| proposal(files));
        let other = policy(PolicyType::Plan, "deny[\"no\"] { true }");
        let verdict = judge_push([&other], &input).unwrap();
        assert_eq!(
            verdict.decision(false),
            decision,
            "{branch} {files:?} {diff:?} {tag}"
        );
        assert!(verdict.errors.is_empty());
    }
    let mut root = push_of("main", &["anything"]);
    root.stack.project_root = String::new();
    assert_eq!(judge_push([], &root).unwrap().decision(false), Track);
}

#[test]
fn plans_are_denied_and_warned_of_by_any_policy() {
    let input = PlanInput::default();
    let first = policy(
        PolicyType::Plan,
        "deny[\"b\"] { true }\nwarn[\"w\"] { true }",
    );
    let second = policy(
        PolicyType::Plan,
        "deny[\"a\"] { true }\ndeny[\"b\"] { true }",
    );
    let verdict = judge_plan([&first, &second], &input);
    assert_eq!(verdict.deny, ["a", "b"]);
    assert_eq!(verdict.warn, ["w"]);

    assert_eq!(
        judge_plan([], &input),
        crate::policy::PlanVerdict::default()
    );

    let verdict = judge_plan([&policy(PolicyType::Plan, FAILS)], &input);
    assert_eq!(verdict.errors.len(), 1);
    assert!(
        verdict.deny[0].starts_with("policy p gave no answer: line "),
        "{:?}",
        verdict.deny
    );
}

#[test]
fn approval_needs_all_and_rejection_one() {
    use Approval::{Approved, Rejected, Undecided};
    for (bodies, decision) in [
        (vec![], Approved),
        (vec!["approve { true }"], Approved),
        (vec![""], Undecided),
        (vec!["approve { true }", ""], Undecided),
        (vec!["approve { true }", "approve { true }"], Approved),
        (vec!["approve { true }", "reject { true }"], Rejected),
        (vec!["", "reject { true }"], Rejected),
        (vec!["approve { true }\nreject { true }"], Rejected),
        (vec!["approve_with_note[\"fine\"] { true }"], Approved),
        (
            vec!["approve { true }\nreject_with_note[\"no\"] { true }"],
            Rejected,
        ),
        (vec!["approve { true }", FAILS], Undecided),
        (vec![FAILS, "reject { true }"], Rejected),
    ] {
        let policies: Vec<Policy> = bodies
            .iter()
            .map(|body| policy(PolicyType::Approval, body))
            .collect();
        let verdict = judge_approval(&policies, &ApprovalInput::default());
        assert_eq!(verdict.decision, decision, "{bodies:?}");
    }
    let noted = policy(PolicyType::Approval, "approve_with_note[\"fine\"] { true }");
    let verdict = judge_approval([&noted], &ApprovalInput::default());
    assert_eq!(verdict.notes[0].note, "fine");
    assert!(verdict.notes[0].approves);
}

#[test]
fn triggers_are_united_and_a_failure_triggers_nothing() {
    let policies = [
        policy(
            PolicyType::Trigger,
            "trigger[\"b\"] { true }\nflag[\"f\"] { true }",
        ),
        policy(
            PolicyType::Trigger,
            "trigger[\"a\"] { true }\ntrigger[\"b\"] { true }",
        ),
        policy(
            PolicyType::Trigger,
            &format!("trigger[\"c\"] {{ true }}\n{FAILS}"),
        ),
    ];
    let verdict = judge_trigger(&policies, &TriggerInput::default());
    assert_eq!(verdict.stacks.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(verdict.errors.len(), 1);
    assert_eq!(verdict.triggered_by("b").count(), 2);
    let mut flags = Flags::default();
    flags.apply(&verdict.flags);
    assert_eq!(flags.names(), ["f"]);
}

#[test]
fn notifications_are_typed() {
    let body = r#"
        inbox[{"title": "t", "severity": "WARNING"}] { input.run_updated != null }
        slack[{"channel_id": "C1"}] { true }
        slack[{"message": "no channel"}] { true }
        webhook[{"endpoint_id": e.id, "payload": {"run": 1}}] { e := input.webhook_endpoints[_] }
        pull_request[{"id": 7, "body": "b"}] { true }
    "#;
    let input = NotificationInput {
        run_updated: Some(RunUpdated::default()),
        webhook_endpoints: vec![WebhookEndpoint {
            id: "hook".to_owned(),
            labels: vec![],
        }],
        ..NotificationInput::default()
    };
    let policies = [
        policy(PolicyType::Notification, body),
        policy(PolicyType::Notification, body),
    ];
    let verdict = judge_notification(&policies, &input);
    assert_eq!(verdict.inbox.len(), 1, "the union has each once");
    assert_eq!(verdict.inbox[0].severity, Some(Severity::Warning));
    assert_eq!(verdict.slack[0].channel_id, "C1");
    assert_eq!(verdict.webhook[0].method, "POST");
    assert_eq!(verdict.webhook[0].payload, Some(json!({"run": 1})));
    assert_eq!(verdict.pull_request[0].id.as_deref(), Some("7"));
    assert_eq!(verdict.errors.len(), 2);
    assert!(
        verdict.errors[0].message.contains("channel_id"),
        "{}",
        verdict.errors[0]
    );
}

#[test]
fn a_policy_that_runs_too_long_is_stopped() {
    let endless = "deny[\"x\"] { numbers.range(1, 3000)[_] * numbers.range(1, 3000)[_] == 0 }";
    let endless = policy(PolicyType::Plan, endless);
    let started = Instant::now();
    let failure = endless
        .ask(&regorus::Value::new_object(), Duration::from_millis(50))
        .unwrap_err();
    assert_eq!(failure.reason, FailureReason::TimedOut, "{failure}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_is_absent_is_null() {
    let trigger = serde_json::to_value(TriggerInput::default()).unwrap();
    let push = serde_json::to_value(PushInput::default()).unwrap();
    let notification = serde_json::to_value(NotificationInput::default()).unwrap();
    for (value, name) in [
        (&trigger["run"], "command"),
        (&trigger["run"], "triggered_by"),
        (&trigger["run"], "creator_session"),
        (&trigger["stack"], "locked_by"),
        (&trigger["stack"], "namespace"),
        (&trigger["stack"]["worker_pool"], "id"),
        (&push, "pull_request"),
        (&push, "module"),
        (&push["push"], "pull_request_id"),
        (&notification, "internal_error"),
        (&notification, "run_updated"),
        (&notification, "module_version"),
    ] {
        assert!(
            value.get(name).is_some_and(serde_json::Value::is_null),
            "{name}: {value}"
        );
    }
    assert_eq!(trigger["run"]["states_history"], json!([]));
}

#[test]
fn a_trigger_policy_over_many_stacks_finishes() {
    let id = |number: usize| format!("stack-{number}");
    let changed = |number: usize| {
        let values = json!({"stack_id": id(number)});
        Change::resource(
            Phase::Apply,
            Action::ReplacedAfterDestroy,
            &format!("spacelift_environment_variable.v{number}"),
            "spacelift_environment_variable",
            &format!("v{number}"),
            values.as_object().unwrap(),
        )
    };
    let input = TriggerInput {
        run: FinishedRun {
            run: Run {
                changes: (0..2_000).map(|n| changed(n / 2)).collect(),
                ..Run::default()
            },
            states_history: vec![],
        },
        stacks: (0..1_000)
            .map(|n| QueueingStack {
                stack: Stack {
                    id: id(n),
                    ..Stack::default()
                },
                queued_runs: 0,
            })
            .collect(),
        ..TriggerInput::default()
    };
    let body = "import rego.v1
        changed contains change.entity.data.values.stack_id if {
            some change in input.run.changes
            change.phase == \"apply\"
        }
        trigger contains stack.id if {
            some stack in input.stacks
            sanitized(stack.id) in changed
        }";
    let policy = policy(PolicyType::Trigger, body);
    let started = Instant::now();
    let verdict = judge_trigger([&policy], &input);
    println!("1,000 stacks, 2,000 changes: {:?}", started.elapsed());
    assert_eq!(verdict.errors, []);
    assert_eq!(verdict.stacks.len(), 1_000);
    assert_eq!(
        input.run.run.changes[0].entity.data.values["stack_id"],
        sanitize("stack-0")
    );
}
