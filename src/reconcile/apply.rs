//! One `apply`: passes of recording and running, until nothing waits any more.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::path::Path;
use std::thread;

use tracing::debug_span;

use super::decide::{Known, Situation, began, decide, resulting, stacks};
use super::due::end;
use super::equipment::Equipment;
use super::execute::{Execution, Watch};
use super::guard;
use super::hearing::{Ear, HeardEvents};
use super::leftovers;
use super::mirrors::{Looked, Mirrors, RepositoryKey, Wanted};
use super::ownership::own;
use super::pull_requests::PullRequests;
use super::scheduled::delete_due;
use super::scope;
use super::statuses;
use super::waves::Waves;
use super::{Planned, ReconcileError, applies_itself, plan};
use crate::clock;
use crate::config::{Settings, Tokens};
use crate::git::{GitError, Repository};
use crate::manager::Manager;
use crate::problem::Problem;
use crate::run::{RunEvent, RunState, transition};
use crate::runner::{self, HostEnvironment, StopSignal, ToolPath};
use crate::stack::{Change, Object, StackId, StackSpec};
use crate::store::{DataDirectory, Run, StackHead, Store, StoreError};
use crate::threads;

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
    /// The commit whose warnings a person has seen.
    pub confirmed: Option<String>,
    /// Whether this data directory takes the manager repository over from another one.
    pub takes_over: bool,
    pub host: HostEnvironment,
    pub tokens: Tokens,
    /// Where the pull requests of stacks' repositories are, if that can be asked.
    pub pull_requests: Option<&'a dyn PullRequests>,
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
    let mirrors = Mirrors::new(
        directory.path().join("repositories"),
        options.tokens.clone(),
    );
    let mut applied = Applied::default();
    let mut due = Vec::new();

    for pass in 0..PASSES {
        let mut planned = plan(options.manager, &cache, Some(&store))?;
        applies_itself(options.manager, &planned)?;
        let Some(branch) = &planned.branch else {
            return Err(ReconcileError::NoCommit {
                manager: options.manager.remote.to_string(),
            });
        };
        store.claim(&owner(options.manager, &planned.settings), branch)?;
        if pass == 0 {
            let seen = planned.owner.as_ref();
            own(options, &cache, &directory, &mut store, seen)?;
            let (deleted, problems) =
                delete_due(options, directory.path(), &cache, &store, &planned)?;
            due = problems;
            if deleted > 0 {
                planned = plan(options.manager, &cache, Some(&store))?;
                applies_itself(options.manager, &planned)?;
            }
        }
        let rulings = debug_span!("guard")
            .in_scope(|| guard::judge(options.manager, &cache, Some(&store), &planned))?;
        for ruling in &rulings {
            store.keep_of_manager(&ruling.commit, &ruling.judgements, clock::now())?;
        }
        let head = planned.commit.as_deref();
        guard::check(&rulings, head, options.confirmed.as_deref())?;
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
        let recorded = record(&mut store, &mut planned, &mirrors, options, &mut applied)?;
        applied.problems.extend(due.iter().cloned());
        if pass == 0 {
            applied
                .problems
                .extend(leftovers::sweep(directory.path(), &mirrors, &mut store)?);
        }
        let as_before = scope::as_before(&planned);
        threads::free((
            mem::take(&mut planned.evaluation),
            mem::take(&mut planned.recorded),
        ));
        let execution = Execution {
            directory: directory.path().to_owned(),
            mirrors: &mirrors,
            settings: &planned.settings,
            parallelism: options.parallelism,
            host: options.host.clone(),
            stop: options.stop.clone(),
            tool: recorded.tool,
            unreachable: recorded.unreachable,
            snapshot: &planned.snapshot,
            waves: debug_span!("stacks").in_scope(|| Waves::of(&store))?,
            as_before,
        };
        let left_before = store.leaving_stacks()?;
        let runs = debug_span!("runs").in_scope(|| execution.run_all(&mut store, watch))?;
        applied.runs.extend(runs);
        let has_left = store.leaving_stacks()? < left_before;
        if !(waits && has_left) || *options.stop.borrow() {
            break;
        }
    }
    Ok(applied)
}

/// Whom the data directory belongs to: the repository by its own name, else by where it is.
fn owner(manager: &Manager, settings: &Settings) -> String {
    match &settings.repository {
        Some(repository) => repository.to_string().to_ascii_lowercase(),
        None => manager.remote.to_string(),
    }
}

