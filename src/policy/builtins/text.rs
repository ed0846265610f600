//! Strings, as Go's `strings` handles them.

use regorus::Value;

use super::sizes::check_bytes;
use super::{Answer, engines_own, integer, string};

/// Go maps letter by letter: a letter that has no single capital stays.
pub(super) fn upper(arguments: &[Value]) -> Answer {
    Ok(string(arguments.first()).map(|text| {
        mapped(text, |letter| {
            let mut letters = letter.to_uppercase();
            match (letters.next(), letters.next()) {
                (Some(capital), None) => capital,
                _ => letter,
            }
        })
    }))
}

pub(super) fn lower(arguments: &[Value]) -> Answer {
    Ok(string(arguments.first()).map(|text| {
        mapped(text, |letter| {
            letter.to_lowercase().next().unwrap_or(letter)
        })
    }))
}

fn mapped(text: &str, map: impl Fn(char) -> char) -> Value {
    text.chars().map(map).collect::<String>().into()
}

/// In letters; an empty text is found nowhere.
/// The engine knows more units than OPA does.
pub(super) fn units_parse(arguments: &[Value]) -> Answer {
    const UNITS: [&str; 13] = [
        "", "m", "k", "ki", "mi", "g", "gi", "t", "ti", "p", "pi", "e", "ei",
    ];
    let unit = string(arguments.first()).map(|text| {
        let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        text[number.len()..].to_ascii_lowercase()
    });
    match unit {
        Some(unit) if UNITS.contains(&unit.as_str()) => engines_own("units.parse", arguments),
        _ => Ok(None),
    }
}

/// Places that are no whole numbers lead nowhere.
pub(super) fn substring(arguments: &[Value]) -> Answer {
    match (integer(arguments.get(1)), integer(arguments.get(2))) {
        (Some(_), Some(_)) => engines_own("substring", arguments),
        _ => Ok(None),
    }
}

pub(super) fn indexof(arguments: &[Value]) -> Answer {
    match string(arguments.get(1)) {
        Some("") => Ok(None),
        _ => engines_own("indexof", arguments),
    }
}

pub(super) fn indexof_n(arguments: &[Value]) -> Answer {
    match string(arguments.get(1)) {
        Some("") => Ok(None),
        _ => engines_own("indexof_n", arguments),
    }
}

/// Occurrences that do not overlap.
pub(super) fn count(arguments: &[Value]) -> Answer {
    let pair = string(arguments.first()).zip(string(arguments.get(1)));
    Ok(pair.map(|(text, part)| match part {
        "" => (text.chars().count() + 1).into(),
        part => text.matches(part).count().into(),
    }))
}

/// All at once, from the left; of several the first in the order of their names.
pub(super) fn replace_n(arguments: &[Value]) -> Answer {
    let (Some(Value::Object(patterns)), Some(text)) = (arguments.first(), string(arguments.get(1)))
    else {
        return Ok(None);
    };
    let mut pairs = Vec::new();
    for (pattern, replacement) in patterns.iter() {
        let (Value::String(pattern), Value::String(replacement)) = (pattern, replacement) else {
            return Ok(None);
        };
        pairs.push((pattern.to_string(), replacement.to_string()));
    }
    pairs.sort();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut was_empty = false;
    loop {
        let found = pairs.iter().find(|(pattern, _)| {
            rest.starts_with(pattern.as_str()) && !(was_empty && pattern.is_empty())
        });
        match found {
            Some((pattern, replacement)) => {
                check_bytes(out.len() + replacement.len())?;
                out.push_str(replacement);
                was_empty = pattern.is_empty();
                rest = &rest[pattern.len()..];
            }
            None => {
                was_empty = false;
                let Some(letter) = rest.chars().next() else {
                    return Ok(Some(out.into()));
                };
                out.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
}

/// OPA takes a `v` before the number.
pub(super) fn semver_compare(arguments: &[Value]) -> Answer {
    let bare: Vec<Value> = arguments.iter().map(without_v).collect();
    engines_own("semver.compare", &bare)
}

pub(super) fn semver_is_valid(arguments: &[Value]) -> Answer {
    let bare: Vec<Value> = arguments.iter().map(without_v).collect();
    engines_own("semver.is_valid", &bare)
}

fn without_v(value: &Value) -> Value {
    match value {
        Value::String(text) => text.strip_prefix('v').unwrap_or(text).into(),
        other => other.clone(),
    }
}
