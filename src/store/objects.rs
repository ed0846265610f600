//! Objects of the manager's runs, and what is known of each stack.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::runs::{NewRun, insert_run};
use super::{Store, StoreError};
use crate::clock::Time;
use crate::run::RunId;
use crate::stack::{Change, ChangeAction, Object, RunInputs, StackId};

/// What one manager run records: all of it in one transaction.
#[derive(Debug, Default)]
pub struct ManagerRun {
    /// The commit of the manager repository.
    pub commit: String,
    pub changes: Vec<Change>,
    /// Objects that stay until the destroy run of their stack has finished.
    pub deleting: Vec<String>,
    /// Stacks that leave without a destructor.
    pub orphaned: Vec<String>,
    pub tips: Vec<Tip>,
    /// Whether the TRIGGER policies have answered to all changes so far.
    pub judged: bool,
    pub runs: Vec<NewRun>,
}

/// What a look at a stack's branch told.
#[derive(Clone, Debug, PartialEq)]
pub struct Tip {
    pub stack: StackId,
    /// Where the branch stands; `None` if it is not there or its repository did not answer.
    pub seen: Option<String>,
    /// The commit that the stack's runs are for from now on.
    pub tracked: Option<String>,
}

/// What is known of a stack beside its objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StackRecord {
    /// The tip of its branch when it was last looked at.
    pub seen_commit: Option<String>,
    /// The commit that its runs are for.
    pub tracked_commit: Option<String>,
    /// The inputs of the last apply that began.
    pub began: Option<RunInputs>,
    /// What its last finished run put out, sensitive values left out.
    pub outputs: BTreeMap<String, Value>,
}

impl Store {
    /// All recorded objects, in the order in which they were first recorded.
    pub fn objects(&self) -> Result<Vec<Object>, StoreError> {
        let failed = self.sql("list its objects");
        let mut statement = self
            .connection
            .prepare(
                "SELECT address, kind, name, attributes, depends_on, origin, phase
                 FROM object ORDER BY rowid",
            )
            .map_err(&failed)?;
        let rows = statement
            .query_map([], |row| {
                let column = |index: usize| row.get::<_, String>(index);
                Ok([
                    column(0)?,
                    column(1)?,
                    column(2)?,
                    column(3)?,
                    column(4)?,
                    column(5)?,
                    column(6)?,
                ])
            })
            .map_err(&failed)?;
        rows.map(|row| {
            let [address, kind, name, attributes, depends_on, origin, phase] =
                row.map_err(&failed)?;
            Ok(Object {
                attributes: self.json(&address, &attributes)?,
                depends_on: self.json(&address, &depends_on)?,
                origin: self.json(&address, &origin)?,
                phase: self.json(&address, &format!("\"{phase}\""))?,
                address,
                kind,
                name,
            })
        })
        .collect()
    }

    pub fn stacks(&self) -> Result<BTreeMap<StackId, StackRecord>, StoreError> {
        let failed = self.sql("list its stacks");
        let mut statement = self
            .connection
            .prepare("SELECT id, seen_commit, tracked_commit, began, outputs FROM stack")
            .map_err(&failed)?;
        let rows = statement
            .query_map([], |row| {
                let column = |index: usize| row.get::<_, Option<String>>(index);
                Ok((
                    row.get::<_, String>(0)?,
                    column(1)?,
                    column(2)?,
                    column(3)?,
                    column(4)?,
                ))
            })
            .map_err(&failed)?;
        rows.map(|row| {
            let (id, seen_commit, tracked_commit, began, outputs) = row.map_err(&failed)?;
            let record = StackRecord {
                seen_commit,
                tracked_commit,
                began: began.map(|text| self.json(&id, &text)).transpose()?,
                outputs: outputs
                    .map(|text| self.json(&id, &text))
                    .transpose()?
                    .unwrap_or_default(),
            };
            Ok((StackId::new(id), record))
        })
        .collect()
    }

