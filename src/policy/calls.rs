//! What a module's syntax tree calls, negates and replaces, and where that stands.

use regorus::unstable::{Expr, Literal, Module, Query, Ref, Rule, RuleHead, Span};

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
        };
        for rule in &module.policy {
            walk.caller = rule_path(rule).unwrap_or_default();
            walk.rule(rule);
        }
        walk
    }

    fn rule(&mut self, rule: &'m Rule) {
        match rule {
            Rule::Spec { head, bodies, .. } => {
                match head {
                    RuleHead::Compr { refr, assign, .. } => {
                        self.expression(refr);
                        self.expressions(assign.iter().map(|assign| &assign.value));
                    }
                    RuleHead::Set { refr, key, .. } => {
                        self.expression(refr);
                        self.expressions(key);
                    }
                    RuleHead::Func { args, assign, .. } => {
                        self.patterns.extend(args.iter().map(AsRef::as_ref));
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
                Literal::SomeVars { .. } => {}
                Literal::SomeIn {
                    key,
                    value,
                    collection,
                    ..
                } => {
                    self.patterns.extend(key.iter().map(AsRef::as_ref));
                    self.patterns.push(value);
                    self.expressions(key);
                    self.expression(value);
                    self.expression(collection);
                }
                Literal::Expr { expr, .. } => self.expression(expr),
                Literal::NotExpr { expr, .. } => {
                    self.negated.push(expr);
                    self.expression(expr);
                }
                Literal::Every { domain, query, .. } => {
                    self.expression(domain);
                    self.query(query);
                }
            }
            for modifier in &statement.with_mods {
                self.with_targets.push(&modifier.refr);
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
            Expr::Call { fcn, params, .. } => self.calls.push(Call {
                function: path(fcn).unwrap_or_default(),
                parameters: params,
                span: fcn.span(),
                caller: self.caller.clone(),
            }),
            Expr::UnaryExpr { .. } | Expr::AssignExpr { .. } | Expr::Number { .. } => {
                self.peculiar.push(expression);
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
