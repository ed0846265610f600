//! Conversion between types, as Terraform's library (cty) does it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::common::{common, elements_of};
use super::number::Number;
use super::value::{Field, Type, Value};

/// Why a value is not of a type: where in the value, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    path: String,
    reason: String,
    /// Whether Terraform converts it.
    pub is_refusal: bool,
}

impl Mismatch {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            reason: reason.into(),
            is_refusal: false,
        }
    }

    fn below(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.strip_prefix('.').unwrap_or(&self.path) {
            "" => write!(formatter, "{}", self.reason),
            path => write!(formatter, "{path}: {}", self.reason),
        }
    }
}

/// The value as `target`.
pub(super) fn convert(value: &Value, target: &Type) -> Result<Value, Mismatch> {
    match (value, target) {
        (_, Type::Any) => Ok(value.clone()),
        // Where in the value is a secret as well: it may be a key.
        (Value::Sensitive(value), _) => {
            convert(value, target)
                .map(Value::sensitive)
                .map_err(|mismatch| Mismatch {
                    path: String::new(),
                    ..mismatch
                })
        }
        (Value::Null(Type::Any), _) => Ok(Value::Null(plain(target))),
        (Value::Null(kind), _) if convertible(kind, target) => settled(kind, target)
            .map(|kind| Value::Null(plain(&kind)))
            .ok_or_else(|| Mismatch::new("all elements must have the same type")),
        (Value::Bool(_), Type::Bool)
        | (Value::Number(_), Type::Number)
        | (Value::String(_), Type::String) => Ok(value.clone()),
        (Value::Bool(value), Type::String) => Ok(if *value { "true" } else { "false" }.into()),
        (Value::Number(number), Type::String) => Ok(number.to_string().into()),
        (Value::String(text), Type::Bool) => match text.as_ref() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(Mismatch::new("a bool is required: \"true\" or \"false\"")),
        },
        (Value::String(text), Type::Number) => {
            Number::parse(text)
                .map(Value::Number)
                .ok_or_else(|| Mismatch {
                    is_refusal: Number::is_out_of_range(text),
                    ..Mismatch::new("a number is required")
                })
        }
        (Value::List(own, _), Type::List(wanted)) if own == wanted.as_ref() => Ok(value.clone()),
        (Value::Set(own, _), Type::Set(wanted)) if own == wanted.as_ref() => Ok(value.clone()),
        (Value::Map(own, _), Type::Map(wanted)) if own == wanted.as_ref() => Ok(value.clone()),
        // Also where there is no element that could not be converted.
        (
            Value::List(own, items) | Value::Set(own, items),
            Type::List(wanted) | Type::Set(wanted),
        ) if items.is_empty() && !convertible(own, wanted) => {
            Err(Mismatch::new(format!("{} required", with_article(target))))
        }
        (Value::Map(own, entries), Type::Map(wanted))
            if entries.is_empty() && !convertible(own, wanted) =>
        {
            Err(Mismatch::new(format!("{} required", with_article(target))))
        }
        (
            Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items),
            Type::List(wanted),
        ) => {
            let element = element_type(value, wanted)?;
            let items = convert_items(items, &element)?;
            let (element, items) = alike(items, &element, matches!(value, Value::Tuple(_)))?;
            Ok(Value::List(element, items.into()))
        }
        (Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items), Type::Set(wanted)) => {
            let element = element_type(value, wanted)?;
            let (element, items) = alike(convert_items(items, &element)?, &element, false)?;
            Ok(Value::set(element, items))
        }
        (Value::Tuple(items), Type::Tuple(wanted)) => {
            if items.len() != wanted.len() {
                let reason = format!("a tuple of {} elements is required", wanted.len());
                return Err(Mismatch::new(reason));
            }
            let pairs = items.iter().zip(wanted.iter()).enumerate();
            pairs
                .map(|(index, (item, kind))| {
                    convert(item, kind).map_err(|error| error.below(&format!("[{index}]")))
                })
                .collect::<Result<Vec<_>, _>>()
                .map(Value::tuple)
        }
        (Value::Map(_, entries) | Value::Object(entries), Type::Map(wanted)) => {
            let element = element_type(value, wanted)?;
            let convert_entry = |(name, entry): (&String, &Value)| {
                convert(entry, &element).map_err(|error| error.below(&format!("[{name:?}]")))
            };
            let converted: Result<Vec<Value>, _> = entries.iter().map(convert_entry).collect();
            let unifies = !matches!(
                element,
                Type::Any | Type::Tuple(_) | Type::Bool | Type::Number | Type::String
            );
            let (element, converted) = alike(converted?, &element, unifies)?;
            let entries = entries.keys().cloned().zip(converted).collect();
            Ok(Value::Map(element, Arc::new(entries)))
        }
        (Value::Map(_, entries) | Value::Object(entries), Type::Object(fields)) => {
            convert_object(entries, fields)
        }
        _ => Err(Mismatch::new(format!("{} required", with_article(target)))),
    }
}

