//! Functions that combine sets, lists and maps with each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use crate::module::common::common;
use crate::module::convert::convert;
use crate::module::value::{Type, Value};

/// The common type of the elements, and the elements of each set.
type Sets = (Type, Vec<Arc<[Value]>>);

/// The arguments as sets of the type that their elements have in common.
fn sets(context: &Context<'_>, least: usize) -> Result<Sets, String> {
    context.takes(least..=usize::MAX)?;
    let mut sets = Vec::new();
    let mut elements = Vec::new();
    for index in 0..context.arguments.len() {
        match context.converted(index, &Type::set(Type::Any))? {
            Value::Set(element, items) => {
                // An empty set of no type has no say.
                if element != Type::Any || !items.is_empty() {
                    elements.push(element);
                }
                sets.push(Value::Set(Type::Any, items));
            }
            _ => return Err(format!("argument {} must be a set", index + 1)),
        }
    }
    let kind = common(&elements, false).ok_or("the sets must have elements of one type")?;
    let mut converted = Vec::new();
    for set in sets {
        match convert(&set, &Type::set(kind.clone())) {
            Ok(Value::Set(_, items)) => converted.push(items),
            _ => return Err("the sets must have elements of one type".to_owned()),
        }
    }
    Ok((kind, converted))
}

pub(super) fn setunion(context: &Context<'_>) -> Result<Value, String> {
    let (kind, sets) = sets(context, 1)?;
    Ok(Value::set(
        kind,
        sets.iter().flat_map(|set| set.iter().cloned()),
    ))
}

pub(super) fn setintersection(context: &Context<'_>) -> Result<Value, String> {
    let (kind, sets) = sets(context, 1)?;
    let in_all = |item: &&Value| sets.iter().all(|set| set.contains(item));
    Ok(Value::set(kind, sets[0].iter().filter(in_all).cloned()))
}

pub(super) fn setsubtract(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (kind, sets) = sets(context, 2)?;
    let kept = sets[0].iter().filter(|item| !sets[1].contains(item));
    Ok(Value::set(kind, kept.cloned()))
}

pub(super) fn setproduct(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=usize::MAX)?;
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    let mut is_set = false;
    let mut elements = Vec::new();
    for index in 0..context.arguments.len() {
        let value = context.value(index)?;
        let (items, element) = match value {
            Value::Set(element, items) => {
                is_set = true;
                (items.clone(), element.clone())
            }
            Value::List(element, items) => (items.clone(), element.clone()),
            Value::Tuple(_) => {
                let (element, items) = context.list(index, Type::Any)?;
                (items, element)
            }
            _ => return Err("all arguments must be lists or sets".to_owned()),
        };
        if rows.len().saturating_mul(items.len()) > 1_000_000 {
            return Err("more than a million combinations".to_owned());
        }
        elements.push(element);
        let with = |row: &Vec<Value>| {
            let row = row.clone();
            let append = move |item: &Value| row.iter().cloned().chain([item.clone()]).collect();
            items.iter().map(append).collect::<Vec<Vec<Value>>>()
        };
        rows = rows.iter().flat_map(with).collect();
    }
    let kind = Type::Tuple(elements.into());
    let rows = rows.into_iter().map(Value::tuple);
    Ok(if is_set {
        Value::set(kind, rows)
    } else {
        Value::List(kind, rows.collect())
    })
}

pub(super) fn transpose(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let lists = Type::list(Type::String);
    let Value::Map(_, entries) = context.converted(0, &Type::map(lists.clone()))? else {
        return Err("argument 1 must be a map of lists of strings".to_owned());
    };
    let mut turned: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, list) in entries.iter() {
        for item in list.items().ok_or("a list in the map is null")? {
            let item = item.as_str().ok_or("an item of a list is null")?;
            turned
                .entry(item.to_owned())
                .or_default()
                .push(Value::string(name));
        }
    }
    let turned = turned
        .into_iter()
        .map(|(name, names)| (name, Value::List(Type::String, names.into())))
        .collect();
    Ok(Value::Map(lists, Arc::new(turned)))
}

pub(super) fn zipmap(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (keys, is_sensitive) = match context.value(0)? {
        keys if keys.holds_sensitive() => {
            let arguments = [keys.revealed()];
            let context = Context {
                arguments: &arguments,
                ..*context
            };
            (context.texts(0).map_err(|_| "a key is unsuitable")?, true)
        }
        _ => (context.texts(0)?, false),
    };
    let value = context.value(1)?;
    let (Value::List(_, items) | Value::Tuple(items)) = value else {
        return Err("argument 2 must be a list or tuple".to_owned());
    };
    if keys.len() != items.len() {
        return Err(format!(
            "{} keys cannot be paired with {} values",
            keys.len(),
            items.len()
        ));
    }
    let entries = keys
        .iter()
        .map(|key| key.to_string())
        .zip(items.iter().cloned())
        .collect();
    let made = match value {
        Value::List(element, _) => Value::Map(element.clone(), Arc::new(entries)),
        _ => Value::Object(Arc::new(entries)),
    };
    Ok(made.marked(is_sensitive))
}
