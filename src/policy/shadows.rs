//! Variables that bear the name of a rule get another one before the engine sees them: its scheduler
//! takes the one for the other.
//!
//! A variable is the query's that declares it, from its declaration on, and that of all queries within.

use std::collections::BTreeSet;

use regorus::unstable::{
    AssignOp, Expr, Literal, LiteralStmt, Module, Query, Rule, RuleHead, Span,
};

use super::calls::head_keys;
use super::extent::{Child, children};

/// What stands before a name that is another one's.
const PREFIX: &str = "__own_";

/// The text with those variables renamed; none where there are none. `rules` are the names of the rules.
pub(super) fn renamed(text: &str, module: &Module, rules: &BTreeSet<String>) -> Option<String> {
    let mut shadows = Shadows {
        rules,
        own: BTreeSet::new(),
        places: BTreeSet::new(),
    };
    for rule in &module.policy {
        shadows.rule(rule);
    }
    let mut out = text.to_owned();
    for place in shadows.places.iter().rev() {
        if out.is_char_boundary(*place) {
            out.insert_str(*place, PREFIX);
        }
    }
    (!shadows.places.is_empty()).then_some(out)
}

struct Shadows<'m> {
    rules: &'m BTreeSet<String>,
    /// The names that are a variable's where the walk stands.
    own: BTreeSet<&'m str>,
    /// Where the renamed begin.
    places: BTreeSet<usize>,
}

impl<'m> Shadows<'m> {
    fn rule(&mut self, rule: &'m Rule) {
        let Rule::Spec { head, bodies, .. } = rule else {
            return;
        };
        self.own.clear();
        let value = match head {
            RuleHead::Compr { assign, .. } => assign.as_ref().map(|assign| &assign.value),
            RuleHead::Set { key, .. } => key.as_ref(),
            RuleHead::Func { args, assign, .. } => {
                args.iter().for_each(|argument| self.declare(argument));
                assign.as_ref().map(|assign| &assign.value)
            }
        };
        let outer = self.own.clone();
        let parts = || head_keys(head).into_iter().chain(value);
        if bodies.is_empty() {
            parts().for_each(|part| self.expression(part));
        }
        for (place, body) in bodies.iter().enumerate() {
            self.query(&body.query);
            if place == 0 {
                parts().for_each(|part| self.expression(part));
            }
            if let Some(assign) = &body.assign {
                self.expression(&assign.value);
            }
            self.own.clone_from(&outer);
        }
    }

    /// What the query declares stays known until the caller forgets it.
    fn query(&mut self, query: &'m Query) {
        for statement in &query.stmts {
            self.statement(statement);
        }
    }

    fn within(&mut self, query: &'m Query, parts: &[&'m Expr]) {
        let outer = self.own.clone();
        self.query(query);
        parts.iter().for_each(|part| self.expression(part));
        self.own = outer;
    }

    fn statement(&mut self, statement: &'m LiteralStmt) {
        for modifier in &statement.with_mods {
            self.expression(&modifier.r#as);
        }
        match &statement.literal {
            Literal::SomeVars { vars, .. } => vars.iter().for_each(|name| self.declared(name)),
            Literal::SomeIn {
                key,
                value,
                collection,
                ..
            } => {
                self.expression(collection);
                key.iter()
                    .chain([value])
                    .for_each(|part| self.declare(part));
            }
            Literal::Expr { expr, .. } => match expr.as_ref() {
                Expr::AssignExpr {
                    op: AssignOp::ColEq,
                    lhs,
                    rhs,
                    ..
                } => {
                    self.expression(rhs);
                    self.declare(lhs);
                }
                other => self.expression(other),
            },
            Literal::NotExpr { expr, .. } => self.expression(expr),
            Literal::Every {
                key,
                value,
                domain,
                query,
                ..
            } => {
                self.expression(domain);
                let outer = self.own.clone();
                key.iter()
                    .chain([value])
                    .for_each(|name| self.declared(name));
                self.query(query);
                self.own = outer;
            }
        }
    }

    fn expression(&mut self, expr: &'m Expr) {
        match expr {
            Expr::Var { span, .. } if self.own.contains(span.text()) => self.rename(span),
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.within(query, &[term]);
            }
            Expr::ObjectCompr {
                key, value, query, ..
            } => self.within(query, &[key, value]),
            other => {
                for child in children(other) {
                    if let Child::Expr(child) = child {
                        self.expression(child);
                    }
                }
            }
        }
    }

    /// The variables of a pattern become the query's.
    fn declare(&mut self, pattern: &'m Expr) {
        match pattern {
            Expr::Var { span, .. } => self.declared(span),
            Expr::Array { items, .. } => items.iter().for_each(|item| self.declare(item)),
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.expression(key);
                    self.declare(value);
                }
            }
            other => self.expression(other),
        }
    }

    fn declared(&mut self, name: &'m Span) {
        if self.rules.contains(name.text()) {
            self.own.insert(name.text());
            self.rename(name);
        }
    }

    fn rename(&mut self, name: &Span) {
        self.places.extend(usize::try_from(name.start).ok());
    }
}
