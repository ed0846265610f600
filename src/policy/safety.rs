//! Variables that nothing gives a value, which OPA's compiler calls unsafe.
//!
//! The statements of a query may stand in any order: what one of them finds, each may use. In doubt a
//! variable is let through, as the engine looks again before it evaluates.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use super::builtins;
use super::calls::{head_keys, path, rule_path};
use super::extent::{Child, children};
use super::kind::Engine;
use super::source::{engine_of, problem_at};
use crate::problem::Problem;

type Known<'m> = BTreeSet<&'m str>;

/// Finds them all, once for each rule and name. `names` are those of the rules.
pub(super) fn check<'m>(module: &'m Module, names: Known<'m>, problems: &mut Vec<Problem>) {
    let mut known = names;
    known.extend(["input", "data", "_"]);
    known.extend(
        module
            .imports
            .iter()
            .filter_map(|import| match &import.r#as {
                Some(name) => Some(name.text()),
                None => last_name(&import.refr),
            }),
    );
    let mut safety = Safety {
        version: engine_of(module),
        arguments: own_arguments(module),
        told: BTreeSet::new(),
        problems,
    };
    for rule in &module.policy {
        safety.told.clear();
        safety.rule(rule, &known);
    }
}

/// How many arguments the policy's own functions take.
fn own_arguments(module: &Module) -> BTreeMap<String, usize> {
    let of_rule = |rule: &Rule| match rule {
        Rule::Spec {
            head: RuleHead::Func { args, .. },
            ..
        } => Some((rule_path(rule)?, args.len())),
        _ => None,
    };
    module
        .policy
        .iter()
        .filter_map(|rule| of_rule(rule))
        .collect()
}

/// What an import without `as` is known by.
fn last_name(reference: &Expr) -> Option<&str> {
    match reference {
        Expr::Var { span, .. }
        | Expr::RefDot {
            field: (span, _), ..
        } => Some(span.text()),
        Expr::RefBrack { index, .. } => match index.as_ref() {
            Expr::String { span, .. } => Some(span.text()),
            _ => None,
        },
        _ => None,
    }
}

struct Safety<'m, 'p> {
    version: Engine,
    arguments: BTreeMap<String, usize>,
    /// The names that are told of already.
    told: BTreeSet<&'m str>,
    problems: &'p mut Vec<Problem>,
}

