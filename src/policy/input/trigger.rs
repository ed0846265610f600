//! What a TRIGGER policy is asked: a blocking run has ended.

use serde::Serialize;

use super::{Run, Stack, StateChange};

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TriggerInput {
    /// The run that ended, in whichever way.
    pub run: FinishedRun,
    /// Its stack.
    pub stack: Stack,
    /// Every stack there is.
    pub stacks: Vec<QueueingStack>,
    pub workflow: Vec<WorkflowRun>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FinishedRun {
    #[serde(flatten)]
    pub run: Run,
    pub states_history: Vec<StateChange>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QueueingStack {
    #[serde(flatten)]
    pub stack: Stack,
    pub queued_runs: u64,
}

/// A run of the same chain of triggers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WorkflowRun {
    pub id: String,
    pub stack_id: String,
    pub state: String,
    #[serde(rename = "type")]
    pub kind: String,
}
