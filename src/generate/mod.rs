//! What `dayfly init` and `dayfly service add` write, and what a new environment file looks like.
//!
//! All text comes from the sources in `templates/` and `policies/`, which the binary carries. The
//! functions here are pure, but for [`lay`] and [`add_service`]: those write, and never over a file
//! that is there already.

mod demo;
mod environment_file;
mod laying;
mod literal;
mod manager_repository;
mod names;
mod placeholder;
mod service;
mod setup;
mod source;
mod template_line;
mod workflows;

use std::io;

pub use demo::demo_infra;
pub use environment_file::{RenderedFile, environment_file, render_environment_file};
pub use laying::{Laid, lay};
pub use literal::hcl_string;
pub use manager_repository::{ManagerRepository, manager_repository, manager_stack};
pub use names::{Domain, ServiceName};
pub use service::{
    Added, NewService, add_service, check_manager_stack, service, with_service_call,
};
pub use setup::{Setup, setup};
pub use workflows::{ActionReference, manager_workflows, source_workflows};

use crate::error::{Diagnose, Kind};
use crate::problem::Problem;

/// A file to be written: its path, with `/` between names, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    pub path: String,
    pub text: String,
}

#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error(
        "`{0}` is no name for a service: that has up to 40 small letters, digits and single hyphens, \
         beginning with a letter"
    )]
    ServiceName(String),
    #[error("`{0}` is no domain")]
    Domain(String),
    #[error("the host names of {service} would be too long under {domain}")]
    HostName { service: String, domain: String },
    #[error("`{0}` is no action of GitHub's")]
    Action(String),
    #[error("`{0}` is no label for a module block")]
    Label(String),
    #[error("the value of `{0}` is a list or an object: an environment file holds plain values")]
    Value(String),
    #[error("a stack of the service {service} could have the slug of the manager stack, {slug}")]
    ManagerStack { service: String, slug: String },
    #[error("{0}")]
    File(Problem),
    #[error("{directory} holds no {file}")]
    NoManagerRepository {
        directory: String,
        file: &'static str,
    },
    #[error("cannot render the built-in template {path}")]
    BuiltIn {
        path: &'static str,
        source: Box<tera::Error>,
    },
    #[error("cannot write {path}")]
    Write { path: String, source: io::Error },
    #[error("cannot read {path}")]
    Read { path: String, source: io::Error },
}

impl Diagnose for GenerateError {
    fn kind(&self) -> Kind {
        match self {
            Self::Write { .. } | Self::Read { .. } => Kind::Outside,
            _ => Kind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Domain(_) => Some("write it without a scheme: preview.example.com".to_owned()),
            Self::Action(_) => {
                Some("write it as a workflow names it: OWNER/NAME/PATH@COMMIT".to_owned())
            }
            Self::HostName { .. } => Some("choose a shorter name or domain".to_owned()),
            Self::ManagerStack { .. } => Some(
                "choose another name for the service, or another manager_stack in dayfly.hcl"
                    .to_owned(),
            ),
            Self::File(problem) => problem.hint.clone(),
            Self::NoManagerRepository { directory, .. } => {
                Some(format!("dayfly init {directory} --repository OWNER/NAME"))
            }
            _ => None,
        }
    }
}
