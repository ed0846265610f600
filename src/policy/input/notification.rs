//! What a NOTIFICATION policy is asked: something happened, who is told.

use serde::Serialize;

use super::{FinishedRun, Stack};

/// One of `run_updated` and `internal_error` is there, the other one is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NotificationInput {
    pub account: Account,
    pub internal_error: Option<InternalError>,
    /// Modules of a registry are not dayfly's: always null.
    pub module_version: (),
    pub run_updated: Option<RunUpdated>,
    pub webhook_endpoints: Vec<WebhookEndpoint>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Account {
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WebhookEndpoint {
    pub id: String,
    pub labels: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InternalError {
    pub error: String,
    pub message: String,
    pub severity: Severity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunUpdated {
    pub note: String,
    pub plan_policy_decision: PlanPolicyDecision,
    /// Beside the run, as in the contract; the manual has it in the run.
    pub policy_receipts: Vec<PolicyReceipt>,
    pub run: FinishedRun,
    pub stack: Stack,
    pub state: String,
    pub timing: Vec<Timing>,
    pub urls: Urls,
    pub username: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlanPolicyDecision {
    pub deny: Vec<String>,
    pub warn: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PolicyReceipt {
    pub flags: Vec<String>,
    pub name: String,
    pub outcome: String,
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timing {
    /// Nanoseconds.
    pub duration: i64,
    pub state: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Urls {
    pub run: String,
}
