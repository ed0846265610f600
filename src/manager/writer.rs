//! The writer: an event or a person's word becomes one commit, or none.

use std::time::{Duration, Instant};

use super::closings::{self, Step};
use super::decision::decide;
use super::lateness::is_overtaken;
use super::message::message;
use super::{Manager, ManagerError, Outcome, OutcomeAction, Snapshot, Wish};
use crate::clock;
use crate::event::Action;
use crate::git::{Committer, GitError, Push, Repository};

/// How long a writer tries to win the race for the branch.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does what `wish` asks for on the manager repository: one commit on its branch, or none if it is
/// so already. `cache` is a bare repository for the objects on their way.
pub fn write(
    manager: &Manager,
    wish: &Wish,
    cache: &Repository,
    committer: &Committer,
) -> Result<Outcome, ManagerError> {
    let started = Instant::now();
    let mut attempts = 0;
    loop {
        let (branch, _, closings) = manager.tip_and_closings()?;
        let snapshot = manager.snapshot_of(cache, branch)?;
        let decision = decide(snapshot.files(), wish, &closings)?;
        let (mut outcome, mut memory) = (decision.outcome, decision.memory);
        let Snapshot::Commit { branch, commit, .. } = snapshot else {
            return Ok(outcome);
        };
        let new = match decision.edit {
            Some(edit) => {
                let message = message(&outcome, wish);
                let (edits, now) = ([edit], clock::now());
                let new = cache.commit_edits(
                    Some(&commit),
                    &edits,
                    &message,
                    &committer.signature,
                    committer,
                    now,
                )?;
                if new.is_none() {
                    outcome.action = OutcomeAction::Unchanged;
                    return Ok(outcome);
                }
                new
            }
            None => None,
        };
        if new.is_none() && memory.is_empty() {
            return Ok(outcome);
        }
        let is_closed = wish.word.is_action(&Action::Closed);
        // Once: another writer may prune the same, and that is no race worth losing twice.
        if let (true, 0, Some(at)) = (is_closed, attempts, wish.word.at()) {
            closings.prune(&mut memory, at);
        }
        attempts += 1;
        let step = Step {
            branch: &branch,
            tip: &commit,
            new: new.as_ref(),
        };
        let (pushed, note) = match closings::push(cache, &manager.remote, step, &memory) {
            Ok(answer) => answer,
            Err(error) => (look_again(manager, step, error)?, None),
        };
        match pushed {
            Push::Accepted => {
                outcome.commit = new.as_ref().map(ToString::to_string);
                let subject = decision.subject.filter(|_| note.is_none());
                if is_overtaken(manager, &wish.word, subject.as_ref(), step, &outcome) {
                    continue;
                }
                outcome.reason = join_reasons(outcome.reason, note);
                return Ok(outcome);
            }
            Push::LostRace if started.elapsed() < PATIENCE => {
                let pause = 0.05 * f64::from(attempts.min(20)) * clock::jitter();
                tracing::debug!(attempts, pause, "lost the race for the branch");
                std::thread::sleep(Duration::from_secs_f64(pause));
            }
            Push::LostRace => {
                return Err(ManagerError::LostRace {
                    manager: manager.remote.to_string(),
                    attempts,
                    waited: started.elapsed(),
                });
            }
        }
    }
}

/// How a push ended to which no answer came: where the branch stands tells it. If it stands where
/// nobody expected it, the decision is taken anew, and finds what is done already done.
fn look_again(manager: &Manager, step: Step<'_>, error: GitError) -> Result<Push, ManagerError> {
    let is_slow = matches!(error, GitError::TimedOut { .. });
    let (Some(new), true) = (
        step.new,
        is_slow || matches!(error, GitError::Command { .. }),
    ) else {
        return Err(error.into());
    };
    match manager.tip() {
        Ok((_, tip)) if tip == *new => Ok(Push::Accepted),
        // A server that gave no answer in time may still be at it.
        Ok((_, tip)) if tip == *step.tip && !is_slow => Err(error.into()),
        Ok((_, tip)) if tip != *step.tip => Ok(Push::LostRace),
        _ => Err(ManagerError::Unheard {
            manager: manager.remote.to_string(),
            branch: step.branch.to_owned(),
            commit: new.to_string(),
            source: Box::new(error),
        }),
    }
}

fn join_reasons(reason: Option<String>, note: Option<String>) -> Option<String> {
    match (reason, note) {
        (Some(reason), Some(note)) => Some(format!("{reason}; {note}")),
        (reason, note) => reason.or(note),
    }
}
