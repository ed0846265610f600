//! The data directory, and who works in it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::StoreError;
use crate::clock;

/// How long a child that was about to start when its dayfly was killed may hold the lock with it.
const LAST_CHILD: Duration = Duration::from_secs(5);

/// A data directory held by this process alone, until it is dropped or the process ends.
pub struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Takes hold of `path`, making it if it is not there (for its owner only: it holds states).
    pub fn hold(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Directory {
            path: path.to_owned(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let failed = |source| StoreError::Directory {
            path: path.clone(),
            source,
        };
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed)?;
        let asked = Instant::now();
        while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            // Whoever holds it may be about to write its number: an empty one is told as unknown.
            let _ = lock
                .rewind()
                .and_then(|()| lock.read_to_string(&mut holder));
            if !is_dead(&holder) || asked.elapsed() > LAST_CHILD {
                if holder.is_empty() {
                    "unknown".clone_into(&mut holder);
                }
                return Err(StoreError::InUse { path, holder });
            }
            thread::sleep(LAST_CHILD / 100);
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| write!(lock, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }

    /// Whether a process works in `path` now.
    pub fn is_held(path: &Path) -> bool {
        let lock = File::open(path.join("lock"));
        // The lock goes with the file, at the end of this.
        lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err())
    }

    /// The number of another process that works in `path` now.
    pub(super) fn other_holder(path: &Path) -> Option<String> {
        let holder = fs::read_to_string(path.join("lock")).unwrap_or_default();
        let is_another = Self::is_held(path) && holder != std::process::id().to_string();
        is_another.then_some(holder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What this directory is known by, wherever it is moved to; `known` is what its store says, if
    /// the file with it was lost.
    pub fn id(&self, known: Option<&str>) -> Result<String, StoreError> {
        let file = self.path.join("id");
        let failed = |source| StoreError::Directory {
            path: self.path.clone(),
            source,
        };
        match fs::read_to_string(&file) {
            Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        let id = known.map_or_else(clock::nonce, str::to_owned);
        // Whole or not there: a part of it would be another's.
        let written = self.path.join("id.new");
        fs::write(&written, format!("{id}\n"))
            .and_then(|()| File::open(&written)?.sync_all())
            .and_then(|()| fs::rename(&written, &file))
            .map_err(failed)?;
        Ok(id)
    }
}

/// Whether there is no process of this number any more.
fn is_dead(process: &str) -> bool {
    let process = process.parse().ok().and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc;

    use super::*;

    const DEAD: i32 = i32::MAX;

    /// The lock as a process of this number has it.
    pub(crate) fn held_by(directory: &Path, number: impl ToString) -> File {
        let path = directory.join("lock");
        fs::write(&path, number.to_string()).unwrap();
        let lock = File::open(path).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        lock
    }

    #[test]
    fn a_holder_that_lives_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let _alive = held_by(directory.path(), std::process::id());
        let asked = Instant::now();
        let refused = DataDirectory::hold(directory.path()).err().unwrap();
        assert!(matches!(refused, StoreError::InUse { .. }), "{refused:?}");
        assert!(asked.elapsed() < LAST_CHILD);
    }

    #[test]
    fn what_a_dead_holder_has_left_is_not_waited_for_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let _child = held_by(directory.path(), DEAD);
        let (tell, told) = mpsc::channel();
        let path = directory.path().to_owned();
        let _waits = thread::spawn(move || tell.send(DataDirectory::hold(&path).err()));
        let refused = told.recv_timeout(4 * LAST_CHILD).expect("an end");
        assert!(matches!(refused, Some(StoreError::InUse { .. })));
    }

    #[test]
    fn the_last_child_of_a_dead_holder_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let child = held_by(directory.path(), DEAD);
        let ends = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            drop(child);
        });
        DataDirectory::hold(directory.path()).unwrap();
        ends.join().unwrap();
    }
}