    fn json<T: DeserializeOwned>(&self, of: &str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|error| self.damaged(format!("{of}: {error}")))
    }

    /// Records a manager run: its changes, the tips that it saw, and the runs that follow from it.
    pub fn record(&mut self, manager_run: &ManagerRun, at: Time) -> Result<Vec<RunId>, StoreError> {
        let failed = self.sql("record a manager run");
        let transaction = self.connection.transaction().map_err(&failed)?;
        let ids = record(&transaction, manager_run, at).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(ids)
    }

    /// Keeps the inputs of an apply that is about to begin.
    pub fn begin(&mut self, stack: &StackId, inputs: &RunInputs) -> Result<(), StoreError> {
        let text = serde_json::to_string(inputs).map_err(|error| self.damaged(error))?;
        self.connection
            .execute(
                "INSERT INTO stack (id, began) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET began = excluded.began",
                params![stack.as_str(), text],
            )
            .map(drop)
            .map_err(self.sql("keep the inputs of an apply"))
    }

    pub fn set_outputs(
        &mut self,
        stack: &StackId,
        outputs: &BTreeMap<String, Value>,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(outputs).map_err(|error| self.damaged(error))?;
        self.connection
            .execute(
                "UPDATE stack SET outputs = ?2 WHERE id = ?1",
                params![stack.as_str(), text],
            )
            .map(drop)
            .map_err(self.sql("keep the outputs of a stack"))
    }

    /// Forgets a stack that was destroyed, with all that left with it. Its runs stay to be read.
    pub fn remove_stack(&mut self, stack: &StackId) -> Result<(), StoreError> {
        let failed = self.sql("forget a stack");
        let transaction = self.connection.transaction().map_err(&failed)?;
        transaction
            .execute(
                "DELETE FROM object WHERE phase != 'active' AND ?1 =
                     CASE kind WHEN 'spacelift_stack' THEN json_extract(attributes, '$.id')
                               ELSE json_extract(attributes, '$.stack_id') END",
                [stack.as_str()],
            )
            .map_err(&failed)?;
        transaction
            .execute("DELETE FROM stack WHERE id = ?1", [stack.as_str()])
            .map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }

    /// The recorded changes that the TRIGGER policies have not answered to, oldest first.
    pub fn unjudged_changes(&self) -> Result<Vec<Change>, StoreError> {
        let failed = self.sql("list its changes");
        let mut statement = self
            .connection
            .prepare("SELECT changes FROM manager_run WHERE judged = 0 ORDER BY id")
            .map_err(&failed)?;
        let texts: Result<Vec<String>, _> = statement
            .query_map([], |row| row.get(0))
            .and_then(Iterator::collect);
        let mut changes = Vec::new();
        for text in texts.map_err(&failed)? {
            changes.extend(self.json::<Vec<Change>>("a manager run", &text)?);
        }
        Ok(changes)
    }

    /// The commit that was last recorded, if any was.
    pub fn last_commit(&self) -> Result<Option<String>, StoreError> {
        self.connection
            .query_row(
                "SELECT commit_id FROM manager_run ORDER BY id DESC LIMIT 1",
                [],
                |row| row.get(0),
            )
            .optional()
            .map_err(self.sql("tell the last manager run"))
    }
}

fn record(
    transaction: &Transaction<'_>,
    manager_run: &ManagerRun,
    at: Time,
) -> Result<Vec<RunId>, rusqlite::Error> {
    if !manager_run.changes.is_empty() {
        transaction.execute(
            "INSERT INTO manager_run (commit_id, changes, judged, at) VALUES (?1, ?2, ?3, ?4)",
            params![
                manager_run.commit,
                text(&manager_run.changes)?,
                manager_run.judged,
                at.as_second()
            ],
        )?;
    }
    if manager_run.judged {
        transaction.execute("UPDATE manager_run SET judged = 1 WHERE judged = 0", [])?;
    }
    for change in &manager_run.changes {
        record_change(transaction, manager_run, change)?;
    }
    for Tip {
        stack,
        seen,
        tracked,
    } in &manager_run.tips
    {
        transaction.execute(
            "INSERT INTO stack (id, seen_commit, tracked_commit) VALUES (?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET
                 seen_commit = excluded.seen_commit, tracked_commit = excluded.tracked_commit",
            params![stack.as_str(), seen, tracked],
        )?;
    }
    manager_run
        .runs
        .iter()
        .map(|run| insert_run(transaction, run, at))
        .collect()
}

fn record_change(
    transaction: &Transaction<'_>,
    manager_run: &ManagerRun,
    change: &Change,
) -> Result<(), rusqlite::Error> {
    let object = &change.object;
    if change.action == ChangeAction::Deleted {
        let phase = if manager_run.deleting.contains(&object.address) {
            "deleting"
        } else if manager_run.orphaned.contains(&object.address) {
            "orphaned"
        } else {
            if object.is_stack() {
                transaction.execute("DELETE FROM stack WHERE id = ?1", [object.id()])?;
            }
            let delete = "DELETE FROM object WHERE address = ?1 AND phase = 'active'";
            return transaction.execute(delete, [&object.address]).map(drop);
        };
        let update = "UPDATE object SET phase = ?2 WHERE address = ?1 AND phase = 'active'";
        return transaction
            .execute(update, [object.address.as_str(), phase])
            .map(drop);
    }
    if let Some(before) = &change.moved_from {
        transaction.execute(
            "UPDATE object SET address = ?2 WHERE address = ?1 AND phase = 'active'",
            [before, &object.address],
        )?;
    }
    if object.is_stack() && change.action == ChangeAction::Added {
        // An orphan that is wanted again is taken up with what it left.
        transaction.execute(
            "DELETE FROM object WHERE phase = 'orphaned' AND kind = ?1
                 AND json_extract(attributes, '$.id') = ?2",
            [object.kind.as_str(), object.id()],
        )?;
    }
    transaction
        .execute(
            "INSERT INTO object
                 (address, kind, name, attributes, depends_on, origin, phase, commit_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'active', ?7)
             ON CONFLICT (address) WHERE phase = 'active' DO UPDATE SET
                 kind = excluded.kind, name = excluded.name, attributes = excluded.attributes,
                 depends_on = excluded.depends_on, origin = excluded.origin,
                 commit_id = excluded.commit_id",
            params![
                object.address,
                object.kind,
                object.name,
                text(&object.attributes)?,
                text(&object.depends_on)?,
                text(&object.origin)?,
                manager_run.commit
            ],
        )
        .map(drop)
}

/// JSON as a column's text, with its error as a database error.
fn text<T: serde::Serialize>(value: &T) -> Result<String, rusqlite::Error> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
