//! Whose turn it is among the runs of one stack.

use super::{RunState, RunType};

/// What is to be done now with a run that has not ended. The numbers are places in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is executed, or taken up where a person confirmed it.
    Go,
    /// It waits for a person, or somebody works on it already.
    Stays,
    /// It waits for the end of that one.
    Behind(usize),
    /// Nobody wants it any more: that one came after it.
    Superseded(usize),
}

/// The turn of each unfinished run of one stack, given oldest first.
///
/// Blocking runs are serial, and one that waits for a person blocks the newer ones, as on
/// Spacelift. A newer one supersedes what has not started. A DESTROY run also supersedes a plan
/// that waits for a person: nobody can want it where the stack is gone. PROPOSED runs come after
/// the blocking ones, one at a time, for all runs of a stack work in one place.
pub fn turns(runs: &[(RunType, RunState)]) -> Vec<Turn> {
    let mut turns = vec![Turn::Stays; runs.len()];
    let mut before = None;
    let blocking = |place: &usize| runs[*place].0.is_blocking();
    let (blocking, proposed): (Vec<usize>, Vec<usize>) = (0..runs.len()).partition(blocking);
    for (rank, &place) in blocking.iter().enumerate() {
        let newer = blocking[rank + 1..]
            .iter()
            .rev()
            .find(|newer| supersedes(runs[**newer], runs[place]));
        turns[place] = match (newer, before) {
            (Some(&newer), _) => Turn::Superseded(newer),
            (None, Some(before)) => Turn::Behind(before),
            (None, None) => {
                before = Some(place);
                turn_of(runs[place].1)
            }
        };
    }
    // What waits for a person does not keep others from planning.
    let mut before = before.filter(|place| !runs[*place].1.waits_for_a_person());
    for &place in &proposed {
        turns[place] = match (turn_of(runs[place].1), before) {
            (Turn::Go, Some(before)) => Turn::Behind(before),
            (turn, _) => {
                before = Some(place).filter(|_| turn == Turn::Go).or(before);
                turn
            }
        };
    }
    turns
}

fn turn_of(state: RunState) -> Turn {
    match state {
        RunState::Queued | RunState::Ready | RunState::Confirmed | RunState::ReplanRequested => {
            Turn::Go
        }
        _ => Turn::Stays,
    }
}

fn supersedes(newer: (RunType, RunState), older: (RunType, RunState)) -> bool {
    match older {
        (_, RunState::Queued | RunState::Ready) => {
            newer.0 == older.0 || newer.0 == RunType::Destroy
        }
        (_, RunState::Unconfirmed) => newer.0 == RunType::Destroy,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::RunState as S;
    use super::RunType::{Destroy, Proposed, Tracked};
    use super::Turn::{Behind, Go, Stays, Superseded};
    use super::turns;

    #[test]
    fn blocking_runs_are_serial_and_the_newest_counts() {
        for (runs, expected) in [
            (vec![(Tracked, S::Queued)], vec![Go]),
            (
                vec![
                    (Tracked, S::Queued),
                    (Tracked, S::Ready),
                    (Tracked, S::Queued),
                ],
                vec![Superseded(2), Superseded(2), Go],
            ),
            (
                vec![
                    (Tracked, S::Unconfirmed),
                    (Tracked, S::Queued),
                    (Tracked, S::Queued),
                ],
                vec![Stays, Superseded(2), Behind(0)],
            ),
            (
                vec![(Tracked, S::Unconfirmed), (Destroy, S::Queued)],
                vec![Superseded(1), Go],
            ),
            (
                vec![(Tracked, S::Confirmed), (Destroy, S::Queued)],
                vec![Go, Behind(0)],
            ),
            (
                vec![(Tracked, S::Applying), (Tracked, S::Queued)],
                vec![Stays, Behind(0)],
            ),
            (
                vec![(Destroy, S::Queued), (Tracked, S::Queued)],
                vec![Go, Behind(0)],
            ),
            (vec![(Tracked, S::ReplanRequested)], vec![Go]),
        ] {
            assert_eq!(turns(&runs), expected, "{runs:?}");
        }
    }

    #[test]
    fn proposed_runs_come_after_and_supersede_nothing() {
        for (runs, expected) in [
            (
                vec![
                    (Proposed, S::Queued),
                    (Tracked, S::Queued),
                    (Proposed, S::Queued),
                ],
                vec![Behind(1), Go, Behind(1)],
            ),
            (
                vec![(Proposed, S::Queued), (Proposed, S::Queued)],
                vec![Go, Behind(0)],
            ),
            (
                vec![(Tracked, S::Unconfirmed), (Proposed, S::Queued)],
                vec![Stays, Go],
            ),
            (
                vec![(Proposed, S::PendingReview), (Proposed, S::Queued)],
                vec![Stays, Go],
            ),
        ] {
            assert_eq!(turns(&runs), expected, "{runs:?}");
        }
    }
}
