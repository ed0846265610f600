//! The environment of a child: what is named here and what the stack was given, nothing else.
//! dayfly's own tokens are not among it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::plan::{RunPlan, StateOwner};
use crate::run::RunState;

const RUN_STATE: &str = "TF_VAR_spacelift_run_state";

/// The environment dayfly itself was started with, read by the configuration.
#[derive(Clone, Default)]
pub struct HostEnvironment(pub BTreeMap<String, String>);

/// What any program needs to work on this host, in the spellings that are in use.
const NEEDED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Only the names: values may be secrets.
impl fmt::Debug for HostEnvironment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl HostEnvironment {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What every child sees of the host.
    pub(super) fn base(&self) -> BTreeMap<String, String> {
        let mut base: BTreeMap<_, _> = self
            .0
            .iter()
            .filter(|(name, _)| NEEDED.contains(&name.as_str()) || name.starts_with("LC_"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        // Terraform warns at each step about a configuration that does not exist.
        if let Some(file) = self
            .get("TF_CLI_CONFIG_FILE")
            .filter(|file| Path::new(file).exists())
        {
            base.insert("TF_CLI_CONFIG_FILE".to_owned(), file.to_owned());
        }
        base
    }
}

/// Keeps children from reading the environment that dayfly itself was started with, and its memory,
/// off the system: they run as the same person. Linux knows how; of root it keeps nothing.
pub fn hide_from_children() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::warn!("children can read what dayfly was started with: {error}");
        }
    }
}

/// The whole environment of the run's children. What the runner relies on wins over the stack's
/// variables, and these over the host's.
pub(super) fn of_children(plan: &RunPlan, state: RunState) -> BTreeMap<String, String> {
    let mut environment = plan.host.base();
    environment.extend(plan.pass_environment.clone());
    environment.extend(plan.supplied.clone());
    environment.insert(RUN_STATE.to_owned(), state.to_string());
    let is_writing = matches!(state, RunState::Applying | RunState::Destroying);
    let variables = plan.writing.as_ref().filter(|_| is_writing);
    environment.extend(variables.unwrap_or(&plan.variables).clone());
    let mut set = |name: &str, value: &str| environment.insert(name.to_owned(), value.to_owned());
    set("TF_IN_AUTOMATION", "1");
    set("TF_INPUT", "0");
    set("CHECKPOINT_DISABLE", "1");
    set("TF_DATA_DIR", ".terraform");
    // Otherwise a module without a lock file does not use the cache. The lock file that may
    // become incomplete is that of a disposable workspace.
    set("TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "1");
    set("TF_PLUGIN_CACHE_DIR", &plan.plugin_cache.to_string_lossy());
    if let StateOwner::Managed { .. } = plan.state {
        // Another workspace's state would be kept in the disposable tree.
        set("TF_WORKSPACE", "default");
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::HostEnvironment;

    #[test]
    fn tokens_and_what_is_not_needed_stay_with_the_host() {
        let host = HostEnvironment(
            [
                ("PATH", "/bin"),
                ("LC_ALL", "C"),
                ("https_proxy", "http://proxy:1"),
                ("GITHUB_TOKEN", "t"),
                ("DAYFLY_TOKEN", "t"),
                ("AWS_SECRET_ACCESS_KEY", "t"),
                ("TF_VAR_x", "t"),
                ("TF_CLI_CONFIG_FILE", "/nonexistent/terraformrc"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        );
        let names: Vec<String> = host.base().into_keys().collect();
        assert_eq!(names, ["LC_ALL", "PATH", "https_proxy"]);
    }

    #[test]
    fn a_configuration_of_the_tool_that_exists_is_passed() {
        let file = ("TF_CLI_CONFIG_FILE".to_owned(), "/dev/null".to_owned());
        let host = HostEnvironment([file].into());
        assert_eq!(
            host.base().get("TF_CLI_CONFIG_FILE").map(String::as_str),
            Some("/dev/null")
        );
    }
}
