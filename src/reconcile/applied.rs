//! What environments can be rolled back to: their files as they were when all had been applied well.

use super::ReconcileError;
use super::execute::Execution;
use super::work::Shared;
use crate::clock;
use crate::manager::ManagerError;
use crate::run::{RunState, RunType};
use crate::store::{AppliedInputs, Run, Store, StoreError};
use crate::threads::lock;

impl Execution<'_> {
    /// Keeps the file of the environment that a finished run belongs to, once none of its stacks has
    /// anything left to do.
    pub(super) fn keep_applied(
        &self,
        shared: &Shared<'_>,
        run: &Run,
    ) -> Result<(), ReconcileError> {
        if run.kind != RunType::Tracked || run.state != RunState::Finished {
            return Ok(());
        }
        let Some(commit) = self.snapshot.commit() else {
            return Ok(());
        };
        let Some(file) = self.well_applied(&lock(&shared.store), run)? else {
            return Ok(());
        };
        let content = self.snapshot.files().read(&file);
        let content = content.map_err(ManagerError::from)?;
        // One that is there no more is on its way out.
        let Some(text) = content.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return Ok(());
        };
        let inputs = AppliedInputs {
            file,
            text,
            commit: commit.to_string(),
            at: clock::now(),
        };
        Ok(lock(&shared.store).keep_applied(&inputs)?)
    }

    /// The file of the run's environment, if all of its stacks are as it says.
    fn well_applied(&self, store: &Store, run: &Run) -> Result<Option<String>, StoreError> {
        let Some(file) = store.environment_of(&run.stack)? else {
            return Ok(None);
        };
        if self.as_before.contains(&file) {
            return Ok(None);
        }
        for stack in store.stacks_of(&file)? {
            let is_well = store.last_run(&stack)?.is_none_or(|last| {
                last.state == RunState::Finished && last.kind == RunType::Tracked
            });
            if !is_well {
                return Ok(None);
            }
        }
        Ok(Some(file))
    }
}
