//! TRIGGER: which stacks run after a run.

use std::collections::BTreeSet;

use serde::Serialize;

use super::error::PolicyFailure;
use super::evaluate::{Opinion, Policy};
use super::flags::FlagChange;
use super::input::TriggerInput;
use super::judge::ask;
use super::kind::PolicyType;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TriggerVerdict {
    /// The ids that any policy named. They need not be ids of stacks.
    pub stacks: BTreeSet<String>,
    pub flags: Vec<FlagChange>,
    pub opinions: Vec<Opinion>,
    /// A policy that fails triggers nothing.
    pub errors: Vec<PolicyFailure>,
}

impl TriggerVerdict {
    /// The policies that named the stack: what `triggered_by` says.
    pub fn triggered_by(&self, stack: &str) -> impl Iterator<Item = &str> {
        self.opinions
            .iter()
            .filter(move |opinion| opinion.rules.texts("trigger").any(|id| id == stack))
            .map(|opinion| opinion.policy.as_str())
    }
}

/// Asks the TRIGGER policies and unites what they name.
pub fn judge_trigger<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    input: &TriggerInput,
) -> TriggerVerdict {
    let answers = ask(policies, PolicyType::Trigger, input);
    TriggerVerdict {
        stacks: answers.union("trigger"),
        flags: answers.flags(),
        opinions: answers.opinions,
        errors: answers.errors,
    }
}
