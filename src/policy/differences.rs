//! What is refused because the engine and OPA would understand it differently, and no rewriting mends
//! it: better no answer than another one than on Spacelift.

use regorus::unstable::{AssignOp, Expr, Span};

use super::builtins::UNLIKE_OPA;
use super::calls::{Call, Walk};
use super::extent::{Child, children};
use super::source::problem_at;
use crate::problem::Problem;

/// Finds it all, in the order of the source for each kind.
pub(super) fn check(walk: &Walk<'_>, problems: &mut Vec<Problem>) {
    for call in &walk.calls {
        check_call(call, problems);
    }
    for negated in &walk.negated {
        if let Some(span) = wildcard(negated) {
            problems.push(
                problem_at(
                    span,
                    "a negation cannot look at any member: `_` has no value there",
                )
                .with_hint("write a rule that finds the member, and negate that rule"),
            );
        }
    }
    for pattern in walk.patterns.iter().filter(|pattern| is_pattern(pattern)) {
        problems.push(matched(pattern.span()));
    }
    for expression in &walk.peculiar {
        match expression {
            Expr::UnaryExpr { span, expr, .. } if !matches!(**expr, Expr::Number { .. }) => {
                problems.push(
                    problem_at(span, "a minus stands before something that is no number")
                        .with_hint("write 0 - x"),
                );
            }
            Expr::Number { span, .. } => {
                problems.extend(unlike(span.text()).map(|hint| {
                    let message = format!("the number {} is kept otherwise by OPA", span.text());
                    problem_at(span, message).with_hint(hint)
                }));
            }
            Expr::AssignExpr {
                span, op, lhs, rhs, ..
            } if is_pattern(lhs) && !matches!(**rhs, Expr::Object { .. })
                || *op == AssignOp::Eq
                    && is_pattern(rhs)
                    && !matches!(**lhs, Expr::Object { .. } | Expr::Var { .. }) =>
            {
                problems.push(matched(span));
            }
            _ => {}
        }
    }
}

/// The engine lets an object match that has more fields.
fn matched(span: &Span) -> Problem {
    problem_at(span, "an object with variables is matched against a value")
        .with_hint("name the fields: x := value.field")
}

fn check_call(call: &Call<'_>, problems: &mut Vec<Problem>) {
    let function = call.function.as_str();
    if UNLIKE_OPA.contains(&function) {
        problems.push(problem_at(
            call.span,
            format!("the builtin {function} gives other values than OPA's, so it is refused"),
        ));
    }
    if function == "walk" && call.parameters.len() == 1 {
        problems.push(
            problem_at(
                call.span,
                "walk with one argument gives all pairs as one list, not one after another",
            )
            .with_hint("write walk(x, [path, value])"),
        );
    }
    if function == "time.format"
        && let Some(span) = call
            .parameters
            .iter()
            .find_map(|parameter| zone_name(parameter))
    {
        problems.push(
            problem_at(
                span,
                "the name of a time zone is written otherwise than by OPA",
            )
            .with_hint("write the zone as -0700"),
        );
    }
}

/// A layout that writes a zone by its name.
fn zone_name(parameter: &Expr) -> Option<&Span> {
    const LAYOUTS: [&str; 4] = ["RFC822", "RFC850", "RFC1123", "UnixDate"];
    if let Expr::String { span, .. } | Expr::RawString { span, .. } = parameter
        && (span.text().contains("MST") || LAYOUTS.contains(&span.text()))
    {
        return Some(span);
    }
    children(parameter)
        .into_iter()
        .find_map(|child| match child {
            Child::Expr(child) => zone_name(child),
            Child::Query(_) => None,
        })
}

/// A `_` outside of comprehensions, which look for themselves.
fn wildcard(expression: &Expr) -> Option<&Span> {
    match expression {
        Expr::Var { span, .. } if span.text() == "_" => Some(span),
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => None,
        other => children(other).into_iter().find_map(|child| match child {
            Child::Expr(child) => wildcard(child),
            Child::Query(_) => None,
        }),
    }
}

/// What to write instead of a number that OPA, which keeps the text of each, has otherwise than the
/// engine, which has 64 bits.
fn unlike(number: &str) -> Option<String> {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return None;
    }
    let fewer = || Some("write one of at most 64 bits, or of 15 digits".to_owned());
    if !number.contains(['.', 'e', 'E']) {
        return fewer();
    }
    let Some(float) = number.parse::<f64>().ok().filter(|float| float.is_finite()) else {
        return fewer();
    };
    // Go's rounding to the nearest and ours are the same; more digits are kept by one of the two.
    let digits = number.split(['e', 'E']).next().unwrap_or_default();
    if digits.bytes().filter(u8::is_ascii_digit).count() > 15 {
        return fewer();
    }
    let written = format!("{float}");
    (written != number).then(|| format!("write {written}"))
}

/// An object with a variable in the place of a value.
fn is_pattern(expression: &Expr) -> bool {
    match expression {
        Expr::Object { fields, .. } => fields
            .iter()
            .any(|(_, _, value)| matches!(**value, Expr::Var { .. }) || is_pattern(value)),
        Expr::Array { items, .. } => items.iter().any(|item| is_pattern(item)),
        _ => false,
    }
}
