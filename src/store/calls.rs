//! The calls that lead to objects, written once for all objects of a module.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Statement, params};

use super::{Store, StoreError};
use crate::module::{Call, Origin, read_calls};

pub(super) const INSERT: &str =
    "INSERT INTO calls (number, calls, environment) VALUES (?1, ?2, ?3)";

/// Runs [`INSERT`]; a number of `None` is the next that is free.
pub(super) fn insert(
    statement: &mut Statement<'_>,
    number: Option<i64>,
    text: &str,
    origin: &Origin,
) -> Result<(), rusqlite::Error> {
    let environment = origin.environment().map(|call| &call.file);
    let inserted = statement.execute(params![number, text, environment]);
    inserted.map(drop)
}

/// The number of the calls of `origin`, which are `text`; they are written if they are not there yet.
pub(super) fn number_of(
    connection: &Connection,
    text: &str,
    origin: &Origin,
) -> Result<i64, rusqlite::Error> {
    let environment = origin.environment().map(|call| &call.file);
    let known = connection
        .prepare_cached("SELECT number FROM calls WHERE environment IS ?1 AND calls = ?2")?
        .query_row(params![environment, text], |row| row.get(0))
        .optional()?;
    match known {
        Some(number) => Ok(number),
        None => {
            let mut statement = connection.prepare_cached(INSERT)?;
            insert(&mut statement, None, text, origin)?;
            Ok(connection.last_insert_rowid())
        }
    }
}

const DOING: &str = "read the calls that lead to an object";

/// Calls by their number, each read once.
pub(super) struct ReadCalls<'a> {
    store: &'a Store,
    query: CachedStatement<'a>,
    read: HashMap<i64, Arc<[Call]>>,
}

impl<'a> ReadCalls<'a> {
    pub(super) fn of(store: &'a Store) -> Result<Self, StoreError> {
        let query = "SELECT calls FROM calls WHERE number = ?1";
        let query = store.connection.prepare_cached(query);
        Ok(Self {
            store,
            query: query.map_err(store.sql(DOING))?,
            read: HashMap::new(),
        })
    }

    pub(super) fn get(&mut self, number: i64) -> Result<Arc<[Call]>, StoreError> {
        if let Some(calls) = self.read.get(&number) {
            return Ok(calls.clone());
        }
        let read = self.query.query_row([number], |row| {
            let text = row.get_ref(0)?.as_str()?;
            Ok(read_calls(text).map_err(|error| error.to_string()))
        });
        let read = read.optional().map_err(self.store.sql(DOING))?;
        let calls = read.unwrap_or_else(|| Err("there are none".to_owned()));
        let damaged = |error| {
            let what = format!("the calls with the number {number}: {error}");
            self.store.damaged(what)
        };
        let calls = calls.map_err(damaged)?;
        self.read.insert(number, calls.clone());
        Ok(calls)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Map, json};

    use crate::clock;
    use crate::module::{Attributes, Call, Origin, Resource};
    use crate::stack::{Change, ChangeAction, Object};
    use crate::store::{ManagerRun, Store};

    fn change(action: ChangeAction, name: &str, file: &str) -> Change {
        let call = Call {
            address: "module.m".into(),
            file: file.into(),
            is_fork: false,
        };
        let resource = Resource {
            address: format!("module.m.spacelift_context.{name}"),
            kind: "spacelift_context".into(),
            name: name.into(),
            attributes: Attributes::from_iter([("id", json!(name))]),
            sensitive: Arc::default(),
            depends_on: Arc::from([]),
            origin: Origin {
                calls: [call].into(),
                file: "m/main.tf".into(),
                line: 1,
            },
        };
        Change {
            action,
            object: Object::from_resource(&Arc::new(resource)),
            before: Map::new(),
            were_sensitive: Arc::default(),
            moved_from: None,
        }
    }

    #[test]
    fn calls_are_written_once_and_go_with_the_last_object_they_lead_to() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap();
        let mut written_after = |changes: &[(ChangeAction, &str, &str)]| -> Vec<String> {
            let changes = changes.iter();
            let changes = changes.map(|(action, name, file)| change(*action, name, file));
            let manager_run = ManagerRun {
                changes: changes.collect(),
                ..ManagerRun::default()
            };
            store.record(&manager_run, clock::now()).unwrap();
            let files = "SELECT json_extract(calls, '$[0].file') FROM calls ORDER BY number";
            let mut statement = store.connection.prepare(files).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let (added, changed) = (ChangeAction::Added, ChangeAction::Changed);
        let deleted = ChangeAction::Deleted;
        let [old, new] = ["old.tf", "new.tf"];
        assert_eq!(
            written_after(&[(added, "a", old), (added, "b", old)]),
            [old]
        );
        assert_eq!(
            written_after(&[(added, "c", old), (changed, "b", old)]),
            [old]
        );
        assert_eq!(written_after(&[(changed, "a", new)]), [old, new]);
        assert_eq!(written_after(&[(deleted, "b", old)]), [old, new]);
        assert_eq!(written_after(&[(changed, "c", new)]), [new]);
        let gone = [(deleted, "a", new), (deleted, "c", new)];
        assert_eq!(written_after(&gone), [""; 0]);
    }
}
