//! What dayfly remembers: objects, stacks and runs, in one SQLite file.
//!
//! The only room with SQL. Migrations are only ever added. Each public function that writes is one
//! transaction: a crash leaves the old or the new, never a part (invariant 12).

mod applied_inputs;
mod calls;
mod dependencies;
mod evaluated;
mod heard;
mod in_flight;
mod judgements;
mod leaving;
mod lock;
mod locks;
mod migrations;
mod objects;
mod pushes;
mod recording;
mod reviews;
mod runs;
mod standings;
mod states;
mod statuses;

pub use applied_inputs::AppliedInputs;
pub use evaluated::{Claims, Evaluated};
pub use heard::{Heard, JudgedPullRequest, Mark};
pub use judgements::{Judgement, NewJudgement, PackedInput};
pub use lock::DataDirectory;
pub use locks::StackLock;
pub use objects::{Recorded, StackHead, StackRecord};
pub use pushes::{ExternalDependency, ExternalStatus, Pushed};
pub use recording::{ManagerRun, Tip};
pub use reviews::Review;
pub use runs::{Move, NewRun, Run};
pub use standings::Standing;
pub use states::StateVersion;
pub use statuses::CommitStatus;

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};

use self::recording::keep_journal;
use crate::error::{Diagnose, Kind};
use crate::files;
use crate::run::{IllegalMove, RunId, RunState};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot use the data directory {}", path.display())]
    Directory {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the data directory {} is in use by process {holder}", path.display())]
    InUse { path: PathBuf, holder: String },
    #[error("the store {} cannot {doing}", path.display())]
    Sql {
        path: PathBuf,
        doing: &'static str,
        source: rusqlite::Error,
    },
    #[error("the store {} was written by a newer dayfly (version {version})", path.display())]
    Newer { path: PathBuf, version: u32 },
    #[error("the store {} is of an older dayfly, which works in it as process {holder}", path.display())]
    Older { path: PathBuf, holder: String },
    #[error("the store {} holds what cannot be read: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("the data directory {} belongs to {owner}, not to {wanted}", path.display())]
    OtherManager {
        path: PathBuf,
        owner: String,
        wanted: String,
    },
    #[error("the data directory {} follows the branch {owned}, not {wanted}", path.display())]
    OtherBranch {
        path: PathBuf,
        owned: String,
        wanted: String,
    },
    #[error("there is no run {0}")]
    NoRun(String),
    #[error("no run waits for {0:?}")]
    NoExternalDependency(String),
    #[error("run {run} cannot be moved")]
    Move {
        run: RunId,
        #[source]
        refused: IllegalMove,
    },
    #[error("run {run} was moved by somebody else: it is {state}")]
    Moved { run: RunId, state: RunState },
}

impl Diagnose for StoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::OtherManager { .. }
            | Self::OtherBranch { .. }
            | Self::NoRun(_)
            | Self::NoExternalDependency(_) => Kind::Usage,
            Self::Move { .. } | Self::Moved { .. } => Kind::Failed,
            _ => Kind::Outside,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InUse { .. } => "wait until it has ended; one apply works at a time".to_owned(),
            Self::Newer { .. } => "use that newer dayfly".to_owned(),
            Self::Older { .. } => "wait until it has ended: it could not go on".to_owned(),
            Self::OtherManager { .. } => {
                "give another --data-dir: one directory serves one manager repository".to_owned()
            }
            Self::OtherBranch { owned, .. } => {
                format!("add --branch {owned}, or give another --data-dir")
            }
            Self::NoRun(_) => "`dayfly runs` lists them".to_owned(),
            Self::NoExternalDependency(_) => {
                "`dayfly runs show RUN` tells what a run waits for".to_owned()
            }
            Self::Directory { .. } => "give another one with --data-dir".to_owned(),
            Self::Moved { run, .. } => format!("`dayfly runs show {run}` tells how it went on"),
            Self::Sql { .. } | Self::Damaged { .. } | Self::Move { .. } => return None,
        })
    }
}

/// Makes the file its owner's alone: it holds states and sensitive outputs. SQLite's files beside it
/// take after it. One that is there is not opened: that would give up SQLite's locks when it is closed.
fn make_private(path: &Path) -> io::Result<()> {
    const OWNERS_ALONE: u32 = 0o600;
    let mut new = OpenOptions::new();
    new.write(true).create_new(true).mode(OWNERS_ALONE);
    match new.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            match files::keep_private(path, OWNERS_ALONE) {
                // It is somebody else's, who lets this one work with it.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
                kept => kept,
            }
        }
        made => made.map(drop),
    }
}

/// The store of one data directory.
pub struct Store {
    path: PathBuf,
    connection: Connection,
}

