//! Stacks that depend on each other run in waves: a run waits for those on which its stack depends,
//! takes their outputs, and is skipped where one of them failed; a destroy goes the other way.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ReconcileError;
use super::execute::Execution;
use super::prepare::chain;
use super::work::Shared;
use crate::clock;
use crate::module::Evaluation;
use crate::problem::Problem;
use crate::run::{INTERRUPTED, RunState, RunType, UNCHANGED};
use crate::stack::{
    Dependencies, Dependency, Object, Phase, Reference, RunInputs, SensitiveOutputs, StackId,
};
use crate::store::{NewRun, Run, Store, StoreError};
use crate::threads::lock;

/// Whether a run's wave has come.
pub(super) enum Wave {
    Here,
    Waits(String),
    Skipped(String),
}

/// The order in which stacks that depend on each other run.
///
/// It is read once for all runs of an apply: what is recorded does not change meanwhile, but for the phases of
/// stacks, which are asked each time.
pub(super) struct Waves {
    pub(super) dependencies: Dependencies,
    /// Dependencies that lead back to their own stack, by their addresses, each with its way.
    circles: BTreeMap<String, String>,
}

impl Waves {
    pub(super) fn of(store: &Store) -> Result<Self, StoreError> {
        let dependencies = store.dependencies()?;
        let circles = dependencies.circles().into_iter();
        let circles = circles.map(|(one, way)| (one.address.clone(), in_a_circle(&way)));
        Ok(Self {
            circles: circles.collect(),
            dependencies,
        })
    }

    /// Whether what the run's stack depends on is done, or, of a destroy, what depends on it. The last run of
    /// a stack `at_work` is still in the hands of a worker, though it may have ended.
    pub(super) fn of_run(
        &self,
        store: &Store,
        at_work: &BTreeSet<StackId>,
        run: &Run,
    ) -> Result<Wave, StoreError> {
        if !matches!(run.state, RunState::Queued | RunState::Ready) {
            return Ok(Wave::Here);
        }
        match run.kind {
            RunType::Proposed => Ok(Wave::Here),
            RunType::Tracked => self.after(store, at_work, run),
            RunType::Destroy => self.before(store, at_work, run),
        }
    }

    fn after(
        &self,
        store: &Store,
        at_work: &BTreeSet<StackId>,
        run: &Run,
    ) -> Result<Wave, StoreError> {
        let mut of = self.dependencies.of(&run.stack);
        if let Some(circle) = of.find_map(|one| self.circles.get(&one.address)) {
            return Ok(Wave::Skipped(circle.clone()));
        }
        let mut waits = None;
        for Dependency { on, .. } in self.dependencies.of(&run.stack) {
            let Some(last) = store.last_run(on)? else {
                let note = format!("stack {on}, on which it depends, was not applied yet");
                return Ok(Wave::Skipped(note));
            };
            if !last.state.is_terminal() || at_work.contains(on) {
                let note = format!(
                    "waits for run {} of stack {on}, on which it depends: that is {}",
                    last.id, last.state
                );
                waits.get_or_insert(note);
            } else if matches!(last.state, RunState::Failed | RunState::Skipped) {
                return Ok(Wave::Skipped(failed(on, &last)));
            }
        }
        Ok(waits.map_or(Wave::Here, Wave::Waits))
    }

    fn before(
        &self,
        store: &Store,
        at_work: &BTreeSet<StackId>,
        run: &Run,
    ) -> Result<Wave, StoreError> {
        let on = self.dependencies.on(&run.stack);
        // In a circle nobody would be the first to go.
        let on = on.filter(|one| !self.circles.contains_key(&one.address));
        for Dependency { stack, .. } in on {
            let Some(phase) = store.stack_phase(stack)? else {
                continue;
            };
            let last = store.last_run(stack)?;
            let failed = last.filter(|last| {
                last.kind == RunType::Destroy
                    && matches!(last.state, RunState::Failed | RunState::Skipped)
                    && !at_work.contains(stack)
            });
            return Ok(match (phase, failed) {
                (Phase::Deleting, Some(failed)) => Wave::Skipped(format!(
                    "stack {stack}, which depends on it, still stands: run {} {}",
                    failed.id, failed.state
                )),
                (Phase::Deleting, None) => Wave::Waits(format!(
                    "waits until stack {stack}, which depends on it, is destroyed"
                )),
                _ => Wave::Waits(format!("waits: stack {stack}, which depends on it, stands")),
            });
        }
        Ok(Wave::Here)
    }
}

