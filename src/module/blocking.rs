//! What cannot stand: resources that share an id, that wait for something that failed, or that
//! are part of an environment that failed.

use std::cell::Ref;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use hcl_edit::expr::Expression;

use super::definitions::Place;
use super::evaluator::Evaluator;
use super::expansion::mistake_at;
use super::expression::{Evaluated, Stop, start};
use super::instance::{Expansion, Instance, done};
use super::names::attribute_name;
use super::object::{Item, Made};

/// Two objects of one type with one id would be one object on Spacelift.
pub(super) fn block_duplicates(
    evaluator: &Evaluator<'_>,
    items: &[Rc<Item>],
    blocked: &mut HashSet<usize>,
) {
    let made: Vec<Ref<'_, Option<Made>>> = items.iter().map(|item| item.made.borrow()).collect();
    let instances = evaluator.instances();
    let mut ids: HashMap<(&str, &str), usize> = HashMap::with_capacity(items.len());
    for item in items {
        let Some(made) = &*made[item.id] else {
            continue;
        };
        let instance = &instances[item.instance];
        let Some((_, definition)) = instance.module.resources.get_index(item.resource) else {
            continue;
        };
        let Some(first) = ids.get(&(&*definition.kind, &*made.id)).copied() else {
            ids.insert((&definition.kind, &made.id), item.id);
            continue;
        };
        let other = &items[first];
        let other_instance = evaluator.instance(other.instance);
        let other_place = other_instance
            .module
            .resources
            .get_index(other.resource)
            .map(|(_, definition)| {
                format!("{}:{}", definition.place.source.path, definition.place.line)
            })
            .unwrap_or_default();
        let message = format!(
            "two objects of type {} have the id {:?}: {} and {} ({other_place})",
            definition.kind, made.id, item.address, other.address
        );
        evaluator.add_problem(instance, definition.place.problem(message));
        evaluator.fail(&other_instance);
        blocked.extend([item.id, first]);
    }
}

/// Blocks what depends on something blocked, and environments as a whole, until nothing changes.
pub(super) fn spread(
    evaluator: &Evaluator<'_>,
    items: &[Rc<Item>],
    dependencies: &[Vec<usize>],
    blocked: &mut HashSet<usize>,
) {
    let environment_of: Vec<Option<usize>> = items
        .iter()
        .map(|item| evaluator.instance(item.instance).environment)
        .collect();
    let mut environments = evaluator.environments();
    let mut changed = true;
    while changed {
        changed = false;
        for (id, environment) in environment_of.iter().enumerate() {
            let failed = environment.is_some_and(|index| environments[index].failed);
            let waits = || dependencies[id].iter().any(|other| blocked.contains(other));
            if !blocked.contains(&id) && (failed || waits()) {
                blocked.insert(id);
                changed = true;
            }
            if let Some(index) = environment
                && blocked.contains(&id)
                && !environments[*index].failed
            {
                environments[*index].failed = true;
                changed = true;
            }
        }
    }
}

/// What `depends_on` adds, of resources and of the module calls around them.
#[derive(Default)]
pub(super) struct Waits {
    own: HashMap<(usize, usize), Vec<usize>>,
    around: HashMap<(usize, usize), Vec<usize>>,
}

impl Waits {
    /// Reads every `depends_on` of the tree. A resource whose own cannot be read is blocked, and
    /// so are all in a call whose own cannot.
    pub(super) fn gather(
        evaluator: &Evaluator<'_>,
        items: &[Rc<Item>],
        blocked: &mut HashSet<usize>,
    ) -> Self {
        let mut waits = Self::default();
        let mut failed_calls = HashSet::new();
        let below = Below::new(evaluator, items);
        for instance in evaluator.instances() {
            for (index, (_, resource)) in instance.module.resources.iter().enumerate() {
                if resource.depends_on.is_empty() {
                    continue;
                }
                let targets = below.all(&instance, &resource.depends_on, &resource.place);
                match evaluator.settle(&instance, targets) {
                    Some(targets) => {
                        waits.own.insert((instance.id, index), targets);
                    }
                    None => {
                        let own = below.own.get(&instance.id).into_iter().flatten().copied();
                        blocked.extend(own.filter(|id| items[*id].resource == index));
                    }
                }
            }
            for (index, (_, call)) in instance.module.calls.iter().enumerate() {
                if call.depends_on.is_empty() {
                    continue;
                }
                match evaluator.settle(
                    &instance,
                    below.all(&instance, &call.depends_on, &call.place),
                ) {
                    Some(targets) => {
                        waits.around.insert((instance.id, index), targets);
                    }
                    None => {
                        failed_calls.insert((instance.id, index));
                    }
                }
            }
            for (_, output) in &instance.module.outputs {
                evaluator.settle(
                    &instance,
                    below.all(&instance, &output.depends_on, &output.place),
                );
            }
        }
        if !failed_calls.is_empty() {
            for item in items {
                let mut around = evaluator.instance(item.instance);
                while let Some(parent) = around.parent {
                    if failed_calls.contains(&parent) {
                        blocked.insert(item.id);
                    }
                    around = evaluator.instance(parent.0);
                }
            }
        }
        waits
    }

