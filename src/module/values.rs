//! What the definitions of a module instance evaluate to: variables, locals, outputs, resources.

use std::sync::Arc;

use super::convert::convert;
use super::definitions::{Check, Place};
use super::evaluator::{Evaluator, Subject};
use super::expansion::{NONE, mistake_at};
use super::expression::{Evaluated, Frame, Stop, evaluate, start};
use super::instance::Instance;
use super::names::ModuleNames;
use super::object::Object;
use super::value::{Type, Value};

impl Evaluator<'_> {
    /// The frame of an expression that stands at the place.
    pub(super) fn frame<'f>(
        names: &'f ModuleNames<'f>,
        place: &'f Place,
        depth: usize,
    ) -> Frame<'f> {
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
                let is_given = given.is_some();
                let given = given.filter(|value| variable.is_nullable || !value.is_null());
                let given = given.map(|value| value.marked(variable.is_sensitive));
                let value = match (given, &variable.default) {
                    (Some(value), _) if value.is_null() => {
                        variable.constraint.null().marked(value.is_sensitive())
                    }
                    (Some(value), _) => variable.constraint.apply(&value).map_err(|reason| {
                        let what = format!("unsuitable value of the variable \"{name}\"");
                        mistake_at(&place, format!("{what}: {reason}"))
                    })?,
                    (None, Some(default)) => default.clone(),
                    (None, None) if instance.parent.is_none() && !is_given => {
                        let message = format!(
                            "no value is given for the variable \"{name}\", which has no default"
                        );
                        let hint = format!(
                            "set it in `variables {{ {name} = … }}` of dayfly.hcl, in \
                             terraform.tfvars, or as TF_VAR_{name} of the machine"
                        );
                        let at = variable.place.offset;
                        return Err(frame.mistake_with_hint(message, at, Some(hint)));
                    }
                    (None, None) => {
                        let message = format!("the variable \"{name}\" must not be null");
                        return Err(mistake_at(&place, message));
                    }
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
            return Ok(match self.root_value(name)? {
                Some((value, given)) => (Some(value), given.unwrap_or(place)),
                None => (None, place),
            });
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
                let value = evaluate(&output.value, &frame)?.marked(output.is_sensitive);
                if instance.parent.is_none() && !output.is_sensitive && value.holds_sensitive() {
                    let message = "a sensitive value is in an output that is not sensitive";
                    let hint =
                        "write sensitive = true in it, or nonsensitive(…) around what may be read";
                    let at = start(&output.value);
                    return Err(frame.mistake_with_hint(message, at, Some(hint.to_owned())));
                }
                Ok(value)
            },
        )?;
        self.depend(dependencies.iter().copied());
        Ok(value)
    }

    pub(super) fn check(&self, check: &Check, what: &str, frame: &Frame<'_>) -> Evaluated<()> {
        let at = start(&check.condition);
        let condition = evaluate(&check.condition, frame)?;
        match convert(condition.opened().0, &Type::Bool) {
            Ok(Value::Bool(true)) => Ok(()),
            Ok(Value::Bool(false)) => {
                let reason = match evaluate(&check.message, frame)? {
                    Value::String(text) => text.trim().trim_end_matches('.').replace('\n', " "),
                    Value::Sensitive(_) => "its error_message is sensitive".to_owned(),
                    _ => "the condition is false".to_owned(),
                };
                Err(frame.mistake(format!("{what}: {reason}"), at))
            }
            _ => Err(frame.mistake("a condition must be true or false", at)),
        }
    }

    /// A resource, evaluated.
    pub(super) fn object(&self, id: usize, depth: usize) -> Evaluated<Arc<Object>> {
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
            let all = [&*item.base, &*dependencies].concat();
            *item.dependencies.borrow_mut() = Some(all);
        }
        Ok(object)
    }
}
