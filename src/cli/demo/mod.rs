//! `dayfly demo`: the whole story on one machine. Each step checks what it tells.

mod stage;
mod story;

use std::path::PathBuf;

use serde_json::json;

use super::output::Output;
use super::{DONE, Ended};
use crate::config;
use crate::error::{Diagnose, Error, Kind};
use crate::reconcile;
use crate::runner::HostEnvironment;
use stage::Stage;
use story::Story;

/// See the whole story on this machine: two pull requests, their previews, and their end
///
/// Needs git and terraform (or tofu); no network, no account.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Play in this directory and keep it
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,

    /// Stop while both previews stand, and tell how to go on by hand
    #[arg(long)]
    stay: bool,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum DemoError {
    #[error("cannot {doing} {}", path.display())]
    Disk {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the directory {} is not empty", .0.display())]
    NotEmpty(PathBuf),
    #[error("not as told: {told}, but {found}")]
    NotAsTold { told: String, found: String },
}

impl Diagnose for DemoError {
    fn kind(&self) -> Kind {
        match self {
            Self::Disk { .. } => Kind::Outside,
            Self::NotEmpty(_) => Kind::Usage,
            Self::NotAsTold { .. } => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotEmpty(_) => Some("name a new directory".to_owned()),
            Self::NotAsTold { .. } => {
                Some("with --keep DIR the logs stay: dayfly runs --data-dir DIR/data".to_owned())
            }
            Self::Disk { .. } => None,
        }
    }
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    reconcile::find_tool(&HostEnvironment(config::host_environment()))?;
    let place = Place::make(args.keep, args.stay)?;
    let stage = Stage::set(&place.path)?;
    let mut story = Story::new(&stage, output);
    let played = if args.stay {
        story.until_both_stand()
    } else {
        story.whole()
    };
    if output.is_json() && played.is_ok() {
        output.json(&json!({ "directory": place.path, "steps": story.steps() }));
    }
    played?;
    Ok(DONE)
}

/// Where the demo plays; gone afterwards unless it is to be kept.
struct Place {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn make(keep: Option<PathBuf>, stay: bool) -> Result<Self, Error> {
        let failed = |path: PathBuf| {
            move |source| DemoError::Disk {
                doing: "make the directory",
                path,
                source,
            }
        };
        if let Some(path) = keep {
            std::fs::create_dir_all(&path).map_err(failed(path.clone()))?;
            let path = path.canonicalize().map_err(failed(path.clone()))?;
            let mut entries = std::fs::read_dir(&path).map_err(failed(path.clone()))?;
            if entries.next().is_some() {
                return Err(DemoError::NotEmpty(path).into());
            }
            return Ok(Self {
                path,
                _temporary: None,
            });
        }
        let temporary = tempfile::Builder::new()
            .prefix("dayfly-demo-")
            .tempdir()
            .map_err(failed(std::env::temp_dir()))?;
        let path = temporary
            .path()
            .canonicalize()
            .map_err(failed(temporary.path().to_owned()))?;
        if stay {
            let _ = temporary.keep();
            return Ok(Self {
                path,
                _temporary: None,
            });
        }
        Ok(Self {
            path,
            _temporary: Some(temporary),
        })
    }
}
