//! Inputs turned into the engine's values without a detour over JSON.
//!
//! Of a thousand stacks, most say the same of nearly everything, and memory is what such an input
//! costs. So names are shared, and so is a value that is the last one under its name again; an object
//! is made of the last one with the same names.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::Arc;

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
    /// Where each name stands among the `fields`.
    places: HashMap<Arc<str>, usize>,
    fields: Vec<Field>,
    /// The place of the name that was met last.
    previous: usize,
    /// The place of the name whose value comes next.
    under: usize,
    /// Whether the next string is a name.
    names: bool,
    /// 1.0 is equal to 1 and not the same: with one in it, no value stands for another.
    has_float: bool,
}

/// A name, and what was met with it last.
struct Field {
    name: Value,
    value: Value,
    /// The place of the name that followed.
    next: usize,
    /// The object that ended with it.
    shape: Option<Shape>,
}

struct Shape {
    places: Vec<usize>,
    values: Vec<Value>,
    object: Value,
}

impl Converter {
    fn place(&mut self, name: &str) -> usize {
        let next = self.fields.get(self.previous).map(|field| field.next);
        let place = match next {
            Some(next) if self.is_at(next, name) => next,
            _ => self.find(name),
        };
        if let Some(field) = self.fields.get_mut(self.previous) {
            field.next = place;
        }
        self.previous = place;
        place
    }

    fn is_at(&self, place: usize, name: &str) -> bool {
        let field = self.fields.get(place);
        matches!(field, Some(Field { name: Value::String(known), .. }) if **known == *name)
    }

    /// The place of a name that may have been met this moment.
    fn place_again(&mut self, name: &str) -> usize {
        if self.is_at(self.previous, name) {
            self.previous
        } else {
            self.place(name)
        }
    }

    fn find(&mut self, name: &str) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let (name, place) = (Arc::<str>::from(name), self.fields.len());
        self.places.insert(name.clone(), place);
        self.fields.push(Field {
            name: Value::String(name),
            value: Value::Undefined,
            next: 0,
            shape: None,
        });
        place
    }

    fn name(&mut self, name: &str) -> Value {
        let place = self.place(name);
        self.fields[place].name.clone()
    }

    /// The value, or the last one in that place if they are equal.
    fn last_or(&mut self, place: usize, value: Value) -> Value {
        let field = &mut self.fields[place];
        if field.value == value && !self.has_float {
            return field.value.clone();
        }
        field.value = value.clone();
        value
    }

    /// The text, which is the last one under its name if they are equal.
    fn text(&self, text: &str) -> Value {
        match self.fields.get(self.under).map(|field| &field.value) {
            Some(last @ Value::String(known)) if **known == *text => last.clone(),
            _ => text.into(),
        }
    }

    /// The array, which is the last one under its name if both are empty.
    fn array(&self, items: Vec<Value>) -> Value {
        match self.fields.get(self.under).map(|field| &field.value) {
            Some(last @ Value::Array(known)) if known.is_empty() && items.is_empty() => {
                last.clone()
            }
            _ => items.into(),
        }
    }

    /// The object, made of the last one with the same names in the same order where there is one.
    fn object(&mut self, places: Vec<usize>, values: Vec<Value>) -> Value {
        let Some(last) = places.last().copied().filter(|_| !self.has_float) else {
            return self.sorted(&places, &values);
        };
        let shape = self.fields[last].shape.take();
        let Some(mut shape) = shape.filter(|shape| shape.places == places) else {
            let object = self.sorted(&places, &values);
            // A name twice, and the second value counts.
            let is_plain = matches!(&object, Value::Object(fields) if fields.len() == places.len());
            self.fields[last].shape = is_plain.then(|| Shape {
                places,
                values,
                object: object.clone(),
            });
            return object;
        };
        for (index, value) in values.into_iter().enumerate() {
            if value != shape.values[index]
                && let Ok(object) = shape.object.as_object_mut()
            {
                object.insert(self.fields[places[index]].name.clone(), value.clone());
                shape.values[index] = value;
            }
        }
        let object = shape.object.clone();
        self.fields[last].shape = Some(shape);
        object
    }

    fn sorted(&self, places: &[usize], values: &[Value]) -> Value {
        let names = places.iter().map(|place| self.fields[*place].name.clone());
        let fields: BTreeMap<Value, Value> = names.zip(values.iter().cloned()).collect();
        fields.into()
    }
}

struct List<'c> {
    converter: &'c mut Converter,
    items: Vec<Value>,
    variant: Option<&'static str>,
}

struct Fields<'c> {
    converter: &'c mut Converter,
    places: Vec<usize>,
    values: Vec<Value>,
    /// The place of the name whose value comes next.
    place: usize,
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
        self.has_float = true;
        Ok(value.into())
    }
    fn serialize_char(self, value: char) -> Result<Value, Unwritable> {
        Ok(value.to_string().into())
    }
    fn serialize_str(self, value: &str) -> Result<Value, Unwritable> {
        Ok(if self.names {
            self.name(value)
        } else {
            self.text(value)
        })
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
    fn serialize_map(self, length: Option<usize>) -> Result<Fields<'c>, Unwritable> {
        Ok(Fields {
            converter: self,
            places: Vec::with_capacity(length.unwrap_or_default()),
            values: Vec::with_capacity(length.unwrap_or_default()),
            place: 0,
            variant: None,
        })
    }
    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Fields<'c>, Unwritable> {
        self.serialize_map(Some(length))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Fields<'c>, Unwritable> {
        Ok(Fields {
            variant: Some(variant),
            ..self.serialize_map(Some(length))?
        })
    }
}

impl List<'_> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.items.push(value.serialize(&mut *self.converter)?);
        Ok(())
    }

    fn done(self) -> Value {
        let array = self.converter.array(self.items);
        under(self.variant, array)
    }
}

impl Fields<'_> {
    fn put<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        let place = self.converter.place(name);
        self.add(place, value)
    }

    fn add<T: Serialize + ?Sized>(&mut self, place: usize, value: &T) -> Result<(), Unwritable> {
        self.converter.under = place;
        let value = value.serialize(&mut *self.converter)?;
        let value = self.converter.last_or(place, value);
        self.places.push(place);
        self.values.push(value);
        Ok(())
    }

    fn done(self) -> Value {
        let object = self.converter.object(self.places, self.values);
        under(self.variant, object)
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
        self.converter.names = true;
        let key = key.serialize(&mut *self.converter);
        self.converter.names = false;
        self.place = match key? {
            Value::String(name) => self.converter.place_again(&name),
            other => self.converter.place(&other.to_string()),
        };
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.add(self.place, value)
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
        let mixed = json!([{"a": 1}, {"a": 1.0}, {"a": 1}, {"a": {"a": [1]}}, {"a": {"a": [1]}}]);
        let value = value_of(&mixed).unwrap();
        let same_text = format!("{:?}", regorus::Value::from(mixed));
        assert_eq!(format!("{value:?}"), same_text);
        let alike =
            json!([{"a": "x", "b": []}, {"a": "y", "b": ["y"]}, {"a": ["x", []], "b": "y"}]);
        same(alike.clone(), value_of(&alike));
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
