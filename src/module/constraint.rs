//! Type constraints of variables, and the defaults of their optional attributes.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::expr::{Expression, FuncCall, Object, ObjectKey};

use super::convert::{convert, plain};
use super::expression::start;
use super::value::{Field, Type, Value};

/// What values a variable takes.
#[derive(Debug, Default)]
pub(super) struct Constraint {
    kind: Option<Type>,
    defaults: Defaults,
}

/// Values for optional attributes that are left out or null.
#[derive(Debug, Default)]
struct Defaults {
    values: BTreeMap<String, Value>,
    /// By attribute; `""` for all elements of a collection, the index for those of a tuple.
    children: BTreeMap<String, Defaults>,
}

/// What is wrong with a constraint, and where it stands.
pub(super) type Wrong = (String, Option<usize>);

/// Evaluates the default of an optional attribute.
pub(super) type Constant<'a> = &'a dyn Fn(&Expression) -> Result<Value, Wrong>;

impl Constraint {
    pub(super) fn parse(expression: &Expression, constant: Constant<'_>) -> Result<Self, Wrong> {
        let mut defaults = Defaults::default();
        let kind = parse(expression, constant, &mut defaults)?;
        Ok(Self {
            kind: Some(kind),
            defaults,
        })
    }

    /// Whether text is a value of it as it stands: a plain type, or no constraint at all.
    pub(super) fn is_plain(&self) -> bool {
        matches!(
            self.kind,
            None | Some(Type::String | Type::Number | Type::Bool)
        )
    }

    /// The value as the constraint wants it.
    pub(super) fn apply(&self, value: &Value) -> Result<Value, String> {
        let Some(kind) = &self.kind else {
            return Ok(value.clone());
        };
        let value = self.defaults.apply(value);
        convert(&value, kind).map_err(|error| error.to_string())
    }
}

impl Defaults {
    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.children.is_empty()
    }

    fn apply(&self, value: &Value) -> Value {
        if self.is_empty() {
            return value.clone();
        }
        let apply_items = |items: &Arc<[Value]>| -> Vec<Value> {
            let child = |index: usize| {
                self.children
                    .get("")
                    .or_else(|| self.children.get(&index.to_string()))
            };
            let apply = |(index, item): (usize, &Value)| {
                child(index).map_or_else(|| item.clone(), |child| child.apply(item))
            };
            items.iter().enumerate().map(apply).collect()
        };
        match value {
            Value::Sensitive(value) => self.apply(value).sensitive(),
            // Converted later: what the defaults add may differ in type from item to item.
            Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
                Value::tuple(apply_items(items))
            }
            Value::Map(_, entries) | Value::Object(entries) => {
                let mut entries = entries.as_ref().clone();
                for (name, default) in &self.values {
                    if entries.get(name).is_none_or(Value::is_null) {
                        entries.insert(name.clone(), default.clone());
                    }
                }
                for (name, entry) in &mut entries {
                    if let Some(child) = self.children.get("").or_else(|| self.children.get(name)) {
                        *entry = child.apply(entry);
                    }
                }
                Value::Object(Arc::new(entries))
            }
            _ => value.clone(),
        }
    }
}

fn parse(
    expression: &Expression,
    constant: Constant<'_>,
    defaults: &mut Defaults,
) -> Result<Type, Wrong> {
    match expression {
        Expression::Variable(name) => match name.as_str() {
            "string" => Ok(Type::String),
            "number" => Ok(Type::Number),
            "bool" => Ok(Type::Bool),
            "any" => Ok(Type::Any),
            "list" => Ok(Type::list(Type::Any)),
            "map" => Ok(Type::map(Type::Any)),
            other => Err((format!("there is no type {other}"), start(expression))),
        },
        Expression::FuncCall(call) => parse_constructor(call, constant, defaults),
        _ => Err((
            "a type is written as in list(string)".to_owned(),
            start(expression),
        )),
    }
}

fn parse_constructor(
    call: &FuncCall,
    constant: Constant<'_>,
    defaults: &mut Defaults,
) -> Result<Type, Wrong> {
    let name = call.name.name.as_str();
    let at = start(call);
    let [argument] = call.args.iter().collect::<Vec<_>>()[..] else {
        return Err((format!("the type {name} takes one argument"), at));
    };
    let mut child = Defaults::default();
    let kind = match (name, argument) {
        ("list", element) => Type::list(parse(element, constant, &mut child)?),
        ("set", element) => Type::set(parse(element, constant, &mut child)?),
        ("map", element) => Type::map(parse(element, constant, &mut child)?),
        ("object", Expression::Object(object)) => {
            return parse_object(object, constant, defaults);
        }
        ("tuple", Expression::Array(array)) => {
            let mut items = Vec::new();
            for (index, item) in array.iter().enumerate() {
                let mut child = Defaults::default();
                items.push(parse(item, constant, &mut child)?);
                if !child.is_empty() {
                    defaults.children.insert(index.to_string(), child);
                }
            }
            return Ok(Type::Tuple(items.into()));
        }
        ("object", _) => {
            return Err((
                "an object type is written as in object({ name = string })".to_owned(),
                at,
            ));
        }
        ("tuple", _) => {
            return Err((
                "a tuple type is written as in tuple([string])".to_owned(),
                at,
            ));
        }
        ("optional", _) => {
            return Err((
                "optional stands only before the type of an object's attribute".to_owned(),
                at,
            ));
        }
        (other, _) => return Err((format!("there is no type {other}"), at)),
    };
    if !child.is_empty() {
        defaults.children.insert(String::new(), child);
    }
    Ok(kind)
}

fn parse_object(
    object: &Object,
    constant: Constant<'_>,
    defaults: &mut Defaults,
) -> Result<Type, Wrong> {
    let mut fields = BTreeMap::new();
    for (key, value) in object.iter() {
        let name = match key {
            ObjectKey::Ident(name) => name.as_str(),
            ObjectKey::Expression(other) => {
                let message = "an attribute's name in a type is written without quotes".to_owned();
                return Err((message, start(other)));
            }
        };
        let mut child = Defaults::default();
        let field = match value.expr() {
            Expression::FuncCall(call) if call.name.name.as_str() == "optional" => {
                let arguments: Vec<_> = call.args.iter().collect();
                let (kind, default) = match arguments[..] {
                    [kind] => (kind, None),
                    [kind, default] => (kind, Some(default)),
                    _ => {
                        let message = "optional takes a type and perhaps a default".to_owned();
                        return Err((message, start(call.as_ref())));
                    }
                };
                let kind = parse(kind, constant, &mut child)?;
                if let Some(default) = default {
                    let value = convert(&constant(default)?, &kind).map_err(|error| {
                        (format!("unsuitable default: {error}"), start(default))
                    })?;
                    defaults.values.insert(name.to_owned(), value);
                }
                Field {
                    kind,
                    optional: true,
                }
            }
            kind => Field {
                kind: parse(kind, constant, &mut child)?,
                optional: false,
            },
        };
        if !child.is_empty() {
            defaults.children.insert(name.to_owned(), child);
        }
        fields.insert(name.to_owned(), field);
    }
    Ok(Type::Object(Arc::new(fields)))
}

impl Constraint {
    /// The null value of a variable of this type.
    pub(super) fn null(&self) -> Value {
        Value::Null(self.kind.as_ref().map_or(Type::Any, plain))
    }
}
