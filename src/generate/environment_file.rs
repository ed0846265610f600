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
mod tests {
    use super::*;
    use crate::error::Diagnose;

    const TEMPLATE: &str = include_str!("../../templates/service/environment.tf.tera");

    fn values(branch: &str) -> BTreeMap<String, Value> {
        let text = |text: &str| Value::from(text);
        [
            ("environment", text("5d41c2f0")),
            ("code_version", text("latest")),
            ("infra_repository_branch", text(branch)),
            ("pull_request", text("acme/hello-infra#7")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn render(template: &str, branch: &str) -> Result<String, GenerateError> {
        environment_file(
            template,
            "s/environment.tf.tera",
            "acme-x-7-5d41c2f0",
            &values(branch),
        )
    }

    fn message(template: &str, branch: &str) -> String {
        render(template, branch).unwrap_err().to_string()
    }

    /// A template whose block has `lines` from its third line on.
    fn block(lines: &str) -> String {
        format!("{{# a remark #}}\nmodule {{{{ module }}}} {{\n{lines}\n}}\n")
    }

    #[test]
    fn optional_values_come_and_go() {
        let mut values = values("main");
        let bare = environment_file(TEMPLATE, "t", "m", &values).unwrap();
        assert!(
            !bare.contains("repository_id") && !bare.contains("event_at"),
            "{bare}"
        );
        values.insert("repository_id".to_owned(), 123_456.into());
        values.insert("event_at".to_owned(), "2026-11-21T09:00:00Z".into());
        let full = environment_file(TEMPLATE, "t", "m", &values).unwrap();
        assert!(
            full.contains("\n  repository_id           = 123456\n"),
            "{full}"
        );
        assert!(
            full.contains("\n  event_at                = \"2026-11-21T09:00:00Z\"\n"),
            "{full}"
        );
    }

    #[test]
    fn plain_values_are_printed_as_hcl() {
        let values: BTreeMap<String, Value> = [
            ("a", Value::Null),
            ("b", true.into()),
            ("c", (-5).into()),
            ("d", 1.5.into()),
            ("e", u64::MAX.into()),
            ("f", "".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let lines =
            ["a", "b", "c", "d", "e", "f"].map(|name| format!("  {name} = {{{{ {name} }}}}"));
        let file = environment_file(&block(&lines.join("\n")), "t", "m", &values).unwrap();
        let expected = format!(
            "\nmodule \"m\" {{\n  a = null\n  b = true\n  c = -5\n  d = 1.5\n  e = {}\n  f = \"\"\n}}\n",
            u64::MAX
        );
        assert_eq!(file, expected);
        let list = [("a".to_owned(), Value::Array(Vec::new()))].into();
        assert!(matches!(
            environment_file(&block("a = {{ a }}"), "t", "m", &list),
            Err(GenerateError::Value(name)) if name == "a"
        ));
    }

    #[test]
    fn values_may_be_worked_with() {
        let lines = r#"  environment  = {{ environment }}
  pull_request = {{ pull_request }}
  title = {{ "preview of " ~ infra_repository_branch | upper }}
  tags  = ["x", {{ environment }}, { id = {{ environment }} }]
  host  = "${ {{ environment }} }.example.com"
{% if infra_repository_branch is starting_with(pat="feature/") %}  size = {{ 1 + 1 }}
{% endif %}"#;
        let file = render(&block(lines), "feature/${x}").unwrap();
        for expected in [
            r#"title = "preview of FEATURE/\u0024{X}""#,
            r#"tags  = ["x", "5d41c2f0", { id = "5d41c2f0" }]"#,
            r#"host  = "${ "5d41c2f0" }.example.com""#,
            "size = 2",
        ] {
            assert!(file.contains(expected), "{expected}: {file}");
        }
    }

    #[test]
    fn a_value_within_quotes_is_refused() {
        for branch in ["main", "", " == file(1) == ", "dayfly_value_6d61696e_"] {
            for line in [
                r#"  title = "{{ infra_repository_branch }}""#,
                r#"  title = "on {{ infra_repository_branch }}!""#,
                "  title = x{{ infra_repository_branch }}",
                "  title = {{ infra_repository_branch }}{{ environment }}",
                "  {{ infra_repository_branch }} = 1",
                "  title = 1 # {{ infra_repository_branch }}",
                "  title = <<T\n  {{ infra_repository_branch }}\nT",
                "{% set x %}{{ infra_repository_branch }}{% endset %}  title = \"{{ x }}\"",
                "  title = {{ infra_repository_branch }}()",
                "  title = x.{{ infra_repository_branch }}",
                "  title = { {{ infra_repository_branch }} = 1 }",
            ] {
                let error = render(&block(line), branch).expect_err(line);
                let message = error.to_string();
                assert!(
                    message.starts_with("s/environment.tf.tera:"),
                    "{line}: {message}"
                );
                assert!(error.hint().is_some(), "{line}: {message}");
            }
        }
        assert_eq!(
            message(
                &block("\n  a = 1\n  title = \"{{ infra_repository_branch }}\""),
                "x"
            ),
            "s/environment.tf.tera:5: prints a value where no value can stand: within quotes, a name or a comment"
        );
    }

    #[test]
    fn no_filter_reopens_the_hole() {
        for line in [
            "  title = {{ infra_repository_branch | safe }}",
            "  title = {{ infra_repository_branch | escape_html | safe }}",
            "  title = {{ infra_repository_branch | newlines_to_br }}",
            "{% set x = infra_repository_branch | safe %}  title = {{ x }}",
            "{% filter safe %}  title = {{ infra_repository_branch }}{% endfilter %}",
        ] {
            let message = message(&block(line), "file(1)");
            assert!(
                message.starts_with("s/environment.tf.tera:3"),
                "{line}: {message}"
            );
        }
    }

    #[test]
    fn what_a_template_must_be() {
        for (template, expected) in [
            (
                block("  a = 1\n  title = {{ code_versoin }}"),
                "s/environment.tf.tera:4:14: asks for `code_versoin`, which has no value here",
            ),
            (
                block("  a = {{ nope ~ \"x\" }}"),
                "s/environment.tf.tera:3:10: asks for `nope`, which has no value here",
            ),
            (
                block("  event_at = {{ event_at }}"),
                "s/environment.tf.tera:3:17: cannot be rendered: ",
            ),
            (
                block("  event_at = {{ event_at ~ \"x\" }}"),
                "s/environment.tf.tera:3: `event_at` must be the value of that name, {{ event_at }}",
            ),
            (
                block("  a = 1\n  infra_repository_branch = \"main\""),
                "s/environment.tf.tera:4: `infra_repository_branch` must be the value of that name, {{ infra_repository_branch }}",
            ),
            (
                block("") + "module \"x\" {}\n",
                "s/environment.tf.tera:5: must render to one module block and nothing else",
            ),
            (
                "module \"x\" {}\n".to_owned(),
                "s/environment.tf.tera:1: must render to a module block with the label \"acme-x-7-5d41c2f0\"",
            ),
            (
                block("  a ="),
                "s/environment.tf.tera:3: renders to what is no HCL: ",
            ),
            (block("  {% if %}"), "s/environment.tf.tera:3:"),
            (
                String::new(),
                "s/environment.tf.tera: must render to one module block",
            ),
        ] {
            let message = message(&template, "dev");
            assert!(message.starts_with(expected), "{template}: {message}");
        }
        for label in ["", "1a", "a b", "a\"b", "é", "a.b"] {
            let result = environment_file(TEMPLATE, "t", label, &values("main"));
            assert!(matches!(result, Err(GenerateError::Label(_))), "{label}");
        }
    }

    #[test]
    fn the_line_ends_of_another_system_are_read() {
        let file = render(&TEMPLATE.replace('\n', "\r\n"), "main").unwrap();
        assert_eq!(file, render(TEMPLATE, "main").unwrap());
    }
}
