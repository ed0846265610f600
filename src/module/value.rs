//! Values of the language, with the types that Terraform gives them.
//!
//! The difference between a list and a tuple, a map and an object decides comparisons and
//! conversions, so it is kept. No value is ever unknown: every id is known at plan time.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::json;
use super::number::Number;

/// A type of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `any`: the type of a bare `null`, and of the elements of an empty collection.
    Any,
    Bool,
    Number,
    String,
    List(Arc<Type>),
    Set(Arc<Type>),
    Map(Arc<Type>),
    Tuple(Arc<[Type]>),
    Object(Arc<BTreeMap<String, Field>>),
}

/// One attribute of an object type. Only a type constraint has optional ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub kind: Type,
    pub optional: bool,
}

/// A value; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null(Type),
    Bool(bool),
    Number(Number),
    /// Always in Unicode's normal form C, as all strings of Terraform.
    String(Arc<str>),
    /// The type of its elements, and they.
    List(Type, Arc<[Value]>),
    /// The type of its elements, and they, distinct and in Terraform's order.
    Set(Type, Arc<[Value]>),
    Map(Type, Arc<BTreeMap<String, Value>>),
    Tuple(Arc<[Value]>),
    Object(Arc<BTreeMap<String, Value>>),
    /// A value that nobody may read; the one behind the mark has none itself, its parts may.
    Sensitive(Arc<Value>),
}

impl Value {
    pub fn null() -> Self {
        Self::Null(Type::Any)
    }

    /// A string, brought into normal form.
    pub fn string(text: impl AsRef<str>) -> Self {
        Self::String(normal(text.as_ref()))
    }

    pub fn tuple(items: impl IntoIterator<Item = Self>) -> Self {
        Self::Tuple(items.into_iter().collect())
    }

    pub fn object(attributes: impl IntoIterator<Item = (String, Self)>) -> Self {
        Self::Object(Arc::new(attributes.into_iter().collect()))
    }

    /// A list of strings.
    pub fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::List(Type::String, items.into_iter().map(Self::string).collect())
    }

    /// A set of the items, which must be of the type `element`: each once, in order. What is sensitive
    /// of an item is of the whole set, as in Terraform.
    pub fn set(element: Type, items: impl IntoIterator<Item = Self>) -> Self {
        let mut items: Vec<Self> = items.into_iter().collect();
        if items.iter().any(Self::holds_sensitive) {
            let items = items.iter().map(Self::revealed);
            return Self::set(element, items.collect::<Vec<_>>()).sensitive();
        }
        match element {
            // These have an order of their own; the others one by the bytes Terraform hashes.
            Type::Bool | Type::Number | Type::String => items.sort_by(primitive_order),
            _ => items.sort_by_cached_key(|item| (item.is_null(), hash_bytes(item))),
        }
        items.dedup();
        Self::Set(element, items.into())
    }

    pub fn is_null(&self) -> bool {
        matches!(self.opened().0, Self::Null(_))
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The items of a list, set or tuple.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(_, items) | Self::Set(_, items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a map or object.
    pub fn entries(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Map(_, entries) | Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn kind(&self) -> Type {
        match self {
            Self::Null(kind) => kind.clone(),
            Self::Bool(_) => Type::Bool,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::List(element, _) => Type::List(Arc::new(element.clone())),
            Self::Set(element, _) => Type::Set(Arc::new(element.clone())),
            Self::Map(element, _) => Type::Map(Arc::new(element.clone())),
            Self::Tuple(items) => Type::Tuple(items.iter().map(Self::kind).collect()),
            Self::Object(entries) => Type::object(
                entries
                    .iter()
                    .map(|(name, value)| (name.clone(), value.kind())),
            ),
            Self::Sensitive(value) => value.kind(),
        }
    }

    /// `==` of the language: values of different types differ, nulls are equal.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null(_), Self::Null(_)) => true,
            (Self::Null(_), _) | (_, Self::Null(_)) => false,
            _ => self.kind() == other.kind() && self.same(other),
        }
    }

    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null(_), Self::Null(_)) => true,
            _ => match (self.items(), other.items(), self.entries(), other.entries()) {
                (Some(left), Some(right), ..) => {
                    left.len() == right.len()
                        && left.iter().zip(right).all(|(left, right)| left.same(right))
                }
                (_, _, Some(left), Some(right)) => {
                    left.len() == right.len()
                        && left
                            .iter()
                            .zip(right)
                            .all(|(left, right)| left.0 == right.0 && left.1.same(right.1))
                }
                _ => self == other,
            },
        }
    }

    /// The value of a JSON text already read. Numbers that JSON's reader made inexact stay so.
    pub fn from_json(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::null(),
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => {
                Number::parse(&number.to_string()).map_or_else(Self::null, Self::Number)
            }
            serde_json::Value::String(text) => Self::string(text),
            serde_json::Value::Array(items) => Self::tuple(items.iter().map(Self::from_json)),
            serde_json::Value::Object(entries) => {
                let entry = |(name, value): (&String, &serde_json::Value)| {
                    (normal(name).to_string(), Self::from_json(value))
                };
                Self::object(entries.iter().map(entry))
            }
        }
    }

    /// The value as `terraform output -json` prints it, also what is sensitive. A number that JSON's integers cannot hold
    /// becomes the nearest floating point number.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null(_) => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(number) => match number.as_i64() {
                Some(0) if number.is_negative() => (-0.0).into(),
                Some(integer) => integer.into(),
                None => match number.to_string().parse::<u64>() {
                    Ok(integer) => integer.into(),
                    // What is printed is what a reader takes for it.
                    Err(_) => number.to_string().parse().unwrap_or(f64::NAN).into(),
                },
            },
            Self::String(text) => text.as_ref().into(),
            Self::List(_, items) | Self::Set(_, items) | Self::Tuple(items) => {
                items.iter().map(Self::to_json).collect()
            }
            Self::Map(_, entries) | Self::Object(entries) => serde_json::Value::Object(
                entries
                    .iter()
                    .map(|(name, value)| (name.clone(), value.to_json()))
                    .collect(),
            ),
            Self::Sensitive(value) => value.to_json(),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::string(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::string(value)
    }
}

