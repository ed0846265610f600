//! Builtins that only Rego v0 has.

use regorus::Value;

use super::numbers::set;
use super::{Answer, members};

pub(super) fn any(arguments: &[Value]) -> Answer {
    let members = members(arguments.first());
    Ok(members.map(|all| all.contains(&&Value::Bool(true)).into()))
}

pub(super) fn all(arguments: &[Value]) -> Answer {
    let members = members(arguments.first());
    Ok(members.map(|all| all.iter().all(|value| **value == Value::Bool(true)).into()))
}

pub(super) fn set_diff(arguments: &[Value]) -> Answer {
    match arguments {
        [Value::Set(_), Value::Set(_)] => super::numbers::minus(arguments),
        _ => Ok(None),
    }
}

pub(super) fn cast_array(arguments: &[Value]) -> Answer {
    let members = members(arguments.first());
    Ok(members.map(|all| Value::from(all.into_iter().cloned().collect::<Vec<_>>())))
}

pub(super) fn cast_set(arguments: &[Value]) -> Answer {
    Ok(members(arguments.first()).map(|all| set(all.into_iter().cloned())))
}

pub(super) fn cast_string(arguments: &[Value]) -> Answer {
    Ok(same(arguments, |value| matches!(value, Value::String(_))))
}

pub(super) fn cast_boolean(arguments: &[Value]) -> Answer {
    Ok(same(arguments, |value| matches!(value, Value::Bool(_))))
}

pub(super) fn cast_null(arguments: &[Value]) -> Answer {
    Ok(same(arguments, |value| matches!(value, Value::Null)))
}

pub(super) fn cast_object(arguments: &[Value]) -> Answer {
    Ok(same(arguments, |value| matches!(value, Value::Object(_))))
}

fn same(arguments: &[Value], is: fn(&Value) -> bool) -> Option<Value> {
    arguments.first().filter(|value| is(value)).cloned()
}
