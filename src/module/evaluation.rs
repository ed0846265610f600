//! A repository evaluated: what it wants, and what is wrong with it.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::apart::Environments;
use super::blocking::{Waits, block_duplicates, spread};
use super::evaluator::Evaluator;
use super::findings::Findings;
use super::force::{Effort, force};
use super::instance::done;
use super::lifecycle::{Lifecycle, Moves};
use super::object::{Item, Made};
use super::order::order;
use super::origin::Origin;
use super::presence::{InstanceStanding, Outline, Presence, Standing};
use super::resource::Resource;
use super::root_values::Given;
use super::tree::Tree;
use crate::files::Files;
use crate::problem::Problem;

/// What a repository wants, as far as it can be read.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// Each after all that it depends on.
    pub resources: Vec<Arc<Resource>>,
    /// The outputs of the root module that could be evaluated.
    pub outputs: BTreeMap<String, serde_json::Value>,
    /// All errors and warnings, by file and line.
    pub problems: Vec<Problem>,
    pub environments: Environments,
    pub(super) standing: Standing,
    /// Of all resources; most evaluations are never asked.
    addresses: OnceCell<HashSet<String>>,
}

impl Evaluation {
    /// Whether a recorded resource is wanted, gone, or cannot be told.
    pub fn presence(&self, address: &str, origin: &Origin) -> Presence {
        match self.standing.presence(address, origin) {
            // Its block stands: if it is not among the resources, it failed.
            Presence::Present if !self.addresses().contains(address) => Presence::Unreadable,
            Presence::Gone if self.is_kept_elsewhere(address) => Presence::Unreadable,
            presence => presence,
        }
    }

    /// Whether what is gone from `address` is not to be destroyed, or may stand at another address
    /// that cannot be read.
    fn is_kept_elsewhere(&self, address: &str) -> bool {
        let moves = &self.standing.moves;
        let may_stand = |to: &String| {
            !self.addresses().contains(to) && self.standing.presence_at(to) != Presence::Gone
        };
        moves.retain(address) || moves.after(address).iter().any(may_stand)
    }

    /// The addresses that `moved` blocks say the resource at `address` may have had.
    pub fn addresses_before(&self, address: &str) -> Vec<String> {
        self.standing.moves.before(address)
    }

    /// What the block of the resource at `address` says of its life; `None` if it is gone.
    pub fn lifecycle(&self, address: &str) -> Option<&Lifecycle> {
        self.standing.lifecycle(address)
    }

    fn addresses(&self) -> &HashSet<String> {
        self.addresses.get_or_init(|| {
            let addresses = self.resources.iter().map(|it| it.address.clone());
            addresses.collect()
        })
    }
}

/// Evaluates the module in the directory `root` of the tree and all that it calls.
///
/// `given` is what gives values to the root module's variables beside the files, `current_stack` is
/// the id of the manager stack. Whatever is wrong is among the problems; the rest is evaluated all the same.
pub fn evaluate(files: &dyn Files, root: &str, given: &Given, current_stack: &str) -> Evaluation {
    evaluate_with(Effort::of_all_cores(), files, root, given, current_stack)
}

/// The same by so many threads.
pub(super) fn evaluate_with(
    effort: Effort,
    files: &dyn Files,
    root: &str,
    given: &Given,
    current_stack: &str,
) -> Evaluation {
    let looked = Cell::new(false);
    let tree = Tree {
        files,
        root,
        looked: &looked,
    };
    let evaluator = Evaluator::new(tree, given, current_stack, effort);
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
    evaluator.finish(0, 0);
    let resources = settle(&evaluator);
    let standing = standing(&evaluator);
    let environments =
        evaluator.with_findings(|findings| Environments::look(&evaluator, &resources, findings));
    let findings: Findings = evaluator.into_findings();
    Evaluation {
        resources,
        outputs,
        problems: findings.into_problems(),
        environments,
        standing,
        addresses: OnceCell::new(),
    }
}

/// Takes the evaluated resources, blocks what cannot stand, and orders the rest.
fn settle(evaluator: &Evaluator<'_>) -> Vec<Arc<Resource>> {
    let items = evaluator.items();
    let mut dependencies: Vec<Vec<usize>> = items
        .iter()
        .map(|item| item.dependencies.take().unwrap_or_default())
        .collect();
    let mut blocked: HashSet<usize> = items
        .iter()
        .filter(|item| item.made.borrow().is_none())
        .map(|item| item.id)
        .collect();
    let waits = Waits::gather(evaluator, &items, &mut blocked);
    for item in &items {
        let dependencies = &mut dependencies[item.id];
        waits.add_to(evaluator, item, dependencies);
        dependencies.sort_unstable();
        dependencies.dedup();
    }
    block_duplicates(evaluator, &items, &mut blocked);
    loop {
        spread(evaluator, &items, &dependencies, &mut blocked);
        let standing: Vec<Option<&Vec<usize>>> = items
            .iter()
            .map(|item| (!blocked.contains(&item.id)).then(|| &dependencies[item.id]))
            .collect();
        let (ordered, circular) = order(&standing, |id| &items[id].address);
        let Some(first) = circular.first() else {
            let mut resources = Vec::with_capacity(ordered.len());
            let made = ordered
                .iter()
                .filter_map(|id| resource(evaluator, &items, *id, &dependencies).map(Arc::new));
            resources.extend(made);
            return resources;
        };
        let names: Vec<&str> = circular.iter().map(|id| &*items[*id].address).collect();
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

fn resource(
    evaluator: &Evaluator<'_>,
    items: &[Rc<Item>],
    id: usize,
    dependencies: &[Vec<usize>],
) -> Option<Resource> {
    let item = &items[id];
    let Made {
        attributes,
        sensitive,
        ..
    } = item.made.take()?;
    let instance = evaluator.instance(item.instance);
    let (_, definition) = instance.module.resources.get_index(item.resource)?;
    Some(Resource {
        sensitive,
        address: item.address.to_string(),
        kind: definition.kind.clone(),
        name: definition.name.clone(),
        attributes,
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

fn standing(evaluator: &Evaluator<'_>) -> Standing {
    let environments = evaluator.environments();
    let mut instances = HashMap::new();
    let mut outlines: HashMap<String, Arc<Outline>> = HashMap::new();
    for instance in evaluator.instances() {
        let module = &instance.module;
        let outline = match outlines.get(&module.directory) {
            Some(outline) => outline.clone(),
            None => {
                let outline = Arc::new(Outline::of(module));
                outlines.insert(module.directory.clone(), outline.clone());
                outline
            }
        };
        let standing = InstanceStanding {
            module: outline,
            blocked: instance
                .environment
                .is_some_and(|index| environments[index].failed),
            calls: (0..module.calls.len())
                .map(|index| done(&instance.children, index))
                .collect(),
            resources: (0..module.resources.len())
                .map(|index| done(&instance.resources, index))
                .collect(),
        };
        instances.insert(instance.address.clone(), standing);
    }
    let moves = Moves::gather(evaluator);
    Standing { instances, moves }
}
