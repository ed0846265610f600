//! Operators, which the engine gets as calls.

use regorus::unstable::{ArithOp, BinOp, Expr, Ref};

/// The builtin that an operator stands for, and its operands.
pub(super) fn operator(expr: &Expr) -> Option<(&'static str, &Ref<Expr>, &Ref<Expr>)> {
    match expr {
        Expr::ArithExpr { op, lhs, rhs, .. } => {
            let function = match op {
                ArithOp::Add => "plus",
                ArithOp::Sub => "minus",
                ArithOp::Mul => "mul",
                ArithOp::Div => "div",
                ArithOp::Mod => "rem",
            };
            Some((function, lhs, rhs))
        }
        Expr::BinExpr { op, lhs, rhs, .. } => {
            let function = match op {
                BinOp::Union => "or",
                BinOp::Intersection => "and",
            };
            Some((function, lhs, rhs))
        }
        _ => None,
    }
}

/// The text between two operands with a comma for the operator. The minus before a number belongs to
/// neither, in the engine's eyes.
pub(super) fn with_comma(between: &str) -> String {
    let mut out = String::with_capacity(between.len());
    let mut is_comment = false;
    let mut is_done = false;
    for letter in between.chars() {
        is_comment = (is_comment || letter == '#') && letter != '\n';
        if !is_comment && !is_done && "+-*/%&|".contains(letter) {
            out.push(',');
            is_done = true;
        } else {
            out.push(letter);
        }
    }
    out
}
