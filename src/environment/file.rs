//! An environment file: one `module` block, read for what it says and edited in place.
//!
//! Reading is typed and lenient: a file made by hand is taken as it stands. Editing keeps every
//! byte that it does not mean to change.

use hcl_edit::expr::Expression;
use hcl_edit::repr::{Decor, Decorate};
use hcl_edit::structure::{Attribute, Block, Body, Structure};
use hcl_edit::{Ident, Span};
use serde_json::Value;

use super::EnvironmentError;
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
    /// are known, else by its name.
    pub fn belongs_to(&self, pull_request: &PullRequestId, repository_id: Option<u64>) -> bool {
        let Some(own) = &self.pull_request else {
            return false;
        };
        match (self.repository_id, repository_id) {
            (Some(mine), Some(theirs)) => mine == theirs && own.number == pull_request.number,
            _ => own == pull_request,
        }
    }
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

/// Brings the file at `path` up to date: each literal attribute of `rendered` (the file as it would
/// be made anew) is set in `current`, attribute by attribute; all else in `current` stays.
pub fn merge(path: &str, current: &str, rendered: &str) -> Result<Merge, EnvironmentError> {
    let wanted = parse(path, rendered)?;
    let Some(wanted) = module_block(path, rendered, &wanted)? else {
        return Err(no_module(path));
    };
    let mut body = parse(path, current)?;
    let is_news = {
        let Some(block) = module_block(path, current, &body)? else {
            return Err(no_module(path));
        };
        differences(block, wanted).any(|name| !COMPANIONS.contains(&name.as_str()))
    };
    if !is_news {
        return Ok(Merge::Unchanged);
    }
    let Some(block) = body.get_blocks_mut("module").next() else {
        return Err(no_module(path));
    };
    let names: Vec<String> = differences(&block, wanted).collect();
    for name in names {
        let Some(attribute) = wanted.body.get_attribute(&name) else {
            continue;
        };
        set(&mut block.body, &name, attribute.value.clone());
    }
    Ok(Merge::Changed(body.to_string()))
}

/// The names of the attributes that `wanted` gives another value than `block` has.
fn differences<'a>(block: &'a Block, wanted: &'a Block) -> impl Iterator<Item = String> + 'a {
    wanted
        .body
        .attributes()
        .filter(|attribute| !GIVEN_ONCE.contains(&attribute.key.as_str()))
        .filter_map(|attribute| {
            let value = literal(&attribute.value)?;
            let present = block
                .body
                .get_attribute(attribute.key.as_str())
                .and_then(|present| literal(&present.value));
            (present != Some(value)).then(|| attribute.key.as_str().to_owned())
        })
}

fn set(body: &mut Body, name: &str, mut value: Expression) {
    if let Some(mut attribute) = body.get_attribute_mut(name) {
        let decor = attribute.value_mut().decor().clone();
        value.decorate(decor);
        *attribute.value_mut() = value;
        return;
    }
    add(body, name, value);
}

/// Adds an attribute behind the last one that the writer knows, aligned as `terraform fmt` aligns:
/// with its paragraph, the lines around it without an empty line or a comment between.
fn add(body: &mut Body, name: &str, mut value: Expression) {
    let begins_paragraph = |structure: &Structure| {
        let prefix = structure.decor().prefix().map(|prefix| prefix.to_string());
        prefix.is_some_and(|prefix| prefix.contains('\n')) || structure.is_block()
    };
    let structures: Vec<&Structure> = body.iter().collect();
    let is_known = |structure: &&Structure| {
        structure.as_attribute().is_some_and(|attribute| {
            WRITTEN.contains(&attribute.key.as_str()) && literal(&attribute.value).is_some()
        })
    };
    let last = structures.iter().rposition(is_known);
    let position = last.map_or(structures.len(), |last| last + 1);
    let start = structures[..position]
        .iter()
        .rposition(|s| begins_paragraph(s))
        .unwrap_or(0);
    let end = structures[position..]
        .iter()
        .position(|structure| begins_paragraph(structure))
        .map_or(structures.len(), |length| position + length);
    let neighbours: Vec<String> = structures[start..end]
        .iter()
        .filter_map(|structure| structure.as_attribute())
        .map(|attribute| attribute.key.as_str().to_owned())
        .collect();
    let present = neighbours.iter().map(String::len).max().unwrap_or_default();
    let width = present.max(name.len());
    if width > present {
        for neighbour in &neighbours {
            if let Some(mut attribute) = body.get_attribute_mut(neighbour) {
                let padding = " ".repeat(width - neighbour.len() + 1);
                attribute.key_decor_mut().set_suffix(padding);
            }
        }
    }
    value.decorate(Decor::new(" ", ""));
    let mut key = hcl_edit::repr::Decorated::new(Ident::new_sanitized(name));
    key.decorate(Decor::new("  ", " ".repeat(width - name.len() + 1)));
    body.insert(position, Attribute::new(key, value));
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
fn literal(expression: &Expression) -> Option<Value> {
    match expression {
        Expression::Null(_) => Some(Value::Null),
        Expression::Bool(value) => Some(Value::Bool(*value.value())),
        Expression::Number(number) => serde_json::to_value(number.value()).ok(),
        Expression::String(text) => Some(Value::String(text.value().clone())),
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
        assert_eq!(merge("x.tf", FILE, &new).unwrap(), Merge::Changed(expected));
    }

    #[test]
    fn a_later_event_alone_is_no_news() {
        let same = rendered("\"aaaa\"", "2026-11-21T11:00:00Z", "");
        assert_eq!(merge("x.tf", FILE, &same).unwrap(), Merge::Unchanged);
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
        let Merge::Changed(text) = merge("x.tf", FILE, &new("repository_id")).unwrap() else {
            panic!("no change")
        };
        let (before, after) = FILE.split_at(FILE.find("\n  size").unwrap());
        assert_eq!(
            text,
            format!("{before}  repository_id           = 5\n{after}")
        );
        let Merge::Changed(text) = merge("x.tf", FILE, &new("infra_repository_branch_1")).unwrap()
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
    fn a_broken_file_is_named() {
        let error = merge("s/environments/x.tf", "module \"x\" {", FILE).unwrap_err();
        assert!(
            error.to_string().starts_with("s/environments/x.tf:1:"),
            "{error}"
        );
        let two = "module \"a\" {}\nmodule \"b\" {}\n";
        let error = EnvironmentFile::read("x.tf", two).unwrap_err();
        assert!(error.to_string().starts_with("x.tf:2:1: "), "{error}");
    }
}
