//! Regular expressions in the syntax of Go's RE2.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::{Captures, Regex};

use super::Context;
use crate::module::value::{Type, Value};

pub(super) fn regex(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let pattern = compile(context, &context.text(0)?)?;
    let text = context.text(1)?;
    match pattern.captures(&text) {
        Some(captures) => Ok(found(&pattern, &captures)),
        None => Err("the pattern does not match the string".to_owned()),
    }
}

pub(super) fn regexall(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let pattern = compile(context, &context.text(0)?)?;
    let text = context.text(1)?;
    let matches = pattern
        .captures_iter(&text)
        .map(|captures| found(&pattern, &captures));
    Ok(Value::List(shape(&pattern), matches.collect()))
}

pub(super) fn replace(context: &Context<'_>) -> Result<Value, String> {
    context.takes(3..=3)?;
    let (text, search, with) = (context.text(0)?, context.text(1)?, context.text(2)?);
    let pattern = search
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    match pattern {
        Some(pattern) => Ok(compile(context, pattern)?
            .replace_all(&text, with.as_ref())
            .as_ref()
            .into()),
        None => Ok(text.replace(search.as_ref(), &with).into()),
    }
}

/// What one match is: the whole of it, a tuple of its groups, or an object of its named ones.
fn found(pattern: &Regex, captures: &Captures<'_>) -> Value {
    let group = |index: usize| {
        captures
            .get(index)
            .map_or(Value::Null(Type::String), |part| part.as_str().into())
    };
    let names: Vec<Option<&str>> = pattern.capture_names().skip(1).collect();
    if names.is_empty() {
        return group(0);
    }
    if names.iter().all(Option::is_none) {
        return Value::tuple((1..=names.len()).map(group));
    }
    let mut named = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(name) = name {
            named.insert((*name).to_owned(), group(index + 1));
        }
    }
    Value::Object(Arc::new(named))
}

fn shape(pattern: &Regex) -> Type {
    let names: Vec<Option<&str>> = pattern.capture_names().skip(1).collect();
    if names.is_empty() {
        Type::String
    } else if names.iter().all(Option::is_none) {
        Type::Tuple(names.iter().map(|_| Type::String).collect())
    } else {
        Type::object(
            names
                .iter()
                .flatten()
                .map(|name| ((*name).to_owned(), Type::String)),
        )
    }
}

fn compile(context: &Context<'_>, pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern).map_err(|error| context.refusal(error))?;
    let compiled = Regex::new(&translated).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim().to_owned();
        // Nobody tells whether RE2 would take it.
        context.refusal(format!("the pattern {pattern:?} is not valid: {reason}"))
    })?;
    let names: Vec<bool> = compiled
        .capture_names()
        .skip(1)
        .map(|name| name.is_some())
        .collect();
    if names.contains(&true) && names.contains(&false) {
        return Err("a pattern cannot have both named and unnamed groups".to_owned());
    }
    Ok(compiled)
}

