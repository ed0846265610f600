//! Functions of lists, sets, maps, tuples and objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation;

use super::Context;
use crate::module::common::common;
use crate::module::convert::convert;
use crate::module::number::Number;
use crate::module::value::{Type, Value};

pub(super) fn alltrue(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let (_, items) = context.list(0, Type::Bool)?;
    Ok(items.iter().all(|item| item.as_bool() == Some(true)).into())
}

pub(super) fn anytrue(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let (_, items) = context.list(0, Type::Bool)?;
    Ok(items.iter().any(|item| item.as_bool() == Some(true)).into())
}

pub(super) fn chunklist(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (element, items) = context.list(0, Type::Any)?;
    let size = usize::try_from(context.integer(1)?).map_err(|_| "the size must not be negative")?;
    let size = if size == 0 { items.len().max(1) } else { size };
    let chunks = items
        .chunks(size)
        .map(|chunk| Value::List(element.clone(), chunk.into()));
    Ok(Value::List(Type::list(element.clone()), chunks.collect()))
}

pub(super) fn coalesce(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=usize::MAX)?;
    let kinds: Vec<Type> = context.arguments.iter().map(Value::kind).collect();
    let kind = common(&kinds, true).ok_or("all arguments must have the same type")?;
    for argument in context.arguments {
        if argument.is_null() {
            continue;
        }
        let value = convert(argument, &kind).map_err(|error| error.to_string())?;
        if value.as_str() != Some("") {
            return Ok(value);
        }
    }
    Err("no argument is other than null or empty".to_owned())
}

pub(super) fn coalescelist(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=usize::MAX)?;
    let is_list = |kind: &Type| matches!(kind, Type::List(_) | Type::Tuple(_));
    if !context
        .arguments
        .iter()
        .all(|argument| is_list(&argument.kind()))
    {
        return Err("all arguments must be lists or tuples".to_owned());
    }
    let has_items = |argument: &&Value| argument.items().is_some_and(|items| !items.is_empty());
    let found = context.arguments.iter().find(has_items);
    found
        .cloned()
        .ok_or_else(|| "no argument is a list with items".to_owned())
}

pub(super) fn compact(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let (_, items) = context.list(0, Type::String)?;
    let kept = items
        .iter()
        .filter(|item| !item.is_null() && item.as_str() != Some(""));
    Ok(Value::List(Type::String, kept.cloned().collect()))
}

pub(super) fn concat(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=usize::MAX)?;
    let mut items = Vec::new();
    let mut elements = Vec::new();
    let mut lists = true;
    for index in 0..context.arguments.len() {
        match context.value(index)? {
            Value::List(element, own) => {
                elements.push(element.clone());
                items.extend(own.iter().cloned());
            }
            Value::Tuple(own) => {
                lists = false;
                items.extend(own.iter().cloned());
            }
            other => {
                return Err(format!(
                    "all arguments must be lists or tuples, not {}",
                    other.kind().name()
                ));
            }
        }
    }
    if lists && let Some(element) = common(&elements, true) {
        let converted = items
            .iter()
            .map(|item| convert(item, &element))
            .collect::<Result<_, _>>();
        if let Ok(items) = converted {
            return Ok(Value::List(element, items));
        }
    }
    Ok(Value::tuple(items))
}

pub(super) fn contains(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let items = context
        .value(0)?
        .items()
        .ok_or("argument 1 must be a list, tuple or set")?;
    let wanted = context.value(1)?;
    Ok(items.iter().any(|item| item.equals(wanted)).into())
}

pub(super) fn distinct(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let (element, items) = context.list(0, Type::Any)?;
    let mut seen: Vec<Value> = Vec::new();
    for item in items.iter() {
        if !seen.iter().any(|other| other.equals(item)) {
            seen.push(item.clone());
        }
    }
    Ok(Value::List(element, seen.into()))
}

pub(super) fn element(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (items, is_list) = match context.value(0)? {
        Value::List(_, items) => (items, true),
        Value::Tuple(items) => (items, false),
        _ => return Err("argument 1 must be a list or tuple".to_owned()),
    };
    let index = context.integer(1)?;
    // Terraform counts from the end of a list, and fails for a tuple.
    if index < 0 && !is_list {
        return Err("the index into a tuple must not be negative".to_owned());
    }
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let position = index.checked_rem_euclid(length);
    position
        .and_then(|position| items.get(usize::try_from(position).ok()?).cloned())
        .ok_or_else(|| "an empty list has no elements".to_owned())
}

pub(super) fn flatten(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let value = context.value(0)?;
    let items = value
        .items()
        .ok_or("argument 1 must be a list, set or tuple")?;
    let mut flat = Vec::new();
    let is_sensitive = append_flat(items, &mut flat);
    Ok(Value::tuple(flat).marked(is_sensitive))
}

/// Appends all that is in the lists; returns whether one of those within is sensitive.
fn append_flat(items: &[Value], flat: &mut Vec<Value>) -> bool {
    let mut is_sensitive = false;
    for item in items {
        match item.opened() {
            (list, is_marked) if list.items().is_some() => {
                is_sensitive |= is_marked;
                is_sensitive |= append_flat(list.items().unwrap_or_default(), flat);
            }
            _ => flat.push(item.clone()),
        }
    }
    is_sensitive
}

pub(super) fn index(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (Value::List(_, items) | Value::Tuple(items)) = context.value(0)? else {
        return Err("argument 1 must be a list or tuple".to_owned());
    };
    let wanted = context.value(1)?;
    items
        .iter()
        .position(|item| item.equals(wanted))
        .map(|position| Number::count(position).into())
        .ok_or_else(|| "the item is not in the list".to_owned())
}

