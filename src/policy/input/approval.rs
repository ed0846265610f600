//! What an APPROVAL policy is asked: may this run go on.

use serde::Serialize;

use super::{Request, Run, Stack};

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ApprovalInput {
    pub reviews: Reviews,
    pub run: ApprovalRun,
    pub stack: Stack,
}

/// The latest review of each person.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reviews {
    /// Of the run's present state.
    pub current: Verdicts,
    /// Of its earlier states. The contract has an object here, the manual a list.
    pub older: Verdicts,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdicts {
    pub approvals: Vec<Review>,
    pub rejections: Vec<Review>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Review {
    pub author: String,
    pub author_roles: Vec<AuthorRole>,
    pub request: Request,
    pub session: ReviewSession,
    /// The state the run was in.
    pub state: String,
    pub state_version: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AuthorRole {
    pub ulid: String,
    pub slug: String,
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReviewSession {
    pub login: String,
    pub name: String,
    pub teams: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ApprovalRun {
    #[serde(flatten)]
    pub run: Run,
    pub repository_runtime_config_changed: bool,
}
