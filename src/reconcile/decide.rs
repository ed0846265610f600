//! What a manager run records beside the changes: the tips that were seen, and the runs that follow.
//!
//! Runs follow from a TRIGGER policy, from a moved tip that the stack's GIT_PUSH policies track,
//! from a run that failed, and from a stack that leaves. Nothing else makes one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;
use tracing::debug_span;

use super::Planned;
use super::attached::attached;
use super::equipment::Equipment;
use super::hearing::HeardEvents;
use super::inputs::{policy_stack, trigger_input};
use super::mirrors::{Looked, Mirrors, RepositoryKey};
use super::pushes::{Followed, Pushes, Subject};
use crate::clock::Time;
use crate::event::RepositoryName;
use crate::git::GitError;
use crate::policy::input::{QueueingStack, Stack as PolicyStack};
use crate::policy::{PolicyFailure, PolicyType, judge_trigger};
use crate::problem::Problem;
use crate::run::{RunId, RunState, RunType};
use crate::stack::{Change, ChangeAction, Object, Phase, StackId, StackSpec};
use crate::store::{
    ManagerRun, NewJudgement, NewRun, PackedInput, Run, StackHead, StackLock, Store, StoreError,
    Tip,
};
use crate::threads;

/// So many stacks are read or described before another thread has begun.
const WORTH_A_THREAD: usize = 256;

/// What is known when a manager run is decided.
pub(super) struct Situation<'a> {
    pub(super) planned: &'a Planned,
    pub(super) known: Known<'a>,
    /// The commits of the last applies that began, of stacks that leave or are on their way out.
    pub(super) began: &'a BTreeMap<StackId, String>,
    /// Recorded changes that the TRIGGER policies have not answered to.
    pub(super) unjudged: &'a [Change],
    /// Runs that have not ended.
    pub(super) unfinished: &'a [Run],
    /// Stacks that a run waits for already.
    pub(super) queued: &'a BTreeSet<StackId>,
    pub(super) locks: &'a BTreeMap<StackId, StackLock>,
    pub(super) store: &'a Store,
    pub(super) looked: &'a BTreeMap<RepositoryKey, Result<Looked, GitError>>,
    /// Where the branches of repositories stood before.
    pub(super) seen: &'a BTreeMap<RepositoryKey, Option<BTreeMap<String, String>>>,
    pub(super) mirrors: &'a Mirrors,
    /// What happened to the pull requests of repositories.
    pub(super) heard: &'a BTreeMap<RepositoryKey, HeardEvents>,
    pub(super) now: Time,
}

/// What is known of all stacks beside their objects.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) heads: &'a HashMap<StackId, StackHead>,
    /// The last blocking run of each stack.
    pub(super) last_runs: &'a HashMap<StackId, Run>,
    pub(super) equipment: &'a Equipment,
}

impl Known<'_> {
    /// The stack as policies see it.
    pub(super) fn policy_stack(&self, object: &Object, spec: &StackSpec) -> PolicyStack {
        let last_run = self.last_runs.get(&spec.id);
        let state = last_run.map_or("NONE", |run| run.state.as_str());
        policy_stack(
            object,
            spec,
            self.equipment,
            self.heads.get(&spec.id),
            state,
        )
    }
}

/// A manager run, and what went wrong on the way to it without stopping it.
pub(super) struct Decided {
    pub(super) manager_run: ManagerRun,
    /// Runs that push policies no longer want, and why.
    pub(super) unwanted: Vec<(RunId, String)>,
    pub(super) problems: Vec<Problem>,
}

/// What stands once the changes are recorded of the objects that were looked at: stacks, policies with
/// their attachments, and what else policies are told of.
pub(super) fn resulting(planned: &Planned) -> Vec<Object> {
    let kinds = [
        "spacelift_stack",
        "spacelift_policy",
        "spacelift_policy_attachment",
        "spacelift_context",
        "spacelift_context_attachment",
        "spacelift_role",
        "spacelift_role_attachment",
    ];
    let is_one = |object: &Object| kinds.contains(&object.kind.as_str());
    standing(&planned.recorded, &planned.comparison.changes, is_one)
}

/// All objects that stand once the changes are recorded.
pub(super) fn resulting_of(recorded: &[Object], changes: &[Change]) -> Vec<Object> {
    standing(recorded, changes, |_| true)
}

