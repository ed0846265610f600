//! An environment file: one `module` block, read for what it says.
//!
//! Reading is typed and lenient: a file made by hand is taken as it stands.

use hcl_edit::Span;
use hcl_edit::expr::{Expression, UnaryOperator};
use hcl_edit::structure::{Block, Body};
use serde_json::Value;

use super::{EnvironmentError, EnvironmentId, environment_name, read_environment_name};
use crate::clock::Time;
use crate::event::PullRequestId;
use crate::problem::Problem;

/// What a file says of the environment in it. What it does not say, or says by an expression, is
/// `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvironmentFile {
    /// Path in the manager repository.
    pub path: String,
    /// The label of the module block.
    pub name: String,
    pub environment: Option<String>,
    pub pull_request: Option<PullRequestId>,
    pub repository_id: Option<u64>,
    /// The time of the event that wrote it.
    pub event_at: Option<Time>,
    pub expiry: Expiry,
    /// All literal attributes, in their order.
    pub attributes: Vec<(String, Value)>,
}

/// When an environment ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The file does not say.
    Unsaid,
    /// Somebody has pinned it: `expires_at = null`.
    Never,
    At(Time),
}

impl Expiry {
    /// What a file is to say whose environment would expire at `wanted` by the rules: a pinned one
    /// stays pinned, and nothing but a person brings an end nearer.
    pub fn moved_to(self, wanted: Time) -> Self {
        match self {
            Self::Never => Self::Never,
            Self::At(present) => Self::At(present.max(wanted)),
            Self::Unsaid => Self::At(wanted),
        }
    }
}

impl EnvironmentFile {
    /// Reads the file at `path`; `None` if it holds no module block (a file of variables, say).
    pub fn read(path: &str, text: &str) -> Result<Option<Self>, EnvironmentError> {
        let body = parse(path, text)?;
        let Some(block) = module_block(path, text, &body)? else {
            return Ok(None);
        };
        let attributes: Vec<(String, Value)> = block
            .body
            .attributes()
            .filter_map(|attribute| {
                Some((
                    attribute.key.as_str().to_owned(),
                    literal(&attribute.value)?,
                ))
            })
            .collect();
        let value = |name: &str| {
            attributes
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)
        };
        let text_of = |name: &str| value(name).and_then(Value::as_str);
        if let Some(attribute) = block.body.get_attribute("environment")
            && !text_of("environment").is_some_and(is_id)
        {
            let offset = attribute.value.span().map_or(0, |span| span.start);
            return Err(EnvironmentError::File(
                Problem::error("`environment` must be the id of an environment")
                    .in_file(path)
                    .at(text, offset)
                    .with_hint("write a string of up to 63 small letters, digits and hyphens"),
            ));
        }
        Ok(Some(Self {
            path: path.to_owned(),
            name: block
                .labels
                .first()
                .map(|label| label.as_str().to_owned())
                .unwrap_or_default(),
            environment: text_of("environment").map(str::to_owned),
            pull_request: text_of("pull_request").and_then(|text| text.parse().ok()),
            repository_id: value("repository_id").and_then(Value::as_u64),
            event_at: text_of("event_at").and_then(|text| text.parse().ok()),
            expiry: match value("expires_at") {
                Some(Value::Null) => Expiry::Never,
                Some(Value::String(text)) => text.parse().map_or(Expiry::Unsaid, Expiry::At),
                _ => Expiry::Unsaid,
            },
            attributes,
        }))
    }

    /// What the name of a file that cannot be read tells: perhaps an id.
    pub fn of_name(path: &str) -> Self {
        let file = path.rsplit('/').next().unwrap_or_default();
        let name = file.strip_suffix(".tf").unwrap_or(file);
        let id = read_environment_name(name).map(|(_, id)| id.to_ascii_lowercase());
        Self {
            path: path.to_owned(),
            name: name.to_owned(),
            environment: id,
            pull_request: None,
            repository_id: None,
            event_at: None,
            expiry: Expiry::Unsaid,
            attributes: Vec::new(),
        }
    }

    /// Whether this is the environment of `pull_request`, by the repository's number where both
    /// are known, else by its name; a file that names no pull request tells it by its own name.
    pub fn belongs_to(&self, pull_request: &PullRequestId, repository_id: Option<u64>) -> bool {
        let Some(own) = &self.pull_request else {
            let Some(id) = &self.environment else {
                return false;
            };
            let name = environment_name(pull_request, &EnvironmentId::given(id));
            let file = self.path.rsplit('/').next().unwrap_or_default();
            let stem = file.strip_suffix(".tf").unwrap_or(file);
            return [&self.name, stem]
                .iter()
                .any(|own| own.eq_ignore_ascii_case(&name));
        };
        match (self.repository_id, repository_id) {
            (Some(mine), Some(theirs)) => mine == theirs && own.number == pull_request.number,
            _ => own == pull_request,
        }
    }
}

