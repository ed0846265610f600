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
mod sizes;
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

/// Builtins of OPA's that are not offered, each with the reason: families end with a dot.
pub(super) const ABSENT: &[(&str, &str)] = &[
    ("crypto.parse_private_keys", KEYS),
    ("crypto.x509.", KEYS),
    ("io.jwt.", KEYS),
    ("providers.aws.sign_req", KEYS),
    (
        "net.lookup_ip_addr",
        "its answer changes with the network, so a run could not be judged again",
    ),
    ("rego.metadata.", "annotations are not kept"),
    ("graphql.", UNUSED),
    ("json.match_schema", UNUSED),
    ("json.verify_schema", UNUSED),
    ("net.cidr_merge", UNUSED),
    ("regex.globs_match", UNUSED),
    ("strings.render_template", UNUSED),
    ("strings.split_n", UNUSED),
    ("uri.", UNUSED),
];

const KEYS: &str = "no input of a policy holds a token, a key or a certificate";
const UNUSED: &str = "the engine does not have it";

/// Why OPA's builtin is not offered.
pub(super) fn absent(function: &str) -> Option<&'static str> {
    let is_it = |name: &str| name == function || name.ends_with('.') && function.starts_with(name);
    let row = ABSENT.iter().find(|(name, _)| is_it(name));
    row.map(|(_, reason)| *reason)
}

/// All builtins that a policy of that version may call, by their names.
pub fn builtin_names(engine: Engine) -> Vec<String> {
    let added = ADDED
        .iter()
        .chain(ADDED_V0)
        .map(|(name, _, _)| (*name).to_owned());
    let mut names: Vec<String> = BUILTINS
        .keys()
        .map(|name| (*name).to_owned())
        .chain(added)
        .collect();
    names.sort();
    names.dedup();
    names.retain(|name| {
        let name = name.as_str();
        argument_count(name, engine).is_some()
            && !FORBIDDEN.contains(&name)
            && !UNLIKE_OPA.contains(&name)
    });
    names
}

/// The engine's builtins whose values differ from OPA's, without a place to mend that.
pub(super) const UNLIKE_OPA: [&str; 3] = ["yaml.marshal", "yaml.unmarshal", "uuid.parse"];

/// Makes something that cannot be searched absent: `some x in null` has no member in OPA, and is an
/// error in the engine.
pub(super) const COLLECTION: &str = "internal.collection";

/// `x in c` and `k, x in c`, undefined where one of them is.
pub(super) const MEMBER_2: &str = "internal.member_2";
pub(super) const MEMBER_3: &str = "internal.member_3";

/// What a builtin gives. `Ok(None)` is undefined, as OPA has it for an argument of a wrong type; an
/// error fails the policy.
pub(super) type Answer = Result<Option<Value>, String>;

pub(super) type Builtin = fn(&[Value]) -> Answer;

/// Names, number of arguments, and what they do.
const ADDED: &[(&str, u8, Builtin)] = &[
    ("sanitized", 1, digests::sanitized),
    ("crypto.md5", 1, digests::md5),
    ("crypto.sha1", 1, digests::sha1),
    ("crypto.sha256", 1, digests::sha256),
    ("crypto.hmac.md5", 2, digests::hmac_md5),
    ("crypto.hmac.sha1", 2, digests::hmac_sha1),
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
    ("numbers.range", 2, numbers::range),
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
    ("net.cidr_expand", 1, networks::expand),
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
    (MEMBER_2, 2, has_member),
    (MEMBER_3, 3, has_entry),
    ("object.subset", 2, subset),
    ("json.is_valid", 1, encoding::json_is_valid),
    ("yaml.is_valid", 1, encoding::yaml_is_valid),
    (
        "urlquery.decode_object",
        1,
        encoding::urlquery_decode_object,
    ),
    ("substring", 3, text::substring),
    ("units.parse", 1, text::units_parse),
    ("concat", 2, sizes::concat),
    ("replace", 3, sizes::replace),
    ("array.concat", 2, sizes::array_concat),
    ("bits.lsh", 2, sizes::shift_left),
    ("hex.encode", 1, sizes::hex_encode),
    ("graph.reachable_paths", 2, sizes::reachable_paths),
    ("base64.decode", 1, encoding::base64_decode),
    ("base64url.decode", 1, encoding::base64url_decode),
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

/// Registers what is added and may be called in `texts`: an engine that has fewer is copied sooner.
pub(super) fn add_to(engine: &mut regorus::Engine, texts: &[&str]) -> Result<(), String> {
    for &(name, count, builtin) in ADDED.iter().chain(ADDED_V0) {
        // `crypto["sha256"]` is the function too.
        let last = name.rsplit('.').next().unwrap_or(name);
        if !texts.iter().any(|text| text.contains(last)) {
            continue;
        }
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
    // The engine's names for its own use are no functions of OPA's.
    if function.starts_with("internal.") || function.starts_with("__") {
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

/// What cannot be a part of the other has no answer.
fn subset(arguments: &[Value]) -> Answer {
    match arguments {
        [Value::Object(_), Value::Object(_)]
        | [Value::Set(_), Value::Set(_)]
        | [Value::Array(_), Value::Array(_) | Value::Set(_)] => {
            engines_own("object.subset", arguments)
        }
        _ => Ok(None),
    }
}

fn has_member(arguments: &[Value]) -> Answer {
    Ok(match arguments {
        [value, Value::Array(items)] => Some(items.contains(value).into()),
        [value, Value::Set(items)] => Some(items.contains(value).into()),
        [value, Value::Object(fields)] => Some(fields.values().any(|field| field == value).into()),
        [_, _] => Some(false.into()),
        _ => None,
    })
}

fn has_entry(arguments: &[Value]) -> Answer {
    Ok(match arguments {
        [key, value, Value::Array(items)] => {
            let at = key.as_i64().ok().and_then(|key| usize::try_from(key).ok());
            Some((at.and_then(|at| items.get(at)) == Some(value)).into())
        }
        [key, value, Value::Set(items)] => Some((key == value && items.contains(value)).into()),
        [key, value, Value::Object(fields)] => Some((fields.get(key) == Some(value)).into()),
        [_, _, _] => Some(false.into()),
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
