//! A preview environment for every pull request, driven by Git.
//!
//! ```text
//! pull request event ─▶ environment ─▶ manager ─▶ commit          (hand-off 1: git)
//!                                                   │
//!        module (evaluated) ◀───────────────────────┘
//!          │
//!          ▼
//!        stack (changes) ─▶ policy ─▶ run ─▶ runner ─▶ report     (hand-off 2: run rows)
//! ```
//!
//! The modules below stand in reading order; imports run down this list, never up.

pub mod clock;
pub mod error;
pub mod event;
pub mod problem;
pub mod escape;
pub mod markdown;
pub mod files;
mod threads;
pub mod config;
pub mod environment;
pub mod module;
pub mod git;
pub mod generate;
pub mod manager;
pub mod stack;
pub mod policy;
pub mod run;
pub mod store;
pub mod runner;
pub mod reconcile;
pub mod report;
pub mod github;
pub mod artifact;
pub mod cli;
