//! Stacks that depend on each other run in waves: a run waits for those on which its stack depends,
//! takes their outputs, and is skipped where one of them failed; a destroy goes the other way.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ReconcileError;
use super::execute::{Execution, Shared, lock};
use crate::clock;
use crate::module::Evaluation;
use crate::problem::Problem;
use crate::run::{RunState, RunType};
use crate::stack::{Dependencies, Dependency, Object, Phase, RunInputs, StackId};
use crate::store::{NewRun, Run, Store, StoreError};

/// Whether a run's wave has come.
pub(super) enum Wave {
    Here,
    Waits(String),
    Skipped(String),
}

/// Whether what the run's stack depends on is done, or, of a destroy, what depends on it.
pub(super) fn wave(
    store: &Store,
    dependencies: &Dependencies,
    run: &Run,
) -> Result<Wave, StoreError> {
    if !matches!(run.state, RunState::Queued | RunState::Ready) {
        return Ok(Wave::Here);
    }
    match run.kind {
        RunType::Proposed => Ok(Wave::Here),
        RunType::Tracked => after(store, dependencies, run),
        RunType::Destroy => before(store, dependencies, run),
    }
}

fn after(store: &Store, dependencies: &Dependencies, run: &Run) -> Result<Wave, StoreError> {
    let mut waits = None;
    let circles = dependencies.circles();
    for Dependency { on, stack, .. } in dependencies.of(&run.stack) {
        if let Some((_, way)) = circles.iter().find(|(circle, _)| circle.stack == *stack) {
            return Ok(Wave::Skipped(in_a_circle(way)));
        }
        let Some(last) = store.last_run(on)? else {
            let note = format!("stack {on}, on which it depends, was not applied yet");
            return Ok(Wave::Skipped(note));
        };
        if !last.state.is_terminal() {
            let note = format!(
                "waits for run {} of stack {on}, on which it depends: that is {}",
                last.id, last.state
            );
            waits.get_or_insert(note);
        } else if matches!(last.state, RunState::Failed | RunState::Skipped) {
            let note = format!(
                "stack {on}, on which it depends: run {} {}",
                last.id, last.state
            );
            return Ok(Wave::Skipped(note));
        }
    }
    Ok(waits.map_or(Wave::Here, Wave::Waits))
}

fn before(store: &Store, dependencies: &Dependencies, run: &Run) -> Result<Wave, StoreError> {
    for Dependency { stack, .. } in dependencies.on(&run.stack) {
        let Some(phase) = store.stack_phase(stack)? else {
            continue;
        };
        let last = store.last_run(stack)?;
        let failed = last.filter(|last| {
            last.kind == RunType::Destroy
                && matches!(last.state, RunState::Failed | RunState::Skipped)
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

/// The outputs that the stack takes of those on which it depends, by the names of its variables; an
/// error is the reason why one is not to be had.
pub(super) fn taken(
    store: &Store,
    dependencies: &Dependencies,
    stack: &StackId,
) -> Result<BTreeMap<String, String>, String> {
    let mut taken = BTreeMap::new();
    for Dependency { on, references, .. } in dependencies.of(stack) {
        if references.is_empty() {
            continue;
        }
        let outputs = store.stack(on).map_err(|error| error.to_string())?.outputs;
        for reference in references {
            let Some(output) = outputs.get(&reference.output) else {
                return Err(format!(
                    "stack {on} has no output {}, which is wanted as {} (sensitive ones are not \
                     passed)",
                    reference.output, reference.input
                ));
            };
            let text = match output {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            taken.insert(reference.input.clone(), text);
        }
    }
    Ok(taken)
}

/// What the run of `inputs` took of other stacks, by variable.
pub(super) fn taken_by(
    store: &Store,
    run: &Run,
    inputs: &RunInputs,
) -> Result<BTreeMap<String, String>, StoreError> {
    let dependencies = store.dependencies()?;
    let references = dependencies.of(&run.stack).flat_map(|one| &one.references);
    let taken = references.filter_map(|one| inputs.variables.get_key_value(&one.input));
    Ok(taken
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect())
}

impl Execution<'_> {
    /// Queues what depends on the stack of a run that has finished, unless it is queued already or
    /// nothing that it takes has changed.
    pub(super) fn wake(&self, shared: &Shared<'_>, run: &Run) -> Result<(), ReconcileError> {
        if run.kind != RunType::Tracked || run.state != RunState::Finished {
            return Ok(());
        }
        let store = &mut lock(&shared.store);
        let dependencies = store.dependencies()?;
        for dependency in dependencies.on(&run.stack) {
            let stack = &dependency.stack;
            let is_queued = store.unfinished_runs()?.iter().any(|other| {
                other.stack == *stack
                    && other.kind.is_blocking()
                    && matches!(other.state, RunState::Queued | RunState::Ready)
            });
            if is_queued
                || store.stack_phase(stack)? != Some(Phase::Active)
                || !is_news(store, &dependencies, dependency)?
            {
                continue;
            }
            let new = NewRun {
                stack: stack.clone(),
                kind: RunType::Tracked,
                commit: store.stack(stack)?.tracked_commit.unwrap_or_default(),
                cause: format!("run {} of stack {}, on which it depends", run.id, run.stack),
                judgements: Vec::new(),
                push: None,
            };
            store.queue(&new, clock::now())?;
        }
        Ok(())
    }
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
    let now = taken(store, dependencies, &dependency.stack);
    let before = store.taken(&dependency.stack)?;
    // What cannot be taken is told by the run.
    Ok(now.ok() != before)
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
