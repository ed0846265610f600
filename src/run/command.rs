//! What a person may tell a run, and when.

use super::{RunEvent, RunState, RunType, transition};

/// What a person tells a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    Confirm,
    Discard,
    Cancel,
    Stop,
    Retry,
}

impl Command {
    pub const ALL: [Self; 5] = [
        Self::Confirm,
        Self::Discard,
        Self::Cancel,
        Self::Stop,
        Self::Retry,
    ];

    /// The word that a person types.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Discard => "discard",
            Self::Cancel => "cancel",
            Self::Stop => "stop",
            Self::Retry => "retry",
        }
    }

    /// The word for a run that it was told to.
    pub fn done(self) -> &'static str {
        match self {
            Self::Confirm => "confirmed",
            Self::Discard => "discarded",
            Self::Cancel => "canceled",
            Self::Stop => "stopped",
            Self::Retry => "retried",
        }
    }

    /// What it makes happen to a run of type `kind` that is in `state`; `None` where it is not
    /// possible, and for a retry, which makes another run.
    ///
    /// A plan under review has nothing to apply: who confirms it ends it well, who discards it
    /// ends it FAILED, as on Spacelift.
    pub fn event(self, kind: RunType, state: RunState) -> Option<RunEvent> {
        let event = match (self, state) {
            (Self::Confirm, RunState::PendingReview) => RunEvent::Finish,
            (Self::Confirm, _) => RunEvent::Confirm,
            (Self::Discard, RunState::PendingReview) => RunEvent::Fail,
            (Self::Discard, _) => RunEvent::Discard,
            (Self::Cancel, _) => RunEvent::Cancel,
            (Self::Stop, _) => RunEvent::Stop,
            (Self::Retry, _) => return None,
        };
        transition(kind, state, event).is_ok().then_some(event)
    }

    /// Whether a run of type `kind` that is in `state` can be told this. What has ended can be
    /// tried again, except what was skipped for another run's sake.
    pub fn is_possible(self, kind: RunType, state: RunState) -> bool {
        match self {
            Self::Retry => state.is_terminal() && state != RunState::Skipped,
            _ => self.event(kind, state).is_some(),
        }
    }

    /// All that a run of type `kind` that is in `state` can be told.
    pub fn possible(kind: RunType, state: RunState) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|command| command.is_possible(kind, state))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, RunState, RunType};

    #[test]
    fn what_a_person_may_say_depends_on_the_state() {
        use RunState as S;
        for (kind, state, expected) in [
            (RunType::Tracked, S::Queued, "cancel"),
            (RunType::Tracked, S::Ready, "cancel"),
            (RunType::Tracked, S::Preparing, "stop"),
            (RunType::Tracked, S::Planning, "stop"),
            (RunType::Tracked, S::Unconfirmed, "confirm discard"),
            (RunType::Tracked, S::Confirmed, ""),
            (RunType::Tracked, S::Applying, ""),
            (RunType::Tracked, S::Failed, "retry"),
            (RunType::Tracked, S::Skipped, ""),
            (RunType::Proposed, S::PendingReview, "confirm discard"),
            (RunType::Proposed, S::Finished, "retry"),
            (RunType::Destroy, S::Initializing, "stop"),
            (RunType::Destroy, S::Destroying, ""),
        ] {
            let words: Vec<&str> = Command::possible(kind, state)
                .into_iter()
                .map(Command::as_str)
                .collect();
            assert_eq!(words.join(" "), expected, "{kind} {state}");
        }
    }
}
