//! Which events come too late after a close, and what a close makes late: the rules of a word
//! against the memory in `closings`.

use super::closings::{Closings, Step, Subject, is_late};
use super::{Manager, Outcome, OutcomeAction, Word};
use crate::clock::Time;
use crate::event::Action;

impl Word {
    /// Until when all other events are late, once this one has ended the environment. In its own
    /// second only a close is sure to have the last word.
    pub(super) fn ends_until(&self) -> Option<Time> {
        let at = self.at()?;
        let is_close = match self {
            Self::Event(event) => event.action == Action::Closed || !event.pull_request.is_open,
            Self::Upsert { .. } | Self::Delete { .. } => true,
        };
        let second_before = || Time::from_second(at.as_second() - 1).ok();
        if is_close { Some(at) } else { second_before() }
    }

    /// Until when events are late, if this one is.
    pub(super) fn is_late(&self, closings: &Closings, subject: &Subject) -> Option<Time> {
        let until = closings.late_until(subject)?;
        is_late(self.at(), self.is_action(&Action::Reopened), until).then_some(until)
    }
}

/// Whether a close and an opening passed each other unseen. A close that finds no file moves no
/// branch, so an opening meanwhile does not lose the race against it: each looks, once its own word
/// stands, whether the other's does too. One of the two always sees it, decides again and removes
/// the file.
pub(super) fn is_overtaken(
    manager: &Manager,
    word: &Word,
    subject: Option<&Subject>,
    step: Step<'_>,
    outcome: &Outcome,
) -> bool {
    let Some(subject) = subject else {
        return false;
    };
    let is_bare_close = step.new.is_none();
    let is_opening = outcome.action == OutcomeAction::Created && word.at().is_some();
    if !is_bare_close && !is_opening {
        return false;
    }
    match manager.tip_and_closings() {
        Ok((_, tip, _)) if is_bare_close => tip != *step.tip,
        Ok((_, _, closings)) => word.is_late(&closings, subject).is_some(),
        // What was asked for is done: a failure to look must not tell otherwise.
        Err(error) => {
            tracing::warn!(%error, "cannot look whether a close and an opening passed each other");
            false
        }
    }
}
