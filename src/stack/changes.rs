//! Desired objects against recorded ones: what a manager run does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lifecycle::{ignore_changes, moved_to, not_to_go, prevented, prevents_destroy};
use super::{Object, Phase};
use crate::module::{Evaluation, Presence, order, schema};
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
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub action: ChangeAction,
    /// The object as it will be; as it was, where it is deleted.
    pub object: Object,
    /// The attributes that differ, with what they were.
    pub before: Map<String, Value>,
    /// Those of the object's attributes that were sensitive.
    pub were_sensitive: Arc<[String]>,
    /// The address that the object had before, if it is another one now.
    pub moved_from: Option<String>,
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
    /// Leaves the recorded ones among the objects at `addresses` as they are; new ones stay new.
    pub fn keep_recorded(&mut self, addresses: &BTreeSet<String>) {
        let is_kept = |change: &Change| {
            matches!(
                change.action,
                ChangeAction::Changed | ChangeAction::Replaced
            ) && addresses.contains(&change.object.address)
        };
        self.kept.extend(
            self.changes
                .iter()
                .filter(|change| is_kept(change))
                .map(|change| change.object.address.clone()),
        );
        self.changes.retain(|change| !is_kept(change));
    }
}

/// Compares what `evaluation` wants with what is recorded.
pub fn compare(recorded: &[Object], evaluation: &Evaluation) -> Comparison {
    let mut comparison = Comparison::default();
    if recorded.is_empty() {
        // Of a first manager run all is new; what follows comes to the same, object by object.
        let all = evaluation.resources.iter().map(Object::from_resource);
        comparison.changes = all.map(Change::added).collect();
        return comparison;
    }
    let active: BTreeMap<&str, &Object> = recorded
        .iter()
        .filter(|object| object.phase == Phase::Active)
        .map(|object| (object.address.as_str(), object))
        .collect();
    let mut desired: Vec<Object> = evaluation
        .resources
        .iter()
        .map(Object::from_resource)
        .collect();
    ignore_changes(&mut desired, &active, evaluation, &mut comparison);
    let by_address: HashMap<&str, &Object> = desired
        .iter()
        .map(|object| (object.address.as_str(), object))
        .collect();
    let moved = moved(&active, &desired, &by_address, evaluation);
    let moved_addresses: BTreeSet<&str> = moved
        .values()
        .map(|object| object.address.as_str())
        .collect();
    let standing: Vec<&Object> = recorded
        .iter()
        .filter(|object| object.phase == Phase::Active)
        .filter(|object| !moved_addresses.contains(object.address.as_str()))
        .collect();
    let deleted = deleted(&standing, &by_address, evaluation, &mut comparison);
    let withheld = withheld(recorded, &standing, &deleted, &desired, &mut comparison);

    let gone: BTreeSet<&str> = deleted
        .iter()
        .map(|object| object.address.as_str())
        .collect();
    for object in &desired {
        let address = object.address.as_str();
        let present = active.get(address).or_else(|| moved.get(address));
        if withheld.contains(object.stack_id()) || gone.contains(address) {
            let list = match present {
                Some(_) if !gone.contains(address) => &mut comparison.kept,
                _ => &mut comparison.waiting,
            };
            list.insert(object.address.clone());
        } else if !comparison.kept.contains(address) {
            let change = match present {
                None => Some(Change::added(object.clone())),
                Some(present) => changed(present, object),
            };
            let is_replaced = |change: &&Change| change.action == ChangeAction::Replaced;
            if change.as_ref().filter(is_replaced).is_some() && prevents_destroy(object, evaluation)
            {
                comparison.problems.push(prevented(object, "replaced"));
                comparison.kept.insert(object.address.clone());
                continue;
            }
            comparison.changes.extend(change);
        }
    }
    let deletions = in_order(&deleted).into_iter().rev();
    comparison.changes.extend(deletions.map(Change::deleted));
    comparison
}

/// The objects, each after those that it is recorded to depend on. What depends on itself, over
/// commits in which each was recorded as it stood then, comes first.
fn in_order<'a>(objects: &[&'a Object]) -> Vec<&'a Object> {
    let index: HashMap<&str, usize> = objects
        .iter()
        .enumerate()
        .map(|(index, object)| (object.address.as_str(), index))
        .collect();
    let needed = |object: &Object| -> BTreeSet<usize> {
        let addresses = object.depends_on.iter();
        let within = addresses.filter_map(|address| index.get(&**address));
        within.copied().collect()
    };
    let needed: Vec<BTreeSet<usize>> = objects.iter().map(|object| needed(object)).collect();
    let (ordered, circular) = order(&needed.iter().map(Some).collect::<Vec<_>>(), |index| {
        objects[index].address.as_str()
    });
    let indices = circular.into_iter().chain(ordered);
    indices.map(|index| objects[index]).collect()
}

