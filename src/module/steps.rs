//! The steps behind a value: attributes, indexes and splats.

use std::sync::Arc;

use hcl_edit::Decorated;
use hcl_edit::expr::TraversalOperator;

use super::convert::convert;
use super::expression::{Evaluated, Frame, evaluate, start};
use super::nearest::nearest;
use super::number::Number;
use super::value::{Type, Value, normal};

/// The value behind the steps.
pub(super) fn walk(
    value: Value,
    steps: &[Decorated<TraversalOperator>],
    frame: &Frame<'_>,
    offset: Option<usize>,
) -> Evaluated {
    let mut value = value;
    for (index, step) in steps.iter().enumerate() {
        let at = start(step).or(offset);
        value = match step.value() {
            TraversalOperator::GetAttr(name) => {
                let (inner, is_sensitive) = value.opened();
                attribute(inner, name.as_str(), is_sensitive)
                    .map_err(|message| frame.mistake(message, at))?
                    .marked(is_sensitive)
            }
            TraversalOperator::LegacyIndex(position) => {
                let key = usize::try_from(*position.value()).unwrap_or(usize::MAX);
                item(&value, &Value::Number(Number::count(key)))
                    .map_err(|message| frame.mistake(message, at))?
            }
            TraversalOperator::Index(key) => {
                let key = evaluate(key, frame)?;
                item(&value, &key).map_err(|message| frame.mistake(message, at))?
            }
            TraversalOperator::FullSplat(_) => {
                return splat(&value, &steps[index + 1..], frame, at);
            }
            TraversalOperator::AttrSplat(_) => {
                let rest = &steps[index + 1..];
                let own = rest
                    .iter()
                    .take_while(|step| {
                        matches!(
                            step.value(),
                            TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_)
                        )
                    })
                    .count();
                let value = splat(&value, &rest[..own], frame, at)?;
                return walk(value, &rest[own..], frame, at);
            }
        };
    }
    Ok(value)
}

fn splat(
    value: &Value,
    steps: &[Decorated<TraversalOperator>],
    frame: &Frame<'_>,
    offset: Option<usize>,
) -> Evaluated {
    let (whole, is_sensitive) = value.opened();
    let items = match whole {
        Value::Null(Type::List(_) | Type::Set(_)) => {
            return Err(frame.mistake("a splat cannot be applied to a null list", offset));
        }
        Value::Null(_) => return Ok(Value::tuple([]).marked(is_sensitive)),
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => items.clone(),
        _ => Arc::from([value.clone()]),
    };
    let results = items
        .iter()
        .map(|item| walk(item.clone(), steps, frame, offset))
        .collect::<Evaluated<Vec<_>>>()?;
    let made = match whole {
        Value::List(element, _) | Value::Set(element, _) => {
            let kind = match results.first() {
                Some(first) => first.kind(),
                None => kind_behind(element, steps, frame, offset)?,
            };
            Value::List(kind, results.into())
        }
        _ => Value::tuple(results),
    };
    Ok(made.marked(is_sensitive))
}

/// The type of what the steps lead to from a value of the type, where there is no value: an empty
/// list has elements of a type too, and what they lack is a mistake.
fn kind_behind(
    kind: &Type,
    steps: &[Decorated<TraversalOperator>],
    frame: &Frame<'_>,
    offset: Option<usize>,
) -> Evaluated<Type> {
    let Some((step, rest)) = steps.split_first() else {
        return Ok(kind.clone());
    };
    let at = start(step).or(offset);
    let key = match step.value() {
        TraversalOperator::GetAttr(name) => Value::string(name.as_str()),
        TraversalOperator::LegacyIndex(position) => Value::Number(Number::count(
            usize::try_from(*position.value()).unwrap_or(usize::MAX),
        )),
        TraversalOperator::Index(key) => evaluate(key, frame)?,
        TraversalOperator::FullSplat(_) | TraversalOperator::AttrSplat(_) => {
            return Ok(match kind {
                Type::List(element) | Type::Set(element) => {
                    Type::list(kind_behind(element, rest, frame, offset)?)
                }
                Type::Tuple(items) => Type::Tuple(
                    items
                        .iter()
                        .map(|item| kind_behind(item, rest, frame, offset))
                        .collect::<Evaluated<_>>()?,
                ),
                _ => Type::Any,
            });
        }
    };
    let by_name = matches!(step.value(), TraversalOperator::GetAttr(_));
    let next = match (kind, &key) {
        (Type::Any, _) => return Ok(Type::Any),
        (Type::Object(fields), Value::String(name)) => {
            fields.get(name.as_ref()).map(|field| field.kind.clone())
        }
        (Type::Map(element), _) => Some(element.as_ref().clone()),
        (Type::List(element), _) if !by_name => Some(element.as_ref().clone()),
        (Type::Tuple(items), Value::Number(number)) => number
            .as_i64()
            .and_then(|position| usize::try_from(position).ok())
            .and_then(|position| items.get(position).cloned()),
        _ => None,
    };
    let Some(next) = next else {
        let message = format!(
            "an element of the empty list, a {}, has no such part",
            kind.name()
        );
        return Err(frame.mistake(message, at));
    };
    kind_behind(&next, rest, frame, offset)
}

