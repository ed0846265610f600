//! What NOTIFICATION policies are told of a run, and what the end of one is told with.

use super::execute::Execution;
use super::inputs::nanoseconds;
use super::judging::{Scene, flags, keep};
use super::prepare::chain;
use super::work::Shared;
use crate::clock::{self, Time};
use crate::policy::input::{
    Account, Change, FinishedRun, NotificationInput, PlanPolicyDecision, PolicyReceipt, RunUpdated,
    Stack as PolicyStack, StateChange, Timing,
};
use crate::policy::{FlagChange, PolicyType, judge_notification};
use crate::run::RunState;
use crate::store::{Judgement, Run, Store};
use crate::threads::lock;

impl Execution<'_> {
    /// Asks the NOTIFICATION policies who is to be told that the run has a new state.
    pub(super) fn notify(&self, shared: &Shared<'_>, run: &Run) -> Result<(), String> {
        let scene = shared.scene();
        let Some(stack) = scene.stack(&run.stack) else {
            return Ok(());
        };
        let policies = scene.notified();
        if policies.is_empty() {
            return Ok(());
        }
        let mut store = lock(&shared.store);
        let judgements = store.judgements(&run.id).map_err(chain)?;
        let history = store.history(&run.id).map_err(chain)?;
        let input = NotificationInput {
            account: Account {
                name: self.owner().unwrap_or_default().to_owned(),
            },
            run_updated: Some(RunUpdated {
                note: run.note.clone().unwrap_or_default(),
                plan_policy_decision: plan_decision(&judgements),
                policy_receipts: receipts(&judgements),
                run: finished(&store, &scene, run, stack, Vec::new())?,
                stack: stack.clone(),
                state: run.state.to_string(),
                timing: timing(&history, clock::now()),
                ..RunUpdated::default()
            }),
            ..NotificationInput::default()
        };
        let verdict = judge_notification(policies, &input);
        keep(&mut store, run, PolicyType::Notification, &input, &verdict)
    }

    /// Tells of a run that was made, before anything else is told of it.
    pub(super) fn notify_of_new(&self, shared: &Shared<'_>, run: &Run) -> Result<(), String> {
        let is_told = |judgement: &Judgement| {
            judgement.kind == PolicyType::Notification.name()
                && judgement.state == RunState::Queued.as_str()
        };
        let judgements = lock(&shared.store).judgements(&run.id).map_err(chain)?;
        if judgements.iter().any(is_told) {
            return Ok(());
        }
        self.notify(shared, run)
    }
}

/// How long the run was in each state that it has left, and in its present one until `now`.
fn timing(history: &[(RunState, Time)], now: Time) -> Vec<Timing> {
    let ends = history.iter().skip(1).map(|(_, at)| *at).chain([now]);
    history
        .iter()
        .zip(ends)
        .filter(|((state, _), _)| !state.is_terminal())
        .map(|((state, begin), end)| Timing {
            duration: (nanoseconds(end) - nanoseconds(*begin)).max(0),
            state: state.to_string(),
        })
        .collect()
}

/// What the PLAN policies said last.
fn plan_decision(judgements: &[Judgement]) -> PlanPolicyDecision {
    let last = judgements
        .iter()
        .rfind(|judgement| judgement.kind == PolicyType::Plan.name());
    let texts = |name: &str| {
        let list = last.and_then(|judgement| judgement.verdict.get(name)?.as_array());
        let texts = list.into_iter().flatten().filter_map(|text| text.as_str());
        texts.map(str::to_owned).collect()
    };
    PlanPolicyDecision {
        deny: texts("deny"),
        warn: texts("warn"),
    }
}

/// One receipt for each policy that was asked, oldest first; what NOTIFICATION policies were asked
/// is left out.
fn receipts(judgements: &[Judgement]) -> Vec<PolicyReceipt> {
    let of = |judgement: &Judgement| {
        let flags: Vec<FlagChange> = judgement
            .verdict
            .get("flags")
            .and_then(|flags| serde_json::from_value(flags.clone()).ok())
            .unwrap_or_default();
        let opinions = judgement.verdict.get("opinions");
        let opinions = opinions.and_then(|opinions| opinions.as_array().cloned());
        let receipt = |opinion: serde_json::Value| {
            let name = opinion["policy"].as_str().unwrap_or_default().to_owned();
            PolicyReceipt {
                flags: flags_of(&flags, &name),
                outcome: outcome(&judgement.kind, &opinion["rules"]).to_owned(),
                kind: judgement.kind.clone(),
                name,
            }
        };
        opinions
            .unwrap_or_default()
            .into_iter()
            .map(receipt)
            .collect::<Vec<_>>()
    };
    judgements
        .iter()
        .filter(|judgement| judgement.kind != PolicyType::Notification.name())
        .flat_map(of)
        .collect()
}

/// The flags that the policy `name` set.
fn flags_of(changes: &[FlagChange], name: &str) -> Vec<String> {
    changes
        .iter()
        .filter(|change| change.policy == name)
        .flat_map(|change| change.set.iter().cloned())
        .collect()
}

