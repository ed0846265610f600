//! `dayfly runs`: what was run.

mod show;

use super::arguments::DataArgs;
use super::output::Output;
use super::table::table;
use super::{DONE, Ended};
use crate::stack::StackId;
use crate::store::{Run, Store};

/// List runs, newest first
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
}

#[derive(clap::Subcommand)]
enum Command {
    Show(show::Args),
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    if let Some(Command::Show(args)) = args.command {
        return show::run(args, output);
    }
    let directory = args.data.directory()?;
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
