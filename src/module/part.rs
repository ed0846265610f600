//! What another thread evaluates: what it begins with, and what it gives back.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::evaluator::{Environment, Evaluator, Modules};
use super::findings::Findings;
use super::force::{Effort, force_each};
use super::instance::{Dependencies, Expansion, Instance, Slot};
use super::numbered::Numbered;
use super::object::Item;
use super::root_values::Given;
use super::tree::Tree;
use crate::files::Files;

/// All that the calls of one instance, which are apart, can refer to.
pub(super) struct Seed<'a> {
    files: &'a dyn Files,
    root: &'a str,
    given: &'a Given,
    current_stack: &'a str,
    effort: Effort,
    modules: Modules,
    /// The instance, all values of which are known, and those around it.
    instances: Vec<Instance>,
    /// The resources of the instance.
    items: Vec<Item>,
    /// The numbers that the next instance and the next resource have.
    ends: (usize, usize),
}

/// What some of the calls came to.
pub(super) struct Part {
    pub(super) calls: Range<usize>,
    children: Vec<Slot<Arc<Expansion>>>,
    instances: Vec<Instance>,
    items: Vec<Item>,
    environments: Vec<Environment>,
    findings: Findings,
    looked: bool,
    /// The first numbers of its own.
    firsts: (usize, usize),
}

impl<'a> Seed<'a> {
    pub(super) fn of(evaluator: &Evaluator<'a>, instance: &Rc<Instance>) -> Self {
        let mut instances = vec![(**instance).clone()];
        let mut around = instance.parent;
        while let Some((parent, _)) = around {
            let parent = evaluator.instance(parent);
            around = parent.parent;
            instances.push((*parent).clone());
        }
        let mut items = Vec::new();
        for slot in &*instance.resources.borrow() {
            if let Slot::Done(Some(expansion), _) = slot {
                let members = expansion.members.iter();
                items.extend(members.map(|(_, item)| (*evaluator.item(*item)).clone()));
            }
        }
        Self {
            files: evaluator.tree.files,
            root: evaluator.tree.root,
            given: evaluator.given,
            current_stack: evaluator.current_stack,
            effort: evaluator.effort,
            modules: evaluator.modules.borrow().clone(),
            instances,
            items,
            ends: evaluator.ends(),
        }
    }

    /// Evaluates these calls.
    pub(super) fn grow(&self, calls: Range<usize>) -> Part {
        let looked = Cell::new(false);
        let tree = Tree {
            files: self.files,
            root: self.root,
            looked: &looked,
        };
        let instance = self.instances[0].id;
        let known = self.instances.iter().map(|it| (it.id, Rc::new(it.clone())));
        let instances = Numbered::after(self.ends.0, known.collect());
        let known = self.items.iter().map(|it| (it.id, Rc::new(it.clone())));
        let items = Numbered::after(self.ends.1, known.collect());
        let mut evaluator = Evaluator::new(tree, self.given, self.current_stack, self.effort);
        evaluator.modules = RefCell::new(self.modules.clone());
        evaluator.instances = RefCell::new(instances);
        evaluator.items = RefCell::new(items);
        let instance = evaluator.instance(instance);
        force_each(&evaluator, &instance, calls.clone());
        let children = instance.children.take().drain(calls.clone()).collect();
        drop(instance);
        Part {
            calls,
            children,
            instances: evaluator.instances.into_inner().into_own().collect(),
            items: evaluator.items.into_inner().into_own().collect(),
            environments: evaluator.environments.into_inner(),
            findings: evaluator.findings.into_inner(),
            looked: looked.get(),
            firsts: self.ends,
        }
    }
}

impl Part {
    /// Gives all of it to the evaluator, as if that had found it itself.
    pub(super) fn join(self, evaluator: &Evaluator<'_>, instance: &Instance) {
        let ends = evaluator.ends();
        let instances = Shift {
            first: self.firsts.0,
            to: ends.0,
        };
        let items = Shift {
            first: self.firsts.1,
            to: ends.1,
        };
        let mut environments = evaluator.environments();
        let before = environments.len();
        environments.extend(self.environments);
        drop(environments);
        for mut own in self.instances {
            own.id = instances.of(own.id);
            own.parent = own
                .parent
                .map(|(parent, call)| (instances.of(parent), call));
            own.environment = own.environment.map(|index| index + before);
            items.all(&mut own.dependencies);
            for slot in own.children.get_mut() {
                shift(slot, &instances, &items);
            }
            for slot in own.resources.get_mut() {
                shift(slot, &items, &items);
            }
            evaluator.add_instance(|_| own);
        }
        for mut own in self.items {
            own.id = items.of(own.id);
            own.instance = instances.of(own.instance);
            items.all(&mut own.base);
            for other in own.dependencies.get_mut().iter_mut().flatten() {
                *other = items.of(*other);
            }
            evaluator.add_item(|_| own);
        }
        let mut children = instance.children.borrow_mut();
        for (index, mut slot) in self.calls.zip(self.children) {
            shift(&mut slot, &instances, &items);
            children[index] = slot;
        }
        evaluator.findings.borrow_mut().extend(self.findings);
        if self.looked {
            evaluator.tree.looked.set(true);
        }
    }
}

/// What numbers become of those from `first` on.
struct Shift {
    first: usize,
    to: usize,
}

impl Shift {
    fn of(&self, id: usize) -> usize {
        match id.checked_sub(self.first) {
            Some(own) => self.to + own,
            None => id,
        }
    }

    fn all(&self, ids: &mut Dependencies) {
        if ids.iter().any(|id| self.of(*id) != *id) {
            *ids = ids.iter().map(|id| self.of(*id)).collect();
        }
    }
}

fn shift(slot: &mut Slot<Arc<Expansion>>, members: &Shift, dependencies: &Shift) {
    let Slot::Done(expansion, depends) = slot else {
        return;
    };
    for (_, member) in expansion
        .iter_mut()
        .flat_map(|it| &mut Arc::make_mut(it).members)
    {
        *member = members.of(*member);
    }
    dependencies.all(depends);
}
