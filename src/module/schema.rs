//! The vocabulary: what Spacelift's provider accepts in a resource, held as data.
//!
//! The data is taken from the provider itself; `schema/README.md` says how to renew it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{LazyLock, OnceLock};

use serde::Deserialize;

use super::convert::convert;
use super::value::{Field, Type, Value};

const DATA: &str = include_str!("schema/spacelift-provider-schema.json");

static RESOURCES: LazyLock<BTreeMap<String, Block>> = LazyLock::new(|| {
    // The data is part of the build and a test reads it, so it cannot fail here.
    serde_json::from_str::<Provider>(DATA)
        .map(|provider| provider.resources)
        .unwrap_or_default()
});

#[derive(Deserialize)]
struct Provider {
    resources: BTreeMap<String, Block>,
}

/// What may stand in a resource or in a nested block of one.
#[derive(Debug, Default, Deserialize)]
pub struct Block {
    #[serde(default)]
    pub attributes: BTreeMap<String, Attribute>,
    #[serde(default)]
    pub blocks: BTreeMap<String, NestedBlock>,
    #[serde(skip)]
    ruled: OnceLock<Vec<(&'static str, &'static Attribute)>>,
    #[serde(skip)]
    defaults: OnceLock<Vec<(&'static str, Value)>>,
}

impl Block {
    /// The few attributes, in order, of which something is said that must hold beside their type.
    pub fn ruled(&'static self) -> &'static [(&'static str, &'static Attribute)] {
        self.ruled.get_or_init(|| {
            let ruled = self.attributes.iter().filter(|(_, it)| it.is_ruled());
            ruled.map(|(name, it)| (name.as_str(), it)).collect()
        })
    }

    /// The attributes that have a default, with it, in order.
    pub fn defaults(&'static self) -> &'static [(&'static str, Value)] {
        self.defaults.get_or_init(|| {
            let with = self.attributes.iter().filter(|(_, it)| it.has_default());
            with.map(|(name, it)| (name.as_str(), it.default_value()))
                .collect()
        })
    }
}

/// One attribute of a resource.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct Attribute {
    #[serde(rename = "type", deserialize_with = "kind")]
    pub kind: Type,
    pub required: bool,
    pub optional: bool,
    pub computed: bool,
    /// A new value makes the resource anew.
    pub replaces: bool,
    pub sensitive: bool,
    pub deprecated: bool,
    pub write_only: bool,
    #[serde(rename = "default")]
    written_default: Option<String>,
    pub exactly_one_of: Vec<String>,
    pub at_least_one_of: Vec<String>,
    pub conflicts_with: Vec<String>,
    pub required_with: Vec<String>,
}

/// A block within a resource.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NestedBlock {
    pub nesting: String,
    pub min_items: usize,
    /// 0 where there is no limit.
    pub max_items: usize,
    /// A new value makes the resource anew.
    pub replaces: bool,
    pub conflicts_with: Vec<String>,
    #[serde(flatten)]
    pub block: Block,
}

impl Default for Attribute {
    fn default() -> Self {
        Self {
            kind: Type::Any,
            required: false,
            optional: false,
            computed: false,
            replaces: false,
            sensitive: false,
            deprecated: false,
            write_only: false,
            written_default: None,
            exactly_one_of: Vec::new(),
            at_least_one_of: Vec::new(),
            conflicts_with: Vec::new(),
            required_with: Vec::new(),
        }
    }
}

impl Attribute {
    fn is_ruled(&self) -> bool {
        self.required
            || [
                &self.exactly_one_of,
                &self.at_least_one_of,
                &self.conflicts_with,
                &self.required_with,
            ]
            .iter()
            .any(|names| !names.is_empty())
    }

    fn has_default(&self) -> bool {
        self.written_default.is_some()
    }

