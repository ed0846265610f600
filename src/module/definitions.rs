//! What the files of one directory define, read once however often the module is called.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, Body, Structure};
use indexmap::IndexMap;

use super::constraint::Constraint;
use super::expression::start;
use super::lifecycle::{Lifecycle, Moved};
use super::origin::is_environments;
use super::source::{Source, parse_body};
use super::value::Value;
use crate::files::{Files, FilesError, join};
use crate::problem::Problem;
use crate::threads;

mod blocks;
mod calls;
mod lifecycle;
mod variables;

pub(super) use variables::constant;

/// A module directory: its definitions and what could not be read of it.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub directory: String,
    /// The configuration files that it is made of, with their text where that may tell more than the
    /// definitions.
    pub files: BTreeMap<String, String>,
    /// Those that hold one call and nothing else.
    pub lone_calls: HashSet<String>,
    pub variables: IndexMap<String, Variable>,
    pub locals: IndexMap<String, Local>,
    pub outputs: IndexMap<String, Output>,
    pub calls: IndexMap<String, Call>,
    /// By `type.name`.
    pub resources: IndexMap<String, Resource>,
    /// By `type.name`.
    pub data: IndexMap<String, Data>,
    pub moved: Vec<(Moved, Place)>,
    /// Addresses of what is removed and destroyed.
    pub removed: Vec<(String, Place)>,
    /// Addresses of what is removed and not to be destroyed.
    pub retained: Vec<String>,
    /// Files in which something may stand that is not among the definitions.
    pub doubtful: Doubts,
    /// Some file could not be read or does not parse.
    pub incomplete: bool,
    /// Something that changes the meaning of all files is not understood.
    pub refused: bool,
    /// What is wrong with the files as such.
    pub problems: Vec<Problem>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Doubts(pub Vec<Doubtful>);

/// A file that is not, or not wholly, understood.
#[derive(Clone, Debug)]
pub(super) struct Doubtful {
    pub path: String,
    /// `None` if it could not be read.
    pub text: Option<String>,
}

/// Where a definition stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub source: Arc<Source>,
    pub offset: Option<usize>,
    pub line: usize,
}

#[derive(Debug)]
pub(super) struct Variable {
    pub place: Place,
    pub constraint: Constraint,
    pub default: Option<Value>,
    pub is_nullable: bool,
    pub is_sensitive: bool,
    pub validations: Vec<Check>,
    pub broken: bool,
}

/// A `validation`, `precondition` or `postcondition`.
#[derive(Debug)]
pub(super) struct Check {
    pub condition: Expression,
    pub message: Expression,
}

#[derive(Debug)]
pub(super) struct Local {
    pub place: Place,
    pub value: Expression,
    pub broken: bool,
}

#[derive(Debug)]
pub(super) struct Output {
    pub place: Place,
    pub is_sensitive: bool,
    pub value: Expression,
    pub preconditions: Vec<Check>,
    pub depends_on: Vec<Expression>,
    pub broken: bool,
}

/// How often a call or resource stands: `count`, `for_each` or once.
#[derive(Debug)]
pub(super) enum Repeat {
    Once,
    Count(Expression),
    Each(Expression),
}

#[derive(Debug)]
pub(super) struct Call {
    pub place: Place,
    /// The called directory; `None` if the source is wrong, which is then a problem.
    pub directory: Option<String>,
    pub repeat: Repeat,
    pub arguments: BTreeMap<String, Expression>,
    pub depends_on: Vec<Expression>,
    pub broken: bool,
}

#[derive(Debug)]
pub(super) struct Resource {
    pub place: Place,
    pub kind: String,
    pub name: String,
    pub repeat: Repeat,
    pub body: Body,
    pub depends_on: Vec<Expression>,
    pub preconditions: Vec<Check>,
    pub postconditions: Vec<Check>,
    pub lifecycle: Lifecycle,
    /// Of the whole block.
    pub span: Option<Range<usize>>,
    pub broken: bool,
}

#[derive(Debug)]
pub(super) struct Data {
    pub place: Place,
    pub broken: bool,
}

/// A body, or what is wrong with its file.
type ParsedBody = Result<(Arc<Source>, Body), Problem>;
/// By path, what reading it came to.
type Read<T> = (String, Result<Option<T>, FilesError>);

/// So many files of a directory are in memory both as text and parsed.
const PARSED_AT_ONCE: usize = 1024;
/// So many files are parsed before another thread has begun.
const WORTH_A_THREAD: usize = 64;

