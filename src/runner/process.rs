//! One child process in a group of its own, with limits.
//!
//! Whoever stops a run interrupts the whole group first, so that the tool can store its state,
//! and kills what is left of it after the grace.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, Sleep, sleep};

use super::hold::Hold;
use super::log::{RunLog, said};
use super::plan::RunPlan;
use super::talk::Talk;

/// Becomes `true` when dayfly is told to stop. One that is never sent does nothing.
pub type StopSignal = watch::Receiver<bool>;

/// How often to look what a child has printed.
const LOOK: Duration = Duration::from_millis(25);
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
    /// The stack that it works on.
    pub(super) hold: &'a Hold,
}

/// What ends a run from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    TimeLimit,
    Silence,
    Interrupted,
    /// A person wants this very run to end.
    Asked,
}

pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Set if the child was stopped; its status then says nothing.
    pub(super) stopped: Option<Stopped>,
    pub(super) captured: Vec<u8>,
}

/// Who may end a run from outside.
#[derive(Clone)]
pub struct Stops {
    /// All runs end: dayfly is told to stop.
    pub all: StopSignal,
    /// This one ends, unless it changes real things already.
    pub this: StopSignal,
}

/// The limits of the whole run.
pub(super) struct Limits {
    started: Instant,
    time_limit: Duration,
    silence_limit: Duration,
    grace: Duration,
    stops: Stops,
    /// Whether the run changes real things: no person ends it any more.
    changes: bool,
}

impl Limits {
    pub(super) fn new(plan: &RunPlan, stops: Stops) -> Self {
        Self {
            started: Instant::now(),
            time_limit: plan.time_limit,
            silence_limit: plan.silence_limit,
            grace: plan.grace,
            stops,
            changes: false,
        }
    }

    /// From here on the run changes real things; gives whether a person had asked for its end.
    pub(super) fn begin_changes(&mut self) -> bool {
        self.changes = true;
        *self.stops.this.borrow()
    }

    /// Resolves when the run has to end.
    pub(super) async fn stopped(&self) -> Stopped {
        tokio::select! {
            biased;
            () = told(self.stops.all.clone()) => Stopped::Interrupted,
            () = told(self.stops.this.clone()), if !self.changes => Stopped::Asked,
            () = sleep(self.time_limit.saturating_sub(self.started.elapsed())) => {
                Stopped::TimeLimit
            }
        }
    }
}

async fn told(mut signal: StopSignal) {
    if signal.wait_for(|is_told| *is_told).await.is_err() {
        std::future::pending::<()>().await;
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
    let mut talk = Talk::new(&said(log.path()))?;
    let mut process = tokio::process::Command::new(command.program);
    process
        .args(command.arguments)
        .current_dir(command.directory)
        .env_clear()
        .envs(command.environment)
        .stdin(command.hold.input()?)
        .stdout(if command.captures {
            Stdio::piped()
        } else {
            talk.writer()?
        })
        .stderr(talk.writer()?)
        .process_group(0);
    let mut child = process.spawn()?;
    let mut group = Group::of(&child);
    let mut data = child.stdout.take();

    let mut data_chunk = vec![0; CHUNK_BYTES];
    let mut captured = Vec::new();
    let mut stopped = None;
    let mut killed = false;
    let mut status = None;
    let told = limits.stopped();
    let kill = sleep(Duration::ZERO);
    let drain = sleep(DRAIN);
    let silence = sleep(limits.silence_limit);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(told, kill, drain, silence);
    let heard = |mut silence: Pin<&mut Sleep>| {
        silence
            .as_mut()
            .reset(tokio::time::Instant::now() + limits.silence_limit);
    };

    let status = loop {
        if let Some(status) = status
            && data.is_none()
        {
            break status;
        }
        tokio::select! {
            biased;
            why = async {
                tokio::select! {
                    why = &mut told => why,
                    () = &mut silence => Stopped::Silence,
                }
            }, if stopped.is_none() && status.is_none() => {
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
            _ = look.tick(), if status.is_none() => talk.more(|chunk| {
                heard(silence.as_mut());
                log.write(chunk);
            })?,
            count = read(&mut data, &mut data_chunk), if data.is_some() => match count? {
                0 => data = None,
                count => {
                    heard(silence.as_mut());
                    captured.extend_from_slice(&data_chunk[..count]);
                }
            },
            () = &mut drain, if status.is_some() => {
                data = None;
            }
        }
    };
    group.end();
    talk.more(|chunk| log.write(chunk))?;
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
