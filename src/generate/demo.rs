//! The infrastructure that `dayfly demo` previews: pages on disk.

use tera::Context;

use super::source::{Source, verbatim};
use super::{GenerateError, GeneratedFile};

const PREVIEW: Source = Source {
    path: "main.tf",
    template: include_str!("../../templates/demo/infra/main.tf.tera"),
};

const COMMON: &str = include_str!("../../templates/demo/infra/common/main.tf");

/// The files of the demo's infra repository: a preview reads its version from the directory
/// `artifacts` and writes its page into `pages`; `layout` is what an infra pull request changes.
pub fn demo_infra(
    artifacts: &str,
    pages: &str,
    layout: &str,
) -> Result<Vec<GeneratedFile>, GenerateError> {
    let mut values = Context::new();
    values.insert("artifacts", artifacts);
    values.insert("pages", pages);
    values.insert("layout", layout);
    Ok(vec![
        PREVIEW.render("", &values)?,
        verbatim("common/", "main.tf", COMMON),
    ])
}
