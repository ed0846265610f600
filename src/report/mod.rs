//! What the pull request is told of its environment: a value, and how it reads. Pure.
//!
//! A report never decides: it tells an outcome. Whatever stands in it is a text of others'.

mod comment;
mod text;

pub use comment::{Draft, News, Seen, Step, key};

use crate::clock::Time;
use crate::environment::{Judged, Verdict};
use crate::event::{Action, HeadSha, PullRequestEvent, PullRequestId};
use crate::manager::{Outcome, OutcomeAction, Proposal};

/// The report of one environment, or of why there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub state: State,
    /// When what it tells of happened.
    pub news: News,
    pub pull_request: PullRequestId,
    /// The commit at the head of the pull request then.
    pub head: HeadSha,
    pub service: Option<String>,
    /// The id of the environment, where one stands or stood.
    pub environment: Option<String>,
    pub url: Option<String>,
    /// What the environment is made of, by the names of its inputs.
    pub inputs: Vec<(String, String)>,
    pub expires_at: Option<Time>,
    /// Labels that keep a pull request out.
    pub exclude_labels: Vec<String>,
    /// Path of the environment file in the manager repository.
    pub path: Option<String>,
    /// The commit on the manager repository.
    pub commit: Option<String>,
    /// Where the change is only proposed.
    pub proposal: Option<Proposal>,
    pub links: Links,
}

/// How it stands with the environment.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Written,
    /// What was asked for is so already.
    Unchanged,
    Removed {
        reason: Option<String>,
    },
    /// There was none to remove.
    Absent {
        reason: Option<String>,
    },
    /// The event changes nothing: by this rule, or because it comes late.
    Ignored {
        rule: Option<&'static str>,
        reason: Option<String>,
    },
}

/// Pages on the web, where there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    pub head: Option<String>,
    pub file: Option<String>,
    pub commit: Option<String>,
}

/// Where a report is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    Always,
    /// Only who was told of an environment hears of this.
    IfToldBefore,
    /// Who was told of an environment has heard all of it: this makes up for a comment that failed.
    IfNeverTold,
    Never,
}

impl Report {
    pub fn new(event: &PullRequestEvent, outcome: &Outcome, links: Links) -> Self {
        let reason = outcome.reason.clone();
        let particulars = &outcome.particulars;
        let rule = particulars.rule.as_ref().map(|rule| rule.rule);
        let state = match outcome.action {
            OutcomeAction::Created | OutcomeAction::Updated => State::Written,
            OutcomeAction::Unchanged => State::Unchanged,
            OutcomeAction::Deleted => State::Removed { reason },
            OutcomeAction::Absent => State::Absent { reason },
            OutcomeAction::Ignored => State::Ignored { rule, reason },
        };
        Self {
            news: News::new(
                event.at,
                matches!(state, State::Removed { .. } | State::Absent { .. }),
                event.action == Action::Reopened,
            ),
            state,
            pull_request: event.pull_request.id.clone(),
            head: event.pull_request.head_sha.clone(),
            service: outcome.service.clone(),
            environment: outcome.environment.clone(),
            url: outcome.url.clone(),
            inputs: particulars.inputs.clone(),
            expires_at: particulars.expires_at,
            exclude_labels: particulars.exclude_labels.clone(),
            path: outcome.path.clone(),
            commit: outcome.commit.clone(),
            proposal: outcome.proposal.clone(),
            links,
        }
    }

    /// Whether an environment stands after it.
    fn stands(&self) -> bool {
        self.environment.is_some() && (!self.is_end() || self.is_removal_proposed())
    }

    /// A proposal that is withdrawn makes no commit.
    fn is_removal_proposed(&self) -> bool {
        self.is_end() && self.proposal.is_some() && self.commit.is_some()
    }

    fn is_end(&self) -> bool {
        matches!(self.state, State::Removed { .. } | State::Absent { .. })
    }
}

/// Where an outcome is news for its pull request. What nobody there can change (the branches that
/// are taken, say) is none to those who never had an environment: each pull request of a bot's would
/// get a comment.
pub fn telling(outcome: &Outcome) -> Telling {
    let rule = outcome.particulars.rule.as_ref();
    match (outcome.action, rule) {
        _ if !outcome.particulars.comments => Telling::Never,
        (OutcomeAction::Created | OutcomeAction::Updated | OutcomeAction::Deleted, _) => {
            Telling::Always
        }
        (OutcomeAction::Absent, _) => Telling::IfToldBefore,
        (OutcomeAction::Ignored, Some(rule)) => by_rule(rule),
        (OutcomeAction::Unchanged, _) => Telling::IfNeverTold,
        (OutcomeAction::Ignored, None) => Telling::Never,
    }
}

fn by_rule(rule: &Judged) -> Telling {
    match rule.verdict {
        _ if rule.awaits_person => Telling::Always,
        Verdict::Refuses => Telling::IfToldBefore,
        _ => Telling::Never,
    }
}

#[cfg(test)]
mod tests;
