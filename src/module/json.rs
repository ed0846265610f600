//! JSON as Terraform reads and writes it: numbers exact, keys sorted, markup escaped.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::number::Number;
use super::value::{Value, normal};

/// Nesting beyond this is refused: it is read by recursion.
const DEEPEST: usize = 128;

/// What `jsonencode` returns.
pub(super) fn encode(value: &Value) -> String {
    let mut text = String::new();
    append(value, &mut text);
    text
}

fn append(value: &Value, text: &mut String) {
    match value {
        Value::Null(_) => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(string) => append_string(string, text),
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                append(item, text);
            }
            text.push(']');
        }
        Value::Map(_, entries) | Value::Object(entries) => {
            text.push('{');
            for (index, (name, entry)) in entries.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                append_string(name, text);
                text.push(':');
                append(entry, text);
            }
            text.push('}');
        }
        Value::Sensitive(value) => append(value, text),
    }
}

fn append_string(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..'\u{20}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => text.push(character),
        }
    }
    text.push('"');
}

/// The string as Go's `%q` prints it.
pub(super) fn go_quoted(string: &str) -> String {
    let mut text = String::from("\"");
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{7}' => text.push_str("\\a"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{b}' => text.push_str("\\v"),
            '\0'..'\u{20}' | '\u{7f}' => {
                text.push_str(&format!("\\x{:02x}", u32::from(character)));
            }
            '\u{80}'..'\u{a0}'
            | '\u{a0}'
            | '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{feff}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => text.push(character),
        }
    }
    text.push('"');
    text
}

/// The value of a JSON text: arrays are tuples, objects are objects.
pub(super) fn decode(text: &str) -> Result<Value, String> {
    let mut reader = Reader {
        text,
        position: 0,
        depth: 0,
    };
    let value = reader.value()?;
    reader.skip_space();
    if reader.position < text.len() {
        return Err(format!(
            "extra text after the JSON value at byte {}",
            reader.position
        ));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn take(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.position += expected.len();
        }
        found
    }

    fn fail<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("not JSON: {what} at byte {}", self.position))
    }

    fn value(&mut self) -> Result<Value, String> {
        self.skip_space();
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.fail("nested too deeply");
        }
        let value = match self.rest().bytes().next() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string().map(Value::string),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take("true") => Ok(Value::Bool(true)),
            _ if self.take("false") => Ok(Value::Bool(false)),
            _ if self.take("null") => Ok(Value::null()),
            _ => self.fail("no value"),
        };
        self.depth -= 1;
        value
    }

    fn number(&mut self) -> Result<Value, String> {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let written = &rest[..length];
        // The library knows JSON's grammar, the number its exact value.
        let valid = serde_json::from_str::<&RawValue>(written).is_ok();
        match Number::parse(written) {
            Some(number) if valid => {
                self.position += length;
                Ok(Value::Number(number))
            }
            _ => self.fail("not a number"),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let rest = self.rest();
        let mut escaped = false;
        for (index, byte) in rest.bytes().enumerate().skip(1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    let Ok(text) = serde_json::from_str(&rest[..=index]) else {
                        break;
                    };
                    self.position += index + 1;
                    return Ok(text);
                }
                _ => {}
            }
        }
        self.fail("not a string")
    }

    fn array(&mut self) -> Result<Value, String> {
        self.position += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.take("]") {
            return Ok(Value::tuple(items));
        }
        loop {
            items.push(self.value()?);
            self.skip_space();
            if self.take("]") {
                return Ok(Value::tuple(items));
            }
            if !self.take(",") {
                return self.fail("no comma between items");
            }
        }
    }

    fn object(&mut self) -> Result<Value, String> {
        self.position += 1;
        let mut entries = BTreeMap::new();
        let mut written = BTreeMap::new();
        self.skip_space();
        if self.take("}") {
            return Ok(Value::object(entries));
        }
        loop {
            self.skip_space();
            if !self.rest().starts_with('"') {
                return self.fail("no key");
            }
            let name = self.string()?;
            self.skip_space();
            if !self.take(":") {
                return self.fail("no colon after a key");
            }
            let value = self.value()?;
            let key = normal(&name).to_string();
            // The last of one name counts, as everywhere; of two written otherwise Terraform breaks off.
            if written.get(&key).is_some_and(|before| *before != name) {
                return self.fail("the same key in two forms of Unicode");
            }
            written.insert(key.clone(), name);
            entries.insert(key, value);
            self.skip_space();
            if self.take("}") {
                return Ok(Value::object(entries));
            }
            if !self.take(",") {
                return self.fail("no comma between entries");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn reads_exactly_and_writes_as_terraform() {
        let text = r#" {"b":[1,1.50,18446744073709551616,"\u00e9<"],"a":null} "#;
        let written = r#"{"a":null,"b":[1,1.5,18446744073709551616,"é\u003c"]}"#;
        assert_eq!(encode(&decode(text).unwrap()), written);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for wrong in [
            "",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "01",
            "'a'",
            "[1] 2",
            "nul",
            "\"\\x\"",
            "-",
        ] {
            assert!(decode(wrong).is_err(), "{wrong}");
        }
        assert!(decode(&"[".repeat(500)).is_err());
    }
}
