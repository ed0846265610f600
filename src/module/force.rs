//! Everything in the tree evaluated, environments that stand apart by several threads.
//!
//! Each thread has an evaluator of its own that knows what they share. What it finds is taken over in the
//! order of the calls, numbered on from what was there: nothing tells how many threads there were.

use std::ops::Range;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::apart::{refers_to_call, stands_alone};
use super::evaluator::Evaluator;
use super::instance::Instance;
use super::origin::is_environments;
use super::part::Seed;
use crate::threads::{STACK, cores, joined, lock};

/// So many calls are evaluated before another thread has begun.
const WORTH_A_THREAD: usize = 64;

/// Each thread takes about so many parts of the calls, one at a time: none waits for another longer than for one.
const SHARES: usize = 16;

/// How many threads evaluate, and how many calls make one more worth it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    pub threads: usize,
    pub worth_a_thread: usize,
}

impl Effort {
    pub(super) fn of_all_cores() -> Self {
        Self {
            threads: cores(),
            worth_a_thread: WORTH_A_THREAD,
        }
    }
}

/// Evaluates everything in an instance and below, so that all mistakes are found.
pub(super) fn force(evaluator: &Evaluator<'_>, instance: &Rc<Instance>) {
    let module = &instance.module;
    for problem in &module.problems {
        evaluator.add_problem(instance, problem.clone());
    }
    if module.incomplete {
        evaluator.fail(instance);
    }
    if module.refused {
        return;
    }
    // Each failure is noted where it happens.
    for index in 0..module.variables.len() {
        evaluator.settle(instance, evaluator.variable(instance, index, 0));
    }
    for index in 0..module.locals.len() {
        evaluator.settle(instance, evaluator.local(instance, index, 0));
    }
    for index in 0..module.resources.len() {
        if let Some(expansion) = evaluator.settle(instance, evaluator.resources(instance, index, 0))
        {
            for (_, item) in &expansion.members {
                evaluator.settle(instance, evaluator.object(*item, 0));
            }
        }
    }
    for definition in module.data.values() {
        if definition.broken {
            evaluator.fail(instance);
        }
    }
    let calls = 0..module.calls.len();
    if calls.len() >= evaluator.effort.worth_a_thread && calls_are_apart(instance) {
        force_apart(evaluator, instance, calls);
    } else {
        calls.for_each(|index| force_call(evaluator, instance, index));
    }
    for index in 0..module.outputs.len() {
        evaluator.settle(instance, evaluator.output(instance, index, 0));
    }
}

fn force_call(evaluator: &Evaluator<'_>, instance: &Rc<Instance>, index: usize) {
    if let Some(expansion) = evaluator.settle(instance, evaluator.children(instance, index, 0)) {
        for (_, child) in &expansion.members {
            force(evaluator, &evaluator.instance(*child));
        }
    }
}

/// Whether each call of the instance is an environment to which nothing refers: neither what is evaluated
/// by now, nor another of the calls, nor an output.
fn calls_are_apart(instance: &Instance) -> bool {
    let module = &instance.module;
    let outputs_refer = || {
        module.outputs.values().any(|output| {
            let checks = output.preconditions.iter();
            let mut checked = checks.flat_map(|check| [&check.condition, &check.message]);
            refers_to_call(&output.value) || checked.any(refers_to_call)
        })
    };
    is_environments(&module.directory)
        && instance.environment.is_none()
        && instance.is_childless()
        && module.calls.values().all(stands_alone)
        && !outputs_refer()
}

/// Evaluates calls that are apart: this thread from the first on, the others from the last on, until they meet.
fn force_apart(evaluator: &Evaluator<'_>, instance: &Rc<Instance>, calls: Range<usize>) {
    let Effort {
        threads,
        worth_a_thread,
    } = evaluator.effort;
    let threads = threads.min(calls.len() / worth_a_thread).max(1);
    let at_once = (calls.len() / (threads * SHARES)).max(1);
    // What all of them call is read once.
    force_each(evaluator, instance, 0..1);
    let left = Mutex::new(1..calls.end);
    let parts = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let (left, parts) = (&left, &parts);
        let other = |_| {
            let seed = Seed::of(evaluator, instance);
            let work = move || {
                while let Some(calls) = last_of(left, at_once) {
                    let part = seed.grow(calls);
                    lock(parts).push(part);
                }
            };
            let thread = thread::Builder::new().stack_size(STACK);
            // Without it, the others do its work.
            thread.spawn_scoped(scope, work).ok()
        };
        let others: Vec<_> = (1..threads).filter_map(other).collect();
        while let Some(calls) = first_of(left, at_once) {
            force_each(evaluator, instance, calls);
        }
        others.into_iter().for_each(joined);
    });
    let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    parts.sort_unstable_by_key(|part| part.calls.start);
    for part in parts {
        part.join(evaluator, instance);
    }
}

/// Takes so many calls from the first on.
fn first_of(left: &Mutex<Range<usize>>, at_once: usize) -> Option<Range<usize>> {
    let mut left = lock(left);
    let first = left.start;
    left.start = left.end.min(first + at_once);
    Some(first..left.start).filter(|taken| !taken.is_empty())
}

/// Takes so many calls from the last on.
fn last_of(left: &Mutex<Range<usize>>, at_once: usize) -> Option<Range<usize>> {
    let mut left = lock(left);
    let end = left.end;
    left.end = left.start.max(end.saturating_sub(at_once));
    Some(left.end..end).filter(|taken| !taken.is_empty())
}

/// Evaluates calls that are apart, and keeps of each what is left of it only.
pub(super) fn force_each(evaluator: &Evaluator<'_>, instance: &Rc<Instance>, calls: Range<usize>) {
    for index in calls {
        let (instances, items) = evaluator.ends();
        force_call(evaluator, instance, index);
        evaluator.finish(instances, items);
    }
}
