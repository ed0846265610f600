//! A resource that the repository wants, as it is recorded.

use std::borrow::Cow;
use std::fmt::{self, Formatter};
use std::ops::Index;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::origin::Origin;
use super::schema;

/// One resource that the repository wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// As Terraform prints it: `module.a.spacelift_stack.this`.
    pub address: String,
    /// The type: `spacelift_stack`.
    pub kind: String,
    /// The name of its block.
    pub name: String,
    /// As given, else the default. Nested blocks are arrays of objects; sets are sorted.
    /// [`schema::unset`] tells the others.
    pub attributes: Attributes,
    /// The names of the attributes and nested blocks that hold a value that the repository's own files
    /// make sensitive. What always is, the schema tells.
    pub sensitive: Arc<[String]>,
    /// The addresses of the resources that it refers to or is told to wait for.
    pub depends_on: Arc<[Arc<str>]>,
    pub origin: Origin,
}

/// The attributes and nested blocks of a resource that are set, in the order of their names.
///
/// There are hundreds of thousands in a large repository: each takes no more room than it needs, and
/// its name none where the schema has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(Box<[(Name, Value)]>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name(Cow<'static, str>);

impl Attributes {
    /// Of two by one name the later counts.
    fn new(mut attributes: Vec<(Name, Value)>) -> Self {
        attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
        attributes.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                std::mem::swap(later, kept);
            }
            is_same
        });
        Self(attributes.into())
    }

    /// Those by names that the schema holds.
    pub(super) fn of_schema(attributes: impl Iterator<Item = (&'static str, Value)>) -> Self {
        let named = attributes.map(|(name, value)| (Name(Cow::Borrowed(name)), value));
        Self::new(named.collect())
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        // They are some twenty, and most names differ in their lengths already.
        let mut all = self.iter();
        all.find_map(|(known, value)| (known == name).then_some(value))
    }

    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&*name.0, value))
    }
}

impl Index<&str> for Attributes {
    type Output = Value;

    /// Null where it is not set, as in JSON's own values.
    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(match schema::known_name(name) {
            Some(known) => Cow::Borrowed(known),
            None => Cow::Owned(name.to_owned()),
        })
    }
}

impl<'a> FromIterator<(&'a str, Value)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (&'a str, Value)>>(attributes: I) -> Self {
        let attributes = attributes.into_iter();
        Self::new(
            attributes
                .map(|(name, value)| (name.into(), value))
                .collect(),
        )
    }
}

impl From<Map<String, Value>> for Attributes {
    fn from(attributes: Map<String, Value>) -> Self {
        let attributes = attributes.into_iter();
        Self::new(
            attributes
                .map(|(name, value)| (name.as_str().into(), value))
                .collect(),
        )
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor)
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("attributes by their names")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Attributes, M::Error> {
        let mut attributes = Vec::with_capacity(map.size_hint().unwrap_or(16));
        while let Some(attribute) = map.next_entry()? {
            attributes.push(attribute);
        }
        Ok(Attributes::new(attributes))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of an attribute")
    }

    fn visit_str<E>(self, name: &str) -> Result<Name, E> {
        Ok(name.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Attributes;

    #[test]
    fn attributes_go_through_json_in_the_order_of_their_names() {
        let written = r#"{"id":"a","unheard_of":[1],"value":null}"#;
        let attributes: Attributes = serde_json::from_str(written).unwrap();
        assert_eq!(serde_json::to_string(&attributes).unwrap(), written);
        let shuffled = [
            ("value", json!(null)),
            ("id", json!("b")),
            ("unheard_of", json!([1])),
            ("id", json!("a")),
        ];
        assert_eq!(Attributes::from_iter(shuffled), attributes);
        assert_eq!(
            Attributes::from(json!(attributes).as_object().unwrap().clone()),
            attributes
        );
        assert_eq!(attributes["id"], "a");
        assert!(attributes.contains_key("value") && !attributes.contains_key("name"));
    }
}
