//! Takes secrets out of a stream of bytes, also where a chunk ends in the middle of one.

use serde_json::Value;

/// Stands where a secret was.
pub(super) const MASK: &str = "****";
/// What is shorter cannot be kept secret by masking it: the mask would tell where it stands.
const SHORTEST: usize = 4;
/// A word of a longer secret is masked by itself from this length on: tools wrap and indent text.
const SHORTEST_WORD: usize = 8;

/// The secrets to look for. Longer ones are found before those that they begin with.
#[derive(Clone)]
pub struct Secrets {
    patterns: Vec<Vec<u8>>,
    /// Whether any pattern begins with the byte.
    begins: Vec<bool>,
}

impl Secrets {
    pub(super) fn new(secrets: &[String]) -> Self {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        let long_enough = |secret: &&String| secret.trim().len() >= SHORTEST;
        for secret in secrets.iter().filter(long_enough) {
            patterns.push(secret.clone().into_bytes());
            patterns.push(secret.trim().as_bytes().to_vec());
            // As it stands within a quoted string of Terraform or JSON.
            let quoted = Value::from(secret.as_str()).to_string();
            patterns.push(quoted.as_bytes()[1..quoted.len() - 1].to_vec());
            patterns.extend(
                secret
                    .split_whitespace()
                    .filter(|word| word.len() >= SHORTEST_WORD)
                    .map(|word| word.as_bytes().to_vec()),
            );
        }
        patterns.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        patterns.dedup();
        let mut begins = vec![false; 256];
        for first in patterns.iter().filter_map(|pattern| pattern.first()) {
            begins[usize::from(*first)] = true;
        }
        Self { patterns, begins }
    }

    /// The text without the secrets.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut stream = Redactor::default();
        let mut clean = stream.pass(self, text.as_bytes());
        clean.extend(stream.end(self));
        String::from_utf8_lossy(&clean).into_owned()
    }

    /// The value with every string and number, also of keys, redacted.
    pub fn redact_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.redact(&text)),
            Value::Number(number) => {
                let text = number.to_string();
                match self.redact(&text) {
                    clean if clean == text => Value::Number(number),
                    clean => Value::String(clean),
                }
            }
            Value::Array(items) => items
                .into_iter()
                .map(|item| self.redact_value(item))
                .collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, field)| (self.redact(&name), self.redact_value(field)))
                .collect(),
            other => other,
        }
    }

    /// What stands at the beginning of `rest`, if more bytes may follow it.
    fn look(&self, rest: &[u8], more_follows: bool) -> Found {
        if !self.begins[usize::from(rest[0])] {
            return Found::Nothing;
        }
        for pattern in &self.patterns {
            if rest.starts_with(pattern) {
                return Found::Secret {
                    length: pattern.len(),
                };
            }
            if more_follows && pattern.starts_with(rest) {
                return Found::Perhaps;
            }
        }
        Found::Nothing
    }
}

/// What a secret holds that is a list or an object in JSON: where it is a value of the tool's, the tool writes
/// it in its own way.
pub fn secret_parts(secret: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut ahead = match serde_json::from_str(secret) {
        Ok(value @ (Value::Array(_) | Value::Object(_))) => vec![value],
        _ => Vec::new(),
    };
    while let Some(value) = ahead.pop() {
        match value {
            Value::Array(items) => ahead.extend(items),
            Value::Object(fields) => ahead.extend(fields.into_iter().map(|(_, field)| field)),
            Value::String(text) => parts.push(text),
            Value::Number(number) => parts.push(number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }
    parts
}

enum Found {
    Nothing,
    /// The bytes are the beginning of a secret.
    Perhaps,
    Secret {
        length: usize,
    },
}

/// One stream; it holds back what may be the beginning of a secret.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    held: Vec<u8>,
}

impl Redactor {
    /// What of the stream can be shown after `chunk` has come.
    pub(super) fn pass(&mut self, secrets: &Secrets, chunk: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(chunk);
        self.take(secrets, true)
    }

    /// What was held back, at the end of the stream.
    pub(super) fn end(&mut self, secrets: &Secrets) -> Vec<u8> {
        self.take(secrets, false)
    }

    fn take(&mut self, secrets: &Secrets, more_follows: bool) -> Vec<u8> {
        if secrets.patterns.is_empty() {
            return std::mem::take(&mut self.held);
        }
        let mut clean = Vec::with_capacity(self.held.len());
        let mut position = 0;
        while position < self.held.len() {
            match secrets.look(&self.held[position..], more_follows) {
                Found::Nothing => {
                    clean.push(self.held[position]);
                    position += 1;
                }
                Found::Perhaps => break,
                Found::Secret { length } => {
                    clean.extend_from_slice(MASK.as_bytes());
                    position += length;
                }
            }
        }
        self.held.drain(..position);
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::{Redactor, Secrets, secret_parts};

    fn secrets(list: &[&str]) -> Secrets {
        Secrets::new(
            &list
                .iter()
                .map(|secret| (*secret).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn secrets_are_masked() {
        let cases: &[(&[&str], &str, &str)] = &[
            (&["hunter2!"], "pass=hunter2! ok", "pass=**** ok"),
            (&["abcd", "abcdef"], "abcd abcdef abcde", "**** **** ****e"),
            (&[], "anything", "anything"),
            (&["", "a", "abc"], "a abc", "a abc"),
            (
                &["line-number-one\nline-number-two"],
                "  line-number-one\n  x",
                "  ****\n  x",
            ),
            (
                &["with \"quote\""],
                r#"x = "with \"quote\"""#,
                r#"x = "****""#,
            ),
            (&["aaaab"], "aaaaaab", "aa****"),
            (&["secret\n"], "secret", "****"),
        ];
        for (list, text, clean) in cases {
            assert_eq!(secrets(list).redact(text), *clean, "{list:?} in {text:?}");
        }
    }

    #[test]
    fn a_secret_is_masked_wherever_the_chunks_end() {
        let secrets = secrets(&["topsecret", "topper-most"]);
        let text = "a topsecret b topper-most c tops";
        for size in 1..text.len() {
            let mut stream = Redactor::default();
            let mut clean = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                clean.extend(stream.pass(&secrets, chunk));
            }
            clean.extend(stream.end(&secrets));
            assert_eq!(
                String::from_utf8(clean).unwrap(),
                "a **** b **** c tops",
                "size {size}"
            );
        }
    }

    #[test]
    fn parts_are_those_of_lists_and_objects() {
        let mut parts = secret_parts(r#"{"user":["admin1",true],"pin":271828,"name":"x"}"#);
        parts.sort();
        assert_eq!(parts, ["271828", "admin1", "x"]);
        assert_eq!(secret_parts("\"admin1\""), [""; 0]);
        // A key file that the host gives names projects and kinds that everybody may know.
        let file = r#"{"kind":"service_account"}"#;
        let told = "a service_account of {\"kind\":\"service_account\"}";
        assert_eq!(secrets(&[file]).redact(told), "a service_account of ****");
    }

    #[test]
    fn values_are_masked_to_any_depth() {
        let value = serde_json::json!({"url": ["https://u:topsecret@h", 1, 2718, null]});
        let clean = serde_json::json!({"url": ["https://u:****@h", 1, "****", null]});
        assert_eq!(secrets(&["topsecret", "2718"]).redact_value(value), clean);
    }
}
