//! All that the execution of one run needs to know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::run::{RunId, RunState, RunType};

use super::environment::HostEnvironment;

/// One run, ready to be executed. It holds secrets and so is not to be printed. The caller has made the workspace.
#[derive(Clone)]
pub struct RunPlan {
    pub run: RunId,
    pub kind: RunType,
    /// What the caller has recorded: PREPARING; CONFIRMED, of a run whose plan file is there; or
    /// REPLAN_REQUESTED.
    pub from: RunState,
    /// The stack's slug; like the next two, for messages.
    pub stack: String,
    /// The stack's repository, as a person knows it; without a token.
    pub repository: String,
    pub commit: String,
    /// Holds the tree of the commit; thrown away afterwards, except after UNCONFIRMED. Absolute.
    pub workspace: PathBuf,
    /// The directory around the tree, in which mounted files lie, as on Spacelift. Absolute.
    pub around: PathBuf,
    /// A directory of the tree, with `/`; empty for its root.
    pub project_root: String,
    pub host: HostEnvironment,
    /// What of the host's own variables the stack is given, as configured.
    pub pass_environment: BTreeMap<String, String>,
    /// What is told of the run (`TF_VAR_spacelift_…`), but for its state.
    pub supplied: BTreeMap<String, String>,
    /// The stack's variables (`TF_VAR_…` and others); they win over those of the host.
    pub variables: BTreeMap<String, String>,
    /// Those that it has in their place while real things change, where they are others.
    pub writing: Option<BTreeMap<String, String>>,
    /// Path relative to the directory around the tree, and content. One that the tree holds is replaced.
    pub mounted_files: Vec<(String, Vec<u8>)>,
    pub hooks: Hooks,
    pub state: StateOwner,
    /// Providers, shared by all runs. Absolute.
    pub plugin_cache: PathBuf,
    /// Where what an `init` has made is kept for the stack's next run; `None` keeps nothing. Absolute.
    pub kept_init: Option<PathBuf>,
    /// Where what an `init` has made lies for runs of other stacks whose `init` would read the same;
    /// `None` neither takes nor gives. Absolute.
    pub shared_inits: Option<PathBuf>,
    /// The file that the plan is written to and applied from, outside the workspace. It is
    /// removed when the run ends and kept when it is UNCONFIRMED. Absolute.
    pub plan_file: PathBuf,
    /// The run's log; appended to if it exists.
    pub log: PathBuf,
    /// Never shown in logs, reasons and outputs. What is shorter than four bytes is not redacted.
    pub secrets: Vec<String>,
    /// For the whole run, waiting for other runs' `init` included.
    pub time_limit: Duration,
    /// How long a step may print nothing.
    pub silence_limit: Duration,
    /// How long an interrupted tool may take to store its state before it is killed.
    pub grace: Duration,
    /// Whether a plan without warnings is applied without a person.
    pub autodeploy: bool,
    /// Whether a plan with warnings of a run that never applies waits for a person.
    pub is_reviewed: bool,
}

/// The stack's own shell commands around each phase. Each is run by a shell of its own in the
/// project root; one that fails fails the run, except after the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    pub before_init: Vec<String>,
    pub after_init: Vec<String>,
    pub before_plan: Vec<String>,
    pub after_plan: Vec<String>,
    pub before_apply: Vec<String>,
    pub after_apply: Vec<String>,
    pub before_destroy: Vec<String>,
    pub after_destroy: Vec<String>,
    /// Run however the run ended, unless it was stopped or waits for a person.
    pub after_run: Vec<String>,
}

/// Who keeps the stack's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateOwner {
    /// dayfly, in this file outside the workspace. Absolute.
    Managed { file: PathBuf },
    /// The stack, in the backend that its module names.
    Own,
}

impl StateOwner {
    /// The file that the tool writes it to, where dayfly keeps it.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Managed { file } => Some(file),
            Self::Own => None,
        }
    }
}
