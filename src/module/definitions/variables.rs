//! Variables, and what must be constant in a module.

use std::sync::Arc;

use hcl_edit::Decorated;
use hcl_edit::expr::{Expression, FuncCall, TraversalOperator};
use hcl_edit::structure::{Block, Body};
use hcl_edit::visit::{Visit, visit_func_call};

use super::{Module, Place, Variable, start};
use crate::module::constraint::{Constraint, Wrong};
use crate::module::convert::convert;
use crate::module::expression::{Evaluated, Frame, Names, Stop, evaluate};
use crate::module::source::Source;
use crate::module::tree::Tree;
use crate::module::value::{Type, Value};

/// Names that Terraform keeps for itself among the variables.
const RESERVED_VARIABLES: [&str; 8] = [
    "source",
    "version",
    "providers",
    "count",
    "for_each",
    "lifecycle",
    "depends_on",
    "locals",
];

/// For constants, in which no name stands for anything.
struct Nothing;

impl Names for Nothing {
    fn resolve(
        &self,
        name: &str,
        _steps: &[Decorated<TraversalOperator>],
        frame: &Frame<'_>,
        offset: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        Err(frame.mistake(
            format!("{name} cannot be used here: the value must be constant"),
            offset,
        ))
    }

    fn tree(&self) -> Option<Tree<'_>> {
        None
    }
}

/// A value without references and functions.
pub(in crate::module) fn constant(
    expression: &Expression,
    source: &Arc<Source>,
) -> Result<Value, Wrong> {
    #[derive(Default)]
    struct Calls(Option<Wrong>);
    impl Visit for Calls {
        fn visit_func_call(&mut self, call: &FuncCall) {
            let message = format!(
                "{} cannot be called here: the value must be constant",
                call.name.name
            );
            self.0.get_or_insert((message, start(call)));
            visit_func_call(self, call);
        }
    }
    let mut calls = Calls::default();
    calls.visit_expr(expression);
    if let Some(wrong) = calls.0 {
        return Err(wrong);
    }
    let frame = Frame {
        source,
        names: &Nothing,
        bindings: None,
        depth: 0,
    };
    evaluate(expression, &frame).map_err(|stop| match stop {
        Stop::Mistake(mistake) => (mistake.message, mistake.offset),
        Stop::Reported => (
            "the value cannot be evaluated".to_owned(),
            start(expression),
        ),
    })
}

impl Variable {
    /// The default as a value of the variable: Terraform refuses another one also where it is never taken.
    fn value_of_default(&self, name: &str, default: &Expression) -> Result<Value, Wrong> {
        let value = constant(default, &self.place.source)?;
        if !value.is_null() {
            let value = value.marked(self.is_sensitive);
            return self.constraint.apply(&value).map_err(|reason| {
                let what = format!("unsuitable default of the variable \"{name}\"");
                (format!("{what}: {reason}"), start(default))
            });
        }
        if !self.is_nullable {
            let message = format!("the default of the variable \"{name}\" must not be null");
            return Err((message, start(default)));
        }
        Ok(self.constraint.null().marked(self.is_sensitive))
    }
}

impl Module {
    pub(super) fn add_variable(&mut self, place: Place, block: &Block) -> bool {
        let Some([name]) = self.labelled(&place, block) else {
            return false;
        };
        let arguments = [
            "type",
            "default",
            "description",
            "sensitive",
            "nullable",
            "ephemeral",
        ];
        let mut broken = self.refuse_unknown(
            &place,
            &block.body,
            &arguments,
            &["validation"],
            "a variable",
        );
        if RESERVED_VARIABLES.contains(&name) {
            self.problems
                .push(place.problem(format!("a variable cannot be named {name}")));
            broken = true;
        }
        let is_ephemeral = self.flag(&place, &block.body, "ephemeral", false);
        if is_ephemeral == Some(true) {
            let hint = "sensitive = true keeps it out of what is printed".to_owned();
            let message = "ephemeral variables are not supported: all values are recorded";
            self.problems.push(place.problem(message).with_hint(hint));
        }
        broken |= is_ephemeral != Some(false);
        if let Some(description) = block.body.get_attribute("description")
            && let Err((message, at)) = constant(&description.value, &place.source)
        {
            self.problems.push(place.source.problem(message, at));
            broken = true;
        }
        let mut constraint = Constraint::default();
        if let Some(kind) = block.body.get_attribute("type") {
            let evaluate = |expression: &Expression| constant(expression, &place.source);
            match Constraint::parse(&kind.value, &evaluate) {
                Ok(parsed) => constraint = parsed,
                Err((message, at)) => {
                    self.problems.push(place.source.problem(message, at));
                    broken = true;
                }
            }
        }
        let (validations, complete) = self.checks(&place, &block.body, "validation");
        let is_sensitive = self.flag(&place, &block.body, "sensitive", false);
        let is_nullable = self.flag(&place, &block.body, "nullable", true);
        broken |= is_sensitive.is_none() || is_nullable.is_none();
        let mut variable = Variable {
            constraint,
            default: None,
            is_nullable: is_nullable.unwrap_or(true),
            is_sensitive: is_sensitive.unwrap_or(true),
            validations,
            broken: broken || !complete,
            place: place.clone(),
        };
        if let Some(default) = block.body.get_attribute("default")
            && !variable.broken
        {
            match variable.value_of_default(name, &default.value) {
                Ok(value) => variable.default = Some(value),
                Err((message, at)) => {
                    self.problems.push(place.source.problem(message, at));
                    variable.broken = true;
                }
            }
        }
        Self::define(
            &mut self.variables,
            &mut self.problems,
            name.to_owned(),
            "variable",
            variable,
            &place,
            |it| (&it.place, &mut it.broken),
        );
        true
    }

    /// What the argument says, or what stands where there is none; `None` if that cannot be told.
    pub(super) fn flag(
        &mut self,
        place: &Place,
        body: &Body,
        name: &str,
        otherwise: bool,
    ) -> Option<bool> {
        let Some(attribute) = body.get_attribute(name) else {
            return Some(otherwise);
        };
        let value = constant(&attribute.value, &place.source);
        let value = value
            .ok()
            .and_then(|value| convert(&value, &Type::Bool).ok());
        let told = value.and_then(|value| value.as_bool());
        if told.is_none() {
            let message = format!("{name} must be true or false");
            let at = start(&attribute.value);
            self.problems.push(place.source.problem(message, at));
        }
        told
    }
}