fn convert_object(
    entries: &BTreeMap<String, Value>,
    fields: &BTreeMap<String, Field>,
) -> Result<Value, Mismatch> {
    let mut converted = BTreeMap::new();
    for (name, field) in fields {
        let value = match entries.get(name) {
            Some(value) => {
                convert(value, &field.kind).map_err(|error| error.below(&format!(".{name}")))?
            }
            None if field.optional => Value::Null(plain(&field.kind)),
            None => return Err(Mismatch::new(format!("attribute \"{name}\" is required"))),
        };
        converted.insert(name.clone(), value);
    }
    Ok(Value::Object(Arc::new(converted)))
}

fn convert_items(items: &[Value], element: &Type) -> Result<Vec<Value>, Mismatch> {
    let convert_item =
        |(index, item)| convert(item, element).map_err(|error| error.below(&format!("[{index}]")));
    items.iter().enumerate().map(convert_item).collect()
}

/// The elements of a collection and the type of them all, of which `wanted` may leave a part to them by
/// an `any` within: they differ there, unless the collection `unifies` them.
fn alike(items: Vec<Value>, wanted: &Type, unifies: bool) -> Result<(Type, Vec<Value>), Mismatch> {
    if items.is_empty() || !has_any(wanted) {
        return Ok((plain(wanted), items));
    }
    let differ = || Mismatch::new("all elements must have the same type");
    let items = if unifies {
        let kinds: Vec<Type> = items.iter().map(Value::kind).collect();
        convert_items(&items, &common(&kinds, true).ok_or_else(differ)?)?
    } else {
        items
    };
    let kinds = items.iter().map(Value::kind);
    let mut known = kinds.filter(|kind| *kind != Type::Any);
    let kind = known.next().unwrap_or(Type::Any);
    if known.any(|other| other != kind) {
        return Err(differ());
    }
    Ok((kind, items))
}

fn has_any(kind: &Type) -> bool {
    *kind == Type::Any || elements_of(kind).iter().any(has_any)
}

/// What the elements become: the wanted type or, for `any`, the type they have in common.
fn element_type(value: &Value, wanted: &Type) -> Result<Type, Mismatch> {
    if *wanted != Type::Any {
        return Ok(wanted.clone());
    }
    match value {
        Value::List(own, _) | Value::Set(own, _) | Value::Map(own, _) => Ok(own.clone()),
        Value::Tuple(items) => common(&items.iter().map(Value::kind).collect::<Vec<_>>(), false)
            .ok_or_else(|| Mismatch::new("all elements must have the same type")),
        // Here, not in a list, a null of no type takes the type of the others.
        Value::Object(entries) => common(
            &entries
                .values()
                .map(Value::kind)
                .filter(|kind| *kind != Type::Any)
                .collect::<Vec<_>>(),
            false,
        )
        .ok_or_else(|| Mismatch::new("all elements must have the same type")),
        _ => Ok(Type::Any),
    }
}

/// The type that a null of type `kind` has as `target`: what `any` stands for is what it has there, and
/// in a collection what its elements would have had in common.
fn settled(kind: &Type, target: &Type) -> Option<Type> {
    let element = |wanted: &Type| settled(&common(&elements_of(kind), true)?, wanted);
    Some(match (kind, target) {
        (Type::Any, target) => target.clone(),
        (kind, Type::Any) => kind.clone(),
        (_, Type::List(wanted)) => Type::list(element(wanted)?),
        (_, Type::Set(wanted)) => Type::set(element(wanted)?),
        (_, Type::Map(wanted)) => Type::map(element(wanted)?),
        (Type::Tuple(own), Type::Tuple(wanted)) => {
            let items = own.iter().zip(wanted.iter());
            let items: Option<Vec<Type>> = items.map(|(own, it)| settled(own, it)).collect();
            Type::Tuple(items?.into())
        }
        (Type::Object(_) | Type::Map(_), Type::Object(fields)) => {
            let field = |(name, field): (&String, &Field)| {
                let own = match kind {
                    Type::Map(own) => Some(own.as_ref()),
                    Type::Object(own) => own.get(name).map(|own| &own.kind),
                    _ => None,
                };
                let kind =
                    own.map_or_else(|| Some(field.kind.clone()), |own| settled(own, &field.kind));
                kind.map(|kind| (name.clone(), kind))
            };
            Type::object(fields.iter().map(field).collect::<Option<Vec<_>>>()?)
        }
        (_, target) => target.clone(),
    })
}

