//! One child process in a group of its own, with limits.
//!
//! Whoever stops a run interrupts the whole group first, so that the tool can store its state,
//! and kills what is left of it after the grace.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout};
use tokio::sync::watch;
use tokio::time::sleep;

use super::log::RunLog;

/// Becomes `true` when dayfly is told to stop. One that is never sent does nothing.
pub type StopSignal = watch::Receiver<bool>;

/// How long to read on from a pipe that a process in the background keeps open.
const DRAIN: Duration = Duration::from_millis(500);
const CHUNK_BYTES: usize = 16 * 1024;

/// What to start, and where.
pub(super) struct Command<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: &'a [OsString],
    pub(super) directory: &'a Path,
    /// The whole environment of the child.
    pub(super) environment: &'a BTreeMap<String, String>,
    /// Whether what it prints is wanted as data, and so kept out of the log.
    pub(super) captures: bool,
}

/// What ends a run from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    TimeLimit,
    Interrupted,
}

pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Set if the child was stopped; its status then says nothing.
    pub(super) stopped: Option<Stopped>,
    pub(super) captured: Vec<u8>,
}

/// The limits of the whole run.
pub(super) struct Limits {
    started: Instant,
    time_limit: Duration,
    grace: Duration,
    stop: StopSignal,
}

impl Limits {
    pub(super) fn new(time_limit: Duration, grace: Duration, stop: StopSignal) -> Self {
        Self {
            started: Instant::now(),
            time_limit,
            grace,
            stop,
        }
    }

    /// Resolves when the run has to end.
    pub(super) async fn stopped(&self) -> Stopped {
        let mut stop = self.stop.clone();
        let told = async {
            if stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = told => Stopped::Interrupted,
            () = sleep(self.time_limit.saturating_sub(self.started.elapsed())) => {
                Stopped::TimeLimit
            }
        }
    }
}

/// Runs the command to its end and writes what it prints to the log, as it comes.
///
/// A child that outlives its parent in the background is left alone, unless the run was stopped.
#[expect(clippy::disallowed_methods, reason = "this room starts processes")]
pub(super) async fn run(
    command: Command<'_>,
    limits: &Limits,
    log: &mut RunLog,
) -> io::Result<Ended> {
    // One pipe for both streams keeps their order.
    let (reader, writer) = io::pipe()?;
    let mut talk = ChildStdout::from_std(OwnedFd::from(reader).into())?;
    let mut process = tokio::process::Command::new(command.program);
    process
        .args(command.arguments)
        .current_dir(command.directory)
        .env_clear()
        .envs(command.environment)
        .stdin(Stdio::null())
        .stdout(if command.captures {
            Stdio::piped()
        } else {
            writer.try_clone()?.into()
        })
        .stderr(writer)
        .process_group(0);
    let mut child = process.spawn()?;
    // It holds the writing end, without which the pipe never ends.
    drop(process);
    let mut group = Group::of(&child);
    let mut data = child.stdout.take();

    let mut talk_chunk = vec![0; CHUNK_BYTES];
    let mut data_chunk = vec![0; CHUNK_BYTES];
    let mut captured = Vec::new();
    let mut talks = true;
    let mut stopped = None;
    let mut killed = false;
    let mut status = None;
    let told = limits.stopped();
    let kill = sleep(Duration::ZERO);
    let drain = sleep(DRAIN);
    tokio::pin!(told, kill, drain);

    let status = loop {
        if let Some(status) = status
            && !talks
            && data.is_none()
        {
            break status;
        }
        tokio::select! {
            biased;
            why = &mut told, if stopped.is_none() && status.is_none() => {
                stopped = Some(why);
                group.signal(Signal::INT);
                kill.as_mut().reset(tokio::time::Instant::now() + limits.grace);
            }
            () = &mut kill, if stopped.is_some() && !killed && status.is_none() => {
                group.signal(Signal::KILL);
                killed = true;
            }
            ended = child.wait(), if status.is_none() => {
                status = Some(ended?);
                if stopped.is_some() {
                    group.signal(Signal::KILL);
                }
                drain.as_mut().reset(tokio::time::Instant::now() + DRAIN);
            }
            count = talk.read(&mut talk_chunk), if talks => match count? {
                0 => talks = false,
                count => log.write(&talk_chunk[..count]),
            },
            count = read(&mut data, &mut data_chunk), if data.is_some() => match count? {
                0 => data = None,
                count => captured.extend_from_slice(&data_chunk[..count]),
            },
            () = &mut drain, if status.is_some() => {
                talks = false;
                data = None;
            }
        }
    };
    group.end();
    Ok(Ended {
        status,
        stopped,
        captured,
    })
}

async fn read(from: &mut Option<ChildStdout>, chunk: &mut [u8]) -> io::Result<usize> {
    match from {
        Some(from) => from.read(chunk).await,
        None => std::future::pending().await,
    }
}

/// The child and its children. If the caller lets go of the run, the group is interrupted.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(
            child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(Pid::from_raw),
        )
    }

    /// A group that is gone needs no signal.
    fn signal(&self, signal: Signal) {
        if let Some(id) = self.0 {
            let _gone = kill_process_group(id, signal);
        }
    }

    fn end(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::INT);
    }
}
