//! A change that is proposed instead of made: a branch of the environment's own, for a pull request
//! on the manager repository. What GitHub says of that pull request is told from outside.
//!
//! The branch is pushed from where it is expected to stand, never forced. Each step is decided on
//! what stands now, so a repetition finishes what was interrupted.

mod names;
mod overlay;
mod ownership;
mod proposed;
mod push;
mod text;

pub use proposed::{ProposalState, Proposed};
pub use push::discard;
pub use text::{ProposalText, is_withdrawn, withdrawn};

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::closings::Closings;
use super::decision::{Beside, Decision, decide};
use super::gate::Gate;
use super::location::Manager;
use super::services::environments_directory;
use super::{Artifact, ManagerError, Outcome, OutcomeAction, Wish};
use crate::clock;
use crate::event::Action;
use crate::files::{Files, join};
use crate::git::{CommitId, CommitTree, Committer, Edit, Repository};
pub(super) use names::is_proposed;
use names::{branch_name, candidates, is_held_beside, stem_of};
use overlay::Overlay;
use ownership::own_of;
use text::{Kind, answers_removal, marker};

/// How much of a proposal's history is looked through for dayfly's own last commit.
const DEPTH: u32 = 50;

/// The manager repository and the branches of one pull request's proposal, as they stand.
pub struct Look<'a> {
    manager: &'a Manager,
    cache: &'a Repository,
    wish: &'a Wish,
    base: String,
    commit: CommitId,
    tree: CommitTree,
    /// The names of all branches.
    branches: Vec<String>,
    closings: Closings,
    gate: Gate,
    /// What the wish means on the manager's own branch.
    decision: Decision,
    branch: Option<Branch>,
    /// The names of all environments that branches may propose for the pull request.
    alike: Vec<String>,
}

#[derive(Clone)]
struct Branch {
    name: String,
    /// The path of the environment file that it is about.
    path: String,
    tip: Option<CommitId>,
}

/// What is to be done next.
pub enum Step {
    /// Nothing.
    Done(Outcome),
    /// The branch holds the change: its pull request is to be open and to say this.
    Propose {
        outcome: Outcome,
        branch: String,
        text: ProposalText,
        has_new_commit: bool,
    },
    /// There is nothing to propose any more: the pull request is to be closed, the branch to go.
    Withdraw {
        outcome: Outcome,
        branch: String,
        tip: CommitId,
    },
    /// Somebody else was faster: look again.
    Again,
}

/// Looks at the manager repository for `wish`, without changing anything.
pub fn look<'a>(
    manager: &'a Manager,
    cache: &'a Repository,
    wish: &'a Wish,
) -> Result<Look<'a>, ManagerError> {
    let listing = manager.look(cache)?;
    let tree = cache.remote_tree(&listing.tip, &manager.remote)?;
    let pull_request = wish.word.pull_request();
    let names = || listing.branches.keys().map(String::as_str);
    let decide_where = |is_held: &dyn Fn(&str) -> bool| {
        let beside = Beside {
            closings: &listing.closings,
            now: clock::now(),
            is_held,
        };
        decide(&tree, wish, &beside)
    };
    let mut decision = decide_where(&|id| is_proposed(names(), pull_request, id))?;
    let (mut branch, mut alike) = (None, Vec::new());
    if let Some(service) = decision.outcome.service.clone() {
        let place = |stem: &str| Branch::of(&service, stem, &listing.branches);
        let standing = decision.outcome.path.as_deref();
        let standing = standing.filter(|path| tree_has(&tree, path)).map(stem_of);
        alike = candidates(names(), &service, pull_request);
        branch = match standing {
            Some(stem) => Some(place(&stem)),
            None => {
                let places: Vec<Branch> = alike.iter().map(|stem| place(stem)).collect();
                own_of(manager, cache, wish, places)?
            }
        };
        // Another's branch of such a name holds its id.
        if branch.is_none() && !alike.is_empty() {
            decision = decide_where(&|id| is_held_beside(names(), None, id))?;
        }
        let path = decision.outcome.path.as_deref();
        branch = branch.or_else(|| path.map(|path| place(&stem_of(path))));
    }
    Ok(Look {
        manager,
        cache,
        wish,
        base: listing.branch,
        commit: listing.tip,
        branches: listing.branches.into_keys().collect(),
        closings: listing.closings,
        gate: listing.gate,
        tree,
        decision,
        branch,
        alike,
    })
}

