//! The objects of a first manager run: all are new, and there may be many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rusqlite::Transaction;

use super::{INSERT, Kept, ManagerRun, ObjectTexts, calls, insert, not_written};
use crate::module::{Call, write_calls};
use crate::stack::{Change, Object};

/// The indices that hold next to no object: kept up row by row they cost less than a look at all rows.
const SPARSE: &str = "'object_on_its_way_out', 'dependency', 'scheduled_deletion', 'equipment'";
/// So many rows are handed over at once.
const BATCH: usize = 128;
/// So many batches may wait for SQLite, as all texts at once would take much memory.
const WAITING: usize = 8;

type Batch<'a> = Result<Vec<Row<'a>>, rusqlite::Error>;

/// What is written of an object that has to be made first.
struct Row<'a> {
    calls: i64,
    /// Of the first object that these calls lead to.
    calls_text: Option<String>,
    texts: ObjectTexts<'a>,
}

/// Counts the calls as they come up.
#[derive(Default)]
struct Rows<'a>(HashMap<&'a [Call], i64>);

impl<'a> Rows<'a> {
    fn next(&mut self, object: &'a Object) -> Result<Row<'a>, rusqlite::Error> {
        let next = i64::try_from(self.0.len()).unwrap_or(i64::MAX) + 1;
        let calls = &object.origin.calls;
        let (calls, calls_text) = match self.0.entry(&**calls) {
            Entry::Occupied(known) => (*known.get(), None),
            Entry::Vacant(new) => {
                let text = write_calls(calls).map_err(not_written)?;
                (*new.insert(next), Some(text))
            }
        };
        Ok(Row {
            calls,
            calls_text,
            texts: ObjectTexts::of(object)?,
        })
    }
}

/// Records all objects; gives the text of the changes, which is made meanwhile.
///
/// SQLite writes on one core alone: the texts are made on another.
pub(super) fn record_objects(
    transaction: &Transaction<'_>,
    manager_run: &ManagerRun,
) -> Result<String, rusqlite::Error> {
    let (sender, batches) = sync_channel(WAITING);
    thread::scope(|scope| {
        let texts = move || {
            make_texts(manager_run, sender);
            Kept::text(manager_run).map_err(not_written)
        };
        // All texts at once would take much memory: without a thread nothing is recorded.
        let texts = thread::Builder::new().spawn_scoped(scope, texts);
        let texts = texts.map_err(not_written)?;
        let indices = drop_indices(transaction)?;
        insert_all(transaction, manager_run, batches)?;
        for index in &indices {
            transaction.execute(index, [])?;
        }
        texts
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn make_texts<'a>(manager_run: &'a ManagerRun, sender: SyncSender<Batch<'a>>) {
    let mut rows = Rows::default();
    for changes in manager_run.changes.chunks(BATCH) {
        let batch = changes.iter().map(|change| rows.next(&change.object));
        if sender.send(batch.collect()).is_err() {
            // SQLite has failed, and says why.
            return;
        }
    }
}

fn insert_all(
    transaction: &Transaction<'_>,
    manager_run: &ManagerRun,
    batches: Receiver<Batch<'_>>,
) -> Result<(), rusqlite::Error> {
    let mut statement = transaction.prepare(INSERT)?;
    let mut calls_statement = transaction.prepare(calls::INSERT)?;
    let chunks = manager_run.changes.chunks(BATCH);
    for (changes, rows) in chunks.zip(batches) {
        for (Change { object, .. }, row) in changes.iter().zip(rows?) {
            if let Some(text) = &row.calls_text {
                calls::insert(&mut calls_statement, Some(row.calls), text, &object.origin)?;
            }
            insert(&mut statement, object, row.calls, &row.texts)?;
        }
    }
    Ok(())
}

/// Drops the indices of objects, as all of one made at once are cheaper than row by row; gives what makes
/// them again.
fn drop_indices(transaction: &Transaction<'_>) -> Result<Vec<String>, rusqlite::Error> {
    let query = format!(
        "SELECT name, sql FROM sqlite_schema
         WHERE type = 'index' AND tbl_name = 'object' AND name NOT IN ({SPARSE})"
    );
    let indices: Vec<(String, String)> = transaction
        .prepare(&query)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (name, _) in &indices {
        transaction.execute(&format!("DROP INDEX {name}"), [])?;
    }
    Ok(indices.into_iter().map(|(_, sql)| sql).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::BATCH;
    use crate::clock;
    use crate::module::{Attributes, Call, Origin, Resource};
    use crate::stack::{Change, ChangeAction, Object};
    use crate::store::{ManagerRun, Store};

    fn added(number: usize) -> Change {
        let module = format!("module.m{}", number / 7);
        let call = Call {
            address: module.clone(),
            file: "main.tf".into(),
            is_fork: false,
        };
        let before = number.checked_sub(1);
        let depends_on =
            before.map(|before| format!("module.m{}.spacelift_context.c{before}", before / 7));
        let resource = Resource {
            address: format!("{module}.spacelift_context.c{number}"),
            kind: "spacelift_context".into(),
            name: format!("c{number}"),
            attributes: Attributes::from_iter([("id", json!(format!("c{number}")))]),
            sensitive: Arc::default(),
            depends_on: depends_on.iter().map(|it| it.as_str().into()).collect(),
            origin: Origin {
                calls: [call].into(),
                file: "m/main.tf".into(),
                line: number,
            },
        };
        Change {
            action: ChangeAction::Added,
            object: Object::from_resource(&Arc::new(resource)),
            before: serde_json::Map::new(),
            were_sensitive: Arc::default(),
            moved_from: None,
        }
    }

    #[test]
    fn a_first_manager_run_is_read_as_it_was_recorded() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap();
        let schema = |store: &Store| -> Vec<String> {
            let query = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
            let mut statement = store.connection.prepare(query).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let before = schema(&store);
        let manager_run = ManagerRun {
            commit: "c0ffee".to_owned(),
            changes: (0..2 * BATCH + 5).map(added).collect(),
            ..ManagerRun::default()
        };
        store.record(&manager_run, clock::now()).unwrap();
        let objects = manager_run.changes.iter().map(|it| it.object.clone());
        let objects: Vec<Object> = objects.collect();
        assert_eq!(store.objects().unwrap(), objects);
        assert_eq!(store.unjudged_changes().unwrap().len(), objects.len());
        assert_eq!(schema(&store), before);
    }
}
