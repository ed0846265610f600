//! Manager runs as they are recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use rusqlite::{Connection, ErrorCode, Statement, Transaction, params};

use super::calls;
use super::evaluated::{Evaluated, record_evaluated};
use super::heard::{Heard, record_heard};
use super::judgements::Documents;
use super::objects::Kept;
use super::pushes::record_pushes;
use super::runs::{NewRun, insert_run};
use super::statuses::{CommitStatus, record_statuses};
use super::{StackLock, Store, StoreError};
use crate::clock::Time;
use crate::module::write_calls;
use crate::run::RunId;
use crate::stack::{Change, ChangeAction, Object, StackId};

mod first;

/// What one manager run records: all of it in one transaction.
#[derive(Debug, Default)]
pub struct ManagerRun {
    /// The commit of the manager repository.
    pub commit: String,
    /// The id of the manager's own stack at that commit.
    pub manager_stack: String,
    pub changes: Vec<Change>,
    /// Objects that stay until the destroy run of their stack has finished.
    pub deleting: Vec<String>,
    /// Stacks that leave without a destructor.
    pub orphaned: Vec<String>,
    pub tips: Vec<Tip>,
    /// Where the branches of repositories stand that have moved, by the repository's key.
    pub looked: BTreeMap<String, BTreeMap<String, String>>,
    /// What was judged of the pull requests of repositories, by the repository's key.
    pub heard: BTreeMap<String, Heard>,
    /// What commits are to be told.
    pub statuses: Vec<CommitStatus>,
    /// Locks that push policies take, and the keys that they give back.
    pub locks: Vec<(StackId, StackLock)>,
    pub unlocks: Vec<(StackId, String)>,
    /// Whether the TRIGGER policies have answered to all changes so far.
    pub judged: bool,
    pub runs: Vec<NewRun>,
    /// The evaluation that the changes come from, if its environments are apart.
    pub evaluated: Option<Evaluated>,
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

impl Store {
    /// Records a manager run: its changes, the tips that it saw, and the runs that follow from it.
    pub fn record(&mut self, manager_run: &ManagerRun, at: Time) -> Result<Vec<RunId>, StoreError> {
        let failed = self.sql("record a manager run");
        let is_first = self.is_empty().map_err(&failed)?;
        if is_first {
            // All pages are new: beside a rollback journal each is written once, beside a WAL twice.
            keep_journal(&self.connection, "DELETE").map_err(&failed)?;
        }
        let transaction = self.connection.transaction().map_err(&failed)?;
        let ids = record(&transaction, manager_run, is_first, at).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        if is_first {
            keep_journal(&self.connection, "WAL").map_err(&failed)?;
        }
        Ok(ids)
    }

