//! What pushes to the repositories of stacks lead to, as GIT_PUSH policies have it.
//!
//! A stack's own branch is compared with what the stack has seen of it, every other branch of its
//! repository with where it stood when the repository was last looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attached::Policies;
use super::decide::{Decided, Situation, stack_input};
use super::inputs::{push_input, run_in_progress};
use super::mirrors::{Push, RepositoryKey};
use super::pull_requests::{Asked, Unanswered};
use crate::git::{CommitId, CommitInfo, Repository};
use crate::policy::input::{Commit, PushInput, PushedCommit};
use crate::policy::{PolicyType, PushDecision, PushVerdict, judge_push};
use crate::problem::Problem;
use crate::run::{RunState, RunType};
use crate::stack::{Object, StackId, StackSpec};
use crate::store::{NewJudgement, NewRun, Pushed, Run, StackLock, StoreError, Tip};

/// A stack that is to stand, and how it is recorded.
pub(super) struct Subject<'a> {
    pub(super) object: &'a Object,
    pub(super) spec: &'a StackSpec,
    pub(super) before: Option<&'a Object>,
}

/// A TRACKED run that a push calls for.
pub(super) struct Tracked {
    pub(super) cause: String,
    pub(super) push: Pushed,
}

/// What follows from all pushes, for the runs of their stacks.
#[derive(Default)]
pub(super) struct Followed {
    pub(super) pushed: BTreeMap<StackId, Tracked>,
    pub(super) judged: BTreeMap<StackId, Vec<Arc<NewJudgement>>>,
}

/// The pushes since the last look, as they are judged stack by stack.
pub(super) struct Pushes<'a> {
    situation: &'a Situation<'a>,
    policies: Policies<'a>,
    /// What each push changed, once that is known.
    contents: BTreeMap<(RepositoryKey, String, CommitId), Content>,
    followed: Followed,
    /// The open pull requests of branches, once somebody has to know.
    pull_requests: BTreeMap<(RepositoryKey, String), Option<Asked>>,
    /// Repositories that were asked about one and gave no answer.
    silent: BTreeMap<RepositoryKey, Unanswered>,
    /// Branches that some policy gave no answer to: they are looked at again as they were.
    unanswered: BTreeSet<(RepositoryKey, String)>,
}

#[derive(Clone)]
struct Content {
    /// `None` where that is not known: it counts as touching every project.
    affected: Option<Vec<String>>,
    info: Option<CommitInfo>,
}

impl<'a> Pushes<'a> {
    pub(super) fn of(situation: &'a Situation<'a>, objects: &'a [Object]) -> Self {
        Self {
            situation,
            policies: Policies::of(objects),
            contents: BTreeMap::new(),
            pull_requests: BTreeMap::new(),
            silent: BTreeMap::new(),
            followed: Followed::default(),
            unanswered: BTreeSet::new(),
        }
    }

    /// Judges what was pushed to the stack's repository.
    pub(super) fn look(&mut self, subject: &Subject<'_>, decided: &mut Decided) {
        if let Some(tip) = self.own_branch(subject, decided) {
            decided.manager_run.tips.push(tip);
        }
        let Some(repository) = &subject.spec.repository else {
            return;
        };
        let key = RepositoryKey::from(repository);
        let situation = self.situation;
        let Some(Ok(looked)) = situation.looked.get(&key) else {
            return;
        };
        // A new stack has seen nothing yet.
        let is_known = |stack| situation.records.contains_key(stack);
        for push in looked.pushes.iter().filter(|_| is_known(&subject.spec.id)) {
            if push.branch == subject.spec.branch {
                continue;
            }
            match self.judge_events(subject, push, decided) {
                Some(PushDecision::Track | PushDecision::MoveHead) => {
                    self.other_tip(subject, push, decided);
                }
                Some(PushDecision::Propose | PushDecision::Ignore) => {}
                None => {
                    self.unanswered.insert((key.clone(), push.branch.clone()));
                }
            }
        }
    }

    /// The head of the stack moves to a branch that is not its own.
    fn other_tip(&self, subject: &Subject<'_>, push: &Push, decided: &mut Decided) {
        let id = &subject.spec.id;
        let tips = &mut decided.manager_run.tips;
        let tracked = Some(push.to.to_string());
        match tips.iter_mut().find(|tip| tip.stack == *id) {
            Some(tip) => tip.tracked = tracked,
            None => tips.push(Tip {
                stack: id.clone(),
                seen: self
                    .situation
                    .records
                    .get(id)
                    .and_then(|record| record.seen_commit.clone()),
                tracked,
            }),
        }
    }

