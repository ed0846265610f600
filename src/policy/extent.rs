//! Where expressions stand in the text, and what they are made of.
//!
//! The engine's own spans leave out the quotes of a string, begin a call at its bracket and an object
//! at its last field.

use std::ops::Range;

use regorus::unstable::{Expr, Query, Ref};

/// A part of an expression.
pub(super) enum Child<'m> {
    Expr(&'m Ref<Expr>),
    Query(&'m Query),
}

/// The bytes of the expression in `text`, without parentheses around it.
pub(super) fn extent(expr: &Expr, text: &str) -> Range<usize> {
    let span = expr.span();
    let (start, end) = (place(span.start), place(span.end));
    match expr {
        Expr::String { .. } | Expr::RawString { .. } => start.saturating_sub(1)..end + 1,
        Expr::Call { fcn, .. } => extent(fcn, text).start..end,
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => {
            start.min(extent(refr, text).start)..end
        }
        Expr::Object { fields, .. } => {
            let first = fields.first().map(|(_, key, _)| extent(key, text).start);
            let before = first.and_then(|first| text.get(..first)?.rfind('{'));
            before.unwrap_or(start)..end
        }
        Expr::Set { items, .. } if items.is_empty() => {
            let close = text.get(start..).and_then(|rest| rest.find(')'));
            start..close.map_or(end, |close| start + close + 1)
        }
        _ => {
            // A string at an edge sticks out of the span by its quote.
            let parts = children(expr).into_iter().filter_map(|child| match child {
                Child::Expr(child) => Some(extent(child, text)),
                Child::Query(_) => None,
            });
            parts.fold(start..end, |whole, part| {
                whole.start.min(part.start)..whole.end.max(part.end)
            })
        }
    }
}

/// The parts of an expression, in the order of the text.
pub(super) fn children(expr: &Expr) -> Vec<Child<'_>> {
    let both = |lhs, rhs| vec![Child::Expr(lhs), Child::Expr(rhs)];
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => Vec::new(),
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().map(Child::Expr).collect()
        }
        Expr::Object { fields, .. } => fields
            .iter()
            .flat_map(|(_, key, value)| [Child::Expr(key), Child::Expr(value)])
            .collect(),
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
            vec![Child::Expr(term), Child::Query(query)]
        }
        Expr::ObjectCompr {
            key, value, query, ..
        } => vec![Child::Expr(key), Child::Expr(value), Child::Query(query)],
        // The function's name is no expression of its own.
        Expr::Call { params, .. } => params.iter().map(Child::Expr).collect(),
        Expr::UnaryExpr { expr, .. } => vec![Child::Expr(expr)],
        Expr::RefDot { refr, .. } => vec![Child::Expr(refr)],
        Expr::RefBrack { refr, index, .. } => both(refr, index),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => both(lhs, rhs),
        Expr::Membership {
            key,
            value,
            collection,
            ..
        } => key
            .iter()
            .chain([value, collection])
            .map(Child::Expr)
            .collect(),
    }
}

/// A value that is always there and of one type.
pub(super) fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. } => true,
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().all(|item| is_plain(item))
        }
        Expr::Object { fields, .. } => fields
            .iter()
            .all(|(_, key, value)| is_plain(key) && is_plain(value)),
        _ => false,
    }
}

fn place(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
