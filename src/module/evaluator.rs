//! The tree of module instances, evaluated on demand, each thing at most once.
//!
//! A mistake is reported where it stands; what refers to it fails silently. A failure within an
//! environment fails the environment.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use hcl_edit::expr::Expression;

use super::convert::convert;
use super::definitions::{Call, Check, Module, Place, Repeat};
use super::expression::{Evaluated, Frame, Mistake, Stop, evaluate, start};
use super::findings::Findings;
use super::instance::{Dependencies, Expansion, Instance, Key, Repetition, Shape, Slot, Slots};
use super::names::ModuleNames;
use super::nearest::nearest;
use super::number::Number;
use super::object::{Item, Object};
use super::origin::{self, is_environments};
use super::tree::Tree;
use super::value::{Type, Value};
use crate::problem::{Problem, Severity};

/// Calls within calls beyond this are taken for a circle.
const DEEPEST_CALL: usize = 32;
/// More members of one `count` than this are taken for a mistake.
const LARGEST_COUNT: usize = 100_000;

pub(super) struct Evaluator<'a> {
    pub tree: Tree<'a>,
    /// The id of the manager stack.
    pub current_stack: &'a str,
    root_variables: &'a BTreeMap<String, Value>,
    modules: RefCell<HashMap<String, Result<Arc<Module>, String>>>,
    instances: RefCell<Vec<Rc<Instance>>>,
    items: RefCell<Vec<Rc<Item>>>,
    environments: RefCell<Vec<Environment>>,
    findings: RefCell<Findings>,
    /// What is being evaluated collects what it depends on; the innermost last.
    collecting: RefCell<Vec<BTreeSet<usize>>>,
    /// The names of what is being evaluated, for the message about a circle.
    busy: RefCell<Vec<(usize, Subject)>>,
}

