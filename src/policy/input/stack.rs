//! SPACE, POOL and STACK of the contract.

use serde::Serialize;

use super::Commit;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Space {
    pub id: String,
    pub labels: Vec<String>,
    pub name: String,
}

impl Default for Space {
    /// The one space that every account has.
    fn default() -> Self {
        Self {
            id: "root".to_owned(),
            labels: Vec::new(),
            name: "root".to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkerPool {
    /// None for the public pool.
    pub id: Option<String>,
    pub labels: Vec<String>,
    /// None for the public pool.
    pub name: Option<String>,
    pub public: bool,
}

impl Default for WorkerPool {
    /// The public pool.
    fn default() -> Self {
        Self {
            id: None,
            labels: Vec::new(),
            name: None,
            public: true,
        }
    }
}

/// A role that a stack holds; `id` is its slug.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Role {
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stack {
    pub additional_project_globs: Vec<String>,
    pub administrative: bool,
    pub autodeploy: bool,
    pub branch: String,
    /// Slugs.
    pub contexts: Vec<String>,
    pub id: String,
    pub labels: Vec<String>,
    pub locked_by: Option<String>,
    pub name: String,
    pub namespace: Option<String>,
    /// Empty for the root: Spacelift's default push policy trims it, and a null cannot be trimmed.
    pub project_root: String,
    /// Without the owner.
    pub repository: String,
    pub roles: Vec<Role>,
    pub space: Space,
    pub state: String,
    pub terraform_version: Option<String>,
    pub terraform_workflow_tool: String,
    /// None before the first push that is tracked.
    pub tracked_commit: Option<Commit>,
    pub worker_pool: WorkerPool,
}
