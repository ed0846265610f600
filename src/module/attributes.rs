//! The attributes of a resource: evaluated, converted and checked against the vocabulary.

use std::collections::BTreeMap;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body, Structure};

use super::convert::convert;
use super::expression::{Binding, Evaluated, Frame, Stop, evaluate, start};
use super::few::Few;
use super::loops::pairs;
use super::nearest::nearest;
use super::schema;
use super::value::Value;
use crate::problem::{Problem, Severity};

/// Arguments and blocks that every resource takes beside its own.
const META_ARGUMENTS: [&str; 4] = ["count", "for_each", "depends_on", "provider"];
const META_BLOCKS: [&str; 3] = ["lifecycle", "provisioner", "connection"];

/// What is wrong with a resource; all of it, not only the first.
#[derive(Default)]
pub(super) struct Findings {
    pub stops: Vec<Stop>,
    pub warnings: Vec<Problem>,
}

/// The attributes and blocks of a resource: as given, else the default. What is null, and a block
/// that is not there, is left out. What could not be evaluated is among the findings.
pub(super) fn attributes(
    kind: &str,
    schema: &'static schema::Block,
    body: &Body,
    at: Option<usize>,
    frame: &Frame<'_>,
    findings: &mut Findings,
) -> Few<'static, Value> {
    let level = Level {
        what: kind,
        schema,
        is_resource: true,
    };
    level.evaluate(body, at, frame, findings)
}

struct Level<'a> {
    /// The resource type or the block's name, for messages.
    what: &'a str,
    schema: &'static schema::Block,
    is_resource: bool,
}