    pub(super) fn add_to(
        &self,
        evaluator: &Evaluator<'_>,
        item: &Item,
        dependencies: &mut Vec<usize>,
    ) {
        if let Some(targets) = self.own.get(&(item.instance, item.resource)) {
            dependencies.extend(targets.iter().copied());
        }
        if self.around.is_empty() {
            return;
        }
        let mut around = evaluator.instance(item.instance);
        while let Some(parent) = around.parent {
            dependencies.extend(self.around.get(&parent).into_iter().flatten().copied());
            around = evaluator.instance(parent.0);
        }
    }
}

/// The resources in an instance and in all that it calls.
struct Below<'a, 'e> {
    evaluator: &'a Evaluator<'e>,
    own: HashMap<usize, Vec<usize>>,
}

impl<'a, 'e> Below<'a, 'e> {
    fn new(evaluator: &'a Evaluator<'e>, items: &[Rc<Item>]) -> Self {
        let mut own: HashMap<usize, Vec<usize>> = HashMap::new();
        for item in items {
            own.entry(item.instance).or_default().push(item.id);
        }
        Self { evaluator, own }
    }

    fn collect(&self, instance: &Instance, into: &mut Vec<usize>) {
        into.extend(self.own.get(&instance.id).into_iter().flatten());
        for index in 0..instance.module.calls.len() {
            let expansion: Option<Arc<Expansion>> = done(&instance.children, index);
            for (_, child) in expansion.iter().flat_map(|expansion| &expansion.members) {
                self.collect(&self.evaluator.instance(*child), into);
            }
        }
    }

    /// The resources that a list of references means.
    fn all(
        &self,
        instance: &Instance,
        references: &[Expression],
        place: &Place,
    ) -> Evaluated<Vec<usize>> {
        let mut targets = Vec::new();
        for reference in references {
            let place = Place {
                offset: start(reference),
                ..place.clone()
            };
            self.one(instance, reference, &place, &mut targets)?;
        }
        Ok(targets)
    }

    fn one(
        &self,
        instance: &Instance,
        reference: &Expression,
        place: &Place,
        targets: &mut Vec<usize>,
    ) -> Evaluated<()> {
        let module = &instance.module;
        let wrong = |message: &str| mistake_at(place, message.to_owned());
        let Expression::Traversal(traversal) = reference else {
            return Err(wrong(
                "depends_on takes references to resources and modules",
            ));
        };
        let Expression::Variable(root) = &traversal.expr else {
            return Err(wrong(
                "depends_on takes references to resources and modules",
            ));
        };
        let Some(name) = traversal.operators.first().and_then(attribute_name) else {
            return Err(wrong("the reference lacks a name"));
        };
        let expansion = match root.as_str() {
            "module" => module
                .calls
                .get_index_of(name)
                .map(|index| done(&instance.children, index)),
            "data" => {
                let second = traversal
                    .operators
                    .get(1)
                    .and_then(attribute_name)
                    .unwrap_or_default();
                let known = module.data.contains_key(&format!("{name}.{second}"));
                return if known {
                    Ok(())
                } else {
                    Err(wrong("there is no such data source"))
                };
            }
            "var" | "local" => return Ok(()),
            kind => {
                let index = module.resources.get_index_of(&format!("{kind}.{name}"));
                index.map(|index| done(&instance.resources, index))
            }
        };
        let expansion: Option<Arc<Expansion>> = match expansion {
            Some(expansion) => expansion,
            None if module.may_define(name) => return Err(Stop::Reported),
            None => return Err(wrong("depends_on names what is not in this module")),
        };
        let Some(expansion) = expansion else {
            return Err(Stop::Reported);
        };
        for (_, member) in &expansion.members {
            if root.as_str() == "module" {
                self.collect(&self.evaluator.instance(*member), targets);
            } else {
                targets.push(*member);
            }
        }
        Ok(())
    }
}
