//! JSON and URLs, as Go writes them.

use std::fmt::Write;

use regorus::Value;

use super::{Answer, engines_own, string};

/// Go escapes what HTML could take for a tag.
pub(super) fn json_marshal(arguments: &[Value]) -> Answer {
    Ok(engines_own("json.marshal", arguments)?.map(|text| escaped(&text)))
}

fn escaped(value: &Value) -> Value {
    let Value::String(text) = value else {
        return value.clone();
    };
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            other => out.push(other),
        }
    }
    out.into()
}

pub(super) fn urlquery_encode(arguments: &[Value]) -> Answer {
    Ok(string(arguments.first()).map(|text| encoded(text).into()))
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// A `%` without two digits behind it is an error.
pub(super) fn urlquery_decode(arguments: &[Value]) -> Answer {
    let Some(text) = string(arguments.first()) else {
        return Ok(None);
    };
    let is_sound = text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().iter().take(2);
        digits.clone().count() == 2 && digits.clone().all(u8::is_ascii_hexdigit)
    });
    if is_sound {
        engines_own("urlquery.decode", arguments)
    } else {
        Ok(None)
    }
}

/// Keys in their order; a list gives a pair for each member.
pub(super) fn urlquery_encode_object(arguments: &[Value]) -> Answer {
    let Some(Value::Object(fields)) = arguments.first() else {
        return Ok(None);
    };
    let mut pairs = Vec::new();
    for (key, value) in fields.iter() {
        let Value::String(key) = key else {
            return Ok(None);
        };
        let values: Vec<&Value> = match value {
            Value::String(_) => vec![value],
            other => match super::members(Some(other)) {
                Some(members) => members,
                None => return Ok(None),
            },
        };
        for value in values {
            let Value::String(text) = value else {
                return Ok(None);
            };
            pairs.push(format!("{}={}", encoded(key), encoded(text)));
        }
    }
    Ok(Some(pairs.join("&").into()))
}

/// One level.
pub(super) fn flatten(arguments: &[Value]) -> Answer {
    let Some(Value::Array(items)) = arguments.first() else {
        return Ok(None);
    };
    let mut flat = Vec::new();
    for item in items.iter() {
        match item {
            Value::Array(inner) => flat.extend(inner.iter().cloned()),
            other => flat.push(other.clone()),
        }
    }
    Ok(Some(flat.into()))
}
