//! What the policies of the manager's own stack say of its new commits, before anything of them is
//! recorded.
//!
//! The recorded policies judge: a commit cannot take away what judges it. As on Spacelift a push is
//! judged by its head's author, so commits in a row by one author are one push, and each push is
//! judged by itself: a bad commit below a good head is found. What the newest commit no longer
//! holds does not count, so a revert makes good what was denied.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use serde_json::{Value, json};
use tracing::debug_span;

use super::attached::attached;
use super::decide::resulting_of;
use super::equipment::Equipment;
use super::inputs::{plan_input, push_input};
use super::{Planned, ReconcileError};
use crate::event::RepositoryName;
use crate::git::{CommitId, CommitInfo, Repository};
use crate::manager::Manager;
use crate::module;
use crate::policy::input::{Run as PolicyRun, Sanitization, Stack as PolicyStack, TerraformPlan};
use crate::policy::{Policy, PolicyType, PushDecision, Rules, judge_plan, judge_push};
use crate::problem::Problem;
use crate::run::RunState;
use crate::stack::{Change, ChangeAction, Object, Phase, compare};
use crate::store::{NewJudgement, Store};

/// What policies say of one author's commits in a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ruling {
    /// The newest of them.
    pub commit: String,
    pub author: String,
    /// `policy NAME: MESSAGE`, as are the warnings.
    pub denied: Vec<String>,
    pub warned: Vec<String>,
    #[serde(skip)]
    pub(super) judgements: Vec<NewJudgement>,
}

struct Push {
    head: CommitId,
    info: CommitInfo,
    affected_files: Vec<String>,
}

struct Guard<'a> {
    planned: &'a Planned,
    cache: &'a Repository,
    last: CommitId,
    stack: PolicyStack,
    push_policies: Vec<Policy>,
    plan_policies: Vec<Policy>,
}

/// Judges what came to the manager's branch since the last recorded commit, oldest first. Nothing is
/// there to judge by before the first apply, nor in a plain directory.
pub fn judge(
    manager: &Manager,
    cache: &Repository,
    store: Option<&Store>,
    planned: &Planned,
) -> Result<Vec<Ruling>, ReconcileError> {
    let (Some(store), Some(head), Some(branch)) = (store, &planned.commit, &planned.branch) else {
        return Ok(Vec::new());
    };
    let Some(last) = store.last_recorded()? else {
        return Ok(Vec::new());
    };
    if last.commit == *head && planned.comparison.changes.is_empty() {
        return Ok(Vec::new());
    }
    let (Ok(from), Ok(head)) = (last.commit.parse::<CommitId>(), head.parse::<CommitId>()) else {
        return Ok(Vec::new());
    };
    // By its recorded name: a commit that renames the stack does not escape.
    let id = last
        .manager_stack
        .clone()
        .unwrap_or_else(|| planned.settings.manager_stack.clone());
    let near = store.policies_around(&BTreeSet::from([id.clone()]))?;
    let policies = |kind| attached(&near, &id, &[], kind).map_err(ReconcileError::Unguarded);
    let repository = planned.settings.repository.as_ref();
    let equipment = store.equipment(Some(&BTreeSet::from([id.clone()])))?;
    let equipment = Equipment::of(equipment.iter());
    let guard = Guard {
        planned,
        cache,
        last: from.clone(),
        push_policies: policies(PolicyType::GitPush)?,
        plan_policies: policies(PolicyType::Plan)?,
        stack: PolicyStack {
            name: id.clone(),
            contexts: equipment.contexts(&id, &[]),
            roles: equipment.roles(&id),
            id,
            branch: branch.clone(),
            namespace: repository.map(|name| name.owner().to_owned()),
            repository: repository
                .map(RepositoryName::name)
                .unwrap_or_default()
                .to_owned(),
            autodeploy: true,
            state: RunState::Finished.to_string(),
            ..PolicyStack::default()
        },
    };
    if guard.push_policies.is_empty() && guard.plan_policies.is_empty() {
        return Ok(Vec::new());
    }
    let pushes = guard.pushes(manager, branch, &head)?;
    let mut recorded = match pushes.len() {
        // Then the changes are the planned ones, of objects that the plan has looked at.
        0 | 1 => planned.recorded.clone(),
        _ => store.objects()?,
    };
    recorded.retain(|object| object.phase == Phase::Active);
    guard.rulings(recorded, &pushes, &head)
}