/// Those of the objects that stand then which are asked for, by address.
fn standing(
    recorded: &[Object],
    changes: &[Change],
    is_asked_for: impl Fn(&Object) -> bool,
) -> Vec<Object> {
    let mut objects: BTreeMap<&str, &Object> = recorded
        .iter()
        .filter(|object| object.phase == Phase::Active && is_asked_for(object))
        .map(|object| (object.address.as_str(), object))
        .collect();
    for change in changes {
        if let Some(before) = &change.moved_from {
            objects.remove(before.as_str());
        }
        let object = &change.object;
        if change.action == ChangeAction::Deleted {
            objects.remove(object.address.as_str());
        } else if is_asked_for(object) {
            objects.insert(&object.address, object);
        }
    }
    objects.into_values().cloned().collect()
}

/// The stacks among `objects`, in types.
pub(super) fn stacks(objects: &[Object], planned: &Planned) -> Vec<StackSpec> {
    let owner = planned
        .settings
        .repository
        .as_ref()
        .map(RepositoryName::owner);
    let stacks = objects.iter().filter(|object| object.is_stack());
    threads::map(stacks.collect(), WORTH_A_THREAD, |object| {
        StackSpec::read(object, owner)
    })
}

/// Decides the manager run that `objects`, the resulting ones, call for; `specs` are the stacks among
/// them, in their order. Its changes are the plan's: whoever records it moves them in.
pub(super) fn decide(
    situation: &Situation<'_>,
    objects: &[Object],
    specs: &[StackSpec],
) -> Decided {
    let planned = situation.planned;
    let mut decided = Decided {
        manager_run: ManagerRun {
            commit: planned.commit.clone().unwrap_or_default(),
            evaluated: planned.evaluated.clone(),
            manager_stack: planned.settings.manager_stack.clone(),
            ..ManagerRun::default()
        },
        unwanted: Vec::new(),
        problems: Vec::new(),
    };
    let stacks: Vec<(&Object, &StackSpec)> = objects
        .iter()
        .filter(|object| object.is_stack())
        .zip(specs)
        .collect();
    let mut wanted: BTreeMap<StackId, (RunType, String)> = BTreeMap::new();
    let mut pushes = Pushes::of(situation, objects);

    leave(situation, &mut decided, &mut wanted);
    // The tips before the policies: a push is judged by the commit that it moves from.
    let recorded: BTreeMap<&str, &Object> = planned
        .recorded
        .iter()
        .filter(|object| object.is_stack() && object.phase == Phase::Active)
        .map(|object| (object.id(), object))
        .collect();
    let grows = debug_span!("stacks").entered();
    for (object, spec) in &stacks {
        let before = recorded.get(object.id()).copied();
        let subject = Subject {
            object,
            spec,
            before,
        };
        pushes.look(&subject, &mut decided);
    }
    drop(grows);
    let Followed {
        mut pushed,
        mut judged,
    } = pushes.end(&mut decided);
    for (stack, tracked) in &pushed {
        wanted.insert(stack.clone(), (RunType::Tracked, tracked.cause.clone()));
    }
    let (named, judgement) =
        debug_span!("trigger").in_scope(|| triggered(situation, objects, &stacks, &mut decided));
    for (stack, cause) in named {
        judged
            .entry(stack.clone())
            .or_default()
            .extend(judgement.clone());
        wanted.insert(stack, (RunType::Tracked, cause));
    }
    for (_, spec) in &stacks {
        let failed = situation
            .known
            .last_runs
            .get(&spec.id)
            .filter(|run| is_to_be_retried(run));
        if let Some(run) = failed {
            let cause = format!("retry of run {}, which {}", run.id, how_it_ended(run));
            wanted
                .entry(spec.id.clone())
                .or_insert((RunType::Tracked, cause));
        }
    }
    let tips: BTreeMap<&StackId, &Tip> = decided
        .manager_run
        .tips
        .iter()
        .map(|tip| (&tip.stack, tip))
        .collect();
    let runs = wanted
        .into_iter()
        .filter(|(stack, (kind, _))| {
            *kind == RunType::Destroy
                || !situation.queued.contains(stack)
                || tips.contains_key(stack)
        })
        .map(|(stack, (kind, cause))| {
            let push = pushed.remove(&stack).map(|tracked| tracked.push);
            let head = situation.known.heads.get(&stack);
            let tracked = || head.and_then(|head| head.tracked_commit.clone());
            let commit = match kind {
                RunType::Destroy => situation.began.get(&stack).cloned(),
                _ => match tips.get(&stack) {
                    Some(tip) => tip.tracked.clone(),
                    None => tracked(),
                },
            };
            NewRun {
                judgements: judged.remove(&stack).unwrap_or_default(),
                stack,
                kind,
                commit: commit.unwrap_or_default(),
                cause,
                push: push.filter(|_| kind == RunType::Tracked),
            }
        })
        .collect::<Vec<_>>();
    // Those that were proposed come after.
    decided.manager_run.runs.splice(0..0, runs);
    decided
}

