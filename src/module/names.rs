//! What the names in a module stand for: `var`, `local`, `module`, `data`, resources, `path`,
//! `each`, `count`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::Decorated;
use hcl_edit::expr::TraversalOperator;

use super::evaluator::Evaluator;
use super::expression::{Evaluated, Frame, Names, Stop, evaluate, start};
use super::instance::{Expansion, Instance, Key, Repetition, Shape};
use super::lifecycle::Ignored;
use super::nearest::nearest;
use super::number::Number;
use super::object::Object;
use super::schema;
use super::tree::{Tree, relative};
use super::value::{Type, Value, normal};

type Steps<'s> = &'s [Decorated<TraversalOperator>];

/// The names of one instance of a module.
#[derive(Clone, Copy)]
pub(super) struct ModuleNames<'a> {
    pub evaluator: &'a Evaluator<'a>,
    pub instance: &'a Instance,
    pub repetition: &'a Repetition,
    /// The variable whose validation this is, with the value it is to have.
    pub own: Option<(usize, &'a Value)>,
    /// What `self` is in a postcondition.
    pub this: Option<&'a Value>,
}

impl<'a> ModuleNames<'a> {
    pub(super) fn new(
        evaluator: &'a Evaluator<'a>,
        instance: &'a Instance,
        repetition: &'a Repetition,
    ) -> Self {
        Self {
            evaluator,
            instance,
            repetition,
            own: None,
            this: None,
        }
    }

