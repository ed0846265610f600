//! What a writer is asked for, and what it tells of it.

use serde::{Deserialize, Serialize};

use super::Particulars;
use crate::clock::Time;
use crate::config::ServiceRules;
use crate::environment::LaterTime;
use crate::event::{Action, PullRequest, PullRequestEvent, PullRequestId};

/// What is to be done for a pull request. Written down, it is read by other versions of dayfly:
/// what they do not know they refuse.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    pub word: Word,
    /// The service meant, where a repository is a source of several.
    pub service: Option<String>,
}

/// Whose word it is: GitHub's, a person's or, of an expiry, a sweep's. A person's is not judged by the rules of `admit`, except `limit`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Word {
    Event(PullRequestEvent),
    Upsert {
        pull_request: PullRequest,
        at: Option<Time>,
        /// Whether an environment that stands stays a fork's, or nobody's, as its file says. Written
        /// where it is so: a version that does not know it is not to carry it out.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keeps_fork: bool,
    },
    Delete {
        pull_request: PullRequestId,
        /// Unwritten where it is not known: what earlier versions write and read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repository_id: Option<u64>,
        at: Option<Time>,
    },
    /// The environment's file is to say again what it said, but for times.
    Rollback {
        pull_request: PullRequestId,
        text: String,
    },
    Lifetime {
        pull_request: PullRequestId,
        change: Lifetime,
        /// By the clock of whose word it is.
        at: Time,
    },
}

/// What is to become of the time that an environment has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Lifetime {
    /// So much more, from now or from its end, whichever is later.
    Extend {
        seconds: u64,
        /// The pull request as GitHub told it, for an environment that is gone already.
        found: Option<Box<PullRequestEvent>>,
    },
    Pin,
    Unpin,
    /// It ends, if its time has come.
    Expire,
    /// It ends, as its stack's scheduled deletion has come, if its file is still the one that was seen.
    Scheduled {
        end: Time,
        seen: String,
    },
}

impl Word {
    pub(super) fn pull_request(&self) -> &PullRequestId {
        match self {
            Self::Event(event) => &event.pull_request.id,
            Self::Upsert { pull_request, .. } => &pull_request.id,
            Self::Delete { pull_request, .. }
            | Self::Rollback { pull_request, .. }
            | Self::Lifetime { pull_request, .. } => pull_request,
        }
    }

    /// What GitHub told of the pull request, if the word holds it.
    pub(super) fn event(&self) -> Option<&PullRequestEvent> {
        match self {
            Self::Event(event) => Some(event),
            Self::Lifetime {
                change: Lifetime::Extend { found, .. },
                ..
            } => found.as_deref(),
            _ => None,
        }
    }

    pub(super) fn repository_id(&self) -> Option<u64> {
        match self {
            Self::Upsert { pull_request, .. } => pull_request.repository_id,
            Self::Delete { repository_id, .. } => *repository_id,
            word => word.event()?.pull_request.repository_id,
        }
    }

    pub(super) fn at(&self) -> Option<Time> {
        match self {
            Self::Event(event) => event.at,
            Self::Upsert { at, .. } | Self::Delete { at, .. } => *at,
            Self::Rollback { .. } => None,
            Self::Lifetime { at, .. } => Some(*at),
        }
    }

    pub(super) fn is_action(&self, action: &Action) -> bool {
        matches!(self, Self::Event(event) if event.action == *action)
    }

    /// What may be a return is news by itself, though it changes nothing: an end from before it,
    /// still on its way, must not end the environment. So is a commit that the file already names,
    /// if an older one may still come, and each new one where it puts off the end.
    pub(super) fn later_time(&self, rules: &ServiceRules, is_at_head: bool) -> LaterTime {
        let expires = rules.expire_after.is_some();
        let rules = &rules.admit;
        let is_one_of = |labels: &[String], label: &Option<String>| {
            let label = label.as_deref().unwrap_or_default();
            labels.iter().any(|own| own.eq_ignore_ascii_case(label))
        };
        let is_news = match self {
            Self::Event(event) => match &event.action {
                Action::Reopened => true,
                Action::Synchronize => is_at_head || expires,
                Action::ReadyForReview => !rules.drafts,
                Action::Edited {
                    base_changed,
                    ignore_changed,
                } => *base_changed || *ignore_changed,
                Action::Labeled(label) => {
                    let approval = std::slice::from_ref(&rules.fork_label);
                    is_one_of(&rules.labels, label)
                        || event.pull_request.is_fork && is_one_of(approval, label)
                }
                Action::Unlabeled(label) => is_one_of(&rules.exclude_labels, label),
                _ => false,
            },
            Self::Upsert { at, .. } => at.is_some() && is_at_head,
            Self::Delete { .. } | Self::Rollback { .. } | Self::Lifetime { .. } => false,
        };
        if is_news {
            LaterTime::News
        } else {
            LaterTime::NoNews
        }
    }

    pub(super) fn is_person(&self) -> bool {
        !matches!(self, Self::Event(_)) && !self.is_expiry()
    }

    fn is_expiry(&self) -> bool {
        matches!(
            self,
            Self::Lifetime {
                change: Lifetime::Expire | Lifetime::Scheduled { .. },
                ..
            }
        )
    }

    /// Whether the pull request has ended, or its environment is to.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Event(event) => event.action == Action::Closed || !event.pull_request.is_open,
            Self::Upsert { .. } | Self::Rollback { .. } => false,
            Self::Delete { .. } => true,
            Self::Lifetime { .. } => self.is_expiry(),
        }
    }

    /// The event's own word, for the record.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Event(event) => event.action.as_str(),
            Self::Upsert { .. } => "upsert",
            Self::Delete { .. } => "delete",
            Self::Rollback { .. } => "rollback",
            Self::Lifetime { change, .. } => match change {
                Lifetime::Extend { .. } => "extend",
                Lifetime::Pin => "pin",
                Lifetime::Unpin => "unpin",
                Lifetime::Expire => "expire",
                Lifetime::Scheduled { .. } => "scheduled deletion",
            },
        }
    }
}

/// What was done, and for which environment.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub action: OutcomeAction,
    pub reason: Option<String>,
    pub service: Option<String>,
    pub environment: Option<String>,
    pub path: Option<String>,
    /// The commit that did it; `None` where nothing was to be done.
    pub commit: Option<String>,
    pub url: Option<String>,
    /// The pull request on the manager repository, where the change is only proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    #[serde(skip)]
    pub over_limit: bool,
    #[serde(skip)]
    pub particulars: Box<Particulars>,
}

/// A pull request on the manager repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    pub number: u64,
    pub url: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeAction {
    Created,
    Updated,
    Unchanged,
    Deleted,
    Absent,
    Ignored,
}

impl Outcome {
    /// That this was done; where, and to what, is still to be told.
    pub(super) fn of(action: OutcomeAction) -> Self {
        Self {
            action,
            reason: None,
            service: None,
            environment: None,
            path: None,
            commit: None,
            url: None,
            proposal: None,
            over_limit: false,
            particulars: Box::default(),
        }
    }

    /// Tells one reason more.
    pub fn add_reason(&mut self, more: Option<impl Into<String>>) {
        let Some(more) = more.map(Into::into) else {
            return;
        };
        self.reason = Some(match self.reason.take() {
            Some(reason) => format!("{reason}; {more}"),
            None => more,
        });
    }
}

impl OutcomeAction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Absent => "absent",
            Self::Ignored => "ignored",
        }
    }
}
