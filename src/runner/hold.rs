//! Who works on a stack: dayfly, or what a killed one has left behind.
//!
//! A run holds a lock on an open file, and each of its children has that very file for its standard
//! input: the lock lasts until the last of them is gone, however dayfly ended. What goes on in the
//! background does not have it: Terraform and a shell give what they start beside them another input.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, getpgid, kill_process_group};
use tokio::time::Instant;

use super::process::StopSignal;
use crate::run::RunId;

/// The lock cannot be awaited together with what else may happen.
const ASK_AGAIN: Duration = Duration::from_millis(50);
const PROCESSES: &str = "/proc";

/// A stack that nobody else works on, until this is dropped and the run's children are gone.
pub struct Hold {
    /// Stands at its end, so that whoever reads it as an input finds none.
    file: File,
    /// Empty where that cannot be told.
    before: String,
}

/// Who holds a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The run that it is held for; empty where that cannot be told.
    pub run: String,
    /// The processes that hold it, where this system tells.
    processes: Vec<i32>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("what a killed dayfly has left at work")?;
        if !self.run.is_empty() {
            write!(formatter, " for run {}", self.run)?;
        }
        let processes: Vec<String> = self.processes.iter().map(i32::to_string).collect();
        if !processes.is_empty() {
            write!(formatter, " (process {})", processes.join(", "))?;
        }
        Ok(())
    }
}

/// How long to wait for what holds a stack.
pub struct Patience {
    /// After this it is interrupted,
    pub wait: Duration,
    /// and after this as well, killed.
    pub grace: Duration,
}

impl Hold {
    /// Takes the stack whose lock is `path`, or tells who has it.
    pub fn try_take(path: &Path, run: &RunId) -> io::Result<Result<Self, Holder>> {
        if let Some(parent) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)?;
        }
        loop {
            let mut named = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path)?;
            let mut file = File::open(path)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                let processes = holding(path);
                // Something that a child has started holds it, and no child any more.
                if processes.as_ref().is_some_and(Vec::is_empty) {
                    fs::remove_file(path)?;
                    continue;
                }
                return Ok(Err(Holder {
                    run: fs::read_to_string(path)?,
                    processes: processes.unwrap_or_default(),
                }));
            }
            if fs::metadata(path).is_ok_and(|found| is_same(&found, &file)) {
                let before = fs::read_to_string(path)?;
                named.set_len(0)?;
                named.write_all(run.as_str().as_bytes())?;
                file.seek(SeekFrom::End(0))?;
                return Ok(Ok(Self { file, before }));
            }
        }
    }

    /// Takes the stack; waits for who has it, and ends them where they take too long. `None` where
    /// dayfly is told to stop before. `waits` hears once for whom.
    pub async fn take(
        path: &Path,
        run: &RunId,
        patience: Patience,
        stop: &StopSignal,
        waits: impl FnOnce(&Holder),
    ) -> io::Result<Option<Self>> {
        let began = Instant::now();
        let mut waits = Some(waits);
        let mut is_interrupted = false;
        loop {
            let holder = match Self::try_take(path, run)? {
                Ok(hold) => return Ok(Some(hold)),
                Err(holder) => holder,
            };
            if let Some(waits) = waits.take() {
                waits(&holder);
            }
            if *stop.borrow() {
                return Ok(None);
            }
            if began.elapsed() > patience.wait + patience.grace {
                holder.signal(Signal::KILL);
            } else if began.elapsed() > patience.wait && !is_interrupted {
                holder.signal(Signal::INT);
                is_interrupted = true;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// The run that the stack was held for before; `None` where nobody held it, or it is not known.
    pub fn before(&self) -> Option<RunId> {
        (!self.before.is_empty()).then(|| RunId::new(&*self.before))
    }

    /// The standard input of a child, by which it holds the stack too.
    pub(super) fn input(&self) -> io::Result<Stdio> {
        Ok(self.file.try_clone()?.into())
    }
}

impl Holder {
    /// Each child leads a group of its own. One that is gone needs no signal.
    fn signal(&self, signal: Signal) {
        for process in self.processes.iter().filter_map(|id| Pid::from_raw(*id)) {
            if let Ok(group) = getpgid(Some(process)) {
                let _gone = kill_process_group(group, signal);
            }
        }
    }
}

fn is_same(found: &fs::Metadata, file: &File) -> bool {
    file.metadata()
        .is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
}

/// The processes whose standard input is this file; `None` where the system does not tell.
fn holding(path: &Path) -> Option<Vec<i32>> {
    let processes = fs::read_dir(PROCESSES).ok()?;
    let names = processes.filter_map(|process| process.ok()?.file_name().into_string().ok());
    let ids = names.filter_map(|name| name.parse().ok());
    let has_it = |id: &i32| {
        let input = Path::new(PROCESSES).join(id.to_string()).join("fd/0");
        fs::read_link(input).is_ok_and(|input| input == path)
    };
    Some(ids.filter(has_it).collect())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::Hold;
    use crate::run::RunId;

    #[expect(clippy::disallowed_methods, reason = "this room starts processes")]
    #[test]
    fn child_holds_the_stack_after_its_parent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join("lock");
        let hold = Hold::try_take(&path, &RunId::new("7")).unwrap().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "read line; [ -z \"$line\" ] && exec sleep 60"])
            .stdin(hold.input().unwrap())
            .spawn()
            .unwrap();
        drop(hold);
        let holder = Hold::try_take(&path, &RunId::new("8"))
            .unwrap()
            .err()
            .unwrap();
        assert_eq!(holder.run, "7");
        assert!(holder.to_string().contains(&child.id().to_string()));
        child.kill().unwrap();
        child.wait().unwrap();
        let hold = Hold::try_take(&path, &RunId::new("8")).unwrap().unwrap();
        assert_eq!(hold.before(), Some(RunId::new("7")));
    }
}
