//! Builtins that may give more than they are given: the time limit does not look into one call, and a
//! text that doubles with each line of a policy would take all memory.

use std::collections::BTreeSet;

use regorus::Value;

use super::{Answer, engines_own, members, string};

/// No text or list of a policy's input is near it.
const MAX_BYTES: usize = 64 << 20;
const MAX_ITEMS: usize = 1_000_000;
/// A dense graph has as many paths as its nodes have orders.
const MAX_STEPS_OF_PATHS: usize = 100_000;
/// The engine goes along a path as deep as it is long.
const MAX_NODES_OF_PATH: usize = 1000;

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

pub(super) fn hex_encode(arguments: &[Value]) -> Answer {
    let length = string(arguments.first()).map_or(0, str::len);
    check_bytes(length.saturating_mul(2))?;
    engines_own("hex.encode", arguments)
}

pub(super) fn reachable_paths(arguments: &[Value]) -> Answer {
    if let [graph, from] = arguments {
        let mut left = MAX_STEPS_OF_PATHS;
        for node in members(Some(from)).unwrap_or_default() {
            follow(graph, node, &mut BTreeSet::new(), &mut left)?;
        }
    }
    engines_own("graph.reachable_paths", arguments)
}

/// Goes along all paths that lead on from `path` by `node`, as the engine will, and counts the steps.
fn follow<'v>(
    graph: &'v Value,
    node: &'v Value,
    path: &mut BTreeSet<&'v Value>,
    left: &mut usize,
) -> Result<(), String> {
    let Some(rest) = left.checked_sub(1) else {
        return Err(format!(
            "the graph has paths of more than {MAX_STEPS_OF_PATHS} steps in all"
        ));
    };
    *left = rest;
    let Value::Object(edges) = graph else {
        return Ok(());
    };
    let Some(next) = edges.get(node).filter(|_| !path.contains(node)) else {
        return Ok(());
    };
    if path.len() == MAX_NODES_OF_PATH {
        return Err(format!(
            "the graph has a path of more than {MAX_NODES_OF_PATH} nodes"
        ));
    }
    path.insert(node);
    for next in members(Some(next)).unwrap_or_default() {
        follow(graph, next, path, left)?;
    }
    path.remove(node);
    Ok(())
}

#[cfg(test)]
mod tests {
    use regorus::Value;

    use super::{MAX_BYTES, hex_encode};

    #[test]
    fn a_text_that_is_too_long_is_not_made() {
        let half = |more: usize| Value::from("x".repeat(MAX_BYTES / 2 + more));
        assert!(hex_encode(&[half(1)]).unwrap_err().contains("longer than"));
    }
}
