//! The module that joins each policy, so that every rule of the contract has a value.
//!
//! Booleans are false by default, sets have a member that never is, and `result` gathers all
//! rules that the policy defines: one query gives the whole answer. A string is in a set there,
//! since it may be undefined. What the policy defaults itself is left alone.

use std::fmt::Write;

use regorus::unstable::Module;

use super::contract::{self, RESULT, Shape};
use super::kind::PolicyType;
use super::source::{PACKAGE, defaulted_rules, defined_rules, rule_names};

/// Collections of `input.terraform.resource_changes` that plan policies may use by name.
const ALIASES: [(&str, &str); 5] = [
    (
        "affected_resources",
        "some action in {\"create\", \"delete\", \"update\"}\n\taction in resource.change.actions",
    ),
    ("created_resources", "\"create\" in resource.change.actions"),
    ("deleted_resources", "\"delete\" in resource.change.actions"),
    (
        "recreated_resources",
        "{\"create\", \"delete\"} & {action | some action in resource.change.actions} == {\"create\", \"delete\"}",
    ),
    ("updated_resources", "\"update\" in resource.change.actions"),
];

/// The names of all rules that a prelude may define.
pub(super) fn names(kind: PolicyType) -> impl Iterator<Item = &'static str> {
    let aliases = ALIASES.iter().filter(move |_| kind == PolicyType::Plan);
    contract::defined(kind).chain(aliases.map(|(name, _)| *name))
}

/// The prelude of a policy, in Rego v1.
pub(super) fn prelude(kind: PolicyType, module: &Module) -> String {
    let defaulted = defaulted_rules(module);
    let defined = defined_rules(module);
    let names = rule_names(module);
    let mut text = format!("package {PACKAGE}\n\nimport rego.v1\n");
    let mut result = String::new();
    for (rule, shape) in contract::rules(kind) {
        // Writing to a string cannot fail.
        let _ = match shape {
            Shape::Boolean if defaulted.contains(*rule) => Ok(()),
            Shape::Boolean => write!(text, "\ndefault {rule} := false\n"),
            Shape::Texts | Shape::Objects => {
                write!(text, "\n{rule} contains \"\" if false\n")
            }
            Shape::Text => Ok(()),
        };
        let _ = match shape {
            _ if !names.contains(*rule) => Ok(()),
            Shape::Text => writeln!(result, "\t\"{rule}\": {{value | value := {rule}}},"),
            _ => writeln!(result, "\t\"{rule}\": {rule},"),
        };
    }
    let _ = write!(text, "\n{RESULT} := {{\n{result}}}\n");
    if kind == PolicyType::Plan {
        for (alias, condition) in ALIASES {
            if !defined.contains(alias) {
                let _ = write!(
                    text,
                    "\n{alias} contains resource if {{\n\tsome resource in input.terraform.resource_changes\n\t{condition}\n}}\n"
                );
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::kind::{Engine, PolicyType};
    use super::super::source::parse;
    use super::prelude;

    #[test]
    fn what_the_policy_defines_itself_is_left_alone() {
        let text = |kind, body: &str| {
            let body = format!("package spacelift\n{body}");
            prelude(kind, &parse("p", Engine::RegoV0, &body).unwrap())
        };
        let push = text(PolicyType::GitPush, "default track = true\nlock = \"a\"");
        // OPA refuses a second default.
        assert!(!push.contains("default track"), "{push}");
        assert!(push.contains("default propose := false\n"), "{push}");
        assert!(
            push.contains("\"lock\": {value | value := lock},\n"),
            "{push}"
        );
        assert!(!push.contains("unlock"), "{push}");
        assert!(!push.contains("\"propose\": "), "{push}");
        assert!(!push.contains("_resources"), "{push}");

        let plan = text(PolicyType::Plan, "created_resources = 1");
        assert!(!plan.contains("\ncreated_resources"), "{plan}");
        assert!(plan.contains("deleted_resources contains"), "{plan}");
    }
}
