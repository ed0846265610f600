//! What the manager repository remembers of closed pull requests, so that no event that arrives
//! late brings one back (invariant 4), and of expired ones.
//!
//! The memory is references, no files: `refs/dayfly/closed/<by id>-<by name>-<seconds>`, or
//! `refs/dayfly/expired/…-<seconds>-<head>`, one for each pull request of a service. The two hashes
//! find it by the repository's number, which survives a rename, and by name; the seconds say until
//! when events are late; a third hash is that of the commit that expired. A listing of the branches
//! holds it all, and a push changes it together with the branch.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::clock::Time;
use crate::event::{HeadSha, PullRequestId};
use crate::git::{CommitId, ReferenceEdit};

const PREFIX: &str = "refs/dayfly/closed/";
const EXPIRED_PREFIX: &str = "refs/dayfly/expired/";
/// How long a close is remembered, at least: jobs that wait longer are given up by every CI.
const KEPT_SECONDS: i64 = 30 * 86_400;
/// How many forgotten closes one push takes along.
const PRUNED_AT_ONCE: usize = 50;
/// Hexadecimal digits of a hash. The listing is read by each writer, so they are few; 10,000
/// closes are still mistaken for one another once in ten billion events.
const DIGITS: usize = 12;
/// Stands where the repository's number is not known, or the commit.
const UNKNOWN: &str = "0";

/// A pull request of a service, as it is looked up in the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    by_id: Option<String>,
    by_name: String,
}

/// What is remembered of a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// It was closed; events until then are late.
    Closed(Time),
    /// Its environment has expired.
    Expired(Expired),
}

/// An expiry that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expired {
    /// Events until then are late: the time of the one that the environment was written for.
    pub(super) until: Time,
    head: Option<String>,
}

impl Expired {
    /// Whether `head` is the commit that expired; `None` where that is not known.
    pub(super) fn is_of(&self, head: &HeadSha) -> Option<bool> {
        let own = self.head.as_ref()?;
        Some(*own == digest(head.as_str()))
    }
}

/// A remembered close, or expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Closing {
    subject: Subject,
    /// Events until then are late.
    until: Time,
    /// Of an expiry, the hash of the commit, where it is known.
    expired: Option<Option<String>>,
    reference: String,
    target: CommitId,
}

/// All closes that are remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Closings(Vec<Closing>);

/// What a write changes in the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    remember: Vec<String>,
    forget: Vec<(String, CommitId)>,
}

impl Subject {
    pub(super) fn new(
        service: &str,
        pull_request: &PullRequestId,
        repository_id: Option<u64>,
    ) -> Self {
        let number = pull_request.number;
        let name = pull_request.repository.to_string().to_ascii_lowercase();
        Self {
            by_id: repository_id.map(|id| digest(&format!("{service}\0id\0{id}\0{number}"))),
            by_name: digest(&format!("{service}\0name\0{name}\0{number}")),
        }
    }

    /// The repository's number decides where both know it: a name can pass to another repository.
    fn is(&self, other: &Self) -> bool {
        match (&self.by_id, &other.by_id) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => self.by_name == other.by_name,
        }
    }

    fn reference(&self, until: Time) -> String {
        self.named(PREFIX, until)
    }

    fn expired_reference(&self, until: Time, head: Option<&HeadSha>) -> String {
        let head = head.map_or_else(|| UNKNOWN.to_owned(), |head| digest(head.as_str()));
        format!("{}-{head}", self.named(EXPIRED_PREFIX, until))
    }

    fn named(&self, prefix: &str, until: Time) -> String {
        let by_id = self.by_id.as_deref().unwrap_or(UNKNOWN);
        format!("{prefix}{by_id}-{}-{}", self.by_name, until.as_second())
    }
}

fn digest(text: &str) -> String {
    let bytes = Sha256::digest(text.as_bytes());
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.take(DIGITS / 2).collect()
}

impl Closing {
    /// `None` of a reference that is not of this form: nobody's, or a later version's.
    fn read(reference: &str, target: &CommitId) -> Option<Self> {
        let expired = reference.strip_prefix(EXPIRED_PREFIX);
        let mut parts = expired
            .or_else(|| reference.strip_prefix(PREFIX))?
            .split('-');
        let (by_id, by_name, until) = (parts.next()?, parts.next()?, parts.next()?);
        let head = expired.map(|_| parts.next());
        let is_hash =
            |text: &str| text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
        let is_hash_or_unknown = |text: &str| text == UNKNOWN || is_hash(text);
        let is_head = head.is_none_or(|head| head.is_some_and(is_hash_or_unknown));
        if !is_hash_or_unknown(by_id) || !is_hash(by_name) || !is_head || parts.next().is_some() {
            return None;
        }
        let known = |text: &str| (text != UNKNOWN).then(|| text.to_owned());
        Some(Self {
            subject: Subject {
                by_id: known(by_id),
                by_name: by_name.to_owned(),
            },
            until: Time::from_second(until.parse().ok()?).ok()?,
            expired: head.map(|head| head.and_then(known)),
            reference: reference.to_owned(),
            target: target.clone(),
        })
    }

    fn name(&self) -> (String, CommitId) {
        (self.reference.clone(), self.target.clone())
    }
}

impl Closings {
    /// Those among the references of a manager repository.
    pub(super) fn read(references: &BTreeMap<String, CommitId>) -> Self {
        let closings = references
            .iter()
            .filter_map(|(reference, target)| Closing::read(reference, target));
        Self(closings.collect())
    }

