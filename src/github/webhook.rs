//! The payload of a `pull_request` event, as a workflow finds it at `GITHUB_EVENT_PATH`.
//!
//! Only what decides is read; GitHub adds fields as it likes.

use serde::Deserialize;

use crate::error::{Diagnose, Kind};
use crate::event::{
    Action, EventError, PullRequest, PullRequestEvent, PullRequestId, RepositoryName, asks_for_none,
};

#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("event `{0}` is not about a pull request")]
    OtherEvent(String),
    #[error("the payload of the event is not a pull request event's")]
    Malformed(#[source] serde_json::Error),
    #[error("the payload of the event has a name that cannot be")]
    Name(#[source] EventError),
}

impl Diagnose for WebhookError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::OtherEvent(_) => Some(
                "run it in a workflow `on: pull_request_target`, or give --event-name pull_request"
                    .to_owned(),
            ),
            Self::Malformed(_) => Some(
                "--event-path (or GITHUB_EVENT_PATH) names the JSON file of the whole event"
                    .to_owned(),
            ),
            Self::Name(error) => error.hint(),
        }
    }
}

#[derive(Deserialize)]
struct Payload {
    action: String,
    pull_request: PayloadPullRequest,
    repository: PayloadRepository,
    changes: Option<PayloadChanges>,
    sender: Option<PayloadPerson>,
    /// The label that was set or removed.
    label: Option<PayloadLabel>,
}

/// Nothing else is taken for an end.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PayloadState {
    Open,
    Closed,
}

#[derive(Deserialize)]
struct PayloadPullRequest {
    number: u64,
    state: PayloadState,
    #[serde(default)]
    draft: bool,
    body: Option<String>,
    updated_at: Option<crate::clock::Time>,
    head: PayloadSide,
    base: PayloadSide,
    #[serde(default)]
    labels: Vec<PayloadLabel>,
}

#[derive(Deserialize)]
struct PayloadSide {
    sha: String,
    #[serde(rename = "ref")]
    branch: String,
    /// Null when the fork is gone.
    repo: Option<PayloadRepository>,
}

#[derive(Deserialize)]
struct PayloadRepository {
    id: u64,
    full_name: String,
}

#[derive(Deserialize)]
struct PayloadPerson {
    login: String,
}

#[derive(Deserialize)]
struct PayloadLabel {
    name: String,
}

#[derive(Deserialize)]
struct PayloadChanges {
    base: Option<serde_json::Value>,
    body: Option<PayloadFrom>,
}

/// What stood there before; null where nothing did.
#[derive(Deserialize)]
struct PayloadFrom {
    from: Option<String>,
}

/// The event that `payload` describes; `name` is the event's name (`GITHUB_EVENT_NAME`).
pub fn read_event(name: &str, payload: &[u8]) -> Result<PullRequestEvent, WebhookError> {
    if !matches!(name, "pull_request" | "pull_request_target") {
        return Err(WebhookError::OtherEvent(name.to_owned()));
    }
    let payload: Payload = serde_json::from_slice(payload).map_err(WebhookError::Malformed)?;
    let pull_request = payload.pull_request;
    let repository: RepositoryName = payload
        .repository
        .full_name
        .parse()
        .map_err(WebhookError::Name)?;
    let is_fork = pull_request
        .head
        .repo
        .as_ref()
        .is_none_or(|head| head.id != payload.repository.id);
    let none_is_asked = pull_request.body.as_deref().is_some_and(asks_for_none);
    let changes = payload.changes.as_ref();
    let before = changes.and_then(|changes| changes.body.as_ref());
    let ignore_changed =
        before.is_some_and(|body| body.from.as_deref().is_some_and(asks_for_none) != none_is_asked);
    // An end needs none of these, whatever they are.
    let is_end = payload.action == "closed" || pull_request.state == PayloadState::Closed;
    let any = PullRequest::example(repository.clone());
    let sha = or_any(pull_request.head.sha.parse(), &any.head_sha, is_end)?;
    let head = or_any(pull_request.head.branch.parse(), &any.head_branch, is_end)?;
    let base = or_any(pull_request.base.branch.parse(), &any.head_branch, is_end)?;
    let label = payload.label.map(|label| label.name);
    let action = match payload.action.as_str() {
        "opened" => Action::Opened,
        "reopened" => Action::Reopened,
        "synchronize" => Action::Synchronize,
        "edited" => Action::Edited {
            base_changed: changes.is_some_and(|changes| changes.base.is_some()),
            ignore_changed,
        },
        "labeled" => Action::Labeled(label),
        "unlabeled" => Action::Unlabeled(label),
        "ready_for_review" => Action::ReadyForReview,
        "converted_to_draft" => Action::ConvertedToDraft,
        "closed" => Action::Closed,
        other => Action::Other(other.to_owned()),
    };
    Ok(PullRequestEvent {
        action,
        // One clock for all events, also for `closed`: only then do they have an order.
        at: pull_request.updated_at,
        by: payload.sender.map(|sender| sender.login),
        pull_request: PullRequest {
            id: PullRequestId {
                repository,
                number: pull_request.number,
            },
            repository_id: Some(payload.repository.id),
            head_sha: sha,
            head_branch: head,
            base_branch: Some(base),
            is_open: pull_request.state == PayloadState::Open,
            is_draft: pull_request.draft,
            is_fork,
            asks_for_none: none_is_asked,
            labels: pull_request
                .labels
                .into_iter()
                .map(|label| label.name)
                .collect(),
        },
    })
}

