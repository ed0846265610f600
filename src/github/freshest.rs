//! An event against the pull request as it is now: the fresher of the two decides.

use crate::event::{Action, PullRequestEvent};

/// What `event` means in the light of `now`, what GitHub answered after it; the text is a reason
/// to tell where the event's own word is not followed.
///
/// - Only a later answer counts, and only of the same pull request of the same repository.
/// - Closed by now is closed, whatever the event says.
/// - A `closed` whose pull request is open by now stays as it is: its own time makes it harmless
///   if the reopening was seen before, and the reopening brings back what it removes.
/// - `labeled` keeps its commit and its time: a label may approve the very commit that it was
///   given to, and the event of a newer commit must still find an older file.
pub fn freshest(
    event: PullRequestEvent,
    now: PullRequestEvent,
) -> (PullRequestEvent, Option<&'static str>) {
    let (old, new) = (&event.pull_request, &now.pull_request);
    let is_same = old.id.number == new.id.number && old.repository_id == new.repository_id;
    let is_later = match (event.at, now.at) {
        (Some(then), Some(now)) => now > then,
        (None, now) => now.is_some(),
        (Some(_), None) => false,
    };
    if !is_same || !is_later {
        return (event, None);
    }
    if !new.is_open {
        let note = (event.action != Action::Closed)
            .then_some("GitHub says that the pull request is closed by now");
        let closed = PullRequestEvent {
            action: Action::Closed,
            ..now
        };
        return (renamed(closed, event), note);
    }
    if event.action == Action::Closed || !old.is_open {
        return (event, None);
    }
    let mut fresh = PullRequestEvent {
        action: event.action.clone(),
        ..now
    };
    if matches!(event.action, Action::Labeled(_)) {
        fresh.at = event.at;
        fresh.pull_request.head_sha = event.pull_request.head_sha.clone();
        fresh.pull_request.head_branch = event.pull_request.head_branch.clone();
    }
    (renamed(fresh, event), None)
}

/// The event keeps who did it, and the name that it was sent with: the answer may spell it otherwise.
fn renamed(mut fresh: PullRequestEvent, event: PullRequestEvent) -> PullRequestEvent {
    fresh.pull_request.id = event.pull_request.id;
    fresh.by = event.by;
    fresh
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::PullRequest;

    fn said(action: Action, second: i64, sha: &str, is_open: bool) -> PullRequestEvent {
        let mut pull_request = PullRequest::example("acme/x".parse().unwrap());
        pull_request.repository_id = Some(7);
        pull_request.head_sha = sha.parse().unwrap();
        pull_request.is_open = is_open;
        pull_request.labels = vec![format!("at {second}")];
        PullRequestEvent {
            action,
            pull_request,
            at: crate::clock::Time::from_second(second).ok(),
            by: None,
        }
    }

    #[test]
    fn the_fresher_of_the_two_decides() {
        let read = || Action::Other("read".to_owned());
        let labeled = || Action::Labeled(Some("preview".to_owned()));
        let edited = || Action::Edited {
            base_changed: true,
            ignore_changed: false,
        };
        // Event: action, time, open; answer: time, open; then: action, time, commit, labels of, note.
        for (action, at, answer_at, is_open, expected) in [
            (
                Action::Synchronize,
                5,
                9,
                true,
                (Action::Synchronize, 9, "bbbb", 9, false),
            ),
            (
                Action::Synchronize,
                5,
                5,
                true,
                (Action::Synchronize, 5, "aaaa", 5, false),
            ),
            (
                Action::Synchronize,
                5,
                4,
                true,
                (Action::Synchronize, 5, "aaaa", 5, false),
            ),
            (
                Action::Synchronize,
                5,
                4,
                false,
                (Action::Synchronize, 5, "aaaa", 5, false),
            ),
            (
                Action::Synchronize,
                5,
                9,
                false,
                (Action::Closed, 9, "bbbb", 9, true),
            ),
            (edited(), 5, 9, true, (edited(), 9, "bbbb", 9, false)),
            (labeled(), 5, 9, true, (labeled(), 5, "aaaa", 9, false)),
            (labeled(), 5, 9, false, (Action::Closed, 9, "bbbb", 9, true)),
            (
                Action::Closed,
                5,
                9,
                true,
                (Action::Closed, 5, "aaaa", 5, false),
            ),
            (
                Action::Closed,
                5,
                9,
                false,
                (Action::Closed, 9, "bbbb", 9, false),
            ),
            (
                Action::Reopened,
                5,
                9,
                false,
                (Action::Closed, 9, "bbbb", 9, true),
            ),
        ] {
            let event = said(action.clone(), at, "aaaa", action != Action::Closed);
            let (fresh, note) = freshest(event, said(read(), answer_at, "bbbb", is_open));
            let labels = format!("at {}", expected.3);
            assert_eq!(fresh.action, expected.0, "{action:?} {answer_at}");
            assert_eq!(
                fresh.at.map(|at| at.as_second()),
                Some(expected.1),
                "{action:?}"
            );
            assert_eq!(
                fresh.pull_request.head_sha.as_str(),
                expected.2,
                "{action:?}"
            );
            assert_eq!(fresh.pull_request.labels, [labels], "{action:?}");
            assert_eq!(note.is_some(), expected.4, "{action:?}");
        }
    }

    #[test]
    fn an_answer_about_another_repository_changes_nothing() {
        let event = said(Action::Synchronize, 5, "aaaa", true);
        let mut other = said(Action::Opened, 9, "bbbb", false);
        other.pull_request.repository_id = Some(8);
        assert_eq!(freshest(event.clone(), other), (event, None));
    }
}
