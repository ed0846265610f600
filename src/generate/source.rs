//! The built-in templates: read once each time they are asked for, with values from typed names.

use tera::{Context, Kwargs, State, Tera};

use super::{GenerateError, GeneratedFile, hcl_string};

/// A built-in template, and the path that its text is written to.
pub(super) struct Source {
    pub(super) path: &'static str,
    pub(super) template: &'static str,
}

impl Source {
    /// The file under `directory` (with its final `/`, or empty) that the template makes of `values`.
    pub(super) fn render(
        &self,
        directory: &str,
        values: &Context,
    ) -> Result<GeneratedFile, GenerateError> {
        Ok(GeneratedFile {
            path: format!("{directory}{}", self.path),
            text: self.text(values)?,
        })
    }

    /// The text that the template makes of `values`. What stands in a string is written through the
    /// filter `hcl`; names are harmless by their types wherever they stand.
    pub(super) fn text(&self, values: &Context) -> Result<String, GenerateError> {
        let mut tera = Tera::new();
        tera.register_filter("hcl", |text: &str, _: Kwargs, _: &State| hcl_string(text));
        tera.register_filter("yaml", |text: &str, _: Kwargs, _: &State| yaml_string(text));
        tera.render_str(self.template, values, false)
            .map_err(|error| {
                let source = Box::new(error);
                GenerateError::BuiltIn {
                    path: self.path,
                    source,
                }
            })
    }
}

/// `text` as a string of a workflow's YAML, which holds no expression of GitHub's.
fn yaml_string(text: &str) -> String {
    // JSON's strings are YAML's, and an escaped letter begins no expression only to YAML.
    let text = text.replace("${{", "${{ '${{' }}");
    serde_json::Value::from(text).to_string()
}

/// A file that is written as it stands.
pub(super) fn verbatim(directory: &str, path: &str, text: &str) -> GeneratedFile {
    GeneratedFile {
        path: format!("{directory}{path}"),
        text: text.to_owned(),
    }
}
