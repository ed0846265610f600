//! `dayfly event`: what a pull request event means for its environment.

use std::path::PathBuf;

use super::arguments::{ManagerArgs, SigningArgs};
use super::output::Output;
use super::{Ended, env};
use crate::error::{Diagnose, Kind};
use crate::github::webhook;
use crate::manager::{Wish, Word};

/// Do what a GitHub pull request event means, under the service's rules
///
/// In a workflow the event is found by itself; elsewhere name it with --event-name and --event-path.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manager: ManagerArgs,

    #[command(flatten)]
    signing: SigningArgs,

    /// The event's name
    #[arg(long, env = "GITHUB_EVENT_NAME", value_name = "NAME")]
    event_name: String,

    /// The file with the event's payload
    #[arg(long, env = "GITHUB_EVENT_PATH", value_name = "FILE")]
    event_path: PathBuf,

    /// The service, where the repository is a source of several
    #[arg(long)]
    service: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum EventFileError {
    #[error("cannot read the event at {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Diagnose for EventFileError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("--event-path (or GITHUB_EVENT_PATH) names the JSON file of the event".to_owned())
    }
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let payload = std::fs::read(&args.event_path).map_err(|source| EventFileError::Read {
        path: args.event_path.clone(),
        source,
    })?;
    let event = webhook::read_event(&args.event_name, &payload)?;
    env::write(
        &args.manager,
        &args.signing,
        Wish {
            word: Word::Event(event),
            service: args.service,
        },
        output,
    )
}
