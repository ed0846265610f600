//! What a PLAN policy is asked: may this plan be applied.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Commit, Request, Run, Stack};
use crate::policy::sanitize::{sanitized_value, sanitized_where};

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlanInput {
    pub spacelift: PlanContext,
    pub terraform: TerraformPlan,
    pub third_party_metadata: ThirdPartyMetadata,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlanContext {
    pub commit: Commit,
    /// The contract leaves the field out on a stack's first run, so that
    /// `not input.spacelift.previous_run` holds then; a null would not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_run: Option<Run>,
    pub request: Request,
    pub run: Run,
    pub stack: Stack,
}

/// What the stack's own tools say, by the name of the file `NAME.custom.spacelift.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ThirdPartyMetadata {
    pub custom: Map<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TerraformPlan {
    pub resource_changes: Vec<ResourceChange>,
    pub terraform_version: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ResourceChange {
    pub address: String,
    /// None in the root module.
    pub module_address: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    pub provider_name: String,
    pub change: ResourceDifference,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ResourceDifference {
    pub actions: Vec<String>,
    /// Null for what is created.
    pub before: Value,
    /// Null for what is deleted.
    pub after: Value,
}

/// Which strings of a plan are sanitised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sanitization {
    /// All of them: Spacelift's default.
    #[default]
    All,
    /// Those that Terraform marks as sensitive (`terraform_smart_sanitization`).
    Sensitive,
    /// None (the label `feature:disable_resource_sanitization`).
    Off,
}

impl TerraformPlan {
    /// The part of a plan that policies see, from what `terraform show -json` prints. What is
    /// not there is empty.
    pub fn from_show(plan: &Value, sanitization: Sanitization) -> Self {
        let changes = plan["resource_changes"]
            .as_array()
            .map_or(&[] as &[Value], Vec::as_slice);
        Self {
            resource_changes: changes
                .iter()
                .map(|change| read(change, sanitization))
                .collect(),
            terraform_version: text(&plan["terraform_version"]),
        }
    }

    /// The plan with each value as `clean` gives it.
    #[must_use]
    pub fn cleaned(mut self, clean: impl Fn(Value) -> Value) -> Self {
        for ResourceDifference { before, after, .. } in
            self.resource_changes.iter_mut().map(|it| &mut it.change)
        {
            *before = clean(before.take());
            *after = clean(after.take());
        }
        self
    }
}

fn read(resource: &Value, sanitization: Sanitization) -> ResourceChange {
    let change = &resource["change"];
    let side = |value: &str, mask: &str| match sanitization {
        Sanitization::All => sanitized_value(&change[value]),
        Sanitization::Sensitive => sanitized_where(&change[value], &change[mask]),
        Sanitization::Off => change[value].clone(),
    };
    ResourceChange {
        address: text(&resource["address"]),
        module_address: resource["module_address"].as_str().map(str::to_owned),
        kind: text(&resource["type"]),
        name: text(&resource["name"]),
        provider_name: text(&resource["provider_name"]),
        change: ResourceDifference {
            actions: change["actions"]
                .as_array()
                .map_or_else(Vec::new, |actions| actions.iter().map(text).collect()),
            before: side("before", "before_sensitive"),
            after: side("after", "after_sensitive"),
        },
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{PlanInput, Sanitization, TerraformPlan};

    #[test]
    fn a_plan_is_read_and_sanitised() {
        let shown = json!({
            "format_version": "1.2",
            "terraform_version": "1.11.4",
            "resource_changes": [{
                "address": "module.a.terraform_data.page",
                "module_address": "module.a",
                "mode": "managed",
                "type": "terraform_data",
                "name": "page",
                "provider_name": "terraform.io/builtin/terraform",
                "change": {
                    "actions": ["create"],
                    "before": null,
                    "after": {"input": "abc", "token": "abc", "count": 1},
                    "before_sensitive": false,
                    "after_sensitive": {"token": true},
                },
            }],
        });
        let after = |sanitization| {
            let plan = TerraformPlan::from_show(&shown, sanitization);
            assert_eq!(plan.terraform_version, "1.11.4");
            assert_eq!(plan.resource_changes[0].change.actions, ["create"]);
            assert_eq!(plan.resource_changes[0].change.before, json!(null));
            plan.resource_changes[0].change.after.clone()
        };
        assert_eq!(
            after(Sanitization::All),
            json!({"input": "f20015ad", "token": "f20015ad", "count": 1})
        );
        assert_eq!(
            after(Sanitization::Sensitive),
            json!({"input": "abc", "token": "f20015ad", "count": 1})
        );
        assert_eq!(
            after(Sanitization::Off),
            json!({"input": "abc", "token": "abc", "count": 1})
        );
    }

    #[test]
    fn the_previous_run_is_left_out_on_the_first_one() {
        let input = serde_json::to_value(PlanInput::default()).unwrap();
        assert!(input["spacelift"].get("previous_run").is_none());
        assert!(
            input["spacelift"]["run"]
                .get("triggered_by")
                .unwrap()
                .is_null()
        );
    }
}
