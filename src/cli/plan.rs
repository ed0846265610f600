//! `dayfly plan`: what an apply would do.

use serde_json::json;

use super::arguments::{Cache, DataArgs, ManagerArgs};
use super::count::counted;
use super::output::Output;
use super::{DONE, Ended, FAILED, changes};
use crate::error::{Error, Kind};
use crate::github::Access;
use crate::problem::Problem;
use crate::reconcile::{self, Planned, Ruling};
use crate::store::Store;

/// With `--detailed-exitcode`: there are changes. Terraform's number, which is not [`Kind::Usage`]
/// here.
const CHANGES: u8 = 2;

/// Show what an apply would change, without changing anything
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manager: ManagerArgs,

    #[command(flatten)]
    data: DataArgs,

    /// Compare with this commit of the manager repository, not with what is recorded
    ///
    /// For the repository at the path of --manager. COMMIT is whatever git rev-parse takes.
    #[arg(long, value_name = "COMMIT")]
    against: Option<String>,

    /// Exit with 0 if nothing changes, with 2 if something does, with 1 after any error
    #[arg(long)]
    detailed_exitcode: bool,
}

/// The exit code of a call that could not be parsed: to who asked for it, 2 means changes.
pub(super) fn code_of_parser(code: i32) -> u8 {
    let mut words = std::env::args_os();
    match u8::try_from(code) {
        Ok(CHANGES) if words.any(|word| word == "--detailed-exitcode") => FAILED,
        Ok(code) => code,
        Err(_) => FAILED,
    }
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let (planned, rulings, stays) = planned(&args).map_err(|mut error| {
        if args.detailed_exitcode {
            error.kind = Kind::Failed;
        }
        error
    })?;
    tell(&planned, &rulings, &stays, output);
    Ok(if rulings.iter().any(|ruling| !ruling.denied.is_empty()) {
        Kind::Denied as u8
    } else if planned.has_errors() {
        FAILED
    } else if args.detailed_exitcode && changes::are_any(&planned.comparison.changes) {
        CHANGES
    } else {
        DONE
    })
}

/// The plan, and what the policies of the manager's own stack say to it: the recorded ones, of which a
/// comparison of two commits knows none; and what would be left behind.
fn planned(args: &Args) -> Result<(Planned, Vec<Ruling>, Vec<Problem>), Error> {
    let cache = Cache::new()?;
    let cache = &cache.repository;
    let manager = args.manager.manager(Access::Read)?;
    if let Some(commit) = &args.against {
        return Ok((
            reconcile::plan_against(&manager, cache, commit)?,
            Vec::new(),
            Vec::new(),
        ));
    }
    let directory = args.data.directory()?;
    let store = Store::exists(&directory).then(|| Store::open(&directory));
    let store = store.transpose()?;
    let planned = reconcile::plan(&manager, cache, store.as_ref())?;
    let rulings = reconcile::judge(&manager, cache, store.as_ref(), &planned)?;
    let stays = match &store {
        Some(store) => reconcile::left_behind(&planned, store)?,
        None => Vec::new(),
    };
    Ok((planned, rulings, stays))
}

fn tell(planned: &Planned, rulings: &[Ruling], stays: &[Problem], output: &Output) {
    let comparison = &planned.comparison;
    let ruled = reconcile::problems_of(rulings);
    let problems: Vec<_> = planned.problems().chain(&ruled).chain(stays).collect();
    if output.is_json() {
        output.json(&json!({
            "commit": planned.commit,
            "changes": changes::described(&comparison.changes),
            "kept": comparison.kept,
            "waiting": comparison.waiting,
            "rulings": rulings,
            "problems": problems,
        }));
        return;
    }
    output.problems(problems);
    for line in changes::listed(&comparison.changes) {
        output.data(line);
    }
    let stay = [
        (
            &comparison.kept,
            "cannot be read and",
            "stays as it is",
            "stay as they are",
        ),
        (
            &comparison.waiting,
            "of a stack whose name is taken until it has left",
            "waits",
            "wait",
        ),
    ];
    for (objects, which, one, many) in stay {
        let does = if objects.len() == 1 { one } else { many };
        if !objects.is_empty() {
            output.data(format_args!(
                "{} {which} {does}.",
                counted(objects.len(), "object")
            ));
        }
    }
    output.data(changes::summed(&comparison.changes));
}
