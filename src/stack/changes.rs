//! Desired objects against recorded ones: what a manager run does.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Object, Phase};
use crate::config::Limits;
use crate::module::{Evaluation, Presence, schema};
use crate::problem::Problem;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAction {
    Added,
    Changed,
    Replaced,
    Deleted,
}

/// One object that a manager run adds, changes, replaces or deletes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub action: ChangeAction,
    /// The object as it will be; as it was, where it is deleted.
    pub object: Object,
    /// The attributes that differ, with what they were.
    pub before: Map<String, Value>,
}

/// What a manager run would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Additions and changes in dependency order, then deletions the other way round.
    pub changes: Vec<Change>,
    /// Addresses of objects that cannot be read and stay as they are recorded.
    pub kept: BTreeSet<String>,
    /// Addresses of objects that wait until a stack of their name has left.
    pub waiting: BTreeSet<String>,
    /// Deletions that are refused.
    pub problems: Vec<Problem>,
}

impl Comparison {
    /// Leaves the objects at `addresses` as they are recorded.
    pub fn keep(&mut self, addresses: &BTreeSet<String>) {
        self.changes
            .retain(|change| !addresses.contains(&change.object.address));
        self.kept.extend(addresses.iter().cloned());
    }
}

/// Compares what `evaluation` wants with what is recorded.
pub fn compare(recorded: &[Object], evaluation: &Evaluation) -> Comparison {
    let mut comparison = Comparison::default();
    let active: BTreeMap<&str, &Object> = recorded
        .iter()
        .filter(|object| object.phase == Phase::Active)
        .map(|object| (object.address.as_str(), object))
        .collect();
    let desired: BTreeMap<&str, Object> = evaluation
        .resources
        .iter()
        .map(|resource| (resource.address.as_str(), Object::from_resource(resource)))
        .collect();
    let deleted = deleted(recorded, &desired, evaluation, &mut comparison);

    // A stack that is wanted again while one of its name leaves is made after that one is gone.
    let mut leaving: BTreeSet<&str> = recorded
        .iter()
        .filter(|object| object.is_stack() && object.phase == Phase::Deleting)
        .map(Object::id)
        .collect();
    leaving.extend(
        deleted
            .iter()
            .filter(|object| object.is_stack())
            .map(|object| object.id()),
    );

    let gone: BTreeSet<&str> = deleted
        .iter()
        .map(|object| object.address.as_str())
        .collect();
    for resource in &evaluation.resources {
        let Some(object) = desired.get(resource.address.as_str()) else {
            continue;
        };
        let present = active.get(resource.address.as_str());
        if leaving.contains(object.stack_id()) || gone.contains(object.address.as_str()) {
            comparison.waiting.insert(object.address.clone());
            continue;
        }
        let change = match present {
            None => Some(Change {
                action: ChangeAction::Added,
                object: object.clone(),
                before: Map::new(),
            }),
            Some(present) => changed(present, object),
        };
        comparison.changes.extend(change);
    }
    comparison
        .changes
        .extend(deleted.into_iter().rev().map(|object| Change {
            action: ChangeAction::Deleted,
            object: object.clone(),
            before: Map::new(),
        }));
    comparison
}

/// The recorded objects that are to go, in their recorded order.
fn deleted<'a>(
    recorded: &'a [Object],
    desired: &BTreeMap<&str, Object>,
    evaluation: &Evaluation,
    comparison: &mut Comparison,
) -> Vec<&'a Object> {
    let is_gone = |object: &&Object| -> Option<Presence> {
        match desired.get(object.address.as_str()) {
            Some(wanted) if object.is_stack() && is_another_stack(object, wanted) => {
                Some(Presence::Gone)
            }
            Some(_) => None,
            None => Some(evaluation.presence(&object.address, &object.origin)),
        }
    };
    let mut gone = Vec::new();
    for object in recorded
        .iter()
        .filter(|object| object.phase == Phase::Active)
    {
        match is_gone(&object) {
            Some(Presence::Gone) => gone.push(object),
            Some(Presence::Unreadable | Presence::Present) => {
                comparison.kept.insert(object.address.clone());
            }
            None => {}
        }
    }
    let protected: BTreeSet<&str> = gone
        .iter()
        .filter(|object| object.is_stack() && object.flag("protect_from_deletion"))
        .map(|object| object.id())
        .collect();
    for stack in &protected {
        let problem =
            format!("stack {stack} is gone from the repository but protected from deletion");
        comparison
            .problems
            .push(Problem::error(problem).with_hint(
                "put it back with protect_from_deletion = false, apply, then remove it",
            ));
    }
    let (stay, mut go): (Vec<&Object>, Vec<&Object>) = gone
        .into_iter()
        .partition(|object| protected.contains(object.stack_id()));
    comparison
        .kept
        .extend(stay.iter().map(|object| object.address.clone()));

    // What belongs to a stack that leaves, leaves with it.
    let stacks: BTreeSet<&str> = go
        .iter()
        .filter(|object| object.is_stack())
        .map(|object| object.id())
        .collect();
    let addresses: BTreeSet<&str> = go.iter().map(|object| object.address.as_str()).collect();
    let with_stack: Vec<&Object> = recorded
        .iter()
        .filter(|object| object.phase == Phase::Active)
        .filter(|object| !addresses.contains(object.address.as_str()))
        .filter(|object| stacks.contains(object.stack_id()))
        .collect();
    for object in with_stack {
        comparison.kept.remove(&object.address);
        go.push(object);
    }
    go
}

