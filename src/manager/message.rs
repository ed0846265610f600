//! What a commit to the manager repository says.
//!
//! Trailers are the record of who asked for what: no input can add one. Each value stands on a line
//! of its own and holds no line end; free text of a pull request's is in none of them.

use super::{Outcome, OutcomeAction, Wish, Word};
use crate::event::PullRequestId;

const ENVIRONMENT: &str = "Dayfly-Environment: ";
const PULL_REQUEST: &str = "Dayfly-Pull-Request: ";
const INTENT: &str = "Dayfly-Intent: ";
/// Not "close": GitHub takes that word before a pull request as an order.
const REMOVE: &str = "remove";
const VERBS: [(OutcomeAction, &str); 3] = [
    (OutcomeAction::Created, "open"),
    (OutcomeAction::Updated, "update"),
    (OutcomeAction::Deleted, REMOVE),
];

/// The commit's message: what, and in trailers for which pull request, after which event and by whom.
/// `intent` is the id of the one that it answers, if it does.
pub(super) fn message(outcome: &Outcome, wish: &Wish, intent: Option<&str>) -> String {
    let pull_request = wish.word.pull_request();
    let verb = VERBS.iter().find(|(of, _)| *of == outcome.action);
    let verb = verb.map_or(REMOVE, |(_, verb)| verb);
    let word = |text: &Option<String>| line(text.as_deref().unwrap_or_default());
    let mut message = format!(
        "{}: {verb} {pull_request}\n\n\
         {ENVIRONMENT}{}\n\
         {PULL_REQUEST}{pull_request}\n\
         Dayfly-Event: {}\n",
        word(&outcome.service),
        word(&outcome.environment),
        line(wish.word.as_str()),
    );
    if let Word::Event(event) = &wish.word
        && let Some(login) = &event.by
    {
        message.push_str(&format!("Dayfly-By: {}\n", line(login)));
    }
    if let Some(at) = wish.word.at() {
        message.push_str(&format!("Dayfly-Event-At: {at}\n"));
    }
    if let Some(intent) = intent {
        message.push_str(&format!("{INTENT}{}\n", line(intent)));
    }
    message
}

/// The pull request that a commit was made for, if dayfly has made it.
pub(super) fn pull_request_of(message: &str) -> Option<PullRequestId> {
    let mut lines = message.lines();
    lines.find_map(|line| line.strip_prefix(PULL_REQUEST)?.parse().ok())
}

/// What was done for the intent of this id, if this is the message of the commit that did it: the
/// action and the environment's id.
pub(super) fn read_message(message: &str, intent: &str) -> Option<(OutcomeAction, String)> {
    let mut lines = message.lines();
    let subject = lines.next()?;
    let trailer = |name: &str| {
        let mut lines = lines.clone();
        lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
    };
    if trailer(INTENT)? != intent {
        return None;
    }
    let said = subject.rsplit(' ').nth(1)?;
    let (action, _) = VERBS.iter().find(|(_, verb)| *verb == said)?;
    Some((*action, trailer(ENVIRONMENT)?))
}

/// The letters of `text` that end no line. A directory, and an event, can have any name; one that is
/// long does not hide what follows it.
fn line(text: &str) -> String {
    const LONGEST: usize = 255;
    let is_shown =
        |letter: &char| !letter.is_control() && !matches!(letter, '\u{2028}' | '\u{2029}');
    text.chars().filter(is_shown).take(LONGEST).collect()
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "git is asked how it reads a message"
)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;
    use crate::event::{Action, PullRequest, PullRequestEvent};

    /// The trailers as Git finds them in a commit: what mails have for a divider is text there.
    fn trailers(message: &str) -> Vec<String> {
        let mut child = Command::new("git")
            .args(["interpret-trailers", "--no-divider", "--parse"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(message.as_bytes())
            .unwrap();
        let said = child.wait_with_output().unwrap().stdout;
        let said = String::from_utf8(said).unwrap();
        said.lines().map(str::to_owned).collect()
    }

    fn text() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            Just("\n"),
            Just("\r\n"),
            Just("\n\n"),
            Just("\nDayfly-Event: closed"),
            Just("Signed-off-by: Ann <ann@people.example>"),
            Just("---\n"),
            Just("# "),
            Just(": "),
            Just("\u{b}\u{c}\u{85}\u{2028}"),
        ];
        let piece = prop_oneof![pieces.prop_map(str::to_owned), any::<String>()];
        prop::collection::vec(piece, 0..5).prop_map(|parts| parts.concat())
    }

    #[test]
    fn the_answer_to_an_intent_is_read_back() {
        let outcome = Outcome {
            service: Some("hello".to_owned()),
            environment: Some("0123abcd".to_owned()),
            ..Outcome::of(OutcomeAction::Created)
        };
        let wish = Wish {
            word: Word::Delete {
                pull_request: "acme/x#1".parse().unwrap(),
                repository_id: None,
                at: None,
            },
            service: None,
        };
        let answer = message(&outcome, &wish, Some("00000000000000aa"));
        let read = |message: &str, id| read_message(message, id);
        let known = Some((OutcomeAction::Created, "0123abcd".to_owned()));
        assert_eq!(read(&answer, "00000000000000aa"), known);
        assert_eq!(read(&answer, "00000000000000ab"), None);
        assert_eq!(read(&message(&outcome, &wish, None), ""), None);
        assert_eq!(read("", ""), None);
        let of = pull_request_of(&answer);
        assert_eq!(of, Some("acme/x#1".parse().unwrap()));
        assert_eq!(
            pull_request_of("merged Dayfly-Pull-Request: acme/x#1"),
            None
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn git_reads_our_trailers_and_no_other(
            service in text(), environment in text(), event in text(), number in 1..999_u64,
            is_dated in any::<bool>(), intent in proptest::option::of("[0-9a-f]{16}"),
            login in proptest::option::of(text())
        ) {
            let mut pull_request = PullRequest::example("acme/x".parse().unwrap());
            pull_request.id.number = number;
            let outcome = Outcome {
                reason: Some(service.clone()),
                service: Some(service),
                environment: Some(environment.clone()),
                url: Some(event.clone()),
                ..Outcome::of(OutcomeAction::Updated)
            };
            let wish = Wish {
                word: Word::Event(PullRequestEvent {
                    action: Action::Other(event.clone()),
                    pull_request,
                    by: login.clone(),
                    at: is_dated.then(|| "2026-11-21T09:00:00Z".parse().unwrap()),
                }),
                service: None,
            };
            let found = trailers(&message(&outcome, &wish, intent.as_deref()));
            let mut keys = vec!["Dayfly-Environment", "Dayfly-Pull-Request", "Dayfly-Event"];
            if login.is_some() {
                keys.push("Dayfly-By");
            }
            if is_dated {
                keys.push("Dayfly-Event-At");
            }
            if intent.is_some() {
                keys.push("Dayfly-Intent");
            }
            let own: Vec<&str> = found.iter().map(|line| line.split(':').next().unwrap_or_default()).collect();
            prop_assert_eq!(own, keys);
            prop_assert_eq!(&found[1], &format!("Dayfly-Pull-Request: acme/x#{number}"));
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&found[2]), words(&format!("Dayfly-Event: {}", line(&event))));
        }
    }
}
