//! APPROVAL: whether a run may go on.

use serde::Serialize;

use super::error::PolicyFailure;
use super::evaluate::{Opinion, Policy, Rules};
use super::flags::FlagChange;
use super::input::ApprovalInput;
use super::judge::ask;
use super::kind::PolicyType;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApprovalVerdict {
    pub decision: Approval,
    pub notes: Vec<ApprovalNote>,
    pub flags: Vec<FlagChange>,
    pub opinions: Vec<Opinion>,
    /// A policy that fails leaves the run undecided.
    pub errors: Vec<PolicyFailure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Every policy approves, or there is none.
    Approved,
    /// One policy rejects: the run fails.
    Rejected,
    /// More reviews are needed.
    Undecided,
}

/// What a policy says to its approval or rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApprovalNote {
    pub policy: String,
    pub approves: bool,
    pub note: String,
}

/// Asks the APPROVAL policies; where there is none, the run is approved.
pub fn judge_approval<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    input: &ApprovalInput,
) -> ApprovalVerdict {
    let answers = ask(policies, PolicyType::Approval, input);
    let mut decision = if answers.errors.is_empty() {
        Approval::Approved
    } else {
        Approval::Undecided
    };
    let mut notes = Vec::new();
    for opinion in &answers.opinions {
        decision = match (decision, decision_of(&opinion.rules)) {
            (Approval::Rejected, _) | (_, Approval::Rejected) => Approval::Rejected,
            (Approval::Undecided, _) | (_, Approval::Undecided) => Approval::Undecided,
            (Approval::Approved, Approval::Approved) => Approval::Approved,
        };
        for (rule, approves) in [("approve_with_note", true), ("reject_with_note", false)] {
            notes.extend(opinion.rules.texts(rule).map(|note| ApprovalNote {
                policy: opinion.policy.clone(),
                approves,
                note: note.clone(),
            }));
        }
    }
    ApprovalVerdict {
        decision,
        notes,
        flags: answers.flags(),
        opinions: answers.opinions,
        errors: answers.errors,
    }
}

/// A note approves or rejects by itself.
fn decision_of(rules: &Rules) -> Approval {
    let says = |rule, note| rules.is_true(rule) || rules.texts(note).next().is_some();
    if says("reject", "reject_with_note") {
        Approval::Rejected
    } else if says("approve", "approve_with_note") {
        Approval::Approved
    } else {
        Approval::Undecided
    }
}
