//! What a writer that lost a race asks of all others: to carry out its wish with their own.
//!
//! An intent is a reference, `refs/dayfly/intents/<id>`, at a commit without files whose message
//! holds the wish and whose author is the writer. It stands as long as its wish is open: the push
//! that carries it out removes it, and so does its writer when it gives up, each only if it is
//! still there. So a wish is carried out once, or not at all.

use std::collections::BTreeMap;

use super::{ManagerError, Wish};
use crate::clock::{self, Time};
use crate::git::{AtomicPush, CommitId, GitError, ReferenceEdit, Remote, Repository, Signature};

const PREFIX: &str = "refs/dayfly/intents/";
/// Stands where the server lets no reference be removed: then nobody asks, and nobody helps.
const ALONE: &str = "refs/dayfly/alone";
const FIRST_LINE: &str = "dayfly intent 1";
/// How long writers wait for one another, most often.
const FRESH_SECONDS: i64 = 60;
/// GitHub's events are smaller, and no helper is to be kept busy by more.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// A wish that waits in the manager repository.
#[derive(Clone, Debug)]
pub(super) struct Intent {
    pub(super) id: String,
    target: CommitId,
    pub(super) wish: Wish,
    pub(super) author: Signature,
    /// By the writer's clock.
    asked_at: Time,
}

/// A day: no job waits that long.
const OLD_SECONDS: i64 = 86_400;

fn is_old(asked_at: Time) -> bool {
    clock::now().as_second() - asked_at.as_second() > OLD_SECONDS
}

impl Intent {
    /// What fetches all intents.
    pub(super) fn refspec() -> String {
        format!("+{PREFIX}*:{PREFIX}*")
    }

    /// Whether writers may help each other in the repository of these references.
    pub(super) fn are_taken(references: &BTreeMap<String, CommitId>) -> bool {
        !references.contains_key(ALONE)
    }

    /// The intents among the references of a manager repository, by their ids.
    pub(super) fn named(references: &BTreeMap<String, CommitId>) -> BTreeMap<String, CommitId> {
        references
            .iter()
            .filter_map(|(name, target)| {
                Some((name.strip_prefix(PREFIX)?.to_owned(), target.clone()))
            })
            .collect()
    }

    /// Makes the wish known to all writers. `None` if the server takes no such reference, or no
    /// atomic pushes, without which nobody may help.
    pub(super) fn publish(
        cache: &Repository,
        remote: &Remote,
        wish: &Wish,
        author: &Signature,
    ) -> Result<Option<Self>, ManagerError> {
        let Ok(text) = serde_json::to_string(wish) else {
            return Ok(None);
        };
        let message = format!("{FIRST_LINE}\n\n{text}\n");
        if message.len() > LONGEST_MESSAGE {
            return Ok(None);
        }
        let asked_at = clock::now();
        let target = cache.commit_message(&message, author, asked_at)?;
        let intent = Self {
            id: clock::new_id(),
            target,
            wish: wish.clone(),
            author: author.clone(),
            asked_at,
        };
        match cache.publish(remote, &intent.reference(), &intent.target) {
            Ok(AtomicPush::Accepted) => Ok(Some(intent)),
            // Somebody has this very id: once in many lives.
            Ok(AtomicPush::LostRace) => Ok(None),
            Ok(AtomicPush::Refused(words)) => {
                tracing::debug!(words, "the server takes no intents");
                Ok(None)
            }
            // Without an answer it may stand there or not: the next listing tells.
            Err(error @ (GitError::TimedOut { .. } | GitError::Command { .. })) => {
                tracing::debug!(%error, "it is not known whether the intent was taken");
                Ok(Some(intent))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a fetched intent; `None` of one that cannot be read, such as a later version's: only
    /// its writer can carry it out.
    pub(super) fn read(cache: &Repository, id: &str, target: &CommitId) -> Option<Self> {
        let info = cache.commit_info(target).ok()?;
        if info.message.len() > LONGEST_MESSAGE {
            return None;
        }
        let text = info.message.strip_prefix(FIRST_LINE)?;
        let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self {
            id: Some(id).filter(|_| is_id)?.to_owned(),
            target: target.clone(),
            wish: serde_json::from_str(text).ok()?,
            author: info.author,
            asked_at: info.time,
        })
    }

    /// Whether its writer may well be waiting. Clocks differ: nothing but speed depends on it.
    pub(super) fn is_fresh(&self) -> bool {
        let age = clock::now().as_second() - self.asked_at.as_second();
        age.abs() <= FRESH_SECONDS
    }

    /// Whether its writer is gone for sure.
    pub(super) fn is_old(&self) -> bool {
        is_old(self.asked_at)
    }

    /// The removal of one that cannot be read, if its writer is gone for sure.
    pub(super) fn abandoned(
        cache: &Repository,
        id: &str,
        target: &CommitId,
    ) -> Option<ReferenceEdit> {
        let info = cache.commit_info(target).ok()?;
        is_old(info.time).then(|| ReferenceEdit::Delete {
            name: format!("{PREFIX}{id}"),
            expected: target.clone(),
        })
    }

    /// What a push has to hold that carries the wish out.
    pub(super) fn removal(&self) -> ReferenceEdit {
        ReferenceEdit::Delete {
            name: self.reference(),
            expected: self.target.clone(),
        }
    }

    /// Takes the wish back; `false` if another writer has answered it already. Where the server lets
    /// nothing be removed the reference stays, and no push can ever answer it.
    pub(super) fn withdraw(
        &self,
        cache: &Repository,
        remote: &Remote,
    ) -> Result<bool, ManagerError> {
        match cache.push_atomic(remote, None, &[self.removal()])? {
            AtomicPush::Accepted => Ok(true),
            AtomicPush::LostRace => Ok(false),
            AtomicPush::Refused(words) => {
                let reference = self.reference();
                tracing::warn!(
                    reference,
                    words,
                    "the server keeps a reference of no more use"
                );
                // No other writer is to make one more.
                let _ = cache.publish(remote, ALONE, &self.target);
                Ok(true)
            }
        }
    }

    fn reference(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }
}
