//! What a run tells while it is executed: its states, and its plan to be judged.

use serde_json::Value;

use super::execute::Execution;
use super::inputs::{plan_input, planned_changes};
use super::judging::{flags, keep};
use super::prepare::{Prepared, chain};
use super::work::Shared;
use crate::policy::input::{Change, Run as PolicyRun, TerraformPlan};
use crate::policy::{PolicyType, judge_plan};
use crate::run::{RunEvent, RunState};
use crate::runner::{Journal, JournalFailure, Secrets, Verdict};
use crate::store::{Run, Store, StoreError};
use crate::threads::lock;

/// Writes a run's states down before their effects, and asks the policies about its plan.
pub(super) struct RunJournal<'a, 's> {
    pub(super) execution: &'a Execution<'a>,
    pub(super) shared: &'a Shared<'s>,
    pub(super) run: &'a mut Run,
    pub(super) prepared: &'a Prepared,
    /// What the plan would change.
    pub(super) changes: &'a mut Vec<Change>,
}

impl Journal for RunJournal<'_, '_> {
    fn enter(&mut self, event: RunEvent, state: RunState) -> Result<(), JournalFailure> {
        if state == RunState::Applying {
            // From here on the stack has something to destroy: its commit and its inputs are kept
            // until that is done (invariant 3).
            let stack = self.run.stack.clone();
            self.prepared
                .mirror
                .pin(stack.as_str(), &self.prepared.commit)?;
            // The disk is waited for when the run enters the state.
            let inputs = &self.prepared.inputs;
            lock(&self.shared.store).unhurried(|store| store.begin(&stack, inputs))?;
        }
        Ok(self.execution.enter(self.shared, self.run, event, None)?)
    }

    fn judge(&mut self, plan_json: &Value, secrets: &Secrets) -> Verdict {
        let plan = || TerraformPlan::from_show(plan_json, self.prepared.sanitization);
        // Where strings are not sanitised, secrets still stay out of what is kept of policies; they
        // themselves judge what is planned.
        let cleaned = plan().cleaned(|value| secrets.redact_value(value));
        *self.changes = planned_changes(&cleaned);
        let plan = plan();
        let mut store = lock(&self.shared.store);
        // Nothing deploys by itself while the stack is locked, as on Spacelift.
        let locked = match store.stack_lock(&self.run.stack) {
            Ok(locked) => locked.filter(|_| self.run.kind.is_blocking()),
            Err(error) => return Verdict::Deny(vec![chain(error)]),
        };
        let mut warnings: Vec<String> = locked.iter().map(ToString::to_string).collect();
        if self.prepared.policies.is_empty() {
            return warned(warnings);
        }
        let flags = match flags(&store, self.run) {
            Ok(flags) => flags,
            Err(error) => return Verdict::Deny(vec![chain(error)]),
        };
        let stack = self.prepared.stack.clone();
        let run = self
            .shared
            .scene()
            .run(self.run, &stack, flags, planned_changes(&plan));
        let previous = match self.previous(&store) {
            Ok(previous) => previous,
            Err(error) => return Verdict::Deny(vec![chain(error)]),
        };
        let input = plan_input(run, previous, stack, plan);
        let verdict = judge_plan(&self.prepared.policies, &input);
        let told = (serde_json::to_value(&input), serde_json::to_value(&verdict));
        let kept = match told {
            (Ok(input), Ok(verdict)) => {
                let [input, verdict] = [input, verdict].map(|it| secrets.redact_value(it));
                keep(&mut store, self.run, PolicyType::Plan, &input, &verdict)
            }
            (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
        };
        if let Err(reason) = kept {
            return Verdict::Deny(vec![reason]);
        }
        if !verdict.deny.is_empty() {
            return Verdict::Deny(verdict.deny);
        }
        warnings.extend(verdict.warn);
        warned(warnings)
    }
}

impl RunJournal<'_, '_> {
    /// The run before this one, as a PLAN policy sees it; `None` of the stack's first.
    fn previous(&self, store: &Store) -> Result<Option<PolicyRun>, StoreError> {
        let Some(run) = store.run_before(self.run)? else {
            return Ok(None);
        };
        let flags = flags(store, &run)?;
        let stack = &self.prepared.stack;
        Ok(Some(self.shared.scene().run(
            &run,
            stack,
            flags,
            Vec::new(),
        )))
    }
}

fn warned(warnings: Vec<String>) -> Verdict {
    if warnings.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Warn(warnings)
    }
}
