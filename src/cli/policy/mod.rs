//! `dayfly policy`: policies tried out, tested and checked outside of a run.

mod check;
mod eval;
mod input;
mod junit;
mod test;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};

use super::Ended;
use super::output::Output;
use crate::error::{Diagnose, Kind};
use crate::policy::{Engine, PolicyError, PolicyType};

/// Test, evaluate and check policies
#[derive(Subcommand)]
pub(super) enum Command {
    Test(test::Args),
    Eval(eval::Args),
    Check(check::Args),
    Input(input::Args),
}

pub(super) fn run(command: Command, output: &Output) -> Ended {
    match command {
        Command::Test(args) => test::run(&args, output),
        Command::Eval(args) => eval::run(&args, output),
        Command::Check(args) => check::run(&args, output),
        Command::Input(args) => input::run(args, output),
    }
}

/// The version of Rego of files that do not say it by `import rego.v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EngineName {
    V0,
    V1,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::V0 => Self::RegoV0,
            EngineName::V1 => Self::RegoV1,
        }
    }
}

/// Reads a type in large or small letters, with `_` or `-`.
fn policy_type(text: &str) -> Result<PolicyType, PolicyError> {
    text.to_ascii_uppercase().replace('-', "_").parse()
}

#[derive(Debug, thiserror::Error)]
enum PolicyFileError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is no UTF-8 text", path.display())]
    NoText { path: PathBuf },
    #[error("{} is no JSON", path.display())]
    NoJson {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("there is no policy in {}", path.display())]
    NoPolicy { path: PathBuf },
    #[error("the rules of {} do not tell its type", path.display())]
    NoType { path: PathBuf },
}

impl Diagnose for PolicyFileError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoPolicy { .. } => Some("name a directory with *.rego files".to_owned()),
            Self::NoType { .. } => {
                let types = PolicyType::ALL.map(PolicyType::name);
                Some(format!("add --type {}", types.join(", or ")))
            }
            _ => None,
        }
    }
}

fn read_text(path: &Path) -> Result<String, PolicyFileError> {
    let bytes = fs::read(path).map_err(|source| PolicyFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| PolicyFileError::NoText {
        path: path.to_owned(),
    })
}
