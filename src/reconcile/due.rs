//! Which runs an apply executes now, and what becomes of the others.

use std::collections::BTreeMap;

use super::ReconcileError;
use super::execute::{Execution, number};
use super::tell::forget_plan;
use crate::clock;
use crate::run::{RunEvent, RunState, Turn, turns};
use crate::store::{Run, Store, StoreError};

impl Execution<'_> {
    /// The runs whose turn it is, oldest first. What is superseded ends; what waits says for what.
    pub(super) fn due(&self, store: &mut Store) -> Result<Vec<Run>, ReconcileError> {
        let mut stacks: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for run in store.unfinished_runs()? {
            stacks.entry(run.stack.to_string()).or_default().push(run);
        }
        let locks = store.stack_locks()?;
        let mut due = Vec::new();
        for runs in stacks.into_values() {
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
                        None => due.push(run.clone()),
                    },
                }
            }
        }
        due.sort_by_key(number);
        Ok(due)
    }

    fn supersede(&self, store: &mut Store, run: &Run, by: &Run) -> Result<(), ReconcileError> {
        let event = match run.state {
            RunState::Unconfirmed => RunEvent::Discard,
            _ => RunEvent::Cancel,
        };
        let note = format!("superseded by run {}", by.id);
        match store.enter(run, event, Some(&note), clock::now()) {
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

/// Notes once why the run waits.
fn say(store: &mut Store, run: &Run, note: &str) -> Result<(), StoreError> {
    if run.note.as_deref() == Some(note) {
        return Ok(());
    }
    store.note(&run.id, note)
}
