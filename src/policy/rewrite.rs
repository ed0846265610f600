//! The text of a policy written anew where the engine and OPA understand the same words differently.
//!
//! | as it is read | as the engine gets it | or else |
//! |---|---|---|
//! | `not f(input.x)` | `__not1 := input.x; not f(__not1)` | an absent `x` would make it true |
//! | `a + b`, `a & b` | `plus(a, b)`, `and(a, b)` | a value of another type would fail the policy |
//! | `y := x in c` | `y := internal.member_2(x, c)` | an absent `c` would make it false |
//! | `some x in c` | `some x in internal.collection(c)` | a null `c` would fail it as well |
//! | `deny[x.a] { x := … }` | `deny[__value1] { x := …; __value1 := x.a }` | an absent `a` would undo what was found before |
//! | `some j` after a loop | the same, first of all | it would be declared twice |
//! | `import rego.v1` | nothing: the version is given beside | `v1` could be no variable |
//! | `deny[input.x[_]]` without a body | the member in a body | as would an absent `x` |
//! | `by[x] contains y` | the same, and an object that is empty | `by` would be undefined |
//! | `with rule as` | `with data.spacelift.rule as` | the rule would be unknown |
//!
//! OPA's compiler does the first two itself (`rewriteDynamics`, `expandExpr`). Lines stay where they
//! are; columns move.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleHead};

use super::builtins::{COLLECTION, MEMBER_2, MEMBER_3};
use super::calls::{head_keys, path};
use super::extent::{Child, children, extent, is_plain};
use super::negation::Hoisted;
use super::operators::{operator, with_comma};

/// The module's text for the engine. `rules` are those of its package.
pub(super) fn rewritten(text: &str, module: &Module, rules: &BTreeSet<String>) -> String {
    let text = &without_version(text, module);
    let mut writer = Writer {
        text,
        names: 0,
        package: path(&module.package.refr).unwrap_or_default(),
        rules,
    };
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let mut cursor = 0;
    for rule in &module.policy {
        writer.rule(rule, &mut cursor, &mut out);
    }
    out.push_str(writer.slice(cursor..text.len()));
    for name in sets_by_key(module) {
        let (assign, word) = if module.rego_v1 {
            (":=", " if")
        } else {
            ("=", "")
        };
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "\n{name}[__key] {assign} __set{word} {{ false; __key := \"\"; __set := {{\"\"}} }}"
        );
    }
    out
}

/// The text with blanks in the place of `import rego.v1`.
fn without_version(text: &str, module: &Module) -> String {
    let mut text = text.to_owned();
    for import in &module.imports {
        let place = usize_of(import.span.start)..usize_of(import.span.end);
        if path(&import.refr).as_deref() == Some("rego.v1") && text.get(place.clone()).is_some() {
            let blanks = " ".repeat(place.len());
            text.replace_range(place, &blanks);
        }
    }
    text
}

/// The rules that give a set for each key.
fn sets_by_key(module: &Module) -> BTreeSet<String> {
    let heads = module.policy.iter().filter_map(|rule| match rule.as_ref() {
        Rule::Spec {
            head: RuleHead::Set {
                refr, key: Some(_), ..
            },
            ..
        } => Some(refr),
        _ => None,
    });
    heads
        .filter_map(|refr| {
            let mut name = refr;
            while let Expr::RefBrack { refr, .. } = name.as_ref() {
                name = refr;
            }
            path(name).filter(|_| path(refr).is_none())
        })
        .collect()
}

pub(super) struct Writer<'t> {
    pub(super) text: &'t str,
    /// How many names were made up.
    pub(super) names: usize,
    package: String,
    pub(super) rules: &'t BTreeSet<String>,
}

/// A value of a rule's head that its body finds; nothing by default.
#[derive(Default)]
struct Found {
    name: String,
    statement: String,
    /// The lines that it took in the head.
    lines: usize,
}

impl Found {
    /// What a later part of the head lets the body find as well.
    fn and(self, later: Self) -> Self {
        if self.name.is_empty() {
            return later;
        }
        Self {
            name: later.name,
            statement: format!("{}; {}", self.statement, later.statement),
            lines: self.lines + later.lines,
        }
    }
}