/// What was read, or `any` where it cannot be and nothing hangs on it.
fn or_any<T: Clone>(read: Result<T, EventError>, any: &T, is_end: bool) -> Result<T, WebhookError> {
    match read {
        Err(_) if is_end => Ok(any.clone()),
        read => read.map_err(WebhookError::Name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(action: &str, head_repository: serde_json::Value) -> Vec<u8> {
        serde_json::json!({
            "action": action,
            "number": 10,
            "pull_request": {
                "number": 10, "state": "open", "draft": false, "title": "x",
                "updated_at": "2026-11-21T09:00:00Z",
                "head": { "sha": "68a0e427", "ref": "feature", "repo": head_repository },
                "base": { "sha": "00000000", "ref": "main", "repo": { "id": 1, "full_name": "acme/x" } },
                "labels": [{ "id": 1, "name": "preview" }],
            },
            "repository": { "id": 1, "full_name": "acme/x" },
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn the_fields_that_decide_are_read() {
        let body = payload(
            "opened",
            serde_json::json!({ "id": 1, "full_name": "acme/x" }),
        );
        let event = read_event("pull_request_target", &body).unwrap();
        assert_eq!(event.action, Action::Opened);
        assert_eq!(event.pull_request.id.to_string(), "acme/x#10");
        assert_eq!(event.pull_request.repository_id, Some(1));
        assert_eq!(event.at.unwrap().to_string(), "2026-11-21T09:00:00Z");
        assert_eq!(event.pull_request.labels, ["preview"]);
        assert!(!event.pull_request.is_fork);
    }

    #[test]
    fn a_fork_is_a_fork_also_when_it_is_gone() {
        let other = serde_json::json!({ "id": 2, "full_name": "eve/x" });
        for head in [other, serde_json::Value::Null] {
            assert!(
                read_event("pull_request", &payload("opened", head))
                    .unwrap()
                    .pull_request
                    .is_fork
            );
        }
    }

    #[test]
    fn a_state_that_is_not_known_is_no_end() {
        let body = String::from_utf8(payload("synchronize", serde_json::Value::Null)).unwrap();
        let read = |state: &str| {
            let body = body.replace("\"state\":\"open\"", &format!("\"state\":{state}"));
            read_event("pull_request", body.as_bytes()).map(|event| event.pull_request.is_open)
        };
        assert!(read("\"open\"").unwrap());
        assert!(!read("\"closed\"").unwrap());
        for state in ["\"indeterminate\"", "\"\"", "null", "1"] {
            assert!(
                matches!(read(state), Err(WebhookError::Malformed(_))),
                "{state}"
            );
        }
    }

    #[test]
    fn an_edit_says_what_it_changed() {
        let edited = |body: serde_json::Value, changes: serde_json::Value| {
            let mut payload: serde_json::Value =
                serde_json::from_slice(&payload("edited", serde_json::Value::Null)).unwrap();
            payload["pull_request"]["body"] = body;
            payload["changes"] = changes;
            let event = read_event("pull_request", payload.to_string().as_bytes()).unwrap();
            let Action::Edited {
                base_changed,
                ignore_changed,
            } = event.action
            else {
                panic!("{:?}", event.action)
            };
            (
                event.pull_request.asks_for_none,
                base_changed,
                ignore_changed,
            )
        };
        let json = |text: &str| serde_json::from_str(text).unwrap();
        let ignore = "\"x\\r\\ndayfly: ignore\"";
        for (body, changes, expected) in [
            ("null", r#"{"title": {"from": "a"}}"#, (false, false, false)),
            (
                "null",
                r#"{"base": {"ref": {"from": "main"}, "sha": {"from": "00"}}}"#,
                (false, true, false),
            ),
            ("\"y\"", r#"{"body": {"from": "x"}}"#, (false, false, false)),
            (ignore, r#"{"body": {"from": "x"}}"#, (true, false, true)),
            (ignore, r#"{"body": {"from": null}}"#, (true, false, true)),
            (
                ignore,
                r#"{"body": {"from": "Dayfly: Ignore"}}"#,
                (true, false, false),
            ),
            (ignore, r#"{"title": {"from": "a"}}"#, (true, false, false)),
            (
                "null",
                r#"{"body": {"from": "dayfly: ignore"}}"#,
                (false, false, true),
            ),
        ] {
            assert_eq!(
                edited(json(body), json(changes)),
                expected,
                "{body} {changes}"
            );
        }
    }

    #[test]
    fn a_label_event_names_its_label() {
        for (word, expected) in [
            ("labeled", Action::Labeled(Some("preview".to_owned()))),
            ("unlabeled", Action::Unlabeled(Some("preview".to_owned()))),
        ] {
            let mut payload: serde_json::Value =
                serde_json::from_slice(&payload(word, serde_json::Value::Null)).unwrap();
            payload["label"] = serde_json::json!({ "id": 1, "name": "preview" });
            let event = read_event("pull_request", payload.to_string().as_bytes()).unwrap();
            assert_eq!(event.action, expected);
        }
    }

    #[test]
    fn other_events_are_refused() {
        assert!(matches!(
            read_event("push", b"{}"),
            Err(WebhookError::OtherEvent(_))
        ));
        assert!(matches!(
            read_event("pull_request", b"{}"),
            Err(WebhookError::Malformed(_))
        ));
    }
}