/// RE2's classes are those of ASCII, and a bracket within brackets is a plain character.
fn translate(pattern: &str) -> Result<String, String> {
    let mut translated = String::new();
    let mut characters = pattern.chars().peekable();
    let mut class: Option<usize> = None;
    // What the last character was: 0 no repetition, 1 one such as `a*`, 2 one such as `a*?`.
    let mut repeats = 0;
    while let Some(character) = characters.next() {
        let before = std::mem::take(&mut repeats);
        match (character, class) {
            ('\\', _) => {
                let Some(escaped) = characters.next() else {
                    return Err(format!("the pattern {pattern:?} ends with a backslash"));
                };
                match escaped {
                    'd' => translated.push_str("[0-9]"),
                    'D' => translated.push_str("[^0-9]"),
                    'w' => translated.push_str("[0-9A-Za-z_]"),
                    'W' => translated.push_str("[^0-9A-Za-z_]"),
                    's' => translated.push_str("[\\t\\n\\x0c\\r ]"),
                    'S' => translated.push_str("[^\\t\\n\\x0c\\r ]"),
                    'b' | 'B' if class.is_none() => {
                        translated.push_str(&format!("(?-u:\\{escaped})"));
                    }
                    'C' | 'Q' | 'u' | 'U' | '0'..='9' | '<' | '>' => {
                        return Err(format!("\\{escaped} is not supported in a pattern"));
                    }
                    'p' | 'P' | 'x' if characters.peek() == Some(&'{') => {
                        translated.extend(['\\', escaped]);
                        translated.extend(characters.by_ref().take_while(|inner| *inner != '}'));
                        translated.push('}');
                    }
                    _ => translated.extend(['\\', escaped]),
                }
                class = class.map(|count| count + 1);
            }
            ('{', None) => {
                let rest: String = characters.clone().collect();
                if is_repetition(&rest) {
                    repeats = repeated(before, '{')?;
                    translated.push('{');
                    translated.extend(characters.by_ref().take_while(|inner| *inner != '}'));
                    translated.push('}');
                } else {
                    translated.push_str("\\{");
                }
            }
            ('*' | '+' | '?', None) => {
                repeats = repeated(before, character)?;
                translated.push(character);
            }
            ('(', None) => {
                translated.push('(');
                if characters.next_if_eq(&'?').is_some() {
                    translated.push('?');
                    let rest: String = characters.clone().collect();
                    refuse_unknown_group(&rest)?;
                }
            }
            ('[', None) => {
                translated.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    translated.push('^');
                }
                class = Some(0);
            }
            ('[', Some(count)) => {
                if characters.peek() == Some(&':') {
                    translated.push('[');
                    for inner in characters.by_ref() {
                        translated.push(inner);
                        if inner == ']' {
                            break;
                        }
                    }
                } else {
                    translated.push_str("\\[");
                }
                class = Some(count + 1);
            }
            (']', Some(0)) => {
                translated.push_str("\\]");
                class = Some(1);
            }
            (']', Some(_)) => {
                translated.push(']');
                class = None;
            }
            ('&' | '~', Some(count)) => {
                translated.extend(['\\', character]);
                class = Some(count + 1);
            }
            ('-', Some(count)) => {
                // Two in a row would be a difference of classes.
                if characters.peek() == Some(&'-') {
                    return Err("-- is not supported in a class of a pattern".to_owned());
                }
                translated.push('-');
                class = Some(count + 1);
            }
            (other, _) => {
                translated.push(other);
                class = class.map(|count| count + 1);
            }
        }
    }
    Ok(translated)
}

/// What `*`, `+`, `?` or a count in braces makes of what stood before: RE2 lets none follow another, but for
/// one `?`, and Rust does.
fn repeated(before: u8, character: char) -> Result<u8, String> {
    match (before, character) {
        (0, _) => Ok(1),
        (1, '?') => Ok(2),
        _ => Err("a repetition of a repetition is not supported in a pattern".to_owned()),
    }
}

/// Refuses what RE2 does not know behind `(?`: other flags and other names of groups.
fn refuse_unknown_group(rest: &str) -> Result<(), String> {
    let named = rest.strip_prefix("P<").or_else(|| rest.strip_prefix('<'));
    let (text, end, known): (_, &[char], fn(char) -> bool) = match named {
        Some(name) => (name, &['>'], |c| c.is_ascii_alphanumeric() || c == '_'),
        None => (rest, &[':', ')'], |c| "imsU-".contains(c)),
    };
    let text = text.split(end).next().unwrap_or_default();
    match text.chars().all(known) {
        true => Ok(()),
        false => Err(format!("(?{text} is not supported in a pattern")),
    }
}

/// Whether a brace before this text says how often something stands: `2}`, `2,}`, `2,3}`.
fn is_repetition(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('}')
        .is_some_and(|(counts, _)| match counts.split_once(',') {
            Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
            None => is_number(counts),
        })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use regex::Regex;

    use super::translate;
    use crate::module::functions::Context;

    fn compile(pattern: &str) -> Result<Regex, String> {
        let context = Context {
            arguments: &[],
            tree: None,
            depth: 0,
            within_template: false,
            is_refusal: &Cell::new(false),
        };
        super::compile(&context, pattern)
    }

    #[test]
    fn classes_are_those_of_ascii() {
        assert!(!compile(r"^\d$").unwrap().is_match("٣"));
        assert!(!compile(r"^\w$").unwrap().is_match("é"));
        assert!(compile(r"^[\w-]+$").unwrap().is_match("a-b"));
        assert!(compile(r"^[[]$").unwrap().is_match("["));
        assert!(compile(r"^[]a]$").unwrap().is_match("]"));
        assert!(compile(r"^[[:alpha:]]$").unwrap().is_match("a"));
        assert!(compile(r"\babc\b").unwrap().is_match("x abc y"));
    }

    #[test]
    fn what_cannot_be_the_same_is_refused() {
        assert!(translate(r"\Qa").is_err());
        assert!(compile("(a").is_err());
        assert!(compile("(?P<n>a)(b)").is_err());
    }
}
