//! What happened to the pull requests of a repository, for GIT_PUSH policies.
//!
//! A list of what changed last is asked for on the condition that it is another than the last one:
//! where it is not, the answer is empty and counts against no limit.

use std::collections::BTreeMap;

use http::header;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::GithubError;
use super::client::{Call, Github, has_next};
use crate::clock::Time;
use crate::error::Error;
use crate::event::RepositoryName;
use crate::reconcile::{Comment, News, Particulars, PullRequests, ToldPullRequest, Unanswered};
use crate::store::{CommitStatus, Mark};

/// The most that GitHub puts on a page.
const PAGE: usize = 100;
/// The longest description of a status, in letters.
const DESCRIPTION: usize = 140;

#[derive(Deserialize)]
struct Answer {
    number: u64,
    title: String,
    body: Option<String>,
    state: String,
    draft: Option<bool>,
    /// `null` where the account is gone.
    user: Option<User>,
    labels: Vec<Label>,
    head: Side,
    base: Side,
    created_at: Time,
    updated_at: Time,
    merged_at: Option<Time>,
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
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
    /// `null` where the fork is gone.
    repo: Option<Repository>,
    user: Option<User>,
}

#[derive(Deserialize)]
struct Repository {
    id: u64,
}

#[derive(Deserialize)]
struct CommentAnswer {
    id: u64,
    body: Option<String>,
    user: Option<User>,
    html_url: String,
}

#[derive(Deserialize)]
struct Detailed {
    /// `null` while GitHub works it out.
    mergeable: Option<bool>,
    merged_by: Option<User>,
}

#[derive(Deserialize)]
struct Review {
    user: Option<User>,
    state: String,
}

impl PullRequests for Github {
    fn news(
        &self,
        repository: &RepositoryName,
        mark: Option<&Mark>,
    ) -> Result<Option<News>, Unanswered> {
        let news = match mark {
            Some(mark) => self.changed_since(repository, mark),
            None => self.as_they_stand(repository).map(Some),
        };
        news.map_err(unanswered)
    }

    fn particulars(
        &self,
        repository: &RepositoryName,
        number: u64,
    ) -> Result<Particulars, Unanswered> {
        let doing = format!("read pull request #{number} of {repository}");
        let path = format!("/repos/{repository}/pulls/{number}");
        let detailed: Detailed = self.call(&doing, &path, Call::Get).map_err(unanswered)?;
        let reviews: Vec<Review> = self
            .pages(&doing, &format!("{path}/reviews?"))
            .map_err(unanswered)?;
        Ok(Particulars {
            is_approved: is_approved(reviews),
            is_mergeable: detailed.mergeable.unwrap_or_default(),
            merged_by: detailed.merged_by.map(|user| user.login),
        })
    }

    fn set_status(&self, status: &CommitStatus) -> Result<(), Unanswered> {
        let (repository, commit) = (&status.repository, &status.commit);
        let doing = format!("set a status of commit {commit} of {repository}");
        let body = json!({
            "state": if status.is_failure { "failure" } else { "success" },
            "context": format!("dayfly/{}", status.stack),
            "description": status.text.chars().take(DESCRIPTION).collect::<String>(),
        });
        let path = format!("/repos/{repository}/statuses/{commit}");
        self.answer(&doing, &path, Call::Post(&body))
            .map(drop)
            .map_err(unanswered)
    }
}

