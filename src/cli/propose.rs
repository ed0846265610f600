//! `--propose`: a pull request on the manager repository in the place of a commit there.

use std::time::{Duration, Instant};

use super::arguments::{Cache, WriteArgs};
use super::built;
use super::output::Output;
use crate::clock;
use crate::error::{Diagnose, Error, Kind};
use crate::git::{CommitId, Committer};
use crate::github::{Access, Github, GithubError, Repository};
use crate::manager::proposal::{self, Step};
use crate::manager::{
    Manager, ManagerError, Outcome, OutcomeAction, Proposal, ProposalState, ProposalText, Proposed,
    Wish,
};

#[derive(Debug, thiserror::Error)]
enum ProposeError {
    #[error("the change is on branch {branch} of the manager repository, but not its pull request")]
    OnlyPushed { branch: String, source: GithubError },
    #[error("the proposal #{number} is closed, but its branch {branch} still stands")]
    OnlyClosed {
        number: u64,
        branch: String,
        source: Box<ManagerError>,
    },
}

impl Diagnose for ProposeError {
    fn kind(&self) -> Kind {
        Kind::Outside
    }

    fn hint(&self) -> Option<String> {
        Some("run it again: it finishes what is missing".to_owned())
    }
}

struct Desk {
    github: Github,
    repository: Repository,
    manager: Manager,
    cache: Cache,
}

/// Proposes what `wish` asks for, and keeps what was proposed before current.
pub(super) fn propose(
    args: &WriteArgs,
    wish: &Wish,
    committer: &Committer,
    output: &Output,
) -> Result<Outcome, Error> {
    let (manager, door) = args.manager.manager_and_door(Access::Propose)?;
    let (github, repository) = door;
    let desk = Desk {
        github,
        repository,
        manager,
        cache: Cache::new()?,
    };
    let mut started = Instant::now();
    let mut attempts = 0_u32;
    // What a withdrawal has done that nothing later undid.
    let mut withdrawn = None;
    let mut is_built = false;
    loop {
        attempts += 1;
        let look = proposal::look(&desk.manager, &desk.cache.repository, wish)?;
        if let (false, Some(artifact)) = (is_built, look.artifact()) {
            built::wait(artifact, output)?;
            (is_built, started) = (true, Instant::now());
            continue;
        }
        let base = look.question().map(|(_, base)| base.to_owned());
        let latest = match look.question() {
            Some((branch, base)) => desk.github.find_proposal(&desk.repository, branch, base)?,
            None => None,
        };
        let done = match look.step(latest.as_ref(), committer)? {
            Step::Done(outcome) => {
                let outcome = with(outcome, open(latest.as_ref()));
                let is_news = !matches!(
                    outcome.action,
                    OutcomeAction::Absent | OutcomeAction::Unchanged
                );
                Some(withdrawn.take().filter(|_| !is_news).unwrap_or(outcome))
            }
            Step::Propose {
                outcome,
                branch,
                text,
                has_new_commit,
            } => {
                let base = base.unwrap_or_default();
                let ensured = desk
                    .ensure(&branch, &base, &text, latest, has_new_commit)
                    .map_err(|source| ProposeError::OnlyPushed { branch, source })?;
                ensured.map(|proposed| with(outcome, Some(&proposed)))
            }
            Step::Withdraw {
                outcome,
                branch,
                tip,
            } => {
                if desk.withdraw(&outcome, &branch, &tip, latest.as_ref())? {
                    withdrawn = Some(with(outcome, latest.as_ref()));
                }
                // Whoever merged it meanwhile has moved the manager's own branch: a look tells.
                let has_moved = desk.manager.tip()?.1 != *look.base_tip();
                withdrawn.take_if(|_| !has_moved)
            }
            Step::Again => None,
        };
        if let Some(outcome) = done {
            return Ok(outcome);
        }
        if started.elapsed() >= args.timeout {
            return Err(ManagerError::LostRace {
                manager: desk.manager.remote.to_string(),
                attempts,
                waited: started.elapsed(),
            }
            .into());
        }
        let pause = 0.05 * f64::from(attempts.min(20)) * clock::jitter();
        std::thread::sleep(Duration::from_secs_f64(pause));
    }
}

impl Desk {
    /// The open pull request of the branch, with the text that it is to have; `None` if it was
    /// closed meanwhile, or another job has opened it.
    fn ensure(
        &self,
        branch: &str,
        base: &str,
        text: &ProposalText,
        latest: Option<Proposed>,
        has_new_commit: bool,
    ) -> Result<Option<Proposed>, GithubError> {
        if let Some(latest) = latest.filter(|latest| latest.state == ProposalState::Open) {
            if !has_new_commit && latest.body.contains(&text.marker) {
                return Ok(Some(latest));
            }
            let answer = self
                .github
                .update_proposal(&self.repository, latest.number, text)?;
            return Ok(Some(answer).filter(|answer| answer.state == ProposalState::Open));
        }
        match self
            .github
            .create_proposal(&self.repository, branch, base, text)
        {
            Ok(proposed) => Ok(Some(proposed)),
            // Another job was faster, or nothing is left to propose: a look tells which.
            Err(error @ GithubError::Refused { .. }) => {
                let found = self.github.find_proposal(&self.repository, branch, base)?;
                match found.filter(|found| found.state == ProposalState::Open) {
                    Some(_) => Ok(None),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Closes the pull request, then deletes the branch; `false` if it was merged or has moved.
    fn withdraw(
        &self,
        outcome: &Outcome,
        branch: &str,
        tip: &CommitId,
        latest: Option<&Proposed>,
    ) -> Result<bool, Error> {
        let open = open(latest);
        if let Some(open) = open {
            let body = proposal::withdrawn(&open.body, outcome.reason.as_deref());
            let answer = self
                .github
                .withdraw_proposal(&self.repository, open.number, &body)?;
            if answer.state == ProposalState::Merged {
                return Ok(false);
            }
        }
        let discarded = proposal::discard(&self.manager, &self.cache.repository, branch, tip);
        match (discarded, open) {
            (Ok(is_gone), _) => Ok(is_gone),
            (Err(error), Some(open)) => Err(ProposeError::OnlyClosed {
                number: open.number,
                branch: branch.to_owned(),
                source: Box::new(error),
            }
            .into()),
            (Err(error), None) => Err(error.into()),
        }
    }
}

fn open(latest: Option<&Proposed>) -> Option<&Proposed> {
    latest.filter(|latest| latest.state == ProposalState::Open)
}

fn with(mut outcome: Outcome, proposed: Option<&Proposed>) -> Outcome {
    outcome.proposal = proposed.map(|proposed| Proposal {
        number: proposed.number,
        url: proposed.url.clone(),
    });
    outcome
}
