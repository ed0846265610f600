//! `dayfly env rollback`: an environment's inputs as they were when they were last applied well.

use clap::Args;

use super::Ended;
use super::arguments::{Cache, DataArgs, WriteArgs};
use super::env;
use super::output::Output;
use crate::clock;
use crate::error::{Diagnose, Kind};
use crate::github::Access;
use crate::manager::{self, ManagerError, Wish, Word};
use crate::store::Store;

/// Restore an environment's inputs as they were when all its stacks were last applied well
///
/// One commit on the manager repository, and the next apply runs its stacks in their order. If what
/// stands now was applied well, it is what was before it. The pull request's next commit brings the
/// environment to its head again. Works where `dayfly apply` does: its data directory knows.
#[derive(Args)]
pub(super) struct RollbackArgs {
    /// The environment's id, OWNER/NAME#NUMBER, or the name of its module
    #[arg(value_name = "ID")]
    name: String,

    #[command(flatten)]
    write: WriteArgs,

    #[command(flatten)]
    data: DataArgs,

    /// Only among the environments of this service
    #[arg(long)]
    service: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum NothingBefore {
    #[error("{path} names no pull request, so no other command may write it")]
    NoPullRequest { path: String },
    #[error("of the environment {name} nothing else is known that was applied well")]
    Unknown { name: String },
}

impl Diagnose for NothingBefore {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NoPullRequest { .. } => "`git revert` the commit that changed it",
                Self::Unknown { .. } => {
                    "give --data-dir of the machine that applies; else `git revert` the commit, or \
                     `dayfly env upsert` with the commit that was well"
                }
            }
            .to_owned(),
        )
    }
}

pub(super) fn run(args: &RollbackArgs, output: &Output) -> Ended {
    let cache = Cache::new()?;
    let snapshot = env::snapshot(&args.write.manager.manager(Access::Read)?, &cache)?;
    let service = args.service.as_deref();
    let environment = manager::find_environment(snapshot.files(), service, &args.name)?;
    let path = environment.file.path;
    let Some(pull_request) = environment.file.pull_request else {
        return Err(NothingBefore::NoPullRequest { path }.into());
    };
    let directory = args.data.directory()?;
    let known = match Store::exists(&directory) {
        true => Store::open(&directory)?.applied(&path)?,
        false => Vec::new(),
    };
    let differs = |before: &str| -> Result<bool, ManagerError> {
        let text = manager::rolled_back(&path, &environment.text, before)?;
        Ok(text != environment.text)
    };
    for inputs in known {
        if !differs(&inputs.text)? {
            continue;
        }
        let wish = Wish {
            word: Word::Rollback {
                pull_request,
                text: inputs.text,
            },
            service: Some(environment.service),
        };
        let commit = inputs.commit.get(..8).unwrap_or(&inputs.commit);
        let note = format!(
            "as of commit {commit}, applied well {} ago",
            clock::age(inputs.at)
        );
        env::carry_out(&args.write, &wish, Some(&note), output)?;
        return Ok(super::DONE);
    }
    let name = args.name.clone();
    Err(NothingBefore::Unknown { name }.into())
}