fn failed(on: &StackId, run: &Run) -> String {
    format!(
        "stack {on}, on which it depends: run {} {}",
        run.id, run.state
    )
}

/// Outputs of other stacks, by the names of the variables that take them. It holds secrets.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) values: BTreeMap<String, String>,
    /// The names of those that are sensitive.
    pub(super) sensitive: Vec<String>,
}

/// The outputs that the stack takes of those on which it depends; an error is the reason why one is
/// not to be had.
pub(super) fn taken(
    store: &Store,
    dependencies: &Dependencies,
    stack: &StackId,
) -> Result<Taken, String> {
    let mut taken = Taken::default();
    for Dependency { on, references, .. } in dependencies.of(stack) {
        if references.is_empty() {
            continue;
        }
        let outputs = store.outputs_of(on).map_err(chain)?;
        let SensitiveOutputs(sensitive) = store.sensitive_outputs(on).map_err(chain)?;
        for Reference { output, input, .. } in references {
            let (value, is_sensitive) = match (sensitive.get(output), outputs.get(output)) {
                (Some(value), _) => (value, true),
                (None, Some(value)) => (value, false),
                (None, None) => {
                    return Err(format!(
                        "stack {on} has no output {output}, which is wanted as {input} (a \
                         sensitive one is passed unless the stack sets \
                         enable_sensitive_outputs_upload = false)"
                    ));
                }
            };
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            taken.values.insert(input.clone(), text);
            if is_sensitive {
                taken.sensitive.push(input.clone());
            }
        }
    }
    Ok(taken)
}

/// What the run of `inputs` took of other stacks, by variable.
pub(super) fn taken_by(
    dependencies: &Dependencies,
    run: &Run,
    inputs: &RunInputs,
) -> BTreeMap<String, String> {
    let references = dependencies.of(&run.stack).flat_map(|one| &one.references);
    let taken = references.filter_map(|one| inputs.variables.get_key_value(&one.input));
    taken
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

impl Execution<'_> {
    /// Queues what depends on the stack of a run that has finished, unless it is queued already;
    /// passes over what takes nothing that has changed.
    pub(super) fn wake(&self, shared: &Shared<'_>, run: &Run) -> Result<(), ReconcileError> {
        if run.kind != RunType::Tracked || run.state != RunState::Finished {
            return Ok(());
        }
        let mut passed_over = Vec::new();
        {
            let store = &mut lock(&shared.store);
            let dependencies = &self.waves.dependencies;
            for dependency in dependencies.on(&run.stack) {
                let Some(new) = following(store, run, &dependency.stack)? else {
                    continue;
                };
                if is_news(store, dependencies, dependency)? {
                    store.queue(&new, clock::now())?;
                } else {
                    passed_over.push(store.pass_over(&new, UNCHANGED, clock::now())?);
                }
            }
        }
        shared.tell(passed_over);
        Ok(())
    }

    /// Passes over what depends on the stack of a run that has failed and is not tried again now:
    /// once, until that heals.
    pub(super) fn pass_over(&self, shared: &Shared<'_>, run: &Run) -> Result<(), ReconcileError> {
        let has_failed = matches!(run.state, RunState::Failed | RunState::Skipped)
            && !matches!(run.note.as_deref(), Some(INTERRUPTED | UNCHANGED));
        if run.kind != RunType::Tracked || !has_failed {
            return Ok(());
        }
        let mut passed_over = Vec::new();
        {
            let store = &mut lock(&shared.store);
            if is_queued(store, &run.stack)? {
                return Ok(());
            }
            for Dependency { stack, .. } in self.waves.dependencies.on(&run.stack) {
                let newest = store.runs(Some(stack), 1)?.pop();
                if newest.is_some_and(|newest| newest.state == RunState::Skipped) {
                    continue;
                }
                if let Some(new) = following(store, run, stack)? {
                    let note = failed(&run.stack, run);
                    passed_over.push(store.pass_over(&new, &note, clock::now())?);
                }
            }
        }
        shared.tell(passed_over);
        Ok(())
    }
}

