//! Repeated blocks: the instances of a call and the resources of a block, by `count`, `for_each`
//! or once.

use std::sync::Arc;

use hcl_edit::expr::Expression;

use super::convert::convert;
use super::definitions::{Call, Module, Place, Repeat};
use super::evaluator::{Environment, Evaluator, Subject};
use super::expression::{Evaluated, Frame, Mistake, Stop, evaluate, start};
use super::instance::{Dependencies, Expansion, Instance, Key, Repetition, Shape};
use super::names::ModuleNames;
use super::nearest::nearest;
use super::number::Number;
use super::object::Item;
use super::origin::{self, is_environments};
use super::value::{Type, Value};

/// Calls within calls beyond this are taken for a circle.
const DEEPEST_CALL: usize = 32;
/// More members of one `count` than this are taken for a mistake.
const LARGEST_COUNT: usize = 100_000;

impl Evaluator<'_> {
    /// The instances of the call's module.
    pub(super) fn children(
        &self,
        instance: &Instance,
        index: usize,
        depth: usize,
    ) -> Evaluated<Arc<Expansion>> {
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
    ) -> Evaluated<Arc<Expansion>> {
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
        // Also if the call itself fails, what is wrong with the files is said.
        for problem in &module.problems {
            self.add_problem(instance, problem.clone());
        }
        let names = ModuleNames::new(self, instance, &NONE);
        let members = self.expand(&call.repeat, &Self::frame(&names, &call.place, depth))?;
        self.check_arguments(instance, name, call, &module)?;
        let mut dependencies = self.collected();
        dependencies.extend(instance.dependencies.iter().copied());
        let dependencies: Dependencies = dependencies.into_iter().collect();
        let address = instance.address_of(&format!("module.{name}"));
        let environment = match instance.environment {
            None if is_environments(&instance.module.directory) => {
                let mut environments = self.environments();
                environments.push(Environment {
                    address: address.clone(),
                    file: call.place.source.path.clone(),
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
                is_fork: is_environments(&instance.module.directory)
                    && call
                        .arguments
                        .get("fork")
                        .is_some_and(|fork| fork.as_bool() != Some(false)),
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
        Ok(Arc::new(expansion))
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
            let is_required = definition.default.is_none() && !definition.broken;
            if is_required && !call.arguments.contains_key(variable) {
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
                // How many there are, everybody may see: so it is in Terraform.
                let count = match convert(value.opened().0, &Type::Number) {
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
        if value.is_sensitive() {
            let message =
                "for_each cannot go over a sensitive value: its keys would be in addresses";
            let hint = "go over what is not sensitive, or write nonsensitive(…) around it";
            return Err(frame.mistake_with_hint(message, at, Some(hint.to_owned())));
        }
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
    ) -> Evaluated<Arc<Expansion>> {
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
                Item::check_kind(self, instance, resource)?;
                let names = ModuleNames::new(self, instance, &NONE);
                let members = self.expand(
                    &resource.repeat,
                    &Self::frame(&names, &resource.place, depth),
                )?;
                let mut dependencies = self.collected();
                dependencies.extend(instance.dependencies.iter().copied());
                let dependencies: Dependencies = dependencies.into_iter().collect();
                let mut expansion = Expansion {
                    shape: shape(&resource.repeat),
                    members: Vec::with_capacity(members.len()),
                };
                for (key, repetition) in members {
                    let address = match key {
                        Key::Only => instance.address_of(name),
                        _ => instance.address_of(&format!("{name}{}", key.suffix())),
                    };
                    let base = dependencies.clone();
                    let id = self.add_item(|id| {
                        Item::new(id, address.into(), instance.id, index, repetition, base)
                    });
                    expansion.members.push((key, id));
                }
                Ok(Arc::new(expansion))
            },
        )?;
        self.depend(dependencies.iter().copied());
        Ok(expansion)
    }
}

pub(super) static NONE: Repetition = Repetition {
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
        is_refusal: false,
    }))
}
