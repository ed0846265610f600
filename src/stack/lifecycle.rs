//! What `lifecycle` blocks and `moved` blocks say of recorded objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Comparison, Object};
use crate::module::{Evaluation, Ignored, Presence, Resource, schema};
use crate::problem::Problem;

/// The recorded object that a `moved` block says to be the one at `address`.
pub(super) fn moved_to<'a>(
    address: &str,
    active: &BTreeMap<&str, &'a Object>,
    evaluation: &Evaluation,
) -> Option<&'a Object> {
    let before = evaluation.addresses_before(address).into_iter();
    let mut recorded = before.filter_map(|address| active.get(address.as_str()).copied());
    recorded.find(|object| evaluation.presence(&object.address, &object.origin) == Presence::Gone)
}

/// Gives the wanted objects the recorded values where changes are ignored, and where a new value counts
/// only with a new version of it (`value_wo` with `value_wo_version`).
pub(super) fn ignore_changes(
    desired: &mut [Object],
    active: &BTreeMap<&str, &Object>,
    evaluation: &Evaluation,
    comparison: &mut Comparison,
) {
    for object in desired {
        let present = active.get(object.address.as_str()).copied();
        let present = present.or_else(|| moved_to(&object.address, active, evaluation));
        let Some(present) = present else { continue };
        match with_ignored(object, present, evaluation) {
            Ok(None) => {}
            Ok(Some(settled)) => *object = settled,
            Err(problem) => {
                comparison.problems.push(problem);
                comparison.kept.insert(present.address.clone());
                *object = present.clone();
            }
        }
    }
}

/// The wanted object with the recorded values of those attributes whose changes are ignored, if there are
/// any. An error is that this would be another object.
fn with_ignored(
    wanted: &Object,
    present: &Object,
    evaluation: &Evaluation,
) -> Result<Option<Object>, Problem> {
    let lifecycle = evaluation.lifecycle(&wanted.address);
    let ignored = lifecycle.map_or(&Ignored::None, |lifecycle| &lifecycle.ignored);
    let is_held = |name: &str| {
        let schema = schema::attribute(&wanted.kind, name);
        let version = format!("{name}_version");
        schema.is_some_and(|it| it.write_only)
            && present.attributes.contains_key(name)
            && wanted.value(&version) == present.value(&version)
    };
    if *ignored == Ignored::None && !wanted.attributes.keys().any(is_held) {
        return Ok(None);
    }
    let is_own =
        |name: &str| !(ignored.contains(name) || is_held(name)) || matches!(name, "id" | "slug");
    let own = wanted.attributes.iter().filter(|(name, _)| is_own(name));
    let kept = present.attributes.iter().filter(|(name, _)| !is_own(name));
    let attributes = own.chain(kept).map(|(name, value)| (name, value.clone()));
    let attributes = attributes.collect();
    if wanted.id() != present.id() {
        let message = format!(
            "changes of {} are ignored, but would make it another object: {} in the place of {}",
            wanted.address,
            wanted.id(),
            present.id()
        );
        let hint = "take out of ignore_changes what its id is made of, or undo the change";
        return Err(placed(Problem::error(message), wanted).with_hint(hint));
    }
    let sensitive: BTreeSet<&String> = wanted.sensitive.iter().chain(&*present.sensitive).collect();
    let resource = Resource {
        attributes,
        sensitive: sensitive.into_iter().cloned().collect(),
        ..Resource::clone(wanted)
    };
    Ok(Some(Object::from_resource(&Arc::new(resource))))
}

/// That an object is not deleted or replaced because its block forbids it.
pub(super) fn prevented(object: &Object, done: &str) -> Problem {
    let message = format!(
        "{} would be {done}, which prevent_destroy forbids: it stays as it is recorded",
        object.address
    );
    let hint = "undo the change, or take prevent_destroy out first";
    placed(Problem::error(message), object).with_hint(hint)
}