impl Store {
    /// Opens the store in `directory`, making or migrating it, unless the older dayfly that made it is at
    /// work: it would find other tables than it knows.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("dayfly.db");
        let failed = |doing, source| StoreError::Sql {
            path: path.clone(),
            doing,
            source,
        };
        make_private(&path).map_err(|source| StoreError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let mut connection = Connection::open(&path).map_err(|e| failed("be opened", e))?;
        connection
            .busy_timeout(Duration::from_secs(10))
            // Of a new store: of pages of four KiB, the usual size, objects leave a quarter empty.
            .and_then(|()| connection.pragma_update(None, "page_size", 8192))
            .and_then(|()| keep_journal(&connection, "WAL"))
            .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
            .and_then(|()| connection.pragma_update(None, "foreign_keys", true))
            // In kibibytes: a manager run that records everything fills more than the two MiB.
            .and_then(|()| connection.pragma_update(None, "cache_size", -32_768))
            // What a statement needs while it works is small, and no file is made for it.
            .and_then(|()| connection.pragma_update(None, "temp_store", "MEMORY"))
            .map_err(|error| failed("be set up", error))?;
        let is_older = migrations::is_older(&connection).map_err(|e| failed("be read", e))?;
        if is_older && let Some(holder) = DataDirectory::other_holder(directory) {
            return Err(StoreError::Older { path, holder });
        }
        let newest = migrations::run(&mut connection)
            .map_err(|error| failed("be brought to this version", error))?;
        if let Some(version) = newest {
            return Err(StoreError::Newer { path, version });
        }
        Ok(Self { path, connection })
    }

    /// Whether the store in `directory` exists already.
    pub fn exists(directory: &Path) -> bool {
        directory.join("dayfly.db").is_file()
    }

    fn sql(&self, doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |source| StoreError::Sql {
            path: path.clone(),
            doing,
            source,
        }
    }

    /// Has `write` done without waiting for the disk. No kill takes it back; a loss of power may, as
    /// if it had not been done yet, until the next write that waits has brought it to the disk.
    pub(crate) fn unhurried<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let failed = self.sql("be set up");
        let waits_for_disk = |store: &Self, how| {
            let set = store.connection.pragma_update(None, "synchronous", how);
            set.map_err(&failed)
        };
        waits_for_disk(self, "NORMAL")?;
        let done = write(self);
        waits_for_disk(self, "FULL")?;
        done
    }

    fn damaged(&self, what: impl ToString) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            what: what.to_string(),
        }
    }

    /// Makes the directory that of the manager repository `name` at its `branch`, or checks that
    /// it is: another branch holds other files, and would delete what they do not hold.
    pub fn claim(&mut self, name: &str, branch: &str) -> Result<(), StoreError> {
        let failed = self.sql("be claimed");
        self.connection
            .execute(
                "INSERT OR IGNORE INTO owner (only, manager, branch) VALUES (1, ?1, ?2)",
                [name, branch],
            )
            .map_err(&failed)?;
        let (owner, owned): (String, String) = self
            .connection
            .query_row("SELECT manager, branch FROM owner", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(&failed)?;
        let path = || self.path.parent().unwrap_or(&self.path).to_owned();
        if !owner.eq_ignore_ascii_case(name) {
            return Err(StoreError::OtherManager {
                path: path(),
                owner,
                wanted: name.to_owned(),
            });
        }
        if owned != branch {
            return Err(StoreError::OtherBranch {
                path: path(),
                owned,
                wanted: branch.to_owned(),
            });
        }
        Ok(())
    }

    /// The id under which the manager repository knows this data directory as its owner, once it has
    /// become that.
    pub fn directory(&self) -> Result<Option<String>, StoreError> {
        let query = "SELECT directory FROM owner";
        let found = self.connection.query_row(query, [], |row| row.get(0));
        let found = found.optional().map_err(self.sql("tell whose it is"))?;
        Ok(found.flatten())
    }

    /// Notes the id, in a store that is claimed.
    pub fn set_directory(&mut self, id: &str) -> Result<(), StoreError> {
        let failed = self.sql("note whose it is");
        let set = "UPDATE owner SET directory = ?1";
        self.connection.execute(set, [id]).map_err(failed)?;
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::Store;

    /// How SQLite goes about the query, step by step.
    pub(in crate::store) fn plan(query: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let query = format!("EXPLAIN QUERY PLAN {query}");
        let mut statement = store.connection.prepare(&query).unwrap();
        let none = vec![""; statement.parameter_count()];
        let steps = statement.query_map(rusqlite::params_from_iter(none), |row| row.get(3));
        steps.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn disk_is_waited_for_again_after_what_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap();
        let how = |store: &Store| -> u8 {
            let pragma = store
                .connection
                .pragma_query_value(None, "synchronous", |row| row.get(0));
            pragma.unwrap()
        };
        let [normal, full] = [1, 2];
        assert_eq!(how(&store), full);
        assert_eq!(store.unhurried(|store| Ok(how(store))).unwrap(), normal);
        assert_eq!(how(&store), full);
    }
}
