//! Executes queued runs from their rows, several at once, one per stack.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::ReconcileError;
use super::inputs::{plan_input, planned_changes, policy_run};
use super::judging::{Gate, Scene, flags, keep};
use super::mirrors::{Mirrors, RepositoryKey};
use super::prepare::{Prepared, Unprepared, chain, hooks, mounted_files, secrets};
use crate::clock;
use crate::config::Settings;
use crate::policy::input::{Change, Sanitization, TerraformPlan};
use crate::policy::{PolicyType, judge_plan};
use crate::run::{RunEvent, RunState, RunType, transition};
use crate::runner::{
    self, HostEnvironment, Journal, JournalFailure, Outcome, RunPlan, StateOwner, StopSignal, Tool,
    ToolPath, Verdict,
};
use crate::store::{Run, Store, StoreError};

/// Spacelift's limit for a run.
const TIME_LIMIT: Duration = Duration::from_secs(70 * 60);
/// How long an interrupted tool may take to store its state.
const GRACE: Duration = Duration::from_secs(60);

/// How often an apply looks for runs that TRIGGER policies have queued: a stack may trigger itself.
const ROUNDS: usize = 10;

/// Who wants to see runs as they go.
pub trait Watch: Sync {
    /// The run has a new state.
    fn moved(&self, run: &Run);
}

pub(super) struct Execution<'a> {
    pub(super) directory: PathBuf,
    pub(super) mirrors: &'a Mirrors,
    pub(super) settings: &'a Settings,
    pub(super) parallelism: usize,
    pub(super) host: HostEnvironment,
    pub(super) stop: StopSignal,
    /// Repositories that did not answer, and what was said instead.
    pub(super) unreachable: BTreeMap<RepositoryKey, String>,
}