impl Guard<'_> {
    fn pushes(
        &self,
        manager: &Manager,
        branch: &str,
        head: &CommitId,
    ) -> Result<Vec<Push>, ReconcileError> {
        if *head == self.last {
            return Ok(Vec::new());
        }
        // A branch that was moved by force, or whose first parents lead elsewhere, is one push.
        let moves =
            debug_span!("fetch").in_scope(|| manager.moves(self.cache, branch, &self.last, head));
        let commits = match moves? {
            Some(commits) => commits,
            None => vec![(head.clone(), self.cache.commit_info(head)?)],
        };
        let standing = match &self.planned.changed {
            Some((from, changed)) if *from == self.last => changed.clone(),
            _ => self.changed(&self.last, head),
        };
        let mut pushes: Vec<Push> = Vec::new();
        for (index, (commit, info)) in commits.iter().enumerate() {
            let next = commits.get(index + 1);
            if next.is_some_and(|(_, next)| next.author.name() == info.author.name()) {
                continue;
            }
            let before = pushes.last().map_or(&self.last, |push| &push.head);
            let affected_files = match (before, commit) == (&self.last, head) {
                true => standing.clone(),
                false => {
                    let mut affected = self.changed(before, commit);
                    affected.retain(|file| standing.contains(file));
                    affected
                }
            };
            pushes.push(Push {
                head: commit.clone(),
                info: info.clone(),
                affected_files,
            });
        }
        Ok(pushes)
    }

    /// What cannot be compared counts as touching what nobody may touch.
    fn changed(&self, from: &CommitId, to: &CommitId) -> Vec<String> {
        self.cache
            .changed_paths(from, to)
            .unwrap_or_else(|_| vec!["unknown".to_owned()])
    }

    fn rulings(
        &self,
        mut objects: Vec<Object>,
        pushes: &[Push],
        head: &CommitId,
    ) -> Result<Vec<Ruling>, ReconcileError> {
        let standing: BTreeSet<&str> = self
            .planned
            .comparison
            .changes
            .iter()
            .map(|change| change.object.address.as_str())
            .collect();
        let mut rulings = Vec::new();
        for push in pushes {
            let mut ruling = self.ruling(&push.head, &push.info);
            let is_newest = push.head == *head;
            let changes = if is_newest && pushes.len() == 1 {
                self.planned.comparison.changes.clone()
            } else {
                let tree = self.cache.tree(&push.head)?;
                let evaluation = {
                    let given = self.planned.given.at(&push.head.to_string());
                    module::evaluate(&tree, "", &given, &self.stack.id)
                };
                compare(&objects, &evaluation).changes
            };
            let counted: Vec<Change> = changes
                .iter()
                .filter(|change| standing.contains(change.object.address.as_str()))
                .cloned()
                .collect();
            self.judge_push(&mut ruling, push, is_newest && !counted.is_empty());
            self.judge_plan(&mut ruling, push.info.author.name(), &objects, &counted);
            if !is_newest {
                objects = resulting_of(&objects, &changes);
            }
            rulings.push(ruling);
        }
        // Something waited for its turn, or was not recorded: the commit is as it was.
        if pushes.is_empty() && !standing.is_empty() {
            let info = self.cache.commit_info(head)?;
            let mut ruling = self.ruling(head, &info);
            let changes = &self.planned.comparison.changes;
            self.judge_plan(&mut ruling, info.author.name(), &objects, changes);
            rulings.push(ruling);
        }
        Ok(rulings)
    }

    fn ruling(&self, commit: &CommitId, info: &CommitInfo) -> Ruling {
        Ruling {
            commit: commit.to_string(),
            author: info.author.name().to_owned(),
            denied: Vec::new(),
            warned: Vec::new(),
            judgements: Vec::new(),
        }
    }

    /// A push that a policy fails is denied, and one that nobody tracks if it would change anything.
    fn judge_push(&self, ruling: &mut Ruling, push: &Push, must_be_tracked: bool) {
        if self.push_policies.is_empty() || push.affected_files.is_empty() {
            return;
        }
        let input = push_input(
            self.stack.clone(),
            &self.stack.branch,
            &push.head,
            Some(&push.info),
            push.affected_files.clone(),
        );
        let verdict = match judge_push(&self.push_policies, &input) {
            Ok(verdict) => verdict,
            Err(error) => return ruling.denied.push(error.to_string()),
        };
        let is_tracked = matches!(
            verdict.decision(false),
            PushDecision::Track | PushDecision::MoveHead
        );
        ruling
            .denied
            .extend(verdict.errors.iter().map(ToString::to_string));
        for opinion in &verdict.opinions {
            if opinion.rules.is_true("fail") {
                ruling
                    .denied
                    .extend(said(&opinion.policy, &opinion.rules, "message"));
            }
        }
        if must_be_tracked && !is_tracked && ruling.denied.is_empty() {
            let names: Vec<&str> = verdict.opinions.iter().map(|o| o.policy.as_str()).collect();
            ruling
                .denied
                .push(format!("policy {}: does not track it", names.join(", ")));
        }
        let kept = NewJudgement::new("GIT_PUSH", RunState::Queued, &input, &verdict);
        ruling.judgements.extend(kept.ok());
    }

    fn judge_plan(
        &self,
        ruling: &mut Ruling,
        author: &str,
        objects: &[Object],
        changes: &[Change],
    ) {
        if self.plan_policies.is_empty() {
            return;
        }
        let recorded: HashMap<&str, &Object> = objects
            .iter()
            .map(|object| (object.address.as_str(), object))
            .collect();
        let shown = json!({
            "resource_changes": changes.iter().map(|c| shown(c, &recorded)).collect::<Vec<_>>(),
        });
        let mut run = PolicyRun {
            id: ruling.commit.clone(),
            kind: "TRACKED".to_owned(),
            state: RunState::Planning.to_string(),
            branch: self.stack.branch.clone(),
            ..PolicyRun::default()
        };
        run.commit.hash.clone_from(&ruling.commit);
        run.commit.branch.clone_from(&self.stack.branch);
        run.commit.author = author.to_owned();
        run.commit.exist_on_tracked_branch = true;
        let plan = TerraformPlan::from_show(&shown, Sanitization::default());
        let input = plan_input(run, None, self.stack.clone(), plan);
        let verdict = judge_plan(&self.plan_policies, &input);
        ruling
            .denied
            .extend(verdict.errors.iter().map(ToString::to_string));
        for opinion in &verdict.opinions {
            let of = |rule| {
                opinion
                    .rules
                    .texts(rule)
                    .map(|text| told(&opinion.policy, text))
            };
            ruling.denied.extend(of("deny"));
            ruling.warned.extend(of("warn"));
        }
        let kept = NewJudgement::new("PLAN", RunState::Planning, &input, &verdict);
        ruling.judgements.extend(kept.ok());
    }
}

