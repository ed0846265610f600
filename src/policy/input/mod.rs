//! What policies are asked about, field by field as Spacelift's contract names it.
//!
//! Every documented field is always there; what is absent is an explicit null. The engine and OPA
//! agree on `not is_null(input.x)` only if `x` is there. Points in time are integer Unix
//! nanoseconds. A caller fills in what it knows and leaves the rest to `Default`.

mod approval;
mod change;
mod notification;
mod plan;
mod push;
mod run;
mod stack;
mod trigger;

pub use approval::{
    ApprovalInput, ApprovalRun, AuthorRole, Review, ReviewSession, Reviews, Verdicts,
};
pub use change::{Action, Change, Entity, EntityData, EntityType, Phase};
pub use notification::{
    Account, InternalError, NotificationInput, PlanPolicyDecision, PolicyReceipt, RunUpdated,
    Severity, Timing, Urls, WebhookEndpoint,
};
pub use plan::{
    PlanContext, PlanInput, ResourceChange, ResourceDifference, Sanitization, TerraformPlan,
    ThirdPartyMetadata,
};
pub use push::{PullRequest, PushInput, PushedCommit, RunInProgress, VcsIntegration};
pub use run::{Commit, Request, Run, RuntimeConfig, Session, StateChange};
pub use stack::{Role, Space, Stack, WorkerPool};
pub use trigger::{FinishedRun, QueueingStack, TriggerInput, WorkflowRun};