/// The recorded objects that stand at another address now, by that address: a stack is known by
/// its slug, so a renamed module or file destroys nothing.
fn moved<'a>(
    active: &BTreeMap<&str, &'a Object>,
    desired: &'a [Object],
    by_address: &HashMap<&str, &'a Object>,
    evaluation: &Evaluation,
) -> BTreeMap<&'a str, &'a Object> {
    let mut gone: BTreeMap<(&str, &str), &'a Object> = BTreeMap::new();
    for object in active.values().filter(|object| !object.id().is_empty()) {
        let is_gone = !by_address.contains_key(object.address.as_str())
            && evaluation.presence(&object.address, &object.origin) == Presence::Gone;
        if is_gone {
            gone.insert((&object.kind, object.id()), object);
        }
    }
    desired
        .iter()
        .filter(|object| !active.contains_key(object.address.as_str()))
        .filter_map(|object| {
            let by_id = || gone.get(&(object.kind.as_str(), object.id())).copied();
            let before = moved_to(&object.address, active, evaluation).or_else(by_id)?;
            let is_same = !object.is_stack() || !is_another_stack(before, object);
            is_same.then_some((object.address.as_str(), before))
        })
        .collect()
}

/// The recorded objects that are to go.
fn deleted<'a>(
    standing: &[&'a Object],
    desired: &HashMap<&str, &Object>,
    evaluation: &Evaluation,
    comparison: &mut Comparison,
) -> Vec<&'a Object> {
    let presence = |object: &Object| -> Option<Presence> {
        match desired.get(object.address.as_str()) {
            Some(wanted) if object.is_stack() && is_another_stack(object, wanted) => {
                Some(Presence::Gone)
            }
            Some(_) => None,
            None => Some(evaluation.presence(&object.address, &object.origin)),
        }
    };
    let mut gone = Vec::new();
    for &object in standing {
        match presence(object) {
            Some(Presence::Gone) => gone.push(object),
            Some(Presence::Unreadable | Presence::Present) => {
                comparison.kept.insert(object.address.clone());
            }
            None => {}
        }
    }
    let mut protected: BTreeSet<&str> = gone
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
    let mut prevents = BTreeSet::new();
    for object in not_to_go(&gone, standing, evaluation) {
        comparison.problems.push(prevented(object, "deleted"));
        prevents.insert(object.address.as_str());
        // A stack does not leave without what it holds.
        protected.insert(object.stack_id());
    }
    protected.remove("");
    let (stay, mut go): (Vec<&Object>, Vec<&Object>) = gone.into_iter().partition(|object| {
        protected.contains(object.stack_id()) || prevents.contains(object.address.as_str())
    });
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
    let with_stack: Vec<&Object> = standing
        .iter()
        .filter(|object| !addresses.contains(object.address.as_str()))
        .filter(|object| stacks.contains(object.stack_id()))
        .copied()
        .collect();
    for object in with_stack {
        comparison.kept.remove(&object.address);
        go.push(object);
    }
    go
}

