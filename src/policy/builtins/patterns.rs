//! Regular expressions in Go's dialect (RE2): `\d`, `\w`, `\s` and `\b` are ASCII, a class has no
//! operators, `\Q…\E` quotes.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use regorus::Value;

use super::sizes::check_bytes;
use super::{Answer, integer, string};

/// What RE2 takes at most.
const MAX_REPEAT: u32 = 1_000;
/// How many expressions are kept compiled.
const KEPT: usize = 256;

thread_local! {
    static COMPILED: RefCell<HashMap<String, Option<Regex>>> = RefCell::new(HashMap::new());
}

/// The expression compiled; `None` if Go would not take it.
pub(super) fn compiled(pattern: &str) -> Option<Regex> {
    COMPILED.with_borrow_mut(|kept| {
        if let Some(known) = kept.get(pattern) {
            return known.clone();
        }
        if kept.len() >= KEPT {
            kept.clear();
        }
        let regex = translated(pattern).and_then(|pattern| Regex::new(&pattern).ok());
        kept.insert(pattern.to_owned(), regex.clone());
        regex
    })
}

/// The pattern in the words of the `regex` crate.
fn translated(pattern: &str) -> Option<String> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut index = 0;
    let mut is_class = false;
    let mut was_repeat = false;
    while let Some(&letter) = letters.get(index) {
        let mut repeats = false;
        match letter {
            '\\' => {
                let next = *letters.get(index + 1)?;
                if next == 'Q' && !is_class {
                    let rest: String = letters.get(index + 2..)?.iter().collect();
                    let quoted = rest.split("\\E").next().unwrap_or_default();
                    out.push_str(&regex::escape(quoted));
                    index += 2 + quoted.chars().count();
                    index += if rest.len() > quoted.len() { 2 } else { 0 };
                    was_repeat = false;
                    continue;
                }
                escape(next, is_class, &letters, &mut index, &mut out)?;
            }
            '[' if is_class => {
                // `[:alpha:]` is the one thing that is nested.
                if letters.get(index + 1) == Some(&':') {
                    let rest: String = letters.get(index..)?.iter().collect();
                    let end = rest.find(":]")?;
                    out.push_str(rest.get(..end + 2)?);
                    index += rest.get(..end + 2)?.chars().count();
                    continue;
                }
                out.push_str("\\[");
            }
            '[' => {
                is_class = true;
                out.push('[');
                if letters.get(index + 1) == Some(&'^') {
                    out.push('^');
                    index += 1;
                }
                if letters.get(index + 1) == Some(&']') {
                    out.push_str("\\]");
                    index += 1;
                }
            }
            ']' if is_class => {
                is_class = false;
                out.push(']');
            }
            '&' | '~' if is_class => {
                out.push('\\');
                out.push(letter);
            }
            '-' if is_class && letters.get(index + 1) == Some(&'-') => return None,
            '{' if !is_class => match repetition(&letters, index) {
                Some((text, least, most)) => {
                    if was_repeat
                        || least > MAX_REPEAT
                        || most.is_some_and(|most| most > MAX_REPEAT)
                    {
                        return None;
                    }
                    index += text.chars().count() - 1;
                    out.push_str(&text);
                    repeats = true;
                }
                None => out.push_str("\\{"),
            },
            '}' if !is_class => out.push_str("\\}"),
            '*' | '+' if !is_class => {
                if was_repeat {
                    return None;
                }
                out.push(letter);
                repeats = true;
            }
            '?' if !is_class => {
                out.push('?');
                // Behind `(` it begins a group; behind a repetition it makes that one lazy.
                let begins_group = index > 0 && letters.get(index - 1) == Some(&'(');
                repeats = !begins_group;
                if begins_group {
                    flags(&letters, index)?;
                }
                if was_repeat
                    && letters
                        .get(index + 1)
                        .is_some_and(|next| "*+?".contains(*next))
                {
                    return None;
                }
            }
            other => out.push(other),
        }
        was_repeat = repeats;
        index += 1;
    }
    if is_class { None } else { Some(out) }
}

/// Go has the flags `i`, `m`, `s` and `U`, and no other kind of group but names.
fn flags(letters: &[char], index: usize) -> Option<()> {
    let after = letters.get(index + 1..)?;
    match after.first()? {
        ':' | '<' | 'P' => Some(()),
        _ => after
            .iter()
            .take_while(|letter| !matches!(letter, ':' | ')'))
            .all(|letter| "imsU-".contains(*letter))
            .then_some(()),
    }
}

/// `{2}`, `{2,}` or `{2,3}` at `index`.
fn repetition(letters: &[char], index: usize) -> Option<(String, u32, Option<u32>)> {
    let inside: String = letters
        .get(index + 1..)?
        .iter()
        .take_while(|letter| **letter != '}')
        .collect();
    letters.get(index + 1 + inside.chars().count())?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (least, most) = match inside.split_once(',') {
        Some((least, most)) => (least, Some(most)),
        None => (inside.as_str(), None),
    };
    if !is_number(least) || most.is_some_and(|most| !most.is_empty() && !is_number(most)) {
        return None;
    }
    let number = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
    Some((
        format!("{{{inside}}}"),
        number(least),
        most.filter(|most| !most.is_empty()).map(number),
    ))
}

