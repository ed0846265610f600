//! The functions of the language: Terraform's pure ones, and those that read the repository.
//!
//! What depends on the clock, on chance or on the machine is refused by name with the reason.

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::convert::{Mismatch, convert};
use super::nearest::nearest;
use super::number::Number;
use super::tree::Tree;
use super::value::{Type, Value};

mod collections;
mod combinations;
mod csv;
mod dates;
mod encoding;
mod files;
mod floats;
mod format;
mod glob;
mod marks;
mod networks;
mod numbers;
mod patterns;
mod templates;
mod text;
mod yaml;

/// What a function is called with.
pub(super) struct Context<'a> {
    pub arguments: &'a [Value],
    /// `None` where no files may be read.
    pub tree: Option<Tree<'a>>,
    /// How deep the call stands, for a template that is evaluated in turn.
    pub depth: usize,
    /// Whether the call stands in a template, which evaluates no other.
    pub within_template: bool,
    /// Set where the function has no value and Terraform's has one.
    pub is_refusal: &'a Cell<bool>,
}

/// Why there is no function of a name.
#[derive(Debug)]
pub(super) struct Absent {
    pub message: String,
    pub hint: Option<String>,
    /// Whether Terraform has it.
    pub is_refused: bool,
}

pub(super) use marks::call;

