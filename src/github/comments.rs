//! The conversation of a pull request: the comments of one's own in it.
//!
//! It needs `pull-requests: write` and nothing else. Comments of others' are never touched: who has
//! the right to write may change them, and anybody can paste a marker.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::GithubError;
use super::client::{Call, Github};
use crate::config::ApiAddress;
use crate::event::PullRequestId;
use crate::git::Token;
use crate::report::Seen;

/// How long a call may take: a job waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many comments a page has, GitHub's most.
const PAGE: u8 = 100;

pub struct Conversation {
    github: Github,
    /// The same server's GraphQL: only it tells every kind of token whose it is.
    graphql: Github,
    pull_request: PullRequestId,
    /// Whose the token is, once it is known.
    login: Option<String>,
}

#[derive(Deserialize)]
struct Comment {
    id: u64,
    body: Option<String>,
    /// Null when the account is gone.
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Viewer {
    data: Option<ViewerData>,
}

#[derive(Deserialize)]
struct ViewerData {
    viewer: User,
}

impl Conversation {
    pub fn new(
        api: &ApiAddress,
        token: &Token,
        pull_request: PullRequestId,
    ) -> Result<Self, GithubError> {
        Ok(Self {
            github: Github::new(api, token.clone())?.within(PATIENCE),
            graphql: Github::new(&api.of_graphql(), token.clone())?.within(PATIENCE),
            pull_request,
            login: None,
        })
    }

    /// The comments that the token's own account wrote, and whose body `marks` takes.
    pub fn own_comments(&mut self, marks: impl Fn(&str) -> bool) -> Result<Vec<Seen>, GithubError> {
        let doing = format!("list the comments of pull request {}", self.pull_request);
        let mut marked = Vec::new();
        for page in 1_u64.. {
            let path = format!("{}?per_page={PAGE}&page={page}", self.path());
            let (comments, is_followed): (Vec<Comment>, bool) =
                self.github.page(&doing, &path, Call::Get)?;
            let is_last = comments.is_empty() || !is_followed;
            marked.extend(comments.into_iter().filter_map(|comment| {
                let body = comment.body.filter(|body| marks(body))?;
                let id = comment.id;
                Some((comment.user?.login, Seen { id, body }))
            }));
            if is_last {
                break;
            }
        }
        if marked.is_empty() {
            return Ok(Vec::new());
        }
        let own = self.login()?;
        let is_own = |(login, _): &(String, Seen)| login.eq_ignore_ascii_case(&own);
        let comments = marked.into_iter().filter(is_own);
        Ok(comments.map(|(_, comment)| comment).collect())
    }

    fn login(&mut self) -> Result<String, GithubError> {
        if let Some(login) = &self.login {
            return Ok(login.clone());
        }
        let doing = "find out whose token this is".to_owned();
        let query = json!({ "query": "query { viewer { login } }" });
        let answer: Viewer = self.graphql.call(&doing, "/graphql", Call::Post(&query))?;
        let words = "its GraphQL does not tell".to_owned();
        let data = answer.data.ok_or(GithubError::Refused { doing, words })?;
        Ok(self.login.insert(data.viewer.login).clone())
    }

    pub fn create(&mut self, body: &str) -> Result<(), GithubError> {
        let doing = format!("comment on pull request {}", self.pull_request);
        let body = json!({ "body": body });
        let comment: Comment = self.github.call(&doing, &self.path(), Call::Post(&body))?;
        self.login = comment.user.map(|user| user.login);
        Ok(())
    }

    /// `false` if it is gone.
    pub fn edit(&self, id: u64, body: &str) -> Result<bool, GithubError> {
        let doing = format!("edit a comment on pull request {}", self.pull_request);
        let body = json!({ "body": body });
        self.done(&doing, id, Call::Patch(&body))
    }

    /// `false` if it is gone already.
    pub fn delete(&self, id: u64) -> Result<bool, GithubError> {
        let doing = format!("delete a comment on pull request {}", self.pull_request);
        self.done(&doing, id, Call::Delete)
    }

    fn done(&self, doing: &str, id: u64, call: Call<'_>) -> Result<bool, GithubError> {
        let repository = &self.pull_request.repository;
        let path = format!("/repos/{repository}/issues/comments/{id}");
        match self.github.answer(doing, &path, call) {
            Ok(_) => Ok(true),
            Err(GithubError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn path(&self) -> String {
        let PullRequestId { repository, number } = &self.pull_request;
        format!("/repos/{repository}/issues/{number}/comments")
    }
}
