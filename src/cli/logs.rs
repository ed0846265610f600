//! `dayfly logs`: what Terraform said in a run.

use std::path::PathBuf;

use serde_json::json;

use super::arguments::DataArgs;
use super::output::Output;
use super::{DONE, Ended};
use crate::error::{Diagnose, Kind};
use crate::run::RunId;
use crate::store::{Store, StoreError};

/// Print the log of a run
#[derive(clap::Args)]
pub(super) struct Args {
    /// The run's number, as `dayfly runs` lists it
    run: String,

    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, thiserror::Error)]
enum LogError {
    #[error("cannot read the log {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Diagnose for LogError {
    fn kind(&self) -> Kind {
        Kind::Outside
    }
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let directory = args.data.directory()?;
    if !Store::exists(&directory) {
        return Err(StoreError::NoRun(args.run).into());
    }
    let run = Store::open(&directory)?.run(&RunId::new(args.run))?;
    let path = directory.join("runs").join(format!("{}.log", run.id));
    let log = match std::fs::read(&path) {
        Ok(log) => log,
        // A run that failed before its tool began has no log, but a note.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(LogError::Read { path, source }.into()),
    };
    if output.is_json() {
        output.json(&json!({ "run": run, "log": String::from_utf8_lossy(&log) }));
    } else {
        output.bytes(&log);
        if let Some(note) = &run.note {
            output.talk(format_args!("run {} {}: {note}", run.id, run.state));
        }
    }
    Ok(DONE)
}
