//! What the pull request of a proposal says. Outside text stands in code spans only.

use std::fmt::Write as _;

use crate::manager::{Outcome, Word};
use crate::markdown::code;

/// Title and body of a pull request on the manager repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalText {
    pub title: String,
    pub body: String,
    /// What of the body says which change this is.
    pub marker: String,
}

/// What is proposed: a file as it is to be, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Write,
    Remove,
}

const WITHDRAWN: &str = "<!-- dayfly withdrew this -->";

/// Names the change, for a later look at a pull request that was closed. Nobody sees it.
pub(super) fn marker(kind: Kind, word: &Word) -> String {
    match (kind, head(word)) {
        (Kind::Write, Some(head)) => format!("<!-- dayfly proposes to write {head} -->"),
        (Kind::Write, None) => "<!-- dayfly proposes to write -->".to_owned(),
        (Kind::Remove, _) => "<!-- dayfly proposes to remove -->".to_owned(),
    }
}

fn head(word: &Word) -> Option<&str> {
    match word {
        Word::Event(event) => Some(event.pull_request.head_sha.as_str()),
        Word::Upsert { pull_request, .. } => Some(pull_request.head_sha.as_str()),
        Word::Delete { .. } | Word::Lifetime { .. } => None,
    }
}

/// Whether a body says that dayfly closed the pull request by itself.
pub fn is_withdrawn(body: &str) -> bool {
    body.contains(WITHDRAWN)
}

/// The body of a pull request that dayfly closes.
pub fn withdrawn(body: &str, reason: Option<&str>) -> String {
    let reason = reason.unwrap_or("nothing is left to propose");
    format!(
        "{}\n\nWithdrawn: {}\n{WITHDRAWN}\n",
        body.trim_end(),
        code(reason)
    )
}

impl ProposalText {
    pub(super) fn new(
        kind: Kind,
        stands: bool,
        outcome: &Outcome,
        path: &str,
        word: &Word,
    ) -> Self {
        let pull_request = word.pull_request();
        let verb = match (kind, stands) {
            (Kind::Write, false) => "open",
            (Kind::Write, true) => "update",
            (Kind::Remove, _) => "remove",
        };
        let service = outcome.service.as_deref().unwrap_or_default();
        let marker = marker(kind, word);
        let mut body = match kind {
            Kind::Write => "This writes the environment of a pull request.\n\n".to_owned(),
            Kind::Remove => "This removes the environment of a pull request.\n\n".to_owned(),
        };
        let number = pull_request.to_string();
        let lines = [
            ("pull request", Some(number.as_str())),
            ("commit", head(word).filter(|_| kind == Kind::Write)),
            ("environment", outcome.environment.as_deref()),
            ("url", outcome.url.as_deref()),
            ("file", Some(path)),
            (
                "reason",
                outcome.reason.as_deref().filter(|_| kind == Kind::Remove),
            ),
        ];
        for (name, text) in lines {
            if let Some(text) = text {
                let _ = writeln!(body, "- {name}: {}", code(text));
            }
        }
        let _ = write!(
            body,
            "\nIt follows the pull request until it is merged. Closing it says no to this change: \
             it is proposed again for a new commit, or when the pull request is reopened.\n\n\
             {marker}\n"
        );
        Self {
            title: format!("{service}: {verb} {pull_request}"),
            body,
            marker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::OutcomeAction;

    #[test]
    fn what_it_says() {
        let outcome = Outcome {
            action: OutcomeAction::Created,
            reason: None,
            service: Some("hello".to_owned()),
            environment: Some("0123abcd".to_owned()),
            path: None,
            commit: None,
            url: Some("https://`@acme` closes #1".to_owned()),
            proposal: None,
            over_limit: false,
            particulars: Box::default(),
        };
        let word = Word::Delete {
            pull_request: "acme/x#1".parse().unwrap(),
            at: None,
        };
        let text = ProposalText::new(
            Kind::Write,
            false,
            &outcome,
            "hello/environments/x.tf",
            &word,
        );
        assert_eq!(text.title, "hello: open acme/x#1");
        assert!(
            text.body.contains("- url: ``https://`@acme` closes #1``\n"),
            "{}",
            text.body
        );
        assert!(!is_withdrawn(&text.body));
        let body = withdrawn(&text.body, Some("the pull request was closed"));
        assert!(is_withdrawn(&body) && body.contains(&text.marker));
    }
}
