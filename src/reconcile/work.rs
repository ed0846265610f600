//! Shares out the runs of an apply among its workers: a run starts once its turn has come and a
//! worker is free, whatever the stacks are at on which it does not depend.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::Notify;

use super::ReconcileError;
use super::execute::{Execution, Watch, disk, number};
use super::judging::Scene;
use super::mirrors::Mirrors;
use super::retries::Retries;
use crate::runner::{ToolPath, hide_from_children};
use crate::stack::StackId;
use crate::store::{Run, Store};
use crate::threads::lock;

/// How often an apply executes the runs of one stack, which may trigger itself; and once more for
/// each stack that it depends on.
const TIMES: usize = 10;

/// What all workers share. Who locks both locks the work before the store.
pub(super) struct Shared<'a> {
    pub(super) store: Mutex<&'a mut Store>,
    /// By whether a stack asks for OpenTofu; held while one is looked for.
    pub(super) tools: tokio::sync::Mutex<BTreeMap<bool, ToolPath>>,
    pub(super) watch: &'a dyn Watch,
    mirrors: &'a Mirrors,
    scene: Mutex<Arc<Scene<'a>>>,
    work: Mutex<Work>,
    /// A run has left a worker's hands.
    left: Notify,
}

impl<'a> Shared<'a> {
    /// What policies see of the runs that are at work.
    pub(super) fn scene(&self) -> Arc<Scene<'a>> {
        Arc::clone(&lock(&self.scene))
    }

    /// Has the apply tell of runs that ended without a worker.
    pub(super) fn tell(&self, runs: Vec<Run>) {
        for run in &runs {
            self.watch.moved(run);
        }
        let ended = &mut lock(&self.work).ended;
        ended.extend(runs.into_iter().map(|run| (number(&run), run)));
    }
}

struct Work {
    /// Those whose turn it was at the last look.
    due: VecDeque<Run>,
    /// Those that ended without being executed: policies hear of their end as well.
    untold: VecDeque<Run>,
    /// What workers have in their hands.
    taken: BTreeMap<u64, StackId>,
    ended: BTreeMap<u64, Run>,
    /// How often runs of a stack were taken.
    times: BTreeMap<StackId, usize>,
    retries: Retries,
}

/// A run as it was left, and whether it failed by what may pass.
pub(super) struct Ended {
    pub(super) run: Run,
    pub(super) may_pass: bool,
}

/// What a worker does next.
enum Next<'w> {
    Execute(Taken<'w>),
    /// Has policies hear of its end.
    Tell(Taken<'w>),
    /// Another one is at work, or the run that comes next has to wait for its time.
    Wait(Option<Instant>),
    Nothing,
}

/// A run in the hands of a worker, until it is dropped.
struct Taken<'w> {
    run: Run,
    work: &'w Mutex<Work>,
    left: &'w Notify,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        lock(self.work).taken.remove(&number(&self.run));
        self.left.notify_waiters();
    }
}