/// What a person stopped or cancelled stays so until a person, or news, asks for a run.
fn is_to_be_retried(run: &Run) -> bool {
    matches!(run.state, RunState::Failed | RunState::Skipped)
}

fn how_it_ended(run: &Run) -> String {
    match run.note.as_deref() {
        Some(crate::run::INTERRUPTED) => "was interrupted".to_owned(),
        _ if matches!(run.state, RunState::Failed | RunState::Finished) => {
            run.state.as_str().to_ascii_lowercase()
        }
        _ => format!("was {}", run.state.as_str().to_ascii_lowercase()),
    }
}

/// Stacks that leave: destroyed first where a destructor says so, else orphaned, and forgotten at
/// once where no apply ever began. Those that are leaving already get their destroy run again, unless it
/// waits to be executed.
fn leave(
    situation: &Situation<'_>,
    decided: &mut Decided,
    wanted: &mut BTreeMap<StackId, (RunType, String)>,
) {
    let manager_run = &mut decided.manager_run;
    for stack in gone(situation.planned) {
        let id = StackId::new(stack.id());
        let has_begun = situation.began.contains_key(&id);
        match (has_begun, has_destructor(situation.planned, stack)) {
            (false, _) => {}
            (true, true) => {
                let belongings = belongings(situation.planned, stack);
                manager_run
                    .deleting
                    .extend(belongings.map(|object| object.address.clone()));
                wanted.insert(
                    id,
                    (
                        RunType::Destroy,
                        "its stack is gone from the repository".to_owned(),
                    ),
                );
            }
            (true, false) => {
                manager_run.orphaned.push(stack.address.clone());
                let message =
                    format!("stack {id} left without a destructor: what it has made stays");
                let hint = format!("`dayfly stack destroy {id}` or `dayfly stack forget {id}`");
                decided
                    .problems
                    .push(Problem::warning(message).with_hint(hint));
            }
        }
    }
    for stack in on_their_way_out(situation.planned) {
        let id = StackId::new(stack.id());
        let cause = match situation.known.last_runs.get(&id) {
            Some(run)
                if run.kind == RunType::Destroy
                    && matches!(run.state, RunState::Queued | RunState::Ready) =>
            {
                continue;
            }
            Some(run) if run.kind == RunType::Destroy => {
                format!("retry of run {}, which {}", run.id, how_it_ended(run))
            }
            _ => "its stack is gone from the repository".to_owned(),
        };
        wanted.insert(id, (RunType::Destroy, cause));
    }
}

/// The commits of the last applies that began, of the stacks that leave or are on their way out.
pub(super) fn began(
    planned: &Planned,
    store: &Store,
) -> Result<BTreeMap<StackId, String>, StoreError> {
    let mut commits = BTreeMap::new();
    for stack in gone(planned).chain(on_their_way_out(planned)) {
        let id = StackId::new(stack.id());
        if let Some(began) = store.stack(&id)?.began {
            commits.insert(id, began.commit);
        }
    }
    Ok(commits)
}

/// The stacks that left before, and are not destroyed yet.
fn on_their_way_out(planned: &Planned) -> impl Iterator<Item = &Object> {
    let recorded = planned.recorded.iter();
    recorded.filter(|object| object.is_stack() && object.phase == Phase::Deleting)
}

/// The stacks that leave.
fn gone(planned: &Planned) -> impl Iterator<Item = &Object> {
    let changes = planned.comparison.changes.iter();
    let gone =
        changes.filter(|change| change.action == ChangeAction::Deleted && change.object.is_stack());
    gone.map(|change| &change.object)
}

/// The stack and what is recorded of it.
fn belongings<'a>(planned: &'a Planned, stack: &'a Object) -> impl Iterator<Item = &'a Object> {
    planned
        .recorded
        .iter()
        .filter(|object| object.phase == Phase::Active && object.stack_id() == stack.id())
}

