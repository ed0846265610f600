//! Executes a queued run from its row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;

use super::ReconcileError;
use super::approval::Gate;
use super::belongings::{Belongings, hooks};
use super::journal::RunJournal;
use super::leftovers;
use super::mirrors::{Mirrors, RepositoryKey};
use super::prepare::{Prepared, Unprepared, chain};
use super::states;
use super::tell::{log_file, plan_file};
use super::waves::{Waves, taken_by};
use super::work::{Ended, Shared};
use crate::clock;
use crate::config::Settings;
use crate::files;
use crate::manager::Snapshot;
use crate::policy::input::Change;
use crate::run::{RunEvent, RunId, RunState, RunType, transition};
use crate::runner::{
    self, HostEnvironment, Outcome, Reason, RunPlan, StateOwner, StopSignal, Stops, ToolPath,
};
use crate::stack::{SensitiveOutputs, StackId};
use crate::store::{Run, Store, StoreError};
use crate::threads::lock;

/// How long an interrupted tool may take to store its state.
pub(super) const GRACE: Duration = Duration::from_secs(60);

/// The directory of a workspace that holds the stack's repository, as on Spacelift.
const TREE: &str = "source";
/// How often a worker looks whether a person wants its run stopped.
const LOOK: Duration = Duration::from_millis(250);

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
    /// What plans and applies where a stack asks for nothing else, if it was looked for.
    pub(super) tool: Option<ToolPath>,
    /// Repositories that did not answer, and what was said instead.
    pub(super) unreachable: BTreeMap<RepositoryKey, String>,
    /// The manager repository as it is recorded.
    pub(super) snapshot: &'a Snapshot,
    pub(super) waves: Waves,
    /// The files of environments that are recorded otherwise than they say at that commit.
    pub(super) as_before: BTreeSet<String>,
}

