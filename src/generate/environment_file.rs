//! A new environment file, from the service's own `environment.tf.tera`.
//!
//! Text is data: no value ever passes through the template's text. What the template prints of a
//! value is a placeholder, an identifier with the value in hexadecimal digits. The result is parsed
//! with the placeholders in it; each must stand where a whole expression can, and only then does
//! the literal take its place. So a value cannot end a string, and cannot become code, whatever the
//! template does around it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::structure::{Attribute, Block, Body};
use serde_json::Value;
use tera::{Context, ErrorKind, Kwargs, State, Tera};

use super::placeholder::{PLACEHOLDER, places, write_placeholder};
use super::template_line::template_line;
use super::{GenerateError, hcl_string};
use crate::environment::literal;
use crate::problem::Problem;

/// Values that every file of a pull request's says, where they are known.
const REQUIRED: &[&str] = &[
    "environment",
    "pull_request",
    "repository_id",
    "event_at",
    "expires_at",
];

/// Values that a template may ask for by `{% if … %}` although they are not always given.
const OPTIONAL: &[&str] = &["repository_id", "event_at", "expires_at", "expires_at_unix"];

/// Renders `template`, which stands at `template_path`, into an environment file: one `module`
/// block with the label `module`.
///
/// The template sees `module` and `values`: strings, numbers, bools and nulls, each printed as an
/// HCL literal. An attribute of the block that has the name of a value has exactly that value, or
/// the template is refused; so is one that asks for a value that nobody gives.
pub fn environment_file(
    template: &str,
    template_path: &str,
    module: &str,
    values: &BTreeMap<String, Value>,
) -> Result<String, GenerateError> {
    Ok(render_environment_file(template, template_path, module, values)?.text)
}

/// An environment file as it would be made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedFile {
    pub text: String,
    /// The attributes that hold values of the pull request's; the others are the template's own.
    pub written: BTreeSet<String>,
}

/// As [`environment_file`], and which attributes hold the values.
pub fn render_environment_file(
    template: &str,
    template_path: &str,
    module: &str,
    values: &BTreeMap<String, Value>,
) -> Result<RenderedFile, GenerateError> {
    if !hcl_edit::Ident::try_new(module).is_ok_and(|ident| ident.as_str().is_ascii()) {
        return Err(GenerateError::Label(module.to_owned()));
    }
    let source = TemplateSource {
        path: template_path,
        text: template.replace("\r\n", "\n"),
    };
    let context = context(module, values)?;
    let rendered = source.render(&context, values)?;
    let text = source.fill(&rendered)?;
    source.check(&text, module, values)?;
    let written = written(&rendered, values);
    Ok(RenderedFile { text, written })
}

/// The names of the attributes that hold a value, in whole or in part.
fn written(rendered: &str, values: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let Ok(body) = hcl_edit::parser::parse_body(rendered) else {
        return BTreeSet::new();
    };
    let holds_value = |attribute: &Attribute| {
        let text = attribute.value.span().and_then(|span| rendered.get(span));
        values.contains_key(attribute.key.as_str())
            || text.is_some_and(|text| text.contains(PLACEHOLDER))
    };
    body.blocks()
        .flat_map(|block| block.body.attributes())
        .filter(|attribute| holds_value(attribute))
        .map(|attribute| attribute.key.as_str().to_owned())
        .collect()
}

fn context(module: &str, values: &BTreeMap<String, Value>) -> Result<Context, GenerateError> {
    let mut context = Context::new();
    for (name, value) in values {
        match value {
            Value::Array(_) | Value::Object(_) => return Err(GenerateError::Value(name.clone())),
            // Printed by itself a null would be nothing.
            Value::Null => context.insert_value(name.clone(), tera::Value::safe_string("null")),
            value => context.insert(name.clone(), value),
        }
    }
    context.insert("module", module);
    Ok(context)
}

struct TemplateSource<'a> {
    path: &'a str,
    text: String,
}

