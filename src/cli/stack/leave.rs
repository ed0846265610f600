//! `dayfly stack destroy` and `forget`: what becomes of an orphaned stack.

use serde_json::json;

use super::super::output::Output;
use super::super::{DONE, Ended};
use super::StackArgs;
use crate::error::{Diagnose, Kind};
use crate::{config, reconcile};

/// Forget an orphaned stack: what it has made stays, and nobody manages it
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    stack: StackArgs,

    /// Yes, leave all that it has made behind
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("all that stack {0} has made would be left behind, and nobody would manage it")]
struct Unsaid(String);

impl Diagnose for Unsaid {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "`dayfly stack destroy {0}` destroys it; if it is to be left: `dayfly stack forget {0} \
             --yes`",
            self.0
        ))
    }
}

pub(super) fn destroy(args: &StackArgs, output: &Output) -> Ended {
    let run = reconcile::destroy(&mut args.store()?, &args.id(), &config::person())?;
    if output.is_json() {
        output.json(&json!({ "run": run }));
    } else {
        output.data(format_args!(
            "run {} of {} is QUEUED; `dayfly apply` destroys it",
            run.id, run.stack
        ));
    }
    Ok(DONE)
}

pub(super) fn forget(args: &Args, output: &Output) -> Ended {
    let stack = args.stack.id();
    let mut store = args.stack.store()?;
    reconcile::prove_orphaned(&store, &stack)?;
    if !args.yes {
        return Err(Unsaid(stack.to_string()).into());
    }
    let directory = args.stack.data.directory()?;
    let state = reconcile::forget(&mut store, &directory, &stack)?;
    if output.is_json() {
        output.json(&json!({ "stack": stack, "state": state }));
    } else {
        let state = state.map(|state| format!("; its state lies in {}", state.display()));
        output.data(format_args!(
            "stack {stack} is forgotten{}",
            state.unwrap_or_default()
        ));
    }
    Ok(DONE)
}
