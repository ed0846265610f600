//! Conversion between types, and the type that several types have in common, as Terraform's
//! library (cty) does both.

use std::collections::BTreeMap;
use std::sync::Arc;

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
            Ok(Value::List(
                plain(&element),
                convert_items(items, &element)?.into(),
            ))
        }
        (Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items), Type::Set(wanted)) => {
            let element = element_type(value, wanted)?;
            Ok(Value::set(plain(&element), convert_items(items, &element)?))
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
            let mut converted = BTreeMap::new();
            for (name, entry) in entries.iter() {
                let entry = convert(entry, &element)
                    .map_err(|error| error.below(&format!("[{name:?}]")))?;
                converted.insert(name.clone(), entry);
            }
            Ok(Value::Map(plain(&element), Arc::new(converted)))
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

/// The type that a null of type `kind` has as `target`: what `any` stands for in a collection is what
/// the elements would have had in common.
fn settled(kind: &Type, target: &Type) -> Option<Type> {
    let element = |wanted: &Type| match wanted {
        Type::Any => common(&elements_of(kind), false),
        wanted => Some(wanted.clone()),
    };
    match target {
        Type::List(wanted) => element(wanted).map(Type::list),
        Type::Set(wanted) => element(wanted).map(Type::set),
        Type::Map(wanted) => element(wanted).map(Type::map),
        other => Some(other.clone()),
    }
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

fn allowed(from: &Type, to: &Type, also_unsafe: bool) -> bool {
    if from == to {
        return true;
    }
    match (from, to) {
        (Type::Any, _) | (_, Type::Any) | (Type::Bool | Type::Number, Type::String) => true,
        (Type::String, Type::Bool | Type::Number) => also_unsafe,
        (Type::List(from) | Type::Set(from), Type::List(to))
        | (Type::Map(from), Type::Map(to))
        | (Type::List(from) | Type::Set(from), Type::Set(to)) => allowed(from, to, also_unsafe),
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

/// The type that all of `kinds` can become; `None` if there is none. `also_unsafe` allows
/// conversions that depend on the value, as a conditional does.
pub(super) fn common(kinds: &[Type], also_unsafe: bool) -> Option<Type> {
    let known: Vec<&Type> = kinds.iter().filter(|kind| **kind != Type::Any).collect();
    let Some(first) = known.first() else {
        return Some(Type::Any);
    };
    let has_any = known.len() < kinds.len();
    if has_any && known.iter().all(|kind| is_structural(kind)) && is_of_one_kind(&known) {
        // What a null of no type is in such company Terraform never decides: all stay as they are.
        return also_unsafe.then_some(Type::Any);
    }
    if known.iter().all(|kind| kind == first) {
        return Some((*first).clone());
    }
    let all = |is: fn(&Type) -> bool| known.iter().all(|kind| is(kind));
    let any = |is: fn(&Type) -> bool| known.iter().any(|kind| is(kind));
    let is_map = |kind: &Type| matches!(kind, Type::Map(_));
    let is_list = |kind: &Type| matches!(kind, Type::List(_));
    let is_set = |kind: &Type| matches!(kind, Type::Set(_));
    let is_object = |kind: &Type| matches!(kind, Type::Object(_));
    let is_tuple = |kind: &Type| matches!(kind, Type::Tuple(_));
    let elements = || {
        let elements: Vec<Type> = known.iter().flat_map(|kind| elements_of(kind)).collect();
        let has_own = |kind: &&Type| common(&elements_of(kind), also_unsafe).is_some();
        // Where all may stay as they are, each must be able to be a collection by itself.
        common(&elements, also_unsafe)
            .filter(|element| *element != Type::Any || known.iter().all(has_own))
    };
    if all(is_map) {
        return elements().map(Type::map);
    }
    if all(is_list) {
        return elements().map(Type::list);
    }
    if all(is_set) {
        return elements().map(Type::set);
    }
    if all(is_object) {
        return common_object(&known, also_unsafe).unwrap_or_else(|| elements().map(Type::map));
    }
    if all(is_tuple) {
        return common_tuple(&known, also_unsafe).unwrap_or_else(|| elements().map(Type::list));
    }
    // As if each of them were a collection by itself.
    let elements = || {
        let each = known.iter().map(|kind| elements_of(kind));
        let each = each.filter(|elements| !elements.is_empty());
        let each = each.map(|elements| common(&elements, also_unsafe));
        common(&each.collect::<Option<Vec<_>>>()?, also_unsafe)
    };
    if any(is_map)
        && all(|kind| matches!(kind, Type::Map(_) | Type::Object(_)))
        && let Some(element) = elements()
    {
        return Some(Type::map(element));
    }
    if any(is_list)
        && all(|kind| matches!(kind, Type::List(_) | Type::Tuple(_)))
        && let Some(element) = elements()
    {
        return Some(Type::list(element));
    }
    if any(is_object) && any(is_tuple) {
        return None;
    }
    let mut candidates = known.clone();
    // Strings can be made of the other primitives, so they come first.
    candidates.sort_by_key(|kind| match kind {
        Type::String => 0,
        Type::Set(_) => 2,
        _ => 1,
    });
    let fits = |wanted: &&&Type| known.iter().all(|kind| allowed(kind, wanted, also_unsafe));
    let candidate = candidates.iter().find(fits).map(|kind| (*kind).clone());
    // What has a null of no type among it can at least stay as it is.
    candidate.or_else(|| (has_any && also_unsafe).then_some(Type::Any))
}

fn is_structural(kind: &Type) -> bool {
    !matches!(kind, Type::Any | Type::Bool | Type::Number | Type::String)
}

/// Whether all are lists, or all objects, and so on.
fn is_of_one_kind(kinds: &[&Type]) -> bool {
    kinds
        .windows(2)
        .all(|pair| pair[0].name() == pair[1].name())
}

fn elements_of(kind: &Type) -> Vec<Type> {
    match kind {
        Type::List(element) | Type::Set(element) | Type::Map(element) => {
            vec![element.as_ref().clone()]
        }
        Type::Tuple(items) => items.to_vec(),
        Type::Object(fields) => fields.values().map(|field| field.kind.clone()).collect(),
        Type::Any | Type::Bool | Type::Number | Type::String => Vec::new(),
    }
}

/// Attribute by attribute; `None` if the objects have not all the same, `Some(None)` if one of them
/// has no common type.
fn common_object(kinds: &[&Type], also_unsafe: bool) -> Option<Option<Type>> {
    let Type::Object(first) = kinds.first()? else {
        return None;
    };
    if kinds
        .iter()
        .any(|kind| !matches!(kind, Type::Object(own) if own.len() == first.len()))
    {
        return None;
    }
    let mut attributes = Vec::new();
    for name in first.keys() {
        let mut own = Vec::new();
        for kind in kinds {
            let Type::Object(fields) = kind else {
                return None;
            };
            own.push(fields.get(name)?.kind.clone());
        }
        attributes.push(common(&own, also_unsafe).map(|kind| (name.clone(), kind)));
    }
    let attributes: Option<Vec<_>> = attributes.into_iter().collect();
    Some(attributes.map(Type::object))
}

/// Item by item, likewise.
fn common_tuple(kinds: &[&Type], also_unsafe: bool) -> Option<Option<Type>> {
    let Type::Tuple(first) = kinds.first()? else {
        return None;
    };
    if kinds
        .iter()
        .any(|kind| !matches!(kind, Type::Tuple(own) if own.len() == first.len()))
    {
        return None;
    }
    let mut items = Vec::new();
    for index in 0..first.len() {
        let mut own = Vec::new();
        for kind in kinds {
            let Type::Tuple(others) = kind else {
                return None;
            };
            own.push(others[index].clone());
        }
        items.push(common(&own, also_unsafe));
    }
    let items: Option<Vec<Type>> = items.into_iter().collect();
    Some(items.map(|items| Type::Tuple(items.into())))
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
    use super::{common, convert};
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

    #[test]
    fn the_common_type_prefers_strings() {
        assert_eq!(
            common(&[Type::Number, Type::String], false),
            Some(Type::String)
        );
        assert_eq!(
            common(&[Type::Number, Type::Any], false),
            Some(Type::Number)
        );
        assert_eq!(common(&[Type::Number, Type::Bool], false), None);
    }
}
