//! What a crash, or a disk, has kept a destroy run from taking away with its stack.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::ReconcileError;
use super::execute::disk;
use super::mirrors::Mirrors;
use super::states::{self, hold_of};
use super::tell::{log_file, plan_file};
use crate::problem::Problem;
use crate::run::RunId;
use crate::runner::{Hold, in_flight, said};
use crate::stack::StackId;
use crate::store::Store;

/// Takes away what is left of stacks that are forgotten. A state that still holds something stays,
/// and is told of.
pub(super) fn sweep(
    directory: &Path,
    mirrors: &Mirrors,
    store: &mut Store,
) -> Result<Vec<Problem>, ReconcileError> {
    let left = |store: &Store, of: &str| {
        let entries = fs::read_dir(directory.join(of)).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        store.unknown_stacks(&names.collect())
    };
    let mut problems = Vec::new();
    for stack in left(store, "states")? {
        let path = states::directory_of(directory, &stack);
        let is_empty = match fs::read(path.join("terraform.tfstate")) {
            Ok(state) => states::holds_nothing(&state),
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        if is_empty && fs::remove_dir_all(&path).is_ok() {
            continue;
        }
        problems.push(Problem::warning(format!(
            "a state of stack {stack}, which is not recorded, is left in {}",
            path.display()
        )));
    }
    for stack in left(store, "initialized")? {
        let _again_next_time =
            fs::remove_dir_all(directory.join("initialized").join(stack.as_str()));
    }
    // The lock goes last: where none is left, no commit is kept either.
    for stack in left(store, "holds")? {
        for mirror in mirrors.all()? {
            mirror.unpin(stack.as_str())?;
        }
        let path = hold_of(directory, &stack);
        if let Ok(Ok(hold)) = Hold::try_take(&path, &RunId::new("")) {
            let workspace = directory.join("workspaces").join(stack.as_str());
            if is_gone(fs::remove_dir_all(workspace)) && clear_after(directory, store, &hold)? {
                let _again_next_time = fs::remove_file(&path);
            }
        }
    }
    Ok(problems)
}

/// Keeps what the run that held the stack before was at when it was cut off, and removes what is left of
/// it: its plan and what its tool said, which hold secrets. Gives whether they are gone.
pub(super) fn clear_after(
    directory: &Path,
    store: &mut Store,
    hold: &Hold,
) -> Result<bool, ReconcileError> {
    let Some(before) = hold.before() else {
        return Ok(true);
    };
    let run = store.run(&before)?;
    if !run.state.is_terminal() {
        return Ok(false);
    }
    let said = said(&log_file(directory, &before));
    let began = store.stack(&run.stack)?.began;
    let state = began.filter(|began| began.manage_state);
    let state = state.map(|_| states::file_of(directory, &run.stack));
    let in_flight = in_flight(&said, state.as_deref());
    let in_flight = in_flight.map_err(|error| disk("read", &said, error))?;
    if !in_flight.is_empty() {
        store.keep_in_flight(&before, &in_flight)?;
    }
    let mut all = true;
    for path in [plan_file(directory, &before), said] {
        all &= is_gone(fs::remove_file(path));
    }
    Ok(all)
}

/// What is to be said before a run of the stack begins, if something may be done twice.
pub(super) fn foreword(store: &Store, stack: &StackId) -> Result<Option<String>, ReconcileError> {
    let in_flight = store.in_flight_of(stack)?;
    let told = in_flight
        .iter()
        .map(|(run, doing)| format!("run {run} was cut off while {doing}"));
    let told: Vec<String> = told.collect();
    Ok((!told.is_empty()).then(|| {
        format!(
            "{}: how far that came is in no state, so it is done again; look for what may stand twice",
            told.join(", ")
        )
    }))
}

fn is_gone(removed: io::Result<()>) -> bool {
    match removed {
        Err(error) => error.kind() == ErrorKind::NotFound,
        Ok(()) => true,
    }
}
