//! PLAN: whether a plan may be applied.

use std::collections::BTreeSet;

use serde::Serialize;

use super::error::PolicyFailure;
use super::evaluate::{Opinion, Policy};
use super::flags::FlagChange;
use super::input::PlanInput;
use super::judge::ask;
use super::kind::PolicyType;

/// Any denial fails the run; any warning asks a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlanVerdict {
    /// Sorted, each once; a policy that failed denies as well.
    pub deny: Vec<String>,
    /// Sorted, each once.
    pub warn: Vec<String>,
    pub flags: Vec<FlagChange>,
    pub opinions: Vec<Opinion>,
    pub errors: Vec<PolicyFailure>,
}

/// Asks the PLAN policies; where there is none, the plan passes.
pub fn judge_plan<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    input: &PlanInput,
) -> PlanVerdict {
    let answers = ask(policies, PolicyType::Plan, input);
    let mut deny: BTreeSet<String> = answers.union("deny");
    deny.extend(answers.errors.iter().map(ToString::to_string));
    PlanVerdict {
        deny: deny.into_iter().collect(),
        warn: answers.union::<BTreeSet<_>>("warn").into_iter().collect(),
        flags: answers.flags(),
        opinions: answers.opinions,
        errors: answers.errors,
    }
}