impl TemplateSource<'_> {
    /// The template's text with a placeholder for each value that it prints.
    fn render(
        &self,
        context: &Context,
        values: &BTreeMap<String, Value>,
    ) -> Result<String, GenerateError> {
        let mut tera = Tera::new();
        tera.set_escape_fn(write_placeholder);
        tera.autoescape_on(vec![""]);
        // These would let text through as it is.
        for filter in ["safe", "escape_html", "escape_xml", "newlines_to_br"] {
            tera.register_filter(filter, move |_: tera::Value, _: Kwargs, _: &State| {
                Err::<tera::Value, _>(tera::Error::message(format!(
                    "`{filter}` has no place here: values are printed as HCL literals"
                )))
            });
        }
        tera.add_raw_template(self.path, &self.text)
            .map_err(|error| self.tera_error(&error))?;
        let names = tera
            .get_template_variables(self.path)
            .map_err(|error| self.tera_error(&error))?;
        let mut unknown: Vec<&str> = names
            .into_iter()
            .filter(|name| *name != "module" && !OPTIONAL.contains(name))
            .filter(|name| !values.contains_key(*name))
            .collect();
        unknown.sort_unstable();
        if let Some(name) = unknown.first() {
            return Err(self.unknown(name, values));
        }
        tera.render(self.path, context)
            .map_err(|error| self.tera_error(&error))
    }

    /// `rendered` with literals in place of its placeholders.
    fn fill(&self, rendered: &str) -> Result<String, GenerateError> {
        let body = hcl_edit::parser::parse_body(rendered).map_err(|error| {
            let message = format!(
                "renders to what is no HCL: {}",
                error.message().trim().replace('\n', ", ")
            );
            self.problem(message, rendered, error.location().offset())
        })?;
        let mut filled = String::with_capacity(rendered.len());
        let mut written = 0;
        for (place, text) in places(rendered, &body) {
            filled.push_str(self.without_placeholder(rendered, written..place.start)?);
            filled.push_str(&hcl_string(&text));
            written = place.end;
        }
        filled.push_str(self.without_placeholder(rendered, written..rendered.len())?);
        Ok(filled)
    }

    fn without_placeholder<'a>(
        &self,
        rendered: &'a str,
        range: Range<usize>,
    ) -> Result<&'a str, GenerateError> {
        let text = &rendered[range.clone()];
        match text.find(PLACEHOLDER) {
            None => Ok(text),
            Some(position) => Err(self.problem(
                "prints a value where no value can stand: within quotes, a name or a comment",
                rendered,
                range.start + position,
            )),
        }
    }

    /// Holds the finished `file` against what it must be.
    fn check(
        &self,
        file: &str,
        module: &str,
        values: &BTreeMap<String, Value>,
    ) -> Result<(), GenerateError> {
        let body: Body = hcl_edit::parser::parse_body(file).map_err(|error| {
            self.problem("renders to what is no HCL", file, error.location().offset())
        })?;
        let offset_of = |span: Option<Range<usize>>| span.map_or(0, |span| span.start);
        let structures: Vec<_> = body.iter().collect();
        let [structure] = structures.as_slice() else {
            let offset = structures
                .get(1)
                .map_or(0, |second| offset_of(second.span()));
            return Err(self.problem(
                "must render to one module block and nothing else",
                file,
                offset,
            ));
        };
        let block: &Block = structure
            .as_block()
            .filter(|block| block.has_ident("module") && block.has_exact_labels(&[module]))
            .ok_or_else(|| {
                let message = format!("must render to a module block with the label \"{module}\"");
                self.problem(message, file, offset_of(structure.span()))
            })?;
        for attribute in block.body.attributes() {
            let name = attribute.key.as_str();
            let is_right = match values.get(name) {
                Some(value) => literal(&attribute.value).as_ref() == Some(value),
                None => !OPTIONAL.contains(&name),
            };
            if !is_right {
                let message = format!("`{name}` must be the value of that name, {{{{ {name} }}}}");
                return Err(self.problem(message, file, offset_of(attribute.span())));
            }
        }
        // Without them nobody finds the file again, or knows how old it is.
        let missing = REQUIRED
            .iter()
            .find(|name| values.contains_key(**name) && !block.body.has_attribute(name));
        match missing {
            Some(name) => {
                let message = format!("must set `{name}` in its module block");
                Err(self.problem(message, file, offset_of(structure.span())))
            }
            None => Ok(()),
        }
    }

    fn unknown(&self, name: &str, values: &BTreeMap<String, Value>) -> GenerateError {
        let offset = find_word(&self.text, name).unwrap_or_default();
        let known: Vec<&str> = ["module"]
            .into_iter()
            .chain(values.keys().map(String::as_str))
            .collect();
        GenerateError::File(
            Problem::error(format!("asks for `{name}`, which has no value here"))
                .in_file(self.path)
                .at(&self.text, offset)
                .with_hint(format!(
                    "give each source block of service.hcl a value `{name}`, or use one of: {}",
                    known.join(", ")
                )),
        )
    }

    fn tera_error(&self, error: &tera::Error) -> GenerateError {
        let problem = match error.kind() {
            ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
                let first = report.message().lines().next().unwrap_or_default();
                Problem::error(format!("cannot be rendered: {first}"))
                    .at(&self.text, report.span().range.start)
            }
            _ => Problem::error(format!("cannot be rendered: {error}")),
        };
        GenerateError::File(problem.in_file(self.path))
    }

    /// A problem at the line of the template that made the line of `rendered` around `offset`.
    fn problem(&self, message: impl Into<String>, rendered: &str, offset: usize) -> GenerateError {
        let (line, _) = crate::problem::line_and_column(rendered, offset);
        let text = rendered.lines().nth(line - 1).unwrap_or_default();
        let mut problem = Problem::error(message)
            .in_file(self.path)
            .with_hint("print each value as a whole expression: name = {{ value }}");
        problem.line = template_line(&self.text, text);
        GenerateError::File(problem)
    }
}

/// The offset of `word` where it stands by itself.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    text.match_indices(word)
        .map(|(position, _)| position)
        .find(|position| {
            let (before, after) = (&text[..*position], &text[position + word.len()..]);
            !before.ends_with(is_part)
                && !after.starts_with(|l: char| l.is_alphanumeric() || l == '_')
        })
}

#[cfg(test)]
mod tests;