/// A policy's answer in a word: the first of its rules that says something, those that stop a run
/// first.
fn outcome(kind: &str, rules: &serde_json::Value) -> &'static str {
    let words: &[(&str, &'static str)] = match kind {
        "PLAN" => &[("deny", "deny"), ("warn", "warn"), ("", "pass")],
        "APPROVAL" => &[
            ("reject", "reject"),
            ("reject_with_note", "reject"),
            ("approve", "approve"),
            ("approve_with_note", "approve"),
            ("", "undecided"),
        ],
        "GIT_PUSH" => &[
            ("ignore", "ignore"),
            ("track", "track"),
            ("propose", "propose"),
            ("", "ignore"),
        ],
        _ => &[("trigger", "trigger"), ("", "pass")],
    };
    let says = |rule: &str| match rules.get(rule) {
        Some(serde_json::Value::Bool(said)) => *said,
        Some(serde_json::Value::Array(members)) => !members.is_empty(),
        _ => rule.is_empty(),
    };
    let found = words.iter().find(|(rule, _)| says(rule));
    found.map_or("pass", |(_, word)| word)
}

pub(super) fn finished(
    store: &Store,
    scene: &Scene<'_>,
    run: &Run,
    stack: &PolicyStack,
    changes: Vec<Change>,
) -> Result<FinishedRun, String> {
    let history = store.history(&run.id).map_err(chain)?;
    Ok(FinishedRun {
        run: scene.run(run, stack, flags(store, run).map_err(chain)?, changes),
        states_history: history
            .into_iter()
            .map(|(state, _)| StateChange {
                new_state: state.to_string(),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Judgement, RunState, Time, outcome, plan_decision, receipts, timing};

    #[test]
    fn time_in_a_state_ends_with_the_next_and_an_end_takes_none() {
        let at = |second| Time::from_second(second).unwrap();
        let history = [
            (RunState::Queued, at(10)),
            (RunState::Planning, at(13)),
            (RunState::Finished, at(20)),
        ];
        let told = |history, now| -> Vec<(String, i64)> {
            timing(history, at(now))
                .into_iter()
                .map(|timing| (timing.state, timing.duration / 1_000_000_000))
                .collect()
        };
        let ended = [("QUEUED".to_owned(), 3), ("PLANNING".to_owned(), 7)];
        assert_eq!(told(&history[..], 99), ended);
        // It is still planned, and a clock that went back tells of no time before the beginning.
        assert_eq!(told(&history[..2], 15)[1], ("PLANNING".to_owned(), 2));
        assert_eq!(told(&history[..2], 5)[1], ("PLANNING".to_owned(), 0));
    }

    #[test]
    fn what_stops_a_run_is_said_first() {
        for (kind, rules, expected) in [
            ("PLAN", json!({"deny": ["a"], "warn": ["b"]}), "deny"),
            ("PLAN", json!({"deny": [], "warn": ["b"]}), "warn"),
            ("PLAN", json!({"deny": [], "warn": []}), "pass"),
            (
                "APPROVAL",
                json!({"approve": true, "reject": true}),
                "reject",
            ),
            ("APPROVAL", json!({"approve_with_note": ["a"]}), "approve"),
            ("APPROVAL", json!({"approve": false}), "undecided"),
            ("GIT_PUSH", json!({"track": true, "ignore": true}), "ignore"),
            ("GIT_PUSH", json!({"track": true}), "track"),
            ("TRIGGER", json!({"trigger": ["a"]}), "trigger"),
        ] {
            assert_eq!(outcome(kind, &rules), expected, "{kind} {rules}");
        }
    }

    #[test]
    fn receipts_are_of_each_policy_but_those_that_notify() {
        let judgement = |kind: &str, verdict| Judgement {
            kind: kind.to_owned(),
            state: "PLANNING".to_owned(),
            input_digest: String::new(),
            verdict,
            at: Time::UNIX_EPOCH,
        };
        let judgements = [
            judgement(
                "PLAN",
                json!({
                    "deny": ["no"], "warn": ["hm"],
                    "flags": [{"policy": "a", "reset": [], "set": ["late"]}],
                    "opinions": [
                        {"policy": "a", "rules": {"deny": ["no"]}},
                        {"policy": "b", "rules": {"warn": ["hm"]}},
                    ],
                }),
            ),
            judgement(
                "NOTIFICATION",
                json!({"opinions": [{"policy": "c", "rules": {}}]}),
            ),
        ];
        let told: Vec<_> = receipts(&judgements)
            .into_iter()
            .map(|receipt| (receipt.name, receipt.outcome, receipt.flags))
            .collect();
        let text = str::to_owned;
        assert_eq!(
            told,
            [
                (text("a"), text("deny"), vec![text("late")]),
                (text("b"), text("warn"), Vec::new())
            ]
        );
        let decision = plan_decision(&judgements);
        assert_eq!(
            (decision.deny, decision.warn),
            (vec![text("no")], vec![text("hm")])
        );
    }
}