impl Branch {
    fn of(service: &str, stem: &str, branches: &BTreeMap<String, CommitId>) -> Self {
        let name = branch_name(service, stem);
        Self {
            tip: branches.get(&name).cloned(),
            path: join(&environments_directory(service), &format!("{stem}.tf")),
            name,
        }
    }
}

fn tree_has(tree: &CommitTree, path: &str) -> bool {
    tree.read(path).is_ok_and(|found| found.is_some())
}

/// What the manager's own branch says at the path of an environment, for the record: a proposal
/// whose base has changed there cannot be merged any more.
fn mark(text: Option<&[u8]>) -> String {
    match text {
        None => "none".to_owned(),
        Some(bytes) => {
            let digest = Sha256::digest(bytes);
            digest
                .iter()
                .take(10)
                .map(|byte| format!("{byte:02x}"))
                .collect()
        }
    }
}

const MARK: &str = "Dayfly-Base: ";

impl Look<'_> {
    /// The commit of the manager's own branch that was looked at.
    pub fn base_tip(&self) -> &CommitId {
        &self.commit
    }

    /// What has to be there before the change is proposed.
    pub fn artifact(&self) -> Option<&Artifact> {
        self.decision.artifact.as_ref()
    }

    /// The branch whose pull request GitHub is to be asked for, and the one that it goes into;
    /// `None` where no answer would change anything.
    pub fn question(&self) -> Option<(&str, &str)> {
        let branch = self.branch.as_ref()?;
        let is_asked = branch.tip.is_some() || self.decision.edit.is_some();
        is_asked.then_some((branch.name.as_str(), self.base.as_str()))
    }

    /// Takes the next step, where the branch's last pull request is `latest`.
    pub fn step(
        &self,
        latest: Option<&Proposed>,
        committer: &Committer,
    ) -> Result<Step, ManagerError> {
        let Some(branch) = &self.branch else {
            return self.remember_only();
        };
        let Some(tip) = &branch.tip else {
            return self.begin(branch, latest, committer);
        };
        let is_over = latest.is_some_and(|latest| {
            latest.state != ProposalState::Open && latest.head == tip.as_str()
        });
        if !is_over {
            return self.go_on(branch, tip, committer);
        }
        if let Some(outcome) = self.turned_down(latest, self.decision.edit.as_ref()) {
            return self.only_remember(outcome);
        }
        if self.decision.edit.is_none() && !self.wish.word.is_end() {
            return self.remember_only();
        }
        // A branch that is done with gives its name to the next.
        match discard(self.manager, self.cache, &branch.name, tip)? {
            true => self.begin(branch, latest, committer),
            false => Ok(Step::Again),
        }
    }

    /// Nothing is to be proposed; but a close may have to be remembered.
    fn remember_only(&self) -> Result<Step, ManagerError> {
        let outcome = self.decision.outcome.clone();
        if self.decision.edit.is_some() || self.decision.memory.is_empty() {
            return Ok(Step::Done(outcome));
        }
        match self.push_memory(&self.decision)? {
            true if self.has_moved()? => Ok(Step::Again),
            true => Ok(Step::Done(outcome)),
            false => Ok(Step::Again),
        }
    }

    /// Nothing is proposed, since a person said no; but an end is an end.
    fn only_remember(&self, outcome: Outcome) -> Result<Step, ManagerError> {
        let memory = &self.decision.memory;
        if memory.remembers() && !self.push_memory(&self.decision)? {
            return Ok(Step::Again);
        }
        Ok(Step::Done(outcome))
    }

    /// Proposes on a new branch what the wish changes on the manager's own.
    fn begin(
        &self,
        branch: &Branch,
        latest: Option<&Proposed>,
        committer: &Committer,
    ) -> Result<Step, ManagerError> {
        let Some(edit) = &self.decision.edit else {
            return self.remember_only();
        };
        if let Some(outcome) = self.turned_down(latest, Some(edit)) {
            return self.only_remember(outcome);
        }
        let mut outcome = self.decision.outcome.clone();
        let standing = self.tree.read(&branch.path)?;
        let message = self.message(&outcome, standing.as_deref());
        let edits = [edit.clone()];
        let now = clock::now();
        let made = self.cache.commit_edits(
            Some(&self.commit),
            &edits,
            &message,
            &committer.signature,
            committer,
            now,
        )?;
        let Some(commit) = made else {
            outcome.action = OutcomeAction::Unchanged;
            return Ok(Step::Done(outcome));
        };
        self.land(
            &self.decision,
            branch,
            None,
            &commit,
            outcome,
            standing.is_some(),
        )
    }

    /// Decides on top of what the branch proposes.
    fn go_on(
        &self,
        branch: &Branch,
        tip: &CommitId,
        committer: &Committer,
    ) -> Result<Step, ManagerError> {
        if self.cache.branch_tip(&branch.name)?.as_ref() != Some(tip) {
            let refspec = format!("+refs/heads/{0}:refs/heads/{0}", branch.name);
            self.cache
                .fetch(&self.manager.remote, &[refspec], Some(DEPTH))?;
        }
        if self.cache.branch_tip(&branch.name)?.as_ref() != Some(tip) {
            return Ok(Step::Again);
        }
        let proposed = self
            .cache
            .remote_tree(tip, &self.manager.remote)?
            .read(&branch.path)?;
        let standing = self.tree.read(&branch.path)?;
        let is_behind = self
            .cache
            .history(tip)
            .collect::<Result<Vec<_>, _>>()?
            .iter()
            .find_map(|(_, info)| {
                let line = info
                    .message
                    .lines()
                    .rev()
                    .find_map(|line| line.strip_prefix(MARK))?;
                Some(line.trim() != mark(standing.as_deref()))
            })
            .unwrap_or(false);
        // On a branch that removes the file, the manager's own is what could be kept of it.
        let on_branch = Overlay::new(
            &self.tree,
            &branch.path,
            proposed.as_ref().or(standing.as_ref()),
        );
        let mut decision = self.decide_on(&on_branch)?;
        let mut before = proposed.as_ref().or(standing.as_ref());
        if decision.outcome.action == OutcomeAction::Ignored {
            return Ok(Step::Done(decision.outcome));
        }
        if is_behind {
            // What people did there counts: the change is made anew from it.
            decision = self.decide_on(&self.tree)?;
            before = standing.as_ref();
        }
        let after = match &decision.edit {
            Some(Edit::Write { bytes, .. }) => Some(bytes),
            Some(Edit::Remove { .. }) => None,
            None => before,
        };
        let mut outcome = decision.outcome.clone();
        if after == standing.as_ref() {
            return self.give_up(branch, tip, decision, proposed.is_some());
        }
        if after == proposed.as_ref() && !is_behind {
            // Also what has been proposed already may end later by now.
            if !decision.memory.is_empty() && !self.push_memory(&decision)? {
                return Ok(Step::Again);
            }
            outcome.action = OutcomeAction::Unchanged;
            return Ok(self.propose(branch, outcome, standing.is_some(), after.is_some(), false));
        }
        if decision.edit.is_none() {
            outcome.action = OutcomeAction::Updated;
        }
        let edits = [match after {
            Some(bytes) => Edit::Write {
                path: branch.path.clone(),
                bytes: bytes.clone(),
            },
            None => Edit::Remove {
                path: branch.path.clone(),
            },
        }];
        let message = self.message(&outcome, standing.as_deref());
        let now = clock::now();
        let commit = if is_behind {
            Some(
                self.cache
                    .commit_anew(tip, &self.commit, &edits, &message, committer, now)?,
            )
        } else {
            self.cache.commit_edits(
                Some(tip),
                &edits,
                &message,
                &committer.signature,
                committer,
                now,
            )?
        };
        let Some(commit) = commit else {
            outcome.action = OutcomeAction::Unchanged;
            return Ok(self.propose(branch, outcome, standing.is_some(), after.is_some(), false));
        };
        self.land(
            &decision,
            branch,
            Some(tip),
            &commit,
            outcome,
            standing.is_some(),
        )
    }

    /// What the wish means for `files`, where the branch holds no id of another's.
    fn decide_on(&self, files: &dyn Files) -> Result<Decision, ManagerError> {
        let own = self.branch.as_ref().map(|branch| branch.name.as_str());
        let names = || self.branches.iter().map(String::as_str);
        let beside = Beside {
            closings: &self.closings,
            now: clock::now(),
            is_held: &|id| is_held_beside(names(), own, id),
        };
        decide(files, self.wish, &beside)
    }

    /// The manager's own branch says already what is wished: the proposal has become pointless.
    fn give_up(
        &self,
        branch: &Branch,
        tip: &CommitId,
        decision: Decision,
        was_proposed: bool,
    ) -> Result<Step, ManagerError> {
        if !decision.memory.is_empty() && !self.push_memory(&decision)? {
            return Ok(Step::Again);
        }
        let mut outcome = decision.outcome;
        if outcome.action == OutcomeAction::Deleted && was_proposed {
            let reason = outcome.reason.take().unwrap_or_default();
            outcome.reason = Some(format!("{reason}; it was only proposed"));
        } else if outcome.action != OutcomeAction::Absent {
            outcome.action = OutcomeAction::Unchanged;
            outcome.reason = Some("the manager repository says so already".to_owned());
        }
        Ok(Step::Withdraw {
            outcome,
            branch: branch.name.clone(),
            tip: tip.clone(),
        })
    }

    /// The outcome, if a person has turned down this very change. A new commit is a new question,
    /// and so are a reopening and a person's word.
    fn turned_down(&self, latest: Option<&Proposed>, edit: Option<&Edit>) -> Option<Outcome> {
        let latest = latest.filter(|latest| latest.state == ProposalState::TurnedDown)?;
        let word = &self.wish.word;
        let asks_anew = word.is_person() || word.is_action(&Action::Reopened);
        let is_answered = match edit? {
            Edit::Write { .. } => latest.body.contains(&marker(Kind::Write, word)),
            Edit::Remove { .. } => answers_removal(&latest.body, word),
        };
        if asks_anew || !is_answered {
            return None;
        }
        let mut outcome = self.decision.outcome.clone();
        outcome.action = OutcomeAction::Ignored;
        outcome.reason = Some(format!(
            "the proposal #{} was closed; a new commit, or a reopening, is proposed again",
            latest.number
        ));
        Some(outcome)
    }

    fn propose(
        &self,
        branch: &Branch,
        outcome: Outcome,
        stands: bool,
        is_written: bool,
        has_new_commit: bool,
    ) -> Step {
        let kind = if is_written {
            Kind::Write
        } else {
            Kind::Remove
        };
        Step::Propose {
            text: ProposalText::new(kind, stands, &outcome, &branch.path, &self.wish.word),
            branch: branch.name.clone(),
            outcome,
            has_new_commit,
        }
    }

    fn message(&self, outcome: &Outcome, standing: Option<&[u8]>) -> String {
        let message = super::message::message(outcome, self.wish, None);
        format!("{message}{MARK}{}\n", mark(standing))
    }
}
