//! The repository on GitHub that a URL of Git names.

use std::fmt;

use crate::config::{ApiAddress, host_of};
use crate::event::RepositoryName;

use super::GithubError;
use super::proposals::encoded;

/// A repository on the server that an API is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository(RepositoryName);

impl From<RepositoryName> for Repository {
    fn from(name: RepositoryName) -> Self {
        Self(name)
    }
}

impl Repository {
    /// The repository at `url`, if the API is that of its server: a token of one server is not
    /// for another one. `shown` is the URL without credentials, for messages.
    pub fn of(api: &ApiAddress, url: &str, shown: &str) -> Result<Self, GithubError> {
        let (host, path) = place(url).ok_or_else(|| GithubError::NoRepository(shown.to_owned()))?;
        if !api.serves(host) {
            return Err(GithubError::OtherServer {
                api: api.as_str().to_owned(),
                manager: shown.to_owned(),
            });
        }
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        path.parse()
            .map(Self)
            .map_err(|_| GithubError::NoRepository(shown.to_owned()))
    }

    /// Its page on `server`, the address of the server's pages.
    pub fn page(&self, server: &str) -> String {
        format!("{server}/{}", self.0)
    }

    /// The page of a file as it stands at `commit`, also a branch or `HEAD`.
    pub fn file_page(&self, server: &str, commit: &str, path: &str) -> String {
        let path: Vec<String> = path.split('/').map(encoded).collect();
        format!("{}/blob/{commit}/{}", self.page(server), path.join("/"))
    }

    pub fn commit_page(&self, server: &str, commit: &str) -> String {
        format!("{}/commit/{commit}", self.page(server))
    }

    pub fn owner(&self) -> &str {
        self.0.owner()
    }

    pub fn name(&self) -> &str {
        self.0.name()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What names the repository at `url` however it is reached: over https or ssh, by whatever user.
pub fn identity(url: &str) -> String {
    match place(url) {
        Some((host, path)) => {
            let path = path.trim_matches('/');
            let path = path.strip_suffix(".git").unwrap_or(path);
            format!("{host}/{path}").to_lowercase()
        }
        None => url.to_owned(),
    }
}

/// The host and the path of a URL, or of `user@host:path`; `None` of a path on this machine.
fn place(url: &str) -> Option<(&str, &str)> {
    if let Some((scheme, rest)) = url.split_once("://") {
        let (authority, path) = rest.split_once('/')?;
        if scheme.eq_ignore_ascii_case("ssh") {
            let host = authority.rsplit('@').next()?.split(':').next()?;
            return Some((host, path));
        }
        return host_of(url).map(|host| (host, path));
    }
    let (authority, path) = url.split_once(':')?;
    let host = authority.rsplit('@').next()?;
    (!authority.contains('/')).then_some((host, path))
}

#[cfg(test)]
mod tests {
    use super::{identity, place};

    #[test]
    fn one_repository_has_one_name() {
        for url in [
            "https://github.com/Acme/Previews.git",
            "https://x:secret@github.com/acme/previews",
            "git@github.com:acme/previews.git",
            "ssh://git@github.com:22/acme/previews/",
        ] {
            assert_eq!(identity(url), "github.com/acme/previews", "{url}");
        }
        assert_eq!(identity("/srv/a.git"), "/srv/a.git");
    }

    #[test]
    fn every_way_to_write_it() {
        for (url, expected) in [
            (
                "https://github.com/a/b.git",
                Some(("github.com", "a/b.git")),
            ),
            (
                "https://x:y@github.com:443/a/b",
                Some(("github.com", "a/b")),
            ),
            (
                "ssh://git@github.com:22/a/b.git",
                Some(("github.com", "a/b.git")),
            ),
            ("git@github.com:a/b.git", Some(("github.com", "a/b.git"))),
            ("file:///a/b", None),
            ("/srv/a/b", None),
            ("./a:b/c", None),
        ] {
            assert_eq!(place(url), expected, "{url}");
        }
    }
}
