//! `dayfly env extend`, `pin` and `unpin`: how long an environment stands.

use std::time::Duration;

use clap::Args;

use super::Ended;
use super::arguments::{WriteArgs, duration};
use super::env;
use super::output::Output;
use crate::clock::{self, Time};
use crate::event::PullRequestId;
use crate::github::GithubError;
use crate::manager::{Lifetime, ManagerError, Wish, Word};

/// Put off the end of an environment that expires
///
/// From now, or from when it would expire, whichever is later. One that has expired already comes
/// back at the commit that its pull request has now, if a token may read that.
#[derive(Args)]
pub(super) struct ExtendArgs {
    #[command(flatten)]
    lifetime: LifetimeArgs,

    /// By how much, such as 24h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    by: Duration,
}

/// Keep an environment that expires until its pull request closes, or it is unpinned
#[derive(Args)]
pub(super) struct PinArgs {
    #[command(flatten)]
    lifetime: LifetimeArgs,
}

/// Let an environment expire again: as long from now as `expire` of service.hcl says
#[derive(Args)]
pub(super) struct UnpinArgs {
    #[command(flatten)]
    lifetime: LifetimeArgs,
}

#[derive(Args)]
struct LifetimeArgs {
    /// OWNER/NAME#NUMBER
    pull_request: PullRequestId,

    #[command(flatten)]
    write: WriteArgs,

    /// The service, where the repository is a source of several
    #[arg(long)]
    service: Option<String>,

    /// What time it is [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,
}

impl LifetimeArgs {
    fn wish(&self, change: Lifetime) -> Wish {
        let word = Word::Lifetime {
            pull_request: self.pull_request.clone(),
            change,
            at: self.at.unwrap_or_else(clock::now),
        };
        Wish {
            word,
            service: self.service.clone(),
        }
    }
}

pub(super) fn extend(args: &ExtendArgs, output: &Output) -> Ended {
    let lifetime = &args.lifetime;
    let wish = |found| {
        let seconds = args.by.as_secs();
        lifetime.wish(Lifetime::Extend { seconds, found })
    };
    let ended = env::write(&lifetime.write, &wish(None), output);
    let Err(error) = ended else {
        return ended;
    };
    if !matches!(error.of(), Some(ManagerError::Expired { .. })) {
        return Err(error);
    }
    let github = match lifetime.write.manager.sources() {
        Ok(github) => github,
        // What is missing is told by the hint of the first error.
        Err(other) if matches!(other.of(), Some(GithubError::NoReadingToken(_))) => {
            return Err(error);
        }
        Err(other) => return Err(other),
    };
    let found = github.pull_request(&lifetime.pull_request)?;
    env::write(&lifetime.write, &wish(Some(Box::new(found))), output)
}

pub(super) fn pin(args: &PinArgs, output: &Output) -> Ended {
    let lifetime = &args.lifetime;
    env::write(&lifetime.write, &lifetime.wish(Lifetime::Pin), output)
}

pub(super) fn unpin(args: &UnpinArgs, output: &Output) -> Ended {
    let lifetime = &args.lifetime;
    env::write(&lifetime.write, &lifetime.wish(Lifetime::Unpin), output)
}
