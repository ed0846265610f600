//! What modules say of the life of objects that stand: `lifecycle`, `moved`, `removed`.

use hcl_edit::expr::{Expression, TraversalOperator};
use hcl_edit::structure::{Block, Body};

use super::{Check, Module, Place, start};
use crate::module::instance::Key;
use crate::module::lifecycle::{Ignored, Lifecycle, Moved};

/// A resource's `lifecycle`, read.
#[derive(Default)]
pub(super) struct Read {
    pub lifecycle: Lifecycle,
    pub preconditions: Vec<Check>,
    pub postconditions: Vec<Check>,
    pub broken: bool,
}

impl Module {
    pub(super) fn read_lifecycle(&mut self, place: &Place, body: &Body) -> Read {
        let mut read = Read::default();
        for block in body.get_blocks("lifecycle") {
            let known = [
                "create_before_destroy",
                "prevent_destroy",
                "ignore_changes",
                "replace_triggered_by",
            ];
            let checks = ["precondition", "postcondition"];
            read.broken |= self.refuse_unknown(place, &block.body, &known, &checks, "lifecycle");
            let mut wrong = |message: &str, hint: &str, at| {
                let problem = place.source.problem(message, at);
                self.problems.push(problem.with_hint(hint));
                read.broken = true;
            };
            if let Some(attribute) = block.body.get_attribute("prevent_destroy") {
                match attribute.value.as_bool() {
                    Some(prevents) => read.lifecycle.prevent_destroy = prevents,
                    None => wrong(
                        "prevent_destroy is true or false, and no expression",
                        "write the word itself",
                        start(attribute),
                    ),
                }
            }
            if let Some(attribute) = block.body.get_attribute("ignore_changes") {
                match ignored(&attribute.value) {
                    Some(ignored) => read.lifecycle.ignored = ignored,
                    None => wrong(
                        "ignore_changes is all or a list of the resource's own attributes",
                        "parts of an attribute cannot be ignored: name the whole one",
                        start(attribute),
                    ),
                }
            }
            if let Some(attribute) = block.body.get_attribute("replace_triggered_by") {
                wrong(
                    "replace_triggered_by is not supported",
                    "give the resource an attribute that changes with what it is to follow",
                    start(attribute),
                );
            }
            let (before, complete) = self.checks(place, &block.body, "precondition");
            read.preconditions.extend(before);
            read.broken |= !complete;
            let (after, complete) = self.checks(place, &block.body, "postcondition");
            read.postconditions.extend(after);
            read.broken |= !complete;
        }
        read
    }

    /// `moved`; `false` if it has no effect.
    pub(super) fn add_moved(&mut self, place: &Place, block: &Block) -> bool {
        if self.refuse_unknown(place, &block.body, &["from", "to"], &[], "moved") {
            return false;
        }
        let end = |name| endpoint(&block.body.get_attribute(name)?.value);
        let (Some(from), Some(to)) = (end("from"), end("to")) else {
            let message = "a moved block has the addresses from and to, of resources or of modules";
            self.problems.push(place.problem(message));
            return false;
        };
        if from.kind != to.kind {
            let message = "an object cannot be moved to another type";
            let hint =
                "take the block out: the object is deleted, and one of the other type is made";
            self.problems.push(place.problem(message).with_hint(hint));
            return false;
        }
        self.moved.push((
            Moved {
                from: from.address,
                to: to.address,
                is_one: from.has_key || to.has_key,
            },
            place.clone(),
        ));
        true
    }

    /// `removed`; `false` if it has no effect.
    pub(super) fn add_removed(&mut self, place: &Place, block: &Block) -> bool {
        self.refuse_unknown(place, &block.body, &["from"], &["lifecycle"], "removed");
        let from = block.body.get_attribute("from");
        let Some(from) = from.and_then(|from| endpoint(&from.value)) else {
            let message = "a removed block has the address from, of a resource or of a module";
            self.problems.push(place.problem(message));
            // Which objects are meant to stay is unknown.
            self.refused = true;
            return false;
        };
        let mut lifecycles = block.body.get_blocks("lifecycle");
        let destroy = lifecycles.find_map(|block| block.body.get_attribute("destroy"));
        if destroy.and_then(|destroy| destroy.value.as_bool()) == Some(true) {
            self.removed.push((from.address, place.clone()));
            return true;
        }
        let message = format!(
            "removed is supported with destroy = true only: {} stays as it is recorded",
            from.address
        );
        let hint = "dayfly keeps no object that nothing describes: let it stand, or write \
                    `lifecycle { destroy = true }` to delete it";
        self.problems.push(place.problem(message).with_hint(hint));
        self.retained.push(from.address);
        true
    }

    /// Once all is read: what has moved or is removed no longer stands.
    pub(super) fn check_moves(&mut self) {
        let stands = |address: &str| match address.strip_prefix("module.") {
            Some(call) => self.calls.contains_key(call),
            None => self.resources.contains_key(address),
        };
        let mut problems = Vec::new();
        for (moved, place) in &self.moved {
            let same_block = moved.to.split('[').next() == Some(&moved.from);
            if stands(&moved.from) && !same_block {
                let message = format!("{} has moved, but still stands in this module", moved.from);
                problems.push(place.problem(message).with_hint("take out one of the two"));
            }
        }
        for (removed, place) in &self.removed {
            if stands(removed) {
                let message = format!("{removed} is removed, but still stands in this module");
                problems.push(place.problem(message).with_hint("take out one of the two"));
            }
        }
        self.problems.extend(problems);
    }
}

fn ignored(value: &Expression) -> Option<Ignored> {
    match value {
        Expression::Variable(name) if name.as_str() == "all" => Some(Ignored::All),
        Expression::Array(items) => {
            let name = |item: &Expression| match item {
                Expression::Variable(name) => Some(name.to_string()),
                _ => None,
            };
            let names = items.iter().map(name).collect::<Option<_>>();
            names.map(Ignored::These)
        }
        _ => None,
    }
}

struct Endpoint {
    /// As Terraform prints it, from the module.
    address: String,
    /// Of a resource.
    kind: Option<String>,
    /// Whether it is one of several.
    has_key: bool,
}

fn endpoint(value: &Expression) -> Option<Endpoint> {
    let Expression::Traversal(traversal) = value else {
        return None;
    };
    let Expression::Variable(first) = &traversal.expr else {
        return None;
    };
    let mut address = first.to_string();
    let mut names = vec![first.to_string()];
    let mut has_key = false;
    for operator in &traversal.operators {
        match operator.value() {
            TraversalOperator::GetAttr(name) => {
                address.push('.');
                address.push_str(name.as_str());
                names.push(name.to_string());
                has_key = false;
            }
            TraversalOperator::Index(key) => {
                let key = match key {
                    Expression::String(name) => Key::Name(name.as_str().to_owned()),
                    Expression::Number(number) => {
                        Key::Index(usize::try_from(number.value().as_u64()?).ok()?)
                    }
                    _ => return None,
                };
                address.push_str(&key.suffix());
                has_key = true;
            }
            _ => return None,
        }
    }
    if names.len() % 2 != 0 {
        return None;
    }
    let kinds: Vec<&String> = names.iter().step_by(2).collect();
    let (last, around) = kinds.split_last()?;
    if around.iter().any(|kind| *kind != "module") || *last == "data" {
        return None;
    }
    let kind = (*last != "module").then(|| (*last).clone());
    Some(Endpoint {
        address,
        kind,
        has_key,
    })
}
