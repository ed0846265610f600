//! The tree of module instances, evaluated on demand, each thing at most once.
//!
//! A mistake is reported where it stands; what refers to it fails silently. A failure within an
//! environment fails the environment.

use std::cell::{OnceCell, RefCell, RefMut};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::definitions::{Module, Place};
use super::expression::{Evaluated, Mistake, Stop};
use super::findings::Findings;
use super::force::Effort;
use super::instance::{Dependencies, Instance, Slot, Slots};
use super::numbered::Numbered;
use super::object::Item;
use super::root_values::{Given, RootValues};
use super::tree::Tree;
use super::value::Value;
use crate::problem::{Problem, Severity};

pub(super) struct Evaluator<'a> {
    pub tree: Tree<'a>,
    /// The id of the manager stack.
    pub current_stack: &'a str,
    pub effort: Effort,
    pub given: &'a Given,
    root_values: OnceCell<RootValues>,
    pub modules: RefCell<Modules>,
    pub instances: RefCell<Numbered<Instance>>,
    pub items: RefCell<Numbered<Item>>,
    pub environments: RefCell<Vec<Environment>>,
    pub findings: RefCell<Findings>,
    /// What is being evaluated collects what it depends on; the innermost last.
    collecting: RefCell<Vec<BTreeSet<usize>>>,
    /// The names of what is being evaluated, for the message about a circle.
    busy: RefCell<Vec<(usize, Subject)>>,
}

/// The modules that were read, by their directories; an error is why one could not be.
pub(super) type Modules = HashMap<String, Result<Arc<Module>, String>>;

#[derive(Debug)]
pub(super) struct Environment {
    pub address: String,
    /// The file in which its call stands.
    pub file: String,
    pub failed: bool,
}

