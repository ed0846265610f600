//! `dayfly policy check`: everything that Spacelift and dayfly would refuse in a policy.

use std::path::PathBuf;

use serde_json::json;

use super::super::escape::escaped;
use super::super::output::Output;
use super::super::{DONE, Ended, FAILED};
use super::{EngineName, PolicyFileError, policy_type, read_text};
use crate::error::Error;
use crate::policy::{Policy, PolicyError, PolicyType};
use crate::problem::Problem;

/// Check a policy: its syntax, its package, the types of its rules, the builtins that it calls
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The Rego file
    file: PathBuf,

    /// TRIGGER, GIT_PUSH, PLAN, APPROVAL or NOTIFICATION [default: what its rules tell]
    #[arg(long = "type", value_name = "TYPE", value_parser = policy_type)]
    kind: Option<PolicyType>,

    /// The version of Rego, if the file does not say it itself
    #[arg(long, value_enum, default_value_t = EngineName::V0)]
    engine: EngineName,
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    let text = read_text(&args.file)?;
    let (kind, problems) = match check(args, &text) {
        Ok(kind) => (Some(kind), Vec::new()),
        Err(Refused::Problems(kind, problems)) => (kind, problems),
        Err(Refused::Error(error)) => return Err(error),
    };
    if output.is_json() {
        output.json(&json!({
            "valid": problems.is_empty(),
            "type": kind,
            "problems": problems,
        }));
    } else {
        for problem in &problems {
            output.problem(problem);
        }
        let file = args.file.display().to_string();
        let file = escaped(&file);
        match (problems.len(), kind) {
            (0, Some(kind)) => output.data(format_args!("{file}: a valid {kind} policy")),
            (count, _) => output.data(format_args!("{file}: not valid, {count} found")),
        }
    }
    Ok(if problems.is_empty() { DONE } else { FAILED })
}

enum Refused {
    Problems(Option<PolicyType>, Vec<Problem>),
    Error(Error),
}

fn check(args: &Args, text: &str) -> Result<PolicyType, Refused> {
    let name = args.file.display().to_string();
    let engine = args.engine.into();
    let refused = |kind| {
        move |error| match error {
            PolicyError::Invalid { problems, .. } => Refused::Problems(kind, problems),
            other => Refused::Error(other.into()),
        }
    };
    let likely = Policy::likely_type(&name, engine, text).map_err(refused(args.kind))?;
    let kind = args.kind.or(likely).ok_or_else(|| {
        let path = args.file.clone();
        Refused::Error(PolicyFileError::NoType { path }.into())
    })?;
    Policy::read(&name, kind, engine, text).map_err(refused(Some(kind)))?;
    Ok(kind)
}