impl Execution<'_> {
    /// Executes one run. An error is one of the store's or the disk's: the run itself fails into
    /// its row. A run that somebody else has moved meanwhile is left to them.
    pub(super) async fn run_one(
        &self,
        shared: &Shared<'_>,
        mut run: Run,
    ) -> Result<Ended, ReconcileError> {
        let mut changes = Vec::new();
        let may_pass = match self.run_through(shared, &mut run, &mut changes).await {
            Err(ReconcileError::Store(StoreError::Moved { .. })) => false,
            ended => ended?,
        };
        let run = lock(&shared.store).run(&run.id)?;
        if run.state.is_terminal() {
            self.conclude(shared, &run, changes)?;
            self.keep_applied(shared, &run)?;
        }
        let run = lock(&shared.store).run(&run.id)?;
        Ok(Ended { run, may_pass })
    }

    /// Has the policies hear that the run has ended, once.
    pub(super) fn conclude(
        &self,
        shared: &Shared<'_>,
        run: &Run,
        changes: Vec<Change>,
    ) -> Result<(), ReconcileError> {
        self.wake(shared, run)?;
        if let Err(reason) = self.ended(shared, run, changes) {
            lock(&shared.store).note(&run.id, &reason)?;
        }
        Ok(lock(&shared.store).unhurried(|store| store.told(&run.id))?)
    }

    /// Gives whether the run failed by what may pass.
    async fn run_through(
        &self,
        shared: &Shared<'_>,
        run: &mut Run,
        changes: &mut Vec<Change>,
    ) -> Result<bool, ReconcileError> {
        if run.state == RunState::Queued {
            if let Err(reason) = self.notify_of_new(shared, run) {
                lock(&shared.store).note(&run.id, &reason)?;
            }
            match self.approval(shared, run) {
                Ok(Gate::Open) => self.enter(shared, run, RunEvent::MakeReady, None)?,
                Ok(Gate::Shut(note)) => {
                    self.enter(shared, run, RunEvent::Fail, Some(&note))?;
                    return Ok(false);
                }
                Ok(Gate::Waits(note)) | Err(note) => {
                    lock(&shared.store).note(&run.id, &note)?;
                    return Ok(false);
                }
            }
        }
        let prepared = match self.prepare(shared, run) {
            Ok(prepared) => prepared,
            Err(unprepared) => {
                let (event, note) = match unprepared {
                    Unprepared::Gone(note) if run.state == RunState::Ready => {
                        (RunEvent::Cancel, note)
                    }
                    Unprepared::Gone(note) | Unprepared::Failed(note) => (RunEvent::Fail, note),
                };
                self.enter(shared, run, event, Some(&note))?;
                return Ok(false);
            }
        };
        if run.state == RunState::Ready {
            self.enter(shared, run, RunEvent::Prepare, None)?;
        }
        let outcome = self.execute(shared, run, &prepared, changes).await;
        let _ = fs::remove_dir_all(self.workspace(run));
        let may_pass = match outcome {
            Ok(outcome) => self.settle(shared, run, &prepared, outcome)?,
            Err(note) => {
                self.enter(shared, run, RunEvent::Fail, Some(&note))?;
                false
            }
        };
        if run.state == RunState::Unconfirmed
            && let Ok(Gate::Shut(note)) = self.approval(shared, run)
        {
            self.enter(shared, run, RunEvent::Fail, Some(&note))?;
        }
        Ok(may_pass)
    }

    pub(super) fn enter(
        &self,
        shared: &Shared<'_>,
        run: &mut Run,
        event: RunEvent,
        note: Option<&str>,
    ) -> Result<(), StoreError> {
        let moves = |store: &mut Store| store.enter(run, event, note, clock::now());
        let to = transition(run.kind, run.state, event);
        // The end of a destroy is on the disk once its stack is forgotten: nothing is taken away before.
        let is_gone = |state| run.kind == RunType::Destroy && state == RunState::Finished;
        run.state = if to.is_ok_and(|state| state.is_before_effects() || is_gone(state)) {
            lock(&shared.store).unhurried(moves)?
        } else {
            moves(&mut lock(&shared.store))?
        };
        run.note = note.map(str::to_owned);
        shared.watch.moved(run);
        if let Err(reason) = self.notify(shared, run) {
            lock(&shared.store).note(&run.id, &reason)?;
        }
        Ok(())
    }

    fn workspace(&self, run: &Run) -> PathBuf {
        self.directory.join("workspaces").join(run.stack.as_str())
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
        let hold = self.hold(shared, run).await?;
        let foreword = {
            let store = &mut lock(&shared.store);
            leftovers::clear_after(&self.directory, store, &hold)
                .and_then(|_| leftovers::foreword(store, &run.stack))
                .map_err(chain)?
        };
        let tree = workspace.join(TREE);
        self.take_up_state(shared, run, inputs.manage_state, &tree)
            .map_err(chain)?;
        let runs = self.directory.join("runs");
        let fresh = || -> std::io::Result<()> {
            if workspace.exists() {
                fs::remove_dir_all(&workspace)?;
            }
            files::make_private(&workspace)?;
            fs::create_dir(&tree)?;
            files::make_private(&runs)?;
            files::make_private(&states::directory_of(&self.directory, &run.stack))
        };
        fresh().map_err(|error| chain(disk("make the workspace", &workspace, error)))?;
        mirror.checkout(commit, &tree).map_err(chain)?;

        let mut own = Belongings::of(prepared, run, &self.host, &workspace)?;
        own.secrets.extend(self.mirrors.secrets());
        // What the code of others has made is not to be found by the runs of a stack.
        let keeps_init = run.kind != RunType::Proposed && !prepared.is_fork;
        let plan = RunPlan {
            run: run.id.clone(),
            kind: run.kind,
            from: run.state,
            stack: run.stack.to_string(),
            repository: self
                .mirrors
                .remote(self.settings, &inputs.repository)
                .to_string(),
            commit: inputs.commit.clone(),
            workspace: tree,
            around: workspace,
            project_root: inputs.project_root.clone(),
            host: own.host,
            pass_environment: own.passed,
            supplied: own.supplied,
            variables: own.variables,
            writing: Some(own.writing),
            mounted_files: own.files.into_iter().collect(),
            hooks: hooks(inputs),
            state: if inputs.manage_state {
                StateOwner::Managed {
                    file: states::file_of(&self.directory, &run.stack),
                }
            } else {
                StateOwner::Own
            },
            plugin_cache: self.directory.join("plugins"),
            kept_init: keeps_init.then(|| kept_init(&self.directory, &run.stack)),
            shared_inits: keeps_init.then(|| shared_inits(&self.directory)),
            plan_file: plan_file(&self.directory, &run.id),
            log: log_file(&self.directory, &run.id),
            secrets: own.secrets,
            time_limit: self.settings.runner.time_limit,
            silence_limit: self.settings.runner.silence_limit,
            grace: GRACE,
            autodeploy: inputs.autodeploy,
            is_reviewed: prepared.is_reviewed,
        };
        if let Some(words) = foreword {
            tracing::warn!("run {} of {}: {words}", run.id, run.stack);
            runner::foreword(&plan.log, &words)
                .map_err(|error| chain(disk("write", &plan.log, error)))?;
        }
        let (manages_state, stack, kind) = (inputs.manage_state, run.stack.clone(), run.kind);
        let cause = format!("run {}", run.id);
        let (tell, this) = watch::channel(false);
        let stops = Stops {
            all: self.stop.clone(),
            this,
        };
        let mut journal = RunJournal {
            execution: self,
            shared,
            run,
            prepared,
            changes,
        };
        let outcome = tokio::select! {
            outcome = runner::execute(&tool, &plan, &hold, &mut journal, stops) => outcome.map_err(chain),
            never = listen(shared, &plan.run, &tell) => match never {},
        };
        let is_gone =
            |outcome: &Outcome| kind == RunType::Destroy && outcome.state == RunState::Finished;
        // The state of a stack that is gone is taken away next.
        if manages_state && !outcome.as_ref().is_ok_and(is_gone) {
            let store = &mut lock(&shared.store);
            // The file stays as it is, and the stack's next run takes it up or says why not.
            if let Err(error) = states::take_up(store, &self.directory, &stack, &cause) {
                tracing::warn!("the state of {stack} is not kept yet: {}", chain(error));
            }
        }
        outcome
    }

    /// Records how the run ended, and forgets the stack that it destroyed. Gives whether it failed
    /// by what may pass.
    fn settle(
        &self,
        shared: &Shared<'_>,
        run: &mut Run,
        prepared: &Prepared,
        outcome: Outcome,
    ) -> Result<bool, ReconcileError> {
        if let Some(counts) = outcome.counts {
            run.added = Some(counts.add);
            run.changed = Some(counts.change);
            run.destroyed = Some(counts.destroy);
        }
        let note = match (&outcome.reason, outcome.state) {
            (Some(Reason::Asked), _) => {
                let person = lock(&shared.store).stopped_by(&run.id)?;
                Some(format!("stopped by {}", person.unwrap_or_default()))
            }
            (Some(Reason::StateNotStored { file }), _) if !file.exists() => {
                Some("Terraform could not store its state; dayfly has kept it".to_owned())
            }
            (Some(reason), _) => Some(reason.to_string()),
            (None, state) if state.waits_for_a_person() && !outcome.warnings.is_empty() => Some(
                format!("waits for a person: {}", outcome.warnings.join("; ")),
            ),
            (None, RunState::Unconfirmed) => Some("waits for a person (autodeploy is off)".into()),
            _ => None,
        };
        let finished = outcome.state == RunState::Finished;
        // The disk is waited for when the run enters its last state.
        lock(&shared.store).unhurried(|store| {
            if let Some(counts) = outcome.counts {
                store.set_counts(&run.id, [counts.add, counts.change, counts.destroy])?;
            }
            if !outcome.in_flight.is_empty() {
                store.keep_in_flight(&run.id, &outcome.in_flight)?;
            }
            if finished && run.kind == RunType::Tracked {
                let SensitiveOutputs(mut sensitive) = outcome.sensitive_outputs;
                if !prepared.spec.gives_sensitive_outputs {
                    // The others are plain, and hold a secret of the run's.
                    sensitive.retain(|name, _| outcome.outputs.contains_key(name));
                }
                let sensitive = SensitiveOutputs(sensitive);
                store.set_outputs(&run.stack, &outcome.outputs, &sensitive)?;
                let taken = taken_by(&self.waves.dependencies, run, &prepared.inputs);
                store.set_taken(&run.stack, &taken)?;
            }
            if outcome.state == RunState::Unconfirmed {
                store.keep_inputs(&run.id, &prepared.inputs)?;
            }
            Ok(())
        })?;
        self.enter(shared, run, outcome.event, note.as_deref())?;
        if finished && run.kind == RunType::Destroy {
            // The row first: a state without a stack is harmless, a stack without its state is not.
            lock(&shared.store).remove_stack(&run.stack)?;
            prepared.mirror.unpin(run.stack.as_str())?;
            let states = states::directory_of(&self.directory, &run.stack);
            fs::remove_dir_all(&states).map_err(|error| disk("remove", &states, error))?;
            let _unkept = fs::remove_dir_all(kept_init(&self.directory, &run.stack));
            let _unheld = fs::remove_file(states::hold_of(&self.directory, &run.stack));
        }
        Ok(outcome.reason.is_some_and(|reason| reason.may_pass()))
    }
}

/// Tells the runner once a person wants the run stopped.
async fn listen(
    shared: &Shared<'_>,
    run: &RunId,
    tell: &watch::Sender<bool>,
) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(LOOK).await;
        // What the store cannot tell now, it tells the next time.
        if let Ok(Some(_)) = lock(&shared.store).stopped_by(run) {
            tell.send_replace(true);
        }
    }
}

/// Where what an `init` has made is kept for the stack's next run.
fn kept_init(directory: &Path, stack: &StackId) -> PathBuf {
    directory.join("initialized").join(stack.as_str())
}

/// Where what an `init` has made lies for other stacks. No stack has such a name, so it is taken away before the
/// next apply, as what is left of stacks that are forgotten: by then a provider may have a newer version.
fn shared_inits(directory: &Path) -> PathBuf {
    directory.join("initialized").join(".shared")
}

pub(super) fn number(run: &Run) -> u64 {
    run.id.as_str().parse().unwrap_or_default()
}

pub(super) fn disk(
    doing: &'static str,
    path: &std::path::Path,
    source: std::io::Error,
) -> ReconcileError {
    ReconcileError::Disk {
        doing,
        path: path.display().to_string(),
        source,
    }
}
