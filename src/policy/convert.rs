//! Inputs turned into the engine's values without a detour over JSON: names of fields are shared.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;

use regorus::Value;
use serde::ser::{self, Serialize};

/// The input as the engine holds it.
pub(super) fn value_of(input: &impl Serialize) -> Result<Value, Unwritable> {
    input.serialize(&mut Converter::default())
}

/// Why an input has no value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unwritable(String);

impl ser::Error for Unwritable {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[derive(Default)]
struct Converter {
    names: HashMap<&'static str, Value>,
}

impl Converter {
    fn name(&mut self, name: &'static str) -> Value {
        self.names
            .entry(name)
            .or_insert_with(|| name.into())
            .clone()
    }
}

struct List<'c> {
    converter: &'c mut Converter,
    items: Vec<Value>,
    variant: Option<&'static str>,
}

struct Fields<'c> {
    converter: &'c mut Converter,
    fields: BTreeMap<Value, Value>,
    key: Value,
    variant: Option<&'static str>,
}

fn under(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => BTreeMap::from([(Value::from(variant), value)]).into(),
        None => value,
    }
}

impl<'c> ser::Serializer for &'c mut Converter {
    type Ok = Value;
    type Error = Unwritable;
    type SerializeSeq = List<'c>;
    type SerializeTuple = List<'c>;
    type SerializeTupleStruct = List<'c>;
    type SerializeTupleVariant = List<'c>;
    type SerializeMap = Fields<'c>;
    type SerializeStruct = Fields<'c>;
    type SerializeStructVariant = Fields<'c>;

    fn serialize_bool(self, value: bool) -> Result<Value, Unwritable> {
        Ok(value.into())
    }
    fn serialize_i8(self, value: i8) -> Result<Value, Unwritable> {
        Ok(i64::from(value).into())
    }
    fn serialize_i16(self, value: i16) -> Result<Value, Unwritable> {
        Ok(i64::from(value).into())
    }
    fn serialize_i32(self, value: i32) -> Result<Value, Unwritable> {
        Ok(i64::from(value).into())
    }
    fn serialize_i64(self, value: i64) -> Result<Value, Unwritable> {
        Ok(value.into())
    }
    fn serialize_u8(self, value: u8) -> Result<Value, Unwritable> {
        Ok(u64::from(value).into())
    }
    fn serialize_u16(self, value: u16) -> Result<Value, Unwritable> {
        Ok(u64::from(value).into())
    }
    fn serialize_u32(self, value: u32) -> Result<Value, Unwritable> {
        Ok(u64::from(value).into())
    }
    fn serialize_u64(self, value: u64) -> Result<Value, Unwritable> {
        Ok(value.into())
    }
    fn serialize_f32(self, value: f32) -> Result<Value, Unwritable> {
        self.serialize_f64(value.into())
    }
    /// A whole number of more than 64 bits has become a float, and another number.
    fn serialize_f64(self, value: f64) -> Result<Value, Unwritable> {
        if value.abs() >= 9_223_372_036_854_775_808.0 {
            return Err(Unwritable(format!("{value} has more than 64 bits")));
        }
        Ok(value.into())
    }
    fn serialize_char(self, value: char) -> Result<Value, Unwritable> {
        Ok(value.to_string().into())
    }
    fn serialize_str(self, value: &str) -> Result<Value, Unwritable> {
        Ok(value.into())
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<Value, Unwritable> {
        let bytes: Vec<Value> = value.iter().map(|byte| u64::from(*byte).into()).collect();
        Ok(bytes.into())
    }
    fn serialize_none(self) -> Result<Value, Unwritable> {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Unwritable> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<Value, Unwritable> {
        Ok(Value::Null)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Unwritable> {
        Ok(Value::Null)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Unwritable> {
        Ok(self.name(variant))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Unwritable> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Unwritable> {
        Ok(under(Some(variant), value.serialize(self)?))
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<List<'c>, Unwritable> {
        Ok(List {
            converter: self,
            items: Vec::with_capacity(length.unwrap_or_default()),
            variant: None,
        })
    }
    fn serialize_tuple(self, length: usize) -> Result<List<'c>, Unwritable> {
        self.serialize_seq(Some(length))
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<List<'c>, Unwritable> {
        self.serialize_seq(Some(length))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<List<'c>, Unwritable> {
        Ok(List {
            variant: Some(variant),
            ..self.serialize_seq(Some(length))?
        })
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'c>, Unwritable> {
        Ok(Fields {
            converter: self,
            fields: BTreeMap::new(),
            key: Value::Null,
            variant: None,
        })
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'c>, Unwritable> {
        self.serialize_map(None)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'c>, Unwritable> {
        Ok(Fields {
            variant: Some(variant),
            ..self.serialize_map(None)?
        })
    }
}

impl List<'_> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.items.push(value.serialize(&mut *self.converter)?);
        Ok(())
    }

    fn done(self) -> Value {
        under(self.variant, self.items.into())
    }
}

impl Fields<'_> {
    fn put<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        let name = self.converter.name(name);
        let value = value.serialize(&mut *self.converter)?;
        self.fields.insert(name, value);
        Ok(())
    }