    /// The value where none is given: the default, or null.
    pub fn default_value(&self) -> Value {
        let Some(written) = &self.written_default else {
            return Value::Null(self.kind.clone());
        };
        let text = Value::string(written.trim_matches('`'));
        convert(&text, &self.kind).unwrap_or_else(|_| Value::Null(self.kind.clone()))
    }
}

/// The schema of a resource type (`spacelift_stack`); `None` if the provider has no such type.
pub fn resource(kind: &str) -> Option<&'static Block> {
    RESOURCES.get(kind)
}

/// The schema of an attribute of a resource type.
pub fn attribute(kind: &str, name: &str) -> Option<&'static Attribute> {
    resource(kind)?.attributes.get(name)
}

/// Whether a change of the attribute or nested block makes the resource anew.
pub fn replaces(kind: &str, name: &str) -> bool {
    let Some(block) = resource(kind) else {
        return false;
    };
    block
        .attributes
        .get(name)
        .is_some_and(|attribute| attribute.replaces)
        || block.blocks.get(name).is_some_and(|block| block.replaces)
}

/// What stands for an attribute or nested block that is left out of a resource: null, or no block.
pub fn unset(kind: &str, name: &str) -> serde_json::Value {
    match resource(kind).is_some_and(|block| block.blocks.contains_key(name)) {
        true => serde_json::Value::Array(Vec::new()),
        false => serde_json::Value::Null,
    }
}

/// The names of all attributes and nested blocks of a resource type.
pub fn names(kind: &str) -> impl Iterator<Item = &'static str> {
    let names = |block: &'static Block| block.attributes.keys().chain(block.blocks.keys());
    resource(kind)
        .into_iter()
        .flat_map(names)
        .map(String::as_str)
}

/// The name as the schema holds it, if a resource type has an attribute or nested block of that name.
pub fn known_name(name: &str) -> Option<&'static str> {
    static NAMES: LazyLock<HashSet<&'static str>> =
        LazyLock::new(|| kinds().flat_map(names).collect());
    NAMES.get(name).copied()
}

/// Whether the attribute's value must not be shown.
pub fn is_sensitive(kind: &str, name: &str) -> bool {
    attribute(kind, name).is_some_and(|attribute| attribute.sensitive)
}

/// All resource types of the provider.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    RESOURCES.keys().map(String::as_str)
}

fn kind<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Type, D::Error> {
    let json = serde_json::Value::deserialize(deserializer)?;
    parse_kind(&json).ok_or_else(|| serde::de::Error::custom(format!("no type: {json}")))
}

/// Terraform's notation of types in JSON: `"string"`, `["set", "string"]`.
fn parse_kind(json: &serde_json::Value) -> Option<Type> {
    if let Some(name) = json.as_str() {
        return match name {
            "string" => Some(Type::String),
            "number" => Some(Type::Number),
            "bool" => Some(Type::Bool),
            "dynamic" => Some(Type::Any),
            _ => None,
        };
    }
    let [constructor, argument] = json.as_array()?.as_slice() else {
        return None;
    };
    match constructor.as_str()? {
        "list" => parse_kind(argument).map(Type::list),
        "set" => parse_kind(argument).map(Type::set),
        "map" => parse_kind(argument).map(Type::map),
        "object" => {
            let mut fields = BTreeMap::new();
            for (name, kind) in argument.as_object()? {
                fields.insert(
                    name.clone(),
                    Field {
                        kind: parse_kind(kind)?,
                        optional: false,
                    },
                );
            }
            Some(Type::Object(fields.into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{attribute, is_sensitive, kinds, replaces};
    use crate::module::value::Value;

    #[test]
    fn the_data_reads_and_answers() {
        assert!(kinds().count() > 30);
        assert!(replaces("spacelift_environment_variable", "value"));
        assert!(!replaces("spacelift_stack", "autodeploy"));
        assert!(is_sensitive("spacelift_environment_variable", "value"));
        let default = |kind, name| attribute(kind, name).unwrap().default_value();
        assert_eq!(default("spacelift_stack", "autodeploy"), Value::Bool(false));
        assert_eq!(default("spacelift_task", "init"), Value::Bool(true));
        assert_eq!(
            default("spacelift_drift_detection", "timezone"),
            Value::from("UTC")
        );
    }
}