/// What a pass has found that its runs need.
struct Recorded {
    /// The repositories that did not answer, and what was said instead.
    unreachable: BTreeMap<RepositoryKey, String>,
    /// What plans and applies, if it was looked for.
    tool: Option<ToolPath>,
}

/// Looks at the repositories, decides and records. Takes the changes out of the plan: nobody asks for them
/// afterwards.
fn record(
    store: &mut Store,
    planned: &mut Planned,
    mirrors: &Mirrors,
    options: &Apply<'_>,
    applied: &mut Applied,
) -> Result<Recorded, ReconcileError> {
    let stacks_span = debug_span!("stacks");
    let mut objects = stacks_span.in_scope(|| standing(store, planned))?;
    let specs = stacks_span.in_scope(|| stacks(&objects, planned));
    let wanted = wanted(store, &specs)?;
    // Where runs are to be expected, the tool is asked for its version meanwhile. After an error nobody waits
    // for the answer.
    let expects_runs = !planned.comparison.changes.is_empty();
    let host = options.host.clone();
    let tool = expects_runs.then(|| thread::Builder::new().spawn(move || find_tool(&host)));
    let looked = debug_span!("tips").in_scope(|| mirrors.look(&planned.settings, &wanted));
    let mut problems = Vec::new();
    let heard = match options.pull_requests {
        Some(door) => {
            let settings = &planned.settings;
            let ear = Ear {
                door,
                mirrors,
                settings,
                store,
            };
            debug_span!("events").in_scope(|| ear.hear(&wanted, &looked, &mut problems))?
        }
        None => BTreeMap::new(),
    };
    let seen = wanted.into_iter().map(|(key, wanted)| (key, wanted.seen));
    let grows = stacks_span.enter();
    let heads = store.heads()?;
    if planned.is_part {
        let mut judged = moved(&specs, &heads, &looked, &heard);
        judged.insert(planned.settings.manager_stack.clone());
        add_others(planned, &mut objects, store.policy_attachments(&judged)?);
    }
    let last_runs: HashMap<StackId, Run> = store
        .last_runs()?
        .into_iter()
        .map(|run| (run.stack.clone(), run))
        .collect();
    drop(grows);
    // Behind a run that waits for a person a newer one is queued, once.
    let unfinished = store.unfinished_runs()?;
    let queued: BTreeSet<StackId> = unfinished
        .iter()
        .filter(|run| run.state != RunState::Unconfirmed)
        .map(|run| run.stack.clone())
        .collect();
    let now = clock::now();
    let seen = seen.collect();
    let locks = store.stack_locks()?;
    let equipment = Equipment::of(objects.iter());
    let mut decided = decide(
        &Situation {
            planned,
            known: Known {
                heads: &heads,
                last_runs: &last_runs,
                equipment: &equipment,
            },
            began: &began(planned, store)?,
            unjudged: &store.unjudged_changes()?,
            unfinished: &unfinished,
            queued: &queued,
            locks: &locks,
            store,
            looked: &looked,
            seen: &seen,
            mirrors,
            heard: &heard,
            now,
        },
        &objects,
        &specs,
    );
    let tool = debug_span!("tool").in_scope(|| {
        let found = tool.and_then(|asked| asked.ok()?.join().ok());
        let is_needed = !(decided.manager_run.runs.is_empty() && queued.is_empty());
        let tool = is_needed.then(|| found.unwrap_or_else(|| find_tool(&options.host)));
        // Nothing is recorded where nothing can be run.
        tool.transpose()
    })?;
    decided.manager_run.changes = mem::take(&mut planned.comparison.changes);
    debug_span!("record").in_scope(|| store.record(&decided.manager_run, now))?;
    if let Some(door) = options.pull_requests {
        problems.extend(debug_span!("statuses").in_scope(|| statuses::tell(door, store, now))?);
    }
    for (id, why) in &decided.unwanted {
        let run = store.run(id)?;
        end(store, options.data_directory, &run, why)?;
    }
    applied.commit.clone_from(&planned.commit);
    let mut changes = decided.manager_run.changes;
    changes.retain(Change::is_visible);
    applied.changes.append(&mut changes);
    applied.problems = planned
        .problems()
        .cloned()
        .chain(problems)
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
    threads::free((objects, specs, heads, last_runs, equipment));
    Ok(Recorded {
        unreachable: silent,
        tool,
    })
}

