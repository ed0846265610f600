//! What a proposal changes on the server, and what may have happened there meanwhile.

use super::super::sending::{self, Sent, Step as Move};
use super::names::{candidates, is_held_beside};
use super::{Branch, Decision, Look, Manager, Outcome, Step};
use crate::git::{AtomicPush, CommitId, Committer, GitError, Push, ReferenceEdit, Repository};
use crate::manager::location::Listing;
use crate::manager::{ManagerError, OutcomeAction};

/// Deletes a proposal's branch from where it is expected to stand; `false` if it stands elsewhere.
pub fn discard(
    manager: &Manager,
    cache: &Repository,
    branch: &str,
    tip: &CommitId,
) -> Result<bool, ManagerError> {
    let edit = ReferenceEdit::Delete {
        name: format!("refs/heads/{branch}"),
        expected: tip.clone(),
    };
    match cache.push_atomic(&manager.remote, None, &[edit])? {
        AtomicPush::Accepted => Ok(true),
        AtomicPush::LostRace => Ok(false),
        AtomicPush::Refused(words) => Err(GitError::Refused {
            remote: manager.remote.to_string(),
            branch: branch.to_owned(),
            words,
        }
        .into()),
    }
}

impl Look<'_> {
    /// Pushes what a decision remembers or forgets of closes, by itself; `false` if the race for
    /// it was lost.
    pub(super) fn push_memory(&self, decision: &Decision) -> Result<bool, ManagerError> {
        let committer = Committer::default();
        let gate = self.gate.pass(self.cache, &committer)?;
        let step = Move {
            branch: &self.base,
            tip: &self.commit,
            new: None,
            gate: Some(gate),
        };
        let Sent { pushed, note, .. } =
            sending::push(self.cache, &self.manager.remote, &step, &decision.memory)?;
        if let Some(note) = note {
            tracing::warn!(note, "a close is not remembered");
        }
        Ok(pushed == Push::Accepted)
    }

    /// Whether the pull request's file, or a proposal of it, may have come into being meanwhile.
    pub(super) fn has_moved(&self) -> Result<bool, ManagerError> {
        let listing = self.manager.listing()?;
        let names = listing.branches.keys().map(String::as_str);
        let service = self.decision.outcome.service.as_deref().unwrap_or_default();
        let mut alike = candidates(names, service, self.wish.word.pull_request()).into_iter();
        let has_new_base = listing.tip != self.commit;
        Ok(has_new_base || alike.any(|stem| !self.alike.contains(&stem)))
    }

    /// Pushes the branch. A close is remembered before its removal is proposed, and forgotten after
    /// a return is: a crash between the two leaves nothing that the event again would not mend.
    pub(super) fn land(
        &self,
        decision: &Decision,
        branch: &Branch,
        tip: Option<&CommitId>,
        commit: &CommitId,
        mut outcome: Outcome,
        stands: bool,
    ) -> Result<Step, ManagerError> {
        let is_removal = outcome.action == OutcomeAction::Deleted;
        let has_memory = !decision.memory.is_empty();
        if is_removal && has_memory && !self.push_memory(decision)? {
            return Ok(Step::Again);
        }
        let remote = &self.manager.remote;
        if self.cache.push(remote, commit, &branch.name, tip)? == Push::LostRace {
            return Ok(Step::Again);
        }
        // Another event's job that forgets the same is no failure of this one.
        if !is_removal && has_memory {
            self.push_memory(decision)?;
        }
        if outcome.action == OutcomeAction::Created {
            let listing = self.manager.listing()?;
            if self.is_late_by(&listing) {
                return Ok(Step::Again);
            }
            // Two that took one id unseen by each other: who sees the other gives way, and of two
            // that look once they stand one always does.
            let names = listing.branches.keys().map(String::as_str);
            let id = outcome.environment.as_deref().unwrap_or_default();
            if tip.is_none() && is_held_beside(names, Some(&branch.name), id) {
                discard(self.manager, self.cache, &branch.name, commit)?;
                return Ok(Step::Again);
            }
        }
        outcome.commit = Some(commit.to_string());
        Ok(self.propose(branch, outcome, stands, !is_removal, true))
    }

    /// Whether the pull request's close passed its opening unseen.
    fn is_late_by(&self, listing: &Listing) -> bool {
        let late = |subject| self.wish.word.is_late(&listing.closings, subject);
        self.decision.subject.as_ref().and_then(late).is_some()
    }
}
