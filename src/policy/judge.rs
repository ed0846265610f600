//! All policies of one type asked the same question.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::convert::value_of;
use super::error::{FailureReason, PolicyFailure};
use super::evaluate::{Opinion, Policy};
use super::flags::FlagChange;
use super::kind::PolicyType;

/// How long all policies of one judgement may take on Spacelift.
const COMBINED_TIME_LIMIT: Duration = Duration::from_secs(5 * 60);

/// The answers, before they are combined. A policy gives an opinion or a failure.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    pub(super) opinions: Vec<Opinion>,
    pub(super) errors: Vec<PolicyFailure>,
}

impl Answers {
    /// What the policies do to the flags, in their order.
    pub(super) fn flags(&self) -> Vec<FlagChange> {
        self.opinions
            .iter()
            .map(|opinion| FlagChange {
                policy: opinion.policy.clone(),
                reset: opinion.rules.texts("reset_flag").cloned().collect(),
                set: opinion.rules.texts("flag").cloned().collect(),
            })
            .filter(|change| !change.reset.is_empty() || !change.set.is_empty())
            .collect()
    }

    pub(super) fn any(&self, rule: &str) -> bool {
        self.opinions
            .iter()
            .any(|opinion| opinion.rules.is_true(rule))
    }

    /// The union of a set of strings.
    pub(super) fn union<C: FromIterator<String>>(&self, rule: &str) -> C {
        self.opinions
            .iter()
            .flat_map(|opinion| opinion.rules.texts(rule))
            .cloned()
            .collect()
    }

    /// The first string, in the order of the policies.
    pub(super) fn first(&self, rule: &str) -> Option<String> {
        self.opinions
            .iter()
            .find_map(|opinion| opinion.rules.text(rule))
            .map(str::to_owned)
    }
}

/// Asks every policy of the type; those of other types are passed over. The input is converted
/// once for all of them.
pub(super) fn ask<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    kind: PolicyType,
    input: &impl Serialize,
) -> Answers {
    let mut answers = Answers::default();
    let mut policies = policies
        .into_iter()
        .filter(|policy| policy.kind() == kind)
        .peekable();
    if policies.peek().is_none() {
        return answers;
    }
    let started = Instant::now();
    let converted = value_of(input);
    for policy in policies {
        let remaining = COMBINED_TIME_LIMIT.saturating_sub(started.elapsed());
        let answer = match &converted {
            Ok(input) => policy.ask(input, kind.time_limit().min(remaining)),
            Err(error) => Err(PolicyFailure {
                policy: policy.name().to_owned(),
                reason: FailureReason::Failed,
                message: format!("its input cannot be written: {error}"),
            }),
        };
        match answer {
            Ok(opinion) => answers.opinions.push(opinion),
            Err(failure) => answers.errors.push(failure),
        }
    }
    answers
}
