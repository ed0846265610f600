//! The values of the root module's variables: from `variables` of `dayfly.hcl`, from the machine, and
//! from the `*.tfvars` files beside the module, the later before the earlier.
//!
//! Source of the order and of what each may hold: "Input Variables" of Terraform's language. A source
//! that cannot be read leaves every variable without a value: a default is not what was meant.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::structure::{Body, Structure};

use super::definitions::{Module, Place, constant};
use super::expression::start;
use super::json;
use super::json_syntax;
use super::nearest::nearest;
use super::source::{Source, parse_body, parse_expression};
use super::tree::Tree;
use super::value::Value;
use crate::config::Settings;
use crate::files::join;
use crate::problem::{Problem, Severity};

/// What gives values to the variables of a root module beside the files of its repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// By variable: what `TF_VAR_*` of the machine say.
    pub machine: BTreeMap<String, String>,
    /// By variable: what Spacelift's `TF_VAR_spacelift_*` would say. The machine's go before.
    pub supplied: BTreeMap<&'static str, String>,
}

impl Given {
    /// The same at another commit.
    pub fn at(&self, commit: &str) -> Self {
        let mut given = self.clone();
        if let Some(supplied) = given.supplied.get_mut(OF_COMMIT) {
            *supplied = commit.to_owned();
        }
        given
    }
}

/// Of all that is supplied, what is another value at every commit.
pub const OF_COMMIT: &str = "spacelift_commit_sha";

/// What is known of the root's variables.
#[derive(Debug, Default)]
pub(super) struct RootValues {
    values: BTreeMap<String, RootValue>,
    /// Some source could not be read.
    pub incomplete: bool,
    pub problems: Vec<Problem>,
}

#[derive(Clone, Debug)]
pub(super) struct RootValue {
    /// `None` if it was given and cannot be told.
    pub value: Option<Value>,
    /// Where it was given; `None` by a variable of the machine.
    pub place: Option<Place>,
    /// Whether it comes from the commit itself.
    pub is_of_commit: bool,
}

impl RootValues {
    pub(super) fn read(tree: &Tree<'_>, module: &Module, given: &Given) -> Self {
        let mut values = Self::default();
        values.add_settings(tree, module);
        for (name, text) in &given.supplied {
            if !given.machine.contains_key(*name) {
                values.add_text(module, name, text, *name == OF_COMMIT);
            }
        }
        for (name, text) in &given.machine {
            values.add_text(module, name, text, false);
        }
        let entries = match tree.files.list(tree.root) {
            Ok(entries) => entries,
            Err(error) => {
                values.doubt(Problem::error(error.to_string()));
                return values;
            }
        };
        let names: Vec<&str> = entries
            .iter()
            .filter(|entry| !entry.is_directory)
            .map(|entry| entry.name.as_str())
            .collect();
        let plain = ["terraform.tfvars", "terraform.tfvars.json"];
        let automatic =
            |name: &&str| name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json");
        let mut later: Vec<&str> = names.iter().copied().filter(automatic).collect();
        later.sort_unstable();
        let first = plain.into_iter().filter(|name| names.contains(name));
        for name in first.chain(later) {
            values.add_file(tree, module, &join(tree.root, name));
        }
        values
    }

    pub(super) fn get(&self, name: &str) -> Option<&RootValue> {
        self.values.get(name)
    }

    fn doubt(&mut self, problem: Problem) {
        self.incomplete = true;
        self.problems.push(problem);
    }

    /// The file's bytes, if it is there; that it cannot be read is a problem.
    fn bytes(&mut self, tree: &Tree<'_>, path: &str) -> Option<Vec<u8>> {
        match tree.files.read(path) {
            Ok(Some(bytes)) => return Some(bytes),
            // It was listed: a link, of which nothing is read.
            Ok(None) => self.doubt(Problem::error("is no plain file").in_file(path)),
            Err(error) => self.doubt(Problem::error(error.to_string()).in_file(path)),
        }
        None
    }

