//! What a module's syntax tree calls, negates and replaces, and where that stands.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, Module, Query, Ref, Rule, RuleHead, Span};

use super::extent::{Child, children};

/// One call of a function, a builtin or the policy's own.
pub(super) struct Call<'m> {
    /// The dotted path, as in the source.
    pub(super) function: String,
    pub(super) parameters: &'m [Ref<Expr>],
    pub(super) span: &'m Span,
    /// The rule that calls.
    pub(super) caller: String,
}

/// The dotted path of the rule a statement belongs to; `None` if it is computed.
pub(super) fn rule_path(rule: &Rule) -> Option<String> {
    match rule {
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. }
            | RuleHead::Set { refr, .. }
            | RuleHead::Func { refr, .. } => path(refr),
        },
        Rule::Default { refr, .. } => path(refr),
    }
}

/// The dotted path of a plain reference such as `a.b.c` or `a["b"]`; `None` if part of it is
/// computed.
pub(super) fn path(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Var { span, .. } => Some(span.text().to_owned()),
        Expr::RefDot { refr, field, .. } => Some(format!("{}.{}", path(refr)?, field.0.text())),
        Expr::RefBrack { refr, index, .. } => match index.as_ref() {
            Expr::String { span, .. } => Some(format!("{}.{}", path(refr)?, span.text())),
            _ => None,
        },
        _ => None,
    }
}

/// The name of a rule whose head has a computed part: `deny[message]`.
pub(super) fn base_of(rule: &Rule) -> Option<String> {
    let mut reference = match rule {
        Rule::Spec { head, .. } => name_of(head),
        Rule::Default { refr, .. } => refr,
    };
    loop {
        match reference.as_ref() {
            Expr::RefBrack { refr, .. } | Expr::RefDot { refr, .. } => reference = refr,
            Expr::Var { span, .. } => return Some(span.text().to_owned()),
            _ => return None,
        }
    }
}

fn name_of(head: &RuleHead) -> &Ref<Expr> {
    match head {
        RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. } => {
            refr
        }
    }
}

/// What stands in the brackets of a head's name, in the order of the text: `a` and `b` of
/// `by[a][b] contains c`.
pub(super) fn head_keys(head: &RuleHead) -> Vec<&Ref<Expr>> {
    let mut keys = Vec::new();
    let mut reference = name_of(head);
    while let Expr::RefBrack { refr, .. } | Expr::RefDot { refr, .. } = reference.as_ref() {
        if let Expr::RefBrack { index, .. } = reference.as_ref() {
            keys.insert(0, index);
        }
        reference = refr;
    }
    keys
}

/// A rule by its first name, where another one needs it.
pub(super) struct Named {
    pub(super) by: String,
    /// `data` stands for all of them.
    pub(super) name: String,
}

/// What a module holds that has to be looked at, in the order of the source.
pub(super) struct Walk<'m> {
    caller: String,
    pub(super) calls: Vec<Call<'m>>,
    /// What a `with` puts something else in the place of.
    pub(super) with_targets: Vec<&'m Expr>,
    /// What stands behind a `not`.
    pub(super) negated: Vec<&'m Expr>,
    /// What members of collections and arguments of functions are matched with.
    pub(super) patterns: Vec<&'m Expr>,
    /// Numbers, minuses before a value, and assignments.
    pub(super) peculiar: Vec<&'m Expr>,
    /// Names, but for those of variables that the rule declares.
    pub(super) named: Vec<Named>,
    /// What `with` puts in, or in the place of what, where the rule has such a variable as well.
    pub(super) shadowed: Vec<(&'m Span, &'m str)>,
    names: BTreeSet<String>,
    declared: BTreeSet<&'m str>,
    modifying: Vec<&'m Span>,
}

impl<'m> Walk<'m> {
    pub(super) fn over(module: &'m Module) -> Self {
        let mut walk = Self {
            caller: String::new(),
            calls: Vec::new(),
            with_targets: Vec::new(),
            negated: Vec::new(),
            patterns: Vec::new(),
            peculiar: Vec::new(),
            named: Vec::new(),
            shadowed: Vec::new(),
            names: BTreeSet::new(),
            declared: BTreeSet::new(),
            modifying: Vec::new(),
        };
        for rule in &module.policy {
            walk.caller = rule_path(rule).unwrap_or_default();
            walk.rule(rule);
            walk.end_of(rule);
        }
        walk
    }

    /// Tells the rule's variables from what it names of others.
    fn end_of(&mut self, rule: &Rule) {
        let by = base_of(rule).unwrap_or_default();
        let declared = std::mem::take(&mut self.declared);
        let names = std::mem::take(&mut self.names).into_iter();
        let others = names.filter(|name| !declared.contains(name.as_str()));
        self.named.extend(others.map(|name| Named {
            by: by.clone(),
            name,
        }));
        let modifying = std::mem::take(&mut self.modifying).into_iter();
        let shadowed = modifying.map(|span| (span, span.text()));
        self.shadowed
            .extend(shadowed.filter(|(_, name)| declared.contains(name)));
    }