fn has_destructor(planned: &Planned, stack: &Object) -> bool {
    let is_destructor = |object: &Object| {
        object.kind == "spacelift_stack_destructor" && !object.flag("deactivated")
    };
    belongings(planned, stack).any(is_destructor)
}

/// A warning of each stack whose things would stay, as an apply would have it leave without a destructor.
pub fn left_behind(planned: &Planned, store: &Store) -> Result<Vec<Problem>, StoreError> {
    let mut problems = Vec::new();
    for stack in gone(planned).filter(|stack| !has_destructor(planned, stack)) {
        let id = StackId::new(stack.id());
        if store.stack(&id)?.began.is_some() {
            let message =
                format!("stack {id} would leave without a destructor: what it has made stays");
            let hint = "give it a spacelift_stack_destructor, and apply that first";
            problems.push(Problem::warning(message).with_hint(hint));
        }
    }
    Ok(problems)
}

impl Decided {
    pub(super) fn judgement(
        &mut self,
        kind: PolicyType,
        input: Result<PackedInput, serde_json::Error>,
        verdict: &impl Serialize,
    ) -> Option<Arc<NewJudgement>> {
        let judgement = input.and_then(|input| {
            NewJudgement::of_packed(kind.name(), RunState::Queued, input, verdict)
        });
        match judgement {
            Ok(judgement) => Some(Arc::new(judgement)),
            Err(error) => {
                let message = format!("a {kind} verdict cannot be kept: {error}");
                self.problems.push(Problem::error(message));
                None
            }
        }
    }

    /// Policies that gave no answer: they let nothing through, and a person must know.
    pub(super) fn tell(&mut self, failures: &[PolicyFailure]) {
        self.problems.extend(
            failures
                .iter()
                .map(|failure| Problem::error(failure.to_string())),
        );
    }
}

pub(super) fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

/// The stacks that the TRIGGER policies of the manager's own stack name, with the reason. Changes
/// that got no answer are asked about again with the next ones.
fn triggered(
    situation: &Situation<'_>,
    objects: &[Object],
    stacks: &[(&Object, &StackSpec)],
    decided: &mut Decided,
) -> (Vec<(StackId, String)>, Option<Arc<NewJudgement>>) {
    let planned = situation.planned;
    let changes: Vec<&Change> = situation
        .unjudged
        .iter()
        .chain(&planned.comparison.changes)
        .filter(|change| change.is_visible())
        .collect();
    decided.manager_run.judged = true;
    if changes.is_empty() {
        return (Vec::new(), None);
    }
    let manager_stack = &planned.settings.manager_stack;
    let policies = match attached(objects, manager_stack, &[], PolicyType::Trigger) {
        Ok(policies) => policies,
        Err(problem) => {
            decided.manager_run.judged = false;
            decided.problems.push(problem);
            return (Vec::new(), None);
        }
    };
    if policies.is_empty() {
        return (Vec::new(), None);
    }
    let known = situation.known;
    let described = threads::map(stacks.to_vec(), WORTH_A_THREAD, |(object, spec)| {
        QueueingStack {
            stack: known.policy_stack(object, spec),
            queued_runs: 0,
        }
    });
    let commit = planned.commit.as_deref().unwrap_or_default();
    let mut input = trigger_input(
        manager_stack,
        commit,
        &changes,
        planned.has_errors(),
        described,
        situation.now,
    );
    input.stack.contexts = known.equipment.contexts(manager_stack, &[]);
    input.stack.roles = known.equipment.roles(manager_stack);
    // Of all stacks it is long: it is packed while the policies are asked.
    let (packed, verdict) = threads::both(
        || PackedInput::of(&input),
        || judge_trigger(&policies, &input),
    );
    threads::free(input);
    decided.manager_run.judged = verdict.errors.is_empty();
    decided.tell(&verdict.errors);
    let cause = format!(
        "trigger policy, for {} of the manager repository",
        short(commit)
    );
    let judgement = decided.judgement(PolicyType::Trigger, packed, &verdict);
    let ids: BTreeSet<&str> = stacks.iter().map(|(_, spec)| spec.id.as_str()).collect();
    let named = verdict
        .stacks
        .into_iter()
        .filter(|id| ids.contains(id.as_str()))
        .map(|id| (StackId::new(id), cause.clone()));
    (named.collect(), judgement)
}