/// The files, parsed by as many threads as there are cores: a directory of environments is large.
fn parsed(read: Vec<Read<Vec<u8>>>) -> Vec<Read<(Vec<u8>, ParsedBody)>> {
    threads::map(read, WORTH_A_THREAD, |(path, read)| {
        let read = read.map(|bytes| {
            bytes.map(|bytes| {
                let body = parse_body(&path, bytes.clone());
                (bytes, body)
            })
        });
        (path, read)
    })
}

impl Module {
    /// Reads a directory. What is wrong in its files is among the problems; an error is that
    /// there is no such directory or that it could not be listed.
    pub(super) fn load(files: &dyn Files, directory: &str) -> Result<Self, String> {
        let mut module = Self {
            directory: directory.to_owned(),
            ..Self::default()
        };
        let entries = files.list(directory).map_err(|error| error.to_string())?;
        if entries.is_empty() {
            return Err("there is no such directory".to_owned());
        }
        let names = entries.into_iter().filter(|entry| !entry.is_directory);
        let names = names.filter(|entry| is_configuration(&entry.name));
        let names: Vec<String> = names.map(|entry| entry.name).collect();
        for names in names.chunks(PARSED_AT_ONCE) {
            let read = names.iter().map(|name| {
                let path = join(directory, name);
                let content = files.read(&path);
                (path, content)
            });
            let read: Vec<_> = read.collect();
            for (name, (path, read)) in names.iter().zip(parsed(read)) {
                module.files.insert(path.clone(), String::new());
                match read {
                    Ok(Some((bytes, body))) => module.add_file(name, path, &bytes, body),
                    Ok(None) => module.doubt(path, None, None),
                    Err(error) => {
                        let problem = Problem::error(error.to_string()).in_file(path.clone());
                        module.doubt(path, None, Some(problem));
                    }
                }
            }
        }
        module.check_moves();
        Ok(module)
    }

    fn add_file(&mut self, name: &str, path: String, bytes: &[u8], body: ParsedBody) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let stem = name.strip_suffix(".json").unwrap_or(name);
        let stem = stem.strip_suffix(".tf").unwrap_or(stem);
        let unsupported = if stem == "override" || stem.ends_with("_override") {
            self.refused = true;
            Some((
                "override files are not supported",
                "write the values into the files themselves",
            ))
        } else {
            None
        };
        if let Some((message, hint)) = unsupported {
            let problem = Problem::error(message)
                .in_file(path.clone())
                .with_hint(hint);
            return self.doubt(path, Some(text), Some(problem));
        }
        if text.trim().is_empty() {
            // An emptied file is no statement that what it held is to go.
            let message = "is empty: what was recorded from it stays as it is";
            let hint = "write what it held, or remove the file";
            let problem = if is_environments(&self.directory) {
                Problem::error(message)
            } else {
                Problem::warning(message)
            };
            self.problems
                .push(problem.in_file(path.clone()).with_hint(hint));
            self.doubtful.0.push(Doubtful {
                path,
                text: Some(text),
            });
            return;
        }
        match body {
            Ok((source, body)) => {
                if is_lone_call(&body) {
                    self.lone_calls.insert(path.clone());
                } else if is_environments(&self.directory) {
                    self.files.insert(path.clone(), source.text.clone());
                }
                let understood = self.add_body(&source, body);
                if !understood {
                    self.doubtful.0.push(Doubtful {
                        path,
                        text: Some(text),
                    });
                }
            }
            Err(problem) => self.doubt(path, Some(text), Some(problem)),
        }
    }

    fn doubt(&mut self, path: String, text: Option<String>, problem: Option<Problem>) {
        self.incomplete = true;
        self.doubtful.0.push(Doubtful { path, text });
        self.problems.extend(problem);
    }

    /// Adds what a file defines; `false` if something in it has an effect that is not supported.
    fn add_body(&mut self, source: &Arc<Source>, body: Body) -> bool {
        let mut understood = true;
        for attribute in body.attributes() {
            let name = attribute.key.as_str();
            self.problems.push(source.problem(
                format!("unexpected argument {name}: only blocks stand here"),
                offset(attribute),
            ));
        }
        for block in body.into_blocks() {
            let place = Place::of(source, &block);
            let known = match block.ident.as_str() {
                "variable" => self.add_variable(place, &block),
                "locals" => self.add_locals(source, &block),
                "output" => self.add_output(place, &block),
                "module" => self.add_call(place, block),
                "resource" => self.add_resource(place, block),
                "data" => self.add_data(place, &block),
                "terraform" => self.add_terraform(source, &block),
                "provider" => true,
                "moved" => self.add_moved(&place, &block),
                "removed" => self.add_removed(&place, &block),
                other => {
                    let (message, hint) = unsupported_block(other);
                    let problem = source.problem(message, place.offset);
                    self.problems.push(match hint {
                        Some(hint) => problem.with_hint(hint),
                        None => problem,
                    });
                    false
                }
            };
            understood &= known;
        }
        understood
    }

    /// Whether something of that name may stand in a file that is not understood.
    pub(super) fn may_define(&self, name: &str) -> bool {
        self.doubtful.may_define(name)
    }

    /// Whether the file is there and is not, or not wholly, understood.
    pub(super) fn doubts(&self, path: &str) -> bool {
        self.doubtful.hold(path)
    }
}

