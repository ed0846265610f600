//! What a GIT_PUSH policy is asked: a push to a stack's repository, or an event of a pull request.

use serde::Serialize;

use super::{Commit, Space, Stack};

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PushInput {
    pub in_progress: Vec<RunInProgress>,
    /// Modules of a registry are not dayfly's: always null.
    pub module: (),
    pub pull_request: Option<PullRequest>,
    /// What was pushed; of a pull request's event its head or merge commit.
    pub push: PushedCommit,
    pub stack: Stack,
    pub vcs_integration: Option<VcsIntegration>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PushedCommit {
    /// Paths from the repository's root, of all commits in the push.
    pub affected_files: Vec<String>,
    #[serde(flatten)]
    pub commit: Commit,
}

/// RUN of the contract without its changes, session, flags and configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunInProgress {
    pub based_on_local_workspace: bool,
    pub branch: String,
    pub command: Option<String>,
    pub commit: Commit,
    /// Unix nanoseconds.
    pub created_at: i64,
    pub drift_detection: bool,
    pub id: String,
    pub state: String,
    pub triggered_by: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    /// Unix nanoseconds.
    pub updated_at: i64,
    pub user_provided_metadata: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PullRequest {
    /// `opened`, `reopened`, `closed`, `merged`, `edited`, `labeled`, `unlabeled`, `synchronize`
    /// or `commented`.
    pub action: String,
    /// None where it is not known who did it.
    pub action_initiator: Option<String>,
    pub approved: bool,
    pub author: String,
    pub base: PushedCommit,
    pub closed: bool,
    /// The text of the comment, if one was made.
    pub comment: Option<String>,
    /// Paths that differ between base and head.
    pub diff: Vec<String>,
    pub draft: bool,
    pub head: PushedCommit,
    /// Who owns the repository the branch is in.
    pub head_owner: String,
    pub id: i64,
    pub labels: Vec<String>,
    pub mergeable: bool,
    pub title: String,
    pub undiverged: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VcsIntegration {
    /// Unix nanoseconds.
    pub created_at: i64,
    pub description: String,
    pub id: String,
    pub is_default: bool,
    pub labels: Vec<String>,
    pub name: String,
    /// `GITHUB`, `GIT`, ….
    pub provider: String,
    pub space: Space,
    /// Unix nanoseconds.
    pub updated_at: i64,
}
