//! Objects in the shape that policies are asked in.

use std::collections::BTreeMap;

use super::equipment::Equipment;
use super::mirrors::Mirrors;
use crate::clock::Time;
use crate::event::RepositoryName;
use crate::git::{CommitId, CommitInfo};
use crate::policy::input::{
    Action as PolicyAction, Change as PolicyChange, Commit, FinishedRun, Phase as ChangePhase,
    PlanContext, PlanInput, PushInput, PushedCommit, QueueingStack, ResourceChange,
    Run as PolicyRun, RunInProgress, RuntimeConfig, Sanitization, Space, Stack as PolicyStack,
    StateChange, TerraformPlan, TriggerInput,
};
use crate::stack::{Change, ChangeAction, Object, StackSpec};
use crate::store::{Run, StackHead};

/// The manager's own run as a TRIGGER policy sees it: it has just ended, with `changes`.
pub(super) fn trigger_input(
    manager_stack: &str,
    commit: &str,
    changes: &[&Change],
    failed: bool,
    stacks: Vec<QueueingStack>,
    now: Time,
) -> TriggerInput {
    let state = if failed { "FAILED" } else { "FINISHED" };
    let states_history = [
        "QUEUED",
        "READY",
        "PREPARING",
        "INITIALIZING",
        "PLANNING",
        "APPLYING",
        state,
    ]
    .map(|state| StateChange {
        new_state: state.to_owned(),
    })
    .to_vec();
    let run = PolicyRun {
        id: commit.to_owned(),
        kind: "TRACKED".to_owned(),
        state: state.to_owned(),
        commit: Commit {
            hash: commit.to_owned(),
            ..Commit::default()
        },
        changes: changes
            .iter()
            .filter(|change| change.is_visible())
            .flat_map(|change| policy_changes(change))
            .collect(),
        created_at: nanoseconds(now),
        updated_at: nanoseconds(now),
        ..PolicyRun::default()
    };
    TriggerInput {
        run: FinishedRun {
            run,
            states_history,
        },
        stack: PolicyStack {
            id: manager_stack.to_owned(),
            name: manager_stack.to_owned(),
            state: state.to_owned(),
            ..PolicyStack::default()
        },
        stacks,
        workflow: Vec::new(),
    }
}

/// A change as a run shows it: once planned, once applied.
fn policy_changes(change: &Change) -> [PolicyChange; 2] {
    let action = match change.action {
        ChangeAction::Changed if change.before.is_empty() => PolicyAction::NoOp,
        ChangeAction::Added => PolicyAction::Added,
        ChangeAction::Changed => PolicyAction::Changed,
        ChangeAction::Replaced => PolicyAction::ReplacedAfterDestroy,
        ChangeAction::Deleted => PolicyAction::Deleted,
    };
    let object = &change.object;
    [ChangePhase::Plan, ChangePhase::Apply].map(|phase| PolicyChange {
        moved: change.moved_from.is_some(),
        ..PolicyChange::resource(
            phase,
            action,
            &object.address,
            &object.kind,
            &object.name,
            &object.values(),
        )
    })
}

/// A stack as policies see it; `state` is that of its last run.
pub(super) fn policy_stack(
    object: &Object,
    spec: &StackSpec,
    equipment: &Equipment,
    head: Option<&StackHead>,
    state: &str,
) -> PolicyStack {
    let tracked_commit = head
        .and_then(|head| head.tracked_commit.clone())
        .map(|hash| Commit {
            hash,
            branch: spec.branch.clone(),
            ..Commit::default()
        });
    PolicyStack {
        additional_project_globs: spec.additional_project_globs.clone(),
        administrative: object.flag("administrative"),
        autodeploy: spec.autodeploy,
        branch: spec.branch.clone(),
        contexts: equipment.contexts(spec.id.as_str(), &spec.labels),
        id: spec.id.to_string(),
        labels: spec.labels.clone(),
        name: spec.name.clone(),
        namespace: spec
            .repository
            .as_ref()
            .map(|repository| repository.owner().to_owned()),
        project_root: spec.project_root.clone(),
        repository: object.text("repository").to_owned(),
        roles: equipment.roles(spec.id.as_str()),
        space: space(object),
        state: state.to_owned(),
        terraform_version: Some(object.text("terraform_version").to_owned())
            .filter(|version| !version.is_empty()),
        terraform_workflow_tool: object.text("terraform_workflow_tool").to_owned(),
        tracked_commit,
        ..PolicyStack::default()
    }
}

