//! `dayfly apply`: makes what stands in the manager repository so.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use owo_colors::OwoColorize;
use serde_json::json;
use tokio::sync::watch;

use super::arguments::{DataArgs, ManagerArgs};
use super::count::counted;
use super::output::Output;
use super::progress::Progress;
use super::{DONE, Ended, FAILED, changes, interruption};
use crate::config::{self, Tokens};
use crate::error::Kind;
use crate::github::Access;
use crate::problem::Severity;
use crate::reconcile::{self, Applied, Apply};
use crate::run::RunState;
use crate::runner::HostEnvironment;
use crate::stack::StackId;
use crate::store::Run;

/// Make it so: record the changes, run the stacks that they touch, destroy what is gone
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manager: ManagerArgs,

    #[command(flatten)]
    data: DataArgs,

    /// How many stacks run at once [default: one more than there are cores]
    #[arg(long, value_name = "N")]
    parallelism: Option<NonZeroUsize>,

    /// Allow the deletion of up to this many previews at once
    #[arg(long, value_name = "N")]
    allow_deletions: Option<usize>,

    /// Let pass what policies of the manager's stack warn of in this commit, its newest
    #[arg(long, value_name = "COMMIT")]
    confirm: Option<String>,

    /// Apply from this data directory what another one has applied so far
    ///
    /// Only where nothing stands that the other one made: this one knows nothing of it.
    #[arg(long)]
    take_over: bool,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let manager = args.manager.manager(Access::Write)?;
    let directory = args.data.directory()?;
    // An apply goes on without: what was not judged is judged by a later one.
    let github = args.manager.door_to_sources().unwrap_or_else(|error| {
        output.talk(format_args!(
            "{} no pull request is judged: {error}",
            "warning:".yellow().bold()
        ));
        None
    });
    // Where one waits for the disk or for a cloud, no core does.
    let more_than_cores = || {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        cores.saturating_add(1)
    };
    let progress = Progress::new();
    let applied = reconcile::apply(
        &Apply {
            manager: &manager,
            data_directory: &directory,
            parallelism: args.parallelism.unwrap_or_else(more_than_cores).get(),
            allow_deletions: args.allow_deletions,
            confirmed: args.confirm,
            takes_over: args.take_over,
            host: HostEnvironment(config::host_environment()),
            tokens: Tokens::from_environment(),
            pull_requests: github
                .as_ref()
                .map(|github| github as &dyn reconcile::PullRequests),
            stop: stop_signal(),
        },
        &progress,
        |planned| {
            if !output.is_json() {
                for line in changes::listed(&planned.comparison.changes) {
                    output.data(line);
                }
            }
        },
    );
    progress.finish();
    let applied = applied?;
    tell(&applied, output);
    Ok(code(&applied))
}

fn code(applied: &Applied) -> u8 {
    let has_errors = applied
        .problems
        .iter()
        .any(|p| p.severity == Severity::Error);
    // What failed and then succeeded has succeeded.
    let last: BTreeMap<(&StackId, bool), &Run> = applied
        .runs
        .iter()
        .map(|run| ((&run.stack, run.kind.is_blocking()), run))
        .collect();
    let mut failed = last
        .into_values()
        .filter(|run| run.state == RunState::Failed)
        .peekable();
    let any_failed = failed.peek().is_some();
    // A run that never came to have a commit failed for its repository, not by itself.
    if has_errors || failed.any(|run| !run.commit.is_empty()) {
        FAILED
    } else if !applied.unreachable.is_empty() {
        Kind::Outside as u8
    } else if any_failed {
        FAILED
    } else {
        DONE
    }
}

fn tell(applied: &Applied, output: &Output) {
    if output.is_json() {
        output.json(&json!({
            "commit": applied.commit,
            "changes": changes::described(&applied.changes),
            "runs": applied.runs,
            "problems": applied.problems,
        }));
        return;
    }
    output.problems(&applied.problems);
    for error in &applied.unreachable {
        output.talk(format_args!("{} {error}", "error:".red().bold()));
    }
    for run in &applied.runs {
        let state = match run.state {
            RunState::Finished => run.state.green().to_string(),
            RunState::Failed => run.state.red().bold().to_string(),
            _ => run.state.yellow().to_string(),
        };
        let note = run
            .note
            .as_ref()
            .map(|note| format!(": {note}"))
            .unwrap_or_default();
        output.data(format_args!(
            "run {} of {} ({}) {state}{note}",
            run.id, run.stack, run.kind
        ));
    }
    let count = |state| applied.runs.iter().filter(|run| run.state == state).count();
    output.data(format_args!(
        "Applied: {}, {} finished, {} failed.",
        counted(applied.changes.len(), "change"),
        counted(count(RunState::Finished), "run"),
        count(RunState::Failed)
    ));
}

/// Becomes true when the user interrupts; runs end in order then.
pub(super) fn stop_signal() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    interruption::take_over();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        if let Ok(runtime) = runtime {
            runtime.block_on(interrupted());
            let _ = sender.send(true);
            // The sender must outlive the runs: its end would mean that nothing stops them.
            std::thread::park();
        }
    });
    receiver
}

/// Resolves when the user, or the machine, wants the program to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
