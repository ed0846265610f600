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

/// Who calls dayfly, for records: the actor of a workflow, else the user of this machine.
pub fn person() -> String {
    let actor = is_github_actions()
        .then(|| variable("GITHUB_ACTOR"))
        .flatten();
    let user = || {
        ["SUDO_USER", "LOGNAME", "USER"]
            .into_iter()
            .find_map(variable)
    };
    actor.or_else(user).unwrap_or_else(|| "somebody".to_owned())
}

/// What this machine calls itself.
pub fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

/// `DAYFLY_SSH_KEY`: the path of the key that opens the manager repository over ssh, or its text.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that reads the environment"
)]
pub fn ssh_key() -> Option<String> {
    // A secret that a CI does not have is an empty variable.
    std::env::var("DAYFLY_SSH_KEY")
        .ok()
        .filter(|key| !key.trim().is_empty())
}

/// Whether what is printed goes to a runner of GitHub Actions, which takes some lines for commands.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that reads the environment"
)]
pub fn is_github_actions() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| !value.is_empty())
}

/// The file in which a step of GitHub Actions leaves its outputs.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that reads the environment"
)]
pub fn step_output_file() -> Option<PathBuf> {
    std::env::var_os("GITHUB_OUTPUT")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// `GITHUB_SERVER_URL`: the address of the pages of GitHub's server, that of github.com if it is not
/// set. Without a slash at its end.
pub fn web_server() -> String {
    let server = variable("GITHUB_SERVER_URL");
    let server = server.as_deref().unwrap_or("https://github.com");
    server.trim_end_matches('/').to_owned()
}

/// The file to which a step of GitHub Actions adds what its job's page shows.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that reads the environment"
)]
pub fn step_summary_file() -> Option<PathBuf> {
    std::env::var_os("GITHUB_STEP_SUMMARY")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// The tokens that this machine's environment holds, and where each may go.
#[derive(Clone, Default)]
pub struct Tokens {
    /// `DAYFLY_TOKEN`: to any host, but never in clear text to another machine.
    pub(super) dayfly: Option<String>,
    /// `GITHUB_TOKEN`, and the only host that it is for.
    pub(super) github: Option<(String, String)>,
}

impl Tokens {
    pub fn from_environment() -> Self {
        let server = web_server();
        let host = host_of(&server).unwrap_or("github.com").to_owned();
        Self {
            dayfly: variable("DAYFLY_TOKEN"),
            github: variable("GITHUB_TOKEN").map(|token| (host, token)),
        }
    }

    /// The token for the repository at `url`, if there is one that may go there.
    pub fn for_url(&self, url: &str) -> Option<&str> {
        let host = host_of(url)?;
        let github = self
            .github
            .as_ref()
            .filter(|(own, _)| own.eq_ignore_ascii_case(host));
        let token = self.dayfly.as_ref().or(github.map(|(_, token)| token));
        token.filter(|_| is_safe(url)).map(String::as_str)
    }

    /// How people know one of them: by its variable.
    pub fn name_of(&self, token: &str) -> &'static str {
        match self.dayfly.as_deref() == Some(token) {
            true => "the token in DAYFLY_TOKEN",
            false => "the token in GITHUB_TOKEN",
        }
    }

    /// All of them, for logs to leave out.
    pub fn secrets(&self) -> impl Iterator<Item = &String> {
        self.dayfly
            .iter()
            .chain(self.github.iter().map(|(_, token)| token))
    }
}

/// A variable that is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that reads the environment"
)]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a secret may be sent to `url`: over https, or without leaving this machine.
pub fn is_safe(url: &str) -> bool {
    let is_https = url
        .get(..8)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let is_here = host_of(url).is_some_and(|host| {
        matches!(host, "localhost" | "[::1]")
            || host
                .parse::<std::net::Ipv4Addr>()
                .is_ok_and(|address| address.is_loopback())
    });
    is_https || is_here
}

/// The host that an http or https URL names, without user and port.
pub fn host_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let end = host
        .find(']')
        .map_or_else(|| host.find(':'), |bracket| Some(bracket + 1));
    Some(&host[..end.unwrap_or(host.len())])
}

/// All variables of this machine whose name and value are text.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that reads the environment"
)]
pub fn host_environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What `TF_VAR_*` of this machine say, by what stands after the prefix.
pub fn terraform_variables() -> BTreeMap<String, String> {
    let variables = host_environment().into_iter();
    let named = variables.filter_map(|(name, value)| {
        let name = name.strip_prefix("TF_VAR_")?.to_owned();
        Some((name, value))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::Tokens;

    #[test]
    fn a_token_goes_only_where_it_is_for() {
        let github = Some(("github.com".to_owned(), "g".to_owned()));
        let both = Tokens {
            dayfly: Some("d".to_owned()),
            github: github.clone(),
        };
        let github = Tokens {
            dayfly: None,
            github,
        };
        for (url, of_both, of_github) in [
            ("https://github.com/a/b.git", Some("d"), Some("g")),
            ("https://user@GitHub.com:443/a/b", Some("d"), Some("g")),
            ("https://github.com.evil.example/a/b", Some("d"), None),
            ("https://evil.example/github.com", Some("d"), None),
            ("https://github.com@evil.example/x", Some("d"), None),
            ("http://github.com/a/b.git", None, None),
            ("http://127.0.0.1:8080/a.git", Some("d"), None),
            ("http://[::1]:8080/a.git", Some("d"), None),
            ("http://127.evil.example/a.git", None, None),
            ("git@github.com:a/b.git", None, None),
            ("/srv/a.git", None, None),
        ] {
            assert_eq!(both.for_url(url), of_both, "{url}");
            assert_eq!(github.for_url(url), of_github, "{url}");
        }
    }
}
