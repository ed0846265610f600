//! What policies say to a run on its way: may it go on, what follows when it has ended, who is told.
//!
//! Each verdict is kept with the run before anything follows from it. Nobody is notified yet: what a
//! NOTIFICATION policy would have sent is kept, and that is all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::approval::{Gate, approval};
use super::attached::{attached, read_policy};
use super::equipment::Equipment;
use super::execute::Execution;
use super::inputs::{commit_of, policy_run, policy_stack, runtime_config};
use super::mirrors::Mirrors;
use super::notice::finished;
use super::prepare::chain;
use super::work::Shared;
use crate::clock;
use crate::event::RepositoryName;
use crate::policy::input::{
    Change, Phase as ChangePhase, QueueingStack, Run as PolicyRun, RuntimeConfig,
    Stack as PolicyStack, TriggerInput,
};
use crate::policy::{FlagChange, Flags, Policy, PolicyType, judge_trigger};
use crate::run::{RunState, RunType};
use crate::stack::{Object, StackId, StackSpec};
use crate::store::{NewJudgement, NewRun, Run, StackHead, Store, StoreError};
use crate::threads::lock;

/// What policies say to runs that are at work: they, the stacks as they see them, and who is told.
pub(super) struct Scene<'a> {
    mirrors: &'a Mirrors,
    policies: Vec<Object>,
    /// The attachments of policies, by stack; only of the runs' stacks.
    attachments: BTreeMap<String, Vec<Object>>,
    /// The runs'; all where a TRIGGER policy is to see all.
    stacks: BTreeMap<StackId, PolicyStack>,
    runtime_configs: BTreeMap<StackId, RuntimeConfig>,
    notified: Vec<Policy>,
}

impl<'a> Scene<'a> {
    /// The scene of runs of `stacks`.
    pub(super) fn of<'r>(
        store: &Store,
        owner: Option<&str>,
        mirrors: &'a Mirrors,
        stacks: impl Iterator<Item = &'r StackId>,
    ) -> Result<Self, StoreError> {
        let ids: BTreeSet<String> = stacks.map(ToString::to_string).collect();
        let mut policies = store.policies_around(&ids)?;
        // They are not attached: all of them hear of all runs.
        let notified = policies
            .iter()
            .filter(|object| {
                object.kind == "spacelift_policy" && object.text("type") == "NOTIFICATION"
            })
            .filter_map(|policy| read_policy(policy).ok())
            .collect();
        let mut attachments: BTreeMap<String, Vec<Object>> = BTreeMap::new();
        for attachment in policies.extract_if(.., |object| object.kind != "spacelift_policy") {
            let stack = attachment.text("stack_id").to_owned();
            attachments.entry(stack).or_default().push(attachment);
        }
        let mut scene = Self {
            mirrors,
            policies,
            attachments,
            stacks: BTreeMap::new(),
            runtime_configs: BTreeMap::new(),
            notified,
        };
        let equipment = store.equipment(Some(&ids))?;
        let equipment = Equipment::of(equipment.iter());
        for object in store.active_stacks(&ids)? {
            let spec = StackSpec::read(&object, owner);
            let state = store.last_run(&spec.id)?.map(|run| run.state);
            let head = store.stack(&spec.id)?.head;
            scene.add(&object, spec, &equipment, Some(&head), state);
        }
        let triggers = |stack| !matches!(scene.attached(stack, PolicyType::Trigger), Ok(none) if none.is_empty());
        if scene.stacks.values().any(triggers) {
            let heads = store.heads()?;
            let last = store.last_runs()?.into_iter();
            let last: BTreeMap<StackId, RunState> =
                last.map(|run| (run.stack, run.state)).collect();
            let objects = store.stacks_and_policies()?;
            let equipment = store.equipment(None)?;
            let equipment = Equipment::of(equipment.iter());
            for object in objects.iter().filter(|object| object.is_stack()) {
                let spec = StackSpec::read(object, owner);
                let (head, state) = (heads.get(&spec.id), last.get(&spec.id).copied());
                scene.add(object, spec, &equipment, head, state);
            }
        }
        for (stack, lock) in store.stack_locks()? {
            if let Some(stack) = scene.stacks.get_mut(&stack) {
                stack.locked_by = Some(lock.holder);
            }
        }
        Ok(scene)
    }

    fn add(
        &mut self,
        object: &Object,
        spec: StackSpec,
        equipment: &Equipment,
        head: Option<&StackHead>,
        state: Option<RunState>,
    ) {
        let state = state.map_or("NONE", RunState::as_str);
        let described = policy_stack(object, &spec, equipment, head, state);
        self.runtime_configs
            .insert(spec.id.clone(), runtime_config(object));
        self.stacks.insert(spec.id, described);
    }

    /// The stack as policies see it; `None` of one that does not stand.
    pub(super) fn stack(&self, id: &StackId) -> Option<&PolicyStack> {
        self.stacks.get(id)
    }

    /// The run of `stack` as policies see it.
    pub(super) fn run(
        &self,
        run: &Run,
        stack: &PolicyStack,
        flags: Vec<String>,
        changes: Vec<Change>,
    ) -> PolicyRun {
        let commit = commit_of(self.mirrors, stack, run);
        let config = self.runtime_configs.get(&run.stack).cloned();
        policy_run(run, commit, config.unwrap_or_default(), flags, changes)
    }

    /// The NOTIFICATION policies.
    pub(super) fn notified(&self) -> &[Policy] {
        &self.notified
    }

    pub(super) fn attached(
        &self,
        stack: &PolicyStack,
        kind: PolicyType,
    ) -> Result<Vec<Policy>, String> {
        let attachments = self.attachments.get(&stack.id).into_iter().flatten();
        let near: Vec<Object> = self.policies.iter().chain(attachments).cloned().collect();
        attached(&near, &stack.id, &stack.labels, kind).map_err(|problem| problem.to_string())
    }
}