/// The run of a stack that follows from `run`, on whose stack it depends; `None` where it has one that
/// waits already, or is on its way out.
fn following(store: &Store, run: &Run, stack: &StackId) -> Result<Option<NewRun>, StoreError> {
    if is_queued(store, stack)? || store.stack_phase(stack)? != Some(Phase::Active) {
        return Ok(None);
    }
    Ok(Some(NewRun {
        stack: stack.clone(),
        kind: RunType::Tracked,
        commit: store.stack(stack)?.head.tracked_commit.unwrap_or_default(),
        cause: format!("run {} of stack {}, on which it depends", run.id, run.stack),
        judgements: Vec::new(),
        push: None,
    }))
}

fn is_queued(store: &Store, stack: &StackId) -> Result<bool, StoreError> {
    Ok(store.unfinished_runs()?.iter().any(|other| {
        other.stack == *stack
            && other.kind.is_blocking()
            && matches!(other.state, RunState::Queued | RunState::Ready)
    }))
}

/// Whether the stack is of a fork's pull request: its runs are given nothing that is sensitive.
fn is_forks(store: &Store, stack: &StackId) -> Result<bool, StoreError> {
    let found = store.active_stacks(&BTreeSet::from([stack.to_string()]))?;
    let mut calls = found.iter().filter_map(|stack| stack.origin.environment());
    Ok(calls.any(|call| call.is_fork))
}

/// Whether the dependant has not taken yet what there is now.
fn is_news(
    store: &Store,
    dependencies: &Dependencies,
    dependency: &Dependency,
) -> Result<bool, StoreError> {
    let references = &dependency.references;
    if references.is_empty() || references.iter().any(|one| one.trigger_always) {
        return Ok(true);
    }
    let last = store.last_run(&dependency.stack)?;
    if last.is_none_or(|last| matches!(last.state, RunState::Failed | RunState::Skipped)) {
        return Ok(true);
    }
    let before = store.taken(&dependency.stack)?;
    // What cannot be taken is told by the run.
    let Ok(mut now) = taken(store, dependencies, &dependency.stack) else {
        return Ok(before.is_some());
    };
    if !now.sensitive.is_empty() && is_forks(store, &dependency.stack)? {
        now.values.retain(|name, _| !now.sensitive.contains(name));
    }
    Ok(Some(now.values) != before)
}

/// Dependencies that lead back to their own stack: nothing of such a stack would ever run.
pub(super) fn circles(evaluation: &Evaluation) -> Vec<Problem> {
    let resources = evaluation.resources.iter();
    let dependencies: Vec<Object> = resources
        .filter(|resource| resource.kind == "spacelift_stack_dependency")
        .map(Object::from_resource)
        .collect();
    let found = Dependencies::read(&dependencies);
    let problem = |address: &str, way: &[&StackId]| {
        let object = dependencies.iter().find(|object| object.address == address);
        let problem = Problem::error(in_a_circle(way));
        match object {
            Some(object) => Problem {
                line: Some(object.origin.line),
                ..problem.in_file(&object.origin.file)
            },
            None => problem,
        }
    };
    found
        .circles()
        .iter()
        .map(|(dependency, way)| problem(&dependency.address, way))
        .collect()
}

fn in_a_circle(way: &[&StackId]) -> String {
    let way: Vec<&str> = way.iter().map(|stack| stack.as_str()).collect();
    format!(
        "stacks depend on each other in a circle: {}",
        way.join(" → ")
    )
}
