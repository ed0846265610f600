//! Expressions: what each construct of HCL evaluates to, as Terraform has it.
//!
//! All parts of an expression are evaluated, also those not chosen: that is how Terraform finds
//! what an expression depends on, and why `&&` does not protect its right side.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::expr::{
    BinaryOp, BinaryOperator, Expression, FuncCall, Object, ObjectKey, Traversal,
    TraversalOperator, UnaryOp, UnaryOperator,
};
use hcl_edit::{Decorated, Span};

use super::conditional::conditional_value;
use super::convert::convert;
use super::functions;
use super::loops;
use super::number::Number;
use super::source::Source;
use super::steps::walk;
use super::template::{template_value, wrapped_value};
use super::tree::Tree;
use super::value::{Type, Value, normal};

/// Deeper than this no expression goes, with all that it refers to: it is evaluated by recursion.
const DEEPEST: usize = 400;

/// Longer strings and lists than these are refused: they come of doubling, not of a configuration.
const LONGEST_STRING: usize = 16 << 20;
const LONGEST_LIST: usize = 1 << 20;

/// Why there is no value.
#[derive(Debug)]
pub(super) enum Stop {
    /// A mistake found here and now.
    Mistake(Box<Mistake>),
    /// Something that it refers to failed, and said so in its own place.
    Reported,
}

#[derive(Debug)]
pub(super) struct Mistake {
    pub message: String,
    pub hint: Option<String>,
    pub source: Arc<Source>,
    pub offset: Option<usize>,
    /// Whether Terraform would have a value here. `try` and `can` do not pass over that: they would
    /// give another value than Terraform's.
    pub is_refusal: bool,
}

impl Stop {
    pub(super) fn refused(mut self, is_refusal: bool) -> Self {
        if let Self::Mistake(mistake) = &mut self {
            mistake.is_refusal |= is_refusal;
        }
        self
    }
}

pub(super) type Evaluated<T = Value> = Result<T, Stop>;

/// What the names of an expression stand for.
pub(super) trait Names {
    /// The value of the name that an expression begins with, and how many of the steps after it
    /// that value already takes into account.
    fn resolve(
        &self,
        name: &str,
        steps: &[Decorated<TraversalOperator>],
        frame: &Frame<'_>,
        offset: Option<usize>,
    ) -> Evaluated<(Value, usize)>;

    /// The files that functions may read, if any.
    fn tree(&self) -> Option<Tree<'_>>;

    /// Whether these are the names of a template that a function evaluates.
    fn within_template(&self) -> bool {
        false
    }
}

/// Where an expression stands: its file, its names and what loops have bound around it.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub source: &'a Arc<Source>,
    pub names: &'a dyn Names,
    pub bindings: Option<&'a Binding<'a>>,
    pub depth: usize,
}

pub(super) struct Binding<'a> {
    pub name: &'a str,
    pub value: Value,
    pub outer: Option<&'a Binding<'a>>,
}

impl<'a> Frame<'a> {
    pub(super) fn mistake(&self, message: impl Into<String>, offset: Option<usize>) -> Stop {
        self.mistake_with_hint(message, offset, None)
    }

    pub(super) fn mistake_with_hint(
        &self,
        message: impl Into<String>,
        offset: Option<usize>,
        hint: Option<String>,
    ) -> Stop {
        let source = self.source.clone();
        Stop::Mistake(Box::new(Mistake {
            message: message.into(),
            hint,
            source,
            offset,
            is_refusal: false,
        }))
    }

    /// As `mistake`, of what Terraform has a value for.
    pub(super) fn refusal(&self, message: impl Into<String>, offset: Option<usize>) -> Stop {
        self.mistake(message, offset).refused(true)
    }

    pub(super) fn with(&self, binding: &'a Binding<'a>) -> Frame<'a> {
        Frame {
            bindings: Some(binding),
            ..*self
        }
    }

    pub(super) fn deeper(&self, offset: Option<usize>) -> Evaluated<Self> {
        if self.depth >= DEEPEST {
            return Err(self.refusal("the expression is nested too deeply", offset));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..*self
        })
    }

    fn bound(&self, name: &str) -> Option<&'a Value> {
        let mut binding = self.bindings;
        while let Some(bound) = binding {
            if bound.name == name {
                return Some(&bound.value);
            }
            binding = bound.outer;
        }
        None
    }
}

