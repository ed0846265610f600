//! `for` expressions, and what loops can go over.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use hcl_edit::expr::ForExpr;

use super::expression::{Binding, Evaluated, Frame, boolean, evaluate, key_text, start};
use super::number::Number;
use super::value::Value;

/// The keys and values that a loop goes over; `None` if it can go over no such value.
pub(super) fn pairs(collection: &Value) -> Option<Vec<(Value, Value)>> {
    match collection {
        Value::List(_, items) | Value::Tuple(items) => {
            let pair = |(index, item): (usize, &Value)| (Number::count(index).into(), item.clone());
            Some(items.iter().enumerate().map(pair).collect())
        }
        Value::Set(_, items) => Some(
            items
                .iter()
                .map(|item| (item.clone(), item.clone()))
                .collect(),
        ),
        Value::Map(_, entries) | Value::Object(entries) => {
            let pair = |(name, entry): (&String, &Value)| (Value::string(name), entry.clone());
            Some(entries.iter().map(pair).collect())
        }
        _ => None,
    }
}

/// The tuple or object that a `for` expression makes.
pub(super) fn for_value(loop_: &ForExpr, frame: &Frame<'_>) -> Evaluated {
    let collection = evaluate(&loop_.intro.collection_expr, frame)?;
    // So are the number and the order of what it makes.
    let (collection, mut is_sensitive) = collection.opened();
    let Some(pairs) = pairs(collection) else {
        let kind = if collection.is_null() {
            "null"
        } else {
            collection.kind().name()
        };
        let message = format!("a for expression cannot go over {kind}");
        return Err(frame.mistake(message, start(&loop_.intro.collection_expr)));
    };
    let mut items = Vec::new();
    let mut entries: BTreeMap<String, Value> = BTreeMap::new();
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (key, value) in pairs {
        let outer = loop_.intro.key_var.as_ref().map(|name| Binding {
            name: name.as_str(),
            value: key,
            outer: frame.bindings,
        });
        let name = loop_.intro.value_var.as_str();
        let binding = Binding {
            name,
            value,
            outer: outer.as_ref().or(frame.bindings),
        };
        let frame = Frame {
            bindings: Some(&binding),
            ..*frame
        };
        if let Some(condition) = &loop_.cond {
            let wanted = evaluate(&condition.expr, &frame)?;
            is_sensitive |= wanted.is_sensitive();
            if !boolean(
                &wanted,
                "the condition of the for expression",
                &frame,
                start(&condition.expr),
            )? {
                continue;
            }
        }
        let result = match &loop_.key_expr {
            None => {
                items.push(evaluate(&loop_.value_expr, &frame)?);
                continue;
            }
            Some(expression) => {
                let key = evaluate(expression, &frame)?;
                is_sensitive |= key.is_sensitive();
                key_text(&key).map_err(|message| frame.mistake(message, start(expression)))?
            }
        };
        let value = evaluate(&loop_.value_expr, &frame)?;
        if loop_.grouping {
            groups.entry(result).or_default().push(value);
            continue;
        }
        match entries.entry(result) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(entry) => {
                let key = match is_sensitive {
                    true => "one key, which is sensitive".to_owned(),
                    false => format!("the key {:?}", entry.key()),
                };
                let message =
                    format!("two items produced {key}: group them with ... after the value");
                return Err(frame.mistake(message, loop_.key_expr.as_ref().and_then(start)));
            }
        }
    }
    let made = match (&loop_.key_expr, loop_.grouping) {
        (None, _) => Value::tuple(items),
        (Some(_), false) => Value::Object(Arc::new(entries)),
        (Some(_), true) => Value::object(
            groups
                .into_iter()
                .map(|(key, items)| (key, Value::tuple(items))),
        ),
    };
    Ok(made.marked(is_sensitive))
}
