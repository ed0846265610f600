//! Changes as Terraform prints them.

use std::collections::BTreeMap;

use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use super::escape::escaped;
use super::resource::{self, SENSITIVE};
use crate::module::Attributes;
use crate::stack::{Change, ChangeAction};

/// Up to so many changes are all printed; of more, those that are alike are counted.
const WHOLE: usize = 100;
/// How many of those that are alike are printed.
const ALIKE: usize = 3;

/// The changes as Terraform prints them, a block each, and what its signs mean.
pub(super) fn listed(changes: &[Change]) -> Vec<String> {
    let visible: Vec<&Change> = visible(changes).collect();
    if visible.is_empty() {
        return Vec::new();
    }
    let mut lines = legend(&visible);
    let mut alike: BTreeMap<String, usize> = BTreeMap::new();
    for change in &visible {
        let count = alike.entry(shape(change)).or_default();
        *count += 1;
        if visible.len() <= WHOLE || *count <= ALIKE {
            lines.push(String::new());
            lines.extend(resource::block(change));
        }
    }
    if visible.len() > WHOLE {
        lines.push(String::new());
        let more = alike.iter().filter(|(_, count)| **count > ALIKE);
        lines.extend(more.map(|(shape, count)| format!("  # and {} more {shape}", count - ALIKE)));
    }
    lines.push(String::new());
    lines
}

/// What its changes are alike in: `spacelift_stack.this will be updated in-place (branch)`.
fn shape(change: &Change) -> String {
    let object = &change.object;
    let names: Vec<&str> = change.before.keys().map(String::as_str).collect();
    let what = format!("{}.{} {}", object.kind, object.name, resource::fate(change));
    match names.as_slice() {
        [] => what,
        names => format!("{what} ({})", names.join(", ")),
    }
}

fn legend(changes: &[&Change]) -> Vec<String> {
    let meanings = [
        (ChangeAction::Added, "create"),
        (ChangeAction::Changed, "update in-place"),
        (ChangeAction::Deleted, "destroy"),
        (
            ChangeAction::Replaced,
            "destroy and then create replacement",
        ),
    ];
    let is_there = |action| {
        let mut actions = changes
            .iter()
            .filter(|change| !resource::is_mere_move(change));
        actions.any(|change| change.action == action)
    };
    let meanings = meanings.into_iter().filter(|(action, _)| is_there(*action));
    let lines: Vec<String> = meanings
        .map(|(action, meaning)| format!("{} {meaning}", resource::sign(action)))
        .collect();
    if lines.is_empty() {
        return lines;
    }
    let first = "Resource actions are indicated with the following symbols:".to_owned();
    [vec![first], lines].concat()
}

/// `Plan: 1 to add, 0 to change, 0 to destroy.`; what is replaced is added and destroyed.
pub(super) fn summed(changes: &[Change]) -> String {
    if visible(changes).next().is_none() {
        return "No changes. What is recorded is what the manager repository says.".to_owned();
    }
    let count = |action| {
        visible(changes)
            .filter(|change| change.action == action && !resource::is_mere_move(change))
            .count()
    };
    let replaced = count(ChangeAction::Replaced);
    format!(
        "Plan: {} to add, {} to change, {} to destroy.",
        count(ChangeAction::Added) + replaced,
        count(ChangeAction::Changed),
        count(ChangeAction::Deleted) + replaced
    )
}

/// A change in one line: `+ stack hello-service-ca6d5eab`.
pub(super) fn short(change: &Change) -> String {
    let kind = change.object.kind.trim_start_matches("spacelift_");
    let sign = resource::sign(change.action);
    format!(
        "{} {kind} {}",
        sign.trim_start(),
        escaped(change.object.title())
    )
}

/// Whether anything would be done.
pub(super) fn are_any(changes: &[Change]) -> bool {
    visible(changes).next().is_some()
}

fn visible(changes: &[Change]) -> impl Iterator<Item = &Change> {
    changes.iter().filter(|change| change.is_visible())
}

/// The changes for machines: of each attribute that differs what it was and what it will be.
pub(super) fn described(changes: &[Change]) -> Value {
    visible(changes).map(described_one).collect()
}

fn described_one(change: &Change) -> Value {
    let object = &change.object;
    let (before, after): (Map<String, Value>, Map<String, Value>) = match change.action {
        ChangeAction::Added => (Map::new(), present(&object.attributes)),
        ChangeAction::Deleted => (present(&object.attributes), Map::new()),
        ChangeAction::Changed | ChangeAction::Replaced => {
            let after = |name: &String| object.value(name).into_owned();
            let after = change.before.keys().map(|name| (name.clone(), after(name)));
            (change.before.clone(), after.collect())
        }
    };
    let shown = |values: Map<String, Value>| -> Map<String, Value> {
        let shown = |(name, value): (String, Value)| match resource::is_secret(change, &name) {
            true if !value.is_null() => (name, json!(SENSITIVE)),
            _ => (name, value),
        };
        values.into_iter().map(shown).collect()
    };
    json!({
        "action": change.action,
        "address": object.address,
        "type": object.kind,
        "id": object.title(),
        "moved_from": change.moved_from,
        "attributes": change.before.keys().collect::<Vec<_>>(),
        "forces_replacement": resource::forcing(change),
        "before": shown(before),
        "after": shown(after),
    })
}

