//! The open pull request of a branch, as GIT_PUSH policies see it beside a push.

use serde::Deserialize;

use super::client::{Call, Github};
use super::proposals::encoded;
use crate::error::Error;
use crate::event::RepositoryName;
use crate::reconcile::{OpenPullRequest, PullRequests, Unanswered};

#[derive(Deserialize)]
struct Answer {
    number: u64,
    title: String,
    draft: Option<bool>,
    /// `null` where the account is gone.
    user: Option<User>,
    labels: Vec<Label>,
    base: Base,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

#[derive(Deserialize)]
struct Base {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
}

impl PullRequests for Github {
    fn of_branch(
        &self,
        repository: &RepositoryName,
        branch: &str,
    ) -> Result<Option<OpenPullRequest>, Unanswered> {
        let doing = format!("find the pull request of branch {branch} of {repository}");
        let head = encoded(&format!("{}:{branch}", repository.owner()));
        let path = format!(
            "/repos/{repository}/pulls?state=open&head={head}&sort=created&direction=desc&per_page=1"
        );
        let answers: Vec<Answer> = self
            .call(&doing, &path, Call::Get)
            .map_err(|error| Unanswered(Error::from(error).to_string()))?;
        Ok(answers.into_iter().next().map(|answer| OpenPullRequest {
            number: answer.number,
            title: answer.title,
            author: answer.user.map(|user| user.login).unwrap_or_default(),
            is_draft: answer.draft.unwrap_or_default(),
            labels: answer.labels.into_iter().map(|label| label.name).collect(),
            base_branch: answer.base.branch,
            base_commit: answer.base.sha,
        }))
    }
}
