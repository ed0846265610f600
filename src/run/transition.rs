//! The one function that moves a run from a state to the next.

use crate::error::{Diagnose, Kind};

use super::{RunState, RunType};

/// What happens to a run. Steps are taken by whoever executes it, the rest by people, policies
/// and the start of dayfly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunEvent {
    /// Its stack is free and all that it waits for is there.
    MakeReady,
    /// Its workspace is being made.
    Prepare,
    Initialize,
    Plan,
    /// The plan waits for a person: UNCONFIRMED, or PENDING_REVIEW of a run that never applies.
    Await,
    Confirm,
    PrepareApply,
    Apply,
    Destroy,
    /// All was done that the run is for.
    Finish,
    RequestReplan,
    PrepareReplan,
    Fail,
    /// The process that executed it is gone or was told to stop.
    Interrupt,
    /// A person or a policy no longer wants what has not started.
    Cancel,
    /// A person refuses the plan.
    Discard,
    /// A person stops it before anything was applied.
    Stop,
    /// What it depends on failed or did not change.
    Skip,
}

impl RunEvent {
    pub const ALL: [Self; 18] = [
        Self::MakeReady,
        Self::Prepare,
        Self::Initialize,
        Self::Plan,
        Self::Await,
        Self::Confirm,
        Self::PrepareApply,
        Self::Apply,
        Self::Destroy,
        Self::Finish,
        Self::RequestReplan,
        Self::PrepareReplan,
        Self::Fail,
        Self::Interrupt,
        Self::Cancel,
        Self::Discard,
        Self::Stop,
        Self::Skip,
    ];
}

/// A move that the state machine does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} run that is {state} cannot take the step {event:?}")]
pub struct IllegalMove {
    pub kind: RunType,
    pub state: RunState,
    pub event: RunEvent,
}

impl Diagnose for IllegalMove {
    fn kind(&self) -> Kind {
        Kind::Failed
    }
}

/// The state in which `event` leaves a run of type `kind` that is in `state`.
///
/// A terminal state is left by nothing. Any other can fail, and what a process works on can be
/// interrupted; what may be cancelled, stopped or discarded is as on Spacelift: nothing once it is
/// confirmed.
pub fn transition(
    kind: RunType,
    state: RunState,
    event: RunEvent,
) -> Result<RunState, IllegalMove> {
    use RunState as S;
    use RunType::{Destroy, Proposed, Tracked};

    Ok(match (kind, state, event) {
        (_, S::Queued, RunEvent::MakeReady) => S::Ready,
        (_, S::Ready, RunEvent::Prepare) => S::Preparing,
        (_, S::Preparing, RunEvent::Initialize) => S::Initializing,

        (Proposed | Tracked, S::Initializing | S::PreparingReplan, RunEvent::Plan) => S::Planning,
        (Proposed | Tracked, S::Planning, RunEvent::Finish) => S::Finished,
        (Proposed, S::Planning, RunEvent::Await) => S::PendingReview,
        (Proposed, S::PendingReview, RunEvent::Finish) => S::Finished,

        (Tracked, S::Planning, RunEvent::Await) => S::Unconfirmed,
        (Tracked, S::Unconfirmed, RunEvent::Confirm) => S::Confirmed,
        (Tracked, S::Confirmed, RunEvent::PrepareApply) => S::PreparingApply,
        (Tracked, S::Planning | S::PreparingApply, RunEvent::Apply) => S::Applying,
        (Tracked, S::Applying, RunEvent::Finish) => S::Finished,
        (Tracked, S::Unconfirmed, RunEvent::Discard) => S::Discarded,
        (Tracked, S::Unconfirmed, RunEvent::RequestReplan) => S::ReplanRequested,
        (Tracked, S::ReplanRequested, RunEvent::PrepareReplan) => S::PreparingReplan,

        (Destroy, S::Initializing, RunEvent::Destroy) => S::Destroying,
        (Destroy, S::Destroying, RunEvent::Finish) => S::Finished,

        (_, S::Queued | S::Ready, RunEvent::Cancel) => S::Canceled,
        (_, S::Queued | S::Ready, RunEvent::Skip) => S::Skipped,
        (_, S::Preparing | S::PreparingReplan | S::Initializing | S::Planning, RunEvent::Stop) => {
            S::Stopped
        }
        (_, _, RunEvent::Fail) if !state.is_terminal() => S::Failed,
        (_, _, RunEvent::Interrupt) if state.is_executing() => S::Failed,

        _ => return Err(IllegalMove { kind, state, event }),
    })
}

