//! What a report tells of a decision besides its outcome.

use serde_json::Value;

use super::decision::Decision;
use super::finding::Found;
use super::services::Service;
use crate::clock::Time;
use crate::environment::{EnvironmentFile, Judged, Verdict};
use crate::git::Edit;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Particulars {
    /// Whether the pull requests of the service are told anything (`comment` of `service.hcl`).
    pub comments: bool,
    /// The rule that decided against an environment, or left it as it stands.
    pub rule: Option<Judged>,
    /// What the environment's file says of the inputs that its source sets.
    pub inputs: Vec<(String, String)>,
    pub expires_at: Option<Time>,
    /// Labels that keep a pull request out.
    pub exclude_labels: Vec<String>,
}

/// The particulars of a decision for `service`, where `standing` is the file from before it.
pub(super) fn particulars(
    service: &Service,
    standing: Option<EnvironmentFile>,
    decision: &Decision,
) -> Particulars {
    let written = match &decision.edit {
        Some(Edit::Write { path, bytes }) => {
            let text = String::from_utf8_lossy(bytes);
            EnvironmentFile::read(path, &text).ok().flatten()
        }
        _ => None,
    };
    let file = written.or(standing);
    let values = file.iter().flat_map(|file| &file.attributes);
    let inputs = service
        .rules
        .sources
        .iter()
        .flat_map(|source| &source.inputs);
    let is_input = |name: &String| inputs.clone().any(|(input, _)| input == name);
    let made_of = values
        .filter(|(name, _)| is_input(name))
        .map(|(name, value)| (name.clone(), shown(value)));
    Particulars {
        comments: service.rules.comment,
        rule: deciding(decision).cloned(),
        inputs: made_of.collect(),
        expires_at: file.as_ref().and_then(expires_at),
        exclude_labels: service.rules.admit.exclude_labels.clone(),
    }
}

/// The file, where it can be read.
pub(super) fn standing(existing: Option<&Found>) -> Option<EnvironmentFile> {
    match existing {
        Some(Found::File { file, .. }) => Some(file.clone()),
        _ => None,
    }
}

/// The rule whose reason is the outcome's. An event that comes late is judged as well, and is
/// ignored for another reason.
fn deciding(decision: &Decision) -> Option<&Judged> {
    let reason = decision.outcome.reason.as_ref()?;
    decision.rules.iter().find(|rule| {
        matches!(rule.verdict, Verdict::Refuses | Verdict::Ignores)
            && rule.reason.as_ref() == Some(reason)
    })
}

fn expires_at(file: &EnvironmentFile) -> Option<Time> {
    let mut values = file.attributes.iter();
    let (_, value) = values.find(|(name, _)| name == "expires_at")?;
    value.as_str()?.parse().ok()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
