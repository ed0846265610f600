//! CHANGE of the contract: one entity of a run that is added, changed, replaced or deleted.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::policy::sanitize::sanitized_values;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub phase: Phase,
    pub action: Action,
    pub moved: bool,
    pub entity: Entity,
}

/// When the change was seen. A resource normally appears in both phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Plan,
    Apply,
}

/// What happens to the entity, in Spacelift's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Action {
    #[serde(rename = "added")]
    Added,
    #[serde(rename = "changed")]
    Changed,
    #[serde(rename = "deleted")]
    Deleted,
    #[serde(rename = "destroy-Before-create-replaced")]
    ReplacedAfterDestroy,
    #[serde(rename = "create-Before-destroy-replaced")]
    ReplacedBeforeDestroy,
    #[serde(rename = "import")]
    Import,
    #[serde(rename = "forget")]
    Forget,
    #[serde(rename = "read")]
    Read,
    #[serde(rename = "no-op")]
    NoOp,
}

impl Action {
    /// The action that Terraform's `change.actions` stand for; `None` if they are unknown. An
    /// import has actions of its own: the caller sees it in `change.importing`.
    pub fn from_terraform(actions: &[&str]) -> Option<Self> {
        match actions {
            ["create"] => Some(Self::Added),
            ["update"] => Some(Self::Changed),
            ["delete"] => Some(Self::Deleted),
            ["delete", "create"] => Some(Self::ReplacedAfterDestroy),
            ["create", "delete"] => Some(Self::ReplacedBeforeDestroy),
            ["forget"] => Some(Self::Forget),
            ["read"] => Some(Self::Read),
            ["no-op"] => Some(Self::NoOp),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entity {
    pub address: String,
    pub name: String,
    /// The full type of a resource; `output` for an output.
    #[serde(rename = "type")]
    pub kind: String,
    pub entity_vendor: String,
    pub entity_type: EntityType,
    pub data: EntityData,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityType {
    Resource,
    Output,
    Module,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EntityData {
    /// The attributes, with sanitised strings.
    pub values: Map<String, Value>,
}

impl Change {
    /// The change of a Terraform resource. `values` come plain and are sanitised here.
    pub fn resource(
        phase: Phase,
        action: Action,
        address: &str,
        kind: &str,
        name: &str,
        values: &Map<String, Value>,
    ) -> Self {
        Self {
            phase,
            action,
            moved: false,
            entity: Entity {
                address: address.to_owned(),
                name: name.to_owned(),
                kind: kind.to_owned(),
                entity_vendor: "terraform".to_owned(),
                entity_type: EntityType::Resource,
                data: EntityData {
                    values: sanitized_values(values),
                },
            },
        }
    }

    /// The change of an output; its value, sanitised here, is under `value`.
    pub fn output(phase: Phase, action: Action, name: &str, value: &Value) -> Self {
        let mut values = Map::new();
        values.insert("value".to_owned(), value.clone());
        let mut change = Self::resource(
            phase,
            action,
            &format!("output.{name}"),
            "output",
            name,
            &values,
        );
        change.entity.entity_type = EntityType::Output;
        change
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Action, Change, Phase};

    #[test]
    fn a_change_has_the_shape_of_the_contract() {
        let values = json!({"stack_id": "abc", "write_only": false});
        let change = Change::resource(
            Phase::Apply,
            Action::ReplacedAfterDestroy,
            "module.a.spacelift_environment_variable.version",
            "spacelift_environment_variable",
            "version",
            values.as_object().unwrap(),
        );
        assert_eq!(
            serde_json::to_value(change).unwrap(),
            json!({
                "phase": "apply",
                "action": "destroy-Before-create-replaced",
                "moved": false,
                "entity": {
                    "address": "module.a.spacelift_environment_variable.version",
                    "name": "version",
                    "type": "spacelift_environment_variable",
                    "entity_vendor": "terraform",
                    "entity_type": "resource",
                    "data": {"values": {"stack_id": "f20015ad", "write_only": false}},
                }
            })
        );
    }

    #[test]
    fn actions_are_those_of_terraform() {
        for (actions, action) in [
            (vec!["create"], Some("added")),
            (vec!["update"], Some("changed")),
            (vec!["delete"], Some("deleted")),
            (
                vec!["delete", "create"],
                Some("destroy-Before-create-replaced"),
            ),
            (
                vec!["create", "delete"],
                Some("create-Before-destroy-replaced"),
            ),
            (vec!["forget"], Some("forget")),
            (vec!["read"], Some("read")),
            (vec!["no-op"], Some("no-op")),
            (vec!["explode"], None),
            (vec![], None),
        ] {
            let found = Action::from_terraform(&actions);
            assert_eq!(
                found.map(|found| serde_json::to_value(found).unwrap()),
                action.map(|action| json!(action)),
                "{actions:?}"
            );
        }
    }
}
