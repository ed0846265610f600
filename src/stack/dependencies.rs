//! Which stack depends on which, and what it takes of it. Pure.

use std::collections::{BTreeMap, VecDeque};

use super::{Object, Phase, StackId};

const DEPENDENCY: &str = "spacelift_stack_dependency";
const REFERENCE: &str = "spacelift_stack_dependency_reference";

/// One stack depends on another.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// The object's own.
    pub address: String,
    pub stack: StackId,
    pub on: StackId,
    pub references: Vec<Reference>,
    /// Whether it stands; else its stack is on its way out.
    pub is_active: bool,
}

/// An output of the one that is a variable of the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    pub output: String,
    /// The variable's name in the environment, such as `TF_VAR_x`.
    pub input: String,
    /// Whether the other runs also where the output is as it was.
    pub trigger_always: bool,
}

/// All dependencies among some objects.
#[derive(Clone, Debug, Default)]
pub struct Dependencies(Vec<Dependency>);

impl Dependencies {
    pub fn read(objects: &[Object]) -> Self {
        let mut references: BTreeMap<&str, Vec<Reference>> = BTreeMap::new();
        for object in objects.iter().filter(|object| object.kind == REFERENCE) {
            let of = references.entry(object.text("stack_dependency_id"));
            of.or_default().push(Reference {
                output: object.text("output_name").to_owned(),
                input: object.text("input_name").to_owned(),
                trigger_always: object.flag("trigger_always"),
            });
        }
        let dependencies = objects.iter().filter(|object| object.kind == DEPENDENCY);
        Self(
            dependencies
                .map(|object| Dependency {
                    address: object.address.clone(),
                    stack: StackId::new(object.text("stack_id")),
                    on: StackId::new(object.text("depends_on_stack_id")),
                    references: references.get(object.id()).cloned().unwrap_or_default(),
                    is_active: object.phase == Phase::Active,
                })
                .collect(),
        )
    }

    /// What the stack depends on.
    pub fn of<'a>(&'a self, stack: &'a StackId) -> impl Iterator<Item = &'a Dependency> {
        let active = self.0.iter().filter(|dependency| dependency.is_active);
        active.filter(move |dependency| dependency.stack == *stack)
    }

    /// What depends on the stack, also what is on its way out.
    pub fn on<'a>(&'a self, stack: &'a StackId) -> impl Iterator<Item = &'a Dependency> {
        self.0
            .iter()
            .filter(move |dependency| dependency.on == *stack)
    }

    /// How many there are: no chain is longer.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that lead back to their own stack, each with the way from it to itself.
    pub fn circles(&self) -> Vec<(&Dependency, Vec<&StackId>)> {
        let mut of: BTreeMap<&StackId, Vec<&StackId>> = BTreeMap::new();
        for dependency in &self.0 {
            of.entry(&dependency.stack)
                .or_default()
                .push(&dependency.on);
        }
        let circle = |dependency| Some((dependency, way_back(&of, dependency)?));
        self.0.iter().filter_map(circle).collect()
    }
}

/// The shortest way from a dependency's stack over what it depends on to itself.
fn way_back<'a>(
    of: &BTreeMap<&'a StackId, Vec<&'a StackId>>,
    dependency: &'a Dependency,
) -> Option<Vec<&'a StackId>> {
    let mut from: BTreeMap<&StackId, &StackId> = BTreeMap::new();
    let mut next = VecDeque::from([&dependency.on]);
    while let Some(stack) = next.pop_front() {
        if *stack == dependency.stack {
            let mut way = vec![stack];
            let mut at = stack;
            while let Some(before) = from.get(at).filter(|_| *at != dependency.on) {
                way.push(before);
                at = before;
            }
            way.push(&dependency.stack);
            way.reverse();
            return Some(way);
        }
        for on in of.get(stack).into_iter().flatten() {
            if *on != &dependency.on && !from.contains_key(on) {
                from.insert(on, stack);
                next.push_back(on);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Dependencies, Dependency};
    use crate::stack::StackId;

    fn circles(edges: &[(&str, &str)]) -> Vec<String> {
        let dependency = |&(stack, on): &(&str, &str)| Dependency {
            address: String::new(),
            stack: StackId::new(stack),
            on: StackId::new(on),
            references: Vec::new(),
            is_active: true,
        };
        let all = Dependencies(edges.iter().map(dependency).collect());
        let found = all.circles();
        let ways = found.iter().map(|(_, way)| {
            let way: Vec<&str> = way.iter().map(|stack| stack.as_str()).collect();
            way.join(" ")
        });
        ways.collect()
    }

    #[test]
    fn circles_are_found_with_their_way() {
        assert!(circles(&[("b", "a"), ("c", "a"), ("d", "b"), ("d", "c")]).is_empty());
        assert_eq!(circles(&[("a", "a")]), ["a a"]);
        assert_eq!(circles(&[("a", "b"), ("b", "a")]), ["a b a", "b a b"]);
        // What only hangs on a circle is none.
        assert_eq!(
            circles(&[("a", "b"), ("b", "c"), ("c", "a"), ("x", "a"), ("b", "y")]),
            ["a b c a", "b c a b", "c a b c"]
        );
    }
}
