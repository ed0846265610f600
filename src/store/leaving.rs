//! How a stack leaves the records: destroyed, or forgotten by a person.

use rusqlite::{OptionalExtension as _, Transaction};

use super::judgements::Documents;
use super::runs::{NewRun, insert_run};
use super::{Store, StoreError};
use crate::clock::Time;
use crate::run::RunId;
use crate::stack::{Phase, StackId};

impl Store {
    /// How far the stack is on its way out; `None` if it is not recorded.
    pub fn stack_phase(&self, stack: &StackId) -> Result<Option<Phase>, StoreError> {
        let failed = self.sql("look for a stack");
        // `active` is the first of them by letter.
        let phase: Option<String> = self
            .connection
            .query_row(
                "SELECT min(phase) FROM object WHERE kind = 'spacelift_stack'
                     AND id = ?1",
                [stack.as_str()],
                |row| row.get(0),
            )
            .map_err(failed)?;
        phase
            .map(|phase| self.json(stack.as_str(), &format!("\"{phase}\"")))
            .transpose()
    }

    /// Since when an orphaned stack is one; `None` where that was before it was noted.
    pub fn orphaned_since(&self, stack: &StackId) -> Result<Option<Time>, StoreError> {
        let failed = self.sql("tell since when a stack is orphaned");
        let query = "SELECT since FROM orphan WHERE stack = ?1";
        let since = self
            .connection
            .query_row(query, [stack.as_str()], |row| row.get(0));
        let since: Option<i64> = since.optional().map_err(failed)?;
        let since = since.map(Time::from_second).transpose();
        since.map_err(|error| self.damaged(error))
    }

    /// Has an orphaned stack leave by the destroy run `run`; `None` if it is not orphaned any more.
    pub fn destroy_orphan(&mut self, run: &NewRun, at: Time) -> Result<Option<RunId>, StoreError> {
        let failed = self.sql("queue the destroy run of an orphaned stack");
        let transaction = self.connection.transaction().map_err(&failed)?;
        let moved = transaction
            .execute(
                "UPDATE object SET phase = 'deleting' WHERE phase = 'orphaned'
                     AND kind = 'spacelift_stack' AND id = ?1",
                [run.stack.as_str()],
            )
            .map_err(&failed)?;
        if moved == 0 {
            return Ok(None);
        }
        let id = insert_run(&transaction, run, &mut Documents::default(), at).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(Some(id))
    }

    /// Forgets an orphaned stack; `false` if it is not orphaned any more.
    pub fn forget_orphan(&mut self, stack: &StackId) -> Result<bool, StoreError> {
        let failed = self.sql("forget an orphaned stack");
        let transaction = self.connection.transaction().map_err(&failed)?;
        let forgotten = transaction
            .execute(
                "DELETE FROM object WHERE phase = 'orphaned'
                     AND kind = 'spacelift_stack' AND id = ?1",
                [stack.as_str()],
            )
            .map_err(&failed)?;
        if forgotten == 0 {
            return Ok(false);
        }
        forget(&transaction, stack).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(true)
    }

    /// Forgets a stack that was destroyed, with all that left with it. Its runs stay to be read.
    pub fn remove_stack(&mut self, stack: &StackId) -> Result<(), StoreError> {
        let failed = self.sql("forget a stack");
        let transaction = self.connection.transaction().map_err(&failed)?;
        transaction
            .execute(
                // With its last stack an environment has nothing to go back to.
                "DELETE FROM applied_inputs WHERE file IN (
                     SELECT its.environment FROM object AS gone
                     JOIN calls AS its ON its.number = gone.calls
                     WHERE gone.stack_id = ?1 AND gone.kind = 'spacelift_stack' AND NOT EXISTS (
                         SELECT 1 FROM calls JOIN object ON object.calls = calls.number
                         WHERE calls.environment = its.environment
                             AND object.kind = 'spacelift_stack' AND object.id != ?1))",
                [stack.as_str()],
            )
            .map_err(&failed)?;
        transaction
            .execute(
                "DELETE FROM object WHERE phase != 'active' AND stack_id = ?1",
                [stack.as_str()],
            )
            .map_err(&failed)?;
        forget(&transaction, stack).map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }
}

/// Removes what is kept of a stack beside its objects.
fn forget(transaction: &Transaction<'_>, stack: &StackId) -> Result<(), rusqlite::Error> {
    for delete in [
        "DELETE FROM stack WHERE id = ?1",
        "DELETE FROM stack_lock WHERE stack = ?1",
        "DELETE FROM orphan WHERE stack = ?1",
        "DELETE FROM state_version WHERE stack = ?1",
    ] {
        transaction.execute(delete, [stack.as_str()])?;
    }
    Ok(())
}
