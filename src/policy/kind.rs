//! The types of policy and the versions of Rego, as the provider spells them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::error::PolicyError;

/// What a policy decides (`type` of a `spacelift_policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PolicyType {
    /// Which stacks run after a run.
    Trigger,
    /// What a push means to a stack.
    GitPush,
    /// Whether a plan may be applied.
    Plan,
    /// Whether a run may go on.
    Approval,
    /// Who is told.
    Notification,
}

impl PolicyType {
    pub const ALL: [Self; 5] = [
        Self::Trigger,
        Self::GitPush,
        Self::Plan,
        Self::Approval,
        Self::Notification,
    ];

    /// The provider's spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trigger => "TRIGGER",
            Self::GitPush => "GIT_PUSH",
            Self::Plan => "PLAN",
            Self::Approval => "APPROVAL",
            Self::Notification => "NOTIFICATION",
        }
    }

    /// The article before the name.
    pub(super) fn article(self) -> &'static str {
        match self {
            Self::Approval => "an",
            _ => "a",
        }
    }

    /// How long one policy of this type may take on Spacelift.
    pub fn time_limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Plan => 45,
            Self::GitPush | Self::Notification => 10,
            Self::Trigger | Self::Approval => 5,
        })
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for PolicyType {
    type Err = PolicyError;

    /// Reads the provider's spelling, today's or the older one. A type that the provider knows
    /// and dayfly has no use for is [`PolicyError::NotEvaluated`].
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text {
            "TRIGGER" => Ok(Self::Trigger),
            "GIT_PUSH" => Ok(Self::GitPush),
            "PLAN" | "TERRAFORM_PLAN" => Ok(Self::Plan),
            "APPROVAL" => Ok(Self::Approval),
            "NOTIFICATION" => Ok(Self::Notification),
            "LOGIN" | "ACCESS" | "STACK_ACCESS" | "INITIALIZATION" | "TASK" | "TASK_RUN"
            | "INTENT" => Err(PolicyError::NotEvaluated {
                kind: text.to_owned(),
            }),
            _ => Err(PolicyError::UnknownType {
                kind: text.to_owned(),
            }),
        }
    }
}

/// The version of Rego a policy is written in (`engine_type` of a `spacelift_policy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Engine {
    /// Spacelift's default. A module that imports `rego.v1` is read as that all the same.
    #[default]
    RegoV0,
    RegoV1,
}

impl FromStr for Engine {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text {
            "REGO_V0" => Ok(Self::RegoV0),
            "REGO_V1" => Ok(Self::RegoV1),
            _ => Err(PolicyError::UnknownEngine {
                engine: text.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Engine, PolicyError, PolicyType};

    #[test]
    fn types_are_read_in_old_and_new_spelling() {
        for (text, kind) in [
            ("TRIGGER", PolicyType::Trigger),
            ("GIT_PUSH", PolicyType::GitPush),
            ("PLAN", PolicyType::Plan),
            ("TERRAFORM_PLAN", PolicyType::Plan),
            ("APPROVAL", PolicyType::Approval),
            ("NOTIFICATION", PolicyType::Notification),
        ] {
            assert_eq!(text.parse::<PolicyType>().unwrap(), kind, "{text}");
        }
    }

    #[test]
    fn types_without_use_here_are_told_from_unknown_ones() {
        for text in [
            "LOGIN",
            "ACCESS",
            "STACK_ACCESS",
            "TASK",
            "TASK_RUN",
            "INITIALIZATION",
            "INTENT",
        ] {
            let error = text.parse::<PolicyType>().unwrap_err();
            assert!(
                matches!(error, PolicyError::NotEvaluated { .. }),
                "{text}: {error}"
            );
        }
        let error = "trigger".parse::<PolicyType>().unwrap_err();
        assert!(matches!(error, PolicyError::UnknownType { .. }), "{error}");
    }

    #[test]
    fn the_default_engine_is_that_of_the_provider() {
        assert_eq!(Engine::default(), "REGO_V0".parse().unwrap());
        assert_eq!(Engine::RegoV1, "REGO_V1".parse().unwrap());
        assert!("REGO".parse::<Engine>().is_err());
    }
}
