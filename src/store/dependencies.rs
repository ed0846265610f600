//! Stacks that depend on each other.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::judgements::Documents;
use super::objects::OBJECT_COLUMNS;
use super::runs::{insert_run, insert_state};
use super::{NewRun, Run, Store, StoreError};
use crate::clock::Time;
use crate::run::RunState;
use crate::stack::{Dependencies, StackId};

impl Store {
    /// All dependencies among the recorded stacks.
    pub fn dependencies(&self) -> Result<Dependencies, StoreError> {
        let query = format!(
            "SELECT {OBJECT_COLUMNS} FROM object WHERE kind IN
                 ('spacelift_stack_dependency', 'spacelift_stack_dependency_reference')
             ORDER BY rowid"
        );
        Ok(Dependencies::read(&self.select_objects(&query, [])?))
    }

    /// What the stack's last finished run took of those on which it depends, by variable; `None`
    /// before the first.
    pub fn taken(&self, stack: &StackId) -> Result<Option<BTreeMap<String, String>>, StoreError> {
        let text: Option<String> = self
            .connection
            .query_row(
                "SELECT taken FROM stack WHERE id = ?1",
                [stack.as_str()],
                |row| row.get(0),
            )
            .optional()
            .map(Option::flatten)
            .map_err(self.sql("tell what a stack took of others"))?;
        text.map(|text| self.json(stack.as_str(), &text))
            .transpose()
    }

    /// Records that the stack is run for nothing: a run that is SKIPPED at once, for the reason in
    /// `note`. How the stack stands is told by its run before.
    pub fn pass_over(&mut self, new: &NewRun, note: &str, at: Time) -> Result<Run, StoreError> {
        let failed = self.sql("record a run that is passed over");
        let transaction = self.connection.transaction().map_err(&failed)?;
        let documents = &mut Documents::default();
        let id = insert_run(&transaction, new, documents, at).map_err(&failed)?;
        let number = id.as_str().parse();
        let number: i64 = number.map_err(|_| StoreError::NoRun(id.to_string()))?;
        let skipped = RunState::Skipped;
        transaction
            .execute(
                "UPDATE run SET state = ?2, note = ?3, passed_over = 1 WHERE id = ?1",
                params![number, skipped.as_str(), note],
            )
            .map_err(&failed)?;
        insert_state(&transaction, number, skipped, at).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        self.run(&id)
    }

    /// Keeps what a finished run took of other stacks.
    pub fn set_taken(
        &mut self,
        stack: &StackId,
        taken: &BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(taken).map_err(|error| self.damaged(error))?;
        self.connection
            .execute(
                "UPDATE stack SET taken = ?2 WHERE id = ?1",
                params![stack.as_str(), text],
            )
            .map(drop)
            .map_err(self.sql("keep what a stack took of others"))
    }
}
