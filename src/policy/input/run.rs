//! COMMIT, SESSION, RTCFG and RUN of the contract.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Change;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Commit {
    pub author: String,
    pub branch: String,
    /// Unix nanoseconds.
    pub created_at: i64,
    pub exist_on_tracked_branch: bool,
    pub hash: String,
    pub message: String,
    pub pull_request_id: Option<i64>,
    pub tag: String,
    pub url: String,
}

/// Who started something: a person, or a stack (`machine`).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Session {
    pub account_name: String,
    pub admin: bool,
    pub creator_ip: String,
    pub login: String,
    pub machine: bool,
    pub member: bool,
    pub name: String,
    /// The stack of a machine session.
    pub stack_id: Option<String>,
    pub teams: Vec<String>,
}

/// A review's or a plan's request.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Request {
    pub remote_ip: String,
    /// Unix nanoseconds.
    pub timestamp_ns: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RuntimeConfig {
    pub after_apply: Vec<String>,
    pub after_destroy: Vec<String>,
    pub after_init: Vec<String>,
    pub after_perform: Vec<String>,
    pub after_plan: Vec<String>,
    pub after_run: Vec<String>,
    pub before_apply: Vec<String>,
    pub before_destroy: Vec<String>,
    pub before_init: Vec<String>,
    pub before_perform: Vec<String>,
    pub before_plan: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub git_sparse_checkout_paths: Vec<String>,
    pub project_root: String,
    pub runner_image: String,
    pub terraform_version: Option<String>,
}

/// One run. `state` and `type` are spelled as Spacelift's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Run {
    pub based_on_local_workspace: bool,
    pub branch: String,
    pub changes: Vec<Change>,
    /// Of a task only.
    pub command: Option<String>,
    pub commit: Commit,
    /// Unix nanoseconds.
    pub created_at: i64,
    pub creator_session: Option<Session>,
    pub drift_detection: bool,
    pub flags: Vec<String>,
    pub id: String,
    pub runtime_config: RuntimeConfig,
    pub state: String,
    /// None for a push; else a login, a trigger policy or the stack upstream.
    pub triggered_by: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    /// Unix nanoseconds.
    pub updated_at: i64,
    pub user_provided_metadata: Vec<String>,
}

/// One entry of a run's history.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StateChange {
    pub new_state: String,
}
