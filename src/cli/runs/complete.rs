//! `dayfly runs complete`: something is done elsewhere that runs wait for.

use serde_json::json;

use super::super::arguments::DataArgs;
use super::super::count::counted;
use super::super::escape::escaped;
use super::super::output::Output;
use super::super::{DONE, Ended};
use crate::store::{ExternalStatus, Store, StoreError};

/// Say that something is done that a push policy has runs wait for (its `external_dependency`)
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The name that the policy gave it
    name: String,

    /// How it ended; a run that waits for what failed fails
    #[arg(long, value_enum, default_value_t = Status::Finished)]
    status: Status,

    #[command(flatten)]
    data: DataArgs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Status {
    Finished,
    Skipped,
    Failed,
}

impl From<Status> for ExternalStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Finished => Self::Finished,
            Status::Skipped => Self::Skipped,
            Status::Failed => Self::Failed,
        }
    }
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    let directory = args.data.directory()?;
    let none = || StoreError::NoExternalDependency(args.name.clone());
    if !Store::exists(&directory) {
        return Err(none().into());
    }
    let status = args.status.into();
    let runs = Store::open(&directory)?.complete(&args.name, status)?;
    if runs == 0 {
        return Err(none().into());
    }
    if output.is_json() {
        output.json(&json!({ "name": args.name, "status": status, "runs": runs }));
    } else {
        output.data(format_args!(
            "{} is {}, for {}; `dayfly apply` goes on with what waits for nothing else",
            escaped(&args.name),
            status.as_str(),
            counted(runs, "run"),
        ));
    }
    Ok(DONE)
}