    /// Whether no object is recorded.
    fn is_empty(&self) -> Result<bool, rusqlite::Error> {
        let query = "SELECT NOT EXISTS (SELECT 1 FROM object)";
        self.connection.query_row(query, [], |row| row.get(0))
    }
}

/// Has the store change to another kind of journal, unless others are at work in it: whoever opens it next
/// tries again, and either kind is safe.
pub(super) fn keep_journal(connection: &Connection, kind: &str) -> Result<(), rusqlite::Error> {
    let changed = connection.pragma_update_and_check(None, "journal_mode", kind, |_| Ok(()));
    match changed {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
        changed => changed,
    }
}

fn record(
    transaction: &Transaction<'_>,
    manager_run: &ManagerRun,
    is_first: bool,
    at: Time,
) -> Result<Vec<RunId>, rusqlite::Error> {
    transaction.execute(
        "UPDATE owner SET commit_id = ?1, manager_stack = ?2",
        [&manager_run.commit, &manager_run.manager_stack],
    )?;
    let changes = if is_first {
        first::record_objects(transaction, manager_run)?
    } else {
        record_changes(transaction, manager_run, at)?;
        Kept::text(manager_run).map_err(not_written)?
    };
    if !manager_run.changes.is_empty() {
        transaction.execute(
            "INSERT INTO manager_run (commit_id, changes, judged, at) VALUES (?1, ?2, ?3, ?4)",
            params![
                manager_run.commit,
                changes,
                manager_run.judged,
                at.as_second()
            ],
        )?;
    }
    if manager_run.judged {
        transaction.execute("UPDATE manager_run SET judged = 1 WHERE judged = 0", [])?;
    }
    for Tip {
        stack,
        seen,
        tracked,
    } in &manager_run.tips
    {
        transaction
            .prepare_cached(
                "INSERT INTO stack (id, seen_commit, tracked_commit) VALUES (?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET
                     seen_commit = excluded.seen_commit, tracked_commit = excluded.tracked_commit",
            )?
            .execute(params![stack.as_str(), seen, tracked])?;
    }
    record_pushes(transaction, manager_run)?;
    record_statuses(transaction, &manager_run.statuses, at)?;
    for (repository, heard) in &manager_run.heard {
        record_heard(transaction, repository, heard)?;
    }
    record_evaluated(transaction, manager_run.evaluated.as_ref())?;
    let mut documents = Documents::default();
    manager_run
        .runs
        .iter()
        .map(|run| insert_run(transaction, run, &mut documents, at))
        .collect()
}

fn record_changes(
    transaction: &Transaction<'_>,
    manager_run: &ManagerRun,
    at: Time,
) -> Result<(), rusqlite::Error> {
    let deleting: BTreeSet<&str> = manager_run.deleting.iter().map(String::as_str).collect();
    let orphaned: BTreeSet<&str> = manager_run.orphaned.iter().map(String::as_str).collect();
    for change in &manager_run.changes {
        let phase = match &*change.object.address {
            address if deleting.contains(address) => Some("deleting"),
            address if orphaned.contains(address) => Some("orphaned"),
            _ => None,
        };
        record_change(transaction, change, phase)?;
        if phase == Some("orphaned") && change.object.is_stack() {
            transaction.execute(
                "INSERT OR REPLACE INTO orphan (stack, since) VALUES (?1, ?2)",
                params![change.object.id(), at.as_second()],
            )?;
        }
    }
    Ok(())
}

fn record_change(
    transaction: &Transaction<'_>,
    change: &Change,
    phase: Option<&str>,
) -> Result<(), rusqlite::Error> {
    let object = &change.object;
    if change.action == ChangeAction::Deleted {
        let Some(phase) = phase else {
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
        // An orphan that is wanted again is taken up with what it left. With its kind bound, SQLite
        // would prepare the statement anew for each, as a partial index goes by the kind.
        transaction
            .prepare_cached(
                "DELETE FROM object
                 WHERE phase = 'orphaned' AND kind = 'spacelift_stack' AND id = ?1",
            )?
            .execute([object.id()])?;
    }
    let insert_or_update = format!(
        "{INSERT} ON CONFLICT (address) WHERE phase = 'active' DO UPDATE SET
             kind = excluded.kind, calls = excluded.calls, id = excluded.id,
             stack_id = excluded.stack_id, name = excluded.name, file = excluded.file,
             line = excluded.line, attributes = excluded.attributes,
             depends_on = excluded.depends_on, sensitive = excluded.sensitive"
    );
    let text = write_calls(&object.origin.calls).map_err(not_written)?;
    let calls = calls::number_of(transaction, &text, &object.origin)?;
    let mut statement = transaction.prepare_cached(&insert_or_update)?;
    insert(&mut statement, object, calls, &ObjectTexts::of(object)?)
}

const INSERT: &str = "INSERT INTO object
    (kind, phase, calls, id, stack_id, address, name, file, line, attributes, depends_on, sensitive)
    VALUES (?1, 'active', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// What an object's row holds that has to be looked up or made first.
struct ObjectTexts<'a> {
    id: &'a str,
    stack_id: &'a str,
    /// JSON, as those that follow.
    attributes: String,
    depends_on: String,
    sensitive: String,
}

impl<'a> ObjectTexts<'a> {
    fn of(object: &'a Object) -> Result<Self, rusqlite::Error> {
        let depends_on = object.depends_on.iter();
        let depends_on: Vec<&str> = depends_on
            .map(|address| object.origin.shortened(address))
            .collect();
        Ok(Self {
            id: object.id(),
            stack_id: object.stack_id(),
            attributes: text(&object.attributes)?,
            depends_on: text(&depends_on)?,
            sensitive: text(&object.sensitive)?,
        })
    }
}

/// Runs [`INSERT`] for an object to which the calls of that number lead.
fn insert(
    statement: &mut Statement<'_>,
    object: &Object,
    calls: i64,
    texts: &ObjectTexts<'_>,
) -> Result<(), rusqlite::Error> {
    statement
        .execute(params![
            object.kind,
            calls,
            texts.id,
            texts.stack_id,
            object.address,
            object.name,
            object.origin.file,
            i64::try_from(object.origin.line).unwrap_or(i64::MAX),
            texts.attributes,
            texts.depends_on,
            texts.sensitive,
        ])
        .map(drop)
}

/// JSON as a column's text, with its error as a database error.
fn text<T: serde::Serialize>(value: &T) -> Result<String, rusqlite::Error> {
    serde_json::to_string(value).map_err(not_written)
}

fn not_written(error: impl Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::keep_journal;
    use crate::store::Store;

    #[test]
    fn a_store_is_read_while_a_first_manager_run_is_recorded() {
        let directory = tempfile::tempdir().unwrap();
        let recording = Store::open(directory.path()).unwrap();
        keep_journal(&recording.connection, "DELETE").unwrap();
        let begin = "BEGIN IMMEDIATE; INSERT INTO stack (id) VALUES ('a')";
        recording.connection.execute_batch(begin).unwrap();
        let reading = Store::open(directory.path()).unwrap();
        assert!(reading.heads().unwrap().is_empty());
        drop(reading);
        recording.connection.execute_batch("COMMIT").unwrap();
        keep_journal(&recording.connection, "WAL").unwrap();
        let reading = Store::open(directory.path()).unwrap();
        assert_eq!(reading.heads().unwrap().len(), 1);
    }
}
