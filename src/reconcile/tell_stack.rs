//! What a person tells a stack: `lock`, `unlock`, `propose`, and, of an orphaned one, `forget` or
//! `destroy`.

use std::fs;
use std::path::{Path, PathBuf};

use super::mirrors::Mirrors;
use super::states;
use super::tell::Refusal;
use crate::clock;
use crate::config::Tokens;
use crate::files;
use crate::run::RunType;
use crate::stack::{Phase, StackId};
use crate::store::{NewRun, Run, StackLock, Store};

/// Keeps the stack from running until somebody unlocks it.
pub fn lock(
    store: &mut Store,
    stack: &StackId,
    person: &str,
    note: &str,
) -> Result<StackLock, Refusal> {
    phase_of(store, stack)?;
    let wanted = StackLock {
        holder: person.to_owned(),
        note: note.to_owned(),
        since: clock::now(),
    };
    let lock = store.lock_stack(stack, &wanted)?;
    if lock.holder == person {
        Ok(lock)
    } else {
        let stack = stack.clone();
        Err(Refusal::Locked { stack, lock })
    }
}

/// Frees the stack, whoever has locked it; gives the lock that was there.
pub fn unlock(store: &mut Store, stack: &StackId) -> Result<StackLock, Refusal> {
    let lock = store.unlock_stack(stack)?;
    lock.ok_or_else(|| Refusal::NotLocked(stack.clone()))
}

/// Queues a PROPOSED run, of `commit` or of the one that the stack's runs are for.
pub fn propose(
    store: &mut Store,
    stack: &StackId,
    commit: Option<String>,
    person: &str,
) -> Result<Run, Refusal> {
    let phase = phase_of(store, stack)?;
    if phase != Phase::Active {
        return Err(Refusal::Standing {
            stack: stack.clone(),
            phase,
            refused: "nothing can be planned for it".to_owned(),
            hint: "`dayfly status` shows the stack as it is".to_owned(),
        });
    }
    let tracked = || store.stack(stack).map(|record| record.head.tracked_commit);
    let commit = match commit {
        Some(commit) => Some(commit),
        None => tracked()?,
    };
    let new = NewRun {
        stack: stack.clone(),
        kind: RunType::Proposed,
        commit: commit.ok_or_else(|| Refusal::NoCommit(stack.clone()))?,
        cause: format!("proposed by {person}"),
        judgements: Vec::new(),
        push: None,
    };
    let id = store.queue(&new, clock::now())?;
    Ok(store.run(&id)?)
}

/// Queues the destroy run of an orphaned stack, with what its last apply was made of.
pub fn destroy(store: &mut Store, stack: &StackId, person: &str) -> Result<Run, Refusal> {
    orphaned(store, stack, "dayfly destroys it by itself, or not at all")?;
    let began = store.stack(stack)?.began;
    let new = NewRun {
        stack: stack.clone(),
        kind: RunType::Destroy,
        commit: began.map(|began| began.commit).unwrap_or_default(),
        cause: format!("{person} wants the orphaned stack destroyed"),
        judgements: Vec::new(),
        push: None,
    };
    match store.destroy_orphan(&new, clock::now())? {
        Some(id) => Ok(store.run(&id)?),
        // Somebody was faster; as what they did it cannot be destroyed twice.
        None => Err(Refusal::NoStack(stack.clone())),
    }
}

/// Forgets an orphaned stack; what it has made stays. Gives where its state lies from now on, if
/// dayfly kept one.
pub fn forget(
    store: &mut Store,
    directory: &Path,
    stack: &StackId,
) -> Result<Option<PathBuf>, Refusal> {
    prove_orphaned(store, stack)?;
    let began = store.stack(stack)?.began;
    // The records go, and with them the versions: the file has to be there.
    states::take_up(
        store,
        directory,
        stack,
        "found when the stack was forgotten",
    )?;
    if !store.forget_orphan(stack)? {
        return Err(Refusal::NoStack(stack.clone()));
    }
    if let Some(began) = began {
        let mirrors = Mirrors::new(directory.join("repositories"), Tokens::default());
        mirrors.open(&began.repository)?.unpin(stack.as_str())?;
    }
    let state = states::directory_of(directory, stack);
    if !state.exists() {
        return Ok(None);
    }
    let forgotten = directory.join("forgotten");
    let kept = forgotten.join(format!("{stack}-{}", clock::now().as_second()));
    files::make_private(&forgotten)
        .and_then(|()| fs::rename(&state, &kept))
        .map_err(|source| Refusal::Disk {
            doing: "put away the state",
            path: state,
            source,
        })?;
    Ok(Some(kept))
}

/// Refuses a stack that is not orphaned, and so cannot be forgotten.
pub fn prove_orphaned(store: &Store, stack: &StackId) -> Result<(), Refusal> {
    orphaned(store, stack, "it cannot be forgotten")
}

fn phase_of(store: &Store, stack: &StackId) -> Result<Phase, Refusal> {
    let phase = store.stack_phase(stack)?;
    phase.ok_or_else(|| Refusal::NoStack(stack.clone()))
}

fn orphaned(store: &Store, stack: &StackId, refused: &str) -> Result<(), Refusal> {
    let phase = phase_of(store, stack)?;
    let hint = match phase {
        Phase::Orphaned => return Ok(()),
        Phase::Active => "delete its environment's file, or its block, in the manager repository",
        Phase::Deleting => "`dayfly apply` goes on with it; `dayfly status` shows how it fares",
    };
    Err(Refusal::Standing {
        stack: stack.clone(),
        phase,
        refused: refused.to_owned(),
        hint: hint.to_owned(),
    })
}