pub(super) fn keys(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    match context.value(0)? {
        Value::Map(_, entries) => Ok(Value::strings(entries.keys())),
        Value::Object(entries) => Ok(Value::tuple(entries.keys().map(Value::string))),
        _ => Err("argument 1 must be a map or object".to_owned()),
    }
}

pub(super) fn values(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    match context.value(0)? {
        Value::Map(element, entries) => Ok(Value::List(
            element.clone(),
            entries.values().cloned().collect(),
        )),
        Value::Object(entries) => Ok(Value::tuple(entries.values().cloned())),
        _ => Err("argument 1 must be a map or object".to_owned()),
    }
}

pub(super) fn length(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let value = context.value(0)?;
    let length = match (value.as_str(), value.items(), value.entries()) {
        (Some(_), ..) => context.countable(0)?.graphemes(true).count(),
        (_, Some(items), _) => items.len(),
        (_, _, Some(entries)) => entries.len(),
        _ => return Err("argument 1 must be a string, a collection or a structure".to_owned()),
    };
    Ok(Number::count(length).into())
}

pub(super) fn lookup(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=3)?;
    let value = context.value(0)?;
    let name = context.text(1)?;
    let entries = value
        .entries()
        .ok_or("argument 1 must be a map or object")?;
    let default = context.arguments.get(2);
    let default = match (default, value) {
        (Some(default), Value::Map(element, _)) => {
            let converted = convert(default, element);
            Some(
                converted
                    .map_err(|error| format!("the default must be as the elements: {error}"))?,
            )
        }
        _ => default.cloned(),
    };
    match (entries.get(name.as_ref()), default) {
        (Some(entry), _) => Ok(entry.clone()),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(format!("there is no element {name:?} and no default")),
    }
}

pub(super) fn matchkeys(context: &Context<'_>) -> Result<Value, String> {
    context.takes(3..=3)?;
    let (element, values) = context.list(0, Type::Any)?;
    let (key_type, keys) = context.list(1, Type::Any)?;
    let (search_type, search) = context.list(2, Type::Any)?;
    if values.len() != keys.len() {
        return Err("there must be as many keys as values".to_owned());
    }
    let kind =
        common(&[key_type, search_type], false).ok_or("keys and search set differ in type")?;
    let as_kind = |items: &[Value]| {
        items
            .iter()
            .map(|item| convert(item, &kind))
            .collect::<Result<Vec<_>, _>>()
    };
    let keys = as_kind(&keys).map_err(|error| error.to_string())?;
    let search = as_kind(&search).map_err(|error| error.to_string())?;
    let matching = values
        .iter()
        .zip(&keys)
        .filter(|(_, key)| search.iter().any(|wanted| wanted.equals(key)))
        .map(|(value, _)| value.clone());
    Ok(Value::List(element, matching.collect()))
}

pub(super) fn merge(context: &Context<'_>) -> Result<Value, String> {
    let mut merged = BTreeMap::new();
    for argument in context.arguments {
        match (argument.entries(), argument) {
            (Some(entries), _) => {
                merged.extend(
                    entries
                        .iter()
                        .map(|(name, value)| (name.clone(), value.clone())),
                );
            }
            (None, Value::Null(Type::Any | Type::Map(_) | Type::Object(_))) => {}
            _ => return Err("all arguments must be maps or objects".to_owned()),
        }
    }
    let merged = Arc::new(merged);
    match context.arguments.first().map(Value::kind) {
        Some(Type::Map(element))
            if context
                .arguments
                .iter()
                .all(|argument| matches!(argument.kind(), Type::Map(own) if own == element)) =>
        {
            Ok(Value::Map(element.as_ref().clone(), merged))
        }
        _ => Ok(Value::Object(merged)),
    }
}

pub(super) fn one(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let value = context.value(0)?;
    let items = value
        .items()
        .ok_or("argument 1 must be a list, set or tuple")?;
    match (items, value) {
        ([], Value::List(element, _) | Value::Set(element, _)) => Ok(Value::Null(element.clone())),
        ([], _) => Ok(Value::null()),
        ([only], _) => Ok(only.clone()),
        _ => Err("argument 1 must have no item or one".to_owned()),
    }
}

pub(super) fn reverse(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    match context.value(0)? {
        Value::Tuple(items) => Ok(Value::tuple(items.iter().rev().cloned())),
        Value::List(element, items) | Value::Set(element, items) => Ok(Value::List(
            element.clone(),
            items.iter().rev().cloned().collect(),
        )),
        _ => Err("argument 1 must be a list, set or tuple".to_owned()),
    }
}

pub(super) fn slice(context: &Context<'_>) -> Result<Value, String> {
    context.takes(3..=3)?;
    let value = context.value(0)?;
    let (Value::List(_, items) | Value::Tuple(items)) = value else {
        return Err("argument 1 must be a list or tuple".to_owned());
    };
    let position = |index: usize| -> Result<usize, String> {
        usize::try_from(context.integer(index)?)
            .ok()
            .filter(|position| *position <= items.len())
            .ok_or_else(|| "the indexes must lie within the list".to_owned())
    };
    let (start, end) = (position(1)?, position(2)?);
    if start > end {
        return Err("the start must not be behind the end".to_owned());
    }
    let part: Arc<[Value]> = items[start..end].into();
    Ok(match value {
        Value::List(element, _) => Value::List(element.clone(), part),
        _ => Value::Tuple(part),
    })
}

pub(super) fn sort(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let mut items = context.texts(0)?;
    items.sort();
    Ok(Value::strings(items))
}
