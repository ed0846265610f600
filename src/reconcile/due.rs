//! Which runs an apply executes now, and what becomes of the others.

use std::collections::BTreeMap;

use super::ReconcileError;
use super::execute::{Execution, number};
use super::tell::forget_plan;
use super::waves::{Wave, wave};
use crate::clock;
use crate::run::{RunEvent, RunState, Turn, turns};
use crate::store::{Run, Store, StoreError};

impl Execution<'_> {
    /// The runs whose turn it is, oldest first. What is superseded ends; what waits says for what;
    /// what is skipped, as a stack that it depends on failed, is added to `skipped`.
    pub(super) fn due(
        &self,
        store: &mut Store,
        skipped: &mut Vec<Run>,
    ) -> Result<Vec<Run>, ReconcileError> {
        let dependencies = store.dependencies()?;
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
                    Turn::Go => match locks.get(&run.stack).filter(|_| run.kind.is_blocking()) {
                        Some(lock) => say(store, run, &format!("waits: its stack is {lock}"))?,
                        None => match wave(store, &dependencies, run)? {
                            Wave::Here => due.push(run.clone()),
                            Wave::Waits(note) => say(store, run, &note)?,
                            Wave::Skipped(note) => skipped.extend(skip(store, run, &note)?),
                        },
                    },
                }
            }
        }
        due.sort_by_key(number);
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
            self.end(store, &run, &note)?;
        }
        Ok(())
    }

    fn supersede(&self, store: &mut Store, run: &Run, by: &Run) -> Result<(), ReconcileError> {
        self.end(store, run, &format!("superseded by run {}", by.id))
    }

    /// Ends a run that nobody wants any more.
    fn end(&self, store: &mut Store, run: &Run, note: &str) -> Result<(), ReconcileError> {
        let event = match run.state {
            RunState::Unconfirmed => RunEvent::Discard,
            RunState::PendingReview => RunEvent::Fail,
            _ => RunEvent::Cancel,
        };
        match store.enter(run, event, Some(note), clock::now()) {
            // A person was faster.
            Err(StoreError::Moved { .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => {
                forget_plan(&self.directory, run);
                Ok(())
            }
        }
    }
}

/// Gives the run as it is then; `None` where a person was faster.
fn skip(store: &mut Store, run: &Run, note: &str) -> Result<Option<Run>, StoreError> {
    match store.enter(run, RunEvent::Skip, Some(note), clock::now()) {
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
