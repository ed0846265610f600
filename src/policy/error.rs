//! Why a policy cannot be used, or has failed.

use std::fmt;

use serde::Serialize;

use crate::error::{Diagnose, Kind};
use crate::problem::Problem;

#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("policy type {kind} is not evaluated by dayfly")]
    NotEvaluated { kind: String },
    #[error("unknown policy type {kind:?}")]
    UnknownType { kind: String },
    #[error("unknown policy engine {engine:?}")]
    UnknownEngine { engine: String },
    /// Everything that was found wrong in one pass, in the order of the lines.
    #[error("policy {policy} cannot be used: {}", first_of(problems))]
    Invalid {
        policy: String,
        problems: Vec<Problem>,
    },
}

impl Diagnose for PolicyError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotEvaluated { .. } | Self::UnknownType { .. } => Some(
                "dayfly evaluates TRIGGER, GIT_PUSH, PLAN, APPROVAL and NOTIFICATION".to_owned(),
            ),
            Self::UnknownEngine { .. } => Some("write REGO_V0 or REGO_V1".to_owned()),
            Self::Invalid { problems, .. } => {
                problems.iter().find_map(|problem| problem.hint.clone())
            }
        }
    }
}

fn first_of(problems: &[Problem]) -> String {
    let Some(first) = problems.first() else {
        return "no reason given".to_owned();
    };
    let place = first
        .line
        .map_or_else(String::new, |line| format!("line {line}: "));
    let more = match problems.len() - 1 {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    format!("{place}{}{more}", first.message)
}

/// A policy that gave no answer. What follows from it is the verdict's to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyFailure {
    pub policy: String,
    pub reason: FailureReason,
    /// One line, lower case, no final period.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// It ran longer than its type, or all policies together, may.
    TimedOut,
    /// It was evaluated to an error, such as two values for one rule.
    Failed,
    /// A rule's value is not of the contract's type.
    WrongType,
}

impl fmt::Display for PolicyFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "policy {} gave no answer: {}",
            self.policy, self.message
        )
    }
}
