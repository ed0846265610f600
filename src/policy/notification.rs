//! NOTIFICATION: who is told, and what.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::error::{FailureReason, PolicyFailure};
use super::evaluate::{Opinion, Policy};
use super::input::{NotificationInput, Severity};
use super::judge::ask;
use super::kind::PolicyType;

/// The union of what the policies name, each target once.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NotificationVerdict {
    pub inbox: Vec<InboxMessage>,
    pub slack: Vec<SlackMessage>,
    pub webhook: Vec<WebhookRequest>,
    pub pull_request: Vec<PullRequestComment>,
    pub opinions: Vec<Opinion>,
    /// Policies that failed, and objects that name no target.
    pub errors: Vec<PolicyFailure>,
}

/// What is left out is the event's own text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InboxMessage {
    pub title: Option<String>,
    pub body: Option<String>,
    pub severity: Option<Severity>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SlackMessage {
    pub channel_id: String,
    pub message: Option<String>,
    #[serde(default)]
    pub mention_users: Vec<String>,
    #[serde(default)]
    pub mention_groups: Vec<String>,
    /// Messages with one key are one thread.
    pub thread_key: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WebhookRequest {
    pub endpoint_id: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// None for the event's own document.
    pub payload: Option<Value>,
    #[serde(default = "post")]
    pub method: String,
}

/// Addressed by one of `id`, `commit` and `branch`; by none of them, to the run's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PullRequestComment {
    #[serde(default, deserialize_with = "text_or_number")]
    pub id: Option<String>,
    pub commit: Option<String>,
    /// The branch the pull request is to be merged into.
    pub branch: Option<String>,
    pub body: Option<String>,
    /// A comment with the same key is replaced.
    pub deduplication_key: Option<String>,
}

/// Asks the NOTIFICATION policies and unites what they name.
pub fn judge_notification<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    input: &NotificationInput,
) -> NotificationVerdict {
    let answers = ask(policies, PolicyType::Notification, input);
    let mut errors = answers.errors;
    let opinions = answers.opinions;
    NotificationVerdict {
        inbox: targets(&opinions, "inbox", &mut errors),
        slack: targets(&opinions, "slack", &mut errors),
        webhook: targets(&opinions, "webhook", &mut errors),
        pull_request: targets(&opinions, "pull_request", &mut errors),
        opinions,
        errors,
    }
}

fn targets<T: DeserializeOwned + PartialEq>(
    opinions: &[Opinion],
    rule: &str,
    errors: &mut Vec<PolicyFailure>,
) -> Vec<T> {
    let mut targets = Vec::new();
    for opinion in opinions {
        for object in opinion.rules.objects(rule) {
            match T::deserialize(object) {
                Ok(target) if targets.contains(&target) => {}
                Ok(target) => targets.push(target),
                Err(error) => errors.push(PolicyFailure {
                    policy: opinion.policy.clone(),
                    reason: FailureReason::WrongType,
                    message: format!("an object in {rule} cannot be used: {error}"),
                }),
            }
        }
    }
    targets
}

fn post() -> String {
    "POST".to_owned()
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum TextOrNumber {
        Text(String),
        Number(i64),
    }
    Ok(
        Option::<TextOrNumber>::deserialize(deserializer)?.map(|value| match value {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        }),
    )
}