fn told(policy: &str, text: &str) -> String {
    format!("policy {policy}: {text}")
}

/// What the rule says, or that the policy says no more than no.
fn said(policy: &str, rules: &Rules, rule: &str) -> Vec<String> {
    let texts: Vec<String> = rules.texts(rule).map(|text| told(policy, text)).collect();
    if texts.is_empty() {
        vec![told(policy, "fails it")]
    } else {
        texts
    }
}

/// The change as `terraform show -json` prints it.
fn shown(change: &Change, recorded: &HashMap<&str, &Object>) -> Value {
    let object = &change.object;
    let address = change.moved_from.as_ref().unwrap_or(&object.address);
    let before = || {
        recorded
            .get(address.as_str())
            .map_or(Value::Null, |recorded| json!(recorded.attributes))
    };
    let after = || json!(object.attributes);
    let (actions, before, after): (&[&str], _, _) = match change.action {
        ChangeAction::Added => (&["create"], Value::Null, after()),
        ChangeAction::Changed if !change.is_visible() => (&["no-op"], before(), after()),
        ChangeAction::Changed => (&["update"], before(), after()),
        ChangeAction::Replaced => (&["delete", "create"], before(), after()),
        ChangeAction::Deleted => (&["delete"], before(), Value::Null),
    };
    json!({
        "address": object.address,
        "module_address": object.origin.calls.last().map(|call| &call.address),
        "mode": "managed",
        "type": object.kind,
        "name": object.name,
        "provider_name": "registry.terraform.io/spacelift-io/spacelift",
        "change": { "actions": actions, "before": before, "after": after },
    })
}

/// Refuses what is denied, and what is warned of unless a person named `confirmed`, the newest
/// commit or its first digits.
pub(super) fn check(
    rulings: &[Ruling],
    head: Option<&str>,
    confirmed: Option<&str>,
) -> Result<(), ReconcileError> {
    let denied: Vec<Ruling> = rulings
        .iter()
        .filter(|r| !r.denied.is_empty())
        .cloned()
        .collect();
    if !denied.is_empty() {
        return Err(ReconcileError::Denied { rulings: denied });
    }
    let head = head.unwrap_or_default();
    let is_confirmed = confirmed.is_some_and(|named| named.len() >= 7 && head.starts_with(named));
    let warned: Vec<String> = rulings.iter().flat_map(|r| r.warned.clone()).collect();
    if warned.is_empty() || is_confirmed {
        return Ok(());
    }
    Err(ReconcileError::Unconfirmed {
        commit: head.to_owned(),
        warnings: warned,
    })
}

/// What the rulings say, in one line.
pub(super) fn summed(rulings: &[Ruling]) -> String {
    let of = |ruling: &Ruling| {
        format!(
            "commit {} by {}: {}",
            super::decide::short(&ruling.commit),
            ruling.author,
            ruling.denied.join("; ")
        )
    };
    rulings.iter().map(of).collect::<Vec<_>>().join("; ")
}

/// The rulings as problems: for a plan, which changes nothing.
pub fn problems(rulings: &[Ruling]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for ruling in rulings.iter().filter(|ruling| !ruling.denied.is_empty()) {
        problems.push(Problem::error(summed(std::slice::from_ref(ruling))));
    }
    let warned = rulings.iter().flat_map(|ruling| &ruling.warned);
    problems.extend(warned.map(Problem::warning));
    problems
}
