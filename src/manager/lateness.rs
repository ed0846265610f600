//! Which events come too late after a close, and what a close makes late: the rules of a word
//! against the memory in `closings`.

use super::closings::{Closings, Subject, is_late};
use super::fold::{Answer, Fold};
use super::{Manager, Word};
use crate::clock::Time;
use crate::event::Action;
use crate::git::CommitId;

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

/// Which answers of a fold are to be decided anew that was pushed without passing the gate, because
/// the server does not take that: a close and an opening may have passed each other unseen. Each
/// looks, once its own word stands, whether the other's does too. One of the two always sees it,
/// decides again and removes the file. `is_remembered` says whether the server took the memory of
/// the fold's closes.
pub(super) fn overtaken(
    manager: &Manager,
    fold: &Fold<'_>,
    tip: &CommitId,
    is_remembered: bool,
) -> Vec<usize> {
    let is_bare = fold.step().is_none();
    let is_asking = |answer: &Answer| {
        is_remembered && answer.subject.is_some() && (is_bare || answer.is_opening())
    };
    let asking = || {
        let answers = fold.answers.iter().enumerate();
        answers.filter(|(_, answer)| is_asking(answer))
    };
    if asking().next().is_none() {
        return Vec::new();
    }
    let listing = match manager.listing() {
        Ok(listing) => listing,
        // What was asked for is done: a failure to look must not tell otherwise.
        Err(error) => {
            tracing::warn!(%error, "cannot look whether a close and an opening passed each other");
            return Vec::new();
        }
    };
    let is_overtaken = |answer: &Answer| match &answer.subject {
        _ if is_bare => listing.tip != *tip,
        Some(subject) => {
            let word = &answer.request.wish.word;
            word.is_late(&listing.closings, subject).is_some()
        }
        None => false,
    };
    asking()
        .filter(|(_, answer)| is_overtaken(answer))
        .map(|(number, _)| number)
        .collect()
}
