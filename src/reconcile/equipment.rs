//! The contexts and roles of stacks, as policies are told of them.

use std::collections::BTreeMap;

use super::attached::attaches_itself;
use crate::policy::input::Role;
use crate::stack::Object;

/// What is attached to stacks beside policies.
#[derive(Default)]
pub(super) struct Equipment {
    /// The attached contexts of each stack, by their priorities.
    attached: BTreeMap<String, Vec<(i64, String)>>,
    /// Those that attach themselves, by name, with the object that says to which stacks.
    own_accord: Vec<Object>,
    roles: BTreeMap<String, Vec<Role>>,
}

impl Equipment {
    /// That among `objects`.
    pub(super) fn of<'o>(objects: impl Iterator<Item = &'o Object> + Clone) -> Self {
        let of_kind = |kind: &'static str| {
            let all = objects.clone();
            all.filter(move |object| object.kind == kind)
        };
        let names: BTreeMap<&str, &str> = of_kind("spacelift_role")
            .map(|role| (role.id(), role.text("name")))
            .collect();
        let mut equipment = Self::default();
        let is_own = |object: &&Object| !object.text("stack_id").is_empty();
        for attachment in of_kind("spacelift_role_attachment").filter(is_own) {
            let id = attachment.text("role_id");
            let stack = attachment.text("stack_id").to_owned();
            equipment.roles.entry(stack).or_default().push(Role {
                id: id.to_owned(),
                // One that stands elsewhere is told by its slug.
                name: names.get(id).copied().unwrap_or(id).to_owned(),
            });
        }
        for attachment in of_kind("spacelift_context_attachment").filter(is_own) {
            let priority = attachment.attributes.get("priority");
            let priority = priority.and_then(serde_json::Value::as_i64);
            let context = attachment.text("context_id").to_owned();
            let stack = attachment.text("stack_id").to_owned();
            let attached = equipment.attached.entry(stack).or_default();
            attached.push((priority.unwrap_or_default(), context));
        }
        for attached in equipment.attached.values_mut() {
            attached.sort_by_key(|(priority, _)| *priority);
        }
        for roles in equipment.roles.values_mut() {
            roles.sort_by(|a, b| a.id.cmp(&b.id));
        }
        let attaches = |context: &&Object| {
            let labels = context.texts("labels");
            labels.iter().any(|label| label.starts_with("autoattach:"))
        };
        let own_accord = of_kind("spacelift_context").filter(attaches);
        equipment.own_accord = own_accord.cloned().collect();
        equipment
            .own_accord
            .sort_by(|a, b| a.text("name").cmp(b.text("name")));
        equipment
    }

    /// The slugs of the stack's contexts, that first whose values win over those of the others.
    pub(super) fn contexts(&self, stack: &str, labels: &[String]) -> Vec<String> {
        let attached = self.attached.get(stack).into_iter().flatten();
        let mut contexts: Vec<String> = attached.map(|(_, context)| context.clone()).collect();
        for context in &self.own_accord {
            let id = context.id().to_owned();
            if attaches_itself(context, labels) && !contexts.contains(&id) {
                contexts.push(id);
            }
        }
        contexts
    }

    pub(super) fn roles(&self, stack: &str) -> Vec<Role> {
        self.roles.get(stack).cloned().unwrap_or_default()
    }
}
