//! What the children of a run are given: variables, files, hooks, and what of it no log may show.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use base64::Engine as _;

use super::phases::{self, Phase};
use super::prepare::Prepared;
use crate::runner::{Hooks, HostEnvironment};
use crate::stack::RunInputs;
use crate::store::Run;

/// Words in the name of a variable that tell of a secret.
const TELLING: [&str; 5] = ["SECRET", "TOKEN", "PASSWORD", "KEY", "CREDENTIAL"];

/// It holds secrets.
pub(super) struct Belongings {
    pub(super) host: HostEnvironment,
    pub(super) passed: BTreeMap<String, String>,
    /// What Spacelift tells a run of itself.
    pub(super) supplied: BTreeMap<String, String>,
    pub(super) variables: BTreeMap<String, String>,
    /// Those that the run has while real things change.
    pub(super) writing: BTreeMap<String, String>,
    /// By path in the workspace.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) secrets: Vec<String>,
}

impl Belongings {
    /// Puts together what the stack has itself and what dayfly.hcl passes of this machine; an error
    /// is the reason why the run fails.
    pub(super) fn of(
        prepared: &Prepared,
        run: &Run,
        host: &HostEnvironment,
        workspace: &Path,
    ) -> Result<Self, String> {
        let Prepared { inputs, given, .. } = prepared;
        let mut variables = inputs.variables.clone();
        for name in &inputs.secret_variables {
            match given.write_only.get(name) {
                Some(Some(value)) => drop(variables.insert(name.clone(), value.clone())),
                Some(None) => drop(variables.remove(name)),
                None => {}
            }
        }
        let supplied = supplied(prepared, run, workspace);
        let secret: BTreeSet<&str> = inputs.secret_variables.iter().map(String::as_str).collect();
        let of_phase = |phase| {
            phases::variables(phase, &variables, &secret, &supplied).map_err(|e| e.to_string())
        };
        let (reading, writing) = (of_phase(Phase::Read)?, of_phase(Phase::Write)?);
        let secrets = reading.secrets.into_iter().chain(writing.secrets);
        let mut own = Self {
            host: host.clone(),
            passed: given.variables.clone(),
            variables: reading.values,
            writing: writing.values,
            files: mounted_files(inputs)?,
            secrets: secrets.collect(),
            supplied,
        };
        own.secrets.extend(prepared.other_secrets.iter().cloned());
        let passed = own.passed.iter().filter(|(name, _)| tells(name));
        own.secrets.extend(passed.map(|(_, value)| value.clone()));
        for (path, from) in &given.files {
            let content = fs::read(from).map_err(|error| {
                format!(
                    "cannot read {}, which dayfly.hcl passes: {error}",
                    from.display()
                )
            })?;
            own.files.insert(path.clone(), content);
        }
        let secret_files = inputs.secret_files.iter().chain(given.files.keys());
        for content in secret_files.filter_map(|path| own.files.get(path)) {
            let text = String::from_utf8_lossy(content).into_owned();
            own.secrets.extend(text.lines().map(str::to_owned));
        }
        if prepared.is_fork {
            // The user's own directory holds what opens clouds.
            let home = workspace.to_string_lossy().into_owned();
            own.host.0.insert("HOME".to_owned(), home);
        }
        Ok(own)
    }
}

/// What Spacelift tells each run of itself; its state changes and is told by the runner.
fn supplied(prepared: &Prepared, run: &Run, workspace: &Path) -> BTreeMap<String, String> {
    let Prepared { inputs, spec, .. } = prepared;
    let space = match prepared.space.as_str() {
        "" => "root",
        space => space,
    };
    let branch = run.branch.as_ref().unwrap_or(&inputs.branch);
    let told = [
        ("account_name", inputs.repository.owner().to_owned()),
        ("commit_branch", branch.clone()),
        ("commit_sha", inputs.commit.clone()),
        ("local_preview", "false".to_owned()),
        ("project_root", inputs.project_root.clone()),
        ("repository", inputs.repository.to_string()),
        ("run_id", run.id.to_string()),
        ("run_trigger", run.cause.clone()),
        ("run_type", run.kind.as_str().to_owned()),
        ("space_id", space.to_owned()),
        ("stack_branch", inputs.branch.clone()),
        ("stack_id", run.stack.to_string()),
        ("stack_labels", spec.labels.join(",")),
        (
            "stack_labels_list",
            serde_json::json!(spec.labels).to_string(),
        ),
        ("workspace_root", workspace.display().to_string()),
    ];
    let told = told.into_iter();
    told.map(|(name, value)| (format!("TF_VAR_spacelift_{name}"), value))
        .collect()
}

fn tells(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    TELLING.iter().any(|word| name.contains(word))
}

fn mounted_files(inputs: &RunInputs) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let decoded = inputs.mounted_files.iter().map(|(path, content)| {
        let decoded = base64::engine::general_purpose::STANDARD.decode(content);
        decoded
            .map(|bytes| (path.clone(), bytes))
            .map_err(|error| format!("mounted file {path} is no base64: {error}"))
    });
    decoded.collect()
}

pub(super) fn hooks(inputs: &RunInputs) -> Hooks {
    let of = |phase: &str| inputs.hooks.get(phase).cloned().unwrap_or_default();
    Hooks {
        before_init: of("before_init"),
        after_init: of("after_init"),
        before_plan: of("before_plan"),
        after_plan: of("after_plan"),
        before_apply: of("before_apply"),
        after_apply: of("after_apply"),
        before_destroy: of("before_destroy"),
        after_destroy: of("after_destroy"),
        after_run: of("after_run"),
    }
}
