//! The type that several types have in common, as Terraform's library (cty) finds it.

use super::convert::allowed;
use super::value::Type;

/// The type that all of `kinds` can become; `None` if there is none. `also_unsafe` allows
/// conversions that depend on the value, as a conditional does.
pub(super) fn common(kinds: &[Type], also_unsafe: bool) -> Option<Type> {
    let known: Vec<&Type> = kinds.iter().filter(|kind| **kind != Type::Any).collect();
    let Some(first) = known.first() else {
        return Some(Type::Any);
    };
    let has_any = known.len() < kinds.len();
    if has_any && known.iter().all(|kind| is_structural(kind)) && is_of_one_kind(&known) {
        // What a null of no type is in such company Terraform never decides: all stay as they are.
        return also_unsafe.then_some(Type::Any);
    }
    if known.iter().all(|kind| kind == first) {
        return Some((*first).clone());
    }
    let all = |is: fn(&Type) -> bool| known.iter().all(|kind| is(kind));
    let any = |is: fn(&Type) -> bool| known.iter().any(|kind| is(kind));
    let is_map = |kind: &Type| matches!(kind, Type::Map(_));
    let is_list = |kind: &Type| matches!(kind, Type::List(_));
    let is_set = |kind: &Type| matches!(kind, Type::Set(_));
    let is_object = |kind: &Type| matches!(kind, Type::Object(_));
    let is_tuple = |kind: &Type| matches!(kind, Type::Tuple(_));
    let elements = || {
        let elements: Vec<Type> = known.iter().flat_map(|kind| elements_of(kind)).collect();
        let has_own = |kind: &&Type| common(&elements_of(kind), also_unsafe).is_some();
        // Where all may stay as they are, each must be able to be a collection by itself.
        common(&elements, also_unsafe)
            .filter(|element| *element != Type::Any || known.iter().all(has_own))
    };
    if all(is_map) {
        return elements().map(Type::map);
    }
    if all(is_list) {
        return elements().map(Type::list);
    }
    if all(is_set) {
        return elements().map(Type::set);
    }
    if all(is_object) {
        return common_object(&known, also_unsafe).unwrap_or_else(|| elements().map(Type::map));
    }
    if all(is_tuple) {
        return common_tuple(&known, also_unsafe).unwrap_or_else(|| elements().map(Type::list));
    }
    // As if each of them were a collection by itself.
    let elements = || {
        let each = known.iter().map(|kind| elements_of(kind));
        let each = each.filter(|elements| !elements.is_empty());
        let each = each.map(|elements| common(&elements, also_unsafe));
        common(&each.collect::<Option<Vec<_>>>()?, also_unsafe)
    };
    if any(is_map)
        && all(|kind| matches!(kind, Type::Map(_) | Type::Object(_)))
        && let Some(element) = elements()
    {
        return Some(Type::map(element));
    }
    if any(is_list)
        && all(|kind| matches!(kind, Type::List(_) | Type::Tuple(_)))
        && let Some(element) = elements()
    {
        return Some(Type::list(element));
    }
    if any(is_object) && any(is_tuple) {
        return None;
    }
    let mut candidates = known.clone();
    // Strings can be made of the other primitives, so they come first.
    candidates.sort_by_key(|kind| match kind {
        Type::String => 0,
        Type::Set(_) => 2,
        _ => 1,
    });
    let fits = |wanted: &&&Type| known.iter().all(|kind| allowed(kind, wanted, also_unsafe));
    let candidate = candidates.iter().find(fits).map(|kind| (*kind).clone());
    // What has a null of no type among it can at least stay as it is.
    candidate.or_else(|| (has_any && also_unsafe).then_some(Type::Any))
}

fn is_structural(kind: &Type) -> bool {
    !matches!(kind, Type::Any | Type::Bool | Type::Number | Type::String)
}

/// Whether all are lists, or all objects, and so on.
fn is_of_one_kind(kinds: &[&Type]) -> bool {
    kinds
        .windows(2)
        .all(|pair| pair[0].name() == pair[1].name())
}

pub(super) fn elements_of(kind: &Type) -> Vec<Type> {
    match kind {
        Type::List(element) | Type::Set(element) | Type::Map(element) => {
            vec![element.as_ref().clone()]
        }
        Type::Tuple(items) => items.to_vec(),
        Type::Object(fields) => fields.values().map(|field| field.kind.clone()).collect(),
        Type::Any | Type::Bool | Type::Number | Type::String => Vec::new(),
    }
}

/// Attribute by attribute; `None` if the objects have not all the same, `Some(None)` if one of them
/// has no common type.
fn common_object(kinds: &[&Type], also_unsafe: bool) -> Option<Option<Type>> {
    let Type::Object(first) = kinds.first()? else {
        return None;
    };
    if kinds
        .iter()
        .any(|kind| !matches!(kind, Type::Object(own) if own.len() == first.len()))
    {
        return None;
    }
    let mut attributes = Vec::new();
    for name in first.keys() {
        let mut own = Vec::new();
        for kind in kinds {
            let Type::Object(fields) = kind else {
                return None;
            };
            own.push(fields.get(name)?.kind.clone());
        }
        attributes.push(common(&own, also_unsafe).map(|kind| (name.clone(), kind)));
    }
    let attributes: Option<Vec<_>> = attributes.into_iter().collect();
    Some(attributes.map(Type::object))
}

/// Item by item, likewise.
fn common_tuple(kinds: &[&Type], also_unsafe: bool) -> Option<Option<Type>> {
    let Type::Tuple(first) = kinds.first()? else {
        return None;
    };
    if kinds
        .iter()
        .any(|kind| !matches!(kind, Type::Tuple(own) if own.len() == first.len()))
    {
        return None;
    }
    let mut items = Vec::new();
    for index in 0..first.len() {
        let mut own = Vec::new();
        for kind in kinds {
            let Type::Tuple(others) = kind else {
                return None;
            };
            own.push(others[index].clone());
        }
        items.push(common(&own, also_unsafe));
    }
    let items: Option<Vec<Type>> = items.into_iter().collect();
    Some(items.map(|items| Type::Tuple(items.into())))
}

#[cfg(test)]
mod tests {
    use super::common;
    use crate::module::value::Type;

    #[test]
    fn the_common_type_prefers_strings() {
        assert_eq!(
            common(&[Type::Number, Type::String], false),
            Some(Type::String)
        );
        assert_eq!(
            common(&[Type::Number, Type::Any], false),
            Some(Type::Number)
        );
        assert_eq!(common(&[Type::Number, Type::Bool], false), None);
    }
}
