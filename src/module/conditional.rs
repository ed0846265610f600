//! Conditions: the result that is chosen, of a type that both have in common.

use hcl_edit::expr::{BinaryOperator, Conditional, Expression, ObjectKey, UnaryOperator};

use super::common::common;
use super::convert::convert;
use super::expression::{Evaluated, Frame, Stop, boolean, evaluate, key_text, start};
use super::value::{Type, Value};

pub(super) fn conditional_value(conditional: &Conditional, frame: &Frame<'_>) -> Evaluated {
    let condition = evaluate(&conditional.cond_expr, frame)?;
    let chosen = boolean(
        &condition,
        "the condition",
        frame,
        start(&conditional.cond_expr),
    )?;
    let yes = evaluate(&conditional.true_expr, frame);
    let no = evaluate(&conditional.false_expr, frame);
    let chosen_is_yes = chosen;
    let (chosen, other) = if chosen { (yes, no) } else { (no, yes) };
    let chosen = chosen?;
    let is_sensitive = condition.is_sensitive() || chosen.is_sensitive();
    let other = match other {
        Ok(value) => value,
        Err(Stop::Reported) => return Err(Stop::Reported),
        // Only what is chosen must succeed, but what the other would have made has a type all the same.
        Err(Stop::Mistake(_)) => {
            let failed = match chosen_is_yes {
                true => &conditional.false_expr,
                false => &conditional.true_expr,
            };
            match failed_kind(failed, frame) {
                Type::Any => return Ok(chosen.marked(is_sensitive)),
                kind => Value::Null(kind),
            }
        }
    };
    // A mark on either result is on the whole, so that it does not tell which one was chosen.
    let is_sensitive = is_sensitive || other.is_sensitive();
    let (chosen, other) = (chosen.opened().0, other.opened().0);
    let bare = |value: &Value| matches!(value, Value::Null(Type::Any));
    let kind = match (bare(chosen), bare(other)) {
        (true, _) => Some(other.kind()),
        (_, true) => Some(chosen.kind()),
        _ => common(&[chosen.kind(), other.kind()], true),
    };
    let Some(kind) = kind else {
        let (yes, no) = (chosen.kind().name(), other.kind().name());
        let message =
            format!("the two results of the condition have no type in common: {yes} and {no}");
        return Err(frame.mistake(message, start(conditional)));
    };
    let converted = convert(&chosen.clone().marked(is_sensitive), &kind);
    converted.map_err(|error| {
        frame.mistake(
            format!("unsuitable result of the condition: {error}"),
            start(conditional),
        )
    })
}

/// The type of what an expression that fails would have made, as far as Terraform knows it.
fn failed_kind(expression: &Expression, frame: &Frame<'_>) -> Type {
    use BinaryOperator as Operator;
    let part = |expression: &Expression| match evaluate(expression, frame) {
        Ok(value) => value.kind(),
        Err(_) => failed_kind(expression, frame),
    };
    match expression {
        Expression::Parenthesis(inner) => failed_kind(inner.inner(), frame),
        Expression::UnaryOp(operation) => match operation.operator.value() {
            UnaryOperator::Not => Type::Bool,
            UnaryOperator::Neg => Type::Number,
        },
        Expression::BinaryOp(operation) => match operation.operator.value() {
            Operator::Plus | Operator::Minus | Operator::Mul | Operator::Div | Operator::Mod => {
                Type::Number
            }
            _ => Type::Bool,
        },
        Expression::StringTemplate(template) if template.as_single_element().is_none() => {
            Type::String
        }
        Expression::HeredocTemplate(_) => Type::String,
        Expression::Array(array) => Type::Tuple(array.iter().map(part).collect()),
        Expression::Object(object) => {
            let name = |key: &ObjectKey| match key {
                ObjectKey::Ident(name) => Some(name.to_string()),
                ObjectKey::Expression(key) => key_text(&evaluate(key, frame).ok()?).ok(),
            };
            let fields = object
                .iter()
                .map(|(key, value)| Some((name(key)?, part(value.expr()))));
            let fields: Option<Vec<_>> = fields.collect();
            fields.map_or(Type::Any, Type::object)
        }
        _ => Type::Any,
    }
}
