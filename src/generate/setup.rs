//! `dayfly init --setup`: the Terraform that makes the manager stack on Spacelift.

use tera::Context;

use super::source::Source;
use super::{GenerateError, GeneratedFile, manager_stack};
use crate::event::RepositoryName;

/// What a setup is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The manager repository that the manager stack applies.
    pub repository: RepositoryName,
}

const SOURCES: &[Source] = &[
    Source {
        path: "main.tf",
        template: include_str!("../../templates/setup/main.tf.tera"),
    },
    Source {
        path: "variables.tf",
        template: include_str!("../../templates/setup/variables.tf.tera"),
    },
    Source {
        path: "README.md",
        template: include_str!("../../templates/setup/README.md.tera"),
    },
    Source {
        path: ".gitignore",
        template: include_str!("../../templates/setup/gitignore.tera"),
    },
];

/// The files of a setup: a repository of its own, since it grants rights.
pub fn setup(setup: &Setup) -> Result<Vec<GeneratedFile>, GenerateError> {
    let mut values = Context::new();
    values.insert("repository", &setup.repository.to_string());
    values.insert("repository_name", setup.repository.name());
    values.insert("manager_stack", &manager_stack(&setup.repository));
    SOURCES
        .iter()
        .map(|source| source.render("", &values))
        .collect()
}
