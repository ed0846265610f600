//! What stands behind a `not`. OPA's compiler takes the operands of what is called there out and before
//! it, so that an absent operand makes the statement absent, not true.

use regorus::unstable::{BoolOp, Expr};

use super::extent::extent;
use super::operators::operator;
use super::rewrite::Writer;

/// Statements that go before a negation.
pub(super) type Hoisted = Vec<String>;

impl Writer<'_> {
    /// What stands behind `not`: operands that may be absent go before it, as in OPA.
    pub(super) fn negated(&mut self, expr: &Expr, hoisted: &mut Hoisted) -> String {
        match expr {
            // Both sides of an equation are left to the unifier, unless something is called there.
            Expr::BoolExpr {
                op: BoolOp::Eq,
                lhs,
                rhs,
                ..
            }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                let left = self.side(lhs, hoisted);
                let right = self.side(rhs, hoisted);
                self.replaced(expr, vec![(lhs, left), (rhs, right)])
            }
            _ => self.side_of_call(expr, hoisted),
        }
    }

    fn side(&mut self, expr: &Expr, hoisted: &mut Hoisted) -> String {
        match expr {
            Expr::Var { .. } => self.slice(extent(expr, self.text)).to_owned(),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => self.inside(expr, hoisted),
            _ => self.operand(expr, hoisted),
        }
    }

    /// A call whose own value is negated: its operands may be absent, it may not.
    fn side_of_call(&mut self, expr: &Expr, hoisted: &mut Hoisted) -> String {
        match expr {
            Expr::Array { .. } | Expr::Set { .. } | Expr::Object { .. } => {
                self.operand(expr, hoisted)
            }
            _ => self.inside(expr, hoisted),
        }
    }

    /// The expression, its operands taken out.
    fn inside(&mut self, expr: &Expr, hoisted: &mut Hoisted) -> String {
        if let Some((function, lhs, rhs)) = operator(expr) {
            let left = self.operand(lhs, hoisted);
            let right = self.operand(rhs, hoisted);
            let place = extent(expr, self.text);
            return self.call(function, &place, (lhs, left), (rhs, right));
        }
        let replaced = match expr {
            Expr::Call { params, .. } => params
                .iter()
                .map(|param| (param, self.operand(param, hoisted)))
                .collect(),
            Expr::BoolExpr { lhs, rhs, .. } => vec![
                (lhs, self.operand(lhs, hoisted)),
                (rhs, self.operand(rhs, hoisted)),
            ],
            Expr::Membership {
                key,
                value,
                collection,
                ..
            } => key
                .iter()
                .chain([value, collection])
                .map(|part| (part, self.operand(part, hoisted)))
                .collect(),
            Expr::RefDot { refr, .. } => vec![(refr, self.base(refr, hoisted))],
            Expr::RefBrack { refr, index, .. } => vec![
                (refr, self.base(refr, hoisted)),
                (index, self.operand(index, hoisted)),
            ],
            _ => return self.expression(expr),
        };
        self.replaced(expr, replaced)
    }

    /// What a reference begins with.
    fn base(&mut self, expr: &Expr, hoisted: &mut Hoisted) -> String {
        match expr {
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.inside(expr, hoisted)
            }
            _ => self.operand(expr, hoisted),
        }
    }

    /// An operand: a name for it, where it may be absent.
    fn operand(&mut self, expr: &Expr, hoisted: &mut Hoisted) -> String {
        match expr {
            Expr::Var { span, .. } if !self.rules.contains(span.text()) => span.text().to_owned(),
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                let replaced = items
                    .iter()
                    .map(|item| (item, self.operand(item, hoisted)))
                    .collect();
                self.replaced(expr, replaced)
            }
            Expr::Object { fields, .. } => {
                let mut replaced = Vec::new();
                for (_, key, value) in fields {
                    let key_text = self.operand(key, hoisted);
                    replaced.push((key, key_text));
                    replaced.push((value, self.operand(value, hoisted)));
                }
                self.replaced(expr, replaced)
            }
            Expr::Var { .. }
            | Expr::RefDot { .. }
            | Expr::RefBrack { .. }
            | Expr::Call { .. }
            | Expr::BoolExpr { .. }
            | Expr::Membership { .. }
            | Expr::ArithExpr { .. }
            | Expr::BinExpr { .. } => {
                let value = self.inside(expr, hoisted);
                self.names += 1;
                let name = format!("__not{}", self.names);
                hoisted.push(match expr {
                    Expr::BoolExpr { .. } | Expr::Membership { .. } => {
                        format!("{name} := ({value})")
                    }
                    _ => format!("{name} := {value}"),
                });
                name
            }
            _ => self.expression(expr),
        }
    }
}