/// One escape, with `index` at its backslash; afterwards at its last letter.
fn escape(
    next: char,
    is_class: bool,
    letters: &[char],
    index: &mut usize,
    out: &mut String,
) -> Option<()> {
    *index += 1;
    let open = if is_class { ("", "") } else { ("[", "]") };
    let mut class = |inside: &str| {
        out.push_str(open.0);
        out.push_str(inside);
        out.push_str(open.1);
    };
    match next {
        'd' => class("0-9"),
        'w' => class("0-9A-Za-z_"),
        's' => class("\\t\\n\\x0C\\r "),
        'D' => out.push_str("[^0-9]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'S' => out.push_str("[^\\t\\n\\x0C\\r ]"),
        'b' if !is_class => out.push_str("(?-u:\\b)"),
        'B' if !is_class => out.push_str("\\B"),
        'A' | 'z' if !is_class => {
            out.push('\\');
            out.push(next);
        }
        'p' | 'P' | 'x' | 'a' | 'f' | 't' | 'n' | 'r' | 'v' => {
            out.push('\\');
            out.push(next);
        }
        '0'..='7' => {
            let digits: String = letters
                .get(*index..)?
                .iter()
                .take(3)
                .take_while(|letter| ('0'..='7').contains(*letter))
                .collect();
            if next != '0' && digits.len() < 2 {
                return None;
            }
            let code = u32::from_str_radix(&digits, 8).ok()?;
            out.push_str(&format!("\\x{{{code:x}}}"));
            *index += digits.len() - 1;
        }
        other if other.is_ascii_punctuation() => out.push_str(&regex::escape(&other.to_string())),
        _ => return None,
    }
    Some(())
}

fn two(arguments: &[Value]) -> Option<(Regex, &str)> {
    let pattern = string(arguments.first())?;
    let text = string(arguments.get(1))?;
    Some((compiled(pattern)?, text))
}

pub(super) fn is_match(arguments: &[Value]) -> Answer {
    Ok(two(arguments).map(|(regex, text)| regex.is_match(text).into()))
}

pub(super) fn is_valid(arguments: &[Value]) -> Answer {
    let pattern = string(arguments.first());
    Ok(Some(
        pattern
            .is_some_and(|pattern| compiled(pattern).is_some())
            .into(),
    ))
}

/// At most `n`; a negative number is all.
fn limit(value: Option<&Value>) -> Option<usize> {
    Some(usize::try_from(integer(value)?).unwrap_or(usize::MAX))
}

pub(super) fn find_n(arguments: &[Value]) -> Answer {
    let Some(((regex, text), limit)) = two(arguments).zip(limit(arguments.get(2))) else {
        return Ok(None);
    };
    let found: Vec<Value> = regex
        .find_iter(text)
        .take(limit)
        .map(|found| found.as_str().into())
        .collect();
    Ok(Some(found.into()))
}

pub(super) fn find_submatches(arguments: &[Value]) -> Answer {
    let Some(((regex, text), limit)) = two(arguments).zip(limit(arguments.get(2))) else {
        return Ok(None);
    };
    let found: Vec<Value> = regex
        .captures_iter(text)
        .take(limit)
        .map(|groups| {
            let texts: Vec<Value> = groups
                .iter()
                .map(|group| group.map_or("", |group| group.as_str()).into())
                .collect();
            texts.into()
        })
        .collect();
    Ok(Some(found.into()))
}

pub(super) fn replace(arguments: &[Value]) -> Answer {
    let (Some(text), Some(pattern), Some(replacement)) = (
        string(arguments.first()),
        string(arguments.get(1)),
        string(arguments.get(2)),
    ) else {
        return Ok(None);
    };
    let Some(regex) = compiled(pattern) else {
        return Ok(None);
    };
    let found = regex.find_iter(text).count();
    // `$0` is at most the text.
    let longest = replacement
        .len()
        .saturating_add(match replacement.matches('$').count() {
            0 => 0,
            names => text.len().saturating_mul(names) / found.max(1),
        });
    check_bytes(text.len().saturating_add(found.saturating_mul(longest)))?;
    Ok(Some(
        regex.replace_all(text, replacement).into_owned().into(),
    ))
}

/// An empty match at the beginning parts nothing.
pub(super) fn split(arguments: &[Value]) -> Answer {
    let Some((regex, text)) = two(arguments) else {
        return Ok(None);
    };
    if text.is_empty() && !regex.as_str().is_empty() {
        return Ok(Some(vec![Value::from("")].into()));
    }
    let mut parts: Vec<Value> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for found in regex.find_iter(text) {
        end = found.start();
        if found.end() != 0 {
            parts.push(text[begin..end].into());
        }
        begin = found.end();
    }
    if end != text.len() {
        parts.push(text[begin..].into());
    }
    Ok(Some(parts.into()))
}

/// Text with patterns between two delimiters.
pub(super) fn template_match(arguments: &[Value]) -> Answer {
    let texts: Option<Vec<&str>> = (0..4).map(|index| string(arguments.get(index))).collect();
    let Some([template, text, open, close]) = texts.as_deref() else {
        return Ok(None);
    };
    let single = |text: &str| {
        let mut letters = text.chars();
        letters.next().filter(|_| letters.next().is_none())
    };
    let Some((open, close)) = single(open).zip(single(close)) else {
        return Ok(None);
    };
    let mut pattern = String::from("^");
    let mut literal = String::new();
    let mut inside = String::new();
    let mut depth = 0_usize;
    for letter in template.chars() {
        if letter == open {
            depth += 1;
            if depth == 1 {
                pattern.push_str(&regex::escape(&literal));
                literal.clear();
                continue;
            }
        } else if letter == close {
            let Some(less) = depth.checked_sub(1) else {
                return Ok(None);
            };
            depth = less;
            if depth == 0 {
                pattern.push_str(&format!("({inside})"));
                inside.clear();
                continue;
            }
        }
        if depth > 0 {
            inside.push(letter);
        } else {
            literal.push(letter);
        }
    }
    if depth > 0 {
        return Ok(None);
    }
    pattern.push_str(&regex::escape(&literal));
    pattern.push('$');
    Ok(compiled(&pattern).map(|regex| regex.is_match(text).into()))
}
