//! What keeps the runner from executing a run. A tool that ran and failed is no error of this
//! kind: it is an [`Outcome`](super::Outcome) with the tool's own reason.

use std::io;
use std::path::PathBuf;

use crate::error::{Diagnose, Kind};
use crate::run::{IllegalMove, RunId, RunState};

use super::tool::Tool;

#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error("neither terraform nor tofu was found on the PATH")]
    NoTool,
    #[error("{tool} was not found on the PATH")]
    ToolMissing { tool: Tool },
    #[error("cannot learn the version of {}: {reason}", path.display())]
    Version { path: PathBuf, reason: String },
    #[error("stack {stack}: there is no project root {root:?} in {repository} at {commit}")]
    ProjectRootAbsent {
        stack: String,
        root: String,
        repository: String,
        commit: String,
    },
    #[error("stack {stack}: the project root {root:?} leaves the tree of {repository} at {commit}")]
    ProjectRootOutside {
        stack: String,
        root: String,
        repository: String,
        commit: String,
    },
    #[error("stack {stack}: the mounted file {path:?} leaves the workspace")]
    MountOutside { stack: String, path: String },
    #[error("stack {stack}: {repository} holds {path} at {commit}, a name that dayfly needs")]
    OverrideExists {
        stack: String,
        repository: String,
        commit: String,
        path: String,
    },
    #[error("stack {stack}: the path of its state is not text: {}", path.display())]
    StatePath { stack: String, path: PathBuf },
    #[error(
        "stack {stack}: {repository} at {commit} overrides the backend: its state would be in \
         {found:?}, not with dayfly"
    )]
    StateElsewhere {
        stack: String,
        repository: String,
        commit: String,
        found: String,
    },
    #[error(
        "stack {stack}: its state is its own to keep, but the module in {repository} at {commit} \
         would keep it in the workspace, which is thrown away"
    )]
    StateInWorkspace {
        stack: String,
        repository: String,
        commit: String,
    },
    #[error("stack {stack}: cannot {action} {}", path.display())]
    Disk {
        stack: String,
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("stack {stack}: cannot run {}", program.display())]
    Process {
        stack: String,
        program: PathBuf,
        source: io::Error,
    },
    #[error("stack {stack}: cannot read what {step} printed: {reason}")]
    Unreadable {
        stack: String,
        step: &'static str,
        reason: String,
    },
    #[error("run {run}: cannot record that it is {state}")]
    Journal {
        run: RunId,
        state: RunState,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("run {run}: {refused}")]
    Move { run: RunId, refused: IllegalMove },
}

impl Diagnose for RunnerError {
    fn kind(&self) -> Kind {
        match self {
            Self::ProjectRootAbsent { .. }
            | Self::ProjectRootOutside { .. }
            | Self::MountOutside { .. }
            | Self::OverrideExists { .. }
            | Self::StateElsewhere { .. }
            | Self::StateInWorkspace { .. } => Kind::Usage,
            Self::Move { .. } => Kind::Failed,
            _ => Kind::Outside,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoTool | Self::ToolMissing { .. } => {
                "install terraform (https://developer.hashicorp.com/terraform/install) or tofu \
                 (https://opentofu.org/docs/intro/install), so that it is on the PATH"
            }
            Self::ProjectRootAbsent { .. } | Self::ProjectRootOutside { .. } => {
                "correct project_root of the stack: a directory of the repository, relative to \
                 its root"
            }
            Self::MountOutside { .. } => "correct relative_path of the spacelift_mounted_file",
            Self::OverrideExists { .. } => "rename that file in the repository",
            Self::StateElsewhere { .. } => {
                "remove the backend from the module's override files, or set manage_state = false"
            }
            Self::StateInWorkspace { .. } => {
                "give the module a backend block, or set manage_state = true"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
