//! Functions that evaluate a template. It sees the variables that it is given and nothing else, and
//! evaluates no other template.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::expr::{Expression, ForExpr, TraversalOperator};
use hcl_edit::template::ForDirective;
use hcl_edit::visit::{Visit, visit_expr};
use hcl_edit::{Decorated, Ident};

use super::{Context, files};
use crate::module::convert::convert;
use crate::module::expression::{Evaluated, Frame, Names, Stop, start};
use crate::module::source::parse_template;
use crate::module::template::wrapped_value;
use crate::module::tree::Tree;
use crate::module::value::{Type, Value};

/// The names of a template.
struct Given<'a> {
    variables: &'a BTreeMap<String, Value>,
    tree: Option<Tree<'a>>,
}

/// The names in a template, also in what is not chosen of it: all of them must be given.
struct Named<'a> {
    known: &'a BTreeMap<String, Value>,
    /// By the loops around.
    bound: Vec<String>,
    missing: Option<(String, Option<usize>)>,
}

impl Named<'_> {
    fn within(&mut self, key: Option<&Ident>, value: &Ident, visit: impl FnOnce(&mut Self)) {
        let outside = self.bound.len();
        let names = key.into_iter().chain([value]);
        self.bound.extend(names.map(ToString::to_string));
        visit(self);
        self.bound.truncate(outside);
    }
}

impl Visit for Named<'_> {
    fn visit_expr(&mut self, expression: &Expression) {
        let Expression::Variable(variable) = expression else {
            return visit_expr(self, expression);
        };
        let name = variable.as_str();
        if !self.known.contains_key(name) && !self.bound.iter().any(|bound| bound == name) {
            self.missing
                .get_or_insert((name.to_owned(), start(expression)));
        }
    }

    fn visit_for_expr(&mut self, loop_: &ForExpr) {
        let intro = &loop_.intro;
        self.visit_expr(&intro.collection_expr);
        self.within(intro.key_var.as_deref(), &intro.value_var, |inner| {
            if let Some(key) = &loop_.key_expr {
                inner.visit_expr(key);
            }
            inner.visit_expr(&loop_.value_expr);
            if let Some(condition) = &loop_.cond {
                inner.visit_expr(&condition.expr);
            }
        });
    }

    fn visit_for_directive(&mut self, directive: &ForDirective) {
        let intro = &directive.for_expr;
        self.visit_expr(&intro.collection_expr);
        self.within(intro.key_var.as_deref(), &intro.value_var, |inner| {
            inner.visit_template(&intro.template);
        });
    }
}

impl Names for Given<'_> {
    fn resolve(
        &self,
        name: &str,
        _steps: &[Decorated<TraversalOperator>],
        frame: &Frame<'_>,
        offset: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        match self.variables.get(name) {
            Some(value) => Ok((value.clone(), 0)),
            None => {
                Err(frame.mistake(format!("the template was given no variable {name}"), offset))
            }
        }
    }

    fn tree(&self) -> Option<Tree<'_>> {
        self.tree
    }

    fn within_template(&self) -> bool {
        true
    }
}

pub(super) fn templatefile(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (path, text) = files::read_text(context)?;
    evaluated(context, &path, &text)
}

/// The template is a reference, which the caller has made sure of.
pub(super) fn templatestring(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let Value::String(text) = context.value(0)? else {
        return Err("the template must be a string".to_owned());
    };
    match convert(&evaluated(context, "the template", text)?, &Type::String) {
        Ok(value @ Value::String(_)) => Ok(value),
        _ => Err("the template makes no string".to_owned()),
    }
}

/// What the template makes of the variables in the second argument.
fn evaluated(context: &Context<'_>, path: &str, text: &str) -> Result<Value, String> {
    if context.within_template {
        return Err("a template cannot evaluate another one".to_owned());
    }
    let (source, template) = parse_template(path, text).map_err(|problem| problem.to_string())?;
    let variables = match context.value(1)? {
        Value::Map(_, entries) | Value::Object(entries) => Arc::clone(entries),
        _ => return Err("the variables of a template must be a map or object".to_owned()),
    };
    if let Some(name) = variables.keys().find(|name| Ident::try_new(*name).is_err()) {
        return Err(format!(
            "{name:?} cannot be the name of a template's variable"
        ));
    }
    let mut named = Named {
        known: &variables,
        bound: Vec::new(),
        missing: None,
    };
    named.visit_template(&template);
    if let Some((name, offset)) = named.missing {
        let message = format!("the template was given no variable {name}");
        return Err(source.problem(message, offset).to_string());
    }
    let names = Given {
        variables: &variables,
        tree: context.tree,
    };
    let frame = Frame {
        source: &source,
        names: &names,
        bindings: None,
        depth: context.depth,
    };
    wrapped_value(&template, &frame).map_err(|stop| match stop {
        Stop::Mistake(mistake) => {
            let problem = mistake.source.problem(mistake.message, mistake.offset);
            let message = problem.to_string();
            match mistake.is_refusal {
                true => context.refusal(message),
                false => message,
            }
        }
        Stop::Reported => format!("{path} could not be evaluated"),
    })
}
