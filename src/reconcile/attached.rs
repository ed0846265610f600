//! The policies that judge a stack, read from recorded or desired objects.

use std::collections::BTreeSet;

use crate::policy::{Engine, Policy, PolicyError, PolicyType};
use crate::problem::Problem;
use crate::stack::Object;

/// The policies of one type that judge a stack: those attached to it, and those that attach
/// themselves by `autoattach:` and one of its labels.
pub(super) fn attached(
    objects: &[Object],
    stack: &str,
    labels: &[String],
    kind: PolicyType,
) -> Result<Vec<Policy>, Problem> {
    let by_attachment: BTreeSet<&str> = objects
        .iter()
        .filter(|object| object.kind == "spacelift_policy_attachment")
        .filter(|attachment| attachment.text("stack_id") == stack)
        .map(|attachment| attachment.text("policy_id"))
        .collect();
    let attaches_itself = |policy: &Object| {
        let own = policy
            .attributes
            .get("labels")
            .and_then(serde_json::Value::as_array);
        own.into_iter()
            .flatten()
            .filter_map(|label| label.as_str()?.strip_prefix("autoattach:"))
            .any(|wanted| wanted == "*" || labels.iter().any(|label| label == wanted))
    };
    let is_known = |id: &&str| {
        objects
            .iter()
            .any(|object| object.kind == "spacelift_policy" && object.id() == *id)
    };
    if let Some(missing) = by_attachment.iter().find(|id| !is_known(id)) {
        return Err(Problem::error(format!(
            "policy {missing} is attached to stack {stack} but cannot be used"
        )));
    }
    objects
        .iter()
        .filter(|object| object.kind == "spacelift_policy")
        .filter(|policy| {
            policy
                .text("type")
                .parse::<PolicyType>()
                .is_ok_and(|own| own == kind)
        })
        .filter(|policy| by_attachment.contains(policy.id()) || attaches_itself(policy))
        .map(|policy| read_policy(policy).map_err(|error| problem_of(policy, &error)))
        .collect()
}

/// Reads a recorded or desired `spacelift_policy`.
pub(super) fn read_policy(policy: &Object) -> Result<Policy, PolicyError> {
    // Spacelift's default engine is the first.
    let engine = match policy.text("engine_type") {
        "" => Engine::default(),
        word => word.parse()?,
    };
    Policy::read(
        policy.id(),
        policy.text("type").parse()?,
        engine,
        policy.text("body"),
    )
}

/// The error, where the policy stands.
pub(super) fn problem_of(policy: &Object, error: &PolicyError) -> Problem {
    Problem::error(error.to_string()).in_file(policy.origin.file.clone())
}
