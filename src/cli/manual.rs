//! `dayfly manual`: what a release carries beside the binary. Not for users, so it is not shown.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Arguments, DONE, Ended};
use crate::error::{Diagnose, Kind};

/// Write the man pages and the shells' completions into a directory
#[derive(clap::Args)]
pub(super) struct Args {
    /// Gets `man/` and `completions/`
    directory: PathBuf,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write the manual to {}", directory.display())]
struct ManualError {
    directory: PathBuf,
    source: std::io::Error,
}

impl Diagnose for ManualError {
    fn kind(&self) -> Kind {
        Kind::Outside
    }
}

pub(super) fn run(args: &Args) -> Ended {
    write(&args.directory).map_err(|source| ManualError {
        directory: args.directory.clone(),
        source,
    })?;
    Ok(DONE)
}

fn write(directory: &Path) -> std::io::Result<()> {
    let (pages, completions) = (directory.join("man"), directory.join("completions"));
    fs::create_dir_all(&pages)?;
    fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(Arguments::command(), &pages)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Arguments::command(), "dayfly", &completions)?;
    }
    Ok(())
}
