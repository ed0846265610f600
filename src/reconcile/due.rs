//! Which runs an apply executes now, and what becomes of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::ReconcileError;
use super::execute::{Execution, number};
use super::tell::forget_plan;
use super::waves::Wave;
use crate::clock;
use crate::run::{RunEvent, RunState, Turn, turns};
use crate::stack::StackId;
use crate::store::{ExternalStatus, Run, StackLock, Store, StoreError};

impl Execution<'_> {
    /// The runs whose turn it is: those that have priority first, else the oldest. What is superseded ends; what waits says for what;
    /// what ends without having begun, as something that it depends on failed, is added to `skipped`.
    /// Workers have runs of the stacks `at_work` in their hands.
    pub(super) fn due(
        &self,
        store: &mut Store,
        at_work: &BTreeSet<StackId>,
        skipped: &mut Vec<Run>,
    ) -> Result<Vec<Run>, ReconcileError> {
        let mut stacks: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for run in store.unfinished_runs()? {
            stacks.entry(run.stack.to_string()).or_default().push(run);
        }
        let locks = store.stack_locks()?;
        let mut due = Vec::new();
        for mut runs in stacks.into_values() {
            self.end_stackless(store, &mut runs)?;
            let queue: Vec<_> = runs.iter().map(|run| (run.kind, run.state)).collect();
            for (run, turn) in runs.iter().zip(turns(&queue)) {
                match turn {
                    Turn::Stays => {}
                    Turn::Superseded(by) => self.supersede(store, run, &runs[by])?,
                    Turn::Behind(other) => {
                        let other = &runs[other];
                        let note = format!("waits for run {}, which is {}", other.id, other.state);
                        say(store, run, &note)?;
                    }
                    Turn::Go => match held(store, locks.get(&run.stack), run)? {
                        Held::Waits(note) => say(store, run, &note)?,
                        Held::Failed(note) => {
                            skipped.extend(leave(store, run, RunEvent::Fail, &note)?);
                        }
                        Held::Not => match self.waves.of_run(store, at_work, run)? {
                            Wave::Here => due.push(run.clone()),
                            Wave::Waits(note) => say(store, run, &note)?,
                            Wave::Skipped(note) => {
                                skipped.extend(leave(store, run, RunEvent::Skip, &note)?);
                            }
                        },
                    },
                }
            }
        }
        due.sort_by_key(|run| (!run.is_prioritized, number(run)));
        Ok(due)
    }

    /// Ends and takes out what waits for a person where the stack is gone. What is queued finds
    /// that out by itself.
    fn end_stackless(&self, store: &mut Store, runs: &mut Vec<Run>) -> Result<(), ReconcileError> {
        let Some(waits) = runs.iter().position(|run| run.state.waits_for_a_person()) else {
            return Ok(());
        };
        let stack = runs[waits].stack.clone();
        if store.stack_phase(&stack)?.is_some() {
            return Ok(());
        }
        let note = format!("stack {stack} is not recorded any more");
        for run in runs.extract_if(.., |run| run.state.waits_for_a_person()) {
            end(store, &self.directory, &run, &note)?;
        }
        Ok(())
    }

    fn supersede(&self, store: &mut Store, run: &Run, by: &Run) -> Result<(), ReconcileError> {
        let note = format!("superseded by run {}", by.id);
        Ok(end(store, &self.directory, run, &note)?)
    }
}

/// Ends a run that nobody wants any more.
pub(super) fn end(
    store: &mut Store,
    directory: &Path,
    run: &Run,
    note: &str,
) -> Result<(), StoreError> {
    let event = match run.state {
        RunState::Unconfirmed => RunEvent::Discard,
        RunState::PendingReview => RunEvent::Fail,
        _ => RunEvent::Cancel,
    };
    match store.enter(run, event, Some(note), clock::now()) {
        // A person was faster.
        Err(StoreError::Moved { .. }) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            forget_plan(directory, run);
            Ok(())
        }
    }
}

/// What keeps a run from going on whose turn it is.
enum Held {
    Not,
    /// For what.
    Waits(String),
    /// Why it can never go on.
    Failed(String),
}

/// Whether the lock of its stack, or something that is to be done elsewhere, holds the run.
fn held(store: &Store, lock: Option<&StackLock>, run: &Run) -> Result<Held, StoreError> {
    if let Some(lock) = lock.filter(|_| run.kind.is_blocking()) {
        let key = store.push_of(&run.id)?.and_then(|push| push.lock_key);
        if key.as_ref() != Some(&lock.holder) {
            return Ok(Held::Waits(format!("waits: its stack is {lock}")));
        }
    }
    if run.state != RunState::Queued {
        return Ok(Held::Not);
    }
    let dependencies = store.external_dependencies(&run.id)?;
    let of = |status| {
        let named = dependencies.iter().filter(move |one| one.status == status);
        let names: Vec<&str> = named.map(|one| one.name.as_str()).collect();
        names.join(", ")
    };
    let (failed, waiting) = (of(ExternalStatus::Failed), of(ExternalStatus::Waiting));
    Ok(match (failed.as_str(), waiting.as_str()) {
        ("", "") => Held::Not,
        ("", waiting) => Held::Waits(format!("waits for what is done elsewhere: {waiting}")),
        (failed, _) => Held::Failed(format!("failed elsewhere: {failed}")),
    })
}

/// Gives the run as it is then; `None` where a person was faster.
fn leave(
    store: &mut Store,
    run: &Run,
    event: RunEvent,
    note: &str,
) -> Result<Option<Run>, StoreError> {
    match store.enter(run, event, Some(note), clock::now()) {
        Err(StoreError::Moved { .. }) => Ok(None),
        Err(error) => Err(error),
        Ok(_) => store.run(&run.id).map(Some),
    }
}

/// Notes once why the run waits.
fn say(store: &mut Store, run: &Run, note: &str) -> Result<(), StoreError> {
    if run.note.as_deref() == Some(note) {
        return Ok(());
    }
    store.note(&run.id, note)
}
