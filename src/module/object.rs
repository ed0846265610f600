//! A resource evaluated: its attributes and its id.

use std::cell::RefCell;
use std::sync::Arc;

use super::attributes::{Findings, attributes};
use super::definitions::Resource;
use super::evaluator::Evaluator;
use super::expression::{Evaluated, Frame, Stop, start};
use super::identity;
use super::instance::{Dependencies, Instance, Repetition, Slot, Slots};
use super::names::ModuleNames;
use super::nearest::nearest;
use super::resource::Attributes;
use super::schema;
use super::value::Value;
use crate::problem::Severity;

/// Resource types that the provider keeps for older repositories only, and what it has in their place. Its
/// documentation says so, its schema does not.
const DEPRECATED: [(&str, &str); 2] = [
    ("spacelift_aws_role", INTEGRATION),
    ("spacelift_stack_aws_role", INTEGRATION),
];
const INTEGRATION: &str = "spacelift_aws_integration and spacelift_aws_integration_attachment";

/// One resource of the tree, evaluated or not.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub id: usize,
    pub address: Arc<str>,
    pub instance: usize,
    /// The index of its block among the module's resources.
    pub resource: usize,
    pub repetition: Repetition,
    /// What the number of its kind, and of its module's instances, depended on.
    pub base: Dependencies,
    /// The one slot of the object.
    pub object: Slots<Arc<Object>>,
    /// All that it refers to, some of it several times, once it is evaluated.
    pub dependencies: RefCell<Option<Vec<usize>>>,
    /// What is left of the object, once nobody refers to it any more.
    pub made: RefCell<Option<Made>>,
}

/// What becomes of an object.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub id: String,
    pub attributes: Attributes,
    /// The names of those that hold something sensitive.
    pub sensitive: Arc<[String]>,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub id: String,
    /// Those that are set.
    pub attributes: Box<[(&'static str, Value)]>,
}

impl Item {
    pub(super) fn new(
        id: usize,
        address: Arc<str>,
        instance: usize,
        resource: usize,
        repetition: Repetition,
        base: Dependencies,
    ) -> Self {
        let object = RefCell::new(vec![Slot::Open]);
        Self {
            id,
            address,
            instance,
            resource,
            repetition,
            base,
            object,
            dependencies: RefCell::default(),
            made: RefCell::default(),
        }
    }

    /// Has the object, if it could be evaluated, become what is left of it: the two forms of all objects
    /// are never in memory at once.
    pub(super) fn finish(&self) {
        let Some(Slot::Done(Some(object), _)) = self.object.take().pop() else {
            return;
        };
        let Object { id, attributes } = Arc::unwrap_or_clone(object);
        let sensitive = attributes
            .iter()
            .filter(|(_, value)| value.holds_sensitive());
        let sensitive = sensitive.map(|(name, _)| (*name).to_owned()).collect();
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| (name, value.to_json()));
        *self.made.borrow_mut() = Some(Made {
            id,
            attributes: Attributes::of_schema(attributes),
            sensitive,
        });
    }

    /// Refuses resources that are not of Spacelift's provider.
    pub(super) fn check_kind(
        evaluator: &Evaluator<'_>,
        instance: &Instance,
        resource: &Resource,
    ) -> Evaluated<()> {
        let kind = &resource.kind;
        if schema::resource(kind).is_some() {
            if let Some((_, instead)) = DEPRECATED.iter().find(|(old, _)| old == kind) {
                let mut warning = resource.place.problem(format!("{kind} is deprecated"));
                warning.severity = Severity::Warning;
                evaluator.add_problem(instance, warning.with_hint(format!("use {instead}")));
            }
            return Ok(());
        }
        let problem = if kind.starts_with("spacelift_") {
            let message = format!("there is no resource type {kind}, or it is not supported");
            let near = nearest(kind, schema::kinds());
            let problem = resource.place.problem(message);
            match near {
                Some(near) => problem.with_hint(format!("did you mean {near}?")),
                None => problem,
            }
        } else {
            let message =
                format!("the resource type {kind} is not supported in a manager repository");
            let hint = "what all previews share belongs into the service's common stack: move the \
                        block into a repository of its own and add a spacelift_stack for that here";
            let problem = resource.place.problem(message).with_hint(hint);
            problem.with_block(resource.text())
        };
        evaluator.add_problem(instance, problem);
        Err(Stop::Reported)
    }
}

impl Object {
    pub(super) fn evaluate(
        evaluator: &Evaluator<'_>,
        instance: &Instance,
        resource: &Resource,
        item: &Item,
        depth: usize,
    ) -> Evaluated<Arc<Self>> {
        let Some(schema) = schema::resource(&resource.kind) else {
            return Err(Stop::Reported);
        };
        let names = ModuleNames::new(evaluator, instance, &item.repetition);
        let place = &resource.place;
        let frame = Frame {
            source: &place.source,
            names: &names,
            bindings: None,
            depth,
        };
        for check in &resource.preconditions {
            evaluator.check(check, "a precondition does not hold", &frame)?;
        }
        let mut findings = Findings::default();
        let mut attributes = attributes(
            &resource.kind,
            schema,
            &resource.body,
            place.offset,
            &frame,
            &mut findings,
        );
        for warning in findings.warnings {
            evaluator.add_problem(instance, warning);
        }
        if !findings.stops.is_empty() {
            for stop in findings.stops {
                evaluator.settle::<()>(instance, Err(stop));
            }
            return Err(Stop::Reported);
        }
        let id = identity::id(&resource.kind, &item.address, &attributes).map_err(|no_id| {
            let attribute = no_id
                .attribute
                .and_then(|name| resource.body.get_attribute(name));
            let offset = attribute.and_then(start).or(place.offset);
            frame.mistake(no_id.message, offset)
        })?;
        attributes.insert("id", Value::string(&id));
        if resource.kind == "spacelift_stack" {
            attributes.insert("slug", Value::string(&id));
        }
        let object = Self {
            id,
            attributes: attributes.into_sorted().into(),
        };
        if !resource.postconditions.is_empty() {
            let value = object.value(schema);
            let with_self = ModuleNames {
                this: Some(&value),
                ..names
            };
            let frame = Frame {
                names: &with_self,
                ..frame
            };
            for check in &resource.postconditions {
                evaluator.check(check, "a postcondition does not hold", &frame)?;
            }
        }
        Ok(Arc::new(object))
    }

    /// What a reference to the whole of it sees: all but the attributes that only Spacelift knows.
    pub(super) fn value(&self, schema: &schema::Block) -> Value {
        let names = schema.attributes.keys().chain(schema.blocks.keys());
        let visible = names.filter_map(|name| Some((name.clone(), self.attribute(schema, name)?)));
        Value::object(visible)
    }

    /// What a reference to one attribute or block sees; `None` if the type has none of that name, or
    /// if only Spacelift knows it.
    pub(super) fn attribute(&self, schema: &schema::Block, name: &str) -> Option<Value> {
        let own = self
            .attributes
            .binary_search_by(|(known, _)| known.cmp(&name));
        let own = own.ok().map(|index| self.attributes[index].1.clone());
        let Some(attribute) = schema.attributes.get(name) else {
            return own.or_else(|| schema.blocks.get(name).map(|_| Value::tuple([])));
        };
        let null = || Value::Null(attribute.kind.clone());
        let value = match own {
            // It is told to the provider and to nobody after that.
            Some(_) if attribute.write_only => null(),
            Some(value) => value,
            None if attribute.computed => return None,
            None => null(),
        };
        Some(value.marked(attribute.sensitive))
    }
}
