//! What the machine's environment says of GitHub: where its API is, and as whom it is asked.

use std::path::PathBuf;

use super::ConfigError;
use super::host::{Tokens, host_of, is_safe, variable};

/// The API of github.com.
const PUBLIC_API: &str = "https://api.github.com";

/// The address of GitHub's API, without a slash at its end. One of an enterprise server has a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiAddress(String);

impl ApiAddress {
    /// `GITHUB_API_URL`; the public one if it is not set.
    pub fn from_environment() -> Result<Self, ConfigError> {
        match variable("GITHUB_API_URL") {
            Some(text) => Self::parse(&text),
            None => Self::parse(PUBLIC_API),
        }
    }

    /// As [`ApiAddress::from_environment`], but `None` where nobody says that this is GitHub's
    /// world at all: no address, and no workflow.
    pub fn in_workflow() -> Result<Option<Self>, ConfigError> {
        let is_workflow = variable("GITHUB_ACTIONS").is_some();
        if variable("GITHUB_API_URL").is_none() && !is_workflow {
            return Ok(None);
        }
        Self::from_environment().map(Some)
    }

    fn parse(text: &str) -> Result<Self, ConfigError> {
        let address = text.trim_end_matches('/');
        let is_plain = !address.contains(['?', '#', '@']) && !address.contains(char::is_whitespace);
        match host_of(address) {
            Some(host) if !host.is_empty() && is_plain && is_safe(address) => {
                Ok(Self(address.to_owned()))
            }
            _ => Err(ConfigError::ApiAddress(text.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where its server answers GraphQL: beside the API of an enterprise server, in that of github.com.
    pub fn of_graphql(&self) -> Self {
        Self(self.0.strip_suffix("/v3").unwrap_or(&self.0).to_owned())
    }

    /// Whether this is the API of the server at `host`: the host itself, or `api.` before it.
    pub fn serves(&self, host: &str) -> bool {
        let own = host_of(&self.0).unwrap_or_default();
        let bare = own
            .get(..4)
            .filter(|start| start.eq_ignore_ascii_case("api."))
            .map(|_| &own[4..]);
        own.eq_ignore_ascii_case(host) || bare.is_some_and(|bare| bare.eq_ignore_ascii_case(host))
    }
}

impl Tokens {
    /// The token that may change things by `api`, the API of the manager repository's own server.
    pub fn for_api(&self, api: &ApiAddress) -> Option<&str> {
        let own = self.github.as_ref().filter(|(host, _)| api.serves(host));
        let own = own.map(|(_, token)| token);
        self.dayfly.as_ref().or(own).map(String::as_str)
    }

    /// The token that may ask `api` about the pull requests of source repositories, for `manager`:
    /// `DAYFLY_TOKEN` first, for a workflow's own sees no repository but its own.
    pub fn for_sources(&self, api: &ApiAddress, manager: &str) -> Option<&str> {
        let is_other_server = host_of(manager).is_some_and(|host| !api.serves(host));
        let own = self.github.as_ref().filter(|(host, _)| api.serves(host));
        let other = self.dayfly.as_ref().filter(|_| !is_other_server);
        other.or(own.map(|(_, token)| token)).map(String::as_str)
    }

    /// The token that comments on pull requests by `api`: the workflow's own, no other.
    pub fn for_comments(&self, api: &ApiAddress) -> Option<&str> {
        let own = self.github.as_ref().filter(|(host, _)| api.serves(host));
        own.map(|(_, token)| token.as_str())
    }

    /// The token that may ask `api` about a pull request. The workflow's own comes first: it sees
    /// the repository that the event is of. `DAYFLY_TOKEN` is for the server of `manager`: it goes
    /// only to that server's API, and may not see other repositories: then `false` stands beside it.
    pub fn for_asking(&self, api: &ApiAddress, manager: &str) -> Option<(&str, bool)> {
        let own = self.github.as_ref().filter(|(host, _)| api.serves(host));
        let is_same_server = host_of(manager).is_some_and(|host| api.serves(host));
        let other = self.dayfly.as_deref().filter(|_| is_same_server);
        own.map(|(_, token)| (token.as_str(), true))
            .or(other.map(|token| (token, false)))
    }
}

/// A GitHub App that dayfly acts as.
#[derive(Clone)]
pub struct GithubApp {
    /// Its number, or its client id.
    pub id: String,
    /// The private key, as text in PEM.
    pub key: String,
    /// The installation, where it is not to be looked up.
    pub installation: Option<u64>,
}

impl GithubApp {
    /// `None` if no App is named.
    pub fn from_environment() -> Result<Option<Self>, ConfigError> {
        let (id, key) = (variable("DAYFLY_APP_ID"), variable("DAYFLY_APP_KEY"));
        let (Some(id), Some(key)) = (&id, &key) else {
            return match (id, key) {
                (None, None) => Ok(None),
                (None, _) => Err(ConfigError::HalfAnApp("DAYFLY_APP_ID")),
                _ => Err(ConfigError::HalfAnApp("DAYFLY_APP_KEY")),
            };
        };
        if variable("DAYFLY_TOKEN").is_some() {
            return Err(ConfigError::AppAndToken);
        }
        let installation = variable("DAYFLY_APP_INSTALLATION")
            .map(|text| text.trim().parse())
            .transpose()
            .map_err(|_| ConfigError::AppInstallation)?;
        Ok(Some(Self {
            id: id.trim().to_owned(),
            key: read_key(key)?,
            installation,
        }))
    }
}

/// The key itself, or what stands in the file that it names.
fn read_key(text: &str) -> Result<String, ConfigError> {
    if text.contains("-----BEGIN") {
        // Secrets of a CI often arrive in one line.
        return Ok(text.replace("\\n", "\n"));
    }
    let path = PathBuf::from(text);
    // What is no path may be a secret: it is not shown.
    std::fs::read_to_string(&path).map_err(ConfigError::AppKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_safe_or_on_this_machine() {
        for (text, expected) in [
            ("https://api.github.com", Some("https://api.github.com")),
            (
                "https://ghe.example.com/api/v3/",
                Some("https://ghe.example.com/api/v3"),
            ),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("http://api.github.com", None),
            ("https://user@api.github.com", None),
            ("https://api.github.com?x", None),
            ("api.github.com", None),
            ("", None),
        ] {
            let parsed = ApiAddress::parse(text).ok();
            assert_eq!(parsed.as_ref().map(ApiAddress::as_str), expected, "{text}");
        }
    }

    #[test]
    fn an_api_serves_its_own_host_only() {
        for (api, host, expected) in [
            ("https://api.github.com", "github.com", true),
            ("https://API.github.com", "GitHub.com", true),
            ("https://ghe.example.com/api/v3", "ghe.example.com", true),
            ("https://api.acme.ghe.com", "acme.ghe.com", true),
            ("https://ghe.example.com/api/v3", "github.com", false),
            ("https://api.github.com", "hub.com", false),
            ("https://api.github.com.evil.example", "github.com", false),
            ("https://evil.example/api.github.com", "github.com", false),
        ] {
            let api = ApiAddress::parse(api).unwrap();
            assert_eq!(api.serves(host), expected, "{api:?} {host}");
        }
    }

    #[test]
    fn the_workflows_own_token_asks_first() {
        let tokens = |dayfly: Option<&str>, github: Option<&str>| Tokens {
            dayfly: dayfly.map(str::to_owned),
            github: github.map(|token| ("github.com".to_owned(), token.to_owned())),
        };
        let public = ApiAddress::parse(PUBLIC_API).unwrap();
        let other = ApiAddress::parse("https://ghe.example.com/api/v3").unwrap();
        let manager = "https://ghe.example.com/acme/previews.git";
        for (tokens, of_public, of_other) in [
            (
                tokens(Some("d"), Some("g")),
                Some(("g", true)),
                Some(("d", false)),
            ),
            (tokens(None, Some("g")), Some(("g", true)), None),
            (tokens(Some("d"), None), None, Some(("d", false))),
            (tokens(None, None), None, None),
        ] {
            assert_eq!(tokens.for_asking(&public, manager), of_public);
            assert_eq!(tokens.for_asking(&other, manager), of_other);
        }
    }

    #[test]
    fn a_sweep_asks_with_the_token_that_sees_other_repositories() {
        let tokens = |dayfly: Option<&str>, github: Option<&str>| Tokens {
            dayfly: dayfly.map(str::to_owned),
            github: github.map(|token| ("github.com".to_owned(), token.to_owned())),
        };
        let public = ApiAddress::parse(PUBLIC_API).unwrap();
        for (tokens, manager, expected) in [
            (
                tokens(Some("d"), Some("g")),
                "https://github.com/a/b",
                Some("d"),
            ),
            (
                tokens(Some("d"), Some("g")),
                "git@github.com:a/b.git",
                Some("d"),
            ),
            (tokens(Some("d"), Some("g")), ".", Some("d")),
            (tokens(None, Some("g")), "https://github.com/a/b", Some("g")),
            // One server's token is not for another's.
            (
                tokens(Some("d"), Some("g")),
                "https://git.example.com/a/b",
                Some("g"),
            ),
            (tokens(Some("d"), None), "https://git.example.com/a/b", None),
        ] {
            assert_eq!(tokens.for_sources(&public, manager), expected, "{manager}");
        }
    }
}
