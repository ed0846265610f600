//! What a person tells a run: `confirm`, `discard`, `cancel`, `stop`, `retry`.
//!
//! Each is one transaction on the run's row, with an apply at work or without. Policies hear of a run
//! that ended so by the apply that is at work, or by the next.

use std::fs;
use std::path::{Path, PathBuf};

use super::approval::{Gate, approval, recorded_scene};
use super::mirrors::Mirrors;
use super::states::StateError;
use crate::clock;
use crate::error::{Diagnose, Kind};
use crate::git::GitError;
use crate::run::{Command, RunEvent, RunId, RunState, RunType};
use crate::runner::Holder;
use crate::stack::{Phase, StackId};
use crate::store::{DataDirectory, NewRun, Run, StackLock, Store, StoreError};

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The run has its new state.
    Moved,
    /// Its plan is not there any more: it is made anew, and waits again.
    PlannedAnew,
    /// The process that works on it is told.
    Asked,
    /// No process works on it: the next apply ends it.
    Unattended,
    /// Another run was queued.
    Queued(Box<Run>),
}

/// Why a run, or a stack, does not do what a person tells it.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("run {} is {}: it cannot be {} now", run.id, run.state, command.done())]
    NotNow { run: Box<Run>, command: Command },
    #[error("run {run} is not approved: {said}")]
    NotApproved { run: RunId, said: String },
    #[error("run {} is {}: it waits for no approval", .0.id, .0.state)]
    NotReviewed(Box<Run>),
    #[error("run {run} waits for no approval: no APPROVAL policy is attached to stack {stack}")]
    NoApproval { run: RunId, stack: StackId },
    #[error("dayfly.hcl of the recorded commit {commit} cannot be read: {reason}")]
    Unreadable { commit: String, reason: String },
    #[error("stack {stack} is {lock}")]
    Locked { stack: StackId, lock: StackLock },
    #[error("stack {0} is not locked")]
    NotLocked(StackId),
    #[error("there is no stack {0}")]
    NoStack(StackId),
    #[error("stack {stack} {}, so {refused}", standing(*phase))]
    Standing {
        stack: StackId,
        phase: Phase,
        refused: String,
        hint: String,
    },
    #[error("run {newer} of stack {stack} is newer, and {state}")]
    Newer {
        stack: StackId,
        newer: RunId,
        state: RunState,
    },
    #[error("run {} holds stack {}: it is {}", run.id, run.stack, run.state)]
    Held { run: Box<Run> },
    #[error("stack {stack} is held by {holder}")]
    AtWork { stack: StackId, holder: Holder },
    #[error("stack {0} has no commit yet")]
    NoCommit(StackId),
    #[error("cannot {doing} {}", path.display())]
    Disk {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
}

fn standing(phase: Phase) -> &'static str {
    match phase {
        Phase::Active => "stands in the manager repository",
        Phase::Deleting => "is being destroyed",
        Phase::Orphaned => "has left the manager repository and is orphaned",
    }
}

impl Diagnose for Refusal {
    fn kind(&self) -> Kind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::State(error) => error.kind(),
            Self::NoStack(_) => Kind::Usage,
            Self::Disk { .. } => Kind::Outside,
            Self::NotApproved { .. } => Kind::Denied,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Store(error) => return error.hint(),
            Self::Git(error) => return error.hint(),
            Self::State(error) => return error.hint(),
            Self::Held { run } if run.state.is_executing() => {
                "`dayfly apply` first takes up what the run has left".to_owned()
            }
            Self::Held { run } => possible(run),
            Self::AtWork { .. } => "wait for its end, or have `dayfly apply` wait".to_owned(),
            Self::NotNow { run, .. } => possible(run),
            Self::NotApproved { run, .. } => {
                format!(
                    "`dayfly runs show {run}` tells which policy said what; `dayfly runs approve {run}` adds your word"
                )
            }
            Self::NotReviewed(run) => possible(run),
            Self::NoApproval { run, .. } => {
                format!("`dayfly runs show {run}` tells what it waits for")
            }
            Self::Unreadable { .. } => "`dayfly apply` records the repository anew".to_owned(),
            Self::Locked { stack, .. } => format!("`dayfly stack unlock {stack}` frees it"),
            Self::NotLocked(_) | Self::NoStack(_) | Self::NoCommit(_) => {
                "`dayfly status` lists the stacks".to_owned()
            }
            Self::Standing { hint, .. } => hint.clone(),
            Self::Newer { newer, state, .. } => match state {
                RunState::Unconfirmed => format!("`dayfly runs discard {newer}` first"),
                RunState::Queued | RunState::Ready => format!("`dayfly runs cancel {newer}` first"),
                _ => format!("wait for its end: `dayfly logs {newer} --follow`"),
            },
            Self::Disk { .. } => return None,
        })
    }
}

/// What can be told to the run as it is.
fn possible(run: &Run) -> String {
    let possible: Vec<String> = Command::possible(run.kind, run.state)
        .into_iter()
        .map(|command| format!("`dayfly runs {} {}`", command.as_str(), run.id))
        .collect();
    match possible.as_slice() {
        [] if run.state.is_terminal() => "nothing is possible any more".to_owned(),
        [] => format!(
            "nothing is possible before its end: `dayfly logs {} --follow`",
            run.id
        ),
        possible => format!("possible now: {}", possible.join(", ")),
    }
}

