//! The manager repository: what stands in it, and the one way to change it.
//!
//! A change is decided on the tip of the branch, made as one commit without a checkout, and pushed.
//! A push that lost the race is decided anew on the fresh tip, never merged as text (invariant 1).

mod artifact;
mod batch;
mod choice;
mod closings;
mod decision;
mod explanation;
mod finding;
mod fold;
mod forks;
mod gate;
mod intents;
mod lateness;
mod lifetime;
mod location;
mod message;
mod owner;
mod particulars;
pub mod proposal;
mod range;
mod renaming;
mod rollback;
mod scope;
mod sending;
mod services;
mod sweep;
mod wish;
mod writer;
mod written_names;

pub use artifact::Artifact;
pub use batch::{Told, explain_all, write_all};
pub use explanation::{Explanation, explain};
pub use lifetime::digest_of;
pub use location::{Manager, Snapshot};
pub use owner::Owner;
pub use particulars::Particulars;
pub use proposal::{ProposalState, ProposalText, Proposed, is_withdrawn};
pub use range::{RangeReport, Trespass, only_environments};
pub use rollback::rolled_back;
pub use services::{
    BrokenService, Environment, Service, check_services, environments, find_environment, services,
};
pub use sweep::{Finding, Heard, Said, Sweep, Verdict};
pub use wish::{Lifetime, Outcome, OutcomeAction, Proposal, Wish, Word};
pub use writer::{write, write_once_built};

use std::time::Duration;

use crate::clock::Time;
use crate::config::ConfigError;
use crate::environment::EnvironmentError;
use crate::error::{Diagnose, Kind};
use crate::event::{PullRequestId, RepositoryName};
use crate::files::FilesError;
use crate::generate::GenerateError;
use crate::git::GitError;

#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error("the manager repository {0} has no branch yet")]
    Empty(String),
    #[error("the manager repository {manager} has no branch {branch}")]
    NoBranch { manager: String, branch: String },
    #[error("{0} is no manager repository: it has neither dayfly.hcl nor a service")]
    NoManager(String),
    #[error("{0} is no directory and no repository")]
    NoDirectory(String),
    #[error("{0} is not on this machine, where its history can be looked at")]
    NoHistory(String),
    #[error("{file} is not text in UTF-8")]
    NotText { file: String },
    #[error("there is no service {name} in the manager repository")]
    NoService { name: String, known: Vec<String> },
    #[error("the directory {name:?} cannot be a service: {reason}")]
    ServiceName { name: String, reason: &'static str },
    #[error("no service takes pull requests of {repository}")]
    NoSource {
        repository: RepositoryName,
        known: Vec<String>,
        advice: Option<String>,
    },
    #[error("{} services take pull requests of {repository}: {}", services.len(), services.join(", "))]
    ManyServices {
        repository: RepositoryName,
        services: Vec<String>,
    },
    #[error("the service {service} takes no pull requests of {repository}")]
    NotItsSource {
        service: String,
        repository: RepositoryName,
        advice: Option<String>,
    },
    #[error(
        "the branch {branch:?} cannot be `{input}`: Terraform would bring it into Unicode's normal form C, another name"
    )]
    BranchSpelling { branch: String, input: String },
    #[error("{service} has no environment.tf.tera")]
    NoTemplate { service: String },
    #[error("{path} stands there already and is not the environment of {pull_request}")]
    PathTaken {
        path: String,
        pull_request: PullRequestId,
    },
    #[error("{at} lies in the future: it is {now} by this machine's clock")]
    Future { at: Time, now: Time },
    #[error("the artifact {} is not known to be there", .0.address)]
    NotBuilt(Artifact),
    #[error("there is no environment {0}")]
    NoEnvironment(String),
    #[error("the environment of {pull_request} has expired and is gone")]
    Expired { pull_request: PullRequestId },
    #[error("it is unknown whether commit {commit} is on branch {branch} of {manager}")]
    Unheard {
        manager: String,
        branch: String,
        commit: String,
        source: Box<GitError>,
    },
    #[error("lost the race for the branch of {manager} {attempts} times in {} s", waited.as_secs())]
    LostRace {
        manager: String,
        attempts: u32,
        waited: Duration,
    },
}

impl Diagnose for ManagerError {
    fn kind(&self) -> Kind {
        match self {
            Self::Git(error) => error.kind(),
            Self::Files(error) => error.kind(),
            Self::Config(error) => error.kind(),
            Self::Environment(error) => error.kind(),
            Self::Generate(error) => error.kind(),
            Self::LostRace { .. } => Kind::LostRace,
            Self::NotBuilt(_) | Self::Unheard { .. } => Kind::Outside,
            _ => Kind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let list = |names: &[String]| match names {
            [] => "there is none yet: `dayfly service add` makes one".to_owned(),
            names => format!("it has: {}", names.join(", ")),
        };
        Some(match self {
            Self::Git(error) => return error.hint(),
            Self::Files(error) => return error.hint(),
            Self::Config(error) => return error.hint(),
            Self::Environment(error) => return error.hint(),
            Self::Generate(error) => return error.hint(),
            Self::Empty(_) => "push what `dayfly init` has made".to_owned(),
            Self::NoBranch { .. } => "name another one with --branch".to_owned(),
            Self::NoManager(_) => "`dayfly init` makes one".to_owned(),
            Self::NoDirectory(_) => "--manager takes a path or a URL".to_owned(),
            Self::NoHistory(_) => {
                "give --manager the path of a clone with its whole history".to_owned()
            }
            Self::NoSource {
                advice: Some(advice),
                ..
            }
            | Self::NotItsSource {
                advice: Some(advice),
                ..
            } => advice.clone(),
            Self::NoService { known, .. } | Self::NoSource { known, .. } => list(known),
            Self::ServiceName { .. } => {
                "rename it: up to 63 letters, digits and `-`, `_`, `.`".to_owned()
            }
            Self::ManyServices { .. } => "name one with --service".to_owned(),
            Self::NotItsSource {
                service,
                repository,
                ..
            } => {
                format!("add `source \"{repository}\" {{ … }}` to {service}/service.hcl")
            }
            Self::BranchSpelling { .. } => "rename the branch".to_owned(),
            Self::NoTemplate { service } => {
                format!("`dayfly service add {service} …` writes one")
            }
            Self::PathTaken { .. } => "move that file out of the way".to_owned(),
            Self::Future { .. } => {
                "say when it became true (--at), or leave that out; if it is right, set this machine's clock"
                    .to_owned()
            }
            Self::NoEnvironment(_) => "`dayfly env list` shows them".to_owned(),
            Self::Expired { pull_request } => format!(
                "`dayfly env upsert '{pull_request}' --head-sha SHA --head-branch BRANCH` brings it \
                 back, and so does `dayfly env extend` with a token that may read the pull request"
            ),
            Self::LostRace { .. } => "run it again".to_owned(),
            Self::Unheard { .. } => "run it again: what is done is not done twice".to_owned(),
            Self::NotText { .. } | Self::NotBuilt(_) => return None,
        })
    }
}
