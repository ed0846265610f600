//! One `apply`: passes of recording and running, until nothing waits any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::decide::{Situation, decide, resulting, stacks};
use super::execute::{Execution, Watch};
use super::mirrors::{Looked, Mirrors, RepositoryKey};
use super::{Planned, ReconcileError, applies_itself, plan};
use crate::clock;
use crate::config::Settings;
use crate::event::RepositoryName;
use crate::git::{GitError, Repository, Token};
use crate::manager::Manager;
use crate::problem::Problem;
use crate::run::{RunEvent, RunState, transition};
use crate::runner::{HostEnvironment, StopSignal};
use crate::stack::{Object, StackId};
use crate::store::{DataDirectory, Run, Store};

/// A stack that waits for its name gets it in the pass after; more than this many in a row would
/// mean that a name never becomes free.
const PASSES: usize = 3;

/// What an apply is told.
pub struct Apply<'a> {
    pub manager: &'a Manager,
    pub data_directory: &'a Path,
    pub parallelism: usize,
    /// How many previews may be deleted at once, where a person said so.
    pub allow_deletions: Option<usize>,
    pub host: HostEnvironment,
    pub token: Option<Token>,
    pub stop: StopSignal,
}

/// What an apply did.
#[derive(Default)]
pub struct Applied {
    pub commit: Option<String>,
    /// All changes, in the order in which they were recorded.
    pub changes: Vec<crate::stack::Change>,
    /// The runs that were executed, as they ended.
    pub runs: Vec<Run>,
    pub problems: Vec<Problem>,
    /// Repositories that did not answer.
    pub unreachable: Vec<GitError>,
}

/// Makes what stands in the manager repository so. `told` hears of each pass's plan before
/// anything is recorded.
pub fn apply(
    options: &Apply<'_>,
    watch: &dyn Watch,
    mut told: impl FnMut(&Planned),
) -> Result<Applied, ReconcileError> {
    let directory = DataDirectory::hold(options.data_directory)?;
    let mut store = Store::open(directory.path())?;
    let cache = Repository::open_or_create(directory.path().join("manager.git"))?;
    let mirrors = Mirrors::new(directory.path().join("repositories"), options.token.clone());
    let mut applied = Applied::default();

    for pass in 0..PASSES {
        let recorded = store.objects()?;
        let planned = plan(options.manager, &cache, &recorded)?;
        applies_itself(options.manager, &planned.settings)?;
        store.claim(&owner(options.manager, &planned.settings))?;
        let allowed = options.allow_deletions.unwrap_or_default();
        if planned.deletions.exceed(&planned.settings.limits) && planned.deletions.deleted > allowed
        {
            return Err(ReconcileError::MassDeletion {
                deletions: planned.deletions,
            });
        }
        told(&planned);
        if pass == 0 {
            end_interrupted(&mut store)?;
        }
        let waits = !planned.comparison.waiting.is_empty();
        let looked = record(&mut store, &planned, &recorded, &mirrors, &mut applied)?;
        let execution = Execution {
            directory: directory.path().to_owned(),
            mirrors: &mirrors,
            settings: &planned.settings,
            parallelism: options.parallelism,
            host: options.host.clone(),
            stop: options.stop.clone(),
            unreachable: looked,
        };
        let left_before = leaving(&store.objects()?);
        applied.runs.extend(execution.run_all(&mut store, watch)?);
        let has_left = leaving(&store.objects()?) < left_before;
        if !(waits && has_left) || *options.stop.borrow() {
            break;
        }
    }
    Ok(applied)
}

fn leaving(objects: &[Object]) -> usize {
    objects
        .iter()
        .filter(|object| object.is_stack() && object.phase != crate::stack::Phase::Active)
        .count()
}

/// Whom the data directory belongs to: the repository by its own name, else by where it is.
fn owner(manager: &Manager, settings: &Settings) -> String {
    match &settings.repository {
        Some(repository) => repository.to_string().to_ascii_lowercase(),
        None => manager.remote.to_string(),
    }
}

/// Looks at the repositories, decides and records. Gives the repositories that did not answer.
fn record(
    store: &mut Store,
    planned: &Planned,
    recorded: &[Object],
    mirrors: &Mirrors,
    applied: &mut Applied,
) -> Result<BTreeMap<RepositoryKey, String>, ReconcileError> {
    let objects = resulting(recorded, planned);
    let looked = look(planned, &objects, mirrors);
    let last_runs: BTreeMap<StackId, Run> = store
        .last_runs()?
        .into_iter()
        .map(|run| (run.stack.clone(), run))
        .collect();
    let queued: BTreeSet<StackId> = store
        .unfinished_runs()?
        .into_iter()
        .map(|run| run.stack)
        .collect();
    let now = clock::now();
    let decided = decide(
        &Situation {
            planned,
            recorded,
            records: &store.stacks()?,
            last_runs: &last_runs,
            queued: &queued,
            looked: &looked,
            mirrors,
            now,
        },
        &objects,
    );
    store.record(&decided.manager_run, now)?;
    applied.commit.clone_from(&planned.commit);
    applied.changes.extend(
        planned
            .comparison
            .changes
            .iter()
            .filter(|c| c.is_visible())
            .cloned(),
    );
    applied.problems = planned
        .problems()
        .cloned()
        .chain(decided.problems)
        .collect();
    let mut silent = BTreeMap::new();
    applied.unreachable.clear();
    for (key, result) in looked {
        if let Err(error) = result {
            silent.insert(key, error.to_string());
            applied.unreachable.push(error);
        }
    }
    Ok(silent)
}

fn look(
    planned: &Planned,
    objects: &[Object],
    mirrors: &Mirrors,
) -> BTreeMap<RepositoryKey, Result<Looked, GitError>> {
    let mut wanted: BTreeMap<RepositoryKey, (RepositoryName, BTreeSet<String>)> = BTreeMap::new();
    for (_, spec) in stacks(objects, planned) {
        if let Some(repository) = spec.repository {
            wanted
                .entry(RepositoryKey::from(&repository))
                .or_insert_with(|| (repository, BTreeSet::new()))
                .1
                .insert(spec.branch);
        }
    }
    mirrors.look(&planned.settings, &wanted)
}

/// Runs that a dayfly was executing when it died: nobody knows how far they came, so they end as
/// interrupted and are looked at anew (invariant 12).
fn end_interrupted(store: &mut Store) -> Result<(), ReconcileError> {
    for run in store.unfinished_runs()? {
        if !run.state.is_executing() {
            continue;
        }
        let state =
            transition(run.kind, run.state, RunEvent::Interrupt).unwrap_or(RunState::Failed);
        store.enter(&run.id, state, Some(crate::run::INTERRUPTED), clock::now())?;
    }
    Ok(())
}
