//! What a person asks of a stack's state: its versions, one of them, and the way back.

use std::path::Path;

use super::states::{StateError, hold_of, roll_back, take_up};
use super::tell::Refusal;
use crate::run::{RunId, RunState};
use crate::runner::{Hold, Holder};
use crate::stack::StackId;
use crate::store::{DataDirectory, Run, StateVersion, Store, StoreError};

/// The versions of a stack's state, newest first; with the run that is making another, if one is.
pub fn state_versions(
    store: &mut Store,
    directory: &Path,
    stack: &StackId,
) -> Result<(Vec<StateVersion>, Option<Run>), Refusal> {
    let held = holder(store, stack)?.filter(|run| run.state.is_executing());
    match DataDirectory::hold(directory) {
        // What lies in the file is newer than the store where a dayfly was killed.
        Ok(alone) if held.is_none() && hold(alone.path(), stack)?.is_ok() => {
            match take_up(store, directory, stack, "found when it was asked for") {
                // Its versions can still be had.
                Err(StateError::Torn { .. }) => {}
                taken => taken?,
            }
        }
        Ok(_) | Err(StoreError::InUse { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let versions = store.state_versions(stack)?;
    if versions.is_empty() && held.is_none() {
        known(store, stack)?;
        return Err(StateError::NoState(stack.clone()).into());
    }
    Ok((versions, held))
}

/// A version of a stack's state, or its newest, with its content.
pub fn state_content(
    store: &mut Store,
    directory: &Path,
    stack: &StackId,
    version: Option<u64>,
) -> Result<(StateVersion, Vec<u8>), Refusal> {
    let (versions, _) = state_versions(store, directory, stack)?;
    let Some(newest) = versions.first() else {
        return Err(StateError::NoState(stack.clone()).into());
    };
    let version = version.unwrap_or(newest.version);
    let found = versions.iter().find(|kept| kept.version == version);
    let content = store.state_content(stack, version)?;
    match found.zip(content) {
        Some((found, content)) => Ok((found.clone(), content)),
        None => {
            let stack = stack.clone();
            Err(StateError::NoVersion { stack, version }.into())
        }
    }
}

/// Makes an older version of a stack's state the newest, while no run holds the stack; an apply may
/// work on others.
pub fn roll_back_state(
    store: &mut Store,
    directory: &Path,
    stack: &StackId,
    version: u64,
    person: &str,
) -> Result<StateVersion, Refusal> {
    known(store, stack)?;
    if let Some(run) = holder(store, stack)? {
        return Err(Refusal::Held { run: Box::new(run) });
    }
    // Whatever else an apply does, it touches a state only while it holds the stack.
    let _held = hold(directory, stack)?.map_err(|holder| Refusal::AtWork {
        stack: stack.clone(),
        holder,
    })?;
    Ok(roll_back(store, directory, stack, version, person)?)
}

fn known(store: &Store, stack: &StackId) -> Result<(), Refusal> {
    match store.stack_phase(stack)? {
        Some(_) => Ok(()),
        None => Err(Refusal::NoStack(stack.clone())),
    }
}

fn hold(directory: &Path, stack: &StackId) -> Result<Result<Hold, Holder>, Refusal> {
    let path = hold_of(directory, stack);
    Hold::try_take(&path, &RunId::new("")).map_err(|source| Refusal::Disk {
        doing: "hold",
        path,
        source,
    })
}

/// The run that works on the stack, or whose plan waits.
fn holder(store: &Store, stack: &StackId) -> Result<Option<Run>, StoreError> {
    let runs = store.unfinished_runs()?.into_iter();
    let mut holding = runs.filter(|run| {
        &run.stack == stack && !matches!(run.state, RunState::Queued | RunState::PendingReview)
    });
    Ok(holding.next())
}
