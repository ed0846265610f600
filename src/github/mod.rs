//! GitHub's own formats, turned into dayfly's words and then forgotten; and the one door to its API.
//!
//! Invariants: a token goes to the API of its own server only; no write is tried twice; no message
//! holds a secret.

mod app;
mod client;
mod comments;
mod error;
mod freshest;
mod news;
mod proposals;
mod pull_requests;
mod repository;
pub mod webhook;

pub use app::{Access, installation_token, reading_token};
pub use client::Github;
pub use comments::Conversation;
pub use error::GithubError;
pub use freshest::freshest;
pub use pull_requests::OpenPullRequests;
pub use repository::{Repository, identity};
