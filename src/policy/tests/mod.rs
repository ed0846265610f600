//! The contract, held against policies as people write them.

use super::{Engine, Policy, PolicyError, PolicyType};

mod combination;
mod compiling;
mod reading;
mod testing;
mod values;

/// The body, in Rego v0 and in package `spacelift`.
fn policy(kind: PolicyType, body: &str) -> Policy {
    read(kind, Engine::RegoV0, body).unwrap()
}

fn read(kind: PolicyType, engine: Engine, body: &str) -> Result<Policy, PolicyError> {
    Policy::read("p", kind, engine, &format!("package spacelift\n{body}"))
}
