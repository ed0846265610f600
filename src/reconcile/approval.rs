//! Whether a run may go on: what its stack's APPROVAL policies make of what people said of it.

use std::path::Path;

use super::inputs::nanoseconds;
use super::judging::{Scene, flags, keep};
use super::mirrors::Mirrors;
use super::prepare::chain;
use super::tell::{Refusal, forget_plan};
use crate::clock;
use crate::config::Settings;
use crate::event::RepositoryName;
use crate::files::Files;
use crate::git::{CommitId, Repository};
use crate::policy::input::{
    ApprovalInput, ApprovalRun, Request, Review as PolicyReview, ReviewSession, Reviews,
};
use crate::policy::{Approval, PolicyType, judge_approval};
use crate::run::{RunEvent, RunId, RunState, RunType};
use crate::stack::StackId;
use crate::store::{Review, Run, Store, StoreError};

/// What approval policies say.
#[derive(Debug)]
pub(super) enum Gate {
    Open,
    /// Until they approve; why.
    Waits(String),
    Shut(String),
}

/// Asks the APPROVAL policies of the run's stack. One that fails lets nothing go on.
pub(super) fn approval(store: &mut Store, scene: &Scene<'_>, run: &Run) -> Result<Gate, String> {
    let Some(stack) = scene.stack(&run.stack) else {
        return Ok(Gate::Open);
    };
    if run.kind == RunType::Destroy {
        return Ok(Gate::Open);
    }
    let policies = match scene.attached(stack, PolicyType::Approval) {
        Ok(policies) => policies,
        Err(problem) => return Ok(Gate::Waits(problem)),
    };
    if policies.is_empty() {
        return Ok(Gate::Open);
    }
    let flags = flags(store, run).map_err(chain)?;
    let input = ApprovalInput {
        reviews: reviews(store, run).map_err(chain)?,
        run: ApprovalRun {
            run: scene.run(run, stack, flags, Vec::new()),
            repository_runtime_config_changed: false,
        },
        stack: stack.clone(),
    };
    let verdict = judge_approval(&policies, &input);
    keep(store, run, PolicyType::Approval, &input, &verdict)?;
    let said: Vec<String> = verdict.notes.iter().map(|note| note.note.clone()).collect();
    let said = if said.is_empty() {
        String::new()
    } else {
        format!(": {}", said.join("; "))
    };
    Ok(match (verdict.decision, verdict.errors.first()) {
        (Approval::Approved, _) => Gate::Open,
        (Approval::Rejected, _) => Gate::Shut(format!("rejected by policy{said}")),
        (Approval::Undecided, Some(failure)) => Gate::Waits(failure.to_string()),
        (Approval::Undecided, None) => Gate::Waits(format!("waits for approval{said}")),
    })
}

/// The reviews of the run, those of its present state apart.
fn reviews(store: &Store, run: &Run) -> Result<Reviews, StoreError> {
    let version = i64::try_from(store.history(&run.id)?.len()).unwrap_or(i64::MAX);
    let mut reviews = Reviews::default();
    for review in store.reviews(&run.id)? {
        let verdicts = if review.state_version == version {
            &mut reviews.current
        } else {
            &mut reviews.older
        };
        let list = if review.approves {
            &mut verdicts.approvals
        } else {
            &mut verdicts.rejections
        };
        list.push(described(&review));
    }
    Ok(reviews)
}

/// A review as a policy sees it: who gave it is all that dayfly knows of a person.
fn described(review: &Review) -> PolicyReview {
    PolicyReview {
        author: review.author.clone(),
        request: Request {
            timestamp_ns: nanoseconds(review.at),
            ..Request::default()
        },
        session: ReviewSession {
            login: review.author.clone(),
            name: review.author.clone(),
            ..ReviewSession::default()
        },
        state: review.state.to_string(),
        state_version: review.state_version,
        ..PolicyReview::default()
    }
}

/// What came of a review.
#[derive(Clone, Debug, PartialEq)]
pub enum Reviewed {
    /// The policies approve.
    Approved,
    /// They want more; what they say.
    Undecided(String),
    /// They reject: the run has ended.
    Rejected,
}

/// Keeps `person`'s review of a run that waits, and asks the APPROVAL policies of its stack again.
/// Gives the run as it is then.
pub fn review(
    store: &mut Store,
    directory: &Path,
    id: &RunId,
    person: &str,
    approves: bool,
    note: &str,
) -> Result<(Run, Reviewed), Refusal> {
    let run = store.run(id)?;
    if !may_be_reviewed(run.state) || run.kind == RunType::Destroy {
        return Err(Refusal::NotReviewed(Box::new(run)));
    }
    let mirrors = Mirrors::of(directory);
    let scene = recorded_scene(store, directory, &mirrors, &run.stack)?;
    let is_asked = match scene.stack(&run.stack) {
        // One that cannot be read is one nevertheless.
        Some(stack) => {
            !matches!(scene.attached(stack, PolicyType::Approval), Ok(p) if p.is_empty())
        }
        None => false,
    };
    if !is_asked {
        let stack = run.stack.clone();
        return Err(Refusal::NoApproval { run: run.id, stack });
    }
    store.review(id, person, approves, note, clock::now())?;
    let gate = approval(store, &scene, &run).unwrap_or_else(Gate::Waits);
    let reviewed = match gate {
        Gate::Open => {
            if run.state == RunState::PendingReview {
                let note = format!("approved by {person}");
                store.enter(&run, RunEvent::Finish, Some(&note), clock::now())?;
            }
            Reviewed::Approved
        }
        Gate::Waits(said) => {
            store.note(id, &said)?;
            Reviewed::Undecided(said)
        }
        Gate::Shut(note) => {
            store.enter(&run, RunEvent::Fail, Some(&note), clock::now())?;
            forget_plan(directory, &run);
            Reviewed::Rejected
        }
    };
    Ok((store.run(id)?, reviewed))
}

fn may_be_reviewed(state: RunState) -> bool {
    state == RunState::Queued || state.waits_for_a_person()
}

/// The scene of a run of `stack`, as it was last recorded in the data directory.
pub(super) fn recorded_scene<'a>(
    store: &Store,
    directory: &Path,
    mirrors: &'a Mirrors,
    stack: &StackId,
) -> Result<Scene<'a>, Refusal> {
    let settings = recorded_settings(store, directory)?;
    let owner = settings.repository.as_ref().map(RepositoryName::owner);
    Ok(Scene::of(store, owner, mirrors, [stack].into_iter())?)
}

/// `dayfly.hcl` at the commit that was last recorded.
fn recorded_settings(store: &Store, directory: &Path) -> Result<Settings, Refusal> {
    let Some(commit) = store.last_commit()? else {
        return Ok(Settings::default());
    };
    let unreadable = |reason: String| Refusal::Unreadable {
        commit: commit.clone(),
        reason,
    };
    let cache = Repository::open(directory.join("manager.git"))?;
    let id: CommitId = commit.parse().map_err(|error| unreadable(chain(error)))?;
    let read = cache.tree(&id)?.read(Settings::FILE);
    let text = match read.map_err(|error| unreadable(chain(error)))? {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => return Ok(Settings::default()),
    };
    Settings::read(&text).map_err(|error| unreadable(chain(error)))
}
