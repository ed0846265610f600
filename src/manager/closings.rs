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
mod tests {
    use super::*;

    fn subject(pull_request: &str, repository_id: Option<u64>) -> Subject {
        Subject::new("hello", &pull_request.parse().unwrap(), repository_id)
    }

    fn at(seconds: i64) -> Time {
        Time::from_second(seconds).unwrap()
    }

    fn target() -> CommitId {
        "a".repeat(40).parse().unwrap()
    }

    /// The memory of a repository with these references.
    fn memory<'a>(references: impl IntoIterator<Item = &'a str>) -> Closings {
        let named = references
            .into_iter()
            .map(|name| (name.to_owned(), target()));
        Closings::read(&named.collect())
    }

    fn remembered(closes: &[(&Subject, i64)]) -> Closings {
        let names: Vec<String> = closes
            .iter()
            .map(|(subject, until)| subject.reference(at(*until)))
            .collect();
        memory(names.iter().map(String::as_str))
    }

    #[test]
    fn a_close_is_found_by_number_first_and_by_name_second() {
        let both = subject("acme/hello#10", Some(77));
        let by_name = subject("acme/hello#10", None);
        // what is remembered, what is looked up, whether it is found
        let table = [
            (&both, subject("acme/hello#10", Some(77)), true),
            (&both, subject("ACME/Hello#10", None), true),
            (&both, subject("new/name#10", Some(77)), true),
            (&both, subject("new/name#10", None), false),
            (&both, subject("acme/hello#10", Some(78)), false),
            (&both, subject("acme/hello#11", Some(77)), false),
            (&both, subject("acme/hello#1", Some(770)), false),
            (&by_name, subject("acme/hello#10", Some(77)), true),
            (&by_name, subject("acme/hello#10", None), true),
            (&by_name, subject("new/name#10", Some(77)), false),
        ];
        for (closed, looked_up, found) in table {
            let until = remembered(&[(closed, 500)]).late_until(&looked_up);
            assert_eq!(until, found.then(|| at(500)), "{closed:?} {looked_up:?}");
        }
        let elsewhere = Subject::new("other", &"acme/hello#10".parse().unwrap(), Some(77));
        assert_eq!(remembered(&[(&both, 500)]).late_until(&elsewhere), None);
    }

    #[test]
    fn what_is_not_later_than_the_close_is_late() {
        // the event's time, whether it is `reopened`; whether it is late after a close at 500
        let table = [
            (Some(499), false, true),
            (Some(500), false, true),
            (Some(501), false, false),
            (Some(499), true, true),
            (Some(500), true, false),
            (Some(501), true, false),
            (None, false, false),
        ];
        for (time, is_reopening, late) in table {
            let said = is_late(time.map(at), is_reopening, at(500));
            assert_eq!(said, late, "{time:?} {is_reopening}");
        }
        let within: Time = "1970-01-01T00:08:20.7Z".parse().unwrap();
        assert!(is_late(Some(within), false, at(500)), "seconds are whole");
    }

    #[test]
    fn there_is_one_reference_per_pull_request() {
        let pull_request = subject("acme/hello#10", Some(77));
        let other = subject("acme/hello#11", Some(77));
        let memory = remembered(&[(&pull_request, 500), (&other, 500)]);
        let name = |until| pull_request.reference(at(until));
        let old = || vec![(name(500), target())];

        assert!(memory.remember(&pull_request, at(499)).is_empty());
        assert!(memory.remember(&pull_request, at(500)).is_empty());
        let newer = memory.remember(&pull_request, at(501));
        assert_eq!(newer.remember, [name(501)]);
        assert_eq!(newer.forget, old());
        let back = memory.forget(&pull_request);
        assert_eq!((back.remember, back.forget), (Vec::new(), old()));
        let first = Closings::default();
        assert!(first.forget(&pull_request).is_empty());
        assert_eq!(first.remember(&pull_request, at(500)).remember, [name(500)]);
        assert!(first.remember(&pull_request, at(-1)).is_empty());
    }

    #[test]
    fn an_expiry_is_remembered_with_its_commit() {
        let pull_request = subject("acme/hello#10", Some(77));
        let (old, new): (HeadSha, HeadSha) = (
            "a".repeat(40).parse().unwrap(),
            "b".repeat(40).parse().unwrap(),
        );
        let expired = |head: Option<&HeadSha>| {
            let name = Closings::default().expire(&pull_request, at(500), head);
            match memory(name.remember.iter().map(String::as_str)).memory(&pull_request) {
                Some(Memory::Expired(expired)) => expired,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(expired(Some(&old)).until, at(500));
        assert_eq!(expired(Some(&old)).is_of(&old), Some(true));
        assert_eq!(expired(Some(&old)).is_of(&new), Some(false));
        assert_eq!(expired(None).is_of(&old), None);

        let name = pull_request.expired_reference(at(500), Some(&old));
        let memory = memory([name.as_str()]);
        // A close takes its place, a return forgets it, age alone does not.
        let close = memory.remember(&pull_request, at(501));
        assert_eq!(close.forget, [(name.clone(), target())]);
        assert_eq!(memory.forget(&pull_request).forget.len(), 1);
        assert!(memory.expire(&pull_request, at(500), Some(&old)).is_empty());
        let again = memory.expire(&pull_request, at(600), Some(&new));
        assert_eq!((again.remember.len(), again.forget.len()), (1, 1));
        let mut other = memory.remember(&subject("acme/hello#11", None), at(9_000));
        memory.prune(&mut other, at(9_000 + KEPT_SECONDS));
        assert_eq!(other.forget, []);
    }

    #[test]
    fn of_two_memories_the_later_counts() {
        let pull_request = subject("acme/hello#10", Some(77));
        let closed = |until| pull_request.reference(at(until));
        let expired = pull_request.expired_reference(at(500), None);
        for (close, is_closed) in [(499, false), (500, true), (501, true)] {
            let memory = memory([closed(close).as_str(), expired.as_str()]).memory(&pull_request);
            let said = matches!(memory, Some(Memory::Closed(_)));
            assert_eq!(said, is_closed, "{close}");
        }
    }

    #[test]
    fn of_two_closes_the_later_counts() {
        let pull_request = subject("acme/hello#10", Some(77));
        let by_name = subject("acme/hello#10", None);
        let memory = remembered(&[(&pull_request, 500), (&by_name, 700)]);
        assert_eq!(memory.late_until(&pull_request), Some(at(700)));
        assert_eq!(memory.forget(&pull_request).forget.len(), 2);
    }

    #[test]
    fn only_old_closes_are_pruned_and_not_all_at_once() {
        let subjects: Vec<Subject> = (1..=60)
            .map(|number| subject(&format!("acme/hello#{number}"), None))
            .collect();
        let closes: Vec<(&Subject, i64)> = subjects.iter().zip(1_000..).collect();
        let memory = remembered(&closes);
        let new = subject("acme/hello#99", None);
        let pruned = |now: i64| {
            let mut change = memory.remember(&new, at(now));
            memory.prune(&mut change, at(now));
            change.forget
        };
        assert_eq!(pruned(1_000 + KEPT_SECONDS), []);
        assert_eq!(
            pruned(1_001 + KEPT_SECONDS),
            [(subjects[0].reference(at(1_000)), target())]
        );
        let many = pruned(9_000 + KEPT_SECONDS);
        assert_eq!(many.len(), PRUNED_AT_ONCE);
        assert_eq!(many[0].0, subjects[0].reference(at(1_000)));

        let mut nothing = Change::default();
        memory.prune(&mut nothing, at(9_000 + KEPT_SECONDS));
        assert!(nothing.is_empty(), "pruning is no reason for a push");
        // One's own older close is not deleted twice.
        let mut own = memory.remember(&subjects[0], at(9_000 + KEPT_SECONDS));
        memory.prune(&mut own, at(9_000 + KEPT_SECONDS));
        assert_eq!(own.forget.len(), PRUNED_AT_ONCE);
    }

    #[test]
    fn references_of_another_form_are_passed_over() {
        let hash = "0123456789ab";
        let good = format!("{PREFIX}{hash}-{hash}-500");
        for (reference, count) in [
            (good.clone(), 1),
            (format!("{PREFIX}0-{hash}-500"), 1),
            (format!("{good}-1"), 0),
            (format!("{PREFIX}{hash}-0-500"), 0),
            (format!("{PREFIX}{hash}-{hash}-x"), 0),
            (format!("{PREFIX}{hash}-{hash}-99999999999999999"), 0),
            (format!("{PREFIX}{hash}-{hash}"), 0),
            (format!("{EXPIRED_PREFIX}{hash}-{hash}-500-{hash}"), 1),
            (format!("{EXPIRED_PREFIX}0-{hash}-500-0"), 1),
            (format!("{EXPIRED_PREFIX}{hash}-{hash}-500"), 0),
            (format!("{EXPIRED_PREFIX}{hash}-{hash}-500-x"), 0),
            (format!("{EXPIRED_PREFIX}{hash}-{hash}-500-{hash}-0"), 0),
            (format!("{PREFIX}éééééé-{hash}-500"), 0),
            (format!("refs/dayfly/intents/{hash}"), 0),
        ] {
            assert_eq!(memory([reference.as_str()]).0.len(), count, "{reference}");
        }
    }

    #[test]
    fn a_server_that_prohibits_deletions_still_remembers() {
        let change = Change {
            remember: vec!["new".to_owned()],
            forget: vec![("old".to_owned(), target())],
        };
        let attempts = change.attempts(&target());
        assert_eq!(
            attempts.iter().map(Vec::len).collect::<Vec<_>>(),
            [2, 1],
            "{attempts:?}"
        );
        let back = Change {
            remember: Vec::new(),
            ..change
        };
        assert_eq!(back.attempts(&target()).len(), 1);
    }
}
