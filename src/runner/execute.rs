//! The steps of a run, in their order.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{RunEvent, RunState, RunType, transition};

use super::environment;
use super::error::RunnerError;
use super::init_lock;
use super::log::{Heard, RunLog};
use super::outcome::{Counts, Outcome, Reason};
use super::plan::{RunPlan, StateOwner};
use super::process::{self, Command, Limits, StopSignal, Stopped};
use super::readings;
use super::reason;
use super::redact::Secrets;
use super::tool::ToolPath;
use super::workspace;

/// Why a journal could not write.
pub type JournalFailure = Box<dyn std::error::Error + Send + Sync>;

/// Hears of a run while it is executed, and judges its plan.
pub trait Journal {
    /// Records the state durably. Called before anything of that state is done; an error ends
    /// the run before it. Not called for the state in which the run ends: that is the outcome's.
    fn enter(&mut self, state: RunState) -> Result<(), JournalFailure>;

    /// What the policies say to the plan, in the shape of `show -json`. The plan file that this
    /// was read from is the one that is applied.
    fn judge(&mut self, plan_json: &Value) -> Verdict;
}

/// What policies say to a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// A person has to look at it.
    Warn(Vec<String>),
    Deny(Vec<String>),
}

/// Executes a run of which the caller has recorded PREPARING, up to its end or to UNCONFIRMED.
///
/// A tool, hook or policy that ends the run is an outcome that FAILED; an error means that the
/// run could not be executed further: its state is that of the last [`Journal::enter`], and the
/// caller ends it. Cancelled by dropping, it interrupts the tool without waiting for it.
pub async fn execute(
    tool: &ToolPath,
    plan: &RunPlan,
    journal: &mut dyn Journal,
    stop: StopSignal,
) -> Result<Outcome, RunnerError> {
    let secrets = Secrets::new(&plan.secrets);
    let log = RunLog::open(&plan.log, secrets)
        .map_err(|error| workspace::disk(plan, "open the log", &plan.log, error))?;
    let mut execution = Execution {
        tool,
        plan,
        journal,
        log,
        limits: Limits::new(plan.time_limit, plan.grace, stop),
        directory: workspace::prepare(plan)?,
        environment: environment::of_children(plan),
        state: RunState::Preparing,
        outcome: Outcome {
            state: RunState::Preparing,
            reason: None,
            warnings: Vec::new(),
            counts: None,
            outputs: BTreeMap::new(),
            left: Vec::new(),
        },
    };
    let ended = execution.until_its_end().await;
    if execution.state != RunState::Unconfirmed {
        // It holds secrets. One that was never written is no failure.
        let _absent = fs::remove_file(&plan.plan_file);
    }
    ended?;
    Ok(execution.outcome)
}

/// Why the steps do not go on.
enum Halt {
    Failed(Reason),
    Error(RunnerError),
}

impl From<RunnerError> for Halt {
    fn from(error: RunnerError) -> Self {
        Self::Error(error)
    }
}

/// What a tool's step left behind.
struct Done {
    code: i32,
    heard: Heard,
    captured: Vec<u8>,
}

struct Execution<'a> {
    tool: &'a ToolPath,
    plan: &'a RunPlan,
    journal: &'a mut dyn Journal,
    log: RunLog,
    limits: Limits,
    directory: PathBuf,
    environment: BTreeMap<String, String>,
    state: RunState,
    outcome: Outcome,
}

