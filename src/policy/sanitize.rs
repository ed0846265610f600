//! What Spacelift does to the strings in a policy's input, so that no secret is in it.

use std::fmt::Write;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The last 8 hex digits of the SHA-256 of `text`: what `sanitized` gives in a policy.
pub fn sanitize(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut sanitized = String::with_capacity(8);
    for byte in &digest[digest.len() - 4..] {
        // Writing to a string cannot fail.
        let _ = write!(sanitized, "{byte:02x}");
    }
    sanitized
}

/// The values of a resource with every string sanitised, at any depth. Keys, numbers, booleans
/// and null stay plain. An empty string is sanitised too: what Spacelift does with it is not
/// documented.
pub fn sanitized_values(values: &Map<String, Value>) -> Map<String, Value> {
    values
        .iter()
        .map(|(key, value)| (key.clone(), sanitized_value(value)))
        .collect()
}

pub(super) fn sanitized_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(sanitize(text)),
        Value::Array(items) => Value::Array(items.iter().map(sanitized_value).collect()),
        Value::Object(fields) => Value::Object(sanitized_values(fields)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// The value with only those strings sanitised that `mask` marks: Terraform's `before_sensitive`
/// and `after_sensitive`, where `true` covers everything below it.
pub(super) fn sanitized_where(value: &Value, mask: &Value) -> Value {
    match (value, mask) {
        (_, Value::Bool(true)) => sanitized_value(value),
        (Value::Array(items), Value::Array(masks)) => Value::Array(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| match masks.get(index) {
                    Some(mask) => sanitized_where(item, mask),
                    None => item.clone(),
                })
                .collect(),
        ),
        (Value::Object(fields), Value::Object(masks)) => Value::Object(
            fields
                .iter()
                .map(|(key, field)| match masks.get(key) {
                    Some(mask) => (key.clone(), sanitized_where(field, mask)),
                    None => (key.clone(), field.clone()),
                })
                .collect(),
        ),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{sanitize, sanitized_value, sanitized_where};

    #[test]
    fn sanitized_text_is_the_end_of_its_digest() {
        // From `printf %s TEXT | sha256sum`.
        for (text, sanitized) in [("", "7852b855"), ("abc", "f20015ad"), ("hello", "938b9824")] {
            assert_eq!(sanitize(text), sanitized, "{text:?}");
        }
    }

    #[test]
    fn only_strings_are_sanitised() {
        let value =
            json!({"abc": "abc", "n": 1, "b": true, "z": null, "list": ["abc", {"k": "abc"}]});
        assert_eq!(
            sanitized_value(&value),
            json!({"abc": "f20015ad", "n": 1, "b": true, "z": null,
                   "list": ["f20015ad", {"k": "f20015ad"}]})
        );
    }

    #[test]
    fn a_mask_chooses_what_is_sanitised() {
        let value = json!({"plain": "abc", "secret": "abc", "deep": {"a": ["abc", "abc"]}});
        let mask = json!({"secret": true, "deep": {"a": [false, true]}});
        assert_eq!(
            sanitized_where(&value, &mask),
            json!({"plain": "abc", "secret": "f20015ad", "deep": {"a": ["abc", "f20015ad"]}})
        );
        assert_eq!(sanitized_where(&json!("abc"), &json!(false)), json!("abc"));
    }
}
