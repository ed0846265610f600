//! An environment file: one `module` block, read for what it says and edited in place.
//!
//! Reading is typed and lenient: a file made by hand is taken as it stands. Editing keeps every
//! byte that it does not mean to change.

use std::collections::BTreeSet;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, UnaryOperator};
use hcl_edit::structure::{Block, Body};
use serde_json::Value;

use super::{EnvironmentError, EnvironmentId, environment_name};
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
    /// All literal attributes, in their order.
    pub attributes: Vec<(String, Value)>,
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
        if let Some(id) = text_of("environment").filter(|id| !is_id(id)) {
            let attribute = block.body.get_attribute("environment");
            let offset = attribute
                .and_then(|a| a.value.span())
                .map_or(0, |span| span.start);
            return Err(EnvironmentError::File(
                Problem::error(format!("{id:?} cannot be the id of an environment"))
                    .in_file(path)
                    .at(text, offset)
                    .with_hint("use up to 63 small letters, digits and hyphens"),
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
            attributes,
        }))
    }

    /// Whether this is the environment of `pull_request`, by the repository's number where both
    /// are known, else by its name; a file that names no pull request tells it by its own name.
    pub fn belongs_to(&self, pull_request: &PullRequestId, repository_id: Option<u64>) -> bool {
        let Some(own) = &self.pull_request else {
            let id = EnvironmentId::given(self.environment.clone().unwrap_or_default());
            let name = environment_name(pull_request, &id);
            let stem = self
                .path
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .trim_end_matches(".tf");
            return self.environment.is_some() && (self.name == name || stem == name);
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

/// What came of bringing a file up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// It said so already, but perhaps at another time.
    Unchanged,
    /// The new text.
    Changed(String),
}

/// Attributes that never change alone: they tell of the event, and are news only with other news.
const COMPANIONS: &[&str] = &["event_at"];
/// Attributes that are given once: the id of an environment is kept for life.
const GIVEN_ONCE: &[&str] = &["environment", "source"];
/// Attributes of every environment; a new one is added behind the last of these.
const WRITTEN: &[&str] = &["environment", "pull_request", "repository_id", "event_at"];

/// Brings the file at `path` up to date: each attribute of `rendered` (the file as it would be made
/// anew) whose name is among `written` is set in `current`; all else in `current` stays, byte for
/// byte, what a template says of its own accord as well. A value is taken over as the text that `rendered` has for it: printing it anew would have
/// to escape it anew.
pub fn merge(
    path: &str,
    current: &str,
    rendered: &str,
    written: &BTreeSet<String>,
) -> Result<Merge, EnvironmentError> {
    let wanted_body = parse(path, rendered)?;
    let body = parse(path, current)?;
    let wanted = module_block(path, rendered, &wanted_body)?.ok_or_else(|| no_module(path))?;
    let block = module_block(path, current, &body)?.ok_or_else(|| no_module(path))?;
    let news: Vec<(&str, &str)> = wanted
        .body
        .attributes()
        .filter(|attribute| {
            let name = attribute.key.as_str();
            !(GIVEN_ONCE.contains(&name) && block.body.has_attribute(name))
        })
        .filter(|attribute| written.contains(attribute.key.as_str()))
        .filter_map(|attribute| Some((attribute.key.as_str(), slice(rendered, &attribute.value)?)))
        .filter(|(name, value)| !says(current, block, name, value))
        .collect();
    if news.iter().all(|(name, _)| COMPANIONS.contains(name)) {
        return Ok(Merge::Unchanged);
    }
    let mut splices = Vec::new();
    let mut additions = Vec::new();
    for (name, value) in &news {
        match block
            .body
            .get_attribute(name)
            .and_then(|present| present.value.span())
        {
            Some(span) => splices.push((span, (*value).to_owned())),
            None => additions.push((*name, *value)),
        }
    }
    if !additions.is_empty() {
        splices.extend(add(path, current, block, &additions)?);
    }
    splices.sort_by_key(|(span, _)| span.start);
    let mut text = current.to_owned();
    for (span, replacement) in splices.into_iter().rev() {
        text.replace_range(span, &replacement);
    }
    // Nothing is committed that does not say what it was made to say.
    let merged_body = parse(path, &text)?;
    let merged = module_block(path, &text, &merged_body)?.ok_or_else(|| no_module(path))?;
    let says_all = news
        .iter()
        .all(|(name, value)| says(&text, merged, name, value));
    if says_all && merged.body.len() == block.body.len() + additions.len() {
        Ok(Merge::Changed(text))
    } else {
        Err(unusual(path))
    }
}

fn unusual(path: &str) -> EnvironmentError {
    EnvironmentError::File(
        Problem::error("is laid out so that its attributes cannot be set in place")
            .in_file(path)
            .with_hint("write each attribute on a line of its own, comments on other lines"),
    )
}

fn slice<'a>(text: &'a str, node: &impl Span) -> Option<&'a str> {
    text.get(node.span()?)
}