/// The flags that earlier verdicts left on the run.
pub(super) fn flags(store: &Store, run: &Run) -> Result<Vec<String>, StoreError> {
    let mut flags = Flags::default();
    for judgement in store.judgements(&run.id)? {
        let changes = judgement.verdict.get("flags").cloned().unwrap_or_default();
        // A verdict of a kind that has no flags.
        let changes: Vec<FlagChange> = serde_json::from_value(changes).unwrap_or_default();
        flags.apply(&changes);
    }
    Ok(flags.names())
}

/// Keeps a verdict with its run.
pub(super) fn keep(
    store: &mut Store,
    run: &Run,
    kind: PolicyType,
    input: &impl Serialize,
    verdict: &impl Serialize,
) -> Result<(), String> {
    let judgement = NewJudgement::new(kind.name(), run.state, input, verdict)
        .map_err(|error| format!("a {kind} verdict cannot be kept: {error}"))?;
    store.keep(&run.id, judgement, clock::now()).map_err(chain)
}

impl Execution<'_> {
    pub(super) fn owner(&self) -> Option<&str> {
        self.settings.repository.as_ref().map(RepositoryName::owner)
    }

    pub(super) fn approval(&self, shared: &Shared<'_>, run: &Run) -> Result<Gate, String> {
        approval(&mut lock(&shared.store), &shared.scene(), run)
    }

    /// Asks the TRIGGER policies of the stack whose blocking run has ended, and queues what they name.
    pub(super) fn ended(
        &self,
        shared: &Shared<'_>,
        run: &Run,
        planned: Vec<Change>,
    ) -> Result<(), String> {
        let scene = shared.scene();
        let Some(stack) = scene.stacks.get(&run.stack) else {
            return Ok(());
        };
        if !run.kind.is_blocking() || !run.state.is_terminal() {
            return Ok(());
        }
        let mut store = lock(&shared.store);
        let policies = match scene.attached(stack, PolicyType::Trigger) {
            Ok(policies) => policies,
            Err(problem) => return store.note(&run.id, &problem).map_err(chain),
        };
        if policies.is_empty() {
            return Ok(());
        }
        let mut changes = planned;
        if run.state == RunState::Finished {
            let applied = changes.iter().cloned().map(|change| Change {
                phase: ChangePhase::Apply,
                ..change
            });
            changes.extend(applied.collect::<Vec<_>>());
        }
        let queued: Vec<StackId> = store
            .unfinished_runs()
            .map_err(chain)?
            .into_iter()
            // One that has begun may have missed what this run did.
            .filter(|run| matches!(run.state, RunState::Queued | RunState::Ready))
            .map(|run| run.stack)
            .collect();
        let input = TriggerInput {
            run: finished(&store, &scene, run, stack, changes)?,
            stack: PolicyStack {
                state: run.state.to_string(),
                ..stack.clone()
            },
            stacks: scene
                .stacks
                .iter()
                .map(|(id, stack)| QueueingStack {
                    stack: stack.clone(),
                    queued_runs: u64::from(queued.contains(id)),
                })
                .collect(),
            workflow: Vec::new(),
        };
        let verdict = judge_trigger(&policies, &input);
        keep(&mut store, run, PolicyType::Trigger, &input, &verdict)?;
        if let Some(failure) = verdict.errors.first() {
            let note = match &run.note {
                Some(note) => format!("{note}; {failure}"),
                None => failure.to_string(),
            };
            store.note(&run.id, &note).map_err(chain)?;
        }
        let judgement = NewJudgement::new("TRIGGER", RunState::Queued, &input, &verdict)
            .map(Arc::new)
            .map_err(|error| error.to_string())?;
        let waiting: BTreeSet<&StackId> = queued.iter().collect();
        for id in &verdict.stacks {
            let id = StackId::new(id.clone());
            if !scene.stacks.contains_key(&id) || waiting.contains(&id) {
                continue;
            }
            let tracked = store.stack(&id).map_err(chain)?.head.tracked_commit;
            let policies: Vec<&str> = verdict.triggered_by(id.as_str()).collect();
            let new = NewRun {
                cause: format!(
                    "trigger policy {}, after run {}",
                    policies.join(", "),
                    run.id
                ),
                stack: id,
                kind: RunType::Tracked,
                commit: tracked.unwrap_or_default(),
                judgements: vec![Arc::clone(&judgement)],
                push: None,
            };
            store.queue(&new, clock::now()).map_err(chain)?;
        }
        Ok(())
    }
}