impl Level<'_> {
    fn evaluate(
        &self,
        body: &Body,
        at: Option<usize>,
        frame: &Frame<'_>,
        findings: &mut Findings,
    ) -> Few<'static, Value> {
        let mut values = Few::default();
        let mut given: Few<'_, Option<usize>> = Few::default();
        let mut blocks: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    let name = attribute.key.as_str();
                    if self.is_resource && META_ARGUMENTS.contains(&name) {
                        continue;
                    }
                    match self.attribute(name, &attribute.value, start(attribute), frame, findings)
                    {
                        Ok(Some((name, value))) => {
                            given.insert(name, start(attribute));
                            values.insert(name, value);
                        }
                        Ok(None) => {}
                        Err(stop) => {
                            // It was given, so nothing more is said about its absence.
                            given.insert(name, start(attribute));
                            findings.stops.push(stop);
                        }
                    }
                }
                Structure::Block(block) => {
                    let name = match block.ident.as_str() {
                        "dynamic" => match block.labels.first() {
                            Some(label) => label.as_str(),
                            None => "dynamic",
                        },
                        name => name,
                    };
                    if self.is_resource && META_BLOCKS.contains(&name) {
                        continue;
                    }
                    match self.block(name, block, frame, findings) {
                        Ok(made) => {
                            if !made.is_empty() {
                                given.insert(name, start(block));
                            }
                            blocks.entry(name).or_default().extend(made);
                        }
                        Err(stop) => findings.stops.push(stop),
                    }
                }
            }
        }
        self.check(&given, at, frame, findings);
        for (name, default) in self.schema.defaults() {
            if !values.contains(name) {
                values.insert(name, default.clone());
            }
        }
        if !self.is_resource {
            // Most attributes of a resource are never set: it is told of those that are.
            for (name, attribute) in &self.schema.attributes {
                if !values.contains(name) {
                    values.insert(name, attribute.default_value());
                }
            }
        }
        for (name, nested) in &self.schema.blocks {
            let made = blocks.remove(name.as_str()).unwrap_or_default();
            if nested.max_items > 0 && made.len() > nested.max_items {
                let message = format!(
                    "{} takes at most {} blocks {name}",
                    self.what, nested.max_items
                );
                findings
                    .stops
                    .push(frame.mistake(message, given.get(name).copied().flatten().or(at)));
            }
            if made.len() < nested.min_items {
                let message = format!("{} needs a block {name}", self.what);
                findings.stops.push(frame.mistake(message, at));
            }
            if !(self.is_resource && made.is_empty()) {
                values.insert(name, Value::tuple(made));
            }
        }
        values
    }

    /// An attribute by the schema's name, and its value; `None` if that is null, which is as if it were
    /// not given.
    fn attribute(
        &self,
        name: &str,
        expression: &Expression,
        at: Option<usize>,
        frame: &Frame<'_>,
        findings: &mut Findings,
    ) -> Evaluated<Option<(&'static str, Value)>> {
        let Some((name, schema)) = self.schema.attributes.get_key_value(name) else {
            let hint = self.near(name);
            let message = match self.schema.blocks.contains_key(name) {
                true => format!("{name} is a block of {}: write it without =", self.what),
                false => format!("{} has no attribute {name}", self.what),
            };
            return Err(frame.mistake_with_hint(message, at, hint));
        };
        if !schema.required && !schema.optional || name == "id" {
            let message = format!("the attribute {name} of {} cannot be set", self.what);
            return Err(frame.mistake(message, at));
        }
        let value = evaluate(expression, frame)?;
        if value.is_null() {
            if schema.required {
                let message = format!("{} needs the attribute {name}, which is null", self.what);
                return Err(frame.mistake(message, at));
            }
            return Ok(None);
        }
        if schema.deprecated {
            let mut warning = frame.source.problem(
                format!("the attribute {name} of {} is deprecated", self.what),
                at,
            );
            warning.severity = Severity::Warning;
            findings.warnings.push(warning);
        }
        let converted = convert(&value, &schema.kind).map_err(|error| {
            frame.mistake(
                format!("unsuitable value of {name}: {error}"),
                start(expression),
            )
        })?;
        Ok(Some((name, converted)))
    }

    /// What a block of that name makes: one value, or as many as a `dynamic` block goes over.
    fn block(
        &self,
        name: &str,
        block: &Block,
        frame: &Frame<'_>,
        findings: &mut Findings,
    ) -> Evaluated<Vec<Value>> {
        let Some(nested) = self.schema.blocks.get(name) else {
            let hint = self.near(name);
            let message = match self.schema.attributes.contains_key(name) {
                true => format!("{name} is an attribute of {}: write it with =", self.what),
                false => format!("{} has no block {name}", self.what),
            };
            return Err(frame.mistake_with_hint(message, start(block), hint));
        };
        let level = Level {
            what: name,
            schema: &nested.block,
            is_resource: false,
        };
        let mut make = |body: &Body, frame: &Frame<'_>| {
            let values = level.evaluate(body, start(block), frame, findings);
            let values = values.into_sorted().into_iter();
            Value::object(values.map(|(name, it)| (name.to_owned(), it)))
        };
        if block.ident.as_str() != "dynamic" {
            return Ok(vec![make(&block.body, frame)]);
        }
        let contents: Vec<&Block> = block.body.get_blocks("content").collect();
        let (Some(each), [content]) = (block.body.get_attribute("for_each"), &contents[..]) else {
            return Err(frame.mistake(
                "a dynamic block has a for_each and one block content",
                start(block),
            ));
        };
        if let Some(labels) = block.body.get_attribute("labels") {
            return Err(frame.mistake("labels of dynamic blocks are not supported", start(labels)));
        }
        let iterator = match block
            .body
            .get_attribute("iterator")
            .map(|iterator| &iterator.value)
        {
            None => name,
            Some(Expression::Variable(name)) => name.as_str(),
            Some(other) => return Err(frame.mistake("an iterator is a plain name", start(other))),
        };
        let collection = evaluate(&each.value, frame)?;
        let (collection, is_sensitive) = collection.opened();
        let Some(pairs) = pairs(collection) else {
            let kind = if collection.is_null() {
                "null"
            } else {
                collection.kind().name()
            };
            let message = format!("a dynamic block cannot go over {kind}");
            return Err(frame.mistake(message, start(&each.value)));
        };
        let mut made = Vec::new();
        for (key, value) in pairs {
            let value = Value::object([("key".to_owned(), key), ("value".to_owned(), value)]);
            let binding = Binding {
                name: iterator,
                value,
                outer: frame.bindings,
            };
            made.push(make(&content.body, &frame.with(&binding)).marked(is_sensitive));
        }
        Ok(made)
    }

    /// What must, may and must not be given together.
    fn check(
        &self,
        given: &Few<'_, Option<usize>>,
        at: Option<usize>,
        frame: &Frame<'_>,
        findings: &mut Findings,
    ) {
        let is_given = |name: &str| given.contains(name);
        let listed = |names: &[String]| names.join(", ");
        let mut exclusive: Vec<&Vec<String>> = Vec::new();
        for (name, attribute) in self.schema.ruled() {
            let place = given.get(name).copied().flatten();
            if attribute.required && !is_given(name) {
                let message = format!("{} needs the attribute {name}", self.what);
                findings.stops.push(frame.mistake(message, at));
            }
            if !attribute.exactly_one_of.is_empty()
                && !exclusive.contains(&&attribute.exactly_one_of)
            {
                exclusive.push(&attribute.exactly_one_of);
                let names = &attribute.exactly_one_of;
                if names.iter().filter(|name| is_given(name)).count() != 1 {
                    let message = format!("{} needs exactly one of {}", self.what, listed(names));
                    findings.stops.push(frame.mistake(message, at));
                }
            }
            if !attribute.at_least_one_of.is_empty()
                && !exclusive.contains(&&attribute.at_least_one_of)
            {
                exclusive.push(&attribute.at_least_one_of);
                let names = &attribute.at_least_one_of;
                if !names.iter().any(|name| is_given(name)) {
                    let message = format!("{} needs at least one of {}", self.what, listed(names));
                    findings.stops.push(frame.mistake(message, at));
                }
            }
            if !is_given(name) {
                continue;
            }
            if let Some(missing) = attribute.required_with.iter().find(|name| !is_given(name)) {
                let message = format!("{name} of {} needs {missing} beside it", self.what);
                findings.stops.push(frame.mistake(message, place));
            }
            self.conflict(name, &attribute.conflicts_with, given, frame, findings);
        }
        for (name, nested) in &self.schema.blocks {
            if is_given(name) {
                self.conflict(name, &nested.conflicts_with, given, frame, findings);
            }
        }
    }

    /// Both sides of a conflict may name the other: it is said once, at the second in the alphabet.
    fn conflict(
        &self,
        name: &str,
        others: &[String],
        given: &Few<'_, Option<usize>>,
        frame: &Frame<'_>,
        findings: &mut Findings,
    ) {
        for other in others.iter().filter(|other| given.contains(other)) {
            let mutual = self
                .schema
                .attributes
                .get(other)
                .map(|it| &it.conflicts_with)
                .or_else(|| self.schema.blocks.get(other).map(|it| &it.conflicts_with));
            if name < other.as_str()
                && mutual.is_some_and(|names| names.iter().any(|it| it == name))
            {
                continue;
            }
            let message = format!(
                "{name} and {other} of {} cannot be given together",
                self.what
            );
            findings
                .stops
                .push(frame.mistake(message, given.get(name).copied().flatten()));
        }
    }

    fn near(&self, name: &str) -> Option<String> {
        let attributes = self.schema.attributes.keys();
        let known = attributes
            .chain(self.schema.blocks.keys())
            .map(String::as_str);
        nearest(name, known).map(|near| format!("did you mean {near}?"))
    }
}