#[cfg(test)]
mod tests {
    use super::{RunEvent as E, RunState as S, RunType, transition};

    fn walk(kind: RunType, events: &[E]) -> S {
        events.iter().fold(S::Queued, |state, event| {
            transition(kind, state, *event).unwrap()
        })
    }

    const START: [E; 3] = [E::MakeReady, E::Prepare, E::Initialize];

    #[test]
    fn the_paths_that_spacelift_documents() {
        let cases: &[(RunType, &[E], S)] = &[
            (RunType::Tracked, &[E::Plan, E::Finish], S::Finished),
            (RunType::Tracked, &[E::Plan, E::Fail], S::Failed),
            (
                RunType::Tracked,
                &[E::Plan, E::Apply, E::Finish],
                S::Finished,
            ),
            (
                RunType::Tracked,
                &[
                    E::Plan,
                    E::Await,
                    E::Confirm,
                    E::PrepareApply,
                    E::Apply,
                    E::Finish,
                ],
                S::Finished,
            ),
            (
                RunType::Tracked,
                &[E::Plan, E::Await, E::Discard],
                S::Discarded,
            ),
            (
                RunType::Tracked,
                &[
                    E::Plan,
                    E::Await,
                    E::RequestReplan,
                    E::PrepareReplan,
                    E::Plan,
                ],
                S::Planning,
            ),
            (RunType::Proposed, &[E::Plan, E::Finish], S::Finished),
            (
                RunType::Proposed,
                &[E::Plan, E::Await, E::Finish],
                S::Finished,
            ),
            (RunType::Destroy, &[E::Destroy, E::Finish], S::Finished),
            (RunType::Destroy, &[E::Destroy, E::Interrupt], S::Failed),
        ];
        for (kind, events, end) in cases {
            let all: Vec<E> = START.iter().chain(*events).copied().collect();
            assert_eq!(walk(*kind, &all), *end, "{kind} {events:?}");
        }
    }

    #[test]
    fn a_terminal_state_is_left_by_nothing() {
        for kind in RunType::ALL {
            for state in S::ALL.into_iter().filter(|state| state.is_terminal()) {
                for event in E::ALL {
                    assert!(
                        transition(kind, state, event).is_err(),
                        "{kind} {state} {event:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_proposed_run_never_applies_and_only_a_destroy_run_destroys() {
        for state in S::ALL {
            for (kind, event) in [
                (RunType::Proposed, E::Apply),
                (RunType::Proposed, E::Confirm),
                (RunType::Proposed, E::Destroy),
                (RunType::Tracked, E::Destroy),
                (RunType::Destroy, E::Apply),
                (RunType::Destroy, E::Plan),
            ] {
                assert!(
                    transition(kind, state, event).is_err(),
                    "{kind} {state} {event:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_jumps_over_the_person_who_confirms() {
        let refused = [
            (S::Unconfirmed, E::Apply),
            (S::Confirmed, E::Apply),
            (S::Unconfirmed, E::Finish),
            (S::Queued, E::Plan),
            (S::Queued, E::Finish),
            (S::Applying, E::Stop),
            (S::Applying, E::Apply),
            (S::Confirmed, E::Discard),
            (S::Planning, E::Cancel),
            (S::Confirmed, E::Interrupt),
            (S::Unconfirmed, E::Interrupt),
        ];
        for (state, event) in refused {
            let refused = transition(RunType::Tracked, state, event).unwrap_err();
            assert_eq!((refused.state, refused.event), (state, event));
        }
    }

    #[test]
    fn whatever_is_worked_on_can_be_interrupted_and_only_to_failed() {
        for kind in RunType::ALL {
            for state in S::ALL {
                let interrupted = transition(kind, state, E::Interrupt).ok();
                let expected = state.is_executing().then_some(S::Failed);
                assert_eq!(interrupted, expected, "{kind} {state}");
            }
        }
    }
}