/// Whether the change of a stack's attributes makes it another stack.
fn is_another_stack(present: &Object, wanted: &Object) -> bool {
    present.id() != wanted.id()
        || differing(present, wanted)
            .iter()
            .any(|name| schema::replaces(&wanted.kind, name))
}

fn changed(present: &Object, wanted: &Object) -> Option<Change> {
    let names = differing(present, wanted);
    let moved_file = present.origin != wanted.origin || present.depends_on != wanted.depends_on;
    if names.is_empty() && !moved_file {
        return None;
    }
    let replaces = names
        .iter()
        .any(|name| schema::replaces(&wanted.kind, name));
    let before = names
        .iter()
        .map(|name| {
            (
                name.clone(),
                present.attributes.get(name).cloned().unwrap_or(Value::Null),
            )
        })
        .collect();
    let action = if replaces {
        ChangeAction::Replaced
    } else {
        ChangeAction::Changed
    };
    Some(Change {
        action,
        object: wanted.clone(),
        before,
    })
}

fn differing(present: &Object, wanted: &Object) -> Vec<String> {
    let null = Value::Null;
    let names: BTreeSet<&String> = present
        .attributes
        .keys()
        .chain(wanted.attributes.keys())
        .collect();
    let of = |object: &'_ Object, name: &str| {
        object.attributes.get(name).cloned().unwrap_or(null.clone())
    };
    names
        .into_iter()
        .filter(|name| of(present, name) != of(wanted, name))
        .cloned()
        .collect()
}

impl Change {
    /// Whether anything of the object differs, beside the place where it stands.
    pub fn is_visible(&self) -> bool {
        self.action != ChangeAction::Changed || !self.before.is_empty()
    }
}

/// How many previews a manager run would delete, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletions {
    pub deleted: usize,
    pub all: usize,
}

impl Deletions {
    pub fn count(recorded: &[Object], changes: &[Change]) -> Self {
        let units = |objects: &mut dyn Iterator<Item = &Object>| {
            objects
                .filter(|object| object.is_stack())
                .map(Object::unit)
                .collect::<BTreeSet<_>>()
                .len()
        };
        let mut active = recorded
            .iter()
            .filter(|object| object.phase == Phase::Active);
        let mut deleted = changes
            .iter()
            .filter(|change| change.action == ChangeAction::Deleted)
            .map(|change| &change.object);
        Self {
            deleted: units(&mut deleted),
            all: units(&mut active),
        }
    }

    /// Whether a person must allow it: more than the limit *and* more than the share (invariant 5).
    pub fn exceed(self, limits: &Limits) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts of environments are small"
        )]
        let (deleted, all) = (self.deleted as f64, self.all as f64);
        self.deleted > limits.deletions && deleted > limits.deletion_share * all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mass_deletion_is_many_and_most() {
        let limits = Limits {
            deletions: 10,
            deletion_share: 0.5,
        };
        for (deleted, all, expected) in [
            (10, 10, false),
            (11, 11, true),
            (11, 22, false),
            (12, 23, true),
            (0, 0, false),
        ] {
            assert_eq!(
                Deletions { deleted, all }.exceed(&limits),
                expected,
                "{deleted} of {all}"
            );
        }
    }
}