pub(super) type Function = fn(&Context<'_>) -> Result<Value, String>;

const FUNCTIONS: &[(&str, Function)] = &[
    ("abs", numbers::abs),
    ("alltrue", collections::alltrue),
    ("anytrue", collections::anytrue),
    ("base64decode", encoding::base64decode),
    ("base64encode", encoding::base64encode),
    ("base64sha256", encoding::base64sha256),
    ("base64sha512", encoding::base64sha512),
    ("basename", files::basename),
    ("ceil", numbers::ceil),
    ("chomp", text::chomp),
    ("chunklist", collections::chunklist),
    ("cidrhost", networks::cidrhost),
    ("cidrnetmask", networks::cidrnetmask),
    ("cidrsubnet", networks::cidrsubnet),
    ("cidrsubnets", networks::cidrsubnets),
    ("coalesce", collections::coalesce),
    ("coalescelist", collections::coalescelist),
    ("compact", collections::compact),
    ("concat", collections::concat),
    ("contains", collections::contains),
    ("csvdecode", csv::csvdecode),
    ("dirname", files::dirname),
    ("distinct", collections::distinct),
    ("element", collections::element),
    ("endswith", text::endswith),
    // No value is ephemeral here: what makes one is refused.
    ("ephemeralasnull", marks::pass),
    ("file", files::file),
    ("filebase64", files::filebase64),
    ("filebase64sha256", files::filebase64sha256),
    ("filebase64sha512", files::filebase64sha512),
    ("fileexists", files::fileexists),
    ("filemd5", files::filemd5),
    ("fileset", files::fileset),
    ("filesha1", files::filesha1),
    ("filesha256", files::filesha256),
    ("filesha512", files::filesha512),
    ("flatten", collections::flatten),
    ("floor", numbers::floor),
    ("format", format::format),
    ("formatdate", dates::formatdate),
    ("formatlist", format::formatlist),
    ("indent", text::indent),
    ("index", collections::index),
    ("issensitive", marks::issensitive),
    ("join", text::join),
    ("jsondecode", encoding::jsondecode),
    ("jsonencode", encoding::jsonencode),
    ("keys", collections::keys),
    ("length", collections::length),
    ("log", numbers::log),
    ("lookup", collections::lookup),
    ("lower", text::lower),
    ("matchkeys", collections::matchkeys),
    ("max", numbers::max),
    ("md5", encoding::md5),
    ("merge", collections::merge),
    ("min", numbers::min),
    ("nonsensitive", marks::nonsensitive),
    ("one", collections::one),
    ("parseint", numbers::parseint),
    ("pow", numbers::pow),
    ("range", numbers::range),
    ("regex", patterns::regex),
    ("regexall", patterns::regexall),
    ("replace", patterns::replace),
    ("reverse", collections::reverse),
    ("sensitive", marks::sensitive),
    ("setintersection", combinations::setintersection),
    ("setproduct", combinations::setproduct),
    ("setsubtract", combinations::setsubtract),
    ("setunion", combinations::setunion),
    ("sha1", encoding::sha1),
    ("sha256", encoding::sha256),
    ("sha512", encoding::sha512),
    ("signum", numbers::signum),
    ("slice", collections::slice),
    ("sort", collections::sort),
    ("split", text::split),
    ("startswith", text::startswith),
    ("strcontains", text::strcontains),
    ("strrev", text::strrev),
    ("substr", text::substr),
    ("sum", numbers::sum),
    ("templatefile", templates::templatefile),
    ("templatestring", templates::templatestring),
    ("textdecodebase64", encoding::textdecodebase64),
    ("textencodebase64", encoding::textencodebase64),
    ("timeadd", dates::timeadd),
    ("timecmp", dates::timecmp),
    ("title", text::title),
    ("tobool", |context| to(context, &Type::Bool)),
    ("tolist", |context| to(context, &Type::list(Type::Any))),
    ("tomap", |context| to(context, &Type::map(Type::Any))),
    ("tonumber", |context| to(context, &Type::Number)),
    ("toset", |context| to(context, &Type::set(Type::Any))),
    ("tostring", |context| to(context, &Type::String)),
    ("transpose", combinations::transpose),
    ("trim", text::trim),
    ("trimprefix", text::trimprefix),
    ("trimspace", text::trimspace),
    ("trimsuffix", text::trimsuffix),
    ("upper", text::upper),
    ("urlencode", encoding::urlencode),
    ("uuidv5", encoding::uuidv5),
    ("values", collections::values),
    ("yamlencode", yaml::yamlencode),
    ("zipmap", combinations::zipmap),
];

const CLOCK: &str =
    "its result changes with the clock, so every manager run would change every stack";
const CHANCE: &str =
    "its result is different each time, so every manager run would change every stack";
const MACHINE: &str = "its result depends on the machine that evaluates it";

/// What is known and not offered: each with the reason, and what to do where there is something.
const REFUSED: &[(&str, &str, Option<&str>)] = &[
    ("abspath", MACHINE, Some("use path.module or path.root")),
    (
        "base64gzip",
        "the compressed bytes are those of one release of Go's compressor, which no other has to match",
        None,
    ),
    ("bcrypt", CHANCE, None),
    ("pathexpand", MACHINE, None),
    ("plantimestamp", CLOCK, None),
    (
        "rsadecrypt",
        "a private key does not belong into the manager repository",
        None,
    ),
    ("timestamp", CLOCK, None),
    (
        "type",
        "it exists in terraform console only, not in a module",
        None,
    ),
    ("uuid", CHANCE, None),
    (
        "yamldecode",
        "one text has several readings, by YAML 1.1 and by YAML 1.2",
        Some("keep the data as JSON and read it with jsondecode"),
    ),
];

/// The function of that name.
pub(super) fn find(name: &str) -> Result<Function, Absent> {
    if let Ok(position) = FUNCTIONS.binary_search_by_key(&name, |(name, _)| name) {
        return Ok(FUNCTIONS[position].1);
    }
    if let Some((_, reason, hint)) = REFUSED.iter().find(|(refused, ..)| *refused == name) {
        return Err(Absent {
            message: format!("the function {name} is not available: {reason}"),
            hint: hint.map(str::to_owned),
            is_refused: true,
        });
    }
    let known = FUNCTIONS.iter().map(|(name, _)| *name);
    let hint = nearest(name, known).map(|name| format!("did you mean {name}?"));
    Err(Absent {
        message: format!("there is no function {name}"),
        hint,
        is_refused: false,
    })
}

impl Context<'_> {
    /// The message, of what Terraform has a value for.
    fn refusal(&self, message: impl Into<String>) -> String {
        self.is_refusal.set(true);
        message.into()
    }

    /// What is said of an argument that is of another type.
    fn unsuitable(&self, mismatch: &Mismatch) -> String {
        match mismatch.is_refusal {
            true => self.refusal(mismatch.to_string()),
            false => mismatch.to_string(),
        }
    }

    /// Refuses another number of arguments.
    fn takes(&self, count: RangeInclusive<usize>) -> Result<(), String> {
        let given = self.arguments.len();
        if count.contains(&given) {
            return Ok(());
        }
        let (least, most) = (*count.start(), *count.end());
        Err(match (least == most, most) {
            (true, _) => format!("takes {least} arguments, not {given}"),
            (false, usize::MAX) => format!("takes at least {least} arguments, not {given}"),
            (false, _) => format!("takes {least} to {most} arguments, not {given}"),
        })
    }

    /// The argument, which must not be null.
    fn value(&self, index: usize) -> Result<&Value, String> {
        match self.arguments.get(index) {
            Some(Value::Null(_)) => Err(format!("argument {} must not be null", index + 1)),
            Some(value) => Ok(value),
            None => Err(format!("argument {} is missing", index + 1)),
        }
    }

    fn converted(&self, index: usize, kind: &Type) -> Result<Value, String> {
        convert(self.value(index)?, kind)
            .map_err(|error| format!("argument {}: {}", index + 1, self.unsuitable(&error)))
    }

    fn text(&self, index: usize) -> Result<Arc<str>, String> {
        match self.converted(index, &Type::String)? {
            Value::String(text) => Ok(text),
            _ => Err(format!("argument {} must be a string", index + 1)),
        }
    }

    /// The string of an argument whose characters are counted. Releases of Unicode differ in whether what
    /// the scripts of India join by a virama is one.
    fn countable(&self, index: usize) -> Result<Arc<str>, String> {
        const VIRAMAS: [char; 6] = [
            '\u{94d}', '\u{9cd}', '\u{acd}', '\u{b4d}', '\u{c4d}', '\u{d4d}',
        ];
        let text = self.text(index)?;
        match text.contains(VIRAMAS) {
            true => Err(self.refusal("releases of Unicode count the characters of it differently")),
            false => Ok(text),
        }
    }

    fn number(&self, index: usize) -> Result<Number, String> {
        match self.converted(index, &Type::Number)? {
            Value::Number(number) => Ok(number),
            _ => Err(format!("argument {} must be a number", index + 1)),
        }
    }

    fn integer(&self, index: usize) -> Result<i64, String> {
        let whole = || format!("argument {} must be a whole number", index + 1);
        self.number(index)?.as_i64().ok_or_else(whole)
    }

    /// The items of an argument converted to a list of that element type, and the type.
    fn list(&self, index: usize, element: Type) -> Result<(Type, Arc<[Value]>), String> {
        match self.converted(index, &Type::list(element))? {
            Value::List(element, items) => Ok((element, items)),
            _ => Err(format!("argument {} must be a list", index + 1)),
        }
    }

    /// The strings of a list; none may be null.
    fn texts(&self, index: usize) -> Result<Vec<Arc<str>>, String> {
        let null = || format!("argument {} must not contain null", index + 1);
        let (_, items) = self.list(index, Type::String)?;
        let text = |item: &Value| match item {
            Value::String(text) => Ok(text.clone()),
            _ => Err(null()),
        };
        items.iter().map(text).collect()
    }
}

fn to(context: &Context<'_>, kind: &Type) -> Result<Value, String> {
    context.takes(1..=1)?;
    convert(&context.arguments[0], kind).map_err(|error| context.unsuitable(&error))
}

#[cfg(test)]
mod tests {
    use super::{FUNCTIONS, REFUSED, find};

    #[test]
    fn names_are_sorted_and_known_once() {
        assert!(FUNCTIONS.is_sorted_by_key(|(name, _)| *name));
        for (name, ..) in REFUSED {
            assert!(!FUNCTIONS.iter().any(|(known, _)| known == name), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let near = find("uper").unwrap_err().hint;
        assert_eq!(near.unwrap(), "did you mean upper?");
        assert!(find("timestamp").unwrap_err().message.contains("clock"));
        let absent = find("yamldecode").unwrap_err();
        assert!(absent.message.contains("several readings"));
        assert!(absent.hint.unwrap().contains("jsondecode"));
    }
}
