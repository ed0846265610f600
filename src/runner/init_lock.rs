//! One `init` at a time: the shared provider cache is not safe in parallel, neither between the
//! runs of this process nor between processes.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

/// Another process's lock cannot be awaited, only asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(20);

static HERE: Mutex<()> = Mutex::const_new(());

/// Held while an `init` runs. The lock is the open file's: it ends with the process, however that
/// ends.
#[derive(Debug)]
pub(super) struct InitLock {
    _file: File,
    _here: MutexGuard<'static, ()>,
}

/// Waits until no other `init` uses the cache, and makes the cache if it does not exist.
pub(super) async fn acquire(plugin_cache: &Path) -> io::Result<InitLock> {
    let here = HERE.lock().await;
    fs::create_dir_all(plugin_cache)?;
    let file = File::create(plugin_cache.join(".init.lock"))?;
    loop {
        match file.try_lock() {
            Ok(()) => {
                return Ok(InitLock {
                    _file: file,
                    _here: here,
                });
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(ASK_AGAIN).await,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::acquire;

    #[tokio::test]
    async fn a_lock_held_elsewhere_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path().join("plugins");
        drop(acquire(&cache).await.unwrap());
        // A second open file stands for another process.
        let other = File::open(cache.join(".init.lock")).unwrap();
        other.lock().unwrap();
        let waiting = acquire(&cache);
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("the lock was taken although it is held"),
            () = tokio::task::yield_now() => {}
        }
        other.unlock().unwrap();
        waiting.await.unwrap();
    }
}