    /// What follows from all of them.
    pub(super) fn end(self, decided: &mut Decided) -> Followed {
        for (key, looked) in self.situation.looked {
            let Ok(looked) = looked else { continue };
            let mut branches: BTreeMap<String, String> = looked
                .branches
                .iter()
                .map(|(branch, tip)| (branch.clone(), tip.to_string()))
                .collect();
            for push in &looked.pushes {
                if !self
                    .unanswered
                    .contains(&(key.clone(), push.branch.clone()))
                {
                    continue;
                }
                match push.from.as_ref().filter(|_| !push.is_new) {
                    Some(from) => branches.insert(push.branch.clone(), from.to_string()),
                    None => branches.remove(&push.branch),
                };
            }
            if self.situation.seen.get(key) != Some(&Some(branches.clone())) {
                let key = key.as_str().to_owned();
                decided.manager_run.looked.insert(key, branches);
            }
        }
        self.followed
    }

    /// What a look at the stack's branch tells, if it is news.
    fn own_branch(&mut self, subject: &Subject<'_>, decided: &mut Decided) -> Option<Tip> {
        let Subject {
            object,
            spec,
            before,
        } = subject;
        let situation = self.situation;
        let tip_of = |seen: Option<&CommitId>, tracked: Option<String>| {
            Some(Tip {
                stack: spec.id.clone(),
                seen: seen.map(ToString::to_string),
                tracked,
            })
        };
        let tip = spec.repository.as_ref().and_then(|repository| {
            let looked = situation.looked.get(&RepositoryKey::from(repository))?;
            looked.as_ref().ok()?.branches.get(&spec.branch)
        });
        let record = situation.records.get(&spec.id);
        let seen = record.and_then(|record| record.seen_commit.as_deref());
        let head = tip_of(tip, tip.map(ToString::to_string));
        if before.is_some_and(|before| tracks_another_branch(before, object)) {
            // What the old branch had is not to be applied in the name of the new one.
            return head;
        }
        // A vanished branch is neither a push nor a deletion.
        let tip = tip?;
        let Some(seen) = seen else { return head };
        if seen == tip.as_str() {
            return None;
        }
        let push = Push {
            branch: spec.branch.clone(),
            from: seen.parse().ok(),
            is_new: false,
            to: tip.clone(),
        };
        // What nobody has judged, the next look sees as it is seen now.
        match self.judge_events(subject, &push, decided)? {
            PushDecision::Track | PushDecision::MoveHead => head,
            PushDecision::Propose | PushDecision::Ignore => {
                let tracked = record.and_then(|record| record.tracked_commit.clone());
                tip_of(Some(tip), tracked.or_else(|| Some(seen.to_owned())))
            }
        }
    }

    /// Judges a push, and where it is ignored the event of the pull request that it belongs to: of
    /// two events of one commit the first that leads to something counts, as on Spacelift.
    fn judge_events(
        &mut self,
        subject: &Subject<'_>,
        push: &Push,
        decided: &mut Decided,
    ) -> Option<PushDecision> {
        let decision = self.judge(subject, push, None, decided)?;
        if decision != PushDecision::Ignore {
            return Some(decision);
        }
        match self.pull_request(subject.spec, push) {
            Ok(None) => Some(decision),
            Ok(Some(asked)) => self.judge(subject, push, Some(&asked), decided),
            // Of a repository that does not answer it is told once.
            Err(error) => {
                let warning = Problem::warning(format!("pull requests are not judged: {error}"));
                if !decided.problems.contains(&warning) {
                    decided.problems.push(warning);
                }
                None
            }
        }
    }

    /// The open pull request of the branch, asked for once.
    fn pull_request(&mut self, spec: &StackSpec, push: &Push) -> Result<Option<Asked>, Unanswered> {
        let (Some(name), Some(door)) = (&spec.repository, self.situation.pull_requests) else {
            return Ok(None);
        };
        let mirrors = self.situation.mirrors;
        let repository = RepositoryKey::from(name);
        if let Some(error) = self.silent.get(&repository) {
            return Err(error.clone());
        }
        let key = (repository, push.branch.clone());
        if let Some(asked) = self.pull_requests.get(&key) {
            return Ok(asked.clone());
        }
        let open = door.of_branch(name, &push.branch).inspect_err(|error| {
            self.silent.insert(key.0.clone(), error.clone());
        })?;
        let asked = open.map(|open| Asked::of(open, mirrors.open(name).ok(), push));
        Ok(self.pull_requests.entry(key).or_insert(asked).clone())
    }