    /// The variables of a pattern become the rule's own.
    fn declare(&mut self, pattern: &'m Expr) {
        match pattern {
            Expr::Var { span, .. } => {
                self.declared.insert(span.text());
            }
            Expr::Array { items, .. } => items.iter().for_each(|item| self.declare(item)),
            Expr::Object { fields, .. } => {
                fields.iter().for_each(|(_, _, value)| self.declare(value));
            }
            _ => {}
        }
    }

    fn rule(&mut self, rule: &'m Rule) {
        match rule {
            Rule::Spec { head, bodies, .. } => {
                match head {
                    RuleHead::Compr { assign, .. } => {
                        self.expressions(head_keys(head));
                        self.expressions(assign.iter().map(|assign| &assign.value));
                    }
                    RuleHead::Set { key, .. } => {
                        self.expressions(head_keys(head));
                        self.expressions(key);
                    }
                    RuleHead::Func { args, assign, .. } => {
                        self.patterns.extend(args.iter().map(AsRef::as_ref));
                        args.iter().for_each(|argument| self.declare(argument));
                        self.expressions(args);
                        self.expressions(assign.iter().map(|assign| &assign.value));
                    }
                }
                for body in bodies {
                    self.expressions(body.assign.iter().map(|assign| &assign.value));
                    self.query(&body.query);
                }
            }
            Rule::Default { value, .. } => self.expression(value),
        }
    }

    fn query(&mut self, query: &'m Query) {
        for statement in &query.stmts {
            match &statement.literal {
                Literal::SomeVars { vars, .. } => {
                    self.declared.extend(vars.iter().map(Span::text));
                }
                Literal::SomeIn {
                    key,
                    value,
                    collection,
                    ..
                } => {
                    self.patterns.extend(key.iter().map(AsRef::as_ref));
                    self.patterns.push(value);
                    key.iter()
                        .chain([value])
                        .for_each(|name| self.declare(name));
                    self.expressions(key);
                    self.expression(value);
                    self.expression(collection);
                }
                Literal::Expr { expr, .. } => self.expression(expr),
                Literal::NotExpr { expr, .. } => {
                    self.negated.push(expr);
                    self.expression(expr);
                }
                Literal::Every {
                    key,
                    value,
                    domain,
                    query,
                    ..
                } => {
                    let names = key.iter().chain([value]);
                    self.declared.extend(names.map(Span::text));
                    self.expression(domain);
                    self.query(query);
                }
            }
            for modifier in &statement.with_mods {
                self.with_targets.push(&modifier.refr);
                self.modifying.extend(root(&modifier.refr));
                if let Expr::Var { span, .. } = modifier.r#as.as_ref() {
                    self.modifying.push(span);
                }
                self.expression(&modifier.r#as);
            }
        }
    }

    fn expressions(&mut self, expressions: impl IntoIterator<Item = &'m Ref<Expr>>) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    fn expression(&mut self, expression: &'m Expr) {
        match expression {
            Expr::Call { fcn, params, .. } => {
                let function = path(fcn).unwrap_or_default();
                self.names
                    .extend(own(function.clone()).or(Some(function.clone())));
                self.calls.push(Call {
                    function,
                    parameters: params,
                    span: fcn.span(),
                    caller: self.caller.clone(),
                });
            }
            Expr::AssignExpr {
                op: AssignOp::ColEq,
                lhs,
                ..
            } => {
                self.declare(lhs);
                self.peculiar.push(expression);
            }
            Expr::UnaryExpr { .. } | Expr::AssignExpr { .. } | Expr::Number { .. } => {
                self.peculiar.push(expression);
            }
            Expr::Var { span, .. } => {
                self.names.insert(span.text().to_owned());
            }
            Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.reference(expression);
                return;
            }
            _ => {}
        }
        for child in children(expression) {
            match child {
                Child::Expr(child) => self.expression(child),
                Child::Query(query) => self.query(query),
            }
        }
    }
}

impl<'m> Walk<'m> {
    /// What a reference begins with, and what stands in its brackets.
    fn reference(&mut self, reference: &'m Expr) {
        let mut part = reference;
        let mut whole = None;
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = part {
            whole = whole.or_else(|| path(part));
            if let Expr::RefBrack { index, .. } = part {
                self.expression(index);
            }
            part = refr;
        }
        let whole = whole.or_else(|| path(part));
        match whole {
            Some(whole) if whole == "data.spacelift" || whole == "data" => {
                self.names.insert("data".to_owned());
            }
            Some(whole) => self.names.extend(own(whole)),
            None => {}
        }
        match part {
            Expr::Var { span, .. } if span.text() == "data" => {}
            other => self.expression(other),
        }
    }
}

/// The first name of a policy's own rule, of `data.spacelift.deny.x`.
fn own(path: String) -> Option<String> {
    let rule = path.strip_prefix("data.spacelift.")?;
    rule.split('.').next().map(str::to_owned)
}

/// The variable that a reference begins with.
fn root(mut reference: &Expr) -> Option<&Span> {
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = reference {
        reference = refr;
    }
    match reference {
        Expr::Var { span, .. } => Some(span),
        _ => None,
    }
}