/// The type without its optional marks: what a value of a constraint has.
pub(super) fn plain(kind: &Type) -> Type {
    match kind {
        Type::List(element) => Type::list(plain(element)),
        Type::Set(element) => Type::set(plain(element)),
        Type::Map(element) => Type::map(plain(element)),
        Type::Tuple(items) => Type::Tuple(items.iter().map(plain).collect()),
        Type::Object(fields) => Type::object(
            fields
                .iter()
                .map(|(name, field)| (name.clone(), plain(&field.kind))),
        ),
        Type::Any | Type::Bool | Type::Number | Type::String => kind.clone(),
    }
}

/// Whether values of one type may be converted to the other; a single value can still fail.
fn convertible(from: &Type, to: &Type) -> bool {
    allowed(from, to, true)
}

/// Likewise; without `also_unsafe` no value of the type can fail.
pub(super) fn allowed(from: &Type, to: &Type, also_unsafe: bool) -> bool {
    if from == to {
        return true;
    }
    match (from, to) {
        (Type::Any, _) | (_, Type::Any) | (Type::Bool | Type::Number, Type::String) => true,
        (Type::String, Type::Bool | Type::Number) => also_unsafe,
        (Type::List(from) | Type::Set(from), Type::List(to))
        | (Type::Map(from), Type::Map(to))
        | (Type::Set(from), Type::Set(to)) => allowed(from, to, also_unsafe),
        // The order is lost, and what is there twice.
        (Type::List(from), Type::Set(to)) => also_unsafe && allowed(from, to, true),
        (Type::Tuple(items), Type::List(to) | Type::Set(to)) => {
            items.iter().all(|from| allowed(from, to, also_unsafe))
        }
        (Type::Tuple(from), Type::Tuple(to)) => {
            from.len() == to.len()
                && from
                    .iter()
                    .zip(to.iter())
                    .all(|(from, to)| allowed(from, to, also_unsafe))
        }
        (Type::Object(from), Type::Map(to)) => from
            .values()
            .all(|field| allowed(&field.kind, to, also_unsafe)),
        (Type::Map(from), Type::Object(to)) => {
            also_unsafe && to.values().all(|field| allowed(from, &field.kind, true))
        }
        (Type::Object(from), Type::Object(to)) => to.iter().all(|(name, field)| {
            from.get(name).map_or(field.optional, |own| {
                allowed(&own.kind, &field.kind, also_unsafe)
            })
        }),
        _ => false,
    }
}

fn with_article(kind: &Type) -> String {
    match kind {
        Type::Any => "any value is".to_owned(),
        Type::Object(_) => "an object is".to_owned(),
        _ => format!("a {} is", kind.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::convert;
    use crate::module::value::{Type, Value};

    #[test]
    fn primitives_convert_as_in_terraform() {
        let string = |value: Value| convert(&value, &Type::String).unwrap();
        assert_eq!(string(Value::Bool(true)), Value::from("true"));
        assert_eq!(string(Value::Number(15.into())), Value::from("15"));
        assert_eq!(
            convert(&"1.50".into(), &Type::Number).unwrap().to_json(),
            1.5
        );
        assert!(convert(&"yes".into(), &Type::Bool).is_err());
        assert!(convert(&Value::Number(1.into()), &Type::Bool).is_err());
    }

    #[test]
    fn a_mismatch_says_where() {
        let list = Value::tuple([Value::object([("a".to_owned(), Value::tuple([]))])]);
        let wanted = Type::list(Type::map(Type::Number));
        assert_eq!(
            convert(&list, &wanted).unwrap_err().to_string(),
            "[0][\"a\"]: a number is required"
        );
    }
}
