//! The steps of a run, in their order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;

use serde_json::Value;

use crate::run::{RunEvent, RunState, RunType, transition};
use crate::stack::SensitiveOutputs;

use super::environment;
use super::error::RunnerError;
use super::hold::Hold;
use super::init_lock;
use super::kept_init::Reads;
use super::log::RunLog;
use super::outcome::{Counts, Outcome, Reason};
use super::plan::{RunPlan, StateOwner};
use super::process::{Limits, Stops};
use super::provider_cache;
use super::readings;
use super::redact::Secrets;
use super::step::{Halt, Steps, failed};
use super::tool::ToolPath;
use super::workspace;

/// Why a journal could not write.
pub type JournalFailure = Box<dyn std::error::Error + Send + Sync>;

/// Hears of a run while it is executed, and judges its plan.
pub trait Journal {
    /// Records durably that `event` brought the run to `state`. Called before anything of that state is done; an error ends
    /// the run before it. Not called for the state in which the run ends: that is the outcome's.
    fn enter(&mut self, event: RunEvent, state: RunState) -> Result<(), JournalFailure>;

    /// What the policies say to the plan, in the shape of `show -json`, of which nobody is to see
    /// `secrets`. The plan file that this was read from is the one that is applied.
    fn judge(&mut self, plan_json: &Value, secrets: &Secrets) -> Verdict;
}

/// What policies say to a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// A person has to look at it.
    Warn(Vec<String>),
    Deny(Vec<String>),
}

/// Executes a run, up to its end or to where it waits for a person.
///
/// A tool, hook or policy that ends the run is an outcome that FAILED; an error means that the
/// run could not be executed further: its state is that of the last [`Journal::enter`], and the
/// caller ends it. Cancelled by dropping, it interrupts the tool without waiting for it.
pub async fn execute(
    tool: &ToolPath,
    plan: &RunPlan,
    hold: &Hold,
    journal: &mut dyn Journal,
    stops: Stops,
) -> Result<Outcome, RunnerError> {
    let secrets = Secrets::new(&plan.secrets);
    let log = RunLog::open(&plan.log, secrets)
        .map_err(|error| workspace::disk(plan, "open the log", &plan.log, error))?;
    let mut execution = Execution {
        plan,
        journal,
        steps: Steps {
            tool,
            plan,
            hold,
            log,
            limits: Limits::new(plan, stops),
            directory: workspace::prepare(plan)?,
            environment: environment::of_children(plan, plan.from),
            in_flight: Vec::new(),
        },
        state: plan.from,
        outcome: Outcome {
            state: plan.from,
            event: RunEvent::Fail,
            reason: None,
            warnings: Vec::new(),
            counts: None,
            outputs: BTreeMap::new(),
            sensitive_outputs: SensitiveOutputs::default(),
            left: Vec::new(),
            in_flight: Vec::new(),
        },
        reads: None,
    };
    let ended = execution.until_its_end().await;
    if execution.state != RunState::Unconfirmed {
        // It holds secrets. One that was never written is no failure.
        let _absent = fs::remove_file(&plan.plan_file);
    }
    ended?;
    if let Some(reads) = execution.reads
        && execution.outcome.state != RunState::Failed
        && plan.kind == RunType::Tracked
    {
        reads.keep(plan, &execution.steps.directory);
    }
    execution.outcome.in_flight = execution.steps.in_flight;
    Ok(execution.outcome)
}

struct Execution<'a> {
    plan: &'a RunPlan,
    journal: &'a mut dyn Journal,
    steps: Steps<'a>,
    state: RunState,
    outcome: Outcome,
    /// What the `init` has read, once it has.
    reads: Option<Reads>,
}

