//! One object of the stack manager: a stack, a variable, a policy, a destructor, …

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::module::{Origin, Resource};

/// An object as it is recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// As Terraform prints it: `module.a.spacelift_stack.this`.
    pub address: String,
    /// The resource type: `spacelift_stack`.
    pub kind: String,
    pub name: String,
    pub attributes: Map<String, Value>,
    pub depends_on: Vec<String>,
    pub origin: Origin,
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

impl Object {
    /// The resource as it will be recorded.
    pub fn from_resource(resource: &Resource) -> Self {
        Self {
            address: resource.address.clone(),
            kind: resource.kind.clone(),
            name: resource.name.clone(),
            attributes: resource.attributes.clone(),
            depends_on: resource.depends_on.clone(),
            origin: resource.origin.clone(),
            phase: Phase::Active,
        }
    }

    /// The attribute as text; empty where it is none.
    pub fn text(&self, attribute: &str) -> &str {
        self.attributes
            .get(attribute)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub fn flag(&self, attribute: &str) -> bool {
        self.attributes
            .get(attribute)
            .and_then(Value::as_bool)
            .unwrap_or_default()
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
