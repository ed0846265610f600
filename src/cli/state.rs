//! `dayfly state`: the states that dayfly keeps of stacks, version by version.

use serde_json::json;
use serde_json::value::RawValue;

use super::escape::escaped;
use super::output::Output;
use super::stack::StackArgs;
use super::table::table;
use super::{DONE, Ended};
use crate::{config, reconcile};

/// Look at the states that dayfly keeps of stacks, and go back to an older one
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List the versions of a stack's state, newest first
    List(StackArgs),
    Pull(PullArgs),
    Rollback(RollbackArgs),
}

/// Print a stack's state, which may hold secrets
#[derive(clap::Args)]
pub(super) struct PullArgs {
    #[command(flatten)]
    stack: StackArgs,

    /// Which version [default: the newest]
    #[arg(long, value_name = "N")]
    version: Option<u64>,
}

/// Make an older version of a stack's state its newest; what Terraform has made stays as it is
#[derive(clap::Args)]
pub(super) struct RollbackArgs {
    #[command(flatten)]
    stack: StackArgs,

    /// The version to go back to, as `dayfly state list` lists it
    #[arg(long, value_name = "N")]
    version: u64,
}

pub(super) fn run(command: Command, output: &Output) -> Ended {
    match command {
        Command::List(args) => list(&args, output),
        Command::Pull(args) => pull(&args, output),
        Command::Rollback(args) => roll_back(&args, output),
    }
}

fn list(args: &StackArgs, output: &Output) -> Ended {
    let mut store = args.store()?;
    let (versions, held) =
        reconcile::state_versions(&mut store, &args.data.directory()?, &args.id())?;
    if output.is_json() {
        output.json(&json!({ "stack": args.id(), "versions": versions, "held_by": held }));
        return Ok(DONE);
    }
    let rows: Vec<[String; 6]> = versions
        .iter()
        .map(|kept| {
            [
                kept.version.to_string(),
                kept.serial.to_string(),
                kept.resources.to_string(),
                kept.at.to_string(),
                kept.digest.chars().take(12).collect(),
                kept.cause.clone(),
            ]
        })
        .collect();
    let head = ["VERSION", "SERIAL", "RESOURCES", "AT", "SHA-256", "FROM"];
    output.data(table(output.width(), head, &rows));
    if let Some(run) = held {
        output.talk(format_args!(
            "run {} works on the state: it is kept when the run has ended",
            run.id
        ));
    }
    Ok(DONE)
}

fn pull(args: &PullArgs, output: &Output) -> Ended {
    let directory = args.stack.data.directory()?;
    let mut store = args.stack.store()?;
    let (version, content) =
        reconcile::state_content(&mut store, &directory, &args.stack.id(), args.version)?;
    match serde_json::from_slice::<Box<RawValue>>(&content) {
        Ok(state) if output.is_json() => output.json(&json!({
            "stack": args.stack.id(),
            "version": version,
            "state": state,
        })),
        _ => output.bytes(&content),
    }
    Ok(DONE)
}

fn roll_back(args: &RollbackArgs, output: &Output) -> Ended {
    let directory = args.stack.data.directory()?;
    let stack = args.stack.id();
    let mut store = args.stack.store()?;
    let person = config::person();
    let version =
        reconcile::roll_back_state(&mut store, &directory, &stack, args.version, &person)?;
    if output.is_json() {
        output.json(&json!({ "stack": stack, "version": version }));
    } else {
        output.data(format_args!(
            "the state of {} is version {} now, with the content of version {}",
            escaped(stack.as_str()),
            version.version,
            args.version
        ));
        output.talk("`dayfly stack propose` plans what that would change");
    }
    Ok(DONE)
}