/// What all workers share.
pub(super) struct Shared<'a> {
    pub(super) store: Mutex<&'a mut Store>,
    waiting: Mutex<VecDeque<Run>>,
    ended: Mutex<Vec<Run>>,
    tools: Mutex<BTreeMap<bool, ToolPath>>,
    pub(super) scene: Scene,
    watch: &'a dyn Watch,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Execution<'_> {
    /// Executes all queued runs, and those that TRIGGER policies queue meanwhile; gives them as they
    /// ended, in the order in which they were queued. `gone` are runs that ended without being executed
    /// now: policies hear of their end as well.
    pub(super) fn run_all(
        &self,
        store: &mut Store,
        watch: &dyn Watch,
        mut gone: Vec<Run>,
    ) -> Result<Vec<Run>, ReconcileError> {
        let mut ended: BTreeMap<u64, Run> = BTreeMap::new();
        for _ in 0..ROUNDS {
            let (mut waiting, superseded) = self.queued(store)?;
            gone.extend(superseded);
            // One that waits for approval waits for the next apply.
            waiting.retain(|run| !ended.contains_key(&number(run)));
            if waiting.is_empty() && gone.is_empty() || *self.stop.borrow() {
                break;
            }
            let round = self.round(store, watch, waiting, std::mem::take(&mut gone))?;
            ended.extend(round.into_iter().map(|run| (number(&run), run)));
        }
        Ok(ended.into_values().collect())
    }

    fn round(
        &self,
        store: &mut Store,
        watch: &dyn Watch,
        waiting: Vec<Run>,
        gone: Vec<Run>,
    ) -> Result<Vec<Run>, ReconcileError> {
        let scene = Scene::of(store, self.owner())?;
        let workers = self.parallelism.clamp(1, waiting.len().max(1));
        let shared = Shared {
            store: Mutex::new(store),
            waiting: Mutex::new(waiting.into()),
            ended: Mutex::new(Vec::new()),
            tools: Mutex::new(BTreeMap::new()),
            scene,
            watch,
        };
        for run in gone {
            let told = self.notify(&shared, &run);
            if let Err(reason) = told.and_then(|()| self.ended(&shared, &run, Vec::new())) {
                lock(&shared.store).note(&run.id, &reason)?;
            }
        }
        let failures: Vec<ReconcileError> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..workers)
                .map(|_| scope.spawn(|| self.work(&shared)))
                .collect();
            workers
                .into_iter()
                .filter_map(|worker| match worker.join() {
                    Ok(ended) => ended.err(),
                    Err(_) => Some(ReconcileError::Worker),
                })
                .collect()
        });
        if let Some(error) = failures.into_iter().next() {
            return Err(error);
        }
        Ok(shared
            .ended
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner))
    }

    /// The runs to execute: of each stack the newest. An older one that has not started, or that
    /// waits for a person, is superseded: those come second.
    fn queued(&self, store: &mut Store) -> Result<(Vec<Run>, Vec<Run>), ReconcileError> {
        let mut superseded = Vec::new();
        let mut newest: BTreeMap<String, Run> = BTreeMap::new();
        for run in store.unfinished_runs()? {
            if let Some(older) = newest.insert(run.stack.to_string(), run.clone()) {
                let event = match older.state {
                    RunState::Unconfirmed => RunEvent::Discard,
                    _ => RunEvent::Cancel,
                };
                let state = transition(older.kind, older.state, event).unwrap_or(RunState::Failed);
                let note = format!("superseded by run {}", run.id);
                store.enter(&older.id, state, Some(&note), clock::now())?;
                superseded.push(store.run(&older.id)?);
            }
        }
        let mut runs: Vec<Run> = newest
            .into_values()
            .filter(|run| matches!(run.state, RunState::Queued | RunState::Ready))
            .collect();
        runs.sort_by_key(number);
        Ok((runs, superseded))
    }

    fn work(&self, shared: &Shared<'_>) -> Result<(), ReconcileError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| disk("start a worker in", &self.directory, source))?;
        while !*self.stop.borrow() {
            let Some(run) = lock(&shared.waiting).pop_front() else {
                break;
            };
            let ended = runtime.block_on(self.run_one(shared, run))?;
            lock(&shared.ended).push(ended);
        }
        Ok(())
    }

    /// Executes one run. An error is one of the store's or the disk's: the run itself fails into
    /// its row.
    async fn run_one(&self, shared: &Shared<'_>, mut run: Run) -> Result<Run, ReconcileError> {
        let mut changes = Vec::new();
        self.run_through(shared, &mut run, &mut changes).await?;
        if let Err(reason) = self.ended(shared, &run, changes) {
            lock(&shared.store).note(&run.id, &reason)?;
        }
        let run_now = lock(&shared.store).run(&run.id)?;
        Ok(run_now)
    }

    async fn run_through(
        &self,
        shared: &Shared<'_>,
        run: &mut Run,
        changes: &mut Vec<Change>,
    ) -> Result<(), ReconcileError> {
        let enter = |run: &mut Run, event| -> Result<(), ReconcileError> {
            let state = transition(run.kind, run.state, event).unwrap_or(RunState::Failed);
            Ok(self.enter(shared, run, state, None)?)
        };
        if run.state == RunState::Queued {
            match self.approval(shared, run) {
                Ok(Gate::Open) => enter(run, RunEvent::MakeReady)?,
                Ok(Gate::Shut(note)) => {
                    return Ok(self.enter(shared, run, RunState::Failed, Some(&note))?);
                }
                Ok(Gate::Waits(note)) | Err(note) => {
                    return Ok(lock(&shared.store).note(&run.id, &note)?);
                }
            }
        }
        enter(run, RunEvent::Prepare)?;
        let prepared = match self.prepare(shared, run) {
            Ok(prepared) => prepared,
            Err(Unprepared::Failed(note)) => {
                return Ok(self.enter(shared, run, RunState::Failed, Some(&note))?);
            }
            Err(Unprepared::Gone(note)) => {
                return Ok(self.enter(shared, run, RunState::Canceled, Some(&note))?);
            }
        };
        let outcome = self.execute(shared, run, &prepared, changes).await;
        let _ = fs::remove_dir_all(self.workspace(run));
        match outcome {
            Ok(outcome) => self.settle(shared, run, &prepared, outcome)?,
            Err(note) => self.enter(shared, run, RunState::Failed, Some(&note))?,
        }
        if run.state == RunState::Unconfirmed
            && let Ok(Gate::Shut(note)) = self.approval(shared, run)
        {
            self.enter(shared, run, RunState::Failed, Some(&note))?;
        }
        Ok(())
    }

    fn enter(
        &self,
        shared: &Shared<'_>,
        run: &mut Run,
        state: RunState,
        note: Option<&str>,
    ) -> Result<(), StoreError> {
        lock(&shared.store).enter(&run.id, state, note, clock::now())?;
        run.state = state;
        run.note = note.map(str::to_owned).or_else(|| run.note.take());
        shared.watch.moved(run);
        if let Err(reason) = self.notify(shared, run) {
            lock(&shared.store).note(&run.id, &reason)?;
        }
        Ok(())
    }

    fn workspace(&self, run: &Run) -> PathBuf {
        self.directory.join("workspaces").join(run.stack.as_str())
    }

    fn state_directory(&self, run: &Run) -> PathBuf {
        self.directory.join("states").join(run.stack.as_str())
    }

    async fn execute(
        &self,
        shared: &Shared<'_>,
        run: &mut Run,
        prepared: &Prepared,
        changes: &mut Vec<Change>,
    ) -> Result<Outcome, String> {
        let Prepared {
            inputs,
            mirror,
            commit,
            ..
        } = prepared;
        let tool = self.tool(shared, inputs.opentofu).await?;
        let workspace = self.workspace(run);
        let runs = self.directory.join("runs");
        let fresh = || -> std::io::Result<()> {
            if workspace.exists() {
                fs::remove_dir_all(&workspace)?;
            }
            fs::create_dir_all(&workspace)?;
            fs::create_dir_all(&runs)?;
            fs::create_dir_all(self.state_directory(run))
        };
        fresh().map_err(|error| chain(disk("make the workspace", &workspace, error)))?;
        mirror.checkout(commit, &workspace).map_err(chain)?;

        let passed = self.settings.runner.passed(&self.host.0);
        let mut secrets = secrets(inputs, &passed)?;
        secrets.extend(self.mirrors.secrets());
        let plan = RunPlan {
            run: run.id.clone(),
            kind: run.kind,
            stack: run.stack.to_string(),
            repository: self
                .mirrors
                .remote(self.settings, &inputs.repository)
                .to_string(),
            commit: inputs.commit.clone(),
            workspace,
            project_root: inputs.project_root.clone(),
            host: self.host.clone(),
            pass_environment: passed,
            variables: inputs.variables.clone(),
            mounted_files: mounted_files(inputs)?,
            hooks: hooks(inputs),
            state: if inputs.manage_state {
                StateOwner::Managed {
                    file: self.state_directory(run).join("terraform.tfstate"),
                }
            } else {
                StateOwner::Own
            },
            plugin_cache: self.directory.join("plugins"),
            plan_file: runs.join(format!("{}.tfplan", run.id)),
            log: runs.join(format!("{}.log", run.id)),
            secrets,
            time_limit: TIME_LIMIT,
            grace: GRACE,
            autodeploy: inputs.autodeploy,
        };
        let mut journal = RunJournal {
            execution: self,
            shared,
            run,
            prepared,
            changes,
        };
        runner::execute(&tool, &plan, &mut journal, self.stop.clone())
            .await
            .map_err(chain)
    }

    /// The tool, looked for once per apply.
    async fn tool(&self, shared: &Shared<'_>, opentofu: Option<bool>) -> Result<ToolPath, String> {
        let asked = opentofu.map(|tofu| {
            if tofu {
                Tool::OpenTofu
            } else {
                Tool::Terraform
            }
        });
        let key = opentofu.unwrap_or_default();
        if let Some(tool) = lock(&shared.tools).get(&key) {
            return Ok(tool.clone());
        }
        // A wish for Terraform is met by what is there: on Spacelift it is the default.
        let asked = asked.filter(|tool| *tool == Tool::OpenTofu);
        let tool = runner::found(asked, &self.host).await.map_err(chain)?;
        lock(&shared.tools).insert(key, tool.clone());
        Ok(tool)
    }

    /// Records how the run ended, and forgets the stack that it destroyed.
    fn settle(
        &self,
        shared: &Shared<'_>,
        run: &mut Run,
        prepared: &Prepared,
        outcome: Outcome,
    ) -> Result<(), ReconcileError> {
        if let Some(counts) = outcome.counts {
            lock(&shared.store).set_counts(&run.id, [counts.add, counts.change, counts.destroy])?;
            run.added = Some(counts.add);
            run.changed = Some(counts.change);
            run.destroyed = Some(counts.destroy);
        }
        let note = match (&outcome.reason, outcome.state) {
            (Some(reason), _) => Some(reason.to_string()),
            (None, RunState::Unconfirmed) if !outcome.warnings.is_empty() => Some(format!(
                "waits for a person: {}",
                outcome.warnings.join("; ")
            )),
            (None, RunState::Unconfirmed) => Some("waits for a person (autodeploy is off)".into()),
            _ => None,
        };
        let finished = outcome.state == RunState::Finished;
        if finished && run.kind == RunType::Tracked {
            lock(&shared.store).set_outputs(&run.stack, &outcome.outputs)?;
        }
        self.enter(shared, run, outcome.state, note.as_deref())?;
        if finished && run.kind == RunType::Destroy {
            // The row first: a state without a stack is harmless, a stack without its state is not.
            lock(&shared.store).remove_stack(&run.stack)?;
            prepared.mirror.unpin(run.stack.as_str())?;
            let states = self.state_directory(run);
            fs::remove_dir_all(&states).map_err(|error| disk("remove", &states, error))?;
        }
        Ok(())
    }
}

