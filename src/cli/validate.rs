//! `dayfly validate`: everything that is wrong with a manager repository, at once.

use std::path::Path;

use owo_colors::OwoColorize;
use serde_json::json;

use super::arguments::{Cache, ManagerArgs};
use super::count::counted;
use super::escape::escaped;
use super::output::Output;
use super::{DONE, Ended, FAILED};
use crate::git;
use crate::github::Access;
use crate::manager::{self, Trespass};
use crate::problem::{Problem, Severity};
use crate::reconcile;

/// Check a manager repository, or a plain directory, and name all that is wrong
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manager: ManagerArgs,

    /// Check instead that commits touch nothing but environment files, each by itself
    ///
    /// For the repository at the path of --manager, with its whole history. BASE...HEAD takes what
    /// HEAD has since the two parted.
    #[arg(long, value_name = "BASE..HEAD", allow_hyphen_values = true)]
    only_environments: Option<String>,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    if let Some(range) = &args.only_environments {
        return only_environments(&args, range, output);
    }
    let cache = Cache::new()?;
    let manager = args.manager.manager(Access::Read)?;
    let found = reconcile::validate(&manager, &cache.repository)?;
    if let Some(path) = manager.remote.local_path()
        && has_changes(path)
    {
        output.talk(format_args!(
            "{} what was read is the last commit; {} has changes that are not committed",
            "note:".cyan(),
            escaped(&manager.remote.to_string())
        ));
    }
    let count = |severity| {
        found
            .problems
            .iter()
            .filter(|p: &&Problem| p.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if output.is_json() {
        output.json(&json!({
            "valid": errors == 0,
            "environments": found.environments,
            "stacks": found.stacks,
            "problems": found.problems,
        }));
    } else {
        output.problems(&found.problems);
        output.data(format_args!(
            "{}: {}, {}, {}, {}",
            if errors == 0 { "valid" } else { "not valid" },
            counted(found.environments, "environment"),
            counted(found.stacks, "stack"),
            counted(errors, "error"),
            counted(warnings, "warning"),
        ));
    }
    Ok(if errors == 0 { DONE } else { FAILED })
}

fn only_environments(args: &Args, range: &str, output: &Output) -> Ended {
    let report = manager::only_environments(&args.manager.manager(Access::Read)?, range)?;
    let is_valid = report.trespasses.is_empty();
    if output.is_json() {
        let mut told = json!(report);
        told["valid"] = json!(is_valid);
        output.json(&told);
    } else {
        for Trespass {
            commit,
            path,
            reason,
        } in &report.trespasses
        {
            let commit = commit.get(..8).unwrap_or(commit);
            output.problem(&Problem::error(format!(
                "commit {commit}: {path}: {reason}"
            )));
        }
        output.data(format_args!(
            "{}: {}, {}",
            if is_valid { "valid" } else { "not valid" },
            counted(report.commits, "commit"),
            counted(report.trespasses.len(), "refused change"),
        ));
    }
    Ok(if is_valid { DONE } else { FAILED })
}

/// Whether a checkout at `path` differs from its last commit. A bare repository has no checkout,
/// and a `git` that cannot tell is no reason to fail: what was read is valid or not without it.
fn has_changes(path: &Path) -> bool {
    path.join(".git").exists() && git::has_changes(path, &[]).unwrap_or(false)
}