impl Execution<'_> {
    async fn until_its_end(&mut self) -> Result<(), RunnerError> {
        let steps = match (self.plan.kind, self.plan.from) {
            (RunType::Destroy, _) => self.destroy().await,
            (_, RunState::Confirmed) => self.apply_confirmed().await,
            _ => self.plan_and_apply().await,
        };
        let (event, is_stop) = match steps {
            Ok(event) => (event, false),
            Err(Halt::Error(error)) => return Err(error),
            Err(Halt::Failed(reason)) => {
                let ended = (reason.event(), reason.is_stop());
                self.outcome.reason = Some(reason);
                ended
            }
        };
        self.move_by(event)?;
        self.outcome.state = self.state;
        self.outcome.event = event;
        if !is_stop && self.state.is_terminal() {
            self.after_run().await?;
        }
        Ok(())
    }

    async fn plan_and_apply(&mut self) -> Result<RunEvent, Halt> {
        let hooks = &self.plan.hooks;
        self.enter(match self.state {
            RunState::ReplanRequested => RunEvent::PrepareReplan,
            _ => RunEvent::Initialize,
        })?;
        self.init().await?;
        self.enter(RunEvent::Plan)?;
        self.steps.hooks("before_plan", &hooks.before_plan).await?;
        let has_changes = self.write_plan().await?;
        let plan_json = self.read_plan().await?;
        self.steps.hooks("after_plan", &hooks.after_plan).await?;
        self.outcome.counts = Some(readings::counts(&plan_json));
        match self.journal.judge(&plan_json, self.steps.log.secrets()) {
            Verdict::Pass => {}
            Verdict::Warn(messages) => self.outcome.warnings = self.steps.clean(&messages),
            Verdict::Deny(messages) => {
                return Err(Halt::Failed(Reason::Denied {
                    messages: self.steps.clean(&messages),
                }));
            }
        }
        let has_warnings = !self.outcome.warnings.is_empty();
        if self.plan.kind == RunType::Proposed {
            return Ok(if has_warnings && self.plan.is_reviewed {
                RunEvent::Await
            } else {
                RunEvent::Finish
            });
        }
        if has_changes {
            if !self.plan.autodeploy || has_warnings {
                return Ok(RunEvent::Await);
            }
            self.change(RunEvent::Apply)?;
            self.apply().await?;
        }
        self.read_outputs().await?;
        Ok(RunEvent::Finish)
    }

    /// Applies the plan that a person has seen.
    async fn apply_confirmed(&mut self) -> Result<RunEvent, Halt> {
        self.enter(RunEvent::PrepareApply)?;
        self.init().await?;
        self.change(RunEvent::Apply)?;
        self.apply().await?;
        self.read_outputs().await?;
        Ok(RunEvent::Finish)
    }

    async fn destroy(&mut self) -> Result<RunEvent, Halt> {
        let hooks = &self.plan.hooks;
        self.enter(RunEvent::Initialize)?;
        self.init().await?;
        self.change(RunEvent::Destroy)?;
        self.steps
            .hooks("before_destroy", &hooks.before_destroy)
            .await?;
        let arguments = [
            "destroy",
            "-auto-approve",
            "-input=false",
            "-no-color",
            "-lock-timeout=60s",
        ];
        let done = match self
            .steps
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
        self.steps
            .hooks("after_destroy", &hooks.after_destroy)
            .await?;
        Ok(RunEvent::Finish)
    }

    async fn init(&mut self) -> Result<(), Halt> {
        let hooks = &self.plan.hooks;
        self.steps.hooks("before_init", &hooks.before_init).await?;
        let steps = &mut self.steps;
        self.reads = Reads::of(self.plan, steps.tool, &steps.directory, &steps.environment);
        if let Some(reads) = &self.reads
            && reads.restore(self.plan, &steps.directory)
        {
            let skipped = "skipped: nothing that it reads has changed since the last one";
            steps.log.begin("init", skipped);
        } else if !self.take_shared_init() {
            self.run_init().await?;
        }
        workspace::prove_state_is_kept(self.plan, &self.steps.directory)?;
        self.steps.hooks("after_init", &hooks.after_init).await
    }

    /// Whether the run has what another stack's `init` made.
    fn take_shared_init(&mut self) -> bool {
        let steps = &mut self.steps;
        let reads = self.reads.as_ref();
        let is_taken = reads.is_some_and(|it| it.take_shared(self.plan, &steps.directory));
        if is_taken {
            let skipped = "skipped: another stack's has just read and made the same";
            steps.log.begin("init", skipped);
        }
        is_taken
    }

    async fn run_init(&mut self) -> Result<(), Halt> {
        let cache = &self.plan.plugin_cache;
        let lock = tokio::select! {
            lock = init_lock::acquire(cache) => {
                lock.map_err(|error| workspace::disk(self.plan, "lock", cache, error))?
            }
            why = self.steps.limits.stopped() => return Err(self.steps.halted(why)),
        };
        // It may have been made meanwhile.
        if self.take_shared_init() {
            return Ok(());
        }
        let failed = |error| workspace::disk(self.plan, "put in order", cache, error);
        provider_cache::take_out_parts(cache).map_err(failed)?;
        let arguments = ["init", "-input=false", "-no-color", "-reconfigure"];
        self.steps
            .step("init", &arguments.map(OsString::from))
            .await?;
        provider_cache::note_whole(cache).map_err(failed)?;
        if let Some(reads) = &self.reads {
            reads.share(self.plan, &self.steps.directory);
        }
        drop(lock);
        Ok(())
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
        let done = self.steps.tool_step("plan", &arguments, false).await?;
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
        self.steps.json_step("show", &arguments).await
    }

    async fn apply(&mut self) -> Result<(), Halt> {
        let hooks = &self.plan.hooks;
        self.steps
            .hooks("before_apply", &hooks.before_apply)
            .await?;
        let arguments = ["apply", "-input=false", "-no-color", "-lock-timeout=60s"];
        let mut arguments = arguments.map(OsString::from).to_vec();
        arguments.push(self.plan.plan_file.clone().into());
        self.steps.changing_step("apply", &arguments).await?;
        self.steps.hooks("after_apply", &hooks.after_apply).await
    }

    /// A state that dayfly keeps is read as it is, where that is plain: it saves a start of the tool.
    async fn read_outputs(&mut self) -> Result<(), Halt> {
        let printed = match self.state_file() {
            Some(mut state) if state["version"] == 4 && state["outputs"].is_object() => {
                state["outputs"].take()
            }
            _ => {
                let arguments = ["output".into(), "-json".into()];
                self.steps.json_step("output", &arguments).await?
            }
        };
        let (outputs, mut sensitive) = readings::outputs(&printed);
        let secrets = self.steps.log.secrets();
        for (name, value) in outputs {
            let shown = secrets.redact_value(value.clone());
            if shown != value {
                sensitive.insert(name.clone(), value);
            }
            self.outcome.outputs.insert(name, shown);
        }
        self.outcome.sensitive_outputs = SensitiveOutputs(sensitive);
        Ok(())
    }

    /// A state that dayfly keeps and that is empty needs no tool to say so.
    async fn read_addresses(&mut self) -> Result<Vec<String>, Halt> {
        let is_empty = |state: Value| state["resources"].as_array().is_some_and(Vec::is_empty);
        if self.state_file().is_some_and(is_empty) {
            return Ok(Vec::new());
        }
        let state = self
            .steps
            .json_step("show", &["show".into(), "-json".into()])
            .await?;
        Ok(self.steps.clean(&readings::addresses(&state)))
    }

    /// The state as the tool wrote it, if dayfly keeps it.
    fn state_file(&self) -> Option<Value> {
        let StateOwner::Managed { file } = &self.plan.state else {
            return None;
        };
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }

    /// The run has ended and stays as it ended: a hook that fails now is told in the log.
    async fn after_run(&mut self) -> Result<(), RunnerError> {
        let hooks = &self.plan.hooks;
        let name = "TF_VAR_spacelift_final_run_state".to_owned();
        self.steps.environment.insert(name, self.state.to_string());
        match self.steps.hooks("after_run", &hooks.after_run).await {
            Ok(()) => Ok(()),
            Err(Halt::Error(error)) => Err(error),
            Err(Halt::Failed(reason)) => {
                self.steps
                    .log
                    .begin("after_run", &format!("ignored: {reason}"));
                Ok(())
            }
        }
    }

    /// Moves on to where real things change, unless a person has asked for the run's end before.
    fn change(&mut self, event: RunEvent) -> Result<(), Halt> {
        // A plan that was confirmed is not to be stopped any more.
        if self.steps.limits.begin_changes() && self.plan.from != RunState::Confirmed {
            return Err(Halt::Failed(Reason::Asked));
        }
        Ok(self.enter(event)?)
    }

    /// Moves on and has it recorded, before anything is done.
    fn enter(&mut self, event: RunEvent) -> Result<(), RunnerError> {
        self.move_by(event)?;
        self.journal
            .enter(event, self.state)
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
        self.steps.environment = environment::of_children(self.plan, self.state);
        Ok(())
    }
}