impl<'t> Writer<'t> {
    pub(super) fn slice(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or_default()
    }

    /// Copies up to `place` and moves the cursor there.
    fn copy(&self, cursor: &mut usize, place: usize, out: &mut String) {
        if place > *cursor {
            out.push_str(self.slice(*cursor..place));
            *cursor = place;
        }
    }

    fn rule(&mut self, rule: &Rule, cursor: &mut usize, out: &mut String) {
        let Rule::Spec { head, bodies, .. } = rule else {
            return;
        };
        let (name, values) = match head {
            RuleHead::Compr { refr, assign, .. } => {
                (refr, assign.iter().map(|a| &a.value).collect())
            }
            RuleHead::Set { refr, key, .. } => (refr, key.iter().collect::<Vec<_>>()),
            RuleHead::Func { refr, assign, .. } => {
                (refr, assign.iter().map(|a| &a.value).collect())
            }
        };
        let is_member = matches!(head, RuleHead::Set { .. });
        let has_body = bodies.iter().any(|body| !body.query.stmts.is_empty());
        // The values of bodies that follow without one are the head's.
        let has_its_own = bodies.iter().skip(1).all(|body| body.assign.is_some());
        let before_head = extent(name, self.text).start;
        self.copy(cursor, before_head, out);
        let mut found = Found::default();
        for key in head_keys(head) {
            if !self.may_be_undefined(key) || !has_body {
                continue;
            }
            let place = extent(key, self.text);
            self.copy(cursor, place.start, out);
            let written = self.expression(key);
            *cursor = place.end;
            found = found.and(self.found(&written));
            out.push_str(&found.name);
        }
        for value in values {
            let place = extent(value, self.text);
            if place.start < *cursor {
                continue;
            }
            self.copy(cursor, place.start, out);
            let written = self.expression(value);
            *cursor = place.end;
            if has_body && has_its_own && self.may_be_undefined(value) {
                found = found.and(self.found(&written));
                out.push_str(&found.name);
            } else if is_member && !has_body && !is_plain(value) {
                self.names += 1;
                let name = format!("__member{}", self.names);
                let is_contains = self.slice(before_head..place.start).contains(" contains");
                let close = if is_contains { "" } else { "]" };
                let word = if is_contains { " if" } else { "" };
                if !is_contains {
                    // The bracket of `deny[…]`.
                    *cursor += self
                        .slice(*cursor..self.text.len())
                        .find(']')
                        .map_or(0, |i| i + 1);
                }
                let _ = write!(out, "{name}{close}{word} {{ {name} := {written} }}");
            } else {
                out.push_str(&written);
            }
        }
        for body in bodies {
            if let Some(assign) = &body.assign {
                let place = extent(&assign.value, self.text);
                if place.start >= *cursor {
                    self.copy(cursor, place.start, out);
                    let written = self.expression(&assign.value);
                    *cursor = place.end;
                    if !body.query.stmts.is_empty() && self.may_be_undefined(&assign.value) {
                        found = self.found(&written);
                        out.push_str(&found.name);
                    } else {
                        out.push_str(&written);
                    }
                }
            }
            self.query(&body.query, std::mem::take(&mut found), cursor, out);
        }
    }

    /// Whether a value of a head may be absent where its body holds: of what the body binds it is not.
    fn may_be_undefined(&self, value: &Expr) -> bool {
        match value {
            Expr::Var { span, .. } => {
                let name = span.text();
                self.rules.contains(name) || matches!(name, "input" | "data")
            }
            _ => !is_plain(value),
        }
    }

    /// A value of a head under a name, to be found by the body.
    fn found(&mut self, written: &str) -> Found {
        self.names += 1;
        let name = format!("__value{}", self.names);
        let is_flat = !written.contains(['#', '`']);
        let lines = if is_flat {
            written.matches('\n').count()
        } else {
            0
        };
        let value = if is_flat {
            written.replace('\n', " ")
        } else {
            written.to_owned()
        };
        Found {
            statement: format!("{name} := {value}"),
            name,
            lines,
        }
    }

