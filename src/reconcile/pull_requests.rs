//! The pull request that a push belongs to.

use super::mirrors::Push;
use crate::event::RepositoryName;
use crate::git::{CommitId, Repository};
use crate::policy::input::{Commit, PullRequest, PushInput, PushedCommit};
use crate::stack::StackSpec;

/// A pull request that is open from a branch of its own repository.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenPullRequest {
    pub number: u64,
    pub title: String,
    /// The name of the account, empty where it is gone.
    pub author: String,
    pub is_draft: bool,
    pub labels: Vec<String>,
    pub base_branch: String,
    pub base_commit: String,
}

/// Where pull requests are, to be asked about them.
pub trait PullRequests {
    /// The open pull request of a branch; the newest, if it has several.
    fn of_branch(
        &self,
        repository: &RepositoryName,
        branch: &str,
    ) -> Result<Option<OpenPullRequest>, Unanswered>;
}

/// Why nothing is known of a pull request.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

/// A pull request, and what differs between its base and its head.
#[derive(Clone)]
pub(super) struct Asked {
    open: OpenPullRequest,
    diff: Option<Vec<String>>,
    /// Whether the base has nothing that the head has not.
    undiverged: bool,
}

impl Asked {
    pub(super) fn of(open: OpenPullRequest, mirror: Option<Repository>, push: &Push) -> Self {
        let base: Option<CommitId> = open.base_commit.parse().ok();
        let parting = mirror.as_ref().zip(base.as_ref());
        let parting = parting.and_then(|(mirror, base)| mirror.parting(base, &push.to).ok()?);
        let diff = mirror.zip(parting.as_ref());
        Self {
            diff: diff.and_then(|(mirror, from)| mirror.changed_paths(from, &push.to).ok()),
            undiverged: parting.is_some() && parting == base,
            open,
        }
    }

    /// As a GIT_PUSH policy sees it beside what was `pushed` to its branch; what differs where that is
    /// not known is `unknown`.
    pub(super) fn input(
        &self,
        action: &str,
        pushed: &PushInput,
        spec: &StackSpec,
        unknown: impl Fn() -> Vec<String>,
    ) -> PullRequest {
        let open = &self.open;
        let owner = spec.repository.as_ref().map(RepositoryName::owner);
        PullRequest {
            action: action.to_owned(),
            action_initiator: open.author.clone(),
            author: open.author.clone(),
            base: PushedCommit {
                affected_files: Vec::new(),
                commit: Commit {
                    branch: open.base_branch.clone(),
                    hash: open.base_commit.clone(),
                    ..Commit::default()
                },
            },
            diff: self.diff.clone().unwrap_or_else(unknown),
            draft: open.is_draft,
            head: pushed.push.clone(),
            head_owner: owner.unwrap_or_default().to_owned(),
            id: i64::try_from(open.number).unwrap_or(i64::MAX),
            labels: open.labels.clone(),
            title: open.title.clone(),
            undiverged: self.undiverged,
            ..PullRequest::default()
        }
    }
}
