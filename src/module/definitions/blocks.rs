//! The blocks of a module, each checked for what may stand in it.

use std::sync::Arc;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Block, Body, Structure};
use indexmap::IndexMap;
use indexmap::map::Entry;

use super::{Check, Data, Local, Module, Output, Place, Repeat, Resource, labels, start};
use crate::module::nearest::nearest;
use crate::module::source::Source;
use crate::problem::Problem;

/// The sources under which Spacelift's provider is published.
const PROVIDER_SOURCES: [&str; 3] = [
    "spacelift-io/spacelift",
    "spacelift.io/spacelift-io/spacelift",
    "registry.terraform.io/spacelift-io/spacelift",
];

impl Module {
    /// Inserts a definition; a second one of a name breaks both, since which is meant is unknown.
    pub(super) fn define<T>(
        definitions: &mut IndexMap<String, T>,
        problems: &mut Vec<Problem>,
        name: String,
        what: &str,
        definition: T,
        place: &Place,
        parts: fn(&mut T) -> (&Place, &mut bool),
    ) {
        match definitions.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(definition);
            }
            Entry::Occupied(mut entry) => {
                let name = entry.key().clone();
                let (first, broken) = parts(entry.get_mut());
                *broken = true;
                let message = format!(
                    "duplicate {what} \"{name}\": it is already defined at {}:{}",
                    first.source.path, first.line
                );
                problems.push(place.problem(message));
            }
        }
    }

    /// Reports an argument or block that may not stand in a block.
    pub(super) fn refuse_unknown(
        &mut self,
        place: &Place,
        body: &Body,
        arguments: &[&str],
        blocks: &[&str],
        what: &str,
    ) -> bool {
        let before = self.problems.len();
        for structure in body.iter() {
            let (name, known, kind, at) = match structure {
                Structure::Attribute(attribute) => (
                    attribute.key.as_str(),
                    arguments,
                    "argument",
                    start(attribute),
                ),
                Structure::Block(block) => (block.ident.as_str(), blocks, "block", start(block)),
            };
            if !known.contains(&name) {
                let problem = place
                    .source
                    .problem(format!("{what} has no {kind} {name}"), at);
                let hint = nearest(name, known.iter().copied());
                self.problems.push(match hint {
                    Some(near) => problem.with_hint(format!("did you mean {near}?")),
                    None => problem,
                });
            }
        }
        self.problems.len() > before
    }

    /// Takes the labels; a block with others is reported and left out.
    pub(super) fn labelled<'a, const N: usize>(
        &mut self,
        place: &Place,
        block: &'a Block,
    ) -> Option<[&'a str; N]> {
        let taken = labels(place, block).and_then(|labels| {
            let is_name = |label: &&str| hcl_edit::Ident::try_new(*label).is_ok();
            match labels.iter().find(|label| !is_name(label)) {
                Some(label) => Err(place.problem(format!("{label:?} is not a name: it must begin with a letter and hold only letters, digits, - and _"))),
                None => Ok(labels),
            }
        });
        match taken {
            Ok(labels) => Some(labels),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    pub(super) fn add_locals(&mut self, source: &Arc<Source>, block: &Block) -> bool {
        let place = Place::of(source, block);
        if !block.labels.is_empty() {
            self.problems
                .push(place.problem("a locals block has no labels"));
        }
        for structure in block.body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    let place = Place::of(source, attribute);
                    let local = Local {
                        place: place.clone(),
                        value: attribute.value.clone(),
                        broken: false,
                    };
                    let name = attribute.key.to_string();
                    Self::define(
                        &mut self.locals,
                        &mut self.problems,
                        name,
                        "local value",
                        local,
                        &place,
                        |it| (&it.place, &mut it.broken),
                    );
                }
                Structure::Block(inner) => {
                    let message = format!("a locals block has no block {}", inner.ident.as_str());
                    self.problems.push(source.problem(message, start(inner)));
                }
            }
        }
        true
    }

    pub(super) fn add_output(&mut self, place: Place, block: &Block) -> bool {
        let Some([name]) = self.labelled(&place, block) else {
            return false;
        };
        let arguments = ["value", "description", "sensitive", "depends_on"];
        let mut broken = self.refuse_unknown(
            &place,
            &block.body,
            &arguments,
            &["precondition"],
            "an output",
        );
        let is_sensitive = self.flag(&place, &block.body, "sensitive", false);
        broken |= is_sensitive.is_none();
        let (preconditions, complete) = self.checks(&place, &block.body, "precondition");
        let Some(value) = block.body.get_attribute("value") else {
            self.problems
                .push(place.problem(format!("the output \"{name}\" has no value")));
            return true;
        };
        let output = Output {
            value: value.value.clone(),
            preconditions,
            depends_on: self.references(&place, &block.body),
            is_sensitive: is_sensitive.unwrap_or(true),
            broken: broken || !complete,
            place: place.clone(),
        };
        Self::define(
            &mut self.outputs,
            &mut self.problems,
            name.to_owned(),
            "output",
            output,
            &place,
            |it| (&it.place, &mut it.broken),
        );
        true
    }

    pub(super) fn add_resource(&mut self, place: Place, block: Block) -> bool {
        let Some([kind, name]) = self.labelled(&place, &block) else {
            return false;
        };
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let (repeat, mut sound) = self.repeat(&place, &block.body);
        let depends_on = self.references(&place, &block.body);
        let read = self.read_lifecycle(&place, &block.body);
        sound &= !read.broken;
        for unsupported in ["provisioner", "connection"] {
            for inner in block.body.get_blocks(unsupported) {
                let message = format!("{unsupported} blocks are not supported");
                let hint = "let the stack itself run what has to run, with its hooks";
                self.problems
                    .push(place.source.problem(message, start(inner)).with_hint(hint));
                sound = false;
            }
        }
        let key = format!("{kind}.{name}");
        let span = block.span();
        let resource = Resource {
            kind,
            name,
            repeat,
            body: block.body,
            depends_on,
            preconditions: read.preconditions,
            postconditions: read.postconditions,
            lifecycle: read.lifecycle,
            span,
            broken: !sound,
            place: place.clone(),
        };
        Self::define(
            &mut self.resources,
            &mut self.problems,
            key,
            "resource",
            resource,
            &place,
            |it| (&it.place, &mut it.broken),
        );
        true
    }

    pub(super) fn add_data(&mut self, place: Place, block: &Block) -> bool {
        let Some([kind, name]) = self.labelled(&place, block) else {
            return false;
        };
        let broken = if kind == "spacelift_current_stack" {
            let arguments = ["provider", "depends_on"];
            self.refuse_unknown(&place, &block.body, &arguments, &[], "this data source")
        } else {
            let hint = if kind.starts_with("spacelift_") {
                "supported is data \"spacelift_current_stack\"; give the id as a variable instead"
            } else {
                "read it in the service's common stack, an ordinary stack with a repository of its own"
            };
            let message =
                format!("the data source {kind} is not supported in a manager repository");
            let problem = place.problem(message).with_hint(hint);
            let is_foreign = !kind.starts_with("spacelift_");
            let text = place.text(block.span(), ["data", kind, name]);
            let text = text.filter(|_| is_foreign);
            self.problems.push(problem.with_block(text));
            true
        };
        let key = format!("{kind}.{name}");
        let data = Data {
            broken,
            place: place.clone(),
        };
        Self::define(
            &mut self.data,
            &mut self.problems,
            key,
            "data source",
            data,
            &place,
            |it| (&it.place, &mut it.broken),
        );
        true
    }

    pub(super) fn add_terraform(&mut self, source: &Arc<Source>, block: &Block) -> bool {
        for required in block.body.get_blocks("required_providers") {
            let Some(attribute) = required.body.get_attribute("spacelift") else {
                continue;
            };
            let Expression::Object(object) = &attribute.value else {
                continue;
            };
            for (key, value) in object.iter() {
                let named = match key {
                    ObjectKey::Ident(name) => name.as_str() == "source",
                    ObjectKey::Expression(Expression::String(name)) => name.as_str() == "source",
                    ObjectKey::Expression(_) => false,
                };
                let given = value.expr().as_str().unwrap_or_default();
                if named && !PROVIDER_SOURCES.contains(&given) {
                    let message = format!("the provider spacelift has the source {given:?}");
                    let hint = "write source = \"spacelift-io/spacelift\"";
                    let problem = source.problem(message, start(value.expr())).with_hint(hint);
                    self.problems.push(problem);
                }
            }
        }
        true
    }

    pub(super) fn repeat(&mut self, place: &Place, body: &Body) -> (Repeat, bool) {
        match (body.get_attribute("count"), body.get_attribute("for_each")) {
            (Some(count), Some(_)) => {
                let message = "count and for_each cannot be used together";
                self.problems
                    .push(place.source.problem(message, start(count)));
                (Repeat::Once, false)
            }
            (Some(count), None) => (Repeat::Count(count.value.clone()), true),
            (None, Some(each)) => (Repeat::Each(each.value.clone()), true),
            (None, None) => (Repeat::Once, true),
        }
    }

    pub(super) fn references(&mut self, place: &Place, body: &Body) -> Vec<Expression> {
        match body
            .get_attribute("depends_on")
            .map(|attribute| &attribute.value)
        {
            None => Vec::new(),
            Some(Expression::Array(array)) => array.iter().cloned().collect(),
            Some(other) => {
                let message = "depends_on is a list of references";
                self.problems
                    .push(place.source.problem(message, start(other)));
                Vec::new()
            }
        }
    }

    /// The checks of one kind, and whether all of them were complete.
    pub(super) fn checks(&mut self, place: &Place, body: &Body, kind: &str) -> (Vec<Check>, bool) {
        let mut checks = Vec::new();
        let mut complete = true;
        for block in body.get_blocks(kind) {
            let known = ["condition", "error_message"];
            complete &= !self.refuse_unknown(place, &block.body, &known, &[], kind);
            let value = |name| {
                block
                    .body
                    .get_attribute(name)
                    .map(|attribute| attribute.value.clone())
            };
            match (value("condition"), value("error_message")) {
                (Some(condition), Some(message)) => checks.push(Check { condition, message }),
                _ => {
                    let message = format!("a {kind} has a condition and an error_message");
                    self.problems
                        .push(place.source.problem(message, start(block)));
                    complete = false;
                }
            }
        }
        (checks, complete)
    }
}
