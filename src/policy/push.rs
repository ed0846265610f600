//! GIT_PUSH: what a push means to a stack.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde::Serialize;

use super::error::{PolicyError, PolicyFailure};
use super::evaluate::{Opinion, Policy};
use super::flags::FlagChange;
use super::input::PushInput;
use super::judge::{Answers, ask};
use super::kind::{Engine, PolicyType};

/// What counts where no policy is attached, as Spacelift documents it.
const DEFAULT: &str = include_str!("default_push.rego");
const DEFAULT_NAME: &str = "default push policy";

/// The union of what the policies say, before it is weighed: see [`PushVerdict::decision`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PushVerdict {
    pub track: bool,
    pub propose: bool,
    /// Also where a policy failed.
    pub ignore: bool,
    pub ignore_track: bool,
    pub notrigger: bool,
    pub notify: bool,
    pub fail: bool,
    pub prioritize: bool,
    pub allow_fork: bool,
    /// The key to lock the stack with: the first policy's that has one.
    pub lock: Option<String>,
    pub unlock: Option<String>,
    pub module_version: Option<String>,
    /// Ids of runs to cancel, if this push makes one of the same type.
    pub cancel: BTreeSet<String>,
    pub message: BTreeSet<String>,
    pub external_dependency: BTreeSet<String>,
    pub flags: Vec<FlagChange>,
    pub opinions: Vec<Opinion>,
    pub errors: Vec<PolicyFailure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PushDecision {
    /// A tracked run of the new head commit.
    Track,
    /// The stack's head commit moves; nothing runs.
    MoveHead,
    /// A proposed run.
    Propose,
    Ignore,
}

impl PushVerdict {
    /// What follows: any `ignore` wins, `ignore_track` cancels only `track`, `track` comes before
    /// `propose`, nothing said is ignored. A fork's pull request is ignored unless `allow_fork`.
    pub fn decision(&self, is_from_fork: bool) -> PushDecision {
        if self.ignore || (is_from_fork && !self.allow_fork) {
            PushDecision::Ignore
        } else if self.track && !self.ignore_track {
            if self.notrigger {
                PushDecision::MoveHead
            } else {
                PushDecision::Track
            }
        } else if self.propose {
            PushDecision::Propose
        } else {
            PushDecision::Ignore
        }
    }
}

/// Asks the GIT_PUSH policies; where there is none, Spacelift's default policy.
pub fn judge_push<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    input: &PushInput,
) -> Result<PushVerdict, PolicyError> {
    let attached: Vec<&Policy> = policies
        .into_iter()
        .filter(|policy| policy.kind() == PolicyType::GitPush)
        .collect();
    let answers = if attached.is_empty() {
        ask([default_policy()?], PolicyType::GitPush, input)
    } else {
        ask(attached, PolicyType::GitPush, input)
    };
    Ok(combine(answers))
}

fn combine(answers: Answers) -> PushVerdict {
    PushVerdict {
        track: answers.any("track"),
        propose: answers.any("propose"),
        ignore: answers.any("ignore") || !answers.errors.is_empty(),
        ignore_track: answers.any("ignore_track"),
        notrigger: answers.any("notrigger"),
        notify: answers.any("notify"),
        fail: answers.any("fail"),
        prioritize: answers.any("prioritize"),
        allow_fork: answers.any("allow_fork"),
        lock: answers.first("lock"),
        unlock: answers.first("unlock"),
        module_version: answers.first("module_version"),
        cancel: answers.union("cancel"),
        message: answers.union("message"),
        external_dependency: answers.union("external_dependency"),
        flags: answers.flags(),
        opinions: answers.opinions,
        errors: answers.errors,
    }
}

fn default_policy() -> Result<&'static Policy, PolicyError> {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    if let Some(policy) = POLICY.get() {
        return Ok(policy);
    }
    let policy = Policy::read(DEFAULT_NAME, PolicyType::GitPush, Engine::RegoV1, DEFAULT)?;
    Ok(POLICY.get_or_init(|| policy))
}
