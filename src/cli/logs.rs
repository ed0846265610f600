//! `dayfly logs`: what Terraform said in a run, also while it runs.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::arguments::DataArgs;
use super::output::Output;
use super::{DONE, Ended};
use crate::error::{Diagnose, Error, Kind};
use crate::reconcile::log_file;
use crate::run::RunId;
use crate::store::{Run, Store, StoreError};

const LOOK: Duration = Duration::from_millis(200);

/// Print the log of a run, as far as it has come
#[derive(clap::Args)]
pub(super) struct Args {
    /// The run's number, as `dayfly runs` lists it
    run: String,

    /// Go on until the run has ended, or waits for a person
    #[arg(long)]
    follow: bool,

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
    #[error("a log that goes on is no JSON document")]
    NoDocument,
}

impl Diagnose for LogError {
    fn kind(&self) -> Kind {
        match self {
            Self::Read { .. } => Kind::Outside,
            Self::NoDocument => Kind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => None,
            Self::NoDocument => Some("leave out --follow, or --output json".to_owned()),
        }
    }
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    if args.follow && output.is_json() {
        return Err(LogError::NoDocument.into());
    }
    let directory = args.data.directory()?;
    if !Store::exists(&directory) {
        return Err(StoreError::NoRun(args.run).into());
    }
    let store = Store::open(&directory)?;
    let mut run = store.run(&RunId::new(args.run))?;
    let mut log = Log {
        path: log_file(&directory, &run.id),
        file: None,
    };
    if output.is_json() {
        let text = log.more()?;
        output.json(&json!({ "run": run, "log": String::from_utf8_lossy(&text) }));
        return Ok(DONE);
    }
    // Asked before the log is read: what is written after the end is seen.
    while args.follow && !is_over(&run) && !output.is_closed() {
        output.bytes(&log.more()?);
        std::thread::sleep(LOOK);
        run = store.run(&run.id)?;
    }
    output.bytes(&log.more()?);
    if let Some(note) = &run.note {
        output.talk(format_args!("run {} {}: {note}", run.id, run.state));
    }
    Ok(DONE)
}

fn is_over(run: &Run) -> bool {
    run.state.is_terminal() || run.state.waits_for_a_person()
}

/// A log that may not be there yet, read as far as it has come.
struct Log {
    path: PathBuf,
    file: Option<File>,
}

impl Log {
    /// What was written since the last look. A run that failed before its tool began has no log.
    fn more(&mut self) -> Result<Vec<u8>, Error> {
        let failed = |source| {
            let path = self.path.clone();
            LogError::Read { path, source }
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => match File::open(&self.path) {
                Ok(file) => none.insert(file),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(failed(error).into()),
            },
        };
        let mut more = Vec::new();
        file.read_to_end(&mut more).map_err(failed)?;
        Ok(more)
    }
}
