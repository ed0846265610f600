//! A push of a branch and of references beside it: all of it lands, or nothing.

use super::commit_id::CommitId;
use super::error::GitError;
use super::remote::Remote;
use super::repository::{Repository, branch_reference};
use super::update::Update;

/// One step of a branch: from the tip that it is expected to have to a commit that builds on it.
#[derive(Clone, Copy, Debug)]
pub struct BranchMove<'a> {
    pub branch: &'a str,
    pub from: &'a CommitId,
    pub to: &'a CommitId,
}

/// A reference beside the branches, by its full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceEdit {
    /// It is made; it must not be there.
    Create { name: String, target: CommitId },
    /// It goes; it must stand where it is expected.
    Delete { name: String, expected: CommitId },
    /// It moves, to whatever commit; it must stand where it is expected, or not be there.
    Move {
        name: String,
        from: Option<CommitId>,
        to: CommitId,
    },
}

impl From<&ReferenceEdit> for Update {
    fn from(edit: &ReferenceEdit) -> Self {
        let (name, from, to) = match edit {
            ReferenceEdit::Create { name, target } => (name, None, Some(target)),
            ReferenceEdit::Delete { name, expected } => (name, Some(expected), None),
            ReferenceEdit::Move { name, from, to } => (name, from.as_ref(), Some(to)),
        };
        Self {
            name: name.clone(),
            from: from.cloned(),
            to: to.cloned(),
        }
    }
}

/// How an atomic push ended that the server took a decision on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtomicPush {
    Accepted,
    /// Something is not where it was expected to be: nothing was changed.
    LostRace,
    /// The server does not take this push, or no atomic one; its words. Git's own server may have
    /// moved the branch all the same where it hides the other references: repeat the move to know.
    Refused(String),
}

impl Repository {
    /// Changes all of it on `remote` in one push, each part from where it is expected to be.
    /// Nothing is ever forced. An error means that it is unknown what the server did, or that the
    /// branch is not to be moved this way.
    pub fn push_atomic(
        &self,
        remote: &Remote,
        step: Option<BranchMove<'_>>,
        edits: &[ReferenceEdit],
    ) -> Result<AtomicPush, GitError> {
        // One reference alone needs nothing of the server that it might not know.
        let is_atomic = edits.len() + usize::from(step.is_some()) > 1;
        self.push_references(remote, step, edits, is_atomic)
    }

    /// Makes one reference on `remote`, if that takes atomic pushes: whoever removes it again may
    /// want to do so together with something else.
    pub fn publish(
        &self,
        remote: &Remote,
        name: &str,
        target: &CommitId,
    ) -> Result<AtomicPush, GitError> {
        let edit = ReferenceEdit::Create {
            name: name.to_owned(),
            target: target.clone(),
        };
        self.push_references(remote, None, &[edit], true)
    }

    fn push_references(
        &self,
        remote: &Remote,
        step: Option<BranchMove<'_>>,
        edits: &[ReferenceEdit],
        is_atomic: bool,
    ) -> Result<AtomicPush, GitError> {
        let mut updates = Vec::new();
        if let Some(BranchMove { branch, from, to }) = step {
            self.check_move(remote, to, branch, Some(from))?;
            updates.push(Update {
                name: branch_reference(branch)?,
                from: Some(from.clone()),
                to: Some(to.clone()),
            });
        }
        updates.extend(edits.iter().map(Update::from));
        let doing = match step {
            Some(BranchMove { branch, .. }) => format!("push to branch {branch} of {remote}"),
            None => format!("push to {remote}"),
        };
        self.update(remote, &doing, &updates, is_atomic)
    }
}
