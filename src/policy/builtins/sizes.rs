//! Builtins that may give more than they are given: the time limit does not look into one call, and a
//! text that doubles with each line of a policy would take all memory.

use regorus::Value;

use super::{Answer, engines_own, members, string};

/// No text or list of a policy's input is near it.
const MAX_BYTES: usize = 64 << 20;
const MAX_ITEMS: usize = 1_000_000;

/// Refuses to make a text of that many bytes.
pub(super) fn check_bytes(bytes: usize) -> Result<(), String> {
    if bytes > MAX_BYTES {
        return Err(format!("the text would be longer than {MAX_BYTES} bytes"));
    }
    Ok(())
}

pub(super) fn concat(arguments: &[Value]) -> Answer {
    if let (Some(delimiter), Some(parts)) = (string(arguments.first()), members(arguments.get(1))) {
        let length = |part: &Value| string(Some(part)).map_or(0, str::len);
        check_bytes(
            parts
                .iter()
                .map(|part| length(part) + delimiter.len())
                .sum(),
        )?;
    }
    engines_own("concat", arguments)
}

pub(super) fn replace(arguments: &[Value]) -> Answer {
    if let [Value::String(text), Value::String(old), Value::String(new)] = arguments {
        let found = text.matches(&**old).count();
        check_bytes(text.len().saturating_add(found.saturating_mul(new.len())))?;
    }
    engines_own("replace", arguments)
}

pub(super) fn array_concat(arguments: &[Value]) -> Answer {
    if let [Value::Array(left), Value::Array(right)] = arguments
        && left.len() + right.len() > MAX_ITEMS
    {
        return Err(format!("the array would be longer than {MAX_ITEMS}"));
    }
    engines_own("array.concat", arguments)
}

/// A number of more than 64 bits fails the policy, as in arithmetic.
pub(super) fn shift_left(arguments: &[Value]) -> Answer {
    if let [number, by] = arguments
        && let (Ok(number), Ok(by)) = (number.as_i64(), by.as_i64())
        && by >= 0
    {
        let by = u32::try_from(by).unwrap_or(u32::MAX);
        let shifted = i128::from(number)
            .checked_shl(by.min(64))
            .unwrap_or_default();
        return match i64::try_from(shifted) {
            Ok(shifted) if number == 0 || by < 64 => Ok(Some(shifted.into())),
            _ if number == 0 => Ok(Some(0_i64.into())),
            _ => Err(format!("{number} shifted by {by} has more than 64 bits")),
        };
    }
    engines_own("bits.lsh", arguments)
}
