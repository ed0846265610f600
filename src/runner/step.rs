//! One step of a run: the tool or a hook as a child process, in the log, within the limits.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::RunnerError;
use super::hold::Hold;
use super::log::{Heard, RunLog};
use super::outcome::Reason;
use super::plan::{RunPlan, StateOwner};
use super::process::{self, Command, Limits, Stopped};
use super::reason;
use super::tool::ToolPath;
use super::workspace;

/// Why the steps do not go on.
pub(super) enum Halt {
    Failed(Reason),
    Error(RunnerError),
}

impl From<RunnerError> for Halt {
    fn from(error: RunnerError) -> Self {
        Self::Error(error)
    }
}

/// What a tool's step left behind.
pub(super) struct Done {
    pub(super) code: i32,
    pub(super) heard: Heard,
    captured: Vec<u8>,
}

/// What all steps of a run share.
pub(super) struct Steps<'a> {
    pub(super) tool: &'a ToolPath,
    pub(super) plan: &'a RunPlan,
    pub(super) hold: &'a Hold,
    pub(super) log: RunLog,
    pub(super) limits: Limits,
    pub(super) directory: PathBuf,
    pub(super) environment: BTreeMap<String, String>,
    /// What a step was at when it was killed.
    pub(super) in_flight: Vec<String>,
}

impl Steps<'_> {
    /// A step that changes real things and their state.
    pub(super) async fn changing_step(
        &mut self,
        step: &'static str,
        arguments: &[OsString],
    ) -> Result<Done, Halt> {
        let done = self.step(step, arguments).await;
        match workspace::errored_state(&self.directory) {
            Some(file) => Err(Halt::Failed(Reason::StateNotStored {
                file: self.rescue(file),
            })),
            None => done,
        }
    }

    /// Takes a state that could not be stored out of the disposable workspace, if it can.
    fn rescue(&self, found: PathBuf) -> PathBuf {
        let beside = match &self.plan.state {
            StateOwner::Managed { file } => file,
            StateOwner::Own => &self.plan.log,
        };
        let mut kept = beside.clone().into_os_string();
        kept.push(format!(".errored-{}", self.plan.run));
        // Moved, where that is possible: a full disk has no room for another one.
        let moved = fs::rename(&found, &kept).or_else(|_| fs::copy(&found, &kept).map(drop));
        match moved {
            Ok(()) => kept.into(),
            Err(_) => found,
        }
    }

    /// Runs the tool for the JSON that it prints, which may hold secrets and is not logged.
    pub(super) async fn json_step(
        &mut self,
        step: &'static str,
        arguments: &[OsString],
    ) -> Result<Value, Halt> {
        let done = self.tool_step(step, arguments, true).await?;
        if done.code != 0 {
            return Err(failed(step, done.code, &done.heard));
        }
        serde_json::from_slice(&done.captured).map_err(|error| {
            let stack = self.plan.stack.clone();
            Halt::Error(RunnerError::Unreadable {
                stack,
                step,
                reason: error.to_string(),
            })
        })
    }

    /// Runs the tool; any exit code but 0 fails the run.
    pub(super) async fn step(
        &mut self,
        step: &'static str,
        arguments: &[OsString],
    ) -> Result<Done, Halt> {
        let done = self.tool_step(step, arguments, false).await?;
        if done.code == 0 {
            Ok(done)
        } else {
            Err(failed(step, done.code, &done.heard))
        }
    }

    /// Runs the tool; its exit code is the caller's to judge.
    pub(super) async fn tool_step(
        &mut self,
        step: &'static str,
        arguments: &[OsString],
        captures: bool,
    ) -> Result<Done, Halt> {
        let words = arguments.iter().map(OsString::as_os_str);
        let shown: Vec<_> = std::iter::once(OsStr::new(self.tool.tool.program()))
            .chain(words)
            .map(OsStr::to_string_lossy)
            .collect();
        self.log.begin(step, &shown.join(" "));
        let tool = self.tool;
        self.spawn(&tool.path, arguments, captures).await
    }

    /// Runs each command in a shell of its own; the first that fails ends it.
    pub(super) async fn hooks(
        &mut self,
        hook: &'static str,
        commands: &[String],
    ) -> Result<(), Halt> {
        for command in commands {
            self.log.begin(hook, command);
            let arguments = [OsString::from("-c"), command.into()];
            let done = self.spawn(Path::new("/bin/sh"), &arguments, false).await?;
            if done.code != 0 {
                return Err(failed(hook, done.code, &done.heard));
            }
        }
        Ok(())
    }

    async fn spawn(
        &mut self,
        program: &Path,
        arguments: &[OsString],
        captures: bool,
    ) -> Result<Done, Halt> {
        let command = Command {
            program,
            arguments,
            directory: &self.directory,
            environment: &self.environment,
            captures,
            hold: self.hold,
        };
        let ended = process::run(command, &self.limits, &mut self.log).await;
        let heard = self.log.end();
        let ended = ended.map_err(|source| RunnerError::Process {
            stack: self.plan.stack.clone(),
            program: program.to_owned(),
            source,
        })?;
        if let Ok(heard) = &heard
            && ended.status.code().is_none()
        {
            self.in_flight
                .extend(heard.in_flight.told(self.plan.state.file()));
        }
        if let Some(why) = ended.stopped {
            return Err(self.halted(why));
        }
        let heard = heard
            .map_err(|error| workspace::disk(self.plan, "write the log", self.log.path(), error))?;
        // A child that a signal ended has no code.
        Ok(Done {
            code: ended.status.code().unwrap_or(-1),
            heard,
            captured: ended.captured,
        })
    }

    pub(super) fn halted(&self, why: Stopped) -> Halt {
        Halt::Failed(match why {
            Stopped::TimeLimit => Reason::TimeLimit {
                limit: self.plan.time_limit,
            },
            Stopped::Silence => Reason::Silence {
                limit: self.plan.silence_limit,
            },
            Stopped::Interrupted => Reason::Interrupted,
            Stopped::Asked => Reason::Asked,
        })
    }

    /// Each message as one line without secrets.
    pub(super) fn clean(&self, messages: &[String]) -> Vec<String> {
        let clean = |message: &String| reason::one_line(&self.log.secrets().redact(message));
        messages.iter().map(clean).collect()
    }
}

/// The tool's own first error; of a program that tells none, its last line.
pub(super) fn failed(step: &'static str, code: i32, heard: &Heard) -> Halt {
    let message = reason::first_error(&heard.error).unwrap_or_else(|| {
        let ended = if code < 0 {
            "was killed".to_owned()
        } else {
            format!("exit code {code}")
        };
        match heard.last.back() {
            Some(line) => format!("{ended}: {}", reason::one_line(line)),
            None => ended,
        }
    });
    Halt::Failed(Reason::Step { step, message })
}
