//! Changes as Terraform prints them.

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::escape::escaped;
use crate::stack::{Change, ChangeAction};

/// The changes, a line each, with what differs below.
pub(super) fn listed(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .filter(|change| change.is_visible())
        .flat_map(lines)
        .collect()
}

/// `1 to add, 0 to change, 0 to replace, 0 to delete`.
pub(super) fn summed(changes: &[Change]) -> String {
    let count = |action| {
        changes
            .iter()
            .filter(|change| change.is_visible() && change.action == action)
            .count()
    };
    format!(
        "{} to add, {} to change, {} to replace, {} to delete",
        count(ChangeAction::Added),
        count(ChangeAction::Changed),
        count(ChangeAction::Replaced),
        count(ChangeAction::Deleted)
    )
}

fn lines(change: &Change) -> Vec<String> {
    let object = &change.object;
    let kind = object.kind.trim_start_matches("spacelift_");
    let title = escaped(object.title());
    let first = match change.action {
        ChangeAction::Added => format!("{} {kind} {title}", "+".green()),
        ChangeAction::Changed if change.before.is_empty() => {
            format!("{} {kind} {title} (moved)", "~".yellow())
        }
        ChangeAction::Changed => format!("{} {kind} {title}", "~".yellow()),
        ChangeAction::Replaced => format!("{} {kind} {title} (replaced)", "~".yellow()),
        ChangeAction::Deleted => format!("{} {kind} {title}", "-".red()),
    };
    let mut lines = vec![format!("  {first}")];
    for (name, before) in &change.before {
        let after = &*object.value(name);
        if is_secret(change, name) {
            lines.push(format!("      {name}: (a secret)"));
        } else {
            lines.push(format!(
                "      {name}: {} -> {}",
                shown(before),
                shown(after)
            ));
        }
    }
    lines
}

/// Whether the attribute's value, the present or the former, is for nobody to read.
fn is_secret(change: &Change, name: &str) -> bool {
    const HOLD_SECRETS: [&str; 3] = ["value", "content", "checksum"];
    const ARE_SECRETS: [&str; 3] = ["value_wo", "content_wo", "import_state"];
    let was_write_only = change.before.get("write_only") == Some(&Value::Bool(true));
    let is_write_only = change.object.flag("write_only");
    ARE_SECRETS.contains(&name)
        || (HOLD_SECRETS.contains(&name) && (is_write_only || was_write_only))
}

/// A value on one line, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The changes for machines.
pub(super) fn described(changes: &[Change]) -> Value {
    changes
        .iter()
        .filter(|change| change.is_visible())
        .map(|change| {
            let object = &change.object;
            json!({
                "action": change.action,
                "address": object.address,
                "type": object.kind,
                "id": object.title(),
                "attributes": change.before.keys().collect::<Vec<_>>(),
            })
        })
        .collect()
}