/// The objects that would go although their block says that they must not: those among `gone`, and
/// those that a stack takes with it.
pub(super) fn not_to_go<'a>(
    gone: &[&'a Object],
    standing: &[&'a Object],
    evaluation: &Evaluation,
) -> Vec<&'a Object> {
    let addresses: BTreeSet<&str> = gone.iter().map(|object| object.address.as_str()).collect();
    let stacks = gone.iter().filter(|object| object.is_stack());
    let stacks: BTreeSet<&str> = stacks.map(|object| object.id()).collect();
    let leaves = |object: &Object| {
        addresses.contains(object.address.as_str()) || stacks.contains(object.stack_id())
    };
    let leaving = standing.iter().filter(|object| leaves(object));
    leaving
        .filter(|object| prevents_destroy(object, evaluation))
        .copied()
        .collect()
}

pub(super) fn prevents_destroy(object: &Object, evaluation: &Evaluation) -> bool {
    let lifecycle = evaluation.lifecycle(&object.address);
    lifecycle.is_some_and(|lifecycle| lifecycle.prevent_destroy)
}

fn placed(problem: Problem, object: &Object) -> Problem {
    Problem {
        line: Some(object.origin.line),
        ..problem.in_file(&object.origin.file)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says where it stopped")]
mod tests {
    use super::super::{Change, compare};
    use super::*;
    use crate::files::Directory;
    use crate::module::{Given, evaluate};

    /// What a repository of one file would change after another text of it was recorded.
    fn after(before: &str, now: &str) -> Comparison {
        let evaluated = |text: &str| {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("main.tf"), text).unwrap();
            let files = Directory::new(directory.path());
            evaluate(&files, "", &Given::default(), "manager")
        };
        let recorded = evaluated(before);
        assert_eq!(recorded.problems, [], "{before}");
        let recorded: Vec<Object> = recorded
            .resources
            .iter()
            .map(Object::from_resource)
            .collect();
        compare(&recorded, &evaluated(now))
    }

    fn told(changes: &[Change]) -> Vec<String> {
        let visible = changes.iter().filter(|change| change.is_visible());
        let line = |change: &Change| {
            let from = change.moved_from.as_deref().unwrap_or("-");
            format!("{:?} {} {from}", change.action, change.object.address)
        };
        visible.map(line).collect()
    }

    fn variable(name: &str, value: &str, lifecycle: &str) -> String {
        format!(
            "resource \"spacelift_environment_variable\" \"{name}\" {{\n  stack_id = \"s\"\n  \
             name = \"V\"\n  value = \"{value}\"\n  write_only = false\n  \
             lifecycle {{\n{lifecycle}\n}}\n}}\n"
        )
    }

    fn stack(name: &str, slug: &str, lifecycle: &str) -> String {
        format!(
            "resource \"spacelift_stack\" \"{name}\" {{\n  name = \"{slug}\"\n  repository = \"r\"\n  \
             branch = \"b\"\n  lifecycle {{\n{lifecycle}\n}}\n}}\n"
        )
    }

    const V: &str = "spacelift_environment_variable.v";
    const PREVENT: &str = "prevent_destroy = true";

    #[test]
    fn what_must_not_be_destroyed_is_neither_deleted_nor_replaced() {
        let before = variable("v", "1", PREVENT);
        assert_eq!(
            told(&after(&variable("v", "1", ""), &variable("v", "2", "")).changes),
            [format!("Replaced {V} -")]
        );
        let cases = [
            (before.clone(), variable("v", "2", PREVENT), V, "replaced"),
            (
                stack("s", "a", PREVENT),
                stack("s", "b", PREVENT),
                "spacelift_stack.s",
                "deleted",
            ),
            (
                stack("s", "a", PREVENT).replace("  name", "  count = 1\n  name"),
                stack("s", "a", PREVENT).replace("  name", "  count = 0\n  name"),
                "spacelift_stack.s[0]",
                "deleted",
            ),
            // What a stack would take with it.
            (
                format!("{}{}", stack("s", "s", ""), before),
                format!("locals {{}}\n{before}"),
                V,
                "deleted",
            ),
        ];
        for (before, now, address, done) in cases {
            let comparison = after(&before, &now);
            assert_eq!(told(&comparison.changes), [""; 0], "{now}");
            let problem = format!(
                "{address} would be {done}, which prevent_destroy forbids: it stays as it is recorded"
            );
            let messages: Vec<&str> = comparison
                .problems
                .iter()
                .map(|it| it.message.as_str())
                .collect();
            assert_eq!(messages, [problem], "{now}");
        }
        // As in Terraform, it goes with its block.
        assert_eq!(
            told(&after(&before, "locals {}\n").changes),
            [format!("Deleted {V} -")]
        );
    }

    #[test]
    fn ignored_changes_are_none() {
        for ignored in ["[value]", "all"] {
            let lifecycle = format!("ignore_changes = {ignored}");
            let comparison = after(&variable("v", "1", ""), &variable("v", "2", &lifecycle));
            assert_eq!(told(&comparison.changes), [""; 0], "{ignored}");
            assert_eq!(comparison.problems, []);
        }
        let of_another = after(
            &variable("v", "1", ""),
            &variable("v", "2", "ignore_changes = [description]"),
        );
        assert_eq!(told(&of_another.changes), [format!("Replaced {V} -")]);
        let another = after(
            &stack("s", "a", ""),
            &stack("s", "b", "ignore_changes = [name]"),
        );
        assert_eq!(told(&another.changes), [""; 0]);
        assert!(
            another.problems[0]
                .message
                .contains("would make it another object: b in the place of a")
        );
    }

    #[test]
    fn moved_objects_go_on_under_their_new_address() {
        let moved = |from: &str, to: &str| format!("moved {{\n  from = {from}\n  to = {to}\n}}\n");
        let kind = "spacelift_environment_variable";
        let now = variable("w", "1", "") + &moved(V, &format!("{kind}.w"));
        assert_eq!(
            told(&after(&variable("v", "1", ""), &now).changes),
            [format!("Changed {kind}.w {V}")]
        );
        // Another value, over two moves.
        let now = variable("x", "2", "")
            + &moved(V, &format!("{kind}.w"))
            + &moved(&format!("{kind}.w"), &format!("{kind}.x"));
        assert_eq!(
            told(&after(&variable("v", "1", ""), &now).changes),
            [format!("Replaced {kind}.x {V}")]
        );
        // Where it has moved to cannot be read: it stays.
        let broken = variable("w", "1", "").replace("\"V\"", "nonsense(1)")
            + &moved(V, &format!("{kind}.w"));
        let comparison = after(&variable("v", "1", ""), &broken);
        assert_eq!(told(&comparison.changes), [""; 0]);
        assert!(comparison.kept.contains(V));
        // Nothing stands there: it goes.
        let gone = after(&variable("v", "1", ""), &moved(V, &format!("{kind}.w")));
        assert_eq!(told(&gone.changes), [format!("Deleted {V} -")]);
    }

    #[test]
    fn removed_objects_are_deleted_only_where_that_is_said() {
        let removed = |more: &str| format!("removed {{\n  from = {V}\n{more}}}\n");
        let before = variable("v", "1", "");
        let destroyed = after(
            &before,
            &removed("  lifecycle {\n    destroy = true\n  }\n"),
        );
        assert_eq!(told(&destroyed.changes), [format!("Deleted {V} -")]);
        assert_eq!(destroyed.problems, []);
        for more in [
            "",
            "  lifecycle {\n    destroy = false\n  }\n",
            "  lifecycle {\n    destroy = !true\n  }\n",
        ] {
            let kept = after(&before, &removed(more));
            assert_eq!(told(&kept.changes), [""; 0], "{more}");
            assert!(kept.kept.contains(V));
        }
    }
}
