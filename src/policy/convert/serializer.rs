//! Serde's calls, from the outside of an input to its inside.

use std::collections::BTreeMap;

use regorus::Value;
use serde::ser::{self, Serialize};

use super::{At, Converter, NOWHERE, Unwritable};

pub(super) struct List<'c> {
    converter: &'c mut Converter,
    /// Where the array and its members stand.
    at: At,
    items: Vec<Value>,
    variant: Option<&'static str>,
}

pub(super) struct Fields<'c> {
    converter: &'c mut Converter,
    /// Where the object stands.
    at: At,
    /// The shape that it probably has.
    guess: usize,
    /// Where its fields begin among those that are open.
    start: usize,
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
        if let Some(guess) = self.name {
            self.name = Some(self.place(guess, value));
            return Ok(Value::Null);
        }
        Ok(self.text(value))
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
        self.serialize_str(variant)
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
            at: self.spot,
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
        let at = self.spot;
        Ok(Fields {
            at,
            guess: self.spot(at).map_or(NOWHERE, |spot| spot.shape),
            start: self.open.len(),
            place: NOWHERE,
            variant: None,
            converter: self,
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
        self.converter.spot = self.at;
        self.items.push(value.serialize(&mut *self.converter)?);
        Ok(())
    }

    fn done(self) -> Value {
        let array = self.converter.array(self.at, self.items);
        under(self.variant, array)
    }
}

impl Fields<'_> {
    /// The place that the next name probably has.
    fn guess(&self) -> usize {
        let shape = self.converter.shapes.get(self.guess);
        let place =
            shape.and_then(|shape| shape.places.get(self.converter.open.len() - self.start));
        place.copied().unwrap_or(NOWHERE)
    }

    fn put<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        let guess = self.guess();
        self.place = self.converter.place(guess, name);
        self.add(guess == self.place, value)
    }

    fn add<T: Serialize + ?Sized>(
        &mut self,
        is_guessed: bool,
        value: &T,
    ) -> Result<(), Unwritable> {
        let place = self.place;
        self.converter.spot = At {
            shape: if is_guessed { self.guess } else { NOWHERE },
            index: self.converter.open.len() - self.start,
            place,
        };
        let mut value = value.serialize(&mut *self.converter)?;
        if !is_guessed {
            value = self.converter.last_or(place, value);
        }
        self.converter.open.push((place, value));
        Ok(())
    }

    fn done(self) -> Value {
        let object = self.converter.object(self.at, self.guess, self.start);
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
        let guess = self.guess();
        self.converter.name = Some(guess);
        let key = key.serialize(&mut *self.converter);
        let place = self.converter.name.take();
        self.place = match key? {
            Value::Null => place.unwrap_or(NOWHERE),
            other => self.converter.place(guess, &other.to_string()),
        };
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        let is_guessed = self.place == self.guess();
        self.add(is_guessed, value)
    }
    fn end(self) -> Result<Value, Unwritable> {
        Ok(self.done())
    }
}
