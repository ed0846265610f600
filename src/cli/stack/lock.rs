//! `dayfly stack lock` and `unlock`: nothing of a locked stack runs.

use serde_json::json;

use super::super::escape::escaped;
use super::super::output::Output;
use super::super::{DONE, Ended};
use super::StackArgs;
use crate::{config, reconcile};

#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    stack: StackArgs,

    /// Why, for those who find it locked
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    note: String,
}

pub(in crate::cli) fn run(args: &Args, output: &Output) -> Ended {
    let stack = args.stack.id();
    let mut store = args.stack.store()?;
    let lock = reconcile::lock(&mut store, &stack, &config::person(), &args.note)?;
    if output.is_json() {
        output.json(&json!({ "stack": stack, "lock": lock }));
    } else {
        output.data(format_args!(
            "stack {stack} is {}",
            escaped(&lock.to_string())
        ));
    }
    Ok(DONE)
}

pub(in crate::cli) fn release(args: &StackArgs, output: &Output) -> Ended {
    let stack = args.id();
    let lock = reconcile::unlock(&mut args.store()?, &stack)?;
    if output.is_json() {
        output.json(&json!({ "stack": stack, "lock": null, "was": lock }));
    } else {
        output.data(format_args!(
            "stack {stack} is not locked any more; it was {}",
            escaped(&lock.to_string())
        ));
    }
    Ok(DONE)
}