    fn of(&self, subject: &Subject) -> impl Iterator<Item = &Closing> {
        self.0.iter().filter(|closing| closing.subject.is(subject))
    }

    /// What is remembered of the pull request: what came last.
    pub(super) fn memory(&self, subject: &Subject) -> Option<Memory> {
        let last = self
            .of(subject)
            .max_by_key(|closing| (closing.until, closing.expired.is_none()))?;
        Some(match &last.expired {
            None => Memory::Closed(last.until),
            Some(head) => Memory::Expired(Expired {
                until: last.until,
                head: head.clone(),
            }),
        })
    }

    /// Until when events of the pull request are late; `None` if nothing of it is remembered.
    fn late_until(&self, subject: &Subject) -> Option<Time> {
        self.of(subject).map(|closing| closing.until).max()
    }

    /// Remembers that events until then are late, in the place of what was known before; nothing
    /// is to be done where that reaches as far.
    pub(super) fn remember(&self, subject: &Subject, until: Time) -> Change {
        // Before 1970 the seconds would have a sign, and no event was.
        let known = self.late_until(subject);
        if until.as_second() < 0 || known.is_some_and(|k| k.as_second() >= until.as_second()) {
            return Change::default();
        }
        Change {
            remember: vec![subject.reference(until)],
            ..self.forget(subject)
        }
    }

    /// Remembers that the environment has expired which was written for an event of `until`.
    pub(super) fn expire(&self, subject: &Subject, until: Time, head: Option<&HeadSha>) -> Change {
        let reference = subject.expired_reference(until.max(Time::UNIX_EPOCH), head);
        let mut change = self.forget(subject);
        let known = change.forget.len();
        // A server that prohibits deletions may have kept it from before.
        change.forget.retain(|(name, _)| *name != reference);
        if change.forget.len() == known {
            change.remember = vec![reference];
        }
        change
    }

    /// Forgets the close, or the expiry: the pull request is back.
    pub(super) fn forget(&self, subject: &Subject) -> Change {
        Change {
            remember: Vec::new(),
            forget: self.of(subject).map(Closing::name).collect(),
        }
    }

    /// The memory as it is after `change`, which is pushed with `target`.
    pub(super) fn after(mut self, change: &Change, target: &CommitId) -> Self {
        self.0
            .retain(|closing| !change.forget.contains(&closing.name()));
        let remembered = change
            .remember
            .iter()
            .filter_map(|reference| Closing::read(reference, target));
        self.0.extend(remembered);
        self
    }

    /// What makes this memory the `later` one.
    pub(super) fn change_to(&self, later: &Self) -> Change {
        let names = |closings: &Self| -> BTreeSet<String> {
            let references = closings.0.iter();
            references
                .map(|closing| closing.reference.clone())
                .collect()
        };
        let (old, new) = (names(self), names(later));
        Change {
            remember: new.difference(&old).cloned().collect(),
            forget: self
                .0
                .iter()
                .filter(|closing| !new.contains(&closing.reference))
                .map(Closing::name)
                .collect(),
        }
    }

    /// Adds to `change`, if it is one, the oldest of the closes that need not be remembered any
    /// more at `now`, the time of an event. An expiry counts as long as its pull request is open.
    pub(super) fn prune(&self, change: &mut Change, now: Time) {
        if change.is_empty() {
            return;
        }
        let oldest_kept = now.as_second().saturating_sub(KEPT_SECONDS);
        let mut expired: Vec<&Closing> = self
            .0
            .iter()
            .filter(|closing| closing.expired.is_none())
            .filter(|closing| closing.until.as_second() < oldest_kept)
            .collect();
        expired.sort_by_key(|closing| closing.until);
        for closing in expired.into_iter().take(PRUNED_AT_ONCE) {
            let name = closing.name();
            if !change.forget.contains(&name) {
                change.forget.push(name);
            }
        }
    }
}

/// Whether an event of `at` comes too late after a close until which all others are late. What
/// has no time cannot be ordered; a pull request may be reopened in the second of its close.
pub(super) fn is_late(at: Option<Time>, is_reopening: bool, until: Time) -> bool {
    at.is_some_and(|at| match is_reopening {
        true => at.as_second() < until.as_second(),
        false => at.as_second() <= until.as_second(),
    })
}

impl Change {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a close is remembered by it.
    pub(super) fn remembers(&self) -> bool {
        !self.remember.is_empty()
    }

    fn creations(&self, target: &CommitId) -> impl Iterator<Item = ReferenceEdit> {
        self.remember.iter().map(|name| ReferenceEdit::Create {
            name: name.clone(),
            target: target.clone(),
        })
    }

    /// The references that it makes, each at `target`, and those that it removes.
    pub(super) fn edits(&self, target: &CommitId) -> Vec<ReferenceEdit> {
        let delete = self
            .forget
            .iter()
            .map(|(name, expected)| ReferenceEdit::Delete {
                name: name.clone(),
                expected: expected.clone(),
            });
        self.creations(target).chain(delete).collect()
    }

    /// What is tried one after the other until the server takes it: all of it; without deletions,
    /// which some servers prohibit. An old close beside a newer one does no harm, nor does one
    /// beside a file that is newer still.
    pub(super) fn attempts(&self, target: &CommitId) -> Vec<Vec<ReferenceEdit>> {
        let create: Vec<ReferenceEdit> = self.creations(target).collect();
        let mut attempts = vec![self.edits(target)];
        if !self.forget.is_empty() && !create.is_empty() {
            attempts.push(create);
        }
        attempts
    }
}

#[cfg(test)]
mod tests;
