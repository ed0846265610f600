//! The functions a policy may call: the engine's own, those that are added or take the place of the
//! engine's here, those forbidden.
//!
//! What stands in [`ADDED`] is what the engine lacks, and what it does otherwise than OPA: Go's
//! `fmt`, regular expressions, globs, decimal arithmetic. `tests/opa` holds each against OPA.

mod dates;
mod digests;
mod encoding;
mod format;
mod glob;
mod networks;
mod numbers;
mod patterns;
mod removed;
mod text;

use regorus::Value;
use regorus::unstable::{BUILTINS, Expr, Ref, Source, Span};

use super::kind::Engine;

/// What Spacelift disables.
pub(super) const FORBIDDEN: [&str; 5] = [
    "http.send",
    "opa.runtime",
    "rego.parse_module",
    "time.now_ns",
    "trace",
];

/// The engine's builtins whose values differ from OPA's, without a place to mend that.
pub(super) const UNLIKE_OPA: [&str; 3] = ["yaml.marshal", "yaml.unmarshal", "uuid.parse"];

/// Makes something that cannot be searched absent: `some x in null` has no member in OPA, and is an
/// error in the engine.
pub(super) const COLLECTION: &str = "internal.collection";

/// What a builtin gives. `Ok(None)` is undefined, as OPA has it for an argument of a wrong type; an
/// error fails the policy.
pub(super) type Answer = Result<Option<Value>, String>;

pub(super) type Builtin = fn(&[Value]) -> Answer;

/// Names, number of arguments, and what they do.
const ADDED: &[(&str, u8, Builtin)] = &[
    ("sanitized", 1, digests::sanitized),
    ("crypto.sha256", 1, digests::sha256),
    ("crypto.hmac.sha256", 2, digests::hmac_sha256),
    ("crypto.hmac.sha512", 2, digests::hmac_sha512),
    ("crypto.hmac.equal", 2, digests::equal),
    ("plus", 2, numbers::plus),
    ("minus", 2, numbers::minus),
    ("mul", 2, numbers::mul),
    ("div", 2, numbers::div),
    ("rem", 2, numbers::rem),
    ("and", 2, numbers::and),
    ("or", 2, numbers::or),
    ("sum", 1, numbers::sum),
    ("product", 1, numbers::product),
    ("to_number", 1, numbers::to_number),
    ("numbers.range_step", 3, numbers::range_step),
    ("sprintf", 2, format::sprintf),
    ("upper", 1, text::upper),
    ("lower", 1, text::lower),
    ("indexof", 2, text::indexof),
    ("indexof_n", 2, text::indexof_n),
    ("strings.count", 2, text::count),
    ("strings.replace_n", 2, text::replace_n),
    ("regex.match", 2, patterns::is_match),
    ("regex.is_valid", 1, patterns::is_valid),
    ("regex.find_n", 3, patterns::find_n),
    (
        "regex.find_all_string_submatch_n",
        3,
        patterns::find_submatches,
    ),
    ("regex.replace", 3, patterns::replace),
    ("regex.split", 2, patterns::split),
    ("regex.template_match", 4, patterns::template_match),
    ("glob.match", 3, glob::is_match),
    ("glob.quote_meta", 1, glob::quote_meta),
    ("net.cidr_contains", 2, networks::contains),
    ("net.cidr_intersects", 2, networks::intersects),
    ("net.cidr_contains_matches", 2, networks::contains_matches),
    ("semver.compare", 2, text::semver_compare),
    ("semver.is_valid", 1, text::semver_is_valid),
    ("time.parse_rfc3339_ns", 1, dates::parse_rfc3339),
    ("time.parse_duration_ns", 1, dates::parse_duration),
    ("time.add_date", 4, dates::add_date),
    ("json.marshal", 1, encoding::json_marshal),
    ("urlquery.encode", 1, encoding::urlquery_encode),
    ("urlquery.decode", 1, encoding::urlquery_decode),
    (
        "urlquery.encode_object",
        1,
        encoding::urlquery_encode_object,
    ),
    ("array.flatten", 1, encoding::flatten),
    (COLLECTION, 1, collection),
];

/// Builtins that OPA has kept for Rego v0 and removed from v1.
const ADDED_V0: &[(&str, u8, Builtin)] = &[
    ("re_match", 2, patterns::is_match),
    ("any", 1, removed::any),
    ("all", 1, removed::all),
    ("set_diff", 2, removed::set_diff),
    ("net.cidr_overlap", 2, networks::contains),
    ("cast_array", 1, removed::cast_array),
    ("cast_set", 1, removed::cast_set),
    ("cast_string", 1, removed::cast_string),
    ("cast_boolean", 1, removed::cast_boolean),
    ("cast_null", 1, removed::cast_null),
    ("cast_object", 1, removed::cast_object),
];

/// Registers all that is added.
pub(super) fn add_to(engine: &mut regorus::Engine) -> Result<(), String> {
    for &(name, count, builtin) in ADDED.iter().chain(ADDED_V0) {
        let extension = move |arguments: Vec<Value>| match builtin(&arguments) {
            Ok(value) => Ok(value.unwrap_or(Value::Undefined)),
            Err(message) => Err(std::io::Error::other(format!("{name}: {message}")).into()),
        };
        engine
            .add_extension(name.to_owned(), count, Box::new(extension))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// How many arguments the function takes; `None` if there is no such function.
pub(super) fn argument_count(function: &str, engine: Engine) -> Option<usize> {
    let find = |table: &[(&str, u8, Builtin)]| {
        let row = table.iter().find(|(name, _, _)| *name == function)?;
        Some(usize::from(row.1))
    };
    if function == COLLECTION {
        return None;
    }
    find(ADDED)
        .or_else(|| find(ADDED_V0).filter(|_| engine == Engine::RegoV0))
        .or_else(|| {
            let (_, count) = BUILTINS.get(function)?;
            Some(usize::from(*count))
        })
}

fn collection(arguments: &[Value]) -> Answer {
    Ok(match arguments {
        [value @ (Value::Array(_) | Value::Set(_) | Value::Object(_))] => Some(value.clone()),
        _ => None,
    })
}

/// The engine's own builtin of that name, where only part of it is otherwise.
fn engines_own(name: &str, arguments: &[Value]) -> Answer {
    let Some((function, _)) = BUILTINS.get(name) else {
        return Ok(None);
    };
    let Ok(source) = Source::from_contents(name.to_owned(), String::new()) else {
        return Ok(None);
    };
    let span = Span {
        source,
        line: 1,
        col: 1,
        start: 0,
        end: 0,
    };
    let parameters: Vec<Ref<Expr>> = arguments
        .iter()
        .map(|_| {
            Ref::new(Expr::Null {
                span: span.clone(),
                value: Value::Null,
                eidx: 0,
            })
        })
        .collect();
    Ok(match function(&span, &parameters, arguments, false) {
        Ok(Value::Undefined) | Err(_) => None,
        Ok(value) => Some(value),
    })
}

/// The argument, if it is a string.
fn string(value: Option<&Value>) -> Option<&str> {
    match value? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// The argument, if it is a whole number.
fn integer(value: Option<&Value>) -> Option<i64> {
    value?.as_i64().ok()
}

/// The members of an array or a set.
fn members(value: Option<&Value>) -> Option<Vec<&Value>> {
    match value? {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Set(items) => Some(items.iter().collect()),
        _ => None,
    }
}
