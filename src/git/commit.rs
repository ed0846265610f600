//! Making commits, from objects, without a checkout and without moving a branch.

use git2::Oid;

use super::commit_id::CommitId;
use super::edit::{Edit, edit_tree};
use super::error::GitError;
use super::repository::{Repository, find_commit};
use super::signature::Signature;
use super::signing::Committer;
use crate::clock::Time;

impl Repository {
    /// Makes the commit that `edits` make of `parent` (of nothing, if `None`) and returns its id;
    /// `None`, and no commit, if they change nothing. It is signed if the committer has a key.
    pub fn commit_edits(
        &self,
        parent: Option<&CommitId>,
        edits: &[Edit],
        message: &str,
        author: &Signature,
        committer: &Committer,
        time: Time,
    ) -> Result<Option<CommitId>, GitError> {
        let objects = self.objects();
        let parent = parent.map(|id| find_commit(&objects, id)).transpose()?;
        let base = parent.as_ref().map(git2::Commit::tree_id);
        let tree = edit_tree(&objects, base, edits)?;
        let unchanged = match base {
            Some(base) => base == tree,
            None => edits.iter().all(|edit| matches!(edit, Edit::Remove { .. })),
        };
        if unchanged {
            return Ok(None);
        }
        let parents: Vec<_> = parent.iter().collect();
        let new = NewCommit {
            tree,
            parents: &parents,
            message,
            author,
            time,
        };
        new.make(&objects, committer).map(Some)
    }

    /// Makes a commit that builds on `branch` and holds what `edits` make of `base`: of the branch
    /// nothing is kept but its history, which is not rewritten.
    pub fn commit_anew(
        &self,
        branch: &CommitId,
        base: &CommitId,
        edits: &[Edit],
        message: &str,
        committer: &Committer,
        time: Time,
    ) -> Result<CommitId, GitError> {
        let objects = self.objects();
        let parents = [find_commit(&objects, branch)?, find_commit(&objects, base)?];
        let new = NewCommit {
            tree: edit_tree(&objects, Some(parents[1].tree_id()), edits)?,
            parents: &[&parents[0], &parents[1]],
            message,
            author: &committer.signature,
            time,
        };
        new.make(&objects, committer)
    }

    /// Makes a commit that holds no files and builds on nothing: a message to others.
    pub fn commit_message(
        &self,
        message: &str,
        author: &Signature,
        time: Time,
    ) -> Result<CommitId, GitError> {
        let objects = self.objects();
        let new = NewCommit {
            tree: edit_tree(&objects, None, &[])?,
            parents: &[],
            message,
            author,
            time,
        };
        let committer = Committer {
            signature: author.clone(),
            key: None,
        };
        new.make(&objects, &committer)
    }
}

struct NewCommit<'a> {
    tree: Oid,
    parents: &'a [&'a git2::Commit<'a>],
    message: &'a str,
    author: &'a Signature,
    time: Time,
}

impl NewCommit<'_> {
    fn make(
        &self,
        objects: &git2::Repository,
        committer: &Committer,
    ) -> Result<CommitId, GitError> {
        // Git's header ends at the first zero byte, and so would the message.
        let message = self.message.replace('\0', "");
        let when = git2::Time::new(self.time.as_second(), 0);
        let failed = || GitError::object("make a commit");
        let person = |who: &Signature| {
            git2::Signature::new(who.name(), who.email(), &when).map_err(failed())
        };
        let (author, signer) = (person(self.author)?, person(&committer.signature)?);
        let tree = objects.find_tree(self.tree).map_err(failed())?;
        let id = match &committer.key {
            None => objects.commit(None, &author, &signer, &message, &tree, self.parents),
            Some(key) => {
                let commit = objects
                    .commit_create_buffer(&author, &signer, &message, &tree, self.parents)
                    .map_err(failed())?;
                let signature = key.sign(&commit)?;
                let commit = String::from_utf8_lossy(&commit);
                objects.commit_signed(&commit, &signature, None)
            }
        };
        id.map(CommitId::from).map_err(failed())
    }
}
