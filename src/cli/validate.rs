//! `dayfly validate`: everything that is wrong with a manager repository, at once.

use serde_json::json;

use super::arguments::{Cache, ManagerArgs};
use super::output::Output;
use super::{DONE, Ended, FAILED};
use crate::problem::{Problem, Severity};
use crate::reconcile;

/// Check a manager repository, or a plain directory, and name all that is wrong
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manager: ManagerArgs,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let cache = Cache::new()?;
    let found = reconcile::validate(&args.manager.manager(), &cache.repository)?;
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
        for problem in &found.problems {
            output.problem(problem);
        }
        output.data(format_args!(
            "{}: {} environments, {} stacks, {errors} errors, {warnings} warnings",
            if errors == 0 { "valid" } else { "not valid" },
            found.environments,
            found.stacks,
        ));
    }
    Ok(if errors == 0 { DONE } else { FAILED })
}
