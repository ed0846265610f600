//! A commit on top of two others: how a branch is brought to where another one stands without
//! rewriting it.

use super::commit_id::CommitId;
use super::edit::{Edit, edit_tree};
use super::error::GitError;
use super::repository::{Repository, find_commit};
use super::signature::Signature;
use crate::clock::Time;

impl Repository {
    /// Makes a commit that builds on `branch` and holds what `edits` make of `base`: of the branch
    /// nothing is kept but its history. No branch moves.
    pub fn commit_anew(
        &self,
        branch: &CommitId,
        base: &CommitId,
        edits: &[Edit],
        message: &str,
        author: &Signature,
        time: Time,
    ) -> Result<CommitId, GitError> {
        let objects = self.objects();
        let parents = [find_commit(&objects, branch)?, find_commit(&objects, base)?];
        let tree = edit_tree(&objects, Some(parents[1].tree_id()), edits)?;
        let message = message.replace('\0', "");
        let when = git2::Time::new(time.as_second(), 0);
        git2::Signature::new(author.name(), author.email(), &when)
            .and_then(|author| {
                let tree = objects.find_tree(tree)?;
                let parents: Vec<_> = parents.iter().collect();
                objects.commit(None, &author, &author, &message, &tree, &parents)
            })
            .map(Into::into)
            .map_err(GitError::object("make a commit"))
    }

    /// The messages of `commit` and of what it was made from, first parents only, newest first,
    /// as far as they are here.
    pub fn first_parent_messages(&self, commit: &CommitId) -> Result<Vec<String>, GitError> {
        let objects = self.objects();
        let mut messages = Vec::new();
        let mut next = Some(find_commit(&objects, commit)?);
        while let Some(found) = next {
            messages.push(String::from_utf8_lossy(found.message_bytes()).into_owned());
            // A shallow history ends in a parent that is not here.
            next = found.parent(0).ok();
        }
        Ok(messages)
    }
}
