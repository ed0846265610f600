//! What the pull request of a proposal says. Outside text stands in code spans only.

use std::fmt::Write as _;

use crate::clock::Time;
use crate::event::Action;
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

const REMOVED: &str = "<!-- dayfly proposes to remove -->";
const ENDED: &str = "<!-- dayfly proposes to remove, ended at ";
const WITHDRAWN: &str = "<!-- dayfly withdrew this -->";

/// Names the change, for a later look at a pull request that was closed. Nobody sees it.
pub(super) fn marker(kind: Kind, word: &Word) -> String {
    match (kind, head(word)) {
        (Kind::Write, Some(head)) => format!("<!-- dayfly proposes to write {head} -->"),
        (Kind::Write, None) => "<!-- dayfly proposes to write -->".to_owned(),
        (Kind::Remove, _) if word.is_end() => {
            let at = word.at().map_or_else(String::new, |at| at.to_string());
            format!("{ENDED}{at} -->")
        }
        (Kind::Remove, _) => REMOVED.to_owned(),
    }
}

/// Whether a person's no to what `body` proposes is one to a removal for `word` as well. A no to a
/// label, say, is none to the pull request's end; one to an end counts for the same event again and
/// for what else is said of a pull request that has ended, but not for a later close.
pub(super) fn answers_removal(body: &str, word: &Word) -> bool {
    let Some((_, ended)) = body.split_once(ENDED) else {
        return !word.is_end() && body.contains(REMOVED);
    };
    let until: Option<Time> = ended.split(' ').next().and_then(|time| time.parse().ok());
    let is_close = word.is_action(&Action::Closed);
    word.at() <= until || word.is_end() && !is_close
}

fn head(word: &Word) -> Option<&str> {
    match word {
        Word::Event(event) => Some(event.pull_request.head_sha.as_str()),
        Word::Upsert { pull_request, .. } => Some(pull_request.head_sha.as_str()),
        Word::Delete { .. } | Word::Rollback { .. } | Word::Lifetime { .. } => None,
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
    use crate::event::{PullRequest, PullRequestEvent};
    use crate::manager::OutcomeAction;

    #[test]
    fn a_no_is_one_to_the_same_question() {
        let word = |action: Action, is_open: bool, minute: u32| {
            let mut pull_request = PullRequest::example("acme/x".parse().unwrap());
            pull_request.is_open = is_open;
            Word::Event(PullRequestEvent {
                action,
                pull_request,
                by: None,
                at: format!("2026-11-21T00:0{minute}:00Z").parse().ok(),
            })
        };
        let label = || Action::Labeled(Some("x".to_owned()));
        let closed = |minute| word(Action::Closed, false, minute);
        let (by_label, by_end) = (word(label(), true, 2), closed(2));
        for (proposed, asked, expected) in [
            (&by_label, &by_label, true),
            (&by_label, &word(label(), true, 3), true),
            (&by_label, &by_end, false),
            (&by_end, &by_end, true),
            (&by_end, &closed(1), true),
            (&by_end, &closed(3), false),
            (&by_end, &word(label(), false, 3), true),
            (&by_end, &word(label(), true, 1), true),
            (&by_end, &word(label(), true, 3), false),
        ] {
            let body = format!("text\n\n{}\n", marker(Kind::Remove, proposed));
            assert_eq!(answers_removal(&body, asked), expected, "{body} {asked:?}");
        }
        assert!(!answers_removal("a person's text", &by_label));
    }

    #[test]
    fn what_it_says() {
        let outcome = Outcome {
            service: Some("hello".to_owned()),
            environment: Some("0123abcd".to_owned()),
            url: Some("https://`@acme` closes #1".to_owned()),
            ..Outcome::of(OutcomeAction::Created)
        };
        let word = Word::Delete {
            pull_request: "acme/x#1".parse().unwrap(),
            repository_id: None,
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