    /// Writes a query anew, with `found` at its end.
    fn query(&mut self, query: &Query, found: Found, cursor: &mut usize, out: &mut String) {
        let Some(first) = query.stmts.first() else {
            return;
        };
        // `allow if not x`, without braces.
        let mut is_bare = query.stmts.len() == 1 && first.span.start == query.span.start;
        let closes = is_bare && !found.name.is_empty();
        if closes {
            self.copy(cursor, self.start_of(first), out);
            out.push_str("{ ");
            is_bare = false;
        }
        if found.lines > 0 {
            self.copy(cursor, self.start_of(first), out);
            out.push_str(&"\n".repeat(found.lines));
        }
        // The engine declares what stands after a loop each time anew, and refuses the second.
        for late in query.stmts.iter().skip(1) {
            if let Literal::SomeVars { vars, .. } = &late.literal {
                self.copy(cursor, self.start_of(first), out);
                let names: Vec<&str> = vars.iter().map(|name| name.text()).collect();
                let _ = write!(out, "some {}; ", names.join(", "));
            }
        }
        for (place, statement) in query.stmts.iter().enumerate() {
            let end = usize_of(statement.span.end);
            if place > 0 && matches!(statement.literal, Literal::SomeVars { .. }) {
                self.copy(cursor, self.start_of(statement), out);
                out.push_str("true");
                *cursor = end.max(*cursor);
                continue;
            }
            self.statement(statement, is_bare, cursor, out);
            if place + 1 == query.stmts.len() && !found.name.is_empty() {
                self.copy(cursor, end, out);
                let _ = write!(out, "; {}", found.statement);
            }
        }
        if closes {
            out.push_str(" }");
        }
    }

