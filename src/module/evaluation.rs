//! A repository evaluated: what it wants, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use hcl_edit::expr::Expression;

use super::evaluator::{Evaluator, mistake_at};
use super::expression::{Evaluated, Stop, start};
use super::findings::Findings;
use super::instance::{Expansion, Instance, Slot};
use super::names::attribute_name;
use super::object::{Item, Object};
use super::order::order;
use super::origin::Origin;
use super::presence::{InstanceStanding, Members, Presence, Standing};
use super::tree::Tree;
use super::value::Value;
use crate::files::Files;
use crate::problem::Problem;

/// What a repository wants, as far as it can be read.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// Each after all that it depends on.
    pub resources: Vec<Resource>,
    /// The outputs of the root module that could be evaluated.
    pub outputs: BTreeMap<String, serde_json::Value>,
    /// All errors and warnings, by file and line.
    pub problems: Vec<Problem>,
    standing: Standing,
}

/// One resource that the repository wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// As Terraform prints it.
    pub address: String,
    /// The type: `spacelift_stack`.
    pub kind: String,
    /// The name of its block.
    pub name: String,
    /// Every attribute and nested block of the schema: as given, else the default, else null.
    /// Nested blocks are arrays of objects; sets are sorted.
    pub attributes: serde_json::Map<String, serde_json::Value>,
    /// The addresses of the resources that it refers to or is told to wait for.
    pub depends_on: Vec<String>,
    pub origin: Origin,
}

impl Evaluation {
    /// Whether a recorded resource is wanted, gone, or cannot be told.
    pub fn presence(&self, address: &str, origin: &Origin) -> Presence {
        self.standing.presence(address, origin)
    }
}

/// Evaluates the module in the directory `root` of the tree and all that it calls.
///
/// `variables` are the values of the root module's variables, `current_stack` is the id of the
/// manager stack. Whatever is wrong is among the problems; the rest is evaluated all the same.
pub fn evaluate(
    files: &dyn Files,
    root: &str,
    variables: &BTreeMap<String, Value>,
    current_stack: &str,
) -> Evaluation {
    let evaluator = Evaluator::new(Tree { files, root }, variables, current_stack);
    let root_instance = match evaluator.root() {
        Ok(instance) => instance,
        Err(reason) => {
            let name = if root.is_empty() {
                "of the repository"
            } else {
                root
            };
            let problem = Problem::error(format!("cannot read the root module {name}: {reason}"));
            return Evaluation {
                problems: vec![problem],
                ..Evaluation::default()
            };
        }
    };
    force(&evaluator, &root_instance);
    let mut outputs = BTreeMap::new();
    for (index, name) in root_instance.module.outputs.keys().enumerate() {
        if let Ok(value) = evaluator.output(&root_instance, index, 0) {
            outputs.insert(name.clone(), value.to_json());
        }
    }
    let resources = settle(&evaluator);
    let standing = standing(&evaluator, &resources);
    let findings: Findings = evaluator.into_findings();
    Evaluation {
        resources,
        outputs,
        problems: findings.into_problems(),
        standing,
    }
}

/// Evaluates everything in an instance and below, so that all mistakes are found.
fn force(evaluator: &Evaluator<'_>, instance: &Rc<Instance>) {
    let module = &instance.module;
    for problem in &module.problems {
        evaluator.add_problem(instance, problem.clone());
    }
    if module.incomplete {
        evaluator.fail(instance);
    }
    if module.refused {
        return;
    }
    // Each failure is noted where it happens.
    for index in 0..module.variables.len() {
        evaluator.settle(instance, evaluator.variable(instance, index, 0));
    }
    for index in 0..module.locals.len() {
        evaluator.settle(instance, evaluator.local(instance, index, 0));
    }
    for index in 0..module.resources.len() {
        if let Some(expansion) = evaluator.settle(instance, evaluator.resources(instance, index, 0))
        {
            for (_, item) in &expansion.members {
                evaluator.settle(instance, evaluator.object(*item, 0));
            }
        }
    }
    for definition in module.data.values() {
        if definition.broken {
            evaluator.fail(instance);
        }
    }
    for index in 0..module.calls.len() {
        if let Some(expansion) = evaluator.settle(instance, evaluator.children(instance, index, 0))
        {
            for (_, child) in &expansion.members {
                force(evaluator, &evaluator.instance(*child));
            }
        }
    }
    for index in 0..module.outputs.len() {
        evaluator.settle(instance, evaluator.output(instance, index, 0));
    }
}

fn done<T: Clone>(slots: &super::instance::Slots<T>, index: usize) -> Option<T> {
    match slots.borrow().get(index) {
        Some(Slot::Done(value, _)) => value.clone(),
        _ => None,
    }
}

