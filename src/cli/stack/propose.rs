//! `dayfly stack propose`: a plan that is never applied.

use serde_json::json;

use super::super::output::Output;
use super::super::{DONE, Ended};
use super::StackArgs;
use crate::{config, reconcile};

/// Queue a PROPOSED run of a stack: it plans, and never applies
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    stack: StackArgs,

    /// The commit of the stack's repository [default: the one that its runs are for]
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let stack = args.stack.id();
    let mut store = args.stack.store()?;
    let run = reconcile::propose(&mut store, &stack, args.commit, &config::person())?;
    if output.is_json() {
        output.json(&json!({ "run": run }));
    } else {
        output.data(format_args!(
            "run {} of {} is QUEUED; `dayfly apply` plans it",
            run.id, run.stack
        ));
    }
    Ok(DONE)
}