    /// An undeclared name; silent if a file that does not parse may declare it.
    fn undeclared<'n>(
        &self,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'n str>,
        frame: &Frame<'_>,
        at: Option<usize>,
    ) -> Stop {
        // A block writes the parts of `type.name` apart.
        let label = name.rsplit('.').next().unwrap_or(name);
        if self.instance.module.may_define(label) {
            return Stop::Reported;
        }
        let hint = nearest(name, known).map(|near| format!("did you mean {near}?"));
        frame.mistake_with_hint(
            format!("there is no {what} \"{name}\" in this module"),
            at,
            hint,
        )
    }

    fn variable(
        &self,
        steps: Steps<'_>,
        frame: &Frame<'_>,
        at: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        let name = step_name(steps, 0, "var", frame, at)?;
        let variables = &self.instance.module.variables;
        let Some(index) = variables.get_index_of(name) else {
            let known = variables.keys().map(String::as_str);
            return Err(self.undeclared("variable", name, known, frame, at));
        };
        match self.own {
            Some((own, value)) if own == index => Ok((value.clone(), 1)),
            _ => Ok((
                self.evaluator.variable(self.instance, index, frame.depth)?,
                1,
            )),
        }
    }

    fn local(
        &self,
        steps: Steps<'_>,
        frame: &Frame<'_>,
        at: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        let name = step_name(steps, 0, "local", frame, at)?;
        let locals = &self.instance.module.locals;
        match locals.get_index_of(name) {
            Some(index) => Ok((self.evaluator.local(self.instance, index, frame.depth)?, 1)),
            None => {
                let known = locals.keys().map(String::as_str);
                Err(self.undeclared("local value", name, known, frame, at))
            }
        }
    }

    fn module(
        &self,
        steps: Steps<'_>,
        frame: &Frame<'_>,
        at: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        let name = step_name(steps, 0, "module", frame, at)?;
        let calls = &self.instance.module.calls;
        let Some(index) = calls.get_index_of(name) else {
            let known = calls.keys().map(String::as_str);
            return Err(self.undeclared("module call", name, known, frame, at));
        };
        let expansion = self.evaluator.children(self.instance, index, frame.depth)?;
        let (chosen, taken) = choose(&expansion, &steps[1..], frame)?;
        let taken = taken + 1;
        if let (Some(child), Some(output)) = (chosen, steps.get(taken).and_then(attribute_name)) {
            return Ok((self.output(child, output, frame, at)?, taken + 1));
        }
        if let Some(child) = chosen {
            return Ok((self.outputs(child, frame)?, taken));
        }
        let all = gather(&expansion, |child| self.outputs(child, frame))?;
        Ok((all, 1))
    }

    fn output(&self, child: usize, name: &str, frame: &Frame<'_>, at: Option<usize>) -> Evaluated {
        let child = self.evaluator.instance(child);
        match child.module.outputs.get_index_of(name) {
            Some(index) => self.evaluator.output(&child, index, frame.depth),
            None if child.module.incomplete => Err(Stop::Reported),
            None => {
                let near = nearest(name, child.module.outputs.keys().map(String::as_str));
                let hint = near.map(|near| format!("did you mean {near}?"));
                let message = format!("the module has no output \"{name}\"");
                Err(frame.mistake_with_hint(message, at, hint))
            }
        }
    }

    fn outputs(&self, child: usize, frame: &Frame<'_>) -> Evaluated {
        let child = self.evaluator.instance(child);
        let mut outputs = BTreeMap::new();
        for (index, name) in child.module.outputs.keys().enumerate() {
            outputs.insert(
                name.clone(),
                self.evaluator.output(&child, index, frame.depth)?,
            );
        }
        Ok(Value::Object(Arc::new(outputs)))
    }

    fn data(
        &self,
        steps: Steps<'_>,
        frame: &Frame<'_>,
        at: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        let kind = step_name(steps, 0, "data", frame, at)?;
        let name = step_name(steps, 1, "data", frame, at)?;
        let key = format!("{kind}.{name}");
        let data = &self.instance.module.data;
        match data.get(&key) {
            Some(definition) if definition.broken => Err(Stop::Reported),
            Some(_) => {
                let id = Value::string(self.evaluator.current_stack);
                Ok((Value::object([("id".to_owned(), id)]), 2))
            }
            None => {
                let known = data.keys().map(String::as_str);
                Err(self.undeclared("data source", &key, known, frame, at))
            }
        }
    }

    fn resource(
        &self,
        kind: &str,
        steps: Steps<'_>,
        frame: &Frame<'_>,
        at: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        let Some(name) = steps.first().and_then(attribute_name) else {
            let message = format!("the name {kind} stands for nothing here");
            let hint = "a reference begins with var, local, module, data, each, count, path or the type of a resource".to_owned();
            return Err(frame.mistake_with_hint(message, at, Some(hint)));
        };
        let key = format!("{kind}.{name}");
        let resources = &self.instance.module.resources;
        let Some(index) = resources.get_index_of(&key) else {
            let known = resources.keys().map(String::as_str);
            return Err(self.undeclared("resource", &key, known, frame, at));
        };
        let expansion = self
            .evaluator
            .resources(self.instance, index, frame.depth)?;
        let (chosen, taken) = choose(&expansion, &steps[1..], frame)?;
        let ignored = &resources[index].lifecycle.ignored;
        let doubtful = |what: &str| {
            let message = format!("{what} of {key} may be another than is written: ignore_changes");
            let hint = "refer to the value itself, or take it out of ignore_changes".to_owned();
            frame
                .mistake_with_hint(message, at, Some(hint))
                .refused(true)
        };
        let Some(item) = chosen else {
            if *ignored != Ignored::None {
                return Err(doubtful("an attribute"));
            }
            let value = |item| {
                let object = self.object(item, frame)?;
                let schema = schema::resource(kind).ok_or(Stop::Reported)?;
                Ok(object.value(schema))
            };
            return Ok((gather(&expansion, value)?, 1));
        };
        let Some(schema) = schema::resource(kind) else {
            return Err(Stop::Reported);
        };
        let step = steps.get(taken + 1);
        if let Some(attribute) = step.and_then(attribute_name) {
            if attribute != "id" && ignored.contains(attribute) {
                return Err(doubtful(attribute));
            }
            let object = self.object(item, frame)?;
            if let Some(value) = object.attribute(schema, &normal(attribute)) {
                return Ok((value, taken + 2));
            }
            if schema.attributes.contains_key(attribute) {
                let message =
                    format!("the attribute {attribute} of {key} is known to Spacelift only");
                return Err(frame.refusal(message, step.and_then(start).or(at)));
            }
        }
        if *ignored != Ignored::None {
            return Err(doubtful("an attribute"));
        }
        Ok((self.object(item, frame)?.value(schema), taken + 1))
    }

    fn object(&self, item: usize, frame: &Frame<'_>) -> Evaluated<Arc<Object>> {
        let object = self.evaluator.object(item, frame.depth)?;
        self.evaluator.depend([item]);
        Ok(object)
    }

    fn path(
        &self,
        steps: Steps<'_>,
        frame: &Frame<'_>,
        at: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        let root = self.evaluator.tree.root;
        match step_name(steps, 0, "path", frame, at)? {
            "module" => Ok((relative(root, &self.instance.module.directory).into(), 1)),
            "root" => Ok((".".into(), 1)),
            "cwd" => Err(frame.refusal(
                "path.cwd is not available: it differs from machine to machine",
                at,
            )),
            other => Err(frame.mistake(format!("there is no path.{other}"), at)),
        }
    }

    fn each(
        &self,
        steps: Steps<'_>,
        frame: &Frame<'_>,
        at: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        let name = step_name(steps, 0, "each", frame, at)?;
        match (&self.repetition.each, name) {
            (Some((key, _)), "key") => Ok((key.clone(), 1)),
            (Some((_, value)), "value") => Ok((value.clone(), 1)),
            (Some(_), other) => Err(frame.mistake(format!("there is no each.{other}"), at)),
            (None, _) => Err(frame.mistake("each is there only in a block with for_each", at)),
        }
    }

    fn count(
        &self,
        steps: Steps<'_>,
        frame: &Frame<'_>,
        at: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        let name = step_name(steps, 0, "count", frame, at)?;
        match (self.repetition.count, name) {
            (Some(index), "index") => Ok((Number::count(index).into(), 1)),
            (Some(_), other) => Err(frame.mistake(format!("there is no count.{other}"), at)),
            (None, _) => Err(frame.mistake("count is there only in a block with count", at)),
        }
    }
}

