//! One object of the stack manager: a stack, a variable, a policy, a destructor, …

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::module::{Resource, schema};

/// An object as it is recorded; cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// What the repository said of it when it was recorded.
    pub resource: Arc<Resource>,
    pub phase: Phase,
}

/// How far an object is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Active,
    /// Its stack is being destroyed; the object is there until that is done.
    Deleting,
    /// A stack that left without a destructor: its resources may still be there.
    Orphaned,
}

impl Deref for Object {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        &self.resource
    }
}

impl Object {
    /// The resource as it will be recorded.
    pub fn from_resource(resource: &Arc<Resource>) -> Self {
        Self {
            resource: resource.clone(),
            phase: Phase::Active,
        }
    }

    /// The attribute or nested block, also where it is not set.
    pub fn value(&self, attribute: &str) -> Cow<'_, Value> {
        match self.attributes.get(attribute) {
            Some(value) => Cow::Borrowed(value),
            None => Cow::Owned(schema::unset(&self.kind, attribute)),
        }
    }

    /// Every attribute and nested block of its type, also those that are not set.
    pub fn values(&self) -> Map<String, Value> {
        let own = self.attributes.iter();
        let mut values: Map<String, Value> = own
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        for name in schema::names(&self.kind) {
            if !values.contains_key(name) {
                values.insert(name.to_owned(), schema::unset(&self.kind, name));
            }
        }
        values
    }

    /// The attribute as text; empty where it is none.
    pub fn text(&self, attribute: &str) -> &str {
        self.attributes
            .get(attribute)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The texts of a list or set; none where the attribute is neither.
    pub fn texts(&self, attribute: &str) -> Vec<String> {
        let items = self.attributes.get(attribute).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    }

    pub fn flag(&self, attribute: &str) -> bool {
        self.attributes
            .get(attribute)
            .and_then(Value::as_bool)
            .unwrap_or_default()
    }

    /// Whether the repository's files make the attribute or nested block sensitive.
    pub fn is_sensitive(&self, attribute: &str) -> bool {
        self.sensitive.iter().any(|name| name == attribute)
    }

    pub fn id(&self) -> &str {
        self.text("id")
    }

    pub fn is_stack(&self) -> bool {
        self.kind == "spacelift_stack"
    }

    /// The stack that this object is or belongs to; empty where there is none.
    pub fn stack_id(&self) -> &str {
        if self.is_stack() {
            self.id()
        } else {
            self.text("stack_id")
        }
    }

    /// What is told of it beside its kind: the id of a stack, `stack/NAME` of a variable, …
    pub fn title(&self) -> &str {
        if self.id().is_empty() {
            &self.address
        } else {
            self.id()
        }
    }

    /// What a preview is counted by: its environment, or the stack itself outside of one.
    pub fn unit(&self) -> &str {
        self.origin
            .environment()
            .map_or(&self.address, |call| &call.address)
    }
}
