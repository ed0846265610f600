//! Functions of strings. Terraform counts in grapheme clusters.

use unicode_segmentation::UnicodeSegmentation;

use super::Context;
use crate::module::value::Value;

pub(super) fn chomp(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(context.text(0)?.trim_end_matches(['\n', '\r']).into())
}

pub(super) fn endswith(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    Ok(context.text(0)?.ends_with(context.text(1)?.as_ref()).into())
}

pub(super) fn startswith(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    Ok(context
        .text(0)?
        .starts_with(context.text(1)?.as_ref())
        .into())
}

pub(super) fn strcontains(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    Ok(context.text(0)?.contains(context.text(1)?.as_ref()).into())
}

pub(super) fn indent(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let spaces = usize::try_from(context.integer(0)?)
        .ok()
        .filter(|spaces| *spaces <= 10_000)
        .ok_or("the number of spaces must be between 0 and 10000")?;
    Ok(context
        .text(1)?
        .replace('\n', &format!("\n{}", " ".repeat(spaces)))
        .into())
}

pub(super) fn join(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=usize::MAX)?;
    let separator = context.text(0)?;
    let mut items = Vec::new();
    for index in 1..context.arguments.len() {
        items.extend(context.texts(index)?);
    }
    Ok(items.join(separator.as_ref()).into())
}

pub(super) fn split(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (separator, text) = (context.text(0)?, context.text(1)?);
    if separator.is_empty() {
        return Ok(Value::strings(text.chars().map(String::from)));
    }
    Ok(Value::strings(text.split(separator.as_ref())))
}

/// One character for one character, as Go does it: `ß` stays.
fn to_upper(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(only), None) => only,
        _ => match u32::from(character) {
            code @ (0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7) => {
                char::from_u32(code + 8).unwrap_or(character)
            }
            code @ (0x1fb3 | 0x1fc3 | 0x1ff3) => char::from_u32(code + 9).unwrap_or(character),
            _ => character,
        },
    }
}

pub(super) fn upper(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(context
        .text(0)?
        .chars()
        .map(to_upper)
        .collect::<String>()
        .into())
}

pub(super) fn lower(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let to_lower = |character: char| character.to_lowercase().next().unwrap_or(character);
    Ok(context
        .text(0)?
        .chars()
        .map(to_lower)
        .collect::<String>()
        .into())
}

pub(super) fn title(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let mut after_separator = true;
    let mut titled = String::new();
    for character in context.text(0)?.chars() {
        titled.push(if after_separator {
            to_title(character)
        } else {
            character
        });
        after_separator = is_separator(character);
    }
    Ok(titled.into())
}

/// The digraphs have a form for titles of their own.
fn to_title(character: char) -> char {
    match character {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        _ => to_upper(character),
    }
}

fn is_separator(character: char) -> bool {
    if character.is_ascii() {
        !character.is_ascii_alphanumeric() && character != '_'
    } else {
        !character.is_alphanumeric() && character.is_whitespace()
    }
}

pub(super) fn strrev(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(context
        .countable(0)?
        .graphemes(true)
        .rev()
        .collect::<String>()
        .into())
}

pub(super) fn substr(context: &Context<'_>) -> Result<Value, String> {
    context.takes(3..=3)?;
    let text = context.countable(0)?;
    let count = i64::try_from(text.graphemes(true).count()).unwrap_or(i64::MAX);
    let (offset, length) = (context.integer(1)?, context.integer(2)?);
    // Of nothing from the end Terraform makes all up to the end.
    let length = if offset < 0 && length == 0 {
        -1
    } else {
        length
    };
    let offset = if offset < 0 {
        let from_end = offset.saturating_add(count);
        if from_end < 0 { 0 } else { from_end }
    } else {
        offset
    };
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(text
        .graphemes(true)
        .skip(offset)
        .take(length)
        .collect::<String>()
        .into())
}

pub(super) fn trim(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let cut: Vec<char> = context.text(1)?.chars().collect();
    Ok(context.text(0)?.trim_matches(&cut[..]).into())
}

pub(super) fn trimprefix(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (text, prefix) = (context.text(0)?, context.text(1)?);
    Ok(text.strip_prefix(prefix.as_ref()).unwrap_or(&text).into())
}

pub(super) fn trimsuffix(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (text, suffix) = (context.text(0)?, context.text(1)?);
    Ok(text.strip_suffix(suffix.as_ref()).unwrap_or(&text).into())
}

pub(super) fn trimspace(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(context.text(0)?.trim().into())
}
