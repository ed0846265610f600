//! An environment: its identity, its file, and the decision what an event means for it.
//!
//! Everything here is pure: values in, values out.

mod admission;
mod claim;
mod file;
mod identity;
mod layout;
mod merge;
mod place;
mod strict;

pub use admission::{
    Admission, Judged, Judgement, Standing, Verdict, admit, judge_expired, judge_limit,
    limit_not_asked, refusal_for_life,
};
pub use claim::Claim;
pub(crate) use file::literal;
pub use file::{EnvironmentFile, Expiry};
pub use identity::{EnvironmentId, environment_name, read_environment_name};
pub use merge::{LaterTime, Merge, merge};
pub use place::{is_environment, service_of};
pub use strict::{Pattern, fault};

use crate::error::{Diagnose, Kind};
use crate::problem::Problem;

#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    #[error("{0}")]
    File(Problem),
}

impl Diagnose for EnvironmentError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        let Self::File(problem) = self;
        problem.hint.clone()
    }
}
