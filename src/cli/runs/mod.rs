//! `dayfly runs`: what was run.

mod complete;
mod follow;
mod review;
mod show;
pub(super) mod tell;

use super::arguments::DataArgs;
use super::output::Output;
use super::table::table;
use super::{DONE, Ended};
use crate::stack::StackId;
use crate::store::{Run, Store};

/// List runs, newest first, or tell one what to do
///
/// `dayfly confirm RUN` and its like are short for `dayfly runs confirm RUN`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    data: DataArgs,

    /// Only those of this stack
    #[arg(long, value_name = "STACK")]
    stack: Option<String>,

    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,

    /// Print each new state of each run as it comes, also of an apply elsewhere, until interrupted
    #[arg(long, conflicts_with = "limit")]
    follow: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    Show(show::Args),
    /// Have the plan applied that a run waits with, just as it was seen
    Confirm(tell::Args),
    /// Refuse the plan that a run waits with
    Discard(tell::Args),
    /// End a run that has not started
    Cancel(tell::Args),
    /// Stop a run that plans; one that applies is not stopped
    Stop(tell::Args),
    /// Queue another run of the same commit
    Retry(tell::Args),
    /// Say yes to a run that waits for an approval; its APPROVAL policies are asked again
    Approve(review::Args),
    /// Say no to it
    Reject(review::Args),
    Complete(complete::Args),
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    use crate::run::Command as Told;
    match args.command {
        None => {}
        Some(Command::Show(args)) => return show::run(args, output),
        Some(Command::Confirm(args)) => return tell::run(Told::Confirm, &args, output),
        Some(Command::Discard(args)) => return tell::run(Told::Discard, &args, output),
        Some(Command::Cancel(args)) => return tell::run(Told::Cancel, &args, output),
        Some(Command::Stop(args)) => return tell::run(Told::Stop, &args, output),
        Some(Command::Approve(args)) => return review::run(true, &args, output),
        Some(Command::Reject(args)) => return review::run(false, &args, output),
        Some(Command::Complete(args)) => return complete::run(&args, output),
        Some(Command::Retry(args)) => return tell::run(Told::Retry, &args, output),
    }
    let directory = args.data.directory()?;
    if args.follow {
        let stack = args.stack.map(StackId::new);
        return follow::run(&directory, stack.as_ref(), output);
    }
    let runs = if Store::exists(&directory) {
        let stack = args.stack.map(StackId::new);
        Store::open(&directory)?.runs(stack.as_ref(), args.limit)?
    } else {
        Vec::new()
    };
    if output.is_json() {
        output.json(&runs);
    } else if runs.is_empty() {
        output.talk("no runs");
    } else {
        let rows: Vec<[String; 7]> = runs.iter().map(row).collect();
        output.data(table(
            output.width(),
            [
                "RUN", "STACK", "TYPE", "STATE", "COMMIT", "CHANGES", "CAUSE",
            ],
            &rows,
        ));
    }
    Ok(DONE)
}

fn row(run: &Run) -> [String; 7] {
    let changes = match (run.added, run.changed, run.destroyed) {
        (Some(added), Some(changed), Some(destroyed)) => {
            format!("+{added} ~{changed} -{destroyed}")
        }
        _ => String::new(),
    };
    [
        run.id.to_string(),
        run.stack.to_string(),
        run.kind.to_string(),
        run.state.to_string(),
        run.commit.get(..8).unwrap_or(&run.commit).to_owned(),
        changes,
        run.cause.clone(),
    ]
}
