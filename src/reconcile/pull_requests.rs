//! The pull requests of stacks' repositories: what happened to them since the last look.
//!
//! Nobody sends events here. How a pull request stands is compared with how it stood when it was last
//! judged, and what differs is told in GitHub's words, each event once.

use std::collections::BTreeSet;

use crate::clock::Time;
use crate::event::{Branch, RepositoryName};
use crate::git::CommitId;
use crate::store::{CommitStatus, JudgedPullRequest, Mark};

/// A pull request as its repository tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldPullRequest {
    pub number: u64,
    pub title: String,
    /// A digest of what its author may edit.
    pub text: String,
    /// The name of the account, empty where it is gone.
    pub author: String,
    pub is_open: bool,
    pub is_merged: bool,
    pub is_draft: bool,
    pub labels: Vec<String>,
    pub base_branch: Branch,
    pub base_commit: CommitId,
    pub head_branch: Branch,
    pub head_commit: CommitId,
    /// Who owns the repository that the head is in, empty where the account is gone.
    pub head_owner: String,
    /// Whether the head is in another repository.
    pub is_fork: bool,
    pub created_at: Time,
    pub updated_at: Time,
}

/// What is not told of a pull request in a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Particulars {
    /// Somebody approves it, and nobody wants it changed.
    pub is_approved: bool,
    pub is_mergeable: bool,
    pub merged_by: Option<String>,
}

/// A comment on an issue or a pull request.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    pub id: u64,
    pub pull_request: u64,
    /// The name of the account, empty where it is gone.
    pub author: String,
    pub body: String,
}

/// What was heard of a repository's pull requests.
#[derive(Clone, Debug)]
pub struct News {
    /// Those that may have changed; all open ones where none was heard of before.
    pub pull_requests: Vec<ToldPullRequest>,
    /// Those made since, oldest first.
    pub comments: Vec<Comment>,
    pub mark: Mark,
}

/// Where pull requests are, to be asked about them, and commits, to be told something.
pub trait PullRequests {
    /// What changed since `mark`; `None` where nothing did.
    fn news(
        &self,
        repository: &RepositoryName,
        mark: Option<&Mark>,
    ) -> Result<Option<News>, Unanswered>;

    fn particulars(
        &self,
        repository: &RepositoryName,
        number: u64,
    ) -> Result<Particulars, Unanswered>;

    /// May be told twice.
    fn set_status(&self, status: &CommitStatus) -> Result<(), Unanswered>;
}

/// Why nothing is known of a pull request, or nobody was told.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

/// What happened to a pull request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Happened {
    Opened,
    Reopened,
    Synchronize,
    Edited,
    Labeled,
    Unlabeled,
    Commented(Comment),
    Closed,
    Merged,
}

impl Happened {
    /// The word that the contract has for it.
    pub(super) fn action(&self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reopened => "reopened",
            Self::Synchronize => "synchronize",
            Self::Edited => "edited",
            Self::Labeled => "labeled",
            Self::Unlabeled => "unlabeled",
            Self::Commented(_) => "commented",
            Self::Closed => "closed",
            Self::Merged => "merged",
        }
    }
}

impl ToldPullRequest {
    /// How it is remembered once it is judged; `None` where it is open no more.
    pub(super) fn judged(&self) -> Option<JudgedPullRequest> {
        self.is_open.then(|| JudgedPullRequest {
            head: self.head_commit.to_string(),
            labels: self.labels.iter().cloned().collect(),
            text: self.text.clone(),
        })
    }

