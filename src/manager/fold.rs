//! Wishes carried out one after the other on one tip, each as a commit of its own, to be pushed as
//! one.

use std::collections::BTreeSet;

use super::closings::{Change, Closings, Subject};
use super::decision::{Beside, Decision, decide};
use super::intents::Intent;
use super::location::Listing;
use super::message::message;
use super::proposal::is_proposed;
use super::services::{environment_files, environment_path, stem};
use super::{ManagerError, Outcome, OutcomeAction, Wish};
use crate::clock;
use crate::environment::read_environment_name;
use crate::files::Files;
use crate::git::{
    AtomicPush, BranchMove, CommitId, CommitTree, Committer, GitError, ReferenceEdit, Remote,
    Repository, Signature,
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
    /// Whether an environment came to be that an earlier close may still forbid.
    pub(super) fn is_opening(&self) -> bool {
        let is_timed = self.request.wish.word.at().is_some();
        self.outcome.action == OutcomeAction::Created && is_timed && self.subject.is_some()
    }

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
    /// What else the push removes.
    pub(super) dropped: Vec<ReferenceEdit>,
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
            dropped: Vec::new(),
        })
    }

    /// Fetches in one call what deciding the wishes is going to read of environments.
    pub(super) fn prepare<'b>(
        &self,
        wishes: impl Iterator<Item = &'b Wish>,
    ) -> Result<(), ManagerError> {
        let numbers: BTreeSet<u64> = wishes.map(|wish| wish.word.pull_request().number).collect();
        if numbers.len() < 2 {
            // The decision itself fetches as much.
            return Ok(());
        }
        let mut paths = Vec::new();
        for directory in self.files.list("")? {
            let service = directory.name;
            for file in environment_files(&self.files, &service)? {
                let number = read_environment_name(stem(&file)).map(|(number, _)| number);
                if number.is_none_or(|number| numbers.contains(&number)) {
                    paths.push(environment_path(&service, &file));
                }
            }
        }
        Ok(self.files.prepare(&paths)?)
    }

    /// What `wish` means on the head of the chain, without carrying it out.
    pub(super) fn decide(&self, wish: &Wish) -> Result<Decision, ManagerError> {
        let names = || self.listing.branches.keys().map(String::as_str);
        let beside = Beside {
            closings: &self.closings,
            now: clock::now(),
            is_held: &|id| is_proposed(names(), wish.word.pull_request(), id),
        };
        decide(&self.files, wish, &beside)
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
        self.intents().next().is_some() || !self.dropped.is_empty()
    }

    /// The wishes of others in it that wait nowhere else.
    pub(super) fn unasked(&self) -> Vec<Request> {
        let answers = self.answers.iter();
        let unasked = answers.filter(|answer| answer.request.intent.is_none());
        unasked.map(Answer::again).collect()
    }

    /// Whether there is nothing to push.
    pub(super) fn is_empty(&self) -> bool {
        self.step().is_none() && self.memory().is_empty() && !self.answers_intents()
    }

    /// The passing of the gate, if there is an opening among it or a close without a commit.
    pub(super) fn gate(&self) -> Result<Option<ReferenceEdit>, ManagerError> {
        let is_bare_close = self.step().is_none() && self.memory().remembers();
        if !is_bare_close && !self.answers.iter().any(Answer::is_opening) {
            return Ok(None);
        }
        let passed = self.listing.gate.pass(self.cache, self.committer)?;
        Ok(Some(passed))
    }

    /// Pushes all of it, or nothing.
    pub(super) fn push(
        &self,
        memory: &Change,
        gate: Option<ReferenceEdit>,
    ) -> Result<AtomicPush, GitError> {
        let mut edits = memory.edits(&self.head);
        edits.extend(gate);
        edits.extend(self.intents().map(Intent::removal));
        edits.extend(self.dropped.iter().cloned());
        self.cache.push_atomic(self.remote, self.step(), &edits)
    }
}
