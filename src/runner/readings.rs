//! What the tool's JSON says: counts of a plan, outputs, what a state holds. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::outcome::Counts;

/// How many resources the plan adds, changes and destroys; a replaced one is added and destroyed,
/// as in the tool's own summary.
pub(super) fn counts(plan: &Value) -> Counts {
    let mut counts = Counts::default();
    for change in items(&plan["resource_changes"]) {
        for action in items(&change["change"]["actions"]) {
            match action.as_str() {
                Some("create") => counts.add += 1,
                Some("update") => counts.change += 1,
                Some("delete") => counts.destroy += 1,
                _ => {}
            }
        }
    }
    counts
}

/// The values of `output -json` or of a state, which says only of sensitive ones whether they are:
/// those that are not, and those that are.
pub(super) fn outputs(printed: &Value) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
    let outputs = printed.as_object().into_iter().flatten();
    let values = outputs.map(|(name, output)| {
        let is_plain = matches!(output["sensitive"], Value::Null | Value::Bool(false));
        (is_plain, (name.clone(), output["value"].clone()))
    });
    let (plain, sensitive): (Vec<_>, Vec<_>) = values.partition(|(is_plain, _)| *is_plain);
    let named = |values: Vec<_>| values.into_iter().map(|(_, named)| named).collect();
    (named(plain), named(sensitive))
}

/// One object that a state holds, or that a tool speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    /// As the tool prints it, with the key of a deposed object.
    pub(super) address: String,
    /// Where it is known.
    pub(super) id: Option<String>,
}

impl Instance {
    /// Whether both may be the same: an id that is not known may be any.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        let is_same_id = self.id.is_none() || other.id.is_none() || self.id == other.id;
        self.address == other.address && is_same_id
    }
}

/// The managed objects of a state as the tool writes it into its file; `None` of what is no such state.
pub(super) fn instances(state: &Value) -> Option<Vec<Instance>> {
    if state["version"] != 4 {
        return None;
    }
    let resources = state["resources"].as_array()?.iter();
    let managed = resources.filter(|resource| resource["mode"] == "managed");
    let instances = managed.flat_map(|resource| {
        let text = |name: &str| resource[name].as_str().unwrap_or_default();
        let module = match text("module") {
            "" => String::new(),
            module => format!("{module}."),
        };
        let address = format!("{module}{}.{}", text("type"), text("name"));
        items(&resource["instances"]).iter().map(move |instance| {
            let key = match &instance["index_key"] {
                Value::Null => String::new(),
                key => format!("[{key}]").replace("${", "$${").replace("%{", "%%{"),
            };
            let deposed = match instance["deposed"].as_str() {
                None | Some("") => String::new(),
                Some(key) => format!(" (deposed object {key})"),
            };
            Instance {
                address: format!("{address}{key}{deposed}"),
                id: instance["attributes"]["id"].as_str().map(str::to_owned),
            }
        })
    });
    Some(instances.collect())
}

/// The address of each resource that the state printed by `show -json` still holds, sorted.
pub(super) fn addresses(state: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(&state["values"]["root_module"], &mut found);
    found.sort();
    found
}

fn collect(module: &Value, found: &mut Vec<String>) {
    for resource in items(&module["resources"]) {
        let address = resource["address"]
            .as_str()
            .unwrap_or("a resource without an address");
        found.push(match resource["deposed_key"].as_str() {
            Some(key) => format!("{address} (deposed {key})"),
            None => address.to_owned(),
        });
    }
    for child in items(&module["child_modules"]) {
        collect(child, found);
    }
}

/// How many resources a destroy says that it destroyed; `None` if the line says nothing of it.
pub(super) fn destroyed(line: &str) -> Option<u64> {
    let count = line.trim().strip_prefix("Destroy complete! Resources: ")?;
    count.strip_suffix(" destroyed.")?.parse().ok()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{addresses, counts, destroyed, outputs};
    use crate::runner::outcome::Counts;

    #[test]
    fn a_replaced_resource_is_added_and_destroyed() {
        let change = |actions: &[&str]| json!({"change": {"actions": actions}});
        let plan = json!({"resource_changes": [
            change(&["create"]), change(&["update"]), change(&["delete", "create"]),
            change(&["no-op"]), change(&["read"]), {},
        ]});
        assert_eq!(
            counts(&plan),
            Counts {
                add: 2,
                change: 1,
                destroy: 1
            }
        );
        assert_eq!(counts(&json!({})), Counts::default());
    }

    #[test]
    fn sensitive_outputs_are_kept_apart() {
        let printed = json!({
            "url": {"sensitive": false, "type": "string", "value": "u"},
            "password": {"sensitive": true, "type": "string", "value": "p"},
            "port": {"type": "number", "value": 1},
            "odd": {"sensitive": "true", "type": "string", "value": "p"},
        });
        let plain = [
            ("port".to_owned(), json!(1)),
            ("url".to_owned(), json!("u")),
        ];
        let sensitive = ["odd", "password"].map(|name| (name.to_owned(), json!("p")));
        assert_eq!(outputs(&printed), (plain.into(), sensitive.into()));
    }

    #[test]
    fn a_state_is_empty_only_without_any_resource() {
        assert!(addresses(&json!({"format_version": "1.0"})).is_empty());
        let state = json!({"values": {"root_module": {
            "resources": [{"address": "b.b"}, {"address": "a.a", "deposed_key": "k"}],
            "child_modules": [{"child_modules": [{"resources": [{"address": "module.m.c.c"}]}]}],
        }}});
        assert_eq!(
            addresses(&state),
            ["a.a (deposed k)", "b.b", "module.m.c.c"]
        );
    }

    #[test]
    fn the_count_of_a_destroy_is_read_from_its_last_line() {
        assert_eq!(
            destroyed("Destroy complete! Resources: 3 destroyed."),
            Some(3)
        );
        assert_eq!(destroyed("something else"), None);
    }
}