pub(super) fn start(node: &impl Span) -> Option<usize> {
    node.span().map(|span| span.start)
}

/// The value of an expression.
pub(super) fn evaluate(expression: &Expression, frame: &Frame<'_>) -> Evaluated {
    let offset = start(expression);
    let frame = &frame.deeper(offset)?;
    match expression {
        Expression::Null(_) => Ok(Value::null()),
        Expression::Bool(value) => Ok(Value::Bool(*value.value())),
        Expression::Number(_) => number(expression, frame),
        Expression::String(text) => Ok(Value::string(text.as_str())),
        Expression::Array(array) => {
            let items = array.iter().map(|item| evaluate(item, frame));
            items.collect::<Evaluated<Vec<_>>>().map(Value::tuple)
        }
        Expression::Object(object) => object_value(object, frame),
        Expression::StringTemplate(template) => {
            bounded(wrapped_value(template, frame)?, frame, offset)
        }
        Expression::HeredocTemplate(heredoc) => {
            bounded(template_value(&heredoc.template, frame)?, frame, offset)
        }
        Expression::Parenthesis(inner) => evaluate(inner.inner(), frame),
        Expression::Variable(name) => {
            if let Some(value) = frame.bound(name.as_str()) {
                return Ok(value.clone());
            }
            Ok(frame.names.resolve(name.as_str(), &[], frame, offset)?.0)
        }
        Expression::Conditional(conditional) => conditional_value(conditional, frame),
        Expression::FuncCall(call) => call_value(call, frame),
        Expression::Traversal(traversal) => traversal_value(traversal, frame),
        Expression::UnaryOp(operation) => unary_value(operation, frame),
        Expression::BinaryOp(operation) => binary_value(operation, frame),
        Expression::ForExpr(loop_) => loops::for_value(loop_, frame),
    }
}

/// As written, since the parser keeps no more than 64 bits of it.
fn number(expression: &Expression, frame: &Frame<'_>) -> Evaluated {
    let Expression::Number(number) = expression else {
        return Ok(Value::null());
    };
    let written = expression
        .span()
        .and_then(|span| frame.source.text.get(span))
        .map(|text| text.replace(char::is_whitespace, ""))
        .filter(|text| {
            text.trim_start_matches('-')
                .starts_with(|c: char| c.is_ascii_digit())
        })
        .unwrap_or_else(|| number.value().to_string());
    Number::parse(&written)
        .map(Value::Number)
        .ok_or_else(|| frame.mistake(format!("not a number: {written}"), start(expression)))
}

fn object_value(object: &Object, frame: &Frame<'_>) -> Evaluated {
    let mut entries = BTreeMap::new();
    let mut is_sensitive = false;
    for (key, value) in object.iter() {
        let name = match key {
            ObjectKey::Ident(name) => normal(name.as_str()).to_string(),
            // A bare word, as any other.
            ObjectKey::Expression(Expression::Null(_)) => "null".to_owned(),
            ObjectKey::Expression(Expression::Traversal(traversal)) => {
                let message = "ambiguous key: put a reference in parentheses, a name in quotes";
                return Err(frame.mistake(message, start(traversal.as_ref())));
            }
            ObjectKey::Expression(expression) => {
                let key = evaluate(expression, frame)?;
                is_sensitive |= key.is_sensitive();
                key_text(&key).map_err(|message| frame.mistake(message, start(expression)))?
            }
        };
        entries.insert(name, evaluate(value.expr(), frame)?);
    }
    Ok(Value::Object(Arc::new(entries)).marked(is_sensitive))
}

pub(super) fn key_text(value: &Value) -> Result<String, String> {
    let (value, _) = value.opened();
    if value.is_null() {
        return Err("a key cannot be null".to_owned());
    }
    match convert(value, &Type::String) {
        Ok(Value::String(text)) => Ok(text.to_string()),
        _ => Err(format!(
            "a key must be a string, not {}",
            value.kind().name()
        )),
    }
}

