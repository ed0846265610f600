//! The calls in a module's syntax tree, what `with` replaces, and where both stand.

use regorus::unstable::{Expr, Literal, Module, Query, Ref, Rule, RuleHead, Span};

/// One call of a function, a builtin or the policy's own.
pub(super) struct Call<'m> {
    /// The dotted path, as in the source.
    pub(super) function: String,
    pub(super) argument_count: usize,
    pub(super) span: &'m Span,
    /// The rule that calls.
    pub(super) caller: String,
}

/// Every call of the module, in the order of the source.
pub(super) fn calls(module: &Module) -> Vec<Call<'_>> {
    Walk::over(module).calls
}

/// Everything that a `with` puts something else in the place of.
pub(super) fn with_targets(module: &Module) -> Vec<&Expr> {
    Walk::over(module).with_targets
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

struct Walk<'m> {
    caller: String,
    calls: Vec<Call<'m>>,
    with_targets: Vec<&'m Expr>,
}

impl<'m> Walk<'m> {
    fn over(module: &'m Module) -> Self {
        let mut walk = Self {
            caller: String::new(),
            calls: Vec::new(),
            with_targets: Vec::new(),
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
                    self.expressions(key);
                    self.expression(value);
                    self.expression(collection);
                }
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
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
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Var { .. } => {}
            Expr::Array { items, .. } | Expr::Set { items, .. } => self.expressions(items),
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.expression(key);
                    self.expression(value);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expression(term);
                self.query(query);
            }
            Expr::ObjectCompr {
                key, value, query, ..
            } => {
                self.expression(key);
                self.expression(value);
                self.query(query);
            }
            Expr::Call {
                span, fcn, params, ..
            } => {
                self.calls.push(Call {
                    function: path(fcn).unwrap_or_default(),
                    argument_count: params.len(),
                    span,
                    caller: self.caller.clone(),
                });
                self.expressions(params);
            }
            Expr::UnaryExpr { expr, .. } => self.expression(expr),
            Expr::RefDot { refr, .. } => self.expression(refr),
            Expr::RefBrack { refr, index, .. } => {
                self.expression(refr);
                self.expression(index);
            }
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.expression(lhs);
                self.expression(rhs);
            }
            Expr::Membership {
                key,
                value,
                collection,
                ..
            } => {
                self.expressions(key);
                self.expression(value);
                self.expression(collection);
            }
        }
    }
}
