//! The world that a story plays in: see [`World`].

#![allow(
    dead_code,
    unused_imports,
    reason = "of what the world offers, each story takes its part"
)]

mod actions_runner;
mod asked;
mod bare_repository;
mod git_server;
mod github;
mod github_scene;
#[path = "../../support/ref_names.rs"]
mod ref_names;
mod scene;
mod ssh_server;
pub(crate) mod sweep_scene;
pub(crate) mod web_server;
pub(crate) mod world;
mod writer;

pub(crate) use actions_runner::{Done, Job, holds, text, yaml};
pub(crate) use asked::{is_asked_for, said};
pub(crate) use bare_repository::BareRepository;
pub(crate) use git_server::{Breakage, GitServer, Hold};
pub(crate) use github::{Failure, FakeGithub, Grant, Limit, Merge, Trouble};
pub(crate) use github_scene::{GithubScene, MANAGER, TOKEN};
pub(crate) use ref_names::ref_names;
pub(crate) use scene::{INFRA, INFRA_7, PullRequest, SERVICE, SERVICE_10, Scene};
pub(crate) use ssh_server::{SshAgent, SshServer, generate_key};
pub(crate) use web_server::WebServer;
pub(crate) use world::{Output, World};
pub(crate) use writer::{Writer, id, tip};
