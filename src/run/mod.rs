//! What a run is and the states that it passes through, as on Spacelift. Pure.
//!
//! The one way from a state to another is [`transition()`]; it refuses what is not drawn there, and
//! ARCHITECTURE.md holds the drawing. A run that dayfly was executing when it died is *unknown*: nobody knows how far it came. It leaves
//! that only by [`RunEvent::Interrupt`], to FAILED, and is never taken up again by itself.

use std::fmt;

use serde::{Deserialize, Serialize};

mod command;
mod queue;
mod transition;

pub use command::Command;
pub use queue::{Turn, turns};
pub use transition::{IllegalMove, RunEvent, transition};

/// The reason of a run that ended as unknown; the same words wherever it is told.
pub const INTERRUPTED: &str = "interrupted";

/// The note of a run that was skipped as nothing would come of it.
pub const UNCHANGED: &str = "no output that it takes has changed";

/// Names one run, in the store, in paths and in what a person types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a run is for. Spacelift's other types (TASK, TESTING, PARSE) do not occur here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunType {
    /// Plans, and never applies.
    Proposed,
    /// Plans and applies what it planned.
    Tracked,
    /// Destroys what the stack's state holds.
    Destroy,
}

impl RunType {
    pub const ALL: [Self; 3] = [Self::Proposed, Self::Tracked, Self::Destroy];

    /// Spacelift's spelling, as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "PROPOSED",
            Self::Tracked => "TRACKED",
            Self::Destroy => "DESTROY",
        }
    }

    /// The type with Spacelift's spelling; `None` for any other word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether the run holds its stack exclusively: two such runs of one stack are serial.
    pub fn is_blocking(self) -> bool {
        matches!(self, Self::Tracked | Self::Destroy)
    }
}

impl fmt::Display for RunType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Where a run stands: Spacelift's states, as far as the three types reach them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunState {
    Queued,
    Ready,
    Preparing,
    Initializing,
    Planning,
    Unconfirmed,
    PendingReview,
    Confirmed,
    PreparingApply,
    Applying,
    Destroying,
    ReplanRequested,
    PreparingReplan,
    Finished,
    Failed,
    Canceled,
    Discarded,
    Stopped,
    Skipped,
}

impl RunState {
    pub const ALL: [Self; 19] = [
        Self::Queued,
        Self::Ready,
        Self::Preparing,
        Self::Initializing,
        Self::Planning,
        Self::Unconfirmed,
        Self::PendingReview,
        Self::Confirmed,
        Self::PreparingApply,
        Self::Applying,
        Self::Destroying,
        Self::ReplanRequested,
        Self::PreparingReplan,
        Self::Finished,
        Self::Failed,
        Self::Canceled,
        Self::Discarded,
        Self::Stopped,
        Self::Skipped,
    ];

    /// Spacelift's spelling, as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Ready => "READY",
            Self::Preparing => "PREPARING",
            Self::Initializing => "INITIALIZING",
            Self::Planning => "PLANNING",
            Self::Unconfirmed => "UNCONFIRMED",
            Self::PendingReview => "PENDING_REVIEW",
            Self::Confirmed => "CONFIRMED",
            Self::PreparingApply => "PREPARING_APPLY",
            Self::Applying => "APPLYING",
            Self::Destroying => "DESTROYING",
            Self::ReplanRequested => "REPLAN_REQUESTED",
            Self::PreparingReplan => "PREPARING_REPLAN",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
            Self::Discarded => "DISCARDED",
            Self::Stopped => "STOPPED",
            Self::Skipped => "SKIPPED",
        }
    }

    /// The state with Spacelift's spelling; `None` for any other word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether the run has ended, well or not.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Finished
                | Self::Failed
                | Self::Canceled
                | Self::Discarded
                | Self::Stopped
                | Self::Skipped
        )
    }

    /// Whether a process works on the run in this state. A run that a start finds so is unknown:
    /// whoever worked on it is gone, and it must be given [`RunEvent::Interrupt`]. In the other
    /// states that are not terminal a run waits, and a crash changes nothing about it.
    pub fn is_executing(self) -> bool {
        matches!(
            self,
            Self::Preparing
                | Self::Initializing
                | Self::Planning
                | Self::PreparingApply
                | Self::Applying
                | Self::Destroying
                | Self::PreparingReplan
        )
    }

    /// Whether only a person moves the run on.
    pub fn waits_for_a_person(self) -> bool {
        matches!(self, Self::Unconfirmed | Self::PendingReview)
    }

    /// Whether a run on its way has changed nothing real yet: were it forgotten that it came so far, it would
    /// be begun anew.
    pub fn is_before_effects(self) -> bool {
        self == Self::Ready || self.is_executing() && !self.has_effects()
    }

    /// Whether the run may have changed real things, once it was in this state.
    pub fn has_effects(self) -> bool {
        matches!(self, Self::Applying | Self::Destroying)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{RunState, RunType};

    #[test]
    fn only_what_is_begun_anew_is_before_effects() {
        let before = RunState::ALL
            .iter()
            .filter(|state| state.is_before_effects());
        let before: Vec<&str> = before.map(|state| state.as_str()).collect();
        assert_eq!(
            before.join(" "),
            "READY PREPARING INITIALIZING PLANNING PREPARING_APPLY PREPARING_REPLAN"
        );
    }

    #[test]
    fn words_are_spelled_as_serde_spells_them() {
        for state in RunState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(RunState::parse(state.as_str()), Some(state));
        }
        for kind in RunType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(RunType::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(RunState::parse("NONE"), None);
    }

    #[test]
    fn an_ended_run_does_not_execute() {
        assert!(
            RunState::ALL
                .iter()
                .all(|state| !(state.is_terminal() && state.is_executing()))
        );
    }
}
