//! The objects of a first manager run: all are new, and there may be many.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rusqlite::Transaction;

use super::{INSERT, Kept, ManagerRun, ObjectTexts, insert, not_written};

/// The indices that hold next to no object: kept up row by row they cost less than a look at all rows.
/// `equipment` does not, as SQLite makes a table of its four kinds for each row.
const SPARSE: &str = "'object_on_its_way_out', 'dependency', 'scheduled_deletion'";
/// So many rows are handed over at once.
const BATCH: usize = 128;
/// So many batches may wait for SQLite, as all texts at once would take much memory.
const WAITING: usize = 8;

type Batch = Result<Vec<ObjectTexts>, rusqlite::Error>;

/// Records all objects; gives the text of the changes, which is made meanwhile.
///
/// SQLite writes on one core alone: the texts are made on another.
pub(super) fn record_objects(
    transaction: &Transaction<'_>,
    manager_run: &ManagerRun,
) -> Result<String, rusqlite::Error> {
    let (sender, batches) = sync_channel(WAITING);
    thread::scope(|scope| {
        let texts = scope.spawn(|| {
            make_texts(manager_run, sender);
            Kept::text(manager_run).map_err(not_written)
        });
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

fn make_texts(manager_run: &ManagerRun, sender: SyncSender<Batch>) {
    for changes in manager_run.changes.chunks(BATCH) {
        let texts = changes.iter().map(|change| ObjectTexts::of(&change.object));
        if sender.send(texts.collect()).is_err() {
            // SQLite has failed, and says why.
            return;
        }
    }
}

fn insert_all(
    transaction: &Transaction<'_>,
    manager_run: &ManagerRun,
    batches: Receiver<Batch>,
) -> Result<(), rusqlite::Error> {
    let mut statement = transaction.prepare(INSERT)?;
    let chunks = manager_run.changes.chunks(BATCH);
    for (changes, texts) in chunks.zip(batches) {
        for (change, texts) in changes.iter().zip(texts?) {
            insert(&mut statement, &manager_run.commit, &change.object, &texts)?;
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
