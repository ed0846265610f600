//! Who gets an environment: one pure decision from an event, a service's rules, and what stands.
//!
//! The rules are judged one by one, and their list is the decision: `explain` shows no other.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::EnvironmentFile;
use crate::config::{Admit, BranchPattern, Forks};
use crate::event::{Action, Branch, PullRequest, PullRequestEvent};

/// What an event asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The pull request is to have an environment with its present inputs.
    Take,
    /// It is to have none; the reason.
    Refuse(String),
    /// The event says nothing about an environment; the reason.
    Ignore(String),
}

/// What stands for the pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Nothing,
    /// An environment of the commit at the pull request's head.
    AtHead,
    /// An environment of another commit, or of an unknown one.
    Elsewhere,
}

/// A decision, and the rules that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub admission: Admission,
    /// In their order: the first that refuses decides, else the first that ignores.
    pub rules: Vec<Judged>,
    /// The event itself ended what would have been taken before it: it acts as a close.
    pub is_end: bool,
}

/// One rule, as it was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// Its word in `service.hcl`, or `event` and `body`, which are always judged.
    pub rule: &'static str,
    /// What it is set to.
    pub value: Value,
    pub verdict: Verdict,
    pub reason: Option<String>,
    /// Somebody can do something about it, and the reason says what.
    #[serde(skip)]
    pub awaits_person: bool,
    /// The event itself brought the refusal about.
    #[serde(skip)]
    is_turn: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Passes,
    Refuses,
    Ignores,
    NotAsked,
}

impl Judged {
    fn new(rule: &'static str, value: Value, verdict: Verdict, reason: Option<String>) -> Self {
        Self {
            rule,
            value,
            verdict,
            reason,
            awaits_person: false,
            is_turn: false,
        }
    }

    fn passes(rule: &'static str, value: Value) -> Self {
        Self::new(rule, value, Verdict::Passes, None)
    }

    fn ignores(rule: &'static str, value: Value, reason: String) -> Self {
        Self::new(rule, value, Verdict::Ignores, Some(reason))
    }

    fn not_asked(rule: &'static str, value: Value) -> Self {
        Self::new(rule, value, Verdict::NotAsked, None)
    }

    /// Refuses if there is a reason to.
    fn refuses_if(rule: &'static str, value: Value, reason: Option<String>) -> Self {
        match reason {
            Some(_) => Self::new(rule, value, Verdict::Refuses, reason),
            None => Self::passes(rule, value),
        }
    }

    fn awaiting_person(mut self) -> Self {
        self.awaits_person = self.verdict != Verdict::Passes;
        self
    }

    fn at_this_event(mut self, is_turn: bool) -> Self {
        self.is_turn = is_turn && self.verdict == Verdict::Refuses;
        self
    }
}

/// Judges `event` by `rules`, all but `limit` ([`judge_limit`]), which needs to know the other
/// environments.
pub fn admit(event: &PullRequestEvent, rules: &Admit, standing: Standing) -> Judgement {
    let pull_request = &event.pull_request;
    let first = judge_event(event);
    let mut judged = vec![
        judge_body(event),
        judge_forks(event, rules, standing),
        judge_branches(&pull_request.head_branch, &rules.branches),
        judge_ignored_branches(&pull_request.head_branch, &rules.ignore_branches),
        judge_base(event, &rules.base_branches),
        judge_draft(event, rules.drafts),
        judge_excluded_labels(event, &rules.exclude_labels),
        judge_labels(event, &rules.labels),
    ];
    if first.verdict != Verdict::Passes {
        for rule in &mut judged {
            *rule = Judged::not_asked(rule.rule, rule.value.take());
        }
    }
    judged.insert(0, first);
    let reason = |verdict: Verdict| {
        let rule = judged.iter().find(|rule| rule.verdict == verdict)?;
        Some(rule.reason.clone().unwrap_or_default())
    };
    let admission = match (reason(Verdict::Refuses), reason(Verdict::Ignores)) {
        (Some(reason), _) => Admission::Refuse(reason),
        (None, Some(reason)) => Admission::Ignore(reason),
        (None, None) => Admission::Take,
    };
    Judgement {
        admission,
        is_end: judged.iter().any(|rule| rule.is_turn),
        rules: judged,
    }
}