impl Github {
    /// All open pull requests, and the mark to begin from.
    fn as_they_stand(&self, repository: &RepositoryName) -> Result<News, GithubError> {
        let doing = format!("list the pull requests of {repository}");
        // First how far it has come, so that what changes meanwhile is heard the next time.
        let newest: Vec<Answer> = self.call(&doing, &changed_path(repository, 1), Call::Get)?;
        let path =
            format!("/repos/{repository}/issues/comments?sort=created&direction=desc&per_page=1");
        let comments: Vec<CommentAnswer> = self.call(&doing, &path, Call::Get)?;
        let path = format!("/repos/{repository}/pulls?state=open&sort=created&direction=asc&");
        let open: Vec<Answer> = self.pages(&doing, &path)?;
        Ok(News {
            pull_requests: open
                .into_iter()
                .filter_map(|answer| answer.told())
                .collect(),
            comments: Vec::new(),
            mark: Mark {
                tag: None,
                at: newest
                    .first()
                    .map(|answer| answer.updated_at)
                    .unwrap_or_default(),
                comment: comments
                    .first()
                    .map(|comment| comment.id)
                    .unwrap_or_default(),
            },
        })
    }

    fn changed_since(
        &self,
        repository: &RepositoryName,
        mark: &Mark,
    ) -> Result<Option<News>, GithubError> {
        let doing = format!("list the pull requests of {repository}");
        let mut next = mark.clone();
        let mut changed: BTreeMap<u64, Answer> = BTreeMap::new();
        for number in 1.. {
            let call = match &mark.tag {
                Some(tag) if number == 1 => Call::GetUnless(tag),
                _ => Call::Get,
            };
            let (headers, body) = self.answer(&doing, &changed_path(repository, number), call)?;
            if body.is_empty() {
                return Ok(None);
            }
            if number == 1 {
                let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
                next.tag = tag.map(str::to_owned);
            }
            let answers: Vec<Answer> = read(&doing, &body)?;
            let is_last = answers.iter().any(|answer| answer.updated_at < mark.at);
            let is_last = is_last || answers.is_empty() || !has_next(&headers);
            for answer in answers {
                next.at = next.at.max(answer.updated_at);
                // What changes meanwhile moves to the front, and others over the edge of a page.
                if answer.updated_at >= mark.at {
                    changed.entry(answer.number).or_insert(answer);
                }
            }
            if is_last {
                break;
            }
        }
        let doing = format!("list the comments of {repository}");
        let path = format!(
            "/repos/{repository}/issues/comments?sort=created&direction=asc&since={}&",
            mark.at
        );
        let mut comments: Vec<CommentAnswer> = self.pages(&doing, &path)?;
        comments.retain(|comment| comment.id > mark.comment);
        // One that was made after the list is heard with the next, which has its pull request.
        let is_listed = |comment: &&CommentAnswer| {
            let number = comment.pull_request();
            number.is_none_or(|number| changed.contains_key(&number))
        };
        let listed = comments.iter().take_while(is_listed).count();
        comments.truncate(listed);
        next.comment = comments.last().map_or(mark.comment, |comment| comment.id);
        Ok(Some(News {
            // Others choose these names: they stop nobody but themselves.
            pull_requests: changed.into_values().filter_map(Answer::told).collect(),
            comments: comments
                .into_iter()
                .filter_map(CommentAnswer::told)
                .collect(),
            mark: next,
        }))
    }

    /// All pages of a list; `path` ends where parameters go on.
    fn pages<T: DeserializeOwned>(&self, doing: &str, path: &str) -> Result<Vec<T>, GithubError> {
        let mut all = Vec::new();
        for page in 1.. {
            let path = format!("{path}per_page={PAGE}&page={page}");
            let (answers, has_next): (Vec<T>, bool) = self.page(doing, &path, Call::Get)?;
            let is_last = answers.is_empty() || !has_next;
            all.extend(answers);
            if is_last {
                break;
            }
        }
        Ok(all)
    }
}

/// The list of what changed last, in which the first page tells whether anything has.
fn changed_path(repository: &RepositoryName, page: usize) -> String {
    format!(
        "/repos/{repository}/pulls?state=all&sort=updated&direction=desc&per_page={PAGE}&page={page}"
    )
}

fn read<T: DeserializeOwned>(doing: &str, body: &str) -> Result<T, GithubError> {
    serde_json::from_str(body).map_err(|source| GithubError::Malformed {
        doing: doing.to_owned(),
        source,
    })
}

