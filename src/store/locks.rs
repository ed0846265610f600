//! Stacks that a person, or a policy, keeps from running.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{Store, StoreError};
use crate::clock::Time;
use crate::stack::StackId;

/// Who keeps a stack from running, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StackLock {
    pub holder: String,
    /// Empty where nothing was said.
    pub note: String,
    pub since: Time,
}

impl std::fmt::Display for StackLock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "locked by {} since {}", self.holder, self.since)?;
        if !self.note.is_empty() {
            write!(formatter, ": {}", self.note)?;
        }
        Ok(())
    }
}

impl Store {
    /// Locks the stack. A lock of another holder stays as it is, and so does a note in whose place
    /// nothing is said; gives the lock that stands then.
    pub fn lock_stack(
        &mut self,
        stack: &StackId,
        lock: &StackLock,
    ) -> Result<StackLock, StoreError> {
        self.connection
            .execute(
                "INSERT INTO stack_lock (stack, holder, note, since) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (stack) DO UPDATE SET note = excluded.note
                     WHERE holder = excluded.holder AND excluded.note != ''",
                params![
                    stack.as_str(),
                    lock.holder,
                    lock.note,
                    lock.since.as_second()
                ],
            )
            .map_err(self.sql("lock a stack"))?;
        let stands = self.stack_lock(stack)?;
        Ok(stands.unwrap_or_else(|| lock.clone()))
    }

    /// Takes the stack's lock away, whoever holds it; gives the one that was there.
    pub fn unlock_stack(&mut self, stack: &StackId) -> Result<Option<StackLock>, StoreError> {
        let lock = self.stack_lock(stack)?;
        self.connection
            .execute("DELETE FROM stack_lock WHERE stack = ?1", [stack.as_str()])
            .map_err(self.sql("unlock a stack"))?;
        Ok(lock)
    }

    pub fn stack_lock(&self, stack: &StackId) -> Result<Option<StackLock>, StoreError> {
        let failed = self.sql("tell who holds a stack");
        let row: Option<(String, String, i64)> = self
            .connection
            .query_row(
                "SELECT holder, note, since FROM stack_lock WHERE stack = ?1",
                [stack.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
            .map_err(failed)?;
        row.map(|row| self.read_lock(row)).transpose()
    }

    pub fn stack_locks(&self) -> Result<BTreeMap<StackId, StackLock>, StoreError> {
        let failed = self.sql("list the locks of stacks");
        let mut statement = self
            .connection
            .prepare("SELECT stack, holder, note, since FROM stack_lock")
            .map_err(&failed)?;
        let rows = statement
            .query_map([], |row| {
                let stack: String = row.get(0)?;
                Ok((stack, (row.get(1)?, row.get(2)?, row.get(3)?)))
            })
            .map_err(&failed)?;
        rows.map(|row| {
            let (stack, lock) = row.map_err(&failed)?;
            Ok((StackId::new(stack), self.read_lock(lock)?))
        })
        .collect()
    }

    fn read_lock(
        &self,
        (holder, note, since): (String, String, i64),
    ) -> Result<StackLock, StoreError> {
        Ok(StackLock {
            holder,
            note,
            since: Time::from_second(since)
                .map_err(|_| self.damaged("a lock since an impossible time"))?,
        })
    }
}