    fn add_settings(&mut self, tree: &Tree<'_>, module: &Module) {
        let bytes = match tree.files.read(Settings::FILE) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            // Its reader says what is wrong with it, here and below.
            Err(_) => return self.incomplete = true,
        };
        let Ok((source, body)) = parse_body(Settings::FILE, bytes) else {
            return self.incomplete = true;
        };
        for block in body.get_blocks("variables") {
            self.add_body(module, &source, &block.body);
        }
    }

    fn add_file(&mut self, tree: &Tree<'_>, module: &Module, path: &str) {
        let Some(bytes) = self.bytes(tree, path) else {
            return;
        };
        if path.ends_with(".json") {
            return self.add_json(module, path, bytes);
        }
        match parse_body(path, bytes) {
            Ok((source, body)) => self.add_body(module, &source, &body),
            Err(problem) => self.doubt(problem),
        }
    }

    fn add_body(&mut self, module: &Module, source: &Arc<Source>, body: &Body) {
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    let place = Place::of(source, attribute);
                    let value = constant(&attribute.value, source);
                    let value = value.map_err(|(message, at)| source.problem(message, at));
                    self.add(module, attribute.key.as_str(), value, place);
                }
                Structure::Block(block) => {
                    let message = "blocks cannot stand here, only `name = value`";
                    self.doubt(source.problem(message, start(block)));
                }
            }
        }
    }

    fn add_json(&mut self, module: &Module, path: &str, bytes: Vec<u8>) {
        let Ok(text) = String::from_utf8(bytes) else {
            return self.doubt(Problem::error("is not text in UTF-8").in_file(path));
        };
        let source = Arc::new(Source {
            path: path.to_owned(),
            text,
            written: None,
        });
        let members = match json_syntax::members(path, &source.text) {
            Ok(members) => members,
            Err(problem) => return self.doubt(problem),
        };
        let mut seen = BTreeMap::new();
        for (name, position, text) in members.into_iter().filter(|(name, ..)| name != "//") {
            let place = Place {
                source: source.clone(),
                offset: Some(position),
                line: source.line(position),
            };
            if seen.insert(name.clone(), position).is_some() {
                self.doubt(place.problem(format!("{name} is given twice")));
                continue;
            }
            let value = json::decode(text).map_err(|message| place.problem(message));
            self.add(module, &name, value, place);
        }
    }

    fn add(&mut self, module: &Module, name: &str, value: Result<Value, Problem>, place: Place) {
        if !module.variables.contains_key(name) && !module.may_define(name) {
            let near = nearest(name, module.variables.keys().map(String::as_str));
            let mut warning = place.problem(format!("the root module has no variable {name}"));
            warning.severity = Severity::Warning;
            warning.hint = near.map(|near| format!("did you mean {near}?"));
            self.problems.push(warning);
        }
        let value = match value {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        };
        let value = RootValue {
            value,
            place: Some(place),
            is_of_commit: false,
        };
        self.values.insert(name.to_owned(), value);
    }

    /// What a variable of the machine says: text for a variable of a plain type or of none, else an
    /// expression.
    fn add_text(&mut self, module: &Module, name: &str, text: &str, is_of_commit: bool) {
        let Some(variable) = module.variables.get(name) else {
            return;
        };
        let value = if variable.constraint.is_plain() {
            Some(Value::string(text))
        } else {
            let parsed = parse_expression("", text).map_err(|problem| problem.message);
            let value = parsed.and_then(|(source, expression)| {
                constant(&expression, &source).map_err(|(message, _)| message)
            });
            match value {
                Ok(value) => Some(value),
                Err(_) => {
                    // What the parser says quotes the value, which may be a secret.
                    let message = format!(
                        "TF_VAR_{name} of this machine is no value of the type of this variable"
                    );
                    let hint = "write it as in Terraform's language, such as [\"a\", \"b\"]";
                    self.problems
                        .push(variable.place.problem(message).with_hint(hint));
                    None
                }
            }
        };
        let value = RootValue {
            value,
            place: None,
            is_of_commit,
        };
        self.values.insert(name.to_owned(), value);
    }
}