/// Its space as far as the stack names it.
fn space(stack: &Object) -> Space {
    match stack.text("space_id") {
        "" => Space::default(),
        id => Space {
            id: id.to_owned(),
            labels: Vec::new(),
            name: id.to_owned(),
        },
    }
}

/// What a stack's runs are configured with, as policies see it.
pub(super) fn runtime_config(stack: &Object) -> RuntimeConfig {
    RuntimeConfig {
        after_apply: stack.texts("after_apply"),
        after_destroy: stack.texts("after_destroy"),
        after_init: stack.texts("after_init"),
        after_perform: stack.texts("after_perform"),
        after_plan: stack.texts("after_plan"),
        after_run: stack.texts("after_run"),
        before_apply: stack.texts("before_apply"),
        before_destroy: stack.texts("before_destroy"),
        before_init: stack.texts("before_init"),
        before_perform: stack.texts("before_perform"),
        before_plan: stack.texts("before_plan"),
        environment: BTreeMap::new(),
        git_sparse_checkout_paths: stack.texts("git_sparse_checkout_paths"),
        project_root: stack.text("project_root").to_owned(),
        runner_image: stack.text("runner_image").to_owned(),
        terraform_version: Some(stack.text("terraform_version").to_owned())
            .filter(|version| !version.is_empty()),
    }
}

/// Which strings of the stack's plans policies see only the digest of: a label turns it off, an
/// attribute of the stack or of its `opentofu` block leaves it to what is sensitive.
pub(super) fn sanitization(stack: &Object, labels: &[String]) -> Sanitization {
    const OFF: &str = "feature:disable_resource_sanitization";
    let opentofu = stack.attributes.get("opentofu");
    let opentofu = opentofu.and_then(|blocks| blocks.get(0));
    let is_smart = match opentofu {
        // Smart unless it says otherwise.
        Some(block) => block["smart_sanitization"].as_bool().unwrap_or(true),
        None => stack.flag("terraform_smart_sanitization"),
    };
    match (labels.iter().any(|label| label == OFF), is_smart) {
        (true, _) => Sanitization::Off,
        (false, true) => Sanitization::Sensitive,
        (false, false) => Sanitization::All,
    }
}

/// The commit of a run of the stack, as far as the mirror of its repository knows it.
pub(super) fn commit_of(mirrors: &Mirrors, stack: &PolicyStack, run: &Run) -> Commit {
    let hash = &run.commit;
    let owner = stack.namespace.as_deref().unwrap_or_default();
    let repository: Option<RepositoryName> = format!("{owner}/{}", stack.repository).parse().ok();
    let mirror = repository.and_then(|repository| mirrors.open(&repository).ok());
    let info = mirror.zip(hash.parse().ok());
    let info = info.and_then(|(mirror, commit)| mirror.commit_info(&commit).ok());
    let branch = run.branch.as_ref().unwrap_or(&stack.branch);
    let pull_request = run.pull_request.map(i64::try_from);
    Commit {
        exist_on_tracked_branch: *branch == stack.branch,
        pull_request_id: pull_request.and_then(Result::ok),
        ..described(hash, branch, info.as_ref())
    }
}

/// A commit that was seen on `branch`.
pub(super) fn described(hash: &str, branch: &str, info: Option<&CommitInfo>) -> Commit {
    Commit {
        author: info
            .map(|info| info.author.name().to_owned())
            .unwrap_or_default(),
        branch: branch.to_owned(),
        created_at: info.map(|info| nanoseconds(info.time)).unwrap_or_default(),
        hash: hash.to_owned(),
        message: info.map(|info| info.message.clone()).unwrap_or_default(),
        ..Commit::default()
    }
}