/// The log of a run in a data directory.
pub fn log_file(directory: &Path, run: &RunId) -> PathBuf {
    directory.join("runs").join(format!("{run}.log"))
}

pub(super) fn plan_file(directory: &Path, run: &RunId) -> PathBuf {
    directory.join("runs").join(format!("{run}.tfplan"))
}

/// A plan that nobody applies any more holds secrets for nothing. One that was never written is no
/// failure.
pub(super) fn forget_plan(directory: &Path, run: &Run) {
    let _absent = fs::remove_file(plan_file(directory, &run.id));
}

/// Tells the run what `person` wants; gives what came of it, with the run as it is then.
pub fn tell(
    store: &mut Store,
    directory: &Path,
    id: &RunId,
    command: Command,
    person: &str,
) -> Result<(Run, Told), Refusal> {
    loop {
        let run = store.run(id)?;
        if !command.is_possible(run.kind, run.state) {
            let run = Box::new(run);
            return Err(Refusal::NotNow { run, command });
        }
        let told = match command {
            Command::Confirm => confirm(store, directory, &run, person),
            Command::Stop => stop(store, directory, &run, person),
            Command::Retry => retry(store, &run, person).map(|run| Told::Queued(Box::new(run))),
            Command::Discard | Command::Cancel => end(store, directory, &run, command, person),
        };
        match told {
            // It has another state by now, for which all is asked again.
            Err(Refusal::Store(StoreError::Moved { .. })) => {}
            told => return Ok((store.run(id)?, told?)),
        }
    }
}

fn end(
    store: &mut Store,
    directory: &Path,
    run: &Run,
    command: Command,
    person: &str,
) -> Result<Told, Refusal> {
    let event = command.event(run.kind, run.state);
    let event = event.unwrap_or(RunEvent::Cancel);
    let note = format!("{} by {person}", command.done());
    store.enter(run, event, Some(&note), clock::now())?;
    forget_plan(directory, run);
    Ok(Told::Moved)
}

fn confirm(store: &mut Store, directory: &Path, run: &Run, person: &str) -> Result<Told, Refusal> {
    let key = store.push_of(&run.id)?.and_then(|push| push.lock_key);
    let lock = store.stack_lock(&run.stack)?;
    if let Some(lock) = lock.filter(|lock| key.as_ref() != Some(&lock.holder)) {
        let stack = run.stack.clone();
        return Err(Refusal::Locked { stack, lock });
    }
    let mirrors = Mirrors::of(directory);
    let scene = recorded_scene(store, directory, &mirrors, &run.stack)?;
    match approval(store, &scene, run) {
        Ok(Gate::Open) => {}
        Ok(Gate::Waits(said) | Gate::Shut(said)) | Err(said) => {
            let run = run.id.clone();
            return Err(Refusal::NotApproved { run, said });
        }
    }
    let note = format!("confirmed by {person}");
    if run.kind == RunType::Proposed {
        store.enter(run, RunEvent::Finish, Some(&note), clock::now())?;
        return Ok(Told::Moved);
    }
    if plan_file(directory, &run.id).is_file() {
        store.enter(run, RunEvent::Confirm, Some(&note), clock::now())?;
        return Ok(Told::Moved);
    }
    let note = format!("{note}, but its plan is gone: planned anew");
    store.enter(run, RunEvent::RequestReplan, Some(&note), clock::now())?;
    Ok(Told::PlannedAnew)
}

fn stop(store: &mut Store, directory: &Path, run: &Run, person: &str) -> Result<Told, Refusal> {
    store.ask_to_stop(run, person)?;
    Ok(if DataDirectory::is_held(directory) {
        Told::Asked
    } else {
        Told::Unattended
    })
}

fn retry(store: &mut Store, run: &Run, person: &str) -> Result<Run, Refusal> {
    let wanted = match run.kind {
        RunType::Destroy => Phase::Deleting,
        RunType::Tracked | RunType::Proposed => Phase::Active,
    };
    let phase = store
        .stack_phase(&run.stack)?
        .ok_or_else(|| Refusal::NoStack(run.stack.clone()))?;
    if phase != wanted {
        return Err(Refusal::Standing {
            stack: run.stack.clone(),
            phase,
            refused: format!("its {} run {} cannot be retried", run.kind, run.id),
            hint: "`dayfly status` shows the stack as it is".to_owned(),
        });
    }
    let unfinished = store.unfinished_runs()?;
    let other = unfinished
        .into_iter()
        .find(|other| other.stack == run.stack && other.kind.is_blocking());
    if let Some(other) = other.filter(|_| run.kind.is_blocking()) {
        return Err(Refusal::Newer {
            stack: other.stack,
            newer: other.id,
            state: other.state,
        });
    }
    let new = NewRun {
        stack: run.stack.clone(),
        kind: run.kind,
        commit: run.commit.clone(),
        cause: format!("retry of run {}, by {person}", run.id),
        judgements: Vec::new(),
        push: store.push_of(&run.id)?,
    };
    let id = store.queue(&new, clock::now())?;
    Ok(store.run(&id)?)
}
