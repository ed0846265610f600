//! Globs as OPA's library reads them: `*` stops at a delimiter, `**` does not, a class is either a
//! range or a list.

use regorus::Value;

use super::{Answer, string};

pub(super) fn is_match(arguments: &[Value]) -> Answer {
    let (Some(pattern), Some(text)) = (string(arguments.first()), string(arguments.get(2))) else {
        return Ok(None);
    };
    let delimiters = match arguments.get(1) {
        Some(Value::Null) => String::new(),
        Some(Value::Array(items)) if items.is_empty() => ".".to_owned(),
        Some(Value::Array(items)) => {
            let mut delimiters = String::new();
            for item in items.iter() {
                match string(Some(item)).map(|text| (text, text.chars().count())) {
                    Some((text, 1)) => delimiters.push_str(text),
                    _ => return Ok(None),
                }
            }
            delimiters
        }
        _ => return Ok(None),
    };
    let expression = expression(pattern, &delimiters);
    let regex = expression.and_then(|expression| regex::Regex::new(&expression).ok());
    Ok(regex.map(|regex| regex.is_match(text).into()))
}

/// The pattern as a regular expression; `None` if it is none.
fn expression(pattern: &str, delimiters: &str) -> Option<String> {
    let single = if delimiters.is_empty() {
        "(?s:.)".to_owned()
    } else {
        format!("[^{}]", listed(delimiters))
    };
    let mut out = String::from("^(?:");
    let mut letters = pattern.chars().peekable();
    let mut depth = 0_usize;
    while let Some(letter) = letters.next() {
        match letter {
            '*' => {
                let mut is_long = false;
                while letters.next_if_eq(&'*').is_some() {
                    is_long = true;
                }
                if is_long {
                    out.push_str("(?s:.)*");
                } else {
                    out.push_str(&format!("{single}*"));
                }
            }
            '?' => out.push_str(&single),
            '\\' => out.push_str(&regex::escape(&letters.next()?.to_string())),
            '[' => out.push_str(&class(&mut letters)?),
            '{' => {
                depth += 1;
                out.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                out.push(')');
            }
            ',' if depth > 0 => out.push('|'),
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    out.push_str(")$");
    (depth == 0).then_some(out)
}

fn class(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let is_negated = letters.next_if_eq(&'!').is_some();
    let mut inside = Vec::new();
    loop {
        match letters.next()? {
            ']' => break,
            '\\' => inside.push(letters.next()?),
            letter => inside.push(letter),
        }
    }
    let negation = if is_negated { "^" } else { "" };
    let listed = match inside.as_slice() {
        [] => return None,
        [low, '-', high] if low <= high => {
            let escape = |letter: &char| listed(&letter.to_string());
            format!("{}-{}", escape(low), escape(high))
        }
        [_, '-', ..] => return None,
        all => listed(&all.iter().collect::<String>()),
    };
    Some(format!("[{negation}{listed}]"))
}

/// Letters in a class, each for itself.
fn listed(letters: &str) -> String {
    letters
        .chars()
        .map(|letter| format!("\\x{{{:x}}}", u32::from(letter)))
        .collect()
}

pub(super) fn quote_meta(arguments: &[Value]) -> Answer {
    Ok(string(arguments.first()).map(|text| {
        let mut out = String::with_capacity(text.len());
        for letter in text.chars() {
            if "*?\\[]{}".contains(letter) {
                out.push('\\');
            }
            out.push(letter);
        }
        out.into()
    }))
}