/// Why `rules` refuse the pull request whatever happens to it, if they do: where it comes from
/// does not change.
pub fn refusal_for_life(pull_request: &PullRequest, rules: &Admit) -> Option<String> {
    let branch = &pull_request.head_branch;
    denied_fork(pull_request, rules)
        .or_else(|| judge_branches(branch, &rules.branches).reason)
        .or_else(|| judge_ignored_branches(branch, &rules.ignore_branches).reason)
}

/// Whether another environment may stand beside the `count` of its service; `standing` are these,
/// and are looked at only to tell which would have to go.
pub fn judge_limit(limit: usize, count: usize, standing: &[&EnvironmentFile]) -> Judged {
    let oldest = standing
        .iter()
        .min_by_key(|file| (file.event_at.is_none(), file.event_at, &file.path));
    let reason = (count >= limit).then(|| match oldest {
        Some(oldest) => format!(
            "the limit is reached (limit = {limit}, {count} stand): one would have to go first, \
             the oldest is {}{}",
            oldest.name,
            oldest
                .event_at
                .map(|at| format!(" of {at}"))
                .unwrap_or_default()
        ),
        None => format!("no environment may stand (limit = {limit})"),
    });
    let judged = Judged::refuses_if("limit", json!(limit), reason);
    match oldest {
        Some(_) => judged.awaiting_person(),
        None => judged,
    }
}

/// `limit`, where the decision needs no room for another environment.
pub fn limit_not_asked(limit: usize) -> Judged {
    Judged::not_asked("limit", json!(limit))
}

/// That the environment has expired and stays gone; `reason` says until when.
pub fn judge_expired(after: Option<Duration>, reason: &str) -> Judged {
    let seconds = after.map(|after| after.as_secs());
    Judged::refuses_if(
        "expire",
        json!({ "after_seconds": seconds }),
        Some(reason.into()),
    )
}

fn judge_event(event: &PullRequestEvent) -> Judged {
    let value = json!(event.action.as_str());
    let refused = |reason: &str| {
        Judged::refuses_if("event", json!(event.action.as_str()), Some(reason.into()))
    };
    match &event.action {
        Action::Closed => refused("the pull request was closed"),
        Action::Edited {
            base_changed: false,
            ignore_changed: false,
        } => Judged::ignores(
            "event",
            value,
            "an edit of the text changes no environment".to_owned(),
        ),
        Action::Other(word) => {
            Judged::ignores("event", value, format!("`{word}` changes no environment"))
        }
        _ if !event.pull_request.is_open => refused("the pull request is closed"),
        _ => Judged::passes("event", value),
    }
}

/// The body is never quoted: it is a stranger's text.
fn judge_body(event: &PullRequestEvent) -> Judged {
    let is_asked = event.pull_request.asks_for_none;
    let reason = is_asked.then(|| "its body says `dayfly: ignore`".to_owned());
    let is_turn = matches!(
        event.action,
        Action::Edited {
            ignore_changed: true,
            ..
        }
    );
    Judged::refuses_if("body", json!("dayfly: ignore"), reason).at_this_event(is_turn)
}

fn denied_fork(pull_request: &PullRequest, rules: &Admit) -> Option<String> {
    let is_denied = pull_request.is_fork && rules.forks == Forks::Deny;
    is_denied.then(|| "its head is in a fork (forks = \"deny\")".to_owned())
}

fn judge_forks(event: &PullRequestEvent, rules: &Admit, standing: Standing) -> Judged {
    let value = json!(rules.forks.as_str());
    match rules.forks {
        _ if !event.pull_request.is_fork => Judged::not_asked("forks", value),
        Forks::Allow => Judged::passes("forks", value),
        Forks::Deny => Judged::refuses_if("forks", value, denied_fork(&event.pull_request, rules)),
        Forks::Label => judge_approval(event, &rules.fork_label, standing, value),
    }
}