    fn statement(
        &mut self,
        statement: &LiteralStmt,
        is_bare: bool,
        cursor: &mut usize,
        out: &mut String,
    ) {
        let start = self.start_of(statement);
        self.copy(cursor, start, out);
        if let Literal::NotExpr { expr, .. } = &statement.literal {
            let mut hoisted = Hoisted::new();
            let place = extent(expr, self.text);
            let mut negated = self.slice(start..place.start).to_owned();
            negated.push_str(&self.negated(expr, &mut hoisted));
            *cursor = place.end;
            let mut modifiers = String::new();
            self.modifiers(statement, cursor, &mut modifiers);
            let mut written = String::new();
            for earlier in &hoisted {
                let _ = write!(written, "{earlier}{modifiers}; ");
            }
            written.push_str(&negated);
            written.push_str(&modifiers);
            if is_bare && !hoisted.is_empty() {
                let _ = write!(out, "{{ {written} }}");
            } else {
                out.push_str(&written);
            }
            return;
        }
        let mut parts: Vec<Child<'_>> = Vec::new();
        let mut collection_at = None;
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { collection, .. } => {
                collection_at = Some(extent(collection, self.text));
                parts.push(Child::Expr(collection));
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
                parts.push(Child::Expr(expr));
            }
            Literal::Every { domain, query, .. } => {
                parts.push(Child::Expr(domain));
                parts.push(Child::Query(query));
            }
        }
        for part in parts {
            match part {
                Child::Expr(expr) => {
                    let place = extent(expr, self.text);
                    self.copy(cursor, place.start, out);
                    // As a condition it fails either way, and the engine's own is the faster.
                    let written = match **expr {
                        Expr::Membership { key: None, .. } => self.parts(expr),
                        _ => self.expression(expr),
                    };
                    *cursor = place.end;
                    if collection_at.as_ref() == Some(&place) && !is_plain(expr) {
                        let _ = write!(out, "{COLLECTION}({written})");
                    } else {
                        out.push_str(&written);
                    }
                }
                Child::Query(query) => self.query(query, Found::default(), cursor, out),
            }
        }
        self.modifiers(statement, cursor, out);
    }

    fn modifiers(&mut self, statement: &LiteralStmt, cursor: &mut usize, out: &mut String) {
        for modifier in &statement.with_mods {
            let target = extent(&modifier.refr, self.text);
            self.copy(cursor, target.start, out);
            if is_among(self.rules, &modifier.refr) {
                let _ = write!(out, "data.{}.", self.package);
            }
            let value = extent(&modifier.r#as, self.text);
            self.copy(cursor, value.start, out);
            // A function that takes another's place is named as that one is.
            if matches!(*modifier.r#as, Expr::Var { .. }) && is_among(self.rules, &modifier.r#as) {
                let _ = write!(out, "data.{}.", self.package);
            }
            out.push_str(&self.expression(&modifier.r#as));
            *cursor = value.end;
        }
    }

    /// Where the statement begins: a string's quote is before its span.
    fn start_of(&self, statement: &LiteralStmt) -> usize {
        let start = usize_of(statement.span.start);
        match &statement.literal {
            Literal::Expr { expr, .. } => start.min(extent(expr, self.text).start),
            _ => start,
        }
    }

    /// The expression, with operators as calls.
    pub(super) fn expression(&mut self, expr: &Expr) -> String {
        let place = extent(expr, self.text);
        if let Some((function, lhs, rhs)) = operator(expr) {
            let (left, right) = (self.expression(lhs), self.expression(rhs));
            return self.call(function, &place, (lhs, left), (rhs, right));
        }
        if let Expr::Membership {
            key,
            value,
            collection,
            ..
        } = expr
            && (key.is_some() || !is_plain(collection))
        {
            let first = extent(key.as_ref().unwrap_or(value), self.text);
            let last = extent(collection, self.text);
            let function = if key.is_some() { MEMBER_3 } else { MEMBER_2 };
            let looked_for: Vec<String> = key
                .iter()
                .chain([value])
                .map(|part| self.expression(part))
                .collect();
            let collection = self.expression(collection);
            let lines = self.slice(first.start..last.start).matches('\n').count();
            let kept: usize = looked_for
                .iter()
                .map(|part| part.matches('\n').count())
                .sum();
            return format!(
                "{}{function}({}, {}{collection}){}",
                self.slice(place.start..first.start),
                looked_for.join(", "),
                "\n".repeat(lines.saturating_sub(kept)),
                self.slice(last.end..place.end),
            );
        }
        self.parts(expr)
    }

    /// The expression, with what it is made of written anew.
    fn parts(&mut self, expr: &Expr) -> String {
        let place = extent(expr, self.text);
        let mut out = String::new();
        let mut cursor = place.start;
        for child in children(expr) {
            match child {
                Child::Expr(child) => {
                    let place = extent(child, self.text);
                    if place.start < cursor {
                        continue;
                    }
                    self.copy(&mut cursor, place.start, &mut out);
                    out.push_str(&self.expression(child));
                    cursor = place.end;
                }
                Child::Query(query) => {
                    self.query(query, Found::default(), &mut cursor, &mut out);
                }
            }
        }
        self.copy(&mut cursor, place.end, &mut out);
        out
    }

    /// `a + b` as `plus(a, b)`, parentheses and comments where they were.
    pub(super) fn call(
        &self,
        function: &str,
        place: &Range<usize>,
        (lhs, left): (&Expr, String),
        (rhs, right): (&Expr, String),
    ) -> String {
        let (lhs, rhs) = (extent(lhs, self.text), extent(rhs, self.text));
        let between = with_comma(self.slice(lhs.end..rhs.start));
        format!(
            "{function}({}{left}{between}{right}{})",
            self.slice(place.start..lhs.start),
            self.slice(rhs.end..place.end),
        )
    }

    /// The text of `expr` with other texts for some of its parts, given in their order.
    pub(super) fn replaced(&self, expr: &Expr, parts: Vec<(&Ref<Expr>, String)>) -> String {
        let place = extent(expr, self.text);
        let mut out = String::new();
        let mut cursor = place.start;
        for (part, written) in parts {
            let part = extent(part, self.text);
            self.copy(&mut cursor, part.start, &mut out);
            out.push_str(&written);
            cursor = part.end;
        }
        self.copy(&mut cursor, place.end, &mut out);
        out
    }
}

/// Whether a reference begins with the name of a rule.
fn is_among(rules: &BTreeSet<String>, mut reference: &Expr) -> bool {
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = reference {
        reference = refr;
    }
    matches!(reference, Expr::Var { span, .. } if rules.contains(span.text()))
}

fn usize_of(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