/// What was pushed to `branch` of the stack's repository, as a GIT_PUSH policy sees it.
pub(super) fn push_input(
    stack: PolicyStack,
    branch: &str,
    tip: &CommitId,
    info: Option<&CommitInfo>,
    affected_files: Vec<String>,
) -> PushInput {
    let commit = Commit {
        exist_on_tracked_branch: stack.branch == branch,
        ..described(tip.as_str(), branch, info)
    };
    PushInput {
        push: PushedCommit {
            affected_files,
            commit,
        },
        stack,
        ..PushInput::default()
    }
}

/// A run of the stack as a GIT_PUSH policy sees it beside the push.
/// `branch` is the stack's.
pub(super) fn run_in_progress(run: &Run, branch: &str) -> RunInProgress {
    let branch = run.branch.as_deref().unwrap_or(branch);
    RunInProgress {
        branch: branch.to_owned(),
        commit: Commit {
            hash: run.commit.clone(),
            branch: branch.to_owned(),
            ..Commit::default()
        },
        created_at: nanoseconds(run.created_at),
        id: run.id.to_string(),
        kind: run.kind.to_string(),
        state: run.state.to_string(),
        updated_at: nanoseconds(run.updated_at),
        ..RunInProgress::default()
    }
}

/// A run of `commit` as policies see it, with the flags that earlier policies left on it.
pub(super) fn policy_run(
    run: &Run,
    commit: Commit,
    runtime_config: RuntimeConfig,
    flags: Vec<String>,
    changes: Vec<PolicyChange>,
) -> PolicyRun {
    // An event has nobody who triggered it.
    let is_event = |cause: &String| {
        let words = ["push of ", "pull request #", "comment "];
        words.iter().any(|word| cause.starts_with(word))
    };
    let triggered_by = Some(run.cause.clone()).filter(|cause| !is_event(cause));
    PolicyRun {
        id: run.id.to_string(),
        kind: run.kind.to_string(),
        state: run.state.to_string(),
        branch: commit.branch.clone(),
        commit,
        runtime_config,
        triggered_by,
        flags,
        changes,
        created_at: nanoseconds(run.created_at),
        updated_at: nanoseconds(run.updated_at),
        ..PolicyRun::default()
    }
}

/// A plan as a PLAN policy sees it.
pub(super) fn plan_input(
    run: PolicyRun,
    previous_run: Option<PolicyRun>,
    stack: PolicyStack,
    plan: TerraformPlan,
) -> PlanInput {
    PlanInput {
        spacelift: PlanContext {
            commit: run.commit.clone(),
            previous_run,
            run,
            stack,
            ..PlanContext::default()
        },
        terraform: plan,
        ..PlanInput::default()
    }
}

/// The changes that a plan in the shape of `show -json` would make.
pub(super) fn planned_changes(plan: &TerraformPlan) -> Vec<PolicyChange> {
    let change = |resource: &ResourceChange| {
        let actions: Vec<&str> = resource.change.actions.iter().map(String::as_str).collect();
        let action = PolicyAction::from_terraform(&actions)?;
        // A value that is deleted is described by what it was.
        let values = match &resource.change.after {
            serde_json::Value::Object(values) => values.clone(),
            _ => resource
                .change
                .before
                .as_object()
                .cloned()
                .unwrap_or_default(),
        };
        let mut change = PolicyChange::resource(
            ChangePhase::Plan,
            action,
            &resource.address,
            &resource.kind,
            &resource.name,
            &serde_json::Map::new(),
        );
        // The plan is sanitised already.
        change.entity.data.values = values;
        Some(change)
    };
    plan.resource_changes.iter().filter_map(change).collect()
}

pub(super) fn nanoseconds(time: Time) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says where it stopped")]
mod tests {
    use std::sync::Arc;

    use serde_json::{Map, Value, json};

    use super::{sanitization, trigger_input};
    use crate::clock::Time;
    use crate::module::{Origin, Resource};
    use crate::policy::input::Sanitization;
    use crate::stack::{Change, ChangeAction, Object};

    const ADDRESS: &str = "module.hello.module.x.spacelift_environment_variable.version";