/// `value.name`; of what is sensitive no other name is told.
fn attribute(value: &Value, name: &str, is_sensitive: bool) -> Result<Value, String> {
    let name = &*normal(name);
    match value {
        Value::Null(_) => Err(format!("cannot read attribute \"{name}\" of a null value")),
        Value::Object(entries) => entries.get(name).cloned().ok_or_else(|| {
            let known = entries.keys().filter(|_| !is_sensitive);
            let nearest = nearest(name, known.map(String::as_str));
            let guess = nearest
                .map(|name| format!("; did you mean \"{name}\"?"))
                .unwrap_or_default();
            format!("this object has no attribute \"{name}\"{guess}")
        }),
        Value::Map(_, entries) => entries
            .get(name)
            .cloned()
            .ok_or_else(|| format!("this map has no element \"{name}\"")),
        Value::List(..) | Value::Tuple(_) | Value::Set(..) => Err(format!(
            "cannot read attribute \"{name}\" of a {}: choose an item, or all with [*]",
            value.kind().name()
        )),
        _ => Err(format!("a {} has no attributes", value.kind().name())),
    }
}

/// `value[key]`.
fn item(value: &Value, key: &Value) -> Result<Value, String> {
    let ((value, is_sensitive), (key, is_sensitive_key)) = (value.opened(), key.opened());
    if !is_sensitive && !is_sensitive_key {
        return plain_item(value, key);
    }
    // Terraform drops the mark of a key into an object.
    let is_dropped = matches!(value, Value::Object(_));
    plain_item(value, key)
        .map(|item| item.marked(is_sensitive || !is_dropped))
        .map_err(|_| "there is no such item in the value: it or the key is sensitive".to_owned())
}

fn plain_item(value: &Value, key: &Value) -> Result<Value, String> {
    if value.is_null() {
        return Err("cannot index a null value".to_owned());
    }
    if key.is_null() {
        return Err("cannot index with a null value".to_owned());
    }
    match value {
        Value::List(_, items) | Value::Tuple(items) => {
            let Ok(Value::Number(number)) = convert(key, &Type::Number) else {
                return Err(format!(
                    "a {} is indexed with a number",
                    value.kind().name()
                ));
            };
            let position = number
                .as_i64()
                .and_then(|position| usize::try_from(position).ok());
            position
                .and_then(|position| items.get(position).cloned())
                .ok_or_else(|| {
                    format!(
                        "there is no item {number}: the {} has {}",
                        value.kind().name(),
                        items.len()
                    )
                })
        }
        Value::Map(_, entries) | Value::Object(entries) => {
            let Ok(Value::String(name)) = convert(key, &Type::String) else {
                return Err(format!(
                    "a {} is indexed with a string",
                    value.kind().name()
                ));
            };
            entries
                .get(name.as_ref())
                .cloned()
                .ok_or_else(|| format!("the {} has no element {name:?}", value.kind().name()))
        }
        Value::Set(..) => Err("the items of a set have no index".to_owned()),
        _ => Err(format!("a {} cannot be indexed", value.kind().name())),
    }
}
