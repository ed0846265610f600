//! What inputs are made of, in each of three states.

use dayfly::policy::input::*;
use serde_json::{Value, json};

/// 2026-11-21 09:00 UTC, a Saturday.
const SATURDAY: i64 = 1_795_251_600_000_000_000;
/// The Monday after, 17:30 UTC.
const MONDAY: i64 = 1_795_455_000_000_000_000;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum State {
    Full,
    Null,
    Other,
}
use State::{Full, Null, Other};

pub(crate) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub(crate) fn commit(state: State) -> Commit {
    let of_pull_request = state == Full;
    Commit {
        author: if state == Other {
            "renovate[bot]"
        } else {
            "ann"
        }
        .to_owned(),
        branch: if state == Other { "feature/x" } else { "main" }.to_owned(),
        created_at: SATURDAY,
        exist_on_tracked_branch: state != Other,
        hash: "68a0e427aba817ba6f79a76f71c0f0ad710735db".to_owned(),
        message: match state {
            Full => "fix(infra): größere Disk [urgent]\n\nA longer text about it.".to_owned(),
            Null => String::new(),
            Other => "docs: typo".to_owned(),
        },
        pull_request_id: of_pull_request.then_some(10),
        tag: if state == Other { "v1.2.3" } else { "" }.to_owned(),
        url: "https://git.example/acme/hello/commit/68a0".to_owned(),
    }
}

pub(crate) fn session() -> Session {
    Session {
        account_name: "acme".to_owned(),
        admin: true,
        creator_ip: "10.1.2.3".to_owned(),
        login: "ann".to_owned(),
        name: "Ann".to_owned(),
        teams: texts(&["infra", "security"]),
        ..Session::default()
    }
}

pub(crate) fn changes() -> Vec<Change> {
    let change = |phase, action, kind: &str, name: &str, values: Value| {
        let address = format!("module.a.{kind}.{name}");
        Change::resource(
            phase,
            action,
            &address,
            kind,
            name,
            values.as_object().unwrap(),
        )
    };
    let variable = "spacelift_environment_variable";
    vec![
        change(
            Phase::Plan,
            Action::Added,
            "spacelift_stack",
            "this",
            json!({"id": "hello-1"}),
        ),
        change(
            Phase::Apply,
            Action::Added,
            "spacelift_stack",
            "this",
            json!({"id": "hello-1"}),
        ),
        change(
            Phase::Plan,
            Action::Changed,
            "aws_iam_role",
            "r",
            json!({"name": "r", "n": 1}),
        ),
        change(
            Phase::Apply,
            Action::ReplacedAfterDestroy,
            variable,
            "v",
            json!({"stack_id": "hello-2", "value": null, "list": ["a", 1, true]}),
        ),
        change(
            Phase::Apply,
            Action::Deleted,
            variable,
            "w",
            json!({"stack_id": "hello-3"}),
        ),
        change(
            Phase::Plan,
            Action::NoOp,
            variable,
            "x",
            json!({"stack_id": "hello-1"}),
        ),
    ]
}

pub(crate) fn run(state: State) -> Run {
    Run {
        branch: "main".to_owned(),
        changes: if state == Null { Vec::new() } else { changes() },
        command: (state == Full).then(|| "terraform state list".to_owned()),
        commit: commit(state),
        created_at: if state == Other { MONDAY } else { SATURDAY },
        creator_session: (state == Full).then(session),
        drift_detection: state == Other,
        flags: match state {
            Full => texts(&["retry-1", "security"]),
            Null => Vec::new(),
            Other => texts(&["drift", "retry-2"]),
        },
        id: "01J-run".to_owned(),
        state: if state == Other { "FAILED" } else { "FINISHED" }.to_owned(),
        triggered_by: (state == Full).then(|| "ann".to_owned()),
        kind: match state {
            Full => "TASK",
            Null => "TRACKED",
            Other => "PROPOSED",
        }
        .to_owned(),
        updated_at: SATURDAY,
        ..Run::default()
    }
}

pub(crate) fn stack(state: State, id: &str) -> Stack {
    let is_full = state == Full;
    Stack {
        additional_project_globs: if is_full {
            texts(&["modules/**", "*.tfvars"])
        } else {
            vec![]
        },
        autodeploy: state != Null,
        branch: "main".to_owned(),
        id: id.to_owned(),
        labels: match state {
            Full => texts(&[
                "slack:C123",
                "depends-on:hello-service-common",
                "prod",
                "always",
            ]),
            Null => Vec::new(),
            Other => texts(&["preview"]),
        },
        locked_by: is_full.then(|| "ann".to_owned()),
        name: format!("Hello {id}"),
        namespace: is_full.then(|| "acme".to_owned()),
        project_root: if is_full { "infra/app" } else { "" }.to_owned(),
        repository: "hello-infra".to_owned(),
        state: "FINISHED".to_owned(),
        terraform_version: is_full.then(|| "1.11.4".to_owned()),
        terraform_workflow_tool: "TERRAFORM_FOSS".to_owned(),
        tracked_commit: (state != Null).then(|| commit(Other)),
        worker_pool: WorkerPool {
            id: is_full.then(|| "pool".to_owned()),
            name: is_full.then(|| "Pool".to_owned()),
            public: !is_full,
            ..WorkerPool::default()
        },
        ..Stack::default()
    }
}

pub(crate) fn history(state: State) -> Vec<StateChange> {
    let last = if state == Other { "FAILED" } else { "FINISHED" };
    let passed: &[&str] = match state {
        Null => &[],
        _ => &["QUEUED", "READY", "PREPARING", "PLANNING", "APPLYING", last],
    };
    let state = |state: &&str| StateChange {
        new_state: (*state).to_owned(),
    };
    passed.iter().map(state).collect()
}
