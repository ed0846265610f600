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
                attribute(&value, name.as_str()).map_err(|message| frame.mistake(message, at))?
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
    let items = match value {
        Value::Null(Type::List(_) | Type::Set(_)) => {
            return Err(frame.mistake("a splat cannot be applied to a null list", offset));
        }
        Value::Null(_) => return Ok(Value::tuple([])),
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => items.clone(),
        single => Arc::from([single.clone()]),
    };
    let results = items
        .iter()
        .map(|item| walk(item.clone(), steps, frame, offset))
        .collect::<Evaluated<Vec<_>>>()?;
    Ok(match value {
        Value::List(element, _) | Value::Set(element, _) => {
            let kind = results.first().map_or_else(|| element.clone(), Value::kind);
            Value::List(kind, results.into())
        }
        _ => Value::tuple(results),
    })
}

/// `value.name`.
fn attribute(value: &Value, name: &str) -> Result<Value, String> {
    let name = &*normal(name);
    match value {
        Value::Null(_) => Err(format!("cannot read attribute \"{name}\" of a null value")),
        Value::Object(entries) => entries.get(name).cloned().ok_or_else(|| {
            let nearest = nearest(name, entries.keys().map(String::as_str));
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
