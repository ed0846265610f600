//! What GIT_PUSH policies say of a push or an event, stack by stack, and what follows from it.

use std::sync::Arc;

use super::decide::Decided;
use super::hearing::Event;
use super::inputs::{described, run_in_progress};
use super::mirrors::Push;
use super::pull_requests::Happened;
use super::pushes::{Content, Pushes, Subject, Tracked};
use super::statuses::status;
use crate::git::CommitId;
use crate::policy::input::{PushInput, PushedCommit};
use crate::policy::{PolicyType, PushDecision, PushVerdict, judge_push};
use crate::problem::Problem;
use crate::run::{RunState, RunType};
use crate::stack::{StackId, StackSpec};
use crate::store::{NewJudgement, NewRun, PackedInput, Pushed, Run, StackLock, StoreError};

/// What policies are asked about: a push to a branch, or an event of a pull request.
pub(super) struct Occasion<'e> {
    /// A fork's with its owner.
    branch: String,
    pub(super) commit: &'e CommitId,
    /// What a run is of that it leads to.
    cause: String,
    what: What<'e>,
}

enum What<'e> {
    Push(Content),
    Event(&'e Event),
}

impl<'e> Occasion<'e> {
    pub(super) fn push(push: &'e Push, content: Content) -> Self {
        Self {
            branch: push.branch.clone(),
            commit: &push.to,
            cause: format!("push of {} to {}", push.to.short(), push.branch),
            what: What::Push(content),
        }
    }

    pub(super) fn event(event: &'e Event) -> Self {
        Self {
            branch: event.branch(),
            commit: &event.pull_request.head_commit,
            cause: event.cause(),
            what: What::Event(event),
        }
    }

    fn event_of(&self) -> Option<&'e Event> {
        match self.what {
            What::Push(_) => None,
            What::Event(event) => Some(event),
        }
    }

    fn is_of_fork(&self) -> bool {
        self.event_of()
            .is_some_and(|event| event.pull_request.is_fork)
    }

    /// Whether it asks for a run whatever runs the commit has had.
    fn is_asked_for(&self) -> bool {
        self.event_of()
            .is_some_and(|event| matches!(event.happened, Happened::Commented(_)))
    }

    /// As a policy of the stack sees it, but for the stack itself and its runs.
    fn input(&self, spec: &StackSpec) -> PushInput {
        // What cannot be compared (a history that was thrown away) counts as touching the project.
        let unknown = || vec![crate::files::join(&spec.project_root, "unknown")];
        let mut input = PushInput::default();
        match &self.what {
            What::Push(Content { affected, info }) => {
                input.push = PushedCommit {
                    affected_files: affected.clone().unwrap_or_else(unknown),
                    commit: described(self.commit.as_str(), &self.branch, info.as_ref()),
                };
            }
            What::Event(event) => {
                input.push = event.head(unknown);
                input.pull_request = Some(event.input(&input.push, unknown));
            }
        }
        // A fork's branch is none of the repository's, whatever it is called.
        input.push.commit.exist_on_tracked_branch = self.branch == spec.branch;
        input
    }
}

