//! What happened in the repositories of stacks since the last look: pushes, and events of pull requests.
//!
//! A stack's own branch is compared with what the stack has seen of it, every other branch of its
//! repository with where it stood when the repository was last looked at. What follows from each is
//! for GIT_PUSH policies to say (`occasions`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attached::Policies;
use super::decide::{Decided, Situation};
use super::mirrors::{Push, RepositoryKey};
use super::occasions::Occasion;
use crate::git::{CommitId, CommitInfo, Repository};
use crate::policy::PushDecision;
use crate::stack::{Object, StackId, StackSpec};
use crate::store::{NewJudgement, Pushed, Run, StackHead, Tip};

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
    pub(super) situation: &'a Situation<'a>,
    pub(super) policies: Policies<'a>,
    /// The runs of each stack that have not ended.
    pub(super) unfinished: BTreeMap<&'a StackId, Vec<&'a Run>>,
    /// What each push changed, once that is known.
    contents: BTreeMap<(RepositoryKey, String, CommitId), Content>,
    pub(super) followed: Followed,
    /// Branches that some policy gave no answer to: they are looked at again as they were.
    unanswered: BTreeSet<(RepositoryKey, String)>,
    /// Pull requests of which that is so.
    unjudged: BTreeMap<RepositoryKey, BTreeSet<u64>>,
}

#[derive(Clone)]
pub(super) struct Content {
    /// `None` where that is not known: it counts as touching every project.
    pub(super) affected: Option<Vec<String>>,
    pub(super) info: Option<CommitInfo>,
}

impl<'a> Pushes<'a> {
    pub(super) fn of(situation: &'a Situation<'a>, objects: &'a [Object]) -> Self {
        let mut unfinished: BTreeMap<&StackId, Vec<&Run>> = BTreeMap::new();
        for run in situation.unfinished {
            unfinished.entry(&run.stack).or_default().push(run);
        }
        Self {
            situation,
            policies: Policies::of(objects),
            unfinished,
            contents: BTreeMap::new(),
            followed: Followed::default(),
            unanswered: BTreeSet::new(),
            unjudged: BTreeMap::new(),
        }
    }

    /// Judges what was pushed to the stack's repository.
    pub(super) fn look(&mut self, subject: &Subject<'_>, decided: &mut Decided) {
        let situation = self.situation;
        let key = subject.spec.repository.as_ref().map(RepositoryKey::from);
        let looked = key.as_ref().and_then(|key| situation.looked.get(key));
        let looked = looked.and_then(|looked| looked.as_ref().ok());
        let head = situation.known.heads.get(&subject.spec.id);
        let tip = looked.and_then(|looked| looked.branches.get(&subject.spec.branch));
        if let Some(tip) = self.own_branch(subject, head, tip, decided) {
            decided.manager_run.tips.push(tip);
        }
        // A new stack has seen nothing yet.
        let (Some(key), Some(looked), Some(_)) = (key, looked, head) else {
            return;
        };
        for push in &looked.pushes {
            if push.branch == subject.spec.branch {
                continue;
            }
            let content = self.content(subject.spec, push);
            let is_answered = self.moves(subject, &Occasion::push(push, content), decided);
            if !is_answered {
                self.unanswered.insert((key.clone(), push.branch.clone()));
            }
        }
        let heard = situation.heard.get(&key);
        for event in heard.into_iter().flat_map(|heard| &heard.events) {
            let is_answered = self.moves(subject, &Occasion::event(event), decided);
            if !is_answered {
                let unjudged = self.unjudged.entry(key.clone()).or_default();
                unjudged.insert(event.pull_request.number);
            }
        }
    }

    /// Judges what happened on no branch of the stack's own, which may move its head; `false` where
    /// policies gave no answer.
    fn moves(
        &mut self,
        subject: &Subject<'_>,
        occasion: &Occasion<'_>,
        decided: &mut Decided,
    ) -> bool {
        match self.judge(subject, occasion, decided) {
            Some(PushDecision::Track | PushDecision::MoveHead) => {
                self.other_tip(subject, occasion.commit, decided);
                true
            }
            Some(PushDecision::Propose | PushDecision::Ignore) => true,
            None => false,
        }
    }

    /// The head of the stack moves to a branch that is not its own.
    fn other_tip(&self, subject: &Subject<'_>, to: &CommitId, decided: &mut Decided) {
        let id = &subject.spec.id;
        let tips = &mut decided.manager_run.tips;
        let tracked = Some(to.to_string());
        // Stacks are looked at one after another: what was found of this one stands last.
        match tips.last_mut().filter(|tip| tip.stack == *id) {
            Some(tip) => tip.tracked = tracked,
            None => tips.push(Tip {
                stack: id.clone(),
                seen: self
                    .situation
                    .known
                    .heads
                    .get(id)
                    .and_then(|head| head.seen_commit.clone()),
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
        let all_judged = BTreeSet::new();
        for (key, heard) in self.situation.heard {
            let unjudged = self.unjudged.get(key).unwrap_or(&all_judged);
            let heard = heard.remembered(unjudged);
            decided
                .manager_run
                .heard
                .insert(key.as_str().to_owned(), heard);
        }
        self.followed
    }

    /// What a look at the stack's branch, which is at `tip` now, tells, if it is news; `head` is what was seen
    /// before.
    fn own_branch(
        &mut self,
        subject: &Subject<'_>,
        head: Option<&StackHead>,
        tip: Option<&CommitId>,
        decided: &mut Decided,
    ) -> Option<Tip> {
        let Subject {
            object,
            spec,
            before,
        } = subject;
        let tip_of = |seen: Option<&CommitId>, tracked: Option<String>| {
            Some(Tip {
                stack: spec.id.clone(),
                seen: seen.map(ToString::to_string),
                tracked,
            })
        };
        let seen = head.and_then(|head| head.seen_commit.as_deref());
        let moved = tip_of(tip, tip.map(ToString::to_string));
        if before.is_some_and(|before| tracks_another_branch(before, object)) {
            // What the old branch had is not to be applied in the name of the new one.
            return moved;
        }
        // A vanished branch is neither a push nor a deletion.
        let tip = tip?;
        let Some(seen) = seen else { return moved };
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
        let content = self.content(spec, &push);
        match self.judge(subject, &Occasion::push(&push, content), decided)? {
            PushDecision::Track | PushDecision::MoveHead => moved,
            PushDecision::Propose | PushDecision::Ignore => {
                let tracked = head.and_then(|head| head.tracked_commit.clone());
                tip_of(Some(tip), tracked.or_else(|| Some(seen.to_owned())))
            }
        }
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
