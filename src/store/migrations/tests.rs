//! Stores of older versions are read.

use rusqlite::Connection;

use super::STEPS;
use crate::module::{Call, Origin};
use crate::store::lock::tests::held_by;
use crate::store::{Store, StoreError};

/// The step since which calls are written once for all of a module.
const CALLS_ONCE: usize = 25;

#[test]
fn objects_keep_what_an_older_dayfly_recorded_of_where_they_came_from() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dayfly.db");
    let older = Connection::open(&path).unwrap();
    for step in &STEPS[..CALLS_ONCE - 1] {
        older.execute_batch(step).unwrap();
    }
    let insert =
        "INSERT INTO object (rowid, address, kind, name, attributes, depends_on, origin, phase,
            commit_id, id, stack_id, environment, sensitive)
        VALUES (?1, ?2, ?3, 'it', ?4, ?5, ?6, ?7, 'c0ffee', ?8, ?8, ?9, '[\"description\"]')";
    let inner = r#"[{"address":"module.s","file":"main.tf"},
        {"address":".module.x","file":"s/environments/\"x\".tf","is_fork":true}]"#;
    let origin =
        |calls: &str, line| format!(r#"{{"calls":{calls},"file":"s/é.tf","line":{line}}}"#);
    let file = "s/environments/\"x\".tf";
    let rows = [
        (9, "module.s.module.x.a", inner, "[\".b\"]", "active", "a"),
        (3, "module.s.module.x.b", inner, "[]", "active", "b"),
        (5, "module.s.module.x.b", inner, "[]", "orphaned", "c"),
        (7, "c", "[]", "[\"module.s.module.x.a\"]", "deleting", "d"),
    ];
    for (row, address, calls, depends_on, phase, id) in rows {
        let kind = "spacelift_stack";
        let attributes = format!("{{\"id\":\"{id}\",\"branch\":\"main\"}}");
        let environment = (calls == inner).then_some(file);
        let origin = origin(calls, row);
        older
            .execute(
                insert,
                rusqlite::params![
                    row,
                    address,
                    kind,
                    attributes,
                    depends_on,
                    origin,
                    phase,
                    id,
                    environment
                ],
            )
            .unwrap();
    }
    let version = format!("PRAGMA user_version = {}", CALLS_ONCE - 1);
    older.execute_batch(&version).unwrap();
    drop(older);

    let store = Store::open(directory.path()).unwrap();
    let call = |address: &str, file: &str, is_fork| Call {
        address: address.into(),
        file: file.into(),
        is_fork,
    };
    let calls = [
        call("module.s", "main.tf", false),
        call("module.s.module.x", "s/environments/\"x\".tf", true),
    ];
    let origin = |calls: &[Call], line| Origin {
        calls: calls.into(),
        file: "s/é.tf".into(),
        line,
    };
    let objects = store.objects().unwrap();
    let found: Vec<_> = objects
        .iter()
        .map(|object| {
            assert_eq!(object.text("branch"), "main");
            assert_eq!(*object.sensitive, ["description"]);
            let first = object.depends_on.first().map(|it| &**it);
            (object.id(), &*object.address, first, object.origin.clone())
        })
        .collect();
    let [a, b] = ["module.s.module.x.a", "module.s.module.x.b"];
    let expected = [
        ("b", b, None, origin(&calls, 3)),
        ("c", b, None, origin(&calls, 5)),
        ("d", "c", Some(a), origin(&[], 7)),
        ("a", a, Some(b), origin(&calls, 9)),
    ];
    assert_eq!(found, expected);
    let of_environment = store.objects_of(&[file.to_owned()].into());
    assert_eq!(of_environment.unwrap(), objects);
    let written = "SELECT count(*) FROM calls";
    let written: u8 = store
        .connection
        .query_row(written, [], |row| row.get(0))
        .unwrap();
    assert_eq!(written, 2);
}

#[test]
fn nothing_is_changed_under_an_older_dayfly_at_work() {
    let directory = tempfile::tempdir().unwrap();
    let older = Connection::open(directory.path().join("dayfly.db")).unwrap();
    for step in &STEPS[..CALLS_ONCE - 1] {
        older.execute_batch(step).unwrap();
    }
    older.pragma_update(None, "user_version", 24).unwrap();
    let at_work = held_by(directory.path(), i32::MAX);
    let refused = Store::open(directory.path()).err().unwrap();
    assert!(matches!(refused, StoreError::Older { .. }), "{refused:?}");
    older.prepare("SELECT origin FROM object").unwrap();
    drop(at_work);
    Store::open(directory.path()).unwrap();
    // Of this one, and of the process itself, none is kept from its store.
    let _at_work = held_by(directory.path(), i32::MAX);
    Store::open(directory.path()).unwrap();
}
