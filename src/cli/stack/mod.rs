//! `dayfly stack`: what a person tells a stack.

mod leave;
pub(super) mod lock;
mod propose;

use super::Ended;
use super::arguments::DataArgs;
use super::output::Output;
use crate::error::Error;
use crate::reconcile::Refusal;
use crate::stack::StackId;
use crate::store::Store;

/// Tell a stack what to do
///
/// `dayfly lock STACK` and `dayfly unlock STACK` are short for `dayfly stack lock STACK` and its like.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Keep a stack from running until it is unlocked; what is queued waits
    Lock(lock::Args),
    /// Let a stack run again, whoever has locked it
    Unlock(StackArgs),
    Propose(propose::Args),
    /// Destroy an orphaned stack, with what its last apply was made of
    Destroy(StackArgs),
    Forget(leave::Args),
}

/// Which stack, and where it is recorded.
#[derive(clap::Args)]
pub(super) struct StackArgs {
    /// The stack's slug, as `dayfly status` lists it
    stack: String,

    #[command(flatten)]
    pub(super) data: DataArgs,
}

impl StackArgs {
    pub(super) fn id(&self) -> StackId {
        StackId::new(&*self.stack)
    }

    pub(super) fn store(&self) -> Result<Store, Error> {
        let directory = self.data.directory()?;
        if Store::exists(&directory) {
            Ok(Store::open(&directory)?)
        } else {
            Err(Refusal::NoStack(self.id()).into())
        }
    }
}

pub(super) fn run(command: Command, output: &Output) -> Ended {
    match command {
        Command::Lock(args) => lock::run(&args, output),
        Command::Unlock(args) => lock::release(&args, output),
        Command::Propose(args) => propose::run(args, output),
        Command::Destroy(args) => leave::destroy(&args, output),
        Command::Forget(args) => leave::forget(&args, output),
    }
}
