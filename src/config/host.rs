//! What the machine's environment variables say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::ConfigError;

/// Where records are kept if nobody says otherwise: `dayfly` in the XDG state directory.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that reads the environment"
)]
pub fn data_directory() -> Result<PathBuf, ConfigError> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("dayfly"))
        .ok_or(ConfigError::NoDataDirectory)
}

/// The token for repositories reached over HTTP, if one is set.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that reads the environment"
)]
pub fn git_token() -> Option<String> {
    ["DAYFLY_TOKEN", "GITHUB_TOKEN"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|token| !token.is_empty())
}

/// All variables of this machine whose name and value are text.
pub fn host_environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