/// The ids of wanted stacks that cannot be made now, because a recorded one has the id and is
/// leaving, or because one that stays has the id or the address (invariant 6).
fn withheld(
    recorded: &[Object],
    standing: &[&Object],
    deleted: &[&Object],
    desired: &[Object],
    comparison: &mut Comparison,
) -> BTreeSet<String> {
    // A stack that is wanted again while one of its name leaves is made after that one is gone.
    let leaving = recorded
        .iter()
        .filter(|object| object.phase == Phase::Deleting);
    let mut withheld: BTreeSet<String> = leaving
        .chain(deleted.iter().copied())
        .filter(|object| object.is_stack())
        .map(|object| object.id().to_owned())
        .collect();
    let staying: Vec<&&Object> = standing
        .iter()
        .filter(|object| object.is_stack() && comparison.kept.contains(&object.address))
        .collect();
    for object in desired.iter().filter(|object| object.is_stack()) {
        let owner = staying.iter().find(|owner| owner.id() == object.id());
        let occupant = staying.iter().find(|owner| owner.address == object.address);
        if let Some(owner) = owner.filter(|owner| owner.address != object.address) {
            let message = format!(
                "stack {} is {} already, which stays as it is recorded",
                object.id(),
                owner.address
            );
            comparison.problems.push(
                Problem::error(message)
                    .in_file(
                        object
                            .origin
                            .environment()
                            .map_or(&object.origin.file, |c| &c.file),
                    )
                    .with_hint("give it another id, or mend the one that has it"),
            );
            withheld.insert(object.id().to_owned());
        } else if occupant.is_some_and(|occupant| occupant.id() != object.id()) {
            withheld.insert(object.id().to_owned());
        }
    }
    withheld
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
    let has_moved = present.address != wanted.address;
    let stands_elsewhere =
        present.origin != wanted.origin || present.depends_on != wanted.depends_on;
    let stands_elsewhere = stands_elsewhere || present.sensitive != wanted.sensitive;
    if names.is_empty() && !has_moved && !stands_elsewhere {
        return None;
    }
    let replaces = names
        .iter()
        .any(|name| schema::replaces(&wanted.kind, name));
    let before = names
        .iter()
        .map(|name| (name.clone(), present.value(name).into_owned()))
        .collect();
    Some(Change {
        action: if replaces {
            ChangeAction::Replaced
        } else {
            ChangeAction::Changed
        },
        object: wanted.clone(),
        before,
        were_sensitive: present.sensitive.clone(),
        moved_from: has_moved.then(|| present.address.clone()),
    })
}

fn differing(present: &Object, wanted: &Object) -> Vec<String> {
    if present.attributes == wanted.attributes {
        return Vec::new();
    }
    let names: BTreeSet<&str> = present
        .attributes
        .keys()
        .chain(wanted.attributes.keys())
        .collect();
    names
        .into_iter()
        .filter(|name| present.value(name) != wanted.value(name))
        .map(str::to_owned)
        .collect()
}

impl Change {
    fn added(object: Object) -> Self {
        Self {
            action: ChangeAction::Added,
            object,
            before: Map::new(),
            were_sensitive: Arc::default(),
            moved_from: None,
        }
    }

    fn deleted(object: &Object) -> Self {
        Self {
            action: ChangeAction::Deleted,
            ..Self::added(object.clone())
        }
    }

    /// Whether anything of the object differs, beside the file and the line where it stands and what of
    /// it is sensitive.
    pub fn is_visible(&self) -> bool {
        self.action != ChangeAction::Changed || !self.before.is_empty() || self.moved_from.is_some()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says where it stopped")]
mod tests {
    use super::*;
    use crate::files::Directory;
    use crate::module::{Attributes, Given, Origin, Resource, evaluate};

    #[test]
    fn each_is_deleted_before_what_it_is_recorded_to_depend_on() {
        let object = |address: &str, depends_on: &[&str]| {
            Object::from_resource(&Arc::new(Resource {
                address: address.to_owned(),
                kind: address.split('.').next().unwrap_or_default().to_owned(),
                name: address.to_owned(),
                attributes: Attributes::default(),
                sensitive: Arc::default(),
                depends_on: depends_on
                    .iter()
                    .map(|address| Arc::from(*address))
                    .collect(),
                origin: Origin {
                    file: "gone.tf".to_owned(),
                    ..Origin::default()
                },
            }))
        };
        // The variables came later than the destructor, which was recorded again then.
        let stack = "spacelift_stack.this";
        let destructor = "spacelift_stack_destructor.this";
        let [early, late] = [
            "spacelift_environment_variable.b",
            "spacelift_environment_variable.a",
        ];
        let recorded = [
            object(stack, &["spacelift_policy.stays"]),
            object(destructor, &[stack, early, late]),
            object(late, &[stack, early]),
            object(early, &[stack]),
        ];
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("main.tf"), "").unwrap();
        let files = Directory::new(directory.path());
        let nothing = evaluate(&files, "", &Given::default(), "manager");
        let changes = compare(&recorded, &nothing).changes;
        let deleted: Vec<&str> = changes
            .iter()
            .map(|change| change.object.address.as_str())
            .collect();
        assert_eq!(deleted, [destructor, late, early, stack]);

        let circle = [object("a.a", &["b.b"]), object("b.b", &["a.a"])];
        assert_eq!(compare(&circle, &nothing).changes.len(), 2);
    }
}