fn unanswered(error: GithubError) -> Unanswered {
    Unanswered(Error::from(error).to_string())
}

fn login(user: Option<User>) -> String {
    user.map(|user| user.login).unwrap_or_default()
}

/// Whether somebody's last word is an approval, and nobody's a wish for changes.
fn is_approved(reviews: Vec<Review>) -> bool {
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    // Oldest first; a mere comment takes nothing back.
    for review in reviews {
        if matches!(
            &*review.state,
            "APPROVED" | "CHANGES_REQUESTED" | "DISMISSED"
        ) {
            last.insert(login(review.user), review.state);
        }
    }
    let says = |word: &str| last.values().any(|state| state == word);
    says("APPROVED") && !says("CHANGES_REQUESTED")
}

impl Answer {
    /// `None` where a name in it cannot be.
    fn told(self) -> Option<ToldPullRequest> {
        let mut text = Sha256::new();
        for part in [
            &self.title,
            self.body.as_deref().unwrap_or_default(),
            &self.base.branch,
        ] {
            text.update(part);
            text.update([0]);
        }
        let number_of = |side: &Side| side.repo.as_ref().map(|repository| repository.id);
        Some(ToldPullRequest {
            number: self.number,
            text: text
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            title: self.title,
            author: login(self.user),
            is_open: self.state == "open",
            is_merged: self.merged_at.is_some(),
            is_draft: self.draft.unwrap_or_default(),
            labels: self.labels.into_iter().map(|label| label.name).collect(),
            // One whose repository is gone was a fork's.
            is_fork: number_of(&self.head).is_none()
                || number_of(&self.head) != number_of(&self.base),
            base_branch: self.base.branch.parse().ok()?,
            base_commit: self.base.sha.parse().ok()?,
            head_branch: self.head.branch.parse().ok()?,
            head_commit: self.head.sha.parse().ok()?,
            head_owner: login(self.head.user),
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

impl CommentAnswer {
    /// The pull request that it is on; `None` of an issue's.
    fn pull_request(&self) -> Option<u64> {
        let (_, rest) = self.html_url.rsplit_once("/pull/")?;
        rest.split_once('#')?.0.parse().ok()
    }

    fn told(self) -> Option<Comment> {
        Some(Comment {
            id: self.id,
            pull_request: self.pull_request()?,
            author: login(self.user),
            body: self.body.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_word_of_each_reviewer_counts() {
        for (reviews, expected) in [
            (&[][..], false),
            (&[("ann", "COMMENTED")], false),
            (&[("ann", "APPROVED"), ("ann", "COMMENTED")], true),
            (&[("ann", "APPROVED"), ("bob", "CHANGES_REQUESTED")], false),
            (&[("bob", "CHANGES_REQUESTED"), ("bob", "APPROVED")], true),
            (&[("ann", "APPROVED"), ("ann", "DISMISSED")], false),
        ] {
            let review = |(user, state): &(&str, &str)| Review {
                user: Some(User {
                    login: (*user).to_owned(),
                }),
                state: (*state).to_owned(),
            };
            assert_eq!(
                is_approved(reviews.iter().map(review).collect()),
                expected,
                "{reviews:?}"
            );
        }
    }

    #[test]
    fn comments_on_issues_are_on_no_pull_request() {
        for (url, expected) in [
            ("https://github.com/acme/x/pull/7#issuecomment-1", Some(7)),
            ("https://github.com/acme/x/issues/7#issuecomment-1", None),
            ("https://github.com/acme/pull/issues/7#issuecomment-1", None),
        ] {
            let comment = CommentAnswer {
                id: 1,
                body: None,
                user: None,
                html_url: url.to_owned(),
            };
            assert_eq!(comment.pull_request(), expected, "{url}");
        }
    }
}
