//! `dayfly runs approve` and `reject`: a person's word on a run that waits for an approval.

use serde_json::json;

use super::super::arguments::DataArgs;
use super::super::escape::escaped;
use super::super::output::Output;
use super::super::{DONE, Ended};
use crate::config;
use crate::reconcile::{self, Reviewed};
use crate::run::{RunId, RunState};
use crate::store::{Run, Store, StoreError};

#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The run's number, as `dayfly runs` lists it
    run: String,

    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,

    #[command(flatten)]
    data: DataArgs,
}

pub(in crate::cli) fn run(approves: bool, args: &Args, output: &Output) -> Ended {
    let directory = args.data.directory()?;
    if !Store::exists(&directory) {
        return Err(StoreError::NoRun(args.run.clone()).into());
    }
    let mut store = Store::open(&directory)?;
    let id = RunId::new(&*args.run);
    let person = config::person();
    let (run, reviewed) =
        reconcile::review(&mut store, &directory, &id, &person, approves, &args.note)?;
    if output.is_json() {
        let reviews = store.reviews(&id)?;
        output.json(&json!({ "run": run, "reviews": reviews }));
    } else {
        output.data(said(&run, &reviewed, &person, approves));
    }
    Ok(DONE)
}

fn said(run: &Run, reviewed: &Reviewed, person: &str, approves: bool) -> String {
    let word = if approves { "approves" } else { "rejects" };
    let known = format!("{} {word} run {} of {}", escaped(person), run.id, run.stack);
    match (reviewed, run.state) {
        (Reviewed::Approved, RunState::Queued) => {
            format!("{known}: it may go on; `dayfly apply` executes it")
        }
        (Reviewed::Approved, RunState::Unconfirmed) => {
            format!(
                "{known}: `dayfly runs confirm {}` may apply its plan",
                run.id
            )
        }
        (Reviewed::Approved | Reviewed::Rejected, state) => {
            let note = run.note.as_deref().map(escaped).unwrap_or_default();
            format!("{known}: it is {state}: {note}")
        }
        (Reviewed::Undecided(said), state) => {
            format!("{known}: it is still {state}: {}", escaped(said))
        }
    }
}
