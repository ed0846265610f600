//! Which data directory applies the manager repository: a second one knows nothing of what the first
//! has made, and would make everything anew.
//!
//! The record is the reference `refs/dayfly/owner`, at a commit without files whose message says who
//! it is. It is made, and passed on, only from where it was seen.

use serde::{Deserialize, Serialize};

use super::{Manager, ManagerError};
use crate::clock;
use crate::git::{AtomicPush, CommitId, ReferenceEdit, Repository, Signature};

pub(super) const NAME: &str = "refs/dayfly/owner";
/// What keeps the commit in the cache.
const PIN: &str = "owner";
const FIRST_LINE: &str = "dayfly owner 1";

/// A data directory, as the manager repository knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub id: String,
    pub host: String,
    pub path: String,
}

impl Owner {
    /// Who stands at `record`; `None` where that cannot be read, such as a later version's.
    pub fn read(
        manager: &Manager,
        cache: &Repository,
        record: &CommitId,
    ) -> Result<Option<(Self, clock::Time)>, ManagerError> {
        if !cache.contains(record) {
            let refspec = format!("+{NAME}:{NAME}");
            cache.fetch(&manager.remote, &[refspec], Some(1))?;
        }
        let info = cache.commit_info(record)?;
        let text = info.message.strip_prefix(FIRST_LINE);
        let owner = text.and_then(|text| serde_json::from_str(text).ok());
        Ok(owner.map(|owner| (owner, info.time)))
    }

    /// Makes the repository this directory's, where its record still is what was `seen`.
    pub fn record(
        &self,
        manager: &Manager,
        cache: &Repository,
        seen: Option<&CommitId>,
    ) -> Result<AtomicPush, ManagerError> {
        let text = serde_json::to_string(self).unwrap_or_default();
        let message = format!("{FIRST_LINE}\n\n{text}\n");
        let to = cache.commit_message(&message, &Signature::default(), clock::now())?;
        cache.pin(PIN, &to)?;
        let edit = ReferenceEdit::Move {
            name: NAME.to_owned(),
            from: seen.cloned(),
            to,
        };
        Ok(cache.push_atomic(&manager.remote, None, &[edit])?)
    }
}
