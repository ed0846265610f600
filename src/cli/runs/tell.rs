//! `dayfly runs confirm`, `discard`, `cancel`, `stop` and `retry`: what a person tells a run.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::arguments::DataArgs;
use super::super::escape::escaped;
use super::super::output::Output;
use super::super::{DONE, Ended, FAILED};
use crate::config;
use crate::reconcile::{self, Told};
use crate::run::{Command, RunId, RunState};
use crate::store::{Run, Store, StoreError};

/// How long a run that is to stop may take: its tool stores its state first.
const STOPS_WITHIN: Duration = Duration::from_secs(75);
const LOOK: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The run's number, as `dayfly runs` lists it
    run: String,

    #[command(flatten)]
    data: DataArgs,
}

pub(in crate::cli) fn run(command: Command, args: &Args, output: &Output) -> Ended {
    let directory = args.data.directory()?;
    if !Store::exists(&directory) {
        return Err(StoreError::NoRun(args.run.clone()).into());
    }
    let mut store = Store::open(&directory)?;
    let id = RunId::new(&*args.run);
    let (run, told) = reconcile::tell(&mut store, &directory, &id, command, &config::person())?;
    let run = match told {
        Told::Asked => until_stopped(&store, run)?,
        _ => run,
    };
    let is_stopped = command != Command::Stop || run.state == RunState::Stopped;
    if output.is_json() {
        let queued = match &told {
            Told::Queued(queued) => Some(queued),
            _ => None,
        };
        output.json(&json!({ "run": run, "queued": queued }));
    } else {
        output.data(said(&run, &told));
    }
    let is_unattended = told == Told::Unattended;
    Ok(if is_stopped || is_unattended {
        DONE
    } else {
        FAILED
    })
}

/// Waits until the run has ended, or is past the point of no return.
fn until_stopped(store: &Store, mut run: Run) -> Result<Run, StoreError> {
    let deadline = Instant::now() + STOPS_WITHIN;
    while Command::Stop.is_possible(run.kind, run.state) && Instant::now() < deadline {
        std::thread::sleep(LOOK);
        run = store.run(&run.id)?;
    }
    Ok(run)
}

fn said(run: &Run, told: &Told) -> String {
    let known = format!("run {} of {} is {}", run.id, run.stack, run.state);
    match told {
        Told::Asked if run.state != RunState::Stopped => {
            format!("{known}: it was not stopped in time")
        }
        Told::Moved | Told::Asked => {
            let next = match run.state {
                RunState::Confirmed => "; an apply at work takes it up, or the next `dayfly apply`",
                _ => "",
            };
            let note = run.note.as_deref().map(escaped).unwrap_or_default();
            format!("{known}: {note}{next}")
        }
        Told::PlannedAnew => format!(
            "{known}: its plan is not there any more, so it is planned anew by `dayfly apply`, and \
             waits again"
        ),
        Told::Unattended => format!("{known}: no apply works on it; the next one ends it"),
        Told::Queued(queued) => format!(
            "run {} of {} is QUEUED, as a retry of run {}; `dayfly apply` executes it",
            queued.id, queued.stack, run.id
        ),
    }
}