/// Whether the block gives the attribute this value already, in these words or in others.
fn says(current: &str, block: &Block, name: &str, value: &str) -> bool {
    let Some(present) = block.body.get_attribute(name) else {
        return false;
    };
    if slice(current, &present.value) == Some(value) {
        return true;
    }
    let wanted: Option<Expression> = value.parse().ok();
    if name == "pull_request" {
        // GitHub's names have no case: another spelling is no news.
        let text = |value: &Option<Value>| value.as_ref()?.as_str().map(str::to_ascii_lowercase);
        return text(&literal(&present.value)) == text(&wanted.as_ref().and_then(literal));
    }
    let is_text = |literal: &Option<Value>| literal.as_ref().is_some_and(Value::is_string);
    let (present, wanted) = (literal(&present.value), wanted.as_ref().and_then(literal));
    // Strings have one spelling here, so other words are another string.
    !is_text(&wanted) && wanted.is_some() && present == wanted
}

type Splice = (Range<usize>, String);

/// New attributes behind the last one that the writer knows, aligned as `terraform fmt` aligns:
/// with their paragraph, the attributes on the lines right above and below.
fn add(
    path: &str,
    current: &str,
    block: &Block,
    additions: &[(&str, &str)],
) -> Result<Vec<Splice>, EnvironmentError> {
    let line_of = |offset: usize| current[..offset].matches('\n').count();
    let is_on_one_line = block
        .span()
        .is_none_or(|span| line_of(span.start) == line_of(span.end));
    let attributes: Vec<(&str, Range<usize>, Range<usize>)> = block
        .body
        .attributes()
        .filter_map(|attribute| {
            Some((
                attribute.key.as_str(),
                attribute.key.span()?,
                attribute.value.span()?,
            ))
        })
        .collect();
    let last = attributes
        .iter()
        .rposition(|(key, ..)| WRITTEN.contains(key))
        .or_else(|| attributes.len().checked_sub(1));
    let (Some(last), false) = (last, is_on_one_line) else {
        return Err(unusual(path));
    };
    let is_next = |upper: usize, lower: usize| {
        line_of(attributes[upper].2.end) + 1 == line_of(attributes[lower].1.start)
    };
    let (mut first, mut end) = (last, last + 1);
    while first > 0 && is_next(first - 1, first) {
        first -= 1;
    }
    while end < attributes.len() && is_next(end - 1, end) {
        end += 1;
    }
    let paragraph = &attributes[first..end];
    let widest = |names: &mut dyn Iterator<Item = &str>| names.map(str::len).max().unwrap_or(0);
    let present = widest(&mut paragraph.iter().map(|(key, ..)| *key));
    let width = present.max(widest(&mut additions.iter().map(|(name, _)| *name)));
    let mut splices = Vec::new();
    for (key, key_span, value_span) in paragraph.iter().filter(|_| width > present) {
        let between = key_span.end..value_span.start;
        if current[between.clone()].trim() == "=" {
            splices.push((between, format!("{} = ", " ".repeat(width - key.len()))));
        }
    }
    let position = end_of_line(current, attributes[last].2.end).ok_or_else(|| unusual(path))?;
    let line_end = if current[position..].starts_with("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let lines = additions.iter().map(|(name, value)| {
        format!(
            "{line_end}  {name}{} = {value}",
            " ".repeat(width - name.len())
        )
    });
    splices.push((position..position, lines.collect()));
    Ok(splices)
}