/// All stacks and policies that stand once the changes are recorded, with contexts and roles; of a whole
/// plan the attachments of policies as well.
fn standing(store: &Store, planned: &Planned) -> Result<Vec<Object>, StoreError> {
    let mut objects = resulting(planned);
    if planned.is_part {
        add_others(planned, &mut objects, store.stacks_and_policies()?);
        add_others(planned, &mut objects, store.equipment(None)?);
        // As those of a whole plan stand: policies are asked the same.
        objects.sort_by(|a, b| a.address.cmp(&b.address));
    }
    Ok(objects)
}

/// Adds those of the recorded objects that the plan has not looked at.
fn add_others(planned: &Planned, objects: &mut Vec<Object>, recorded: Vec<Object>) {
    let looked_at: BTreeSet<&str> = planned
        .recorded
        .iter()
        .map(|object| object.address.as_str())
        .collect();
    let others = recorded.into_iter();
    objects.extend(others.filter(|object| !looked_at.contains(&*object.address)));
}

/// The stacks that a push may mean something to, to their branch or to another of its repository, or
/// what happened to a pull request there.
fn moved(
    stacks: &[StackSpec],
    heads: &HashMap<StackId, StackHead>,
    looked: &BTreeMap<RepositoryKey, Result<Looked, GitError>>,
    heard: &BTreeMap<RepositoryKey, HeardEvents>,
) -> BTreeSet<String> {
    let has_moved = |spec: &StackSpec| {
        let key = RepositoryKey::from(spec.repository.as_ref()?);
        let looked = looked.get(&key)?;
        let happened = heard
            .get(&key)
            .is_some_and(|heard| !heard.events.is_empty());
        let looked = looked.as_ref().ok()?;
        let seen = heads.get(&spec.id)?.seen_commit.as_deref()?;
        let tip = looked.branches.get(&spec.branch);
        let has_moved = tip.is_some_and(|tip| seen != tip.as_str());
        (has_moved || happened || !looked.pushes.is_empty()).then(|| spec.id.to_string())
    };
    stacks.iter().filter_map(has_moved).collect()
}

/// What is asked of the repositories of the stacks.
fn wanted(
    store: &Store,
    stacks: &[StackSpec],
) -> Result<BTreeMap<RepositoryKey, Wanted>, StoreError> {
    // Thousands of stacks follow one branch: it is asked about once.
    let asked: BTreeMap<_, _> = stacks
        .iter()
        .filter_map(|spec| {
            let repository = spec.repository.as_ref()?;
            let names = (repository.owner(), repository.name(), &*spec.branch);
            Some((names, repository))
        })
        .collect();
    let mut all: BTreeMap<RepositoryKey, Wanted> = BTreeMap::new();
    for ((.., branch), repository) in asked {
        let wanted = match all.entry(RepositoryKey::from(repository)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let seen = store.looked(entry.key().as_str())?;
                entry.insert(Wanted {
                    repository: repository.clone(),
                    branches: BTreeSet::new(),
                    seen,
                })
            }
        };
        wanted.branches.insert(branch.to_owned());
    }
    Ok(all)
}

/// The tool of this machine that plans and applies.
pub fn find_tool(host: &HostEnvironment) -> Result<ToolPath, ReconcileError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ReconcileError::Disk {
            doing: "start a worker for",
            path: "terraform".to_owned(),
            source,
        })?;
    Ok(runtime.block_on(runner::found(None, host))?)
}

/// Runs that a dayfly was executing when it died: nobody knows how far they came, so they end as
/// interrupted and are looked at anew (invariant 12).
fn end_interrupted(store: &mut Store) -> Result<(), ReconcileError> {
    for run in store.unfinished_runs()? {
        if !run.state.is_executing() {
            continue;
        }
        let person = store.stopped_by(&run.id)?;
        let (event, note) = match person {
            Some(person) if transition(run.kind, run.state, RunEvent::Stop).is_ok() => {
                (RunEvent::Stop, format!("stopped by {person}"))
            }
            _ => (RunEvent::Interrupt, crate::run::INTERRUPTED.to_owned()),
        };
        store.enter(&run, event, Some(&note), clock::now())?;
    }
    Ok(())
}
