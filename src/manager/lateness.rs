//! Which events come too late after a close, and what a close makes late: the rules of a word
//! against the memory in `closings`.

use super::closings::{Closings, Expired, Memory, Subject, is_late};
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
            Self::Upsert { .. }
            | Self::Delete { .. }
            | Self::Rollback { .. }
            | Self::Lifetime { .. } => true,
        };
        let second_before = || Time::from_second(at.as_second() - 1).ok();
        if is_close { Some(at) } else { second_before() }
    }

    /// Until when events are late after a close, if this one is.
    pub(super) fn is_late(&self, closings: &Closings, subject: &Subject) -> Option<Time> {
        let Some(Memory::Closed(until)) = closings.memory(subject) else {
            return None;
        };
        self.is_before(until).then_some(until)
    }

    /// Whether this one leaves an environment gone that has expired: it tells of no commit after
    /// the one that expired, and nobody has asked for it.
    pub(super) fn leaves_expired(&self, expired: &Expired) -> bool {
        let is_news = match self {
            Self::Event(event) => match &event.action {
                Action::Reopened => true,
                action => match expired.is_of(&event.pull_request.head_sha) {
                    Some(is_same) => !is_same,
                    None => *action == Action::Synchronize,
                },
            },
            _ => true,
        };
        !is_news || self.is_before(expired.until)
    }

    fn is_before(&self, until: Time) -> bool {
        let at = match self {
            Self::Lifetime { .. } => self.event().and_then(|event| event.at),
            word => word.at(),
        };
        is_late(at, self.is_action(&Action::Reopened), until)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::{HeadSha, PullRequest, PullRequestEvent};
    use crate::manager::Lifetime;

    #[test]
    fn only_news_brings_back_what_has_expired() {
        let old: HeadSha = "a".repeat(40).parse().unwrap();
        let pull_request = PullRequest::example("acme/x".parse().unwrap());
        let subject = Subject::new("s", &pull_request.id, None);
        let at = |second: i64| Time::from_second(second).ok();
        let expired = |head: Option<&HeadSha>| {
            let named = Closings::default().expire(&subject, at(500).unwrap(), head);
            let target: CommitId = "c".repeat(40).parse().unwrap();
            let references: BTreeMap<String, CommitId> = named
                .edits(&target)
                .into_iter()
                .map(|edit| match edit {
                    crate::git::ReferenceEdit::Create { name, target } => (name, target),
                    other => panic!("{other:?}"),
                })
                .collect();
            match Closings::read(&references).memory(&subject) {
                Some(Memory::Expired(expired)) => expired,
                other => panic!("{other:?}"),
            }
        };
        let labeled = || Action::Labeled(Some("x".to_owned()));
        // the action, its second, whether its commit is new; whether it stays gone where the expired
        // commit is known, and where it is not
        for (action, second, is_new, known, unknown) in [
            (Action::Synchronize, Some(501), true, false, false),
            (Action::Synchronize, Some(501), false, true, false),
            (Action::Synchronize, Some(500), true, true, true),
            (Action::Synchronize, None, true, false, false),
            (labeled(), Some(501), true, false, true),
            (labeled(), Some(501), false, true, true),
            (Action::Seen, Some(501), true, false, true),
            (Action::Seen, Some(900), false, true, true),
            (Action::Seen, Some(499), true, true, true),
            (Action::Opened, Some(501), false, true, true),
            (Action::Reopened, Some(501), false, false, false),
            (Action::Reopened, Some(500), false, false, false),
            (Action::Reopened, Some(499), false, true, true),
        ] {
            let mut event = PullRequestEvent {
                action: action.clone(),
                pull_request: pull_request.clone(),
                at: second.and_then(at),
                by: None,
            };
            event.pull_request.head_sha = match is_new {
                true => "b".repeat(40).parse().unwrap(),
                false => old.clone(),
            };
            let word = Word::Event(event);
            for (head, expected) in [(Some(&old), known), (None, unknown)] {
                let stays = word.leaves_expired(&expired(head));
                assert_eq!(stays, expected, "{action:?} {second:?} {is_new} {head:?}");
            }
        }
        let upsert = |second: Option<i64>| Word::Upsert {
            pull_request: pull_request.clone(),
            at: second.and_then(at),
            keeps_fork: false,
        };
        for (second, expected) in [(None, false), (Some(501), false), (Some(500), true)] {
            let stays = upsert(second).leaves_expired(&expired(Some(&old)));
            assert_eq!(stays, expected, "{second:?}");
        }
        let extended = Word::Lifetime {
            pull_request: pull_request.id.clone(),
            change: Lifetime::Pin,
            at: at(1).unwrap(),
        };
        assert!(!extended.leaves_expired(&expired(Some(&old))));
    }
}
