//! Inputs turned into the engine's values without a detour over JSON.
//!
//! Of a thousand stacks, most say the same of nearly everything, and memory is what such an input
//! costs. So names are shared, and an object is made of the last one that stood in its place: what is
//! equal stays, the last one itself where all is. What stands elsewhere with the same names serves
//! too.

mod serializer;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use regorus::Value;
use serde::ser::{self, Serialize};

/// The input as the engine holds it.
pub(super) fn value_of(input: &impl Serialize) -> Result<Value, Unwritable> {
    input.serialize(&mut Converter {
        // The inputs have some hundred names; growing to that costs more than a decision may.
        places: HashMap::with_capacity(256),
        ..Converter::default()
    })
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
    shapes: Vec<Shape>,
    /// The fields of the objects that are being made, those within others after theirs.
    open: Vec<(usize, Value)>,
    /// Where the next value stands.
    spot: At,
    /// While the next string is a name: the place that it probably has, then the one that it has.
    name: Option<usize>,
    /// 1.0 is equal to 1 and not the same: with one in it, no value stands for another.
    has_float: bool,
}

/// A name.
struct Field {
    name: Value,
    /// The shape that ended with it last.
    ended: usize,
    spot: Spot,
}

/// What was met last in one place.
#[derive(Clone)]
struct Spot {
    value: Value,
    /// The shape of the object that was met.
    shape: usize,
}

/// Names in their order, and the last object that had them.
struct Shape {
    places: Vec<usize>,
    spots: Vec<Spot>,
    object: Value,
}

/// The field of a known shape, or else what is known of the name.
#[derive(Clone, Copy)]
struct At {
    shape: usize,
    index: usize,
    place: usize,
}

/// What is found at no index.
const NOWHERE: usize = usize::MAX;

impl Default for At {
    fn default() -> Self {
        Self {
            shape: NOWHERE,
            index: NOWHERE,
            place: NOWHERE,
        }
    }
}

impl Converter {
    /// The place of a name that probably is the guessed one.
    fn place(&mut self, guess: usize, name: &str) -> usize {
        let field = self.fields.get(guess);
        if matches!(field, Some(Field { name: Value::String(known), .. }) if **known == *name) {
            return guess;
        }
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let (name, place) = (Arc::<str>::from(name), self.fields.len());
        self.places.insert(name.clone(), place);
        self.fields.push(Field {
            name: Value::String(name),
            ended: NOWHERE,
            spot: Spot {
                value: Value::Undefined,
                shape: NOWHERE,
            },
        });
        place
    }

    fn spot(&self, at: At) -> Option<&Spot> {
        let shape = self.shapes.get(at.shape);
        let known = shape.and_then(|shape| shape.spots.get(at.index));
        known.or_else(|| self.fields.get(at.place).map(|field| &field.spot))
    }

    fn spot_mut(&mut self, at: At) -> Option<&mut Spot> {
        let shape = self.shapes.get_mut(at.shape);
        let known = shape.and_then(|shape| shape.spots.get_mut(at.index));
        known.or_else(|| self.fields.get_mut(at.place).map(|field| &mut field.spot))
    }

    /// The value, or the last one under that name if they are equal.
    fn last_or(&mut self, place: usize, value: Value) -> Value {
        let spot = &mut self.fields[place].spot;
        if spot.value == value && !self.has_float {
            return spot.value.clone();
        }
        spot.value = value.clone();
        value
    }

    /// The text, which is the last one in its place if they are equal.
    fn text(&self, text: &str) -> Value {
        match self.spot(self.spot).map(|spot| &spot.value) {
            Some(last @ Value::String(known)) if **known == *text => last.clone(),
            _ => text.into(),
        }
    }

    /// The array, which is the last one in its place if both are empty.
    fn array(&self, at: At, items: Vec<Value>) -> Value {
        match self.spot(at).map(|spot| &spot.value) {
            Some(last @ Value::Array(known)) if known.is_empty() && items.is_empty() => {
                last.clone()
            }
            _ => items.into(),
        }
    }

    /// The object of what is open from `start` on, which stands there and probably is of the guessed
    /// shape.
    fn object(&mut self, at: At, guess: usize, start: usize) -> Value {
        let Some(last) = self.open.get(start..).and_then(<[_]>::last) else {
            return BTreeMap::new().into();
        };
        if self.has_float {
            let object = self.sorted(start);
            self.open.truncate(start);
            return object;
        }
        let last = last.0;
        let is_of = |shape: &Shape| {
            let places = self.open[start..].iter().map(|(place, _)| place);
            shape.places.len() == self.open.len() - start && shape.places.iter().eq(places)
        };
        let known = [guess, self.fields[last].ended]
            .into_iter()
            .find(|index| self.shapes.get(*index).is_some_and(is_of));
        let Some(index) = known else {
            return self.of_new_shape(at, last, start);
        };
        let shape = &mut self.shapes[index];
        for (spot, (place, value)) in shape.spots.iter_mut().zip(self.open.drain(start..)) {
            if value != spot.value
                && let Ok(object) = shape.object.as_object_mut()
            {
                object.insert(self.fields[place].name.clone(), value.clone());
                spot.value = value;
            }
        }
        let object = shape.object.clone();
        if index != guess
            && let Some(spot) = self.spot_mut(at)
        {
            spot.shape = index;
        }
        object
    }

    fn of_new_shape(&mut self, at: At, last: usize, start: usize) -> Value {
        let object = self.sorted(start);
        let (places, spots): (Vec<usize>, Vec<Spot>) = self
            .open
            .drain(start..)
            .map(|(place, value)| {
                let shape = self.fields[place].spot.shape;
                (place, Spot { value, shape })
            })
            .unzip();
        // A name twice, and the second value counts.
        let is_plain = matches!(&object, Value::Object(fields) if fields.len() == places.len());
        if is_plain {
            let shape = Shape {
                places,
                spots,
                object: object.clone(),
            };
            let index = self.fields[last].ended;
            let index = if let Some(known) = self.shapes.get_mut(index) {
                *known = shape;
                index
            } else {
                self.shapes.push(shape);
                self.shapes.len() - 1
            };
            self.fields[last].ended = index;
            if let Some(spot) = self.spot_mut(at) {
                spot.shape = index;
            }
        }
        object
    }

    fn sorted(&self, start: usize) -> Value {
        let fields = self.open[start..]
            .iter()
            .map(|(place, value)| (self.fields[*place].name.clone(), value.clone()));
        fields.collect::<BTreeMap<Value, Value>>().into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, proptest};
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

    /// Few names and values, so that objects in objects are alike.
    fn alike() -> impl Strategy<Value = serde_json::Value> {
        let leaf = proptest::prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Into::into),
            (0..2_u64).prop_map(Into::into),
            "[xy]?".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 60, 4, |inner| {
            let fields = proptest::collection::btree_map("[abc]", inner.clone(), 0..4);
            proptest::prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(Into::into),
                fields.prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_alike_is_not_mixed_up(json in alike()) {
            let value = value_of(&json).unwrap();
            assert_eq!(value, regorus::Value::from(json));
        }
    }
}