/// Something of a module that is evaluated once, by its index among the definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Variable(usize),
    Local(usize),
    Output(usize),
    Call(usize),
    Resource(usize),
    /// By the index of the item.
    Item(usize),
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        tree: Tree<'a>,
        given: &'a Given,
        current_stack: &'a str,
        effort: Effort,
    ) -> Self {
        Self {
            tree,
            current_stack,
            effort,
            given,
            root_values: OnceCell::new(),
            modules: RefCell::default(),
            instances: RefCell::default(),
            items: RefCell::default(),
            environments: RefCell::default(),
            findings: RefCell::default(),
            collecting: RefCell::default(),
            busy: RefCell::default(),
        }
    }

    /// The root instance; an error is why there is none.
    pub(super) fn root(&self) -> Result<Rc<Instance>, String> {
        let module = self.module(self.tree.root)?;
        if module.files.is_empty() {
            return Err("there are no .tf files in it".to_owned());
        }
        let values = RootValues::read(&self.tree, &module, self.given);
        let root = self.add_instance(|id| Instance::new(id, module, String::new()));
        for problem in &values.problems {
            self.add_problem(&root, problem.clone());
        }
        // The first and only time.
        let _ = self.root_values.set(values);
        Ok(root)
    }

    pub(super) fn add_instance(&self, make: impl FnOnce(usize) -> Instance) -> Rc<Instance> {
        let mut instances = self.instances.borrow_mut();
        let instance = make(instances.end());
        instances.add(instance)
    }

    pub(super) fn module(&self, directory: &str) -> Result<Arc<Module>, String> {
        if let Some(known) = self.modules.borrow().get(directory) {
            return known.clone();
        }
        let loaded = Module::load(self.tree.files, directory).map(Arc::new);
        self.modules
            .borrow_mut()
            .insert(directory.to_owned(), loaded.clone());
        loaded
    }

    pub(super) fn instance(&self, id: usize) -> Rc<Instance> {
        self.instances.borrow().get(id).clone()
    }

    pub(super) fn item(&self, id: usize) -> Rc<Item> {
        self.items.borrow().get(id).clone()
    }

    pub(super) fn instances(&self) -> Vec<Rc<Instance>> {
        self.instances.borrow().own().to_vec()
    }

    pub(super) fn items(&self) -> Vec<Rc<Item>> {
        self.items.borrow().own().to_vec()
    }

    pub(super) fn environments(&self) -> RefMut<'_, Vec<Environment>> {
        self.environments.borrow_mut()
    }

    /// Adds a resource, whose index is the number of those before it.
    pub(super) fn add_item(&self, make: impl FnOnce(usize) -> Item) -> usize {
        let mut items = self.items.borrow_mut();
        let item = make(items.end());
        items.add(item).id
    }

    /// The numbers that the next instance and the next resource will have.
    pub(super) fn ends(&self) -> (usize, usize) {
        (self.instances.borrow().end(), self.items.borrow().end())
    }

    /// Keeps of the instances and resources with these numbers and later ones what is left of them only:
    /// nothing refers to them any more.
    pub(super) fn finish(&self, instances: usize, items: usize) {
        for instance in self.instances.borrow().from(instances) {
            instance.forget_values();
        }
        for item in self.items.borrow().from(items) {
            item.finish();
        }
    }

    /// What the thing that is being evaluated has depended on so far.
    pub(super) fn collected(&self) -> BTreeSet<usize> {
        self.collecting.borrow().last().cloned().unwrap_or_default()
    }

    /// The problems found so far.
    pub(super) fn with_findings<T>(&self, look: impl FnOnce(&Findings) -> T) -> T {
        look(&self.findings.borrow())
    }

    /// All problems found.
    pub(super) fn into_findings(self) -> Findings {
        self.findings.into_inner()
    }

    pub(super) fn add_problem(&self, instance: &Instance, problem: Problem) {
        let mut environments = self.environments.borrow_mut();
        let environment = instance.environment.map(|index| &mut environments[index]);
        let address = match environment {
            Some(environment) => {
                environment.failed |= problem.severity == Severity::Error;
                Some(environment.address.as_str())
            }
            None => None,
        };
        self.findings.borrow_mut().add(problem, address);
    }

    pub(super) fn report(&self, instance: &Instance, mistake: Mistake) {
        let mut problem = mistake.source.problem(mistake.message, mistake.offset);
        problem.hint = mistake.hint;
        self.add_problem(instance, problem);
    }

    /// Notes a failure in the instance; a mistake is reported here and nowhere else.
    pub(super) fn settle<T>(&self, instance: &Instance, evaluated: Evaluated<T>) -> Option<T> {
        match evaluated {
            Ok(value) => Some(value),
            Err(Stop::Mistake(mistake)) => {
                self.report(instance, *mistake);
                None
            }
            Err(Stop::Reported) => {
                self.fail(instance);
                None
            }
        }
    }

    pub(super) fn fail(&self, instance: &Instance) {
        if let Some(index) = instance.environment {
            self.environments.borrow_mut()[index].failed = true;
        }
    }

    pub(super) fn depend(&self, items: impl IntoIterator<Item = usize>) {
        if let Some(collected) = self.collecting.borrow_mut().last_mut() {
            collected.extend(items);
        }
    }

    /// Evaluates what `slots[index]` stands for unless it is known, and returns it with all that
    /// it depends on.
    pub(super) fn once<T: Clone>(
        &self,
        instance: &Instance,
        slots: &Slots<T>,
        index: usize,
        subject: Subject,
        place: &Place,
        compute: impl FnOnce() -> Evaluated<T>,
    ) -> Evaluated<(T, Dependencies)> {
        // What is finished is gone, and nothing is to ask for it.
        let Some(known) = slots.borrow().get(index).cloned() else {
            return Err(Stop::Reported);
        };
        match known {
            Slot::Done(Some(value), dependencies) => return Ok((value, dependencies)),
            Slot::Done(None, _) => return Err(Stop::Reported),
            Slot::Busy => return Err(self.circle(instance, subject, place)),
            Slot::Open => {}
        }
        slots.borrow_mut()[index] = Slot::Busy;
        self.busy.borrow_mut().push((instance.id, subject));
        self.collecting.borrow_mut().push(BTreeSet::new());
        let value = self.settle(instance, compute());
        let collected = self.collecting.borrow_mut().pop().unwrap_or_default();
        self.busy.borrow_mut().pop();
        let dependencies: Dependencies = collected.into_iter().collect();
        slots.borrow_mut()[index] = Slot::Done(value.clone(), dependencies.clone());
        value
            .map(|value| (value, dependencies))
            .ok_or(Stop::Reported)
    }

    fn circle(&self, instance: &Instance, subject: Subject, place: &Place) -> Stop {
        let busy = self.busy.borrow();
        let first = busy
            .iter()
            .position(|other| *other == (instance.id, subject))
            .unwrap_or(0);
        let mut names: Vec<String> = busy[first..]
            .iter()
            .map(|it| self.subject_name(*it))
            .collect();
        names.push(self.subject_name((instance.id, subject)));
        Stop::Mistake(Box::new(Mistake {
            message: format!("refers to itself in a circle: {}", names.join(" → ")),
            hint: None,
            source: place.source.clone(),
            offset: place.offset,
            is_refusal: false,
        }))
    }

    fn subject_name(&self, (instance, subject): (usize, Subject)) -> String {
        let instance = self.instance(instance);
        let module = &instance.module;
        let name = match subject {
            Subject::Variable(index) => module
                .variables
                .get_index(index)
                .map(|(name, _)| format!("var.{name}")),
            Subject::Local(index) => module
                .locals
                .get_index(index)
                .map(|(name, _)| format!("local.{name}")),
            Subject::Output(index) => module
                .outputs
                .get_index(index)
                .map(|(name, _)| format!("output.{name}")),
            Subject::Call(index) => module
                .calls
                .get_index(index)
                .map(|(name, _)| format!("module.{name}")),
            Subject::Resource(index) => module
                .resources
                .get_index(index)
                .map(|(name, _)| name.clone()),
            Subject::Item(item) => return self.item(item).address.to_string(),
        };
        instance.address_of(&name.unwrap_or_default())
    }

    /// What is given to a variable of the root; an error is that it cannot be told.
    pub(super) fn root_value(&self, name: &str) -> Evaluated<Option<(Value, Option<Place>)>> {
        let Some(values) = self.root_values.get().filter(|values| !values.incomplete) else {
            return Err(Stop::Reported);
        };
        let Some(given) = values.get(name) else {
            return Ok(None);
        };
        if given.is_of_commit {
            // No environment is as it was at the commit before.
            self.tree.looked.set(true);
        }
        match &given.value {
            Some(value) => Ok(Some((value.clone(), given.place.clone()))),
            None => Err(Stop::Reported),
        }
    }
}