impl<'m> Safety<'m, '_> {
    fn rule(&mut self, rule: &'m Rule, known: &Known<'m>) {
        let Rule::Spec { head, bodies, .. } = rule else {
            return;
        };
        let mut known = known.clone();
        let value = match head {
            RuleHead::Compr { assign, .. } => assign.as_ref().map(|assign| &assign.value),
            RuleHead::Set { key, .. } => key.as_ref(),
            RuleHead::Func { args, assign, .. } => {
                args.iter().for_each(|argument| bind(argument, &mut known));
                assign.as_ref().map(|assign| &assign.value)
            }
        };
        let parts = |own| head_keys(head).into_iter().chain(own).collect::<Vec<_>>();
        if bodies.is_empty() {
            self.query(&[], &parts(value), &known);
        }
        for (place, body) in bodies.iter().enumerate() {
            let own = body.assign.as_ref().map(|assign| &assign.value);
            let own = own.or(value.filter(|_| !body.is_else));
            if place == 0 {
                self.query(&body.query.stmts, &parts(own), &known);
            } else {
                self.query(&body.query.stmts, own.as_slice(), &known);
            }
        }
    }

    /// Looks at a query where `outer` are known, and at the `parts` that are made of what it finds.
    /// Their references find as well what the query has no word of: the engine looks at them last.
    fn query(&mut self, statements: &'m [LiteralStmt], parts: &[&'m Ref<Expr>], outer: &Known<'m>) {
        let mut known = outer.clone();
        for statement in statements {
            if let Literal::SomeVars { vars, .. } = &statement.literal {
                vars.iter().for_each(|name| {
                    known.remove(name.text());
                });
            }
        }
        loop {
            let before = known.len();
            for statement in statements {
                self.find(&statement.literal, &mut known);
            }
            if known.len() == before {
                break;
            }
        }
        for statement in statements {
            self.statement(statement, &known);
            // What only lacks a value because another variable does is no finding of its own.
            if let Literal::Expr { expr, .. } = &statement.literal
                && let Expr::AssignExpr { lhs, rhs, .. } = expr.as_ref()
            {
                bind(lhs, &mut known);
                bind(rhs, &mut known);
            }
        }
        let mut found = known.clone();
        for part in parts.iter().cycle().take(parts.len() * parts.len()) {
            members(part, &mut found);
        }
        found.retain(|name| known.contains(name) || !mentions(statements, name));
        parts.iter().for_each(|part| self.uses(part, &found));
    }

    /// Adds the variables to which the statement gives values.
    fn find(&self, literal: &'m Literal, known: &mut Known<'m>) {
        match literal {
            Literal::SomeVars { .. } | Literal::NotExpr { .. } => {}
            Literal::SomeIn {
                key,
                value,
                collection,
                ..
            } => {
                members(collection, known);
                if is_known(collection, known) {
                    key.iter().chain([value]).for_each(|part| bind(part, known));
                }
            }
            Literal::Every { domain, .. } => members(domain, known),
            Literal::Expr { expr, .. } => {
                members(expr, known);
                match expr.as_ref() {
                    Expr::AssignExpr { lhs, rhs, .. } => unify(lhs, rhs, known),
                    Expr::Call { fcn, params, .. } => {
                        let function = path(fcn).unwrap_or_default();
                        let own = function.trim_start_matches("data.spacelift.");
                        let takes = self.arguments.get(own).copied();
                        let takes =
                            takes.or_else(|| builtins::argument_count(&function, self.version));
                        if let Some((result, given)) = params.split_last()
                            && takes == Some(given.len())
                            && given.iter().all(|argument| is_known(argument, known))
                        {
                            bind(result, known);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn statement(&mut self, statement: &'m LiteralStmt, known: &Known<'m>) {
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { collection, .. } => self.uses(collection, known),
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.uses(expr, known),
            Literal::Every {
                key,
                value,
                domain,
                query,
                ..
            } => {
                self.uses(domain, known);
                let mut within = known.clone();
                within.extend(key.iter().chain([value]).map(Span::text));
                self.query(&query.stmts, &[], &within);
            }
        }
        for modifier in &statement.with_mods {
            let name = path(&modifier.r#as).unwrap_or_default();
            if builtins::argument_count(&name, self.version).is_none() {
                self.uses(&modifier.r#as, known);
            }
        }
    }

    /// Looks at the variables that an expression needs.
    fn uses(&mut self, expr: &'m Expr, known: &Known<'m>) {
        match expr {
            Expr::Var { span, .. } => {
                let name = span.text();
                if !known.contains(name) && self.told.insert(name) {
                    let message = format!("nothing gives the variable {name} a value");
                    self.problems.push(problem_at(span, message));
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.query(&query.stmts, &[term], known);
            }
            Expr::ObjectCompr {
                key, value, query, ..
            } => {
                self.query(&query.stmts, &[key, value], known);
            }
            Expr::AssignExpr { lhs, rhs, .. } => {
                let before = self.problems.len();
                self.uses(rhs, known);
                if self.problems.len() == before {
                    self.uses(lhs, known);
                }
            }
            other => {
                for child in children(other) {
                    if let Child::Expr(child) = child {
                        self.uses(child, known);
                    }
                }
            }
        }
    }
}

/// Whether the name stands anywhere in the statements.
fn mentions(statements: &[LiteralStmt], name: &str) -> bool {
    let is_outside = |letter: char| !letter.is_alphanumeric() && letter != '_';
    statements.iter().any(|statement| {
        let mut words = statement.span.text().split(is_outside);
        words.any(|word| word == name)
    })
}

/// Adds the variables of a pattern.
fn bind<'m>(pattern: &'m Expr, known: &mut Known<'m>) {
    match pattern {
        Expr::Var { span, .. } => {
            known.insert(span.text());
        }
        Expr::Array { items, .. } => items.iter().for_each(|item| bind(item, known)),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, _, value)| bind(value, known)),
        _ => {}
    }
}

/// Adds what the brackets of known collections find: `i` of `input.list[i]`. What a comprehension
/// finds is its own.
fn members<'m>(expr: &'m Expr, known: &mut Known<'m>) {
    if let Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } = expr {
        return;
    }
    for child in children(expr) {
        if let Child::Expr(child) = child {
            members(child, known);
        }
    }
    if let Expr::RefBrack { refr, index, .. } = expr
        && is_known(refr, known)
    {
        bind(index, known);
    }
}

type Field = (Span, Ref<Expr>, Ref<Expr>);

/// The value of the field whose key reads alike.
fn of_key<'m>(fields: &'m [Field], key: &Expr) -> Option<&'m Ref<Expr>> {
    let key = key.span().text();
    let field = fields.iter().find(|field| field.1.span().text() == key);
    field.map(|(_, _, value)| value)
}

/// Adds what two sides give each other.
fn unify<'m>(lhs: &'m Expr, rhs: &'m Expr, known: &mut Known<'m>) {
    match (lhs, rhs) {
        (Expr::Array { items: left, .. }, Expr::Array { items: right, .. }) => left
            .iter()
            .zip(right)
            .for_each(|(left, right)| unify(left, right, known)),
        (Expr::Object { fields: left, .. }, Expr::Object { fields: right, .. }) => {
            for (_, key, value) in left {
                match of_key(right, key) {
                    Some(other) => unify(value, other, known),
                    None => bind(value, known),
                }
            }
            for (_, key, value) in right {
                if of_key(left, key).is_none() {
                    bind(value, known);
                }
            }
        }
        _ => {
            if is_known(rhs, known) {
                bind(lhs, known);
            }
            if is_known(lhs, known) {
                bind(rhs, known);
            }
        }
    }
}

/// Whether all variables outside of comprehensions are known.
fn is_known(expr: &Expr, known: &Known<'_>) -> bool {
    match expr {
        Expr::Var { span, .. } => known.contains(span.text()),
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => true,
        other => children(other).into_iter().all(|child| match child {
            Child::Expr(child) => is_known(child, known),
            Child::Query(_) => true,
        }),
    }
}