    fn done(self) -> Value {
        under(self.variant, self.fields.into())
    }
}

macro_rules! list {
    ($kind:ident, $push:ident) => {
        impl ser::$kind for List<'_> {
            type Ok = Value;
            type Error = Unwritable;
            fn $push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
                self.push(value)
            }
            fn end(self) -> Result<Value, Unwritable> {
                Ok(self.done())
            }
        }
    };
}
list!(SerializeSeq, serialize_element);
list!(SerializeTuple, serialize_element);
list!(SerializeTupleStruct, serialize_field);
list!(SerializeTupleVariant, serialize_field);

macro_rules! fields {
    ($kind:ident) => {
        impl ser::$kind for Fields<'_> {
            type Ok = Value;
            type Error = Unwritable;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Unwritable> {
                self.put(name, value)
            }
            fn end(self) -> Result<Value, Unwritable> {
                Ok(self.done())
            }
        }
    };
}
fields!(SerializeStruct);
fields!(SerializeStructVariant);

impl ser::SerializeMap for Fields<'_> {
    type Ok = Value;
    type Error = Unwritable;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unwritable> {
        self.key = key.serialize(&mut *self.converter)?;
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        let key = std::mem::replace(&mut self.key, Value::Null);
        let value = value.serialize(&mut *self.converter)?;
        self.fields.insert(key, value);
        Ok(())
    }
    fn end(self) -> Result<Value, Unwritable> {
        Ok(self.done())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::value_of;
    use crate::policy::input::{PlanInput, PushInput, TriggerInput};

    #[test]
    fn inputs_are_what_they_are_in_json() {
        let values = json!({"a": [1, 2.5, "x", null, {"b": true}], "n": u64::MAX, "m": -1});
        let same = |json: serde_json::Value, value: Result<_, _>| {
            let value: regorus::Value =
                value.unwrap_or_else(|_: super::Unwritable| panic!("{json}"));
            assert_eq!(value, regorus::Value::from(json));
        };
        same(values.clone(), value_of(&values));
        let larger: serde_json::Value = serde_json::from_str("[18446744073709551617]").unwrap();
        assert!(
            value_of(&larger)
                .unwrap_err()
                .to_string()
                .contains("64 bits")
        );
        let (plan, push, trigger) = (
            PlanInput::default(),
            PushInput::default(),
            TriggerInput::default(),
        );
        same(serde_json::to_value(&plan).unwrap(), value_of(&plan));
        same(serde_json::to_value(&push).unwrap(), value_of(&push));
        same(serde_json::to_value(&trigger).unwrap(), value_of(&trigger));
    }
}