    /// What happened to it since it was judged as `before`, and since `mark`: in an order in which it
    /// may have happened. Comments come before an end, for they may have asked for something.
    pub(super) fn happened(
        &self,
        before: Option<&JudgedPullRequest>,
        mark: &Mark,
        comments: &[Comment],
    ) -> Vec<Happened> {
        let mut happened = Vec::new();
        match before {
            None if self.is_open && self.created_at >= mark.at => happened.push(Happened::Opened),
            None if self.is_open => happened.push(Happened::Reopened),
            Some(before) if self.is_open => {
                let labels: BTreeSet<&String> = self.labels.iter().collect();
                let had: BTreeSet<&String> = before.labels.iter().collect();
                let differs = [
                    (
                        before.head != self.head_commit.as_str(),
                        Happened::Synchronize,
                    ),
                    (before.text != self.text, Happened::Edited),
                    (!labels.is_subset(&had), Happened::Labeled),
                    (!had.is_subset(&labels), Happened::Unlabeled),
                ];
                let differs = differs.into_iter().filter(|(differs, _)| *differs);
                happened.extend(differs.map(|(_, happened)| happened));
            }
            _ => {}
        }
        let own = comments.iter().filter(|comment| {
            comment.pull_request == self.number && comment.body.starts_with("/spacelift")
        });
        happened.extend(own.cloned().map(Happened::Commented));
        // One that began and ended unseen has ended; what ended before is over.
        if !self.is_open && (before.is_some() || self.created_at > mark.at) {
            happened.push(match self.is_merged {
                true => Happened::Merged,
                false => Happened::Closed,
            });
        }
        happened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from_second(second).unwrap()
    }

    fn told() -> ToldPullRequest {
        ToldPullRequest {
            number: 7,
            title: "A title".to_owned(),
            text: "digest".to_owned(),
            author: "ann".to_owned(),
            is_open: true,
            is_merged: false,
            is_draft: false,
            labels: vec!["a".to_owned()],
            base_branch: "main".parse().unwrap(),
            base_commit: "b".repeat(40).parse().unwrap(),
            head_branch: "feature".parse().unwrap(),
            head_commit: "a".repeat(40).parse().unwrap(),
            head_owner: "acme".to_owned(),
            is_fork: false,
            created_at: at(50),
            updated_at: at(200),
        }
    }

    #[test]
    fn what_differs_is_what_happened() {
        let mark = Mark {
            tag: None,
            at: at(100),
            comment: 0,
        };
        let before = told().judged();
        let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
        let now = |change: &dyn Fn(&mut ToldPullRequest)| {
            let mut told = told();
            change(&mut told);
            told
        };
        let words = |told: &ToldPullRequest, before: Option<&JudgedPullRequest>| -> String {
            let happened = told.happened(before, &mark, &[]);
            let words: Vec<&str> = happened.iter().map(Happened::action).collect();
            words.join(" ")
        };
        let closes = |told: &mut ToldPullRequest| told.is_open = false;
        let nothing = |_: &mut ToldPullRequest| {};
        let young = |told: &mut ToldPullRequest| told.created_at = at(150);
        let known = before.as_ref();
        for (change, before, expected) in [
            (&nothing as &dyn Fn(&mut ToldPullRequest), known, ""),
            (&young, None, "opened"),
            (&nothing, None, "reopened"),
            (&closes, None, ""),
            (&closes, known, "closed"),
            (
                &|told| {
                    closes(told);
                    young(told);
                },
                None,
                "closed",
            ),
            (
                &|told| {
                    closes(told);
                    told.is_merged = true;
                },
                known,
                "merged",
            ),
            (&|told| told.labels = labels(&["a", "b"]), known, "labeled"),
            (&|told| told.labels = labels(&[]), known, "unlabeled"),
            (
                &|told| {
                    told.labels = labels(&["b"]);
                    told.text = "another".to_owned();
                    told.head_commit = "c".repeat(40).parse().unwrap();
                },
                known,
                "synchronize edited labeled unlabeled",
            ),
        ] {
            assert_eq!(words(&now(change), before), expected);
        }
    }

    #[test]
    fn comments_that_speak_to_the_manager_are_events_of_their_pull_request() {
        let mark = Mark {
            tag: None,
            at: at(100),
            comment: 0,
        };
        let comment = |id, pull_request, body: &str| Comment {
            id,
            pull_request,
            author: "bob".to_owned(),
            body: body.to_owned(),
        };
        let comments = [
            comment(1, 7, "/spacelift plan"),
            comment(2, 7, "what does `/spacelift plan` do?"),
            comment(3, 8, "/spacelift plan"),
        ];
        let closed = ToldPullRequest {
            is_open: false,
            ..told()
        };
        let happened = closed.happened(told().judged().as_ref(), &mark, &comments);
        assert_eq!(
            happened,
            [Happened::Commented(comments[0].clone()), Happened::Closed]
        );
    }
}