/// Whether the value is true, be it sensitive or not.
pub(super) fn boolean(
    value: &Value,
    what: &str,
    frame: &Frame<'_>,
    offset: Option<usize>,
) -> Evaluated<bool> {
    match convert(value.opened().0, &Type::Bool) {
        Ok(Value::Bool(value)) => Ok(value),
        Ok(_) => Err(frame.mistake(format!("{what} is null"), offset)),
        Err(error) => Err(frame.mistake(format!("{what} is unsuitable: {error}"), offset)),
    }
}

fn call_value(call: &FuncCall, frame: &Frame<'_>) -> Evaluated {
    let offset = start(call).or_else(|| start(&call.name.name));
    let name = call.name.name.as_str();
    if call.name.is_namespaced()
        && !call
            .name
            .namespace
            .iter()
            .all(|part| part.as_str() == "core")
    {
        return Err(frame.refusal(
            format!("functions of providers are not supported: {name}"),
            offset,
        ));
    }
    match name {
        "try" | "can" if call.args.expand_final() => {
            let message = format!("{name} takes expressions, not the items of a list");
            return Err(frame.mistake(message, offset));
        }
        "try" => return first_success(call, frame, offset),
        "can" => {
            let [argument] = call.args.iter().collect::<Vec<_>>()[..] else {
                return Err(frame.mistake("can takes one argument", offset));
            };
            return match evaluate(argument, frame) {
                Ok(_) => Ok(Value::Bool(true)),
                Err(Stop::Mistake(mistake)) if !mistake.is_refusal => Ok(Value::Bool(false)),
                Err(stop) => Err(stop),
            };
        }
        "templatestring" if !call.args.iter().next().is_some_and(is_reference) => {
            let message = "templatestring: the template must be a reference to a string";
            let hint = "write a template that is known here as a quoted string".to_owned();
            return Err(frame.mistake_with_hint(message, offset, Some(hint)));
        }
        _ => {}
    }
    let function = functions::find(name).map_err(|absent| {
        let stop = frame.mistake_with_hint(absent.message, offset, absent.hint);
        stop.refused(absent.is_refused)
    })?;
    let mut arguments = Vec::with_capacity(call.args.len());
    let last = call.args.len().saturating_sub(1);
    for (index, argument) in call.args.iter().enumerate() {
        let value = evaluate(argument, frame)?;
        if index < last || !call.args.expand_final() {
            arguments.push(value);
            continue;
        }
        let (list, is_sensitive) = value.opened();
        let Some(items) = list.items() else {
            let message = format!(
                "only a list can be expanded to arguments, not {}",
                list.kind().name()
            );
            return Err(frame.mistake(message, start(argument)));
        };
        arguments.extend(items.iter().map(|item| item.clone().marked(is_sensitive)));
    }
    let is_refusal = Cell::new(false);
    let context = functions::Context {
        arguments: &arguments,
        tree: frame.names.tree(),
        depth: frame.depth,
        within_template: frame.names.within_template(),
        is_refusal: &is_refusal,
    };
    let value = functions::call(name, function, &context).map_err(|message| {
        let stop = frame.mistake(format!("{name}: {message}"), offset);
        stop.refused(is_refusal.get())
    })?;
    bounded(value, frame, offset)
}

/// Whether the expression is a name and steps from it: no call, no operation, no splat.
fn is_reference(expression: &Expression) -> bool {
    match expression {
        Expression::Variable(_) => true,
        Expression::Traversal(traversal) => {
            matches!(traversal.expr, Expression::Variable(_))
                && traversal.operators.iter().all(|step| {
                    matches!(
                        step.value(),
                        TraversalOperator::GetAttr(_)
                            | TraversalOperator::Index(_)
                            | TraversalOperator::LegacyIndex(_)
                    )
                })
        }
        _ => false,
    }
}

/// The value, unless it is too large to be meant.
pub(super) fn bounded(value: Value, frame: &Frame<'_>, offset: Option<usize>) -> Evaluated {
    let (content, _) = value.opened();
    let is_large = match (content, content.items()) {
        (Value::String(text), _) => text.len() > LONGEST_STRING,
        (_, Some(items)) => items.len() > LONGEST_LIST,
        _ => false,
    };
    if is_large {
        Err(frame.refusal("the result is too large", offset))
    } else {
        Ok(value)
    }
}