/// Setting the label is the approval, of the commit that the event itself names. The label's mere
/// presence approves nothing: a commit may have come since it was set.
fn judge_approval(
    event: &PullRequestEvent,
    label: &str,
    standing: Standing,
    value: Value,
) -> Judged {
    let has_label = has(&event.pull_request, label);
    let is_set = matches!(&event.action, Action::Labeled(Some(set)) if is_same(set, label));
    let is_removed = matches!(&event.action, Action::Unlabeled(Some(gone)) if is_same(gone, label));
    let commit = event.pull_request.head_sha.as_str();
    let reason = match (has_label, standing) {
        (true, _) if is_set => return Judged::passes("forks", value),
        (false, Standing::Nothing) => format!(
            "its head is in a fork, the label `{label}` approves its commit (forks = \"label\")"
        ),
        (false, _) => {
            format!("it lacks the label `{label}` that approved its commit (forks = \"label\")")
        }
        (true, Standing::Nothing) => format!(
            "commit {commit} of a fork is not approved, remove the label `{label}` and set it \
             again (forks = \"label\")"
        ),
        (true, Standing::AtHead) => {
            let reason = format!(
                "the environment stands at its approved commit {commit} (forks = \"label\")"
            );
            return Judged::ignores("forks", value, reason);
        }
        (true, Standing::Elsewhere) => {
            let reason = format!(
                "commit {commit} of a fork is not approved, the environment stays at the one that \
                 is: remove the label `{label}` and set it again (forks = \"label\")"
            );
            return Judged::ignores("forks", value, reason).awaiting_person();
        }
    };
    Judged::refuses_if("forks", value, Some(reason))
        .awaiting_person()
        .at_this_event(is_removed)
}

fn judge_branches(branch: &Branch, patterns: &[BranchPattern]) -> Judged {
    let is_taken = patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(branch));
    let reason = (!is_taken).then(|| {
        let (branch, patterns) = (branch.as_str(), listed(patterns));
        format!("its branch `{branch}` is not taken (branches: {patterns})")
    });
    Judged::refuses_if("branches", words(patterns), reason)
}

fn judge_ignored_branches(branch: &Branch, patterns: &[BranchPattern]) -> Judged {
    let pattern = patterns.iter().find(|pattern| pattern.matches(branch));
    let reason =
        pattern.map(|pattern| format!("its branch is ignored (ignore_branches: {pattern})"));
    Judged::refuses_if("ignore_branches", words(patterns), reason)
}

fn judge_base(event: &PullRequestEvent, patterns: &[BranchPattern]) -> Judged {
    let base = event.pull_request.base_branch.as_ref();
    let base = base.filter(|_| !patterns.is_empty());
    let reason = base
        .filter(|base| !patterns.iter().any(|pattern| pattern.matches(base)))
        .map(|base| {
            let (base, patterns) = (base.as_str(), listed(patterns));
            format!("its base branch `{base}` is not taken (base_branches: {patterns})")
        });
    let is_turn = matches!(
        event.action,
        Action::Edited {
            base_changed: true,
            ..
        }
    );
    Judged::refuses_if("base_branches", words(patterns), reason).at_this_event(is_turn)
}

fn judge_draft(event: &PullRequestEvent, drafts: bool) -> Judged {
    let is_refused = event.pull_request.is_draft && !drafts;
    let reason = is_refused.then(|| "it is a draft (drafts = false)".to_owned());
    Judged::refuses_if("drafts", json!(drafts), reason)
        .at_this_event(event.action == Action::ConvertedToDraft)
}

fn judge_excluded_labels(event: &PullRequestEvent, labels: &[String]) -> Judged {
    let label = labels.iter().find(|label| has(&event.pull_request, label));
    let reason = label.map(|label| format!("it has the label `{label}` (exclude_labels)"));
    let is_turn = matches!(&event.action, Action::Labeled(Some(set))
        if labels.iter().any(|label| is_same(label, set)));
    Judged::refuses_if("exclude_labels", json!(labels), reason).at_this_event(is_turn)
}

fn judge_labels(event: &PullRequestEvent, labels: &[String]) -> Judged {
    let label = labels.iter().find(|label| !has(&event.pull_request, label));
    let reason = label.map(|label| format!("it lacks the label `{label}` (labels)"));
    let is_turn = matches!(&event.action, Action::Unlabeled(Some(gone))
        if labels.iter().any(|label| is_same(label, gone)));
    Judged::refuses_if("labels", json!(labels), reason).at_this_event(is_turn)
}

fn has(pull_request: &PullRequest, label: &str) -> bool {
    pull_request.labels.iter().any(|own| is_same(own, label))
}

/// A repository of GitHub's has no two labels that differ in the case of their letters only.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn listed(patterns: &[BranchPattern]) -> String {
    let words: Vec<&str> = patterns.iter().map(BranchPattern::as_str).collect();
    words.join(", ")
}

fn words(patterns: &[BranchPattern]) -> Value {
    patterns.iter().map(BranchPattern::as_str).collect()
}

#[cfg(test)]
mod tests;
