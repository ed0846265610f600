//! What a crash, or a disk, has kept a destroy run from taking away with its stack.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::ReconcileError;
use super::mirrors::Mirrors;
use super::states::{self, hold_of};
use super::tell::plan_file;
use crate::problem::Problem;
use crate::run::RunId;
use crate::runner::Hold;
use crate::stack::StackId;
use crate::store::Store;

/// Takes away what is left of stacks that are forgotten. A state that still holds something stays,
/// and is told of.
pub(super) fn sweep(
    directory: &Path,
    mirrors: &Mirrors,
    store: &Store,
) -> Result<Vec<Problem>, ReconcileError> {
    let known = store.stack_ids()?;
    let left = |of: &str| -> Vec<StackId> {
        let entries = fs::read_dir(directory.join(of)).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let unknown = names.filter(|name| !known.contains(name));
        unknown.map(StackId::new).collect()
    };
    let mut problems = Vec::new();
    for stack in left("states") {
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
    // The lock goes last: where none is left, no commit is kept either.
    for stack in left("holds") {
        for mirror in mirrors.all()? {
            mirror.unpin(stack.as_str())?;
        }
        let path = hold_of(directory, &stack);
        if let Ok(Ok(hold)) = Hold::try_take(&path, &RunId::new("")) {
            let workspace = directory.join("workspaces").join(stack.as_str());
            let is_gone = |removed: io::Result<()>| match removed {
                Err(error) => error.kind() == ErrorKind::NotFound,
                Ok(()) => true,
            };
            if is_gone(fs::remove_dir_all(workspace)) && clear_after(directory, store, &hold) {
                let _again_next_time = fs::remove_file(&path);
            }
        }
    }
    Ok(problems)
}

/// Removes the plan of the run that held the stack before, if that has ended: it holds secrets. Gives
/// whether it is gone.
pub(super) fn clear_after(directory: &Path, store: &Store, hold: &Hold) -> bool {
    let Some(before) = hold.before() else {
        return true;
    };
    if !store.run(&before).is_ok_and(|run| run.state.is_terminal()) {
        return false;
    }
    let plan = plan_file(directory, &before);
    match fs::remove_file(plan) {
        Err(error) => error.kind() == ErrorKind::NotFound,
        Ok(()) => true,
    }
}
