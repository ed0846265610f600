//! The types of the contract's rules, as far as the policy's text tells them.

use regorus::unstable::{AssignOp, Expr, Literal, Query, Rule, RuleHead};

use super::calls::{base_of, path, rule_path};
use super::contract::{self, RESULT, Shape};
use super::kind::PolicyType;
use super::source::problem_at;
use crate::problem::Problem;

/// Holds a rule of the contract's name against the contract's type.
pub(super) fn check(kind: PolicyType, rule: &Rule, problems: &mut Vec<Problem>) {
    let Some(path) = rule_path(rule).or_else(|| base_of(rule)) else {
        return;
    };
    let name = path.split('.').next().unwrap_or_default();
    if name == RESULT {
        problems.push(
            problem_at(rule.span(), "the rule result is Spacelift's own")
                .with_hint("give the rule another name"),
        );
        return;
    }
    let Some(shape) = contract::shape(kind, name) else {
        return;
    };
    let (found, hint) = match found_shape(name, shape, rule) {
        Ok(()) => return,
        Err(mismatch) => mismatch,
    };
    let mut problem = problem_at(
        rule.span(),
        format!(
            "the rule {name} is {found}; in {} {kind} policy it is {}",
            kind.article(),
            shape.description()
        ),
    );
    problem.hint = hint;
    problems.push(problem);
}

type Mismatch = (&'static str, Option<String>);

fn found_shape(name: &str, shape: Shape, rule: &Rule) -> Result<(), Mismatch> {
    let (head, bodies) = match rule {
        Rule::Default { value, .. } if !shape.is_set() => return check_value(shape, value, None),
        Rule::Default { .. } => {
            return Err((
                "given a default",
                Some("a set is empty by itself".to_owned()),
            ));
        }
        Rule::Spec { head, bodies, .. } => (head, bodies),
    };
    let first = bodies.first().map(|body| body.query.as_ref());
    match head {
        RuleHead::Func { .. } => Err(("a function", None)),
        RuleHead::Set { key: Some(key), .. } if shape.is_set() => check_member(shape, key, first),
        RuleHead::Set { key: Some(_), .. } => Err(("a set", None)),
        // `cancel.x { … }` of Rego v0: "x" is a member.
        RuleHead::Set { key: None, .. } => match shape {
            Shape::Texts => Ok(()),
            Shape::Objects => Err(("a set of strings", None)),
            _ => Err(("a set", None)),
        },
        RuleHead::Compr { refr, assign, .. } => {
            if !matches!(refr.as_ref(), Expr::Var { .. }) {
                let hint = shape
                    .is_set()
                    .then(|| format!("write `{name} contains … if {{ … }}`"));
                return Err(("an object", hint));
            }
            if shape.is_set() {
                return Err(("a single value", None));
            }
            // A complete rule without a value is `true`.
            match assign {
                Some(assign) => check_value(shape, &assign.value, first)?,
                None if shape == Shape::Boolean => {}
                None => return Err(("a boolean", None)),
            }
            bodies.iter().try_for_each(|body| match &body.assign {
                Some(assign) => check_value(shape, &assign.value, Some(&body.query)),
                None => Ok(()),
            })
        }
    }
}

/// A value that the policy's text tells the type of; another shows it when it is evaluated.
fn check_value(shape: Shape, value: &Expr, body: Option<&Query>) -> Result<(), Mismatch> {
    match (shape, type_in(value, body)) {
        (_, None) | (Shape::Boolean, Some("a boolean")) | (Shape::Text, Some("a string")) => Ok(()),
        (_, Some(found)) => Err((found, None)),
    }
}

fn check_member(shape: Shape, key: &Expr, body: Option<&Query>) -> Result<(), Mismatch> {
    match (shape, type_in(key, body)) {
        (Shape::Texts, Some(found)) if found != "a string" => Err((member(found), None)),
        (Shape::Objects, Some(found)) if found != "an object" => Err((member(found), None)),
        _ => Ok(()),
    }
}

fn member(found: &'static str) -> &'static str {
    match found {
        "a boolean" => "a set of booleans",
        "a string" => "a set of strings",
        "a number" => "a set of numbers",
        "null" => "a set of nulls",
        "an object" => "a set of objects",
        "an array" => "a set of arrays",
        _ => "a set of sets",
    }
}

/// The type of a value, which may be a variable that the body assigns.
fn type_in(value: &Expr, body: Option<&Query>) -> Option<&'static str> {
    let Expr::Var { span: name, .. } = value else {
        return type_of(value);
    };
    let mut statements = body?.stmts.iter();
    statements.find_map(|statement| match &statement.literal {
        Literal::Expr { expr, .. } => match expr.as_ref() {
            Expr::AssignExpr {
                op: AssignOp::ColEq,
                lhs,
                rhs,
                ..
            } if matches!(lhs.as_ref(), Expr::Var { span, .. } if span.text() == name.text()) => {
                type_of(rhs)
            }
            _ => None,
        },
        _ => None,
    })
}

fn type_of(value: &Expr) -> Option<&'static str> {
    match value {
        Expr::BoolExpr { .. } | Expr::Membership { .. } => Some("a boolean"),
        Expr::Call { fcn, .. } => match path(fcn)?.as_str() {
            "concat" | "format_int" | "json.marshal" | "lower" | "replace" | "sprintf"
            | "substring" | "trim" | "trim_space" | "upper" => Some("a string"),
            "count" | "to_number" => Some("a number"),
            "contains" | "endswith" | "regex.match" | "startswith" => Some("a boolean"),
            "split" => Some("an array"),
            _ => None,
        },
        Expr::Bool { .. } => Some("a boolean"),
        Expr::String { .. } | Expr::RawString { .. } => Some("a string"),
        Expr::Number { .. } => Some("a number"),
        Expr::Null { .. } => Some("null"),
        Expr::Object { .. } | Expr::ObjectCompr { .. } => Some("an object"),
        Expr::Array { .. } | Expr::ArrayCompr { .. } => Some("an array"),
        Expr::Set { .. } | Expr::SetCompr { .. } => Some("a set"),
        _ => None,
    }
}