/// Takes the evaluated resources, blocks what cannot stand, and orders the rest.
fn settle(evaluator: &Evaluator<'_>) -> Vec<Resource> {
    let items = evaluator.items();
    let mut dependencies: Vec<BTreeSet<usize>> = items
        .iter()
        .map(|item| item.dependencies.borrow().clone().unwrap_or_default())
        .collect();
    let mut blocked: HashSet<usize> = items
        .iter()
        .filter(|item| done(&item.object, 0).is_none())
        .map(|item| item.id)
        .collect();
    let waits = Waits::gather(evaluator, &items, &mut blocked);
    for item in &items {
        waits.add_to(evaluator, item, &mut dependencies[item.id]);
    }
    block_duplicates(evaluator, &items, &mut blocked);
    loop {
        spread(evaluator, &items, &dependencies, &mut blocked);
        let standing: HashMap<usize, BTreeSet<usize>> = items
            .iter()
            .filter(|item| !blocked.contains(&item.id))
            .map(|item| (item.id, dependencies[item.id].clone()))
            .collect();
        let (ordered, circular) = order(&standing, |id| items[id].address.clone());
        let Some(first) = circular.first() else {
            return ordered
                .iter()
                .filter_map(|id| resource(evaluator, &items, *id, &dependencies))
                .collect();
        };
        let names: Vec<&str> = circular
            .iter()
            .map(|id| items[*id].address.as_str())
            .collect();
        let instance = evaluator.instance(items[*first].instance);
        if let Some((_, definition)) = instance.module.resources.get_index(items[*first].resource) {
            let message = format!(
                "resources wait for each other in a circle: {}",
                names.join(", ")
            );
            evaluator.add_problem(&instance, definition.place.problem(message));
        }
        blocked.extend(circular);
    }
}

/// Two objects of one type with one id would be one object on Spacelift.
fn block_duplicates(evaluator: &Evaluator<'_>, items: &[Rc<Item>], blocked: &mut HashSet<usize>) {
    let mut ids: HashMap<(String, String), usize> = HashMap::new();
    for item in items {
        let Some(object) = done::<Rc<Object>>(&item.object, 0) else {
            continue;
        };
        let instance = evaluator.instance(item.instance);
        let Some((_, definition)) = instance.module.resources.get_index(item.resource) else {
            continue;
        };
        let Some(first) = ids
            .get(&(definition.kind.clone(), object.id.clone()))
            .copied()
        else {
            ids.insert((definition.kind.clone(), object.id.clone()), item.id);
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
            definition.kind, object.id, item.address, other.address
        );
        evaluator.add_problem(&instance, definition.place.problem(message));
        evaluator.fail(&other_instance);
        blocked.extend([item.id, first]);
    }
}

/// Blocks what depends on something blocked, and environments as a whole, until nothing changes.
fn spread(
    evaluator: &Evaluator<'_>,
    items: &[Rc<Item>],
    dependencies: &[BTreeSet<usize>],
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
struct Waits {
    own: HashMap<(usize, usize), Vec<usize>>,
    around: HashMap<(usize, usize), Vec<usize>>,
}

impl Waits {
    /// Reads every `depends_on` of the tree. A resource whose own cannot be read is blocked, and
    /// so are all in a call whose own cannot.
    fn gather(evaluator: &Evaluator<'_>, items: &[Rc<Item>], blocked: &mut HashSet<usize>) -> Self {
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
                    None => blocked.extend(
                        items
                            .iter()
                            .filter(|item| item.instance == instance.id && item.resource == index)
                            .map(|item| item.id),
                    ),
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

    fn add_to(&self, evaluator: &Evaluator<'_>, item: &Item, dependencies: &mut BTreeSet<usize>) {
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
            let expansion: Option<Rc<Expansion>> = done(&instance.children, index);
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
        place: &super::definitions::Place,
    ) -> Evaluated<Vec<usize>> {
        let mut targets = Vec::new();
        for reference in references {
            let place = super::definitions::Place {
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
        place: &super::definitions::Place,
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
        let expansion: Option<Rc<Expansion>> = match expansion {
            Some(expansion) => expansion,
            None if module.incomplete => return Err(Stop::Reported),
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

fn resource(
    evaluator: &Evaluator<'_>,
    items: &[Rc<Item>],
    id: usize,
    dependencies: &[BTreeSet<usize>],
) -> Option<Resource> {
    let item = &items[id];
    let object = done::<Rc<Object>>(&item.object, 0)?;
    let instance = evaluator.instance(item.instance);
    let (_, definition) = instance.module.resources.get_index(item.resource)?;
    let attributes = object.attributes.iter();
    Some(Resource {
        address: item.address.clone(),
        kind: definition.kind.clone(),
        name: definition.name.clone(),
        attributes: attributes
            .map(|(name, value)| (name.clone(), value.to_json()))
            .collect(),
        depends_on: dependencies[id]
            .iter()
            .map(|other| items[*other].address.clone())
            .collect(),
        origin: Origin {
            calls: instance.calls.clone(),
            file: definition.place.source.path.clone(),
            line: definition.place.line,
        },
    })
}

fn standing(evaluator: &Evaluator<'_>, resources: &[Resource]) -> Standing {
    let environments = evaluator.environments();
    let members = |expansion: Option<Rc<Expansion>>| match expansion {
        None => Members::Failed,
        Some(expansion) => Members::Known(
            expansion
                .members
                .iter()
                .map(|(key, _)| key.suffix())
                .collect(),
        ),
    };
    let mut instances = HashMap::new();
    for instance in evaluator.instances() {
        let module = &instance.module;
        let calls = module.calls.keys().enumerate();
        let blocks = module.resources.keys().enumerate();
        let standing = InstanceStanding {
            module: module.clone(),
            blocked: instance
                .environment
                .is_some_and(|index| environments[index].failed),
            calls: calls
                .map(|(index, name)| (name.clone(), members(done(&instance.children, index))))
                .collect(),
            resources: blocks
                .map(|(index, name)| (name.clone(), members(done(&instance.resources, index))))
                .collect(),
        };
        instances.insert(instance.address.clone(), standing);
    }
    let resources = resources
        .iter()
        .map(|resource| resource.address.clone())
        .collect();
    Standing {
        instances,
        resources,
    }
}