impl Execution<'_> {
    async fn until_its_end(&mut self) -> Result<(), RunnerError> {
        let steps = match self.plan.kind {
            RunType::Destroy => self.destroy().await,
            RunType::Proposed | RunType::Tracked => self.plan_and_apply().await,
        };
        let event = match steps {
            Ok(event) => event,
            Err(Halt::Error(error)) => return Err(error),
            Err(Halt::Failed(reason)) => {
                let stopped = matches!(reason, Reason::TimeLimit { .. } | Reason::Interrupted);
                self.outcome.reason = Some(reason);
                if stopped {
                    RunEvent::Interrupt
                } else {
                    RunEvent::Fail
                }
            }
        };
        self.move_by(event)?;
        self.outcome.state = self.state;
        if event != RunEvent::Interrupt && self.state.is_terminal() {
            self.after_run().await?;
        }
        Ok(())
    }

    async fn plan_and_apply(&mut self) -> Result<RunEvent, Halt> {
        let hooks = &self.plan.hooks;
        self.init().await?;
        self.enter(RunEvent::Plan)?;
        self.hooks("before_plan", &hooks.before_plan).await?;
        let has_changes = self.write_plan().await?;
        let plan_json = self.read_plan().await?;
        self.hooks("after_plan", &hooks.after_plan).await?;
        self.outcome.counts = Some(readings::counts(&plan_json));
        match self.journal.judge(&plan_json) {
            Verdict::Pass => {}
            Verdict::Warn(messages) => self.outcome.warnings = self.clean(&messages),
            Verdict::Deny(messages) => {
                return Err(Halt::Failed(Reason::Denied {
                    messages: self.clean(&messages),
                }));
            }
        }
        if self.plan.kind == RunType::Proposed {
            return Ok(RunEvent::Finish);
        }
        if has_changes {
            if !self.plan.autodeploy || !self.outcome.warnings.is_empty() {
                return Ok(RunEvent::Await);
            }
            self.enter(RunEvent::Apply)?;
            self.hooks("before_apply", &hooks.before_apply).await?;
            self.apply().await?;
            self.hooks("after_apply", &hooks.after_apply).await?;
        }
        self.read_outputs().await?;
        Ok(RunEvent::Finish)
    }

    async fn destroy(&mut self) -> Result<RunEvent, Halt> {
        let hooks = &self.plan.hooks;
        self.init().await?;
        self.enter(RunEvent::Destroy)?;
        self.hooks("before_destroy", &hooks.before_destroy).await?;
        let arguments = [
            "destroy",
            "-auto-approve",
            "-input=false",
            "-no-color",
            "-lock-timeout=60s",
        ];
        let done = match self
            .changing_step("destroy", &arguments.map(OsString::from))
            .await
        {
            Ok(done) => done,
            Err(Halt::Failed(reason)) => {
                // Tell what is left, if the tool can still say it; the first failure counts.
                if !reason.is_stop() {
                    self.outcome.left = self.read_addresses().await.unwrap_or_default();
                }
                return Err(Halt::Failed(reason));
            }
            Err(error) => return Err(error),
        };
        let destroyed = done
            .heard
            .last
            .iter()
            .rev()
            .find_map(|line| readings::destroyed(line));
        self.outcome.counts = destroyed.map(|destroy| Counts {
            destroy,
            ..Counts::default()
        });
        let left = self.read_addresses().await?;
        if !left.is_empty() {
            self.outcome.left.clone_from(&left);
            return Err(Halt::Failed(Reason::Left { addresses: left }));
        }
        self.hooks("after_destroy", &hooks.after_destroy).await?;
        Ok(RunEvent::Finish)
    }

    async fn init(&mut self) -> Result<(), Halt> {
        let hooks = &self.plan.hooks;
        self.enter(RunEvent::Initialize)?;
        self.hooks("before_init", &hooks.before_init).await?;
        let cache = &self.plan.plugin_cache;
        let lock = tokio::select! {
            lock = init_lock::acquire(cache) => {
                lock.map_err(|error| workspace::disk(self.plan, "lock", cache, error))?
            }
            why = self.limits.stopped() => return Err(self.halted(why)),
        };
        let arguments = ["init", "-input=false", "-no-color", "-reconfigure"];
        self.step("init", &arguments.map(OsString::from)).await?;
        drop(lock);
        workspace::prove_state_is_kept(self.plan, &self.directory)?;
        self.hooks("after_init", &hooks.after_init).await
    }

    /// Whether the plan changes anything, outputs included.
    async fn write_plan(&mut self) -> Result<bool, Halt> {
        let arguments = [
            "plan",
            "-input=false",
            "-no-color",
            "-detailed-exitcode",
            "-lock-timeout=60s",
        ];
        let mut arguments = arguments.map(OsString::from).to_vec();
        let mut out = OsString::from("-out=");
        out.push(&self.plan.plan_file);
        arguments.push(out);
        let done = self.tool_step("plan", &arguments, false).await?;
        match done.code {
            0 => Ok(false),
            2 => Ok(true),
            code => Err(failed("plan", code, &done.heard)),
        }
    }

    async fn read_plan(&mut self) -> Result<Value, Halt> {
        let arguments = [
            "show".into(),
            "-json".into(),
            self.plan.plan_file.clone().into(),
        ];
        self.json_step("show", &arguments).await
    }

    async fn apply(&mut self) -> Result<(), Halt> {
        let arguments = ["apply", "-input=false", "-no-color", "-lock-timeout=60s"];
        let mut arguments = arguments.map(OsString::from).to_vec();
        arguments.push(self.plan.plan_file.clone().into());
        self.changing_step("apply", &arguments).await.map(drop)
    }

    async fn read_outputs(&mut self) -> Result<(), Halt> {
        let printed = self
            .json_step("output", &["output".into(), "-json".into()])
            .await?;
        let outputs = readings::outputs(&printed).into_iter();
        let secrets = self.log.secrets();
        self.outcome.outputs = outputs
            .map(|(name, value)| (name, secrets.redact_value(value)))
            .collect();
        Ok(())
    }

    async fn read_addresses(&mut self) -> Result<Vec<String>, Halt> {
        let state = self
            .json_step("show", &["show".into(), "-json".into()])
            .await?;
        Ok(self.clean(&readings::addresses(&state)))
    }

    /// A step that changes real things and their state.
    async fn changing_step(
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
        let StateOwner::Managed { file } = &self.plan.state else {
            return found;
        };
        let mut kept = file.clone().into_os_string();
        kept.push(format!(".errored-{}", self.plan.run));
        match fs::copy(&found, &kept) {
            Ok(_) => kept.into(),
            Err(_) => found,
        }
    }

    async fn json_step(
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

    async fn step(&mut self, step: &'static str, arguments: &[OsString]) -> Result<Done, Halt> {
        let done = self.tool_step(step, arguments, false).await?;
        if done.code == 0 {
            Ok(done)
        } else {
            Err(failed(step, done.code, &done.heard))
        }
    }

    async fn tool_step(
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

    async fn hooks(&mut self, hook: &'static str, commands: &[String]) -> Result<(), Halt> {
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

    /// The run has ended and stays as it ended: a hook that fails now is told in the log.
    async fn after_run(&mut self) -> Result<(), RunnerError> {
        let hooks = &self.plan.hooks;
        let name = "TF_VAR_spacelift_final_run_state".to_owned();
        self.environment.insert(name, self.state.to_string());
        match self.hooks("after_run", &hooks.after_run).await {
            Ok(()) => Ok(()),
            Err(Halt::Error(error)) => Err(error),
            Err(Halt::Failed(reason)) => {
                self.log.begin("after_run", &format!("ignored: {reason}"));
                Ok(())
            }
        }
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
        };
        let ended = process::run(command, &self.limits, &mut self.log).await;
        let heard = self.log.end();
        let ended = ended.map_err(|source| RunnerError::Process {
            stack: self.plan.stack.clone(),
            program: program.to_owned(),
            source,
        })?;
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

    fn halted(&self, why: Stopped) -> Halt {
        Halt::Failed(match why {
            Stopped::TimeLimit => Reason::TimeLimit {
                limit: self.plan.time_limit,
            },
            Stopped::Interrupted => Reason::Interrupted,
        })
    }

    /// Moves on and has it recorded, before anything is done.
    fn enter(&mut self, event: RunEvent) -> Result<(), RunnerError> {
        self.move_by(event)?;
        self.journal
            .enter(self.state)
            .map_err(|source| RunnerError::Journal {
                run: self.plan.run.clone(),
                state: self.state,
                source,
            })
    }

    fn move_by(&mut self, event: RunEvent) -> Result<(), RunnerError> {
        self.state =
            transition(self.plan.kind, self.state, event).map_err(|refused| RunnerError::Move {
                run: self.plan.run.clone(),
                refused,
            })?;
        Ok(())
    }

    fn clean(&self, messages: &[String]) -> Vec<String> {
        let clean = |message: &String| reason::one_line(&self.log.secrets().redact(message));
        messages.iter().map(clean).collect()
    }
}

/// The tool's own first error; of a program that tells none, its last line.
fn failed(step: &'static str, code: i32, heard: &Heard) -> Halt {
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
