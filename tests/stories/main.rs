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
mod comments;
mod crash_while_recording;
mod crashes;
mod demo;
mod disorder;
mod expiry;
mod future_times;
mod git_races;
mod git_transport;
mod github_app;
mod ownership;
mod plans;
mod moves;
mod people;
mod policies;
mod previews;
mod proposals;
mod pull_request_events;
mod proposals_end;
mod proposals_side_by_side;
mod github_actions;
mod intents;
mod longest_and_strangest;
mod manager_guard;
mod provider_cache;
mod proxies;
mod pushes;
mod ranges;
mod ranges_that_double;
mod refused_tokens;
mod renames;
mod rollbacks;
mod root_variables;
mod secrets;
mod sensitive_outputs;
mod scheduled_deletions;
mod signed_commits;
mod ssh;
mod stacks;
mod states;
mod sweep_at_scale;
mod sweep_doubts;
mod sweeps;
mod validates;
mod what_children_see;
mod what_people_read;
mod waves;
mod workflows;
mod writers;
