//! Wishes carried out one after the other on one tip, each as a commit of its own, to be pushed as
//! one.

use super::closings::{Change, Closings, Subject};
use super::decision::{Decision, decide};
use super::intents::Intent;
use super::location::Listing;
use super::message::message;
use super::{ManagerError, Outcome, OutcomeAction, Wish};
use crate::clock;
use crate::git::{
    AtomicPush, BranchMove, CommitId, CommitTree, Committer, GitError, Remote, Repository,
    Signature,
};

/// A wish, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) wish: Wish,
    pub(super) author: Signature,
    /// Where it waits in the manager repository, if it does.
    pub(super) intent: Option<Intent>,
}

/// A wish that is carried out as far as this fold goes.
pub(super) struct Answer {
    pub(super) request: Request,
    pub(super) outcome: Outcome,
    /// The pull request, where a close of it would change the decision.
    pub(super) subject: Option<Subject>,
}

impl Answer {
    /// The wish, to be decided anew: its intent is gone.
    pub(super) fn again(&self) -> Request {
        Request {
            intent: None,
            ..self.request.clone()
        }
    }
}

/// A chain of commits on a tip, and what changes beside the branch together with it.
pub(super) struct Fold<'a> {
    cache: &'a Repository,
    remote: &'a Remote,
    listing: &'a Listing,
    /// Who makes the commits; their authors are those of the wishes.
    committer: &'a Committer,
    head: CommitId,
    /// The files of the head.
    files: CommitTree,
    closings: Closings,
    pub(super) answers: Vec<Answer>,
}

impl<'a> Fold<'a> {
    pub(super) fn new(
        cache: &'a Repository,
        remote: &'a Remote,
        listing: &'a Listing,
        committer: &'a Committer,
    ) -> Result<Self, ManagerError> {
        Ok(Self {
            files: cache.remote_tree(&listing.tip, remote)?,
            cache,
            remote,
            listing,
            committer,
            head: listing.tip.clone(),
            closings: listing.closings.clone(),
            answers: Vec::new(),
        })
    }

    /// What `wish` means on the head of the chain, without carrying it out.
    pub(super) fn decide(&self, wish: &Wish) -> Result<Decision, ManagerError> {
        decide(&self.files, wish, &self.closings)
    }

    /// Decides a wish and carries it out on the head of the chain. After an error the chain is as
    /// it was.
    pub(super) fn add(&mut self, request: Request) -> Result<(), ManagerError> {
        let decision = self.decide(&request.wish)?;
        self.carry_out(request, decision)
    }

    /// Carries out what was decided of a wish on the head of the chain.
    pub(super) fn carry_out(
        &mut self,
        request: Request,
        decision: Decision,
    ) -> Result<(), ManagerError> {
        let mut outcome = decision.outcome;
        if let Some(edit) = decision.edit {
            let intent = request.intent.as_ref().map(|intent| intent.id.as_str());
            let message = message(&outcome, &request.wish, intent);
            let commit = self.cache.commit_edits(
                Some(&self.head),
                &[edit],
                &message,
                &request.author,
                self.committer,
                clock::now(),
            )?;
            match &commit {
                Some(commit) => {
                    self.files = self.cache.remote_tree(commit, self.remote)?;
                    self.head = commit.clone();
                }
                None => outcome.action = OutcomeAction::Unchanged,
            }
            outcome.commit = commit.as_ref().map(ToString::to_string);
        }
        let closings = std::mem::take(&mut self.closings);
        self.closings = closings.after(&decision.memory, &self.listing.tip);
        self.answers.push(Answer {
            request,
            outcome,
            subject: decision.subject,
        });
        Ok(())
    }

    /// The step of the branch that is to be pushed, if one is.
    pub(super) fn step(&self) -> Option<BranchMove<'_>> {
        (self.head != self.listing.tip).then_some(BranchMove {
            branch: &self.listing.branch,
            from: &self.listing.tip,
            to: &self.head,
        })
    }

    /// What the push changes in the memory of closes.
    pub(super) fn memory(&self) -> Change {
        self.listing.closings.change_to(&self.closings)
    }

    fn intents(&self) -> impl Iterator<Item = &Intent> {
        let answers = self.answers.iter();
        answers.filter_map(|answer| answer.request.intent.as_ref())
    }

    /// Whether a push of it answers a wish that waits in the manager repository.
    pub(super) fn answers_intents(&self) -> bool {
        self.intents().next().is_some()
    }

    /// Whether others are writing at this very time.
    pub(super) fn answers_fresh_intents(&self) -> bool {
        self.intents().any(Intent::is_fresh)
    }

    /// Whether there is nothing to push.
    pub(super) fn is_empty(&self) -> bool {
        self.step().is_none() && self.memory().is_empty() && !self.answers_intents()
    }

    /// Pushes all of it, or nothing.
    pub(super) fn push(&self, memory: &Change) -> Result<AtomicPush, GitError> {
        let mut edits = memory.edits(&self.head);
        edits.extend(self.intents().map(Intent::removal));
        self.cache.push_atomic(self.remote, self.step(), &edits)
    }
}
