//! What the children of a run are given: variables, files, hooks, and what of it no log may show.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;

use super::prepare::Prepared;
use crate::runner::{Hooks, HostEnvironment};
use crate::stack::RunInputs;

/// Words in the name of a variable that tell of a secret.
const TELLING: [&str; 5] = ["SECRET", "TOKEN", "PASSWORD", "KEY", "CREDENTIAL"];

/// It holds secrets.
pub(super) struct Belongings {
    pub(super) host: HostEnvironment,
    pub(super) passed: BTreeMap<String, String>,
    pub(super) variables: BTreeMap<String, String>,
    /// By path in the workspace.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) secrets: Vec<String>,
}

impl Belongings {
    /// Puts together what the stack has itself and what dayfly.hcl passes of this machine; an error
    /// is the reason why the run fails.
    pub(super) fn of(
        prepared: &Prepared,
        host: &HostEnvironment,
        workspace: &Path,
    ) -> Result<Self, String> {
        let Prepared { inputs, given, .. } = prepared;
        let mut own = Self {
            host: host.clone(),
            passed: given.variables.clone(),
            variables: inputs.variables.clone(),
            files: mounted_files(inputs)?,
            secrets: Vec::new(),
        };
        for name in &inputs.secret_variables {
            match given.write_only.get(name) {
                Some(Some(value)) => drop(own.variables.insert(name.clone(), value.clone())),
                Some(None) => drop(own.variables.remove(name)),
                None => {}
            }
        }
        let secret_variables = inputs.secret_variables.iter();
        own.secrets
            .extend(secret_variables.filter_map(|name| own.variables.get(name).cloned()));
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
