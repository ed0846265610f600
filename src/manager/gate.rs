//! The gate through which openings and closes pass one at a time.
//!
//! A close that finds no file moves no branch, so an opening that was decided before it would not
//! lose the race against it. Both move this reference as well, in the same push, from where they
//! saw it: of two that passed each other unseen, one loses, looks again and sees the other.

use std::collections::BTreeMap;

use super::ManagerError;
use crate::clock;
use crate::git::{CommitId, Committer, ReferenceEdit, Repository};

const NAME: &str = "refs/dayfly/gate";

/// Where the gate stands; nowhere before the first one passed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gate(Option<CommitId>);

impl Gate {
    /// That among the references of a manager repository.
    pub(super) fn read(references: &BTreeMap<String, CommitId>) -> Self {
        Self(references.get(NAME).cloned())
    }

    pub(super) fn commit(&self) -> Option<&CommitId> {
        self.0.as_ref()
    }

    /// What fetches it: git wants to have what it moves a reference from.
    pub(super) fn refspec() -> String {
        format!("+{NAME}*:{NAME}*")
    }

    /// What is pushed besides. The reference moves to a commit without files, so that having it
    /// costs next to nothing.
    pub(super) fn pass(
        &self,
        cache: &Repository,
        committer: &Committer,
    ) -> Result<ReferenceEdit, ManagerError> {
        let message = format!("dayfly gate\n\n{}\n", clock::new_id());
        let to = cache.commit_message(&message, &committer.signature, clock::now())?;
        Ok(ReferenceEdit::Move {
            name: NAME.to_owned(),
            from: self.0.clone(),
            to,
        })
    }
}