impl Names for ModuleNames<'_> {
    fn resolve(
        &self,
        name: &str,
        steps: Steps<'_>,
        frame: &Frame<'_>,
        at: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        match name {
            "var" => self.variable(steps, frame, at),
            "local" => self.local(steps, frame, at),
            "module" => self.module(steps, frame, at),
            "data" => self.data(steps, frame, at),
            "path" => self.path(steps, frame, at),
            "each" => self.each(steps, frame, at),
            "count" => self.count(steps, frame, at),
            "self" => match self.this {
                Some(value) => Ok((value.clone(), 0)),
                None => Err(frame.mistake("self is there only in a postcondition", at)),
            },
            "terraform" => Err(frame.refusal(
                "terraform.workspace is not available: a manager stack has one workspace",
                at,
            )),
            "ephemeral" => Err(frame.refusal("ephemeral resources are not supported", at)),
            kind => self.resource(kind, steps, frame, at),
        }
    }

    fn tree(&self) -> Option<Tree<'_>> {
        Some(self.evaluator.tree)
    }
}

/// The name that the step reads, which the root of a reference needs.
fn step_name<'s>(
    steps: Steps<'s>,
    index: usize,
    root: &str,
    frame: &Frame<'_>,
    at: Option<usize>,
) -> Evaluated<&'s str> {
    steps
        .get(index)
        .and_then(attribute_name)
        .ok_or_else(|| frame.mistake(format!("{root} must be followed by a name"), at))
}

pub(super) fn attribute_name(step: &Decorated<TraversalOperator>) -> Option<&str> {
    match step.value() {
        TraversalOperator::GetAttr(name) => Some(name.as_str()),
        _ => None,
    }
}

/// The one member that a reference means, and how many steps chose it: none if it stands once,
/// one if it is chosen by key. `None` if all are meant.
fn choose(
    expansion: &Expansion,
    steps: Steps<'_>,
    frame: &Frame<'_>,
) -> Evaluated<(Option<usize>, usize)> {
    if expansion.shape == Shape::Once {
        return Ok((expansion.members.first().map(|(_, member)| *member), 0));
    }
    let Some(TraversalOperator::Index(key)) = steps.first().map(|step| step.value()) else {
        return Ok((None, 0));
    };
    let at = start(key);
    let key = evaluate(key, frame)?;
    if key.is_sensitive() {
        // Whichever it is is a secret: all are looked at, and the key is taken as one into a value.
        return Ok((None, 0));
    }
    let target = if expansion.shape == Shape::Count {
        Type::Number
    } else {
        Type::String
    };
    let wanted = match super::convert::convert(&key, &target) {
        Ok(Value::String(name)) => Some(Key::Name(name.to_string())),
        Ok(Value::Number(number)) => number
            .as_i64()
            .and_then(|index| usize::try_from(index).ok())
            .map(Key::Index),
        _ => None,
    };
    let member = match &wanted {
        Some(Key::Index(index)) => expansion.members.get(*index),
        Some(Key::Name(name)) => expansion
            .members
            .binary_search_by(|(key, _)| match key {
                Key::Name(own) => own.as_str().cmp(name),
                _ => std::cmp::Ordering::Less,
            })
            .ok()
            .map(|position| &expansion.members[position]),
        _ => None,
    };
    match member {
        Some((_, member)) => Ok((Some(*member), 1)),
        None => Err(frame.mistake("there is no instance with this key", at)),
    }
}

/// All members as one value: a tuple by `count`, an object by `for_each`.
fn gather(expansion: &Expansion, value: impl Fn(usize) -> Evaluated) -> Evaluated {
    if expansion.shape == Shape::Count {
        let values = expansion.members.iter().map(|(_, member)| value(*member));
        return values.collect::<Evaluated<Vec<_>>>().map(Value::tuple);
    }
    let mut values = BTreeMap::new();
    for (key, member) in &expansion.members {
        if let Key::Name(name) = key {
            values.insert(name.clone(), value(*member)?);
        }
    }
    Ok(Value::Object(Arc::new(values)))
}