/// Where the line ends on which a value ends: behind its comment, before its line end. `None` if
/// something else stands on the line.
fn end_of_line(text: &str, value_end: usize) -> Option<usize> {
    let mut position = value_end;
    loop {
        let rest = &text[position..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let rest = &rest[blank..];
        if rest.is_empty() || rest.starts_with('\n') || rest.starts_with("\r\n") {
            return Some(position);
        }
        if rest.starts_with('#') || rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            let comment = rest[..length].trim_end_matches('\r');
            return Some(position + blank + comment.len());
        }
        let comment = rest.strip_prefix("/*")?;
        position += blank + 2 + comment.find("*/")? + 2;
    }
}

fn parse(path: &str, text: &str) -> Result<Body, EnvironmentError> {
    hcl_edit::parser::parse_body(text).map_err(|error| {
        EnvironmentError::File(
            Problem::error(format!("cannot be parsed: {}", error.message().trim()))
                .in_file(path)
                .at(text, error.location().offset())
                .with_hint("mend the file in the manager repository, then run this again"),
        )
    })
}

fn module_block<'a>(
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

fn no_module(path: &str) -> EnvironmentError {
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
mod tests {
    use super::*;

    const FILE: &str = r#"# kept by hand
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

    /// Brings a file up to date with all that `rendered` says.
    fn merged(path: &str, current: &str, rendered: &str) -> Result<Merge, EnvironmentError> {
        let body = hcl_edit::parser::parse_body(rendered).unwrap();
        let names = body.blocks().flat_map(|block| block.body.attributes());
        let names = names
            .map(|attribute| attribute.key.as_str().to_owned())
            .collect();
        merge(path, current, rendered, &names)
    }

    fn rendered(code_version: &str, event_at: &str, more: &str) -> String {
        format!(
            "module \"other\" {{\n  source = \"../t\"\n  environment = \"ffff\"\n  code_version = {code_version}\n  event_at = \"{event_at}\"\n{more}}}\n"
        )
    }

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
    fn only_the_news_is_touched() {
        let new = rendered("\"bbbb\"", "2026-11-21T10:00:00Z", "");
        let expected = FILE
            .replace("\"aaaa\"", "\"bbbb\"")
            .replace("T09:00:00Z", "T10:00:00Z");
        assert_eq!(
            merged("x.tf", FILE, &new).unwrap(),
            Merge::Changed(expected)
        );
    }

    #[test]
    fn a_later_event_alone_is_no_news() {
        let same = rendered("\"aaaa\"", "2026-11-21T11:00:00Z", "");
        assert_eq!(merged("x.tf", FILE, &same).unwrap(), Merge::Unchanged);
    }

    #[test]
    fn a_new_attribute_is_added_in_line() {
        let new = |name: &str| {
            rendered(
                "\"aaaa\"",
                "2026-11-21T09:00:00Z",
                &format!("  {name} = 5\n"),
            )
        };
        let Merge::Changed(text) = merged("x.tf", FILE, &new("repository_id")).unwrap() else {
            panic!("no change")
        };
        let (before, after) = FILE.split_at(FILE.find("\n  size").unwrap());
        assert_eq!(
            text,
            format!("{before}  repository_id           = 5\n{after}")
        );
        let Merge::Changed(text) = merged("x.tf", FILE, &new("infra_repository_branch_1")).unwrap()
        else {
            panic!("no change")
        };
        assert!(
            text.contains("  code_version              = \"aaaa\"\n"),
            "{text}"
        );
        assert!(
            text.contains("  infra_repository_branch_1 = 5\n\n  size  =   var.size"),
            "{text}"
        );
    }

    #[test]
    fn a_value_is_taken_over_as_it_was_escaped() {
        // Printed anew by the library, this string would hold a live directive.
        let escaped = r#""a$${$%%{if(true)}a%%{endif}""#;
        let Merge::Changed(text) =
            merged("x.tf", FILE, &rendered(escaped, "2026-11-21T10:00:00Z", "")).unwrap()
        else {
            panic!("no change")
        };
        assert!(
            text.contains(&format!("code_version            = {escaped}\n")),
            "{text}"
        );
        let again = rendered(escaped, "2026-11-21T11:00:00Z", "");
        assert_eq!(merged("x.tf", &text, &again).unwrap(), Merge::Unchanged);
    }

    #[test]
    fn files_made_by_hand_take_many_additions() {
        let new = String::from(
            "module \"other\" {\n  source = \"../t\"\n  environment = \"ffff\"\n  code_version = \"bbbb\"\n  infra_repository_branch = \"main\"\n  pull_request = \"acme/x#1\"\n  repository_id = 5\n  event_at = \"2026-11-21T10:00:00Z\"\n}\n",
        );
        let shapes = [
            (
                "module \"m\" {\n  source = \"../t\"\n\n  pull_request = \"acme/x#1\"\n\n  environment = \"abcd1234\"\n}\n",
                "module \"m\" {\n  source = \"../t\"\n\n  pull_request = \"acme/x#1\"\n\n  environment             = \"abcd1234\"\n  code_version            = \"bbbb\"\n  infra_repository_branch = \"main\"\n  repository_id           = 5\n  event_at                = \"2026-11-21T10:00:00Z\"\n}\n",
            ),
            (
                "module \"m\" {\n  source       = \"../t\"\n  environment  = \"abcd1234\" # mine\n  pull_request = \"ACME/x#1\" /* a\n  longer story */\n}\n",
                "module \"m\" {\n  source                  = \"../t\"\n  environment             = \"abcd1234\" # mine\n  pull_request            = \"ACME/x#1\" /* a\n  longer story */\n  code_version            = \"bbbb\"\n  infra_repository_branch = \"main\"\n  repository_id           = 5\n  event_at                = \"2026-11-21T10:00:00Z\"\n}\n",
            ),
            (
                "module \"m\" {\r\n  pull_request = \"acme/x#1\"\r\n}\r\n",
                "module \"m\" {\r\n  pull_request            = \"acme/x#1\"\r\n  environment             = \"ffff\"\r\n  code_version            = \"bbbb\"\r\n  infra_repository_branch = \"main\"\r\n  repository_id           = 5\r\n  event_at                = \"2026-11-21T10:00:00Z\"\r\n  source                  = \"../t\"\r\n}\r\n",
            ),
        ];
        for (shape, expected) in shapes {
            let Merge::Changed(text) = merged("x.tf", shape, &new).unwrap() else {
                panic!("no change: {shape}")
            };
            let sorted = |text: &str| {
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            assert_eq!(sorted(&text), sorted(expected), "{text}");
            assert_eq!(
                merged("x.tf", &text, &new).unwrap(),
                Merge::Unchanged,
                "{text}"
            );
        }
        let one_line = "module \"m\" { pull_request = \"acme/x#1\" }\n";
        assert!(merged("x.tf", one_line, &new).is_err());
    }

    #[test]
    fn line_ends_stay_as_they_are() {
        let windows = FILE.replace('\n', "\r\n");
        let new = rendered("\"bbbb\"", "2026-11-21T09:00:00Z", "");
        let expected = windows.replace("\"aaaa\"", "\"bbbb\"");
        assert_eq!(
            merged("x.tf", &windows, &new).unwrap(),
            Merge::Changed(expected)
        );
    }

    #[test]
    fn a_broken_file_is_named() {
        let error = merged("s/environments/x.tf", "module \"x\" {", FILE).unwrap_err();
        assert!(
            error.to_string().starts_with("s/environments/x.tf:1:"),
            "{error}"
        );
        let two = "module \"a\" {}\nmodule \"b\" {}\n";
        let error = EnvironmentFile::read("x.tf", two).unwrap_err();
        assert!(error.to_string().starts_with("x.tf:2:1: "), "{error}");
    }
}
