//! JSON and URLs, as Go writes them.

use std::fmt::Write;

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
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

pub(super) fn base64_decode(arguments: &[Value]) -> Answer {
    decoded(arguments, &STANDARD, DecodePaddingMode::RequireCanonical)
}

/// OPA takes these without their padding, too.
pub(super) fn base64url_decode(arguments: &[Value]) -> Answer {
    decoded(arguments, &URL_SAFE, DecodePaddingMode::Indifferent)
}

/// Go is lenient about line ends and about the bits behind the last byte.
fn decoded(arguments: &[Value], alphabet: &Alphabet, padding: DecodePaddingMode) -> Answer {
    let Some(text) = string(arguments.first()) else {
        return Ok(None);
    };
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(padding);
    let engine = GeneralPurpose::new(alphabet, config);
    match engine
        .decode(text.replace(['\r', '\n'], ""))
        .map(String::from_utf8)
    {
        Ok(Ok(text)) => Ok(Some(text.into())),
        Ok(Err(_)) => Err("what it decodes is not UTF-8, which no string here can hold".to_owned()),
        Err(_) => Ok(None),
    }
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
    match string(arguments.first()).and_then(unescaped) {
        Some(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.into())),
            Err(_) => Err("what it decodes is not UTF-8".to_owned()),
        },
        None => Ok(None),
    }
}

/// What Go refuses, a `;` and half an escape, has no answer.
pub(super) fn urlquery_decode_object(arguments: &[Value]) -> Answer {
    match string(arguments.first()) {
        Some(text) if !text.contains(';') && unescaped(text).is_some() => {
            engines_own("urlquery.decode_object", arguments)
        }
        _ => Ok(None),
    }
}

/// Go's `url.QueryUnescape`.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}

/// What is no string is no JSON.
pub(super) fn json_is_valid(arguments: &[Value]) -> Answer {
    match arguments {
        [Value::String(_)] => engines_own("json.is_valid", arguments),
        _ => Ok(Some(false.into())),
    }
}

pub(super) fn yaml_is_valid(arguments: &[Value]) -> Answer {
    match arguments {
        [Value::String(_)] => engines_own("yaml.is_valid", arguments),
        _ => Ok(Some(false.into())),
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
