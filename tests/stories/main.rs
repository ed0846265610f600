//! Stories: what happens between real repositories, real tools and the binary. Each file is named
//! after what it tells; `support` is the world that all of them play in.

#![allow(
    clippy::unwrap_used,
    reason = "a story stops where something is not as told"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a story starts the tools that users start"
)]

mod support;

mod action;
mod admission;
mod artifacts;
mod bad_input;
mod broken_files;
mod closes;
mod crashes;
mod demo;
mod disorder;
mod git_races;
mod git_transport;
mod github_app;
mod previews;
mod proposals;
mod github_actions;
mod intents;
mod longest_and_strangest;
mod proxies;
mod ranges;
mod signed_commits;
mod ssh;
mod stacks;
mod what_people_read;
mod workflows;
mod writers;