impl Doubts {
    pub(super) fn may_define(&self, name: &str) -> bool {
        let Self(files) = self;
        files
            .iter()
            .any(|file| file.text.as_ref().is_none_or(|text| text.contains(name)))
    }

    pub(super) fn hold(&self, path: &str) -> bool {
        self.0.iter().any(|file| file.path == path)
    }
}

impl Resource {
    /// The whole block as it stands.
    pub(super) fn text(&self) -> Option<String> {
        let labels = ["resource", &self.kind, &self.name];
        self.place.text(self.span.clone(), labels)
    }
}

impl Place {
    /// The whole block that stands here, as a file of the same syntax would hold it.
    pub(super) fn text(&self, span: Option<Range<usize>>, labels: [&str; 3]) -> Option<String> {
        let Some((text, position)) = self.source.in_json(self.offset?) else {
            return self
                .source
                .text
                .get(span?)
                .map(|text| text.trim_end().to_owned());
        };
        let rest = serde_json::Deserializer::from_str(text.get(position..)?);
        let body: serde_json::Value = rest.into_iter().next()?.ok()?;
        let [block, kind, name] = labels;
        let block = serde_json::json!({ block: { kind: { name: body } } });
        serde_json::to_string_pretty(&block).ok()
    }

    pub(super) fn of(source: &Arc<Source>, node: &impl Span) -> Self {
        let offset = start(node);
        let line = offset.map_or(1, |offset| source.line(offset));
        Self {
            source: source.clone(),
            offset,
            line,
        }
    }

    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        self.source.problem(message, self.offset)
    }
}

fn offset(attribute: &Attribute) -> Option<usize> {
    start(attribute)
}

/// Whether a file holds one module call and nothing else.
fn is_lone_call(body: &Body) -> bool {
    let mut structures = body.iter();
    let first = structures.next().and_then(Structure::as_block);
    first.is_some_and(|block| block.ident.as_str() == "module") && structures.next().is_none()
}

/// Which files Terraform reads in a directory.
fn is_configuration(name: &str) -> bool {
    let hidden = name.starts_with('.') || name.ends_with('~') || name.starts_with('#');
    !hidden && (name.ends_with(".tf") || name.ends_with(".tf.json"))
}

fn unsupported_block(kind: &str) -> (String, Option<&'static str>) {
    match kind {
        "import" => (
            format!("{kind} blocks are not supported"),
            Some("take the block out: what stands is recorded by an apply"),
        ),
        "check" => (
            format!("{kind} blocks are not supported"),
            Some("a precondition of a resource or a validation of a variable can say the same"),
        ),
        "ephemeral" => (
            format!("{kind} blocks are not supported"),
            Some("let the stack that needs the value read it in its own repository"),
        ),
        _ => {
            let known = [
                "variable",
                "locals",
                "output",
                "module",
                "resource",
                "data",
                "terraform",
                "provider",
            ];
            let hint = super::nearest::nearest(kind, known).map(|_| {
                "the blocks are: variable, locals, output, module, resource, data, terraform, provider"
            });
            (format!("there is no block {kind}"), hint)
        }
    }
}

/// The labels of a block, if there are as many as it takes.
fn labels<'a, const N: usize>(place: &Place, block: &'a Block) -> Result<[&'a str; N], Problem> {
    let labels: Vec<&str> = block.labels.iter().map(|label| label.as_str()).collect();
    let count = labels.len();
    labels.try_into().map_err(|_| {
        let kind = block.ident.as_str();
        place.problem(format!("a {kind} block has {N} labels, not {count}"))
    })
}
