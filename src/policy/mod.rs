//! Rego policies, decided as Spacelift decides them.
//!
//! A policy is read once ([`Policy::read`]), which finds everything that Spacelift would refuse.
//! A judgement asks all policies of one type the same [`input`] and combines their answers into
//! a typed verdict. A policy that fails or runs out of time never lets anything through, and its
//! failure is part of the verdict. This is the only room that knows the engine; evaluation
//! blocks, so call it from a blocking thread.

mod approval;
mod builtins;
mod calls;
mod conflicts;
mod contract;
mod convert;
mod differences;
mod error;
mod evaluate;
mod extent;
mod flags;
pub mod input;
mod judge;
mod kind;
mod negation;
mod nesting;
mod notification;
mod operators;
mod plan;
mod prelude;
mod push;
mod rewrite;
mod safety;
mod sanitize;
mod shadows;
mod shapes;
mod source;
mod testing;
mod trigger;

pub use approval::{Approval, ApprovalNote, ApprovalVerdict, judge_approval};
pub use builtins::builtin_names;
pub use error::{FailureReason, PolicyError, PolicyFailure};
pub use evaluate::{Opinion, Policy, RuleValue, Rules};
pub use flags::{FlagChange, Flags};
pub use kind::{Engine, PolicyType};
pub use notification::{
    InboxMessage, NotificationVerdict, PullRequestComment, SlackMessage, WebhookRequest,
    judge_notification,
};
pub use plan::{PlanVerdict, judge_plan};
pub use push::{PushDecision, PushVerdict, judge_push};
pub use sanitize::{sanitize, sanitized_values};
pub use testing::{FileCoverage, TestOutcome, TestResult, Tested, run_tests};
pub use trigger::{TriggerVerdict, judge_trigger};

#[cfg(test)]
mod tests;
