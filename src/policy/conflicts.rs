//! Rules that cannot stand beside each other: one name for a set and for a value, a value for what
//! others give parts of, a second default. OPA's compiler refuses them too.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Rule, RuleHead, Span};

use super::source::problem_at;
use crate::problem::Problem;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Value,
    Set,
    Function(usize),
    /// What the brackets find names a part of it: `by[x] := 1`.
    Parts,
    /// The same, each a set.
    PartSets,
    /// Parts of parts, which need not be alike.
    Deep,
}

impl Form {
    fn description(self) -> String {
        match self {
            Self::Value => "a single value".to_owned(),
            Self::Set => "a set".to_owned(),
            Self::Function(1) => "a function of 1 argument".to_owned(),
            Self::Function(count) => format!("a function of {count} arguments"),
            Self::Parts => "an object, part by part".to_owned(),
            Self::Deep => "an object of objects".to_owned(),
            Self::PartSets => "an object of sets, part by part".to_owned(),
        }
    }

    fn has_parts(self) -> bool {
        matches!(self, Self::Parts | Self::PartSets | Self::Deep)
    }
}

/// Finds each rule that another one before it leaves no room.
pub(super) fn check(module: &Module, problems: &mut Vec<Problem>) {
    let mut before: BTreeMap<Vec<String>, (Form, &Span)> = BTreeMap::new();
    let mut defaulted = BTreeSet::new();
    for rule in &module.policy {
        let Some((name, form)) = form_of(rule) else {
            continue;
        };
        let span = rule.span();
        let told = name.join(".");
        if matches!(rule.as_ref(), Rule::Default { .. }) && !defaulted.insert(name.clone()) {
            problems.push(problem_at(
                span,
                format!("the rule {told} has a second default"),
            ));
            continue;
        }
        let other = before.iter().find(|(known, (other, _))| {
            if **known == name {
                let is_deep = [*other, form].contains(&Form::Deep);
                return *other != form && !(is_deep && other.has_parts() && form.has_parts());
            }
            let (short, long, whole) = if known.len() < name.len() {
                (*known, &name, *other)
            } else {
                (&name, *known, form)
            };
            long.starts_with(short) && !whole.has_parts()
        });
        if let Some((known, (other, place))) = other {
            problems.push(problem_at(
                span,
                format!(
                    "the rule {told} is {}; in line {} the rule {} is {}",
                    form.description(),
                    place.line,
                    known.join("."),
                    other.description()
                ),
            ));
            continue;
        }
        before.insert(name, (form, span));
    }
}

/// The static part of a rule's name, and what the rule gives.
fn form_of(rule: &Rule) -> Option<(Vec<String>, Form)> {
    let (reference, form) = match rule {
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. } => (refr, Form::Value),
            RuleHead::Set { refr, key, .. } => match (key, refr.as_ref()) {
                // `name.member { … }` of Rego v0.
                (None, Expr::RefDot { refr, .. }) => (refr, Form::Set),
                _ => (refr, Form::Set),
            },
            RuleHead::Func { refr, args, .. } => (refr, Form::Function(args.len())),
        },
        Rule::Default { refr, args, .. } if args.is_empty() => (refr, Form::Value),
        Rule::Default { refr, args, .. } => (refr, Form::Function(args.len())),
    };
    let mut static_part = reference;
    let name = loop {
        if let Some(name) = segments(static_part) {
            break name;
        }
        match static_part.as_ref() {
            Expr::RefBrack { refr, .. } | Expr::RefDot { refr, .. } => static_part = refr,
            _ => return None,
        }
    };
    let is_next = match reference.as_ref() {
        Expr::RefBrack { refr, .. } => segments(refr).is_some(),
        _ => false,
    };
    let form = match form {
        _ if segments(reference).is_some() => form,
        _ if !is_next => Form::Deep,
        Form::Set => Form::PartSets,
        _ => Form::Parts,
    };
    Some((name, form))
}

/// The parts of a name that nothing computes: a key's dots are its own.
fn segments(reference: &Expr) -> Option<Vec<String>> {
    let (before, last) = match reference {
        Expr::Var { span, .. } => return Some(vec![span.text().to_owned()]),
        Expr::RefDot { refr, field, .. } => (refr, field.0.text()),
        Expr::RefBrack { refr, index, .. } => match index.as_ref() {
            Expr::String { span, .. }
            | Expr::RawString { span, .. }
            | Expr::Number { span, .. }
            | Expr::Bool { span, .. }
            | Expr::Null { span, .. } => (refr, span.text()),
            _ => return None,
        },
        _ => return None,
    };
    let mut segments = segments(before)?;
    segments.push(last.to_owned());
    Some(segments)
}