/// Whether an id may stand in a host name, a path and a commit's trailer.
fn is_id(id: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&id.len()) && id.bytes().all(is_letter)
}

pub(super) fn parse(path: &str, text: &str) -> Result<Body, EnvironmentError> {
    hcl_edit::parser::parse_body(text).map_err(|error| {
        EnvironmentError::File(
            Problem::error(format!("cannot be parsed: {}", error.message().trim()))
                .in_file(path)
                .at(text, error.location().offset())
                .with_hint("mend the file in the manager repository, then run this again"),
        )
    })
}

pub(super) fn module_block<'a>(
    path: &str,
    text: &str,
    body: &'a Body,
) -> Result<Option<&'a Block>, EnvironmentError> {
    let mut blocks = body.get_blocks("module");
    let first = blocks.next();
    match blocks.next() {
        Some(second) => Err(EnvironmentError::File(
            Problem::error("an environment file holds one module block, this is a second")
                .in_file(path)
                .at(text, second.span().map_or(0, |span| span.start))
                .with_hint("move it to a file of its own"),
        )),
        None => Ok(first),
    }
}

pub(super) fn no_module(path: &str) -> EnvironmentError {
    EnvironmentError::File(Problem::error("holds no module block").in_file(path))
}

/// The value of an expression that is a plain string, number, bool or null.
pub(crate) fn literal(expression: &Expression) -> Option<Value> {
    match expression {
        Expression::Null(_) => Some(Value::Null),
        Expression::Bool(value) => Some(Value::Bool(*value.value())),
        Expression::Number(number) => number.value().to_string().parse().ok().map(Value::Number),
        Expression::String(text) => Some(Value::String(text.value().clone())),
        Expression::UnaryOp(negated) if *negated.operator.value() == UnaryOperator::Neg => {
            let number = -*negated.expr.as_number()?;
            number.to_string().parse().ok().map(Value::Number)
        }
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::environment) const FILE: &str = r#"# kept by hand
module "acme-x-1-0123abcd" {
  source = "../template"

  environment             = "0123abcd" # the id
  code_version            = "aaaa"
  infra_repository_branch = "main"
  pull_request            = "acme/x#1"
  event_at                = "2026-11-21T09:00:00Z"

  size  =   var.size   // mine
}
"#;

    #[test]
    fn a_file_is_read_leniently() {
        let file = EnvironmentFile::read("s/environments/x.tf", FILE)
            .unwrap()
            .unwrap();
        assert_eq!(file.name, "acme-x-1-0123abcd");
        assert_eq!(file.environment.as_deref(), Some("0123abcd"));
        assert_eq!(file.repository_id, None);
        assert!(file.belongs_to(&"ACME/x#1".parse().unwrap(), Some(5)));
        assert!(!file.belongs_to(&"acme/x#2".parse().unwrap(), None));
        assert_eq!(
            EnvironmentFile::read("v.tf", "variable \"a\" {}").unwrap(),
            None
        );
        let renamed = FILE.replace("event_at  ", "repository_id = 5\n  event_at  ");
        let file = EnvironmentFile::read("x.tf", &renamed).unwrap().unwrap();
        assert!(file.belongs_to(&"acme/renamed#1".parse().unwrap(), Some(5)));
        assert!(
            !file.belongs_to(&"acme/x#1".parse().unwrap(), Some(6)),
            "a namesake made anew"
        );
        assert!(file.belongs_to(&"acme/x#1".parse().unwrap(), None));
    }

    #[test]
    fn an_expiry_is_a_time_or_never_or_unsaid() {
        let noon: Time = "2026-11-21T12:00:00Z".parse().unwrap();
        for (line, expected) in [
            ("", Expiry::Unsaid),
            ("expires_at = null", Expiry::Never),
            ("expires_at = \"2026-11-21T12:00:00Z\"", Expiry::At(noon)),
            ("expires_at = \"soon\"", Expiry::Unsaid),
            ("expires_at = var.end", Expiry::Unsaid),
        ] {
            let text = format!("module \"m\" {{\n{line}\n}}\n");
            let file = EnvironmentFile::read("x.tf", &text).unwrap().unwrap();
            assert_eq!(file.expiry, expected, "{line}");
        }
        let later: Time = "2026-11-21T13:00:00Z".parse().unwrap();
        for (present, wanted, expected) in [
            (Expiry::Unsaid, noon, Expiry::At(noon)),
            (Expiry::Never, noon, Expiry::Never),
            (Expiry::At(noon), later, Expiry::At(later)),
            (Expiry::At(later), noon, Expiry::At(later)),
        ] {
            assert_eq!(present.moved_to(wanted), expected);
        }
    }

    #[test]
    fn a_file_that_names_no_pull_request_is_known_by_its_own_name() {
        let text = "module \"ACME-x-1-0123abcd\" {\n  environment = \"0123abcd\"\n}\n";
        let other = text.replace("ACME-x-1-0123abcd", "preview");
        for (path, text, expected) in [
            ("s/environments/mine.tf", text, true),
            ("s/environments/Acme-x-1-0123abcd.tf", other.as_str(), true),
            ("s/environments/mine.tf", &other, false),
            ("s/environments/acme-x-1-0123abce.tf", &other, false),
        ] {
            let file = EnvironmentFile::read(path, text).unwrap().unwrap();
            let is_own = file.belongs_to(&"acme/x#1".parse().unwrap(), Some(5));
            assert_eq!(is_own, expected, "{path} {text}");
        }
    }

    #[test]
    fn an_id_is_harmless_or_the_file_is_refused() {
        for (value, is_read) in [
            ("\"0123abcd\"", true),
            ("\"my-preview\"", true),
            ("\"\"", false),
            ("\"A\"", false),
            ("\"a b\"", false),
            ("\"a\\nDayfly-Event: closed\"", false),
            ("12345678", false),
            ("var.id", false),
        ] {
            let text = format!("module \"m\" {{\n  environment = {value}\n}}\n");
            let read = EnvironmentFile::read("x.tf", &text);
            assert_eq!(read.is_ok(), is_read, "{value}");
            if let Err(error) = read {
                assert!(error.to_string().starts_with("x.tf:2:17: "), "{error}");
            }
        }
    }

    #[test]
    fn a_broken_file_is_named() {
        let error = EnvironmentFile::read("s/environments/x.tf", "module \"x\" {").unwrap_err();
        assert!(
            error.to_string().starts_with("s/environments/x.tf:1:"),
            "{error}"
        );
        let two = "module \"a\" {}\nmodule \"b\" {}\n";
        let error = EnvironmentFile::read("x.tf", two).unwrap_err();
        assert!(error.to_string().starts_with("x.tf:2:1: "), "{error}");
    }
}