fn present(attributes: &Attributes) -> Map<String, Value> {
    let present = attributes.iter().filter(|(_, value)| !value.is_null());
    present
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

/// Signs in the colours that Terraform has for them.
pub(super) fn coloured(sign: &str) -> String {
    match sign.trim() {
        "+" => sign.green().to_string(),
        "-" => sign.red().to_string(),
        "~" => sign.yellow().to_string(),
        "-/+" => format!("{}/{}", "-".red(), "+".green()),
        _ => sign.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::module::{Origin, Resource};
    use crate::stack::Object;

    fn object(kind: &str, name: &str, attributes: Value) -> Object {
        Object::from_resource(&Arc::new(Resource {
            address: format!("module.a[\"b\"].{kind}.{name}"),
            kind: kind.to_owned(),
            name: name.to_owned(),
            attributes: attributes.as_object().unwrap().clone().into(),
            sensitive: Arc::default(),
            depends_on: [].into(),
            origin: Origin {
                calls: [].into(),
                file: "main.tf".to_owned(),
                line: 1,
            },
        }))
    }

    fn change(action: ChangeAction, object: Object, before: Value) -> Change {
        Change {
            action,
            object,
            before: before.as_object().unwrap().clone(),
            were_sensitive: Arc::default(),
            moved_from: None,
        }
    }

    fn variable(name: &str, value: &str, write_only: bool) -> Object {
        let id = format!("s/{name}");
        let attributes = json!({
            "id": id, "name": name, "value": value, "stack_id": "s", "write_only": write_only,
            "context_id": null,
        });
        object("spacelift_environment_variable", name, attributes)
    }

    fn plain(lines: &[String]) -> String {
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    #[test]
    fn a_reader_of_terraform_plans_is_at_home() {
        let stack = json!({
            "id": "s", "name": "the stack", "branch": "main", "autodeploy": true, "labels": ["a", "b"],
            "description": null, "before_init": [], "github_enterprise": [{"namespace": "acme", "id": null}],
            "terraform_version": "1.9.0",
        });
        let changed = json!({
            "id": "s", "name": "the stack", "branch": "next", "labels": ["b", "c"], "autodeploy": true,
            "description": "new", "terraform_version": null,
        });
        let body = "package spacelift\n\na\nb\nc\ndeny := 1\nx\ny\nz\nw\n";
        let policy =
            json!({"id": "p", "name": "p", "body": body.replace("1", "2"), "type": "PLAN"});
        let moved = Change {
            moved_from: Some("spacelift_stack.old".to_owned()),
            ..change(
                ChangeAction::Changed,
                object("spacelift_stack", "new", stack.clone()),
                json!({}),
            )
        };
        let moved_and_changed = Change {
            moved_from: Some("spacelift_stack.old".to_owned()),
            ..change(
                ChangeAction::Changed,
                object(
                    "spacelift_stack",
                    "new",
                    json!({"id": "s", "autodeploy": false}),
                ),
                json!({"autodeploy": true}),
            )
        };
        let unseen = change(
            ChangeAction::Changed,
            variable("unseen", "x", false),
            json!({}),
        );
        let changes = [
            change(
                ChangeAction::Added,
                object("spacelift_stack", "this", stack.clone()),
                json!({}),
            ),
            change(
                ChangeAction::Added,
                variable("secret", "hunter2", true),
                json!({}),
            ),
            change(
                ChangeAction::Replaced,
                variable("version", "2", false),
                json!({"value": "1"}),
            ),
            change(
                ChangeAction::Replaced,
                variable("secret", "new", true),
                json!({"value": "hunter2"}),
            ),
            // What was secret is not told when it stops to be.
            change(
                ChangeAction::Replaced,
                variable("opened", "new", false),
                json!({"value": "hunter2", "write_only": true}),
            ),
            change(
                ChangeAction::Changed,
                object("spacelift_stack", "this", changed),
                json!({
                    "branch": "main", "labels": ["a", "b"], "description": null,
                    "terraform_version": "1.9.0",
                    "github_enterprise": [{"namespace": "acme"}],
                }),
            ),
            change(
                ChangeAction::Changed,
                object("spacelift_policy", "plan", policy),
                json!({"body": body}),
            ),
            moved,
            moved_and_changed,
            unseen,
            change(
                ChangeAction::Deleted,
                object("spacelift_stack", "gone", stack),
                json!({}),
            ),
            change(
                ChangeAction::Deleted,
                variable("secret", "hunter2", true),
                json!({}),
            ),
        ];
        let mut lines = listed(&changes);
        lines.push(summed(&changes));
        let text = plain(&lines);
        assert!(!text.contains("hunter2"), "{text}");
        insta::assert_snapshot!(text);
        let told = described(&changes).to_string();
        assert!(!told.contains("hunter2"), "{told}");
        assert!(told.contains(SENSITIVE));
    }

    #[test]
    fn ten_thousand_changes_can_be_read() {
        let changes: Vec<Change> = (0..10_000)
            .map(|number| match number % 2 {
                0 => change(
                    ChangeAction::Replaced,
                    variable("v", "2", false),
                    json!({"value": "1"}),
                ),
                _ => change(ChangeAction::Deleted, variable("w", "2", false), json!({})),
            })
            .collect();
        let lines = listed(&changes);
        assert!(lines.len() < 100, "{}", lines.len());
        let text = plain(&lines);
        for more in [
            "# and 4997 more spacelift_environment_variable.v must be replaced (value)",
            "# and 4997 more spacelift_environment_variable.w will be destroyed",
        ] {
            assert!(text.contains(more), "{text}");
        }
        assert_eq!(
            summed(&changes),
            "Plan: 5000 to add, 0 to change, 10000 to destroy."
        );
    }

    #[test]
    fn nothing_to_do_is_said() {
        assert!(listed(&[]).is_empty());
        assert!(summed(&[]).starts_with("No changes."));
    }
}