impl Execution<'_> {
    /// Executes all runs whose turn it is, and those that TRIGGER policies queue meanwhile; tries
    /// again what failed. Gives them as they ended, in the order in which they were queued.
    pub(super) fn run_all(
        &self,
        store: &mut Store,
        watch: &dyn Watch,
    ) -> Result<Vec<Run>, ReconcileError> {
        hide_from_children();
        let scene = Scene::of(store, self.owner(), self.mirrors, [].into_iter())?;
        let tools = self.tool.iter().map(|tool| (false, tool.clone()));
        let shared = Shared {
            store: Mutex::new(store),
            tools: tokio::sync::Mutex::new(tools.collect()),
            watch,
            mirrors: self.mirrors,
            scene: Mutex::new(Arc::new(scene)),
            work: Mutex::new(Work {
                due: VecDeque::new(),
                untold: VecDeque::new(),
                taken: BTreeMap::new(),
                ended: BTreeMap::new(),
                times: BTreeMap::new(),
                retries: Retries::new(self.settings.runner.retries),
            }),
            left: Notify::new(),
        };
        let failure = thread::scope(|scope| {
            // Where fewer threads are to be had, fewer work.
            let work = || self.work(&shared);
            let worker = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
            let workers: Vec<_> = (0..self.parallelism.max(1)).filter_map(worker).collect();
            if workers.is_empty() {
                return work().err();
            }
            let ended = workers.into_iter().map(|worker| match worker.join() {
                Ok(ended) => ended,
                Err(_) => Err(ReconcileError::Worker),
            });
            ended.filter_map(Result::err).last()
        });
        let work = shared.work.into_inner();
        match failure {
            Some(error) => Err(error),
            None => Ok(work
                .unwrap_or_else(PoisonError::into_inner)
                .ended
                .into_values()
                .collect()),
        }
    }

    fn work(&self, shared: &Shared<'_>) -> Result<(), ReconcileError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| disk("start a worker in", &self.directory, source))?;
        let mut stop = self.stop.clone();
        while !*self.stop.borrow() {
            // Before the look: what leaves another's hands from now on wakes this one.
            let left = shared.left.notified();
            match self.next(shared)? {
                Next::Nothing => break,
                Next::Wait(until) => runtime.block_on(async {
                    let time = async {
                        match until {
                            Some(until) => tokio::time::sleep_until(until.into()).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        () = left => {}
                        () = time => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                    }
                }),
                Next::Execute(taken) => {
                    let run = taken.run.clone();
                    let Ended { run, may_pass } = runtime.block_on(self.run_one(shared, run))?;
                    {
                        let work = &mut *lock(&shared.work);
                        work.retries
                            .after(&mut lock(&shared.store), &run, may_pass)?;
                        work.ended.insert(number(&run), run.clone());
                    }
                    self.pass_over(shared, &run)?;
                }
                Next::Tell(taken) => {
                    let told = self.notify(shared, &taken.run);
                    if let Err(reason) = told {
                        lock(&shared.store).note(&taken.run.id, &reason)?;
                    }
                    self.conclude(shared, &taken.run, Vec::new())?;
                    self.pass_over(shared, &taken.run)?;
                }
            }
        }
        Ok(())
    }

    fn next<'w>(&self, shared: &'w Shared<'_>) -> Result<Next<'w>, ReconcileError> {
        let work = &mut *lock(&shared.work);
        if work.untold.is_empty() && work.ready().is_none() {
            self.look(shared, work)?;
        }
        let (run, make): (_, fn(_) -> _) = if let Some(run) = work.untold.pop_front() {
            (run, Next::Tell)
        } else if let Some(run) = work.ready().and_then(|place| work.due.remove(place)) {
            *work.times.entry(run.stack.clone()).or_default() += 1;
            (run, Next::Execute)
        } else {
            let due = work.due.iter().filter_map(|run| work.retries.due(run));
            return Ok(match due.min() {
                None if work.taken.is_empty() => Next::Nothing,
                until => Next::Wait(until),
            });
        };
        work.taken.insert(number(&run), run.stack.clone());
        let Shared { work, left, .. } = shared;
        Ok(make(Taken { run, work, left }))
    }

    /// Looks in the store for what is due now.
    fn look(&self, shared: &Shared<'_>, work: &mut Work) -> Result<(), ReconcileError> {
        let store = &mut lock(&shared.store);
        let at_work: BTreeSet<StackId> = work.taken.values().cloned().collect();
        let mut ended = Vec::new();
        let mut due = self.due(store, &at_work, &mut ended)?;
        work.ended
            .extend(ended.into_iter().map(|run| (number(&run), run)));
        let dependencies = &self.waves.dependencies;
        due.retain(|run| {
            // One that waits for approval, or for a lock, waits for the next apply.
            let before = work.ended.get(&number(run));
            let times = work.times.get(&run.stack).copied().unwrap_or_default();
            !work.taken.contains_key(&number(run))
                && before.is_none_or(|before| before.state != run.state)
                && times < TIMES + dependencies.of(&run.stack).count()
        });
        work.due = due.into();
        work.untold = store.untold_runs()?.into();
        work.untold
            .retain(|run| !work.taken.contains_key(&number(run)));
        let found = work.due.iter().chain(&work.untold).map(|run| &run.stack);
        if !work.due.is_empty() || !work.untold.is_empty() {
            let scene = Scene::of(store, self.owner(), shared.mirrors, found.chain(&at_work))?;
            *lock(&shared.scene) = Arc::new(scene);
        }
        Ok(())
    }
}

impl Work {
    /// The place of the first that has not to wait for its time.
    fn ready(&self) -> Option<usize> {
        let now = Instant::now();
        let is_ready = |run| self.retries.due(run).is_none_or(|due| due <= now);
        self.due.iter().position(is_ready)
    }
}
