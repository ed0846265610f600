//! Executes one run with the real tool, in the workspace that the caller made for it.
//!
//! ```text
//! RunPlan ─▶ workspace (project root, mounted files, state override)
//!         ─▶ init ─▶ plan ─▶ show ─▶ Journal::judge ─▶ apply (that very plan file) ─▶ outputs
//!         ─▶ init ─▶ apply (the plan file that a person confirmed) ─▶ outputs
//!         ─▶ init ─▶ destroy ─▶ show: nothing may be left
//! ```
//!
//! Everything a run needs is in its [`RunPlan`]; nothing is read from elsewhere. The journal hears
//! of each state before the state's effect starts. The runner decides nothing about other runs,
//! writes to no store and reports to nobody: it returns an [`Outcome`].

mod environment;
mod error;
mod execute;
mod hold;
mod in_flight;
mod init_lock;
mod kept_init;
mod log;
mod outcome;
mod plan;
mod process;
mod provider_cache;
mod readings;
mod reason;
mod redact;
mod shared_init;
mod step;
mod talk;
mod tool;
mod workspace;

#[cfg(test)]
mod tests;

pub use environment::{HostEnvironment, hide_from_children};
pub use error::RunnerError;
pub use execute::{Journal, JournalFailure, Verdict, execute};
pub use hold::{Hold, Holder, Patience};
pub use in_flight::in_flight;
pub use log::{foreword, said};
pub use outcome::{Counts, Outcome, Reason};
pub use plan::{Hooks, RunPlan, StateOwner};
pub use process::{StopSignal, Stops};
pub use redact::{Secrets, secret_parts};
pub use tool::{Tool, ToolPath, found};