/// Writes a run's states down before their effects, and asks the policies about its plan.
struct RunJournal<'a, 's> {
    execution: &'a Execution<'a>,
    shared: &'a Shared<'s>,
    run: &'a mut Run,
    prepared: &'a Prepared,
    /// What the plan would change.
    changes: &'a mut Vec<Change>,
}

impl Journal for RunJournal<'_, '_> {
    fn enter(&mut self, state: RunState) -> Result<(), JournalFailure> {
        if state == RunState::Applying {
            // From here on the stack has something to destroy: its commit and its inputs are kept
            // until that is done (invariant 3).
            let stack = self.run.stack.clone();
            self.prepared
                .mirror
                .pin(stack.as_str(), &self.prepared.commit)?;
            lock(&self.shared.store).begin(&stack, &self.prepared.inputs)?;
        }
        Ok(self.execution.enter(self.shared, self.run, state, None)?)
    }

    fn judge(&mut self, plan_json: &Value) -> Verdict {
        let plan = TerraformPlan::from_show(plan_json, Sanitization::default());
        *self.changes = planned_changes(&plan);
        if self.prepared.policies.is_empty() {
            return Verdict::Pass;
        }
        let mut store = lock(&self.shared.store);
        let flags = match flags(&store, self.run) {
            Ok(flags) => flags,
            Err(error) => return Verdict::Deny(vec![chain(error)]),
        };
        let stack = self.prepared.stack.clone();
        let run = policy_run(self.run, &stack, flags, self.changes.clone());
        let input = plan_input(run, stack, plan);
        let verdict = judge_plan(&self.prepared.policies, &input);
        if let Err(reason) = keep(&mut store, self.run, PolicyType::Plan, &input, &verdict) {
            return Verdict::Deny(vec![reason]);
        }
        if !verdict.deny.is_empty() {
            Verdict::Deny(verdict.deny)
        } else if !verdict.warn.is_empty() {
            Verdict::Warn(verdict.warn)
        } else {
            Verdict::Pass
        }
    }
}

fn number(run: &Run) -> u64 {
    run.id.as_str().parse().unwrap_or_default()
}

fn disk(doing: &'static str, path: &std::path::Path, source: std::io::Error) -> ReconcileError {
    ReconcileError::Disk {
        doing,
        path: path.display().to_string(),
        source,
    }
}
