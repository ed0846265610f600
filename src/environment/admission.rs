//! Who gets an environment: one pure decision from an event and a service's rules.

use crate::config::{Admit, Forks};
use crate::event::{Action, PullRequest, PullRequestEvent};

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

/// Judges `event` by `rules`, all but `limit`, which needs to know the other environments.
pub fn admit(event: &PullRequestEvent, rules: &Admit) -> Admission {
    let pull_request = &event.pull_request;
    match &event.action {
        Action::Closed => return Admission::Refuse("the pull request was closed".to_owned()),
        Action::Edited {
            base_changed: false,
        } => {
            return Admission::Ignore("an edit of the text changes no environment".to_owned());
        }
        Action::Other(word) => {
            return Admission::Ignore(format!("`{word}` changes no environment"));
        }
        _ => {}
    }
    if !pull_request.is_open {
        return Admission::Refuse("the pull request is closed".to_owned());
    }
    if let Some(reason) = refusal_for_life(pull_request, rules) {
        return Admission::Refuse(reason);
    }
    if pull_request.is_draft && !rules.drafts {
        return Admission::Refuse("it is a draft (drafts = false)".to_owned());
    }
    let has = |label: &String| pull_request.labels.contains(label);
    if let Some(label) = rules.exclude_labels.iter().find(|label| has(label)) {
        return Admission::Refuse(format!("it has the label `{label}` (exclude_labels)"));
    }
    if let Some(label) = rules.labels.iter().find(|label| !has(label)) {
        return Admission::Refuse(format!("it lacks the label `{label}` (labels)"));
    }
    Admission::Take
}

/// Why `rules` refuse the pull request whatever happens to it, if they do: where it comes from
/// does not change.
pub fn refusal_for_life(pull_request: &PullRequest, rules: &Admit) -> Option<String> {
    if pull_request.is_fork && rules.forks == Forks::Deny {
        return Some("its head is in a fork (forks = \"deny\")".to_owned());
    }
    let pattern = rules.ignores_branch(&pull_request.head_branch)?;
    Some(format!(
        "its branch is ignored (ignore_branches: {pattern})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::PullRequest;

    fn event(action: Action, change: impl FnOnce(&mut PullRequest)) -> PullRequestEvent {
        let mut pull_request = PullRequest {
            id: "acme/hello-service#10".parse().unwrap(),
            repository_id: None,
            head_sha: "68a0e427".parse().unwrap(),
            head_branch: "feature".parse().unwrap(),
            base_branch: None,
            is_open: true,
            is_draft: false,
            is_fork: false,
            labels: Vec::new(),
        };
        change(&mut pull_request);
        PullRequestEvent {
            action,
            pull_request,
            at: None,
        }
    }

    #[test]
    fn each_rule_has_its_reason() {
        let default = Admit::default();
        let strict = Admit {
            labels: vec!["preview".into()],
            drafts: false,
            ..Admit::default()
        };
        let allow = Admit {
            forks: Forks::Allow,
            ..Admit::default()
        };
        let branch = |name: &str| name.parse().unwrap();
        type Case<'a> = (PullRequestEvent, &'a Admit, &'a str);
        let cases: Vec<Case<'_>> = vec![
            (event(Action::Opened, |_| {}), &default, "take"),
            (
                event(Action::Closed, |_| {}),
                &default,
                "refuse: the pull request was closed",
            ),
            (
                event(Action::Labeled, |p| p.is_open = false),
                &default,
                "refuse: the pull request is closed",
            ),
            (
                event(Action::Edited { base_changed: true }, |_| {}),
                &default,
                "take",
            ),
            (
                event(
                    Action::Edited {
                        base_changed: false,
                    },
                    |_| {},
                ),
                &default,
                "ignore: an edit of the text changes no environment",
            ),
            (
                event(Action::Other("assigned".into()), |_| {}),
                &default,
                "ignore: `assigned` changes no environment",
            ),
            (
                event(Action::Opened, |p| p.is_fork = true),
                &default,
                "refuse: its head is in a fork (forks = \"deny\")",
            ),
            (event(Action::Opened, |p| p.is_fork = true), &allow, "take"),
            (
                event(Action::Opened, |p| p.is_draft = true),
                &default,
                "take",
            ),
            (
                event(Action::ConvertedToDraft, |p| p.is_draft = true),
                &strict,
                "refuse: it is a draft (drafts = false)",
            ),
            (
                event(Action::Opened, |p| p.head_branch = branch("renovate/x")),
                &default,
                "refuse: its branch is ignored (ignore_branches: renovate/*)",
            ),
            (
                event(Action::Labeled, |p| p.labels = vec!["no-preview".into()]),
                &default,
                "refuse: it has the label `no-preview` (exclude_labels)",
            ),
            (
                event(Action::Opened, |_| {}),
                &strict,
                "refuse: it lacks the label `preview` (labels)",
            ),
            (
                event(Action::Labeled, |p| p.labels = vec!["preview".into()]),
                &strict,
                "take",
            ),
        ];
        for (event, rules, expected) in cases {
            let said = match admit(&event, rules) {
                Admission::Take => "take".to_owned(),
                Admission::Refuse(reason) => format!("refuse: {reason}"),
                Admission::Ignore(reason) => format!("ignore: {reason}"),
            };
            assert_eq!(said, expected, "{event:?}");
        }
    }
}