#[derive(Debug)]
pub(super) struct Environment {
    pub address: String,
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
        root_variables: &'a BTreeMap<String, Value>,
        current_stack: &'a str,
    ) -> Self {
        Self {
            tree,
            current_stack,
            root_variables,
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
        for name in self.root_variables.keys() {
            if !module.variables.contains_key(name) && !module.incomplete {
                let problem = Problem::warning(format!(
                    "the root module has no variable {name}, a value is given for it"
                ));
                self.findings.borrow_mut().add(problem, None);
            }
        }
        Ok(self.add_instance(|id| Instance::new(id, module, String::new())))
    }

    fn add_instance(&self, make: impl FnOnce(usize) -> Instance) -> Rc<Instance> {
        let id = self.instances.borrow().len();
        let instance = Rc::new(make(id));
        self.instances.borrow_mut().push(instance.clone());
        instance
    }

    fn module(&self, directory: &str) -> Result<Arc<Module>, String> {
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
        self.instances.borrow()[id].clone()
    }

    pub(super) fn item(&self, id: usize) -> Rc<Item> {
        self.items.borrow()[id].clone()
    }

    pub(super) fn instances(&self) -> Vec<Rc<Instance>> {
        self.instances.borrow().clone()
    }

    pub(super) fn items(&self) -> Vec<Rc<Item>> {
        self.items.borrow().clone()
    }

    pub(super) fn environments(&self) -> std::cell::RefMut<'_, Vec<Environment>> {
        self.environments.borrow_mut()
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
        let known = slots.borrow()[index].clone();
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
            Subject::Item(item) => return self.item(item).address.clone(),
        };
        instance.address_of(&name.unwrap_or_default())
    }

    /// How deep an evaluation stands that something else asked for.
    fn frame<'f>(names: &'f ModuleNames<'f>, place: &'f Place, depth: usize) -> Frame<'f> {
        Frame {
            source: &place.source,
            names,
            bindings: None,
            depth,
        }
    }

    pub(super) fn variable(&self, instance: &Instance, index: usize, depth: usize) -> Evaluated {
        let Some((name, variable)) = instance.module.variables.get_index(index) else {
            return Err(Stop::Reported);
        };
        let subject = Subject::Variable(index);
        let (value, dependencies) = self.once(
            instance,
            &instance.variables,
            index,
            subject,
            &variable.place,
            || {
                if variable.broken {
                    return Err(Stop::Reported);
                }
                let (given, place) = self.given_value(instance, name, depth)?;
                let names = ModuleNames::new(self, instance, &instance.repetition);
                let frame = Self::frame(&names, &variable.place, depth);
                let nullable = match &variable.nullable {
                    Some(expression) => evaluate(expression, &frame)?.as_bool() != Some(false),
                    None => true,
                };
                let given = given.filter(|value| nullable || !value.is_null());
                let (value, place) = match (given, &variable.default) {
                    (Some(value), _) => (value, place),
                    (None, Some(default)) => (
                        evaluate(default, &frame)?,
                        Place {
                            offset: start(default),
                            ..variable.place.clone()
                        },
                    ),
                    (None, None) if instance.parent.is_none() => {
                        let message = format!(
                            "no value is given for the variable \"{name}\", which has no default"
                        );
                        return Err(frame.mistake(message, variable.place.offset));
                    }
                    (None, None) => {
                        let message = format!("the variable \"{name}\" must not be null");
                        return Err(mistake_at(&place, message));
                    }
                };
                let value = if value.is_null() {
                    variable.constraint.null()
                } else {
                    variable.constraint.apply(&value).map_err(|reason| {
                        mistake_at(
                            &place,
                            format!("unsuitable value of the variable \"{name}\": {reason}"),
                        )
                    })?
                };
                let own = ModuleNames {
                    own: Some((index, &value)),
                    ..names
                };
                let frame = Self::frame(&own, &variable.place, depth);
                for check in &variable.validations {
                    let what = format!("invalid value of the variable \"{name}\"");
                    self.check(check, &what, &frame)?;
                }
                Ok(value)
            },
        )?;
        self.depend(dependencies.iter().copied());
        Ok(value)
    }

    /// The value that the caller gives to a variable, evaluated where the call stands.
    fn given_value(
        &self,
        instance: &Instance,
        name: &str,
        depth: usize,
    ) -> Evaluated<(Option<Value>, Place)> {
        let Some((parent, call)) = instance.parent else {
            let place = instance.module.variables[name].place.clone();
            return Ok((self.root_variables.get(name).cloned(), place));
        };
        let parent = self.instance(parent);
        let Some((_, call)) = parent.module.calls.get_index(call) else {
            return Err(Stop::Reported);
        };
        let Some(argument) = call.arguments.get(name) else {
            return Ok((None, call.place.clone()));
        };
        let names = ModuleNames::new(self, &parent, &instance.repetition);
        let frame = Self::frame(&names, &call.place, depth);
        let place = Place {
            offset: start(argument),
            ..call.place.clone()
        };
        Ok((Some(evaluate(argument, &frame)?), place))
    }

    pub(super) fn local(&self, instance: &Instance, index: usize, depth: usize) -> Evaluated {
        let Some((_, local)) = instance.module.locals.get_index(index) else {
            return Err(Stop::Reported);
        };
        let subject = Subject::Local(index);
        let (value, dependencies) = self.once(
            instance,
            &instance.locals,
            index,
            subject,
            &local.place,
            || {
                if local.broken {
                    return Err(Stop::Reported);
                }
                let names = ModuleNames::new(self, instance, &NONE);
                evaluate(&local.value, &Self::frame(&names, &local.place, depth))
            },
        )?;
        self.depend(dependencies.iter().copied());
        Ok(value)
    }

    pub(super) fn output(&self, instance: &Instance, index: usize, depth: usize) -> Evaluated {
        let Some((_, output)) = instance.module.outputs.get_index(index) else {
            return Err(Stop::Reported);
        };
        let subject = Subject::Output(index);
        let (value, dependencies) = self.once(
            instance,
            &instance.outputs,
            index,
            subject,
            &output.place,
            || {
                if output.broken {
                    return Err(Stop::Reported);
                }
                let names = ModuleNames::new(self, instance, &NONE);
                let frame = Self::frame(&names, &output.place, depth);
                for check in &output.preconditions {
                    self.check(check, "a precondition of the output does not hold", &frame)?;
                }
                evaluate(&output.value, &frame)
            },
        )?;
        self.depend(dependencies.iter().copied());
        Ok(value)
    }

    pub(super) fn check(&self, check: &Check, what: &str, frame: &Frame<'_>) -> Evaluated<()> {
        let at = start(&check.condition);
        let condition = evaluate(&check.condition, frame)?;
        match convert(&condition, &Type::Bool) {
            Ok(Value::Bool(true)) => Ok(()),
            Ok(Value::Bool(false)) => {
                let reason = match evaluate(&check.message, frame)? {
                    Value::String(text) => text.trim().trim_end_matches('.').replace('\n', " "),
                    _ => "the condition is false".to_owned(),
                };
                Err(frame.mistake(format!("{what}: {reason}"), at))
            }
            _ => Err(frame.mistake("a condition must be true or false", at)),
        }
    }

    /// The instances of the call's module.
    pub(super) fn children(
        &self,
        instance: &Instance,
        index: usize,
        depth: usize,
    ) -> Evaluated<Rc<Expansion>> {
        let Some((name, call)) = instance.module.calls.get_index(index) else {
            return Err(Stop::Reported);
        };
        let subject = Subject::Call(index);
        let (expansion, dependencies) = self.once(
            instance,
            &instance.children,
            index,
            subject,
            &call.place,
            || self.expand_call(instance, index, name, call, depth),
        )?;
        self.depend(dependencies.iter().copied());
        Ok(expansion)
    }

    fn expand_call(
        &self,
        instance: &Instance,
        index: usize,
        name: &str,
        call: &Call,
        depth: usize,
    ) -> Evaluated<Rc<Expansion>> {
        let Some(directory) = call.directory.as_ref().filter(|_| !call.broken) else {
            return Err(Stop::Reported);
        };
        if self.is_around(instance, directory) || instance.calls.len() >= DEEPEST_CALL {
            let message = format!("the module {directory:?} calls itself in a circle");
            return Err(mistake_at(&call.place, message));
        }
        let module = self.module(directory).map_err(|reason| {
            mistake_at(
                &call.place,
                format!("cannot read the module {directory:?}: {reason}"),
            )
        })?;
        let names = ModuleNames::new(self, instance, &NONE);
        let members = self.expand(&call.repeat, &Self::frame(&names, &call.place, depth))?;
        self.check_arguments(instance, name, call, &module)?;
        let dependencies: BTreeSet<usize> = {
            let collecting = self.collecting.borrow();
            let own = collecting.last().into_iter().flatten().copied();
            own.chain(instance.dependencies.iter().copied()).collect()
        };
        let dependencies: Dependencies = dependencies.into_iter().collect();
        let address = instance.address_of(&format!("module.{name}"));
        let environment = match instance.environment {
            None if is_environments(&instance.module.directory) => {
                let mut environments = self.environments.borrow_mut();
                environments.push(Environment {
                    address: address.clone(),
                    failed: false,
                });
                Some(environments.len() - 1)
            }
            around => around,
        };
        let shape = shape(&call.repeat);
        let mut expansion = Expansion {
            shape,
            members: Vec::with_capacity(members.len()),
        };
        for (key, repetition) in members {
            let address = format!("{address}{}", key.suffix());
            let own = origin::Call {
                address: address.clone(),
                file: call.place.source.path.clone(),
            };
            let calls = instance.calls.iter().cloned().chain([own]).collect();
            let child = self.add_instance(|id| Instance {
                calls,
                parent: Some((instance.id, index)),
                repetition,
                environment,
                dependencies: dependencies.clone(),
                ..Instance::new(id, module.clone(), address)
            });
            if module.refused {
                self.fail(&child);
            }
            expansion.members.push((key, child.id));
        }
        Ok(Rc::new(expansion))
    }

    fn is_around(&self, instance: &Instance, directory: &str) -> bool {
        let mut around = Some(self.instance(instance.id));
        while let Some(instance) = around {
            if instance.module.directory == directory {
                return true;
            }
            around = instance.parent.map(|(parent, _)| self.instance(parent));
        }
        false
    }

    /// Reports all that is wrong with the arguments of a call.
    fn check_arguments(
        &self,
        instance: &Instance,
        name: &str,
        call: &Call,
        module: &Module,
    ) -> Evaluated<()> {
        let mut sound = true;
        let mut wrong = |message: String, at, hint: Option<String>| {
            let mut problem = call.place.source.problem(message, at);
            problem.hint = hint;
            self.add_problem(instance, problem);
            sound = false;
        };
        for (argument, expression) in &call.arguments {
            if !module.variables.contains_key(argument) && !module.incomplete {
                let near = nearest(argument, module.variables.keys().map(String::as_str));
                let hint = near.map(|near| format!("did you mean {near}?"));
                let message = format!("the module \"{name}\" has no variable {argument}");
                wrong(message, start(expression), hint);
            }
        }
        for (variable, definition) in &module.variables {
            if definition.default.is_none() && !call.arguments.contains_key(variable) {
                let message =
                    format!("the call of the module \"{name}\" lacks the argument {variable}");
                wrong(message, call.place.offset, None);
            }
        }
        if sound { Ok(()) } else { Err(Stop::Reported) }
    }

    /// The keys of a repeated block, and what `count` and `each` are for each.
    pub(super) fn expand(
        &self,
        repeat: &Repeat,
        frame: &Frame<'_>,
    ) -> Evaluated<Vec<(Key, Repetition)>> {
        match repeat {
            Repeat::Once => Ok(vec![(Key::Only, Repetition::default())]),
            Repeat::Count(expression) => {
                let value = evaluate(expression, frame)?;
                let at = start(expression);
                let count = match convert(&value, &Type::Number) {
                    Ok(Value::Number(number)) => whole_count(&number),
                    Ok(_) => return Err(frame.mistake("the count is null", at)),
                    Err(error) => {
                        return Err(frame.mistake(format!("unsuitable count: {error}"), at));
                    }
                };
                let Some(count) = count else {
                    let message =
                        format!("the count must be a whole number from 0 to {LARGEST_COUNT}");
                    return Err(frame.mistake(message, at));
                };
                let member = |index| {
                    (
                        Key::Index(index),
                        Repetition {
                            count: Some(index),
                            each: None,
                        },
                    )
                };
                Ok((0..count).map(member).collect())
            }
            Repeat::Each(expression) => self.expand_each(expression, frame),
        }
    }

    fn expand_each(
        &self,
        expression: &Expression,
        frame: &Frame<'_>,
    ) -> Evaluated<Vec<(Key, Repetition)>> {
        let value = evaluate(expression, frame)?;
        let at = start(expression);
        let member = |key: String, value: Value| {
            let each = Some((Value::string(&key), value));
            (Key::Name(key), Repetition { count: None, each })
        };
        match &value {
            Value::Map(_, entries) | Value::Object(entries) => Ok(entries
                .iter()
                .map(|(key, value)| member(key.clone(), value.clone()))
                .collect()),
            Value::Set(Type::String, items) => {
                let members = items.iter().map(|item| match item.as_str() {
                    Some(key) => Ok(member(key.to_owned(), item.clone())),
                    None => Err(frame.mistake("the set of for_each holds a null value", at)),
                });
                members.collect()
            }
            Value::Set(_, items) if items.is_empty() => Ok(Vec::new()),
            other => {
                let kind = if other.is_null() {
                    "null"
                } else {
                    other.kind().name()
                };
                let message = format!("for_each takes a map or a set of strings, not a {kind}");
                let hint = matches!(other, Value::Tuple(_) | Value::List(..))
                    .then(|| "write toset(…) around the list".to_owned());
                Err(frame.mistake_with_hint(message, at, hint))
            }
        }
    }

    /// The resources of a resource block.
    pub(super) fn resources(
        &self,
        instance: &Instance,
        index: usize,
        depth: usize,
    ) -> Evaluated<Rc<Expansion>> {
        let Some((name, resource)) = instance.module.resources.get_index(index) else {
            return Err(Stop::Reported);
        };
        let subject = Subject::Resource(index);
        let (expansion, dependencies) = self.once(
            instance,
            &instance.resources,
            index,
            subject,
            &resource.place,
            || {
                if resource.broken || instance.module.refused {
                    return Err(Stop::Reported);
                }
                Item::check_kind(resource)?;
                let names = ModuleNames::new(self, instance, &NONE);
                let members = self.expand(
                    &resource.repeat,
                    &Self::frame(&names, &resource.place, depth),
                )?;
                let dependencies: BTreeSet<usize> = {
                    let collecting = self.collecting.borrow();
                    let own = collecting.last().into_iter().flatten().copied();
                    own.chain(instance.dependencies.iter().copied()).collect()
                };
                let mut expansion = Expansion {
                    shape: shape(&resource.repeat),
                    members: Vec::with_capacity(members.len()),
                };
                for (key, repetition) in members {
                    let id = self.items.borrow().len();
                    let address = instance.address_of(&format!("{name}{}", key.suffix()));
                    let item = Item::new(
                        id,
                        address,
                        instance.id,
                        index,
                        repetition,
                        dependencies.clone(),
                    );
                    self.items.borrow_mut().push(Rc::new(item));
                    expansion.members.push((key, id));
                }
                Ok(Rc::new(expansion))
            },
        )?;
        self.depend(dependencies.iter().copied());
        Ok(expansion)
    }

    /// A resource, evaluated.
    pub(super) fn object(&self, id: usize, depth: usize) -> Evaluated<Rc<Object>> {
        let item = self.item(id);
        let instance = self.instance(item.instance);
        let Some((_, resource)) = instance.module.resources.get_index(item.resource) else {
            return Err(Stop::Reported);
        };
        let subject = Subject::Item(id);
        let (object, dependencies) =
            self.once(&instance, &item.object, 0, subject, &resource.place, || {
                Object::evaluate(self, &instance, resource, &item, depth)
            })?;
        if item.dependencies.borrow().is_none() {
            let all = item
                .base
                .iter()
                .chain(dependencies.iter())
                .copied()
                .collect();
            *item.dependencies.borrow_mut() = Some(all);
        }
        Ok(object)
    }
}

static NONE: Repetition = Repetition {
    count: None,
    each: None,
};

fn shape(repeat: &Repeat) -> Shape {
    match repeat {
        Repeat::Once => Shape::Once,
        Repeat::Count(_) => Shape::Count,
        Repeat::Each(_) => Shape::Each,
    }
}

fn whole_count(number: &Number) -> Option<usize> {
    let count = number
        .as_i64()
        .and_then(|count| usize::try_from(count).ok())?;
    (count <= LARGEST_COUNT).then_some(count)
}

pub(super) fn mistake_at(place: &Place, message: String) -> Stop {
    let source = place.source.clone();
    Stop::Mistake(Box::new(Mistake {
        message,
        hint: None,
        source,
        offset: place.offset,
    }))
}