impl Type {
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    pub fn set(element: Self) -> Self {
        Self::Set(Arc::new(element))
    }

    pub fn map(element: Self) -> Self {
        Self::Map(Arc::new(element))
    }

    /// An object type without optional attributes.
    pub fn object(attributes: impl IntoIterator<Item = (String, Self)>) -> Self {
        let field = |(name, kind)| {
            (
                name,
                Field {
                    kind,
                    optional: false,
                },
            )
        };
        Self::Object(Arc::new(attributes.into_iter().map(field).collect()))
    }

    /// What a person calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Bool => "bool",
            Self::Number => "number",
            Self::String => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Map(_) => "map",
            Self::Tuple(_) => "tuple",
            Self::Object(_) => "object",
        }
    }
}

/// The text in normal form C.
pub(super) fn normal(text: &str) -> Arc<str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text.into()
    } else {
        text.nfc().collect::<String>().into()
    }
}

fn primitive_order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Null(_), Value::Null(_)) => Ordering::Equal,
        (Value::Null(_), _) => Ordering::Greater,
        (_, Value::Null(_)) => Ordering::Less,
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => left.cmp(right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        _ => Ordering::Equal,
    }
}

/// What Terraform orders sets of other than primitive values by (cty's `makeSetHashBytes`).
fn hash_bytes(value: &Value) -> String {
    let mut text = String::new();
    append_hash_bytes(value, &mut text);
    text
}

fn append_hash_bytes(value: &Value, text: &mut String) {
    match value {
        Value::Null(_) => text.push('~'),
        Value::Bool(value) => text.push(if *value { 'T' } else { 'F' }),
        Value::Number(number) => {
            let sign = if number.is_negative() { "-" } else { "" };
            text.push_str(sign);
            text.push_str(&number.exact().general(Some(10)));
        }
        Value::String(string) => text.push_str(&json::go_quoted(string)),
        Value::List(_, items) | Value::Set(_, items) => {
            text.push('[');
            for item in items.iter() {
                append_hash_bytes(item, text);
                text.push(';');
            }
            text.push(']');
        }
        Value::Tuple(items) => {
            text.push('<');
            for item in items.iter() {
                append_hash_bytes(item, text);
                text.push(';');
            }
            text.push('>');
        }
        Value::Map(_, entries) => {
            text.push('{');
            for (name, entry) in entries.iter() {
                text.push_str(&json::go_quoted(name));
                text.push(':');
                append_hash_bytes(entry, text);
                text.push(';');
            }
            text.push('}');
        }
        Value::Object(entries) => {
            text.push('<');
            for entry in entries.values() {
                append_hash_bytes(entry, text);
                text.push(';');
            }
            text.push('>');
        }
        Value::Sensitive(value) => append_hash_bytes(value, text),
    }
}

#[cfg(test)]
mod tests {
    use super::{Type, Value};

    #[test]
    fn json_goes_both_ways() {
        let json = serde_json::json!({"a": [1, "x", null, true, 1.5], "é": {}});
        assert_eq!(Value::from_json(&json).to_json(), json);
    }

    #[test]
    fn strings_are_in_normal_form_and_sets_in_order() {
        assert_eq!(Value::string("e\u{301}"), Value::string("é"));
        let set = Value::set(Type::String, ["b", "a", "b"].map(Value::from));
        assert_eq!(set.to_json(), serde_json::json!(["a", "b"]));
    }

    #[test]
    fn types_take_part_in_equality() {
        let tuple = Value::tuple([Value::from("a")]);
        assert!(!tuple.equals(&Value::strings(["a"])));
        assert!(tuple.equals(&tuple.clone()));
        assert!(Value::null().equals(&Value::Null(Type::String)));
    }
}