    /// Asks the stack's policies of a push, or of its pull request, and does what they say beside
    /// moving its head; `None` where they gave no answer.
    fn judge(
        &mut self,
        subject: &Subject<'_>,
        push: &Push,
        asked: Option<&Asked>,
        decided: &mut Decided,
    ) -> Option<PushDecision> {
        let Subject { object, spec, .. } = subject;
        let situation = self.situation;
        let Content { affected, info } = self.content(spec, push);
        // What cannot be compared (a history that was thrown away) counts as touching the project.
        let unknown = || vec![crate::files::join(&spec.project_root, "unknown")];
        let affected = affected.unwrap_or_else(unknown);
        let in_progress: Vec<&Run> = situation
            .unfinished
            .iter()
            .filter(|run| run.stack == spec.id)
            .collect();
        let stack = stack_input(situation, object, spec);
        let pushed = push_input(stack, &push.branch, &push.to, info.as_ref(), affected);
        let pull_request = asked.map(|asked| {
            let action = if push.is_new { "opened" } else { "synchronize" };
            asked.input(action, &pushed, spec, unknown)
        });
        let input = PushInput {
            in_progress: in_progress
                .iter()
                .map(|run| run_in_progress(run, &spec.branch))
                .collect(),
            push: PushedCommit {
                commit: Commit {
                    pull_request_id: pull_request.as_ref().map(|pull_request| pull_request.id),
                    ..pushed.push.commit.clone()
                },
                ..pushed.push
            },
            pull_request,
            ..pushed
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
        let judgement = decided.judgement(kind, &input, &verdict);
        let decision = self
            .follow(spec, push, &verdict, &in_progress, judgement, decided)
            .map_err(|error| decided.problems.push(Problem::error(error.to_string())))
            .ok()?;
        Some(decision)
    }

    fn follow(
        &mut self,
        spec: &StackSpec,
        push: &Push,
        verdict: &PushVerdict,
        in_progress: &[&Run],
        judgement: Option<Arc<NewJudgement>>,
        decided: &mut Decided,
    ) -> Result<PushDecision, StoreError> {
        let situation = self.situation;
        let id = &spec.id;
        let cause = format!("push of {} to {}", push.to.short(), push.branch);
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
        let decision = verdict.decision(false);
        let kind = match decision {
            PushDecision::Track => RunType::Tracked,
            PushDecision::Propose => RunType::Proposed,
            PushDecision::MoveHead | PushDecision::Ignore => {
                self.keep(id, judgement);
                return Ok(decision);
            }
        };
        // The same commit may stand on several branches, and be looked at twice.
        let is_own = push.branch == spec.branch;
        let is_queued =
            decided.manager_run.runs.iter().any(|run| {
                (&run.stack, run.kind, run.commit.as_str()) == (id, kind, push.to.as_str())
            });
        let is_known = || situation.store.has_run(id, kind, push.to.as_str());
        if (kind == RunType::Proposed || !is_own) && (is_queued || is_known()?) {
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
            branch: push.branch.clone(),
            lock_key: verdict.lock.clone(),
            external_dependencies: verdict.external_dependency.clone(),
        };
        if kind == RunType::Tracked {
            let tracked = Tracked {
                cause,
                push: pushed,
            };
            self.followed.pushed.insert(id.clone(), tracked);
            self.keep(id, judgement);
        } else {
            decided.manager_run.runs.push(NewRun {
                stack: id.clone(),
                kind,
                commit: push.to.to_string(),
                cause,
                judgements: judgement.into_iter().collect(),
                push: Some(pushed),
            });
        }
        Ok(decision)
    }

    fn keep(&mut self, stack: &StackId, judgement: Option<Arc<NewJudgement>>) {
        let judged = self.followed.judged.entry(stack.clone()).or_default();
        judged.extend(judgement);
    }

    /// What the push changed: found once for all stacks of the repository that it is compared for.
    fn content(&mut self, spec: &StackSpec, push: &Push) -> Content {
        let Some(name) = &spec.repository else {
            return Content {
                affected: None,
                info: None,
            };
        };
        let from = push.from.as_ref().map(ToString::to_string);
        let key = (
            RepositoryKey::from(name),
            from.unwrap_or_default(),
            push.to.clone(),
        );
        let mirrors = self.situation.mirrors;
        let found = self.contents.entry(key).or_insert_with(|| {
            let mirror = mirrors.open(name).ok();
            Content {
                affected: mirror.as_ref().and_then(|mirror| affected(mirror, push)),
                info: mirror.and_then(|mirror| mirror.commit_info(&push.to).ok()),
            }
        });
        found.clone()
    }
}

fn affected(mirror: &Repository, push: &Push) -> Option<Vec<String>> {
    let from = push.from.as_ref()?;
    if !push.is_new {
        return mirror.changed_paths(from, &push.to).ok();
    }
    let parting = mirror.parting(from, &push.to).ok()??;
    mirror.changed_paths(&parting, &push.to).ok()
}

/// Whether the recorded stack has another branch or repository than the one that is wanted.
fn tracks_another_branch(recorded: &Object, object: &Object) -> bool {
    let differs = |name| recorded.value(name) != object.value(name);
    differs("branch") || differs("repository") || differs("github_enterprise")
}
