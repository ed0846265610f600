//! `dayfly plan`: what an apply would do.

use serde_json::json;

use super::arguments::{Cache, DataArgs, ManagerArgs};
use super::count::counted;
use super::output::Output;
use super::{DONE, Ended, FAILED, changes};
use crate::error::Kind;
use crate::github::Access;
use crate::reconcile;
use crate::store::Store;

/// Show what an apply would change, without changing anything
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manager: ManagerArgs,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let directory = args.data.directory()?;
    let store = Store::exists(&directory).then(|| Store::open(&directory));
    let store = store.transpose()?;
    let cache = Cache::new()?;
    let manager = args.manager.manager(Access::Read)?;
    let planned = reconcile::plan(&manager, &cache.repository, store.as_ref())?;
    let rulings = reconcile::judge(&manager, &cache.repository, store.as_ref(), &planned)?;
    let ruled = reconcile::problems_of(&rulings);
    let problems: Vec<_> = planned.problems().chain(&ruled).collect();
    if output.is_json() {
        output.json(&json!({
            "commit": planned.commit,
            "changes": changes::described(&planned.comparison.changes),
            "kept": planned.comparison.kept,
            "waiting": planned.comparison.waiting,
            "rulings": rulings,
            "problems": problems,
        }));
    } else {
        output.problems(problems);
        for line in changes::listed(&planned.comparison.changes) {
            output.data(line);
        }
        if !planned.comparison.kept.is_empty() {
            let kept = planned.comparison.kept.len();
            output.data(format_args!(
                "  {} cannot be read and {}",
                counted(kept, "object"),
                if kept == 1 {
                    "stays as it is"
                } else {
                    "stay as they are"
                }
            ));
        }
        output.data(format_args!(
            "Plan: {}.",
            changes::summed(&planned.comparison.changes)
        ));
    }
    let is_denied = rulings.iter().any(|ruling| !ruling.denied.is_empty());
    Ok(if is_denied {
        Kind::Denied as u8
    } else if planned.has_errors() {
        FAILED
    } else {
        DONE
    })
}
