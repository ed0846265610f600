//! `dayfly policy eval`: what one policy says of one input.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::output::Output;
use super::super::{DONE, Ended};
use super::{EngineName, PolicyFileError, policy_type, read_text};
use crate::error::{Diagnose, Kind};
use crate::policy::{Policy, PolicyFailure, PolicyType};

/// Tell what a policy says of an input
///
/// The policy is read as a run reads it: with Spacelift's prelude and its restrictions. `dayfly
/// policy input` prints an input to try it on.
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The Rego file
    file: PathBuf,

    /// TRIGGER, GIT_PUSH, PLAN, APPROVAL or NOTIFICATION
    #[arg(long = "type", value_name = "TYPE", value_parser = policy_type)]
    kind: PolicyType,

    /// The JSON file that the policy sees as `input`; - for the standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// Tell the value of every rule of the file, not only of those that Spacelift reads
    #[arg(long)]
    all: bool,

    /// The version of Rego, if the file does not say it itself
    #[arg(long, value_enum, default_value_t = EngineName::V0)]
    engine: EngineName,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NoAnswer(PolicyFailure);

impl Diagnose for NoAnswer {
    fn kind(&self) -> Kind {
        Kind::Failed
    }
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    let name = args.file.display().to_string();
    let text = read_text(&args.file)?;
    let policy = Policy::read(&name, args.kind, args.engine.into(), &text)?;
    let input = input(&args.input)?;
    if args.all {
        output.json(&policy.document(&input).map_err(NoAnswer)?);
        return Ok(DONE);
    }
    let opinion = policy.evaluate(&input).map_err(NoAnswer)?;
    if output.is_json() {
        output.json(&opinion);
    } else {
        for (rule, value) in &opinion.rules.rules {
            output.data(format_args!("{rule}: {}", serde_json::json!(value)));
        }
    }
    Ok(DONE)
}

fn input(path: &Path) -> Result<Value, PolicyFileError> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|source| PolicyFileError::Read {
                path: path.to_owned(),
                source,
            })?;
        text
    } else {
        read_text(path)?
    };
    serde_json::from_str(&text).map_err(|source| PolicyFileError::NoJson {
        path: path.to_owned(),
        source,
    })
}