impl Pushes<'_> {
    /// Asks the stack's policies, and does what they say beside moving its head; `None` where they
    /// gave no answer.
    pub(super) fn judge(
        &mut self,
        subject: &Subject<'_>,
        occasion: &Occasion<'_>,
        decided: &mut Decided,
    ) -> Option<PushDecision> {
        let Subject { object, spec, .. } = subject;
        let situation = self.situation;
        let in_progress = self.unfinished.get(&spec.id).cloned().unwrap_or_default();
        let input = PushInput {
            in_progress: in_progress
                .iter()
                .map(|run| run_in_progress(run, &spec.branch))
                .collect(),
            stack: situation.known.policy_stack(object, spec),
            ..occasion.input(spec)
        };
        let kind = PolicyType::GitPush;
        let policies = self
            .policies
            .attached(spec.id.as_str(), &spec.labels, kind)
            .map_err(|problem| decided.problems.push(problem))
            .ok()?;
        let verdict = judge_push(policies.iter().map(AsRef::as_ref), &input)
            .map_err(|error| decided.problems.push(Problem::error(error.to_string())))
            .ok()?;
        if !verdict.errors.is_empty() {
            decided.tell(&verdict.errors);
            return None;
        }
        let judgement = decided.judgement(kind, PackedInput::of(&input), &verdict);
        let decision = self
            .follow(spec, occasion, &verdict, &in_progress, judgement, decided)
            .map_err(|error| decided.problems.push(Problem::error(error.to_string())))
            .ok()?;
        Some(decision)
    }

    fn follow(
        &mut self,
        spec: &StackSpec,
        occasion: &Occasion<'_>,
        verdict: &PushVerdict,
        in_progress: &[&Run],
        judgement: Option<Arc<NewJudgement>>,
        decided: &mut Decided,
    ) -> Result<PushDecision, StoreError> {
        let situation = self.situation;
        let id = &spec.id;
        let (cause, commit) = (&occasion.cause, occasion.commit);
        if occasion.is_of_fork() && !verdict.allow_fork {
            // Strangers move nothing, no lock either.
            self.ignore(spec, occasion, verdict, decided);
            self.keep(id, judgement);
            return Ok(PushDecision::Ignore);
        }
        if let Some(key) = &verdict.unlock {
            decided.manager_run.unlocks.push((id.clone(), key.clone()));
        }
        let holder = situation.locks.get(id).map(|lock| &lock.holder);
        let holder = holder.filter(|holder| verdict.unlock.as_ref() != Some(holder));
        if let Some(key) = &verdict.lock {
            if let Some(holder) = holder.filter(|holder| *holder != key) {
                decided.problems.push(Problem::warning(format!(
                    "stack {id}: the {cause} is left out: a push policy wants the stack locked \
                     with {key:?}, and {holder} holds it"
                )));
                return Ok(PushDecision::Ignore);
            }
            let lock = StackLock {
                holder: key.clone(),
                note: format!("by a push policy, for the {cause}"),
                since: situation.now,
            };
            decided.manager_run.locks.push((id.clone(), lock));
        }
        let decision = verdict.decision(occasion.is_of_fork());
        let kind = match decision {
            // It would be applied again by every later run of the stack.
            PushDecision::Track | PushDecision::MoveHead if occasion.is_of_fork() => {
                decided.problems.push(Problem::warning(format!(
                    "stack {id}: the {cause} is left out: a push policy tracks a commit of a fork, \
                     and such a commit is proposed at most"
                )));
                self.keep(id, judgement);
                return Ok(PushDecision::Ignore);
            }
            PushDecision::Track => RunType::Tracked,
            PushDecision::Propose => RunType::Proposed,
            PushDecision::MoveHead | PushDecision::Ignore => {
                if decision == PushDecision::Ignore {
                    self.ignore(spec, occasion, verdict, decided);
                }
                self.keep(id, judgement);
                return Ok(decision);
            }
        };
        // The same commit may stand on several branches, and be looked at twice; a comment asks anew.
        let is_own = occasion.event_of().is_none() && occasion.branch == spec.branch;
        let is_asked_for = kind == RunType::Proposed && occasion.is_asked_for();
        let asked = Some(cause.as_str()).filter(|_| is_asked_for);
        let is_queued = || match kind {
            RunType::Tracked => self.tracks(id, commit, decided),
            _ => {
                // Those of this stack stand last, and nothing but proposals stands there yet.
                let runs = decided.manager_run.runs.iter().rev();
                let mut own = runs.take_while(|run| run.stack == *id);
                own.any(|run| {
                    run.commit == commit.as_str() && asked.is_none_or(|asked| asked == run.cause)
                })
            }
        };
        let is_known = || situation.store.has_run(id, kind, commit.as_str(), asked);
        if (kind == RunType::Proposed || !is_own) && (is_queued() || is_known()?) {
            return Ok(PushDecision::Ignore);
        }
        let unwanted = in_progress.iter().filter(|run| {
            let has_not_begun = matches!(
                run.state,
                RunState::Queued | RunState::Ready | RunState::Unconfirmed
            );
            has_not_begun && run.kind == kind && verdict.cancel.contains(run.id.as_str())
        });
        let why = || format!("cancelled by a push policy, for the {cause}");
        decided
            .unwanted
            .extend(unwanted.map(|run| (run.id.clone(), why())));
        let pushed = Pushed {
            branch: occasion.branch.clone(),
            pull_request: occasion.event_of().map(|event| event.pull_request.number),
            is_fork: occasion.is_of_fork(),
            is_prioritized: verdict.prioritize,
            lock_key: verdict.lock.clone(),
            external_dependencies: verdict.external_dependency.clone(),
        };
        if kind == RunType::Tracked {
            let tracked = Tracked {
                cause: cause.clone(),
                push: pushed,
            };
            self.followed.pushed.insert(id.clone(), tracked);
            self.keep(id, judgement);
        } else {
            decided.manager_run.runs.push(NewRun {
                stack: id.clone(),
                kind,
                commit: commit.to_string(),
                cause: cause.clone(),
                judgements: judgement.into_iter().collect(),
                push: Some(pushed),
            });
        }
        Ok(decision)
    }

    /// Has the commit told that it was ignored, where the policies want it, and people what failed.
    fn ignore(
        &self,
        spec: &StackSpec,
        occasion: &Occasion<'_>,
        verdict: &PushVerdict,
        decided: &mut Decided,
    ) {
        let id = &spec.id;
        let repository = spec.repository.as_ref();
        let told = repository
            .and_then(|repository| status(repository, occasion.commit.as_str(), id, verdict));
        let Some(status) = told else { return };
        if status.is_failure {
            let (cause, text) = (&occasion.cause, &status.text);
            let message = format!("stack {id}: a push policy fails the {cause}: {text}");
            decided.problems.push(Problem::warning(message));
        }
        decided.manager_run.statuses.push(status);
    }

    /// Whether the stack is to have a run of this commit already.
    fn tracks(&self, stack: &StackId, commit: &CommitId, decided: &Decided) -> bool {
        let tip = decided.manager_run.tips.last();
        self.followed.pushed.contains_key(stack)
            && tip.is_some_and(|tip| {
                tip.stack == *stack && tip.tracked.as_deref() == Some(commit.as_str())
            })
    }

    fn keep(&mut self, stack: &StackId, judgement: Option<Arc<NewJudgement>>) {
        let judged = self.followed.judged.entry(stack.clone()).or_default();
        judged.extend(judgement);
    }
}