fn first_success(call: &FuncCall, frame: &Frame<'_>, offset: Option<usize>) -> Evaluated {
    let mut last = None;
    for argument in call.args.iter() {
        match evaluate(argument, frame) {
            Err(Stop::Mistake(mistake)) if !mistake.is_refusal => last = Some(mistake),
            other => return other,
        }
    }
    Err(match last {
        Some(mistake) => frame.mistake(
            format!("try: no argument succeeded; the last: {}", mistake.message),
            offset,
        ),
        None => frame.mistake("try takes at least one argument", offset),
    })
}

fn traversal_value(traversal: &Traversal, frame: &Frame<'_>) -> Evaluated {
    let steps = &traversal.operators[..];
    let (value, taken) = match &traversal.expr {
        Expression::Variable(name) => match frame.bound(name.as_str()) {
            Some(value) => (value.clone(), 0),
            None => frame
                .names
                .resolve(name.as_str(), steps, frame, start(traversal))?,
        },
        expression => (evaluate(expression, frame)?, 0),
    };
    walk(value, &steps[taken..], frame, start(traversal))
}

fn unary_value(operation: &UnaryOp, frame: &Frame<'_>) -> Evaluated {
    let value = evaluate(&operation.expr, frame)?;
    let offset = start(&operation.expr);
    let result = match operation.operator.value() {
        UnaryOperator::Not => Value::Bool(!boolean(&value, "the operand of !", frame, offset)?),
        UnaryOperator::Neg => Value::Number(numeric(&value, "-", frame, offset)?.negated()),
    };
    Ok(result.marked(value.is_sensitive()))
}

fn numeric(
    value: &Value,
    operator: &str,
    frame: &Frame<'_>,
    offset: Option<usize>,
) -> Evaluated<Number> {
    match convert(value.opened().0, &Type::Number) {
        Ok(Value::Number(number)) => Ok(number),
        Ok(_) => Err(frame.mistake(format!("an operand of {operator} is null"), offset)),
        Err(error) => {
            let message = format!("unsuitable operand of {operator}: {error}");
            Err(frame.mistake(message, offset).refused(error.is_refusal))
        }
    }
}

fn binary_value(operation: &BinaryOp, frame: &Frame<'_>) -> Evaluated {
    let left = evaluate(&operation.lhs_expr, frame)?;
    let right = evaluate(&operation.rhs_expr, frame)?;
    if !left.holds_sensitive() && !right.holds_sensitive() {
        return operated(operation, &left, &right, frame);
    }
    operated(operation, &left.revealed(), &right.revealed(), frame).map(Value::sensitive)
}

fn operated(operation: &BinaryOp, left: &Value, right: &Value, frame: &Frame<'_>) -> Evaluated {
    use BinaryOperator as Operator;
    let operator = *operation.operator.value();
    let symbol = operator.as_str();
    let left_at = start(&operation.lhs_expr);
    let right_at = start(&operation.rhs_expr);
    match operator {
        Operator::Eq => return Ok(Value::Bool(left.equals(right))),
        Operator::NotEq => return Ok(Value::Bool(!left.equals(right))),
        Operator::And | Operator::Or => {
            let what = format!("an operand of {symbol}");
            let left = boolean(left, &what, frame, left_at)?;
            let right = boolean(right, &what, frame, right_at)?;
            return Ok(Value::Bool(if operator == Operator::And {
                left && right
            } else {
                left || right
            }));
        }
        _ => {}
    }
    let left = numeric(left, symbol, frame, left_at)?;
    let right = numeric(right, symbol, frame, right_at)?;
    // Terraform's is infinite, but for zero by zero.
    let is_infinite = !left.is_zero();
    let by_zero = || {
        frame
            .mistake("division by zero", right_at)
            .refused(is_infinite)
    };
    let quotient = |result: Option<Number>| result.ok_or_else(by_zero);
    Ok(match operator {
        Operator::Plus => left.plus(&right).into(),
        Operator::Minus => left.minus(&right).into(),
        Operator::Mul => left.times(&right).into(),
        Operator::Div => quotient(left.divided_by(&right))?.into(),
        // Of nothing all is left.
        Operator::Mod => left.modulo(&right).unwrap_or(left).into(),
        Operator::Less => Value::Bool(left < right),
        Operator::LessEq => Value::Bool(left <= right),
        Operator::Greater => Value::Bool(left > right),
        _ => Value::Bool(left >= right),
    })
}
