//! The functions a policy may call: the engine's own, those added here, those forbidden.

use std::fmt::Write;

use regorus::Value;
use sha2::{Digest, Sha256};

use super::kind::Engine;
use super::sanitize::sanitize;

/// What Spacelift disables.
pub(super) const FORBIDDEN: [&str; 5] = [
    "http.send",
    "opa.runtime",
    "rego.parse_module",
    "time.now_ns",
    "trace",
];

/// A builtin that turns one string into another.
type TextFunction = fn(&str) -> String;

/// Added to the engine as functions of this program.
const ADDED: [(&str, TextFunction); 2] = [("sanitized", sanitize), ("crypto.sha256", sha256)];

/// Added as functions in Rego, only where a policy calls them. All are builtins that OPA has kept
/// for Rego v0 and removed from v1.
const IN_REGO: [(&str, usize, &str); 4] = [
    (
        "re_match",
        2,
        "re_match(pattern, value) := regex.match(pattern, value)",
    ),
    (
        "any",
        1,
        "any(values) := true in values if is_array(values)\n\
         any(values) := true in values if is_set(values)",
    ),
    (
        "all",
        1,
        "all(values) := count([v | some v in values; v != true]) == 0 if is_array(values)\n\
         all(values) := count([v | some v in values; v != true]) == 0 if is_set(values)",
    ),
    ("set_diff", 2, "set_diff(left, right) := left - right"),
];

/// Registers what [`ADDED`] says.
pub(super) fn add_to(engine: &mut regorus::Engine) -> Result<(), String> {
    for (name, function) in ADDED {
        let extension = move |arguments: Vec<Value>| {
            // OPA leaves a call with an argument of the wrong type undefined.
            Ok(match arguments.first() {
                Some(Value::String(text)) => Value::from(function(text)),
                _ => Value::Undefined,
            })
        };
        engine
            .add_extension(name.to_owned(), 1, Box::new(extension))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// How many arguments the function takes; `None` if there is no such function.
pub(super) fn argument_count(function: &str, engine: Engine) -> Option<usize> {
    if ADDED.iter().any(|(name, _)| *name == function) {
        return Some(1);
    }
    if engine == Engine::RegoV0
        && let Some((_, count, _)) = IN_REGO.iter().find(|(name, _, _)| *name == function)
    {
        return Some(*count);
    }
    regorus::unstable::BUILTINS
        .get(function)
        .map(|(_, count)| usize::from(*count))
}

/// The Rego text of a function that is added in Rego.
pub(super) fn definition(function: &str) -> Option<&'static str> {
    IN_REGO
        .iter()
        .find(|(name, _, _)| *name == function)
        .map(|(_, _, text)| *text)
}

fn sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