    fn change(action: ChangeAction, before: Value, moved_from: Option<&str>) -> Change {
        let attributes = json!({"id": "s/V", "stack_id": "abc", "write_only": false});
        Change {
            action,
            object: Object::from_resource(&Arc::new(Resource {
                address: ADDRESS.to_owned(),
                kind: "spacelift_environment_variable".to_owned(),
                name: "version".to_owned(),
                attributes: attributes.as_object().unwrap().clone().into(),
                sensitive: Arc::default(),
                depends_on: Arc::from([]),
                origin: Origin::default(),
            })),
            before: before.as_object().cloned().unwrap_or_default(),
            were_sensitive: Arc::default(),
            moved_from: moved_from.map(str::to_owned),
        }
    }

    fn told(change: Change) -> Vec<Map<String, Value>> {
        let now = Time::UNIX_EPOCH;
        let input = trigger_input("manager", "c0ffee", &[&change], false, Vec::new(), now);
        let told = serde_json::to_value(input.run.run.changes).unwrap();
        serde_json::from_value(told).unwrap()
    }

    #[test]
    fn each_change_is_told_field_by_field_as_the_contract_has_it() {
        let differs = || json!({"value": "1"});
        for (action, before, moved_from, expected) in [
            (ChangeAction::Added, json!({}), None, "added"),
            (ChangeAction::Changed, differs(), None, "changed"),
            (ChangeAction::Changed, differs(), Some("a.b"), "changed"),
            (ChangeAction::Changed, json!({}), Some("a.b"), "no-op"),
            (
                ChangeAction::Replaced,
                differs(),
                None,
                "destroy-Before-create-replaced",
            ),
            (ChangeAction::Deleted, json!({}), None, "deleted"),
        ] {
            let changes = told(change(action, before, moved_from));
            assert_eq!(changes.len(), 2, "{expected}");
            for (change, phase) in changes.into_iter().zip(["plan", "apply"]) {
                let names: Vec<&String> = change.keys().collect();
                assert_eq!(names, ["action", "entity", "moved", "phase"]);
                assert_eq!(change["phase"], phase);
                assert_eq!(change["action"], expected);
                assert_eq!(change["moved"], moved_from.is_some());
                let entity = change["entity"].as_object().unwrap();
                assert_eq!(entity.len(), 6, "{entity:?}");
                assert_eq!(entity["address"], ADDRESS);
                assert_eq!(entity["name"], "version");
                assert_eq!(entity["type"], "spacelift_environment_variable");
                assert_eq!(entity["entity_vendor"], "terraform");
                assert_eq!(entity["entity_type"], "resource");
                let values = &entity["data"]["values"];
                // The end of the text's SHA-256, as Spacelift sanitises it; other types stay.
                assert_eq!(values["stack_id"], "f20015ad");
                assert_eq!(values["write_only"], false);
                assert_eq!(
                    values["context_id"],
                    Value::Null,
                    "what is not set is there"
                );
                assert!(values.as_object().unwrap().contains_key("context_id"));
            }
        }
        // Another line of the same file is no change.
        assert!(told(change(ChangeAction::Changed, json!({}), None)).is_empty());
    }

    #[test]
    fn plans_are_sanitised_as_the_stack_says() {
        const OFF: &str = "feature:disable_resource_sanitization";
        let smart = json!({"terraform_smart_sanitization": true});
        for (attributes, labels, expected) in [
            (json!({}), vec![], Sanitization::All),
            (smart.clone(), vec![], Sanitization::Sensitive),
            (smart, vec![OFF], Sanitization::Off),
            (json!({"opentofu": []}), vec![], Sanitization::All),
            (json!({"opentofu": [{}]}), vec![], Sanitization::Sensitive),
            (
                json!({"opentofu": [{"smart_sanitization": false}]}),
                vec![],
                Sanitization::All,
            ),
        ] {
            let object = change(ChangeAction::Added, Value::Null, None).object;
            let stack = Object::from_resource(&Arc::new(Resource {
                attributes: attributes.as_object().unwrap().clone().into(),
                sensitive: Arc::default(),
                ..Resource::clone(&object)
            }));
            let labels: Vec<String> = labels.into_iter().map(str::to_owned).collect();
            assert_eq!(
                sanitization(&stack, &labels),
                expected,
                "{attributes} {labels:?}"
            );
        }
    }
}
