//! What dayfly and OPA say of a case: the value of every rule in the package.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use dayfly::policy::{Engine, Policy};
use serde_json::{Value, json};

use super::corpus::Case;

/// Two values for one rule, say: whoever meets it gives no answer.
fn no_answer() -> Value {
    json!("no answer")
}

pub(crate) fn said_by_dayfly(case: &Case) -> Value {
    let policy = match Policy::read(&case.name, case.kind, case.engine, &case.policy) {
        Ok(policy) => policy,
        Err(error) => return json!(format!("refused: {error}")),
    };
    policy.document(&case.input).unwrap_or_else(|_| no_answer())
}

/// An error that says what to do, where there is no `opa`.
pub(crate) fn find_opa() -> Result<()> {
    let found = Command::new("opa").arg("version").output();
    found.map(drop).map_err(|error| {
        anyhow::anyhow!(
            "opa cannot be started ({error}): run scripts/opa-agrees, which installs it, or \
             PATH=\"$(scripts/tools opa):$PATH\""
        )
    })
}

/// OPA gets the policy with dayfly's prelude, and with `sanitized`, which it lacks.
pub(crate) fn said_by_opa(case: &Case) -> Result<Value> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    let policy = Policy::read(&case.name, case.kind, case.engine, &case.policy)
        .with_context(|| case.name.clone())?;
    fs::write(path("policy.rego"), &case.policy)?;
    fs::write(path("prelude.rego"), policy.prelude())?;
    fs::write(
        path("sanitized.rego"),
        include_str!("../../policies/sanitized.rego"),
    )?;
    fs::write(path("input.json"), case.input.to_string())?;
    let mut command = Command::new("opa");
    command.args(["eval", "--format", "json", "--data"]);
    command
        .arg(directory.path())
        .arg("--input")
        .arg(path("input.json"));
    if case.engine == Engine::RegoV0 {
        command.arg("--v0-compatible");
    }
    // The input lies beside the policies, and is no data.
    command.args(["--ignore", "input.json", "data.spacelift"]);
    let output = command.output()?;
    let said: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    if let Some(errors) = said["errors"].as_array() {
        let is_read = errors
            .iter()
            .all(|error| error["code"] == "eval_conflict_error");
        if !is_read {
            bail!("{}: opa refuses it: {said}", case.name);
        }
        return Ok(no_answer());
    }
    let mut value = said["result"][0]["expressions"][0]["value"].clone();
    if let Some(rules) = value.as_object_mut() {
        // All of the prelude's own: it repeats the others.
        for name in [
            "result",
            "affected_resources",
            "created_resources",
            "deleted_resources",
            "recreated_resources",
            "updated_resources",
        ] {
            rules.remove(name);
        }
    }
    Ok(value)
}

/// The engine's numbers are floats; OPA's have some digits more.
const EPSILON: f64 = 1e-15;

pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => (left - right).abs() <= EPSILON * left.abs(),
            _ => false,
        },
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, l)| right.get(key).is_some_and(|r| same(l, r)))
        }
        _ => left == right,
    }
}
