//! Where another repository is reached, and with which secret.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::GitError;
use super::private_key::PrivateKey;
use super::ssh;
use super::words::NOBODY;

/// A secret that opens a repository over https. It shows itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    secret: String,
    /// How it is named where it is refused.
    name: String,
}

impl Token {
    /// The blanks and line ends that pasting leaves around a token are dropped.
    pub fn new(secret: impl AsRef<str>) -> Self {
        Self {
            secret: secret.as_ref().trim().to_owned(),
            name: "the token".to_owned(),
        }
    }

    /// The same under a name by which people know it, such as "the token in DAYFLY_TOKEN".
    pub fn called(self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(***)")
    }
}

/// A path or a URL of a repository. What it displays holds no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    shown: String,
    /// What `git` is given: an absolute path, or a URL without a secret in it.
    address: String,
    path: Option<PathBuf>,
    is_ssh: bool,
    access: Access,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Access {
    /// Whatever the caller's `git` has: ssh keys, credential helpers, nothing.
    Ambient,
    /// As `Ambient`, for this user.
    User(String),
    /// Basic authentication, `user:password` in base64; the second is the bare secret.
    Basic(Token, Token),
    /// This key and no other.
    Key(PrivateKey),
}

impl Remote {
    /// Takes what `git clone` takes. The token is used for http and https only; a password in the
    /// URL goes before it.
    pub fn new(url_or_path: &str, token: Option<Token>) -> Self {
        let token = token.filter(|token| !token.expose().is_empty());
        if let Some((scheme, rest)) = url_or_path.split_once("://") {
            return Self::from_url(scheme, rest, token);
        }
        if is_scp_like(url_or_path) {
            return Self {
                shown: url_or_path.to_owned(),
                address: url_or_path.to_owned(),
                path: None,
                is_ssh: true,
                access: Access::Ambient,
            };
        }
        // A relative path must not depend on where `git` is started.
        let path = std::path::absolute(url_or_path).unwrap_or_else(|_| url_or_path.into());
        Self {
            shown: url_or_path.to_owned(),
            address: path.to_string_lossy().into_owned(),
            path: Some(path),
            is_ssh: false,
            access: Access::Ambient,
        }
    }

    fn from_url(scheme: &str, rest: &str, token: Option<Token>) -> Self {
        let (user, password, place) = split_credentials(rest);
        let bare = format!("{scheme}://{place}");
        let path = scheme
            .eq_ignore_ascii_case("file")
            .then(|| PathBuf::from(decode(place)));
        if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
            let is_ssh = scheme.to_ascii_lowercase().contains("ssh");
            // ssh takes no password from a URL; a user's name is part of the address there.
            let shown = match user {
                Some(user) if is_ssh => format!("{scheme}://{user}@{place}"),
                _ => bare,
            };
            return Self {
                address: shown.clone(),
                shown,
                path,
                is_ssh,
                access: Access::Ambient,
            };
        }
        let basic = |user: &str, password: Token| {
            let pair = format!("{user}:{}", password.expose());
            let pair = Token::new(STANDARD.encode(pair));
            Access::Basic(pair, password)
        };
        let access = match (user, password, token) {
            (Some(user), Some(password), _) => {
                let password = Token {
                    secret: decode(password),
                    name: "the password in the address".to_owned(),
                };
                basic(&decode(user), password)
            }
            (_, _, Some(token)) => basic("x-access-token", token),
            (Some(user), None, None) => Access::User(decode(user)),
            (None, ..) => Access::Ambient,
        };
        Self {
            shown: bare.clone(),
            address: bare,
            path,
            is_ssh: false,
            access,
        }
    }

    /// The same, opened by this key and no other, if it is reached over ssh.
    pub fn with_ssh_key(mut self, key: PrivateKey) -> Result<Self, GitError> {
        if self.is_ssh {
            ssh::check(&key)?;
            self.access = Access::Key(key);
        }
        Ok(self)
    }

    /// Whether it is reached over ssh.
    pub fn is_ssh(&self) -> bool {
        self.is_ssh
    }

    pub(super) fn is_http(&self) -> bool {
        self.address.to_ascii_lowercase().starts_with("http")
    }

    pub(super) fn ssh_key(&self) -> Option<&PrivateKey> {
        match &self.access {
            Access::Key(key) => Some(key),
            _ => None,
        }
    }

    /// The directory, if the repository is on this machine and reached by path.
    pub fn local_path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Settings for `git` that carry the access, to be passed by environment.
    pub(super) fn settings(&self) -> Vec<(String, String)> {
        let address = &self.address;
        match &self.access {
            Access::Ambient | Access::Key(_) => Vec::new(),
            Access::User(user) => vec![(format!("credential.{address}.username"), user.clone())],
            Access::Basic(pair, _) => vec![
                // The empty value drops a header that a CI's checkout has left in a configuration:
                // a server refuses two. The whole address is the most exact match, so it wins.
                (format!("http.{address}.extraHeader"), String::new()),
                (
                    format!("http.{address}.extraHeader"),
                    format!("Authorization: Basic {}", pair.expose()),
                ),
                // Git would take the header to whatever host a redirect names.
                (format!("http.{address}.followRedirects"), "false".into()),
                // If this secret is refused, no other is to be tried in its place.
                ("credential.helper".to_owned(), String::new()),
            ],
        }
    }

    /// The header that opens it, if it is reached over http by nothing but its address and, at
    /// most, a token; `None` if by anything else.
    pub(super) fn plain_http(&self) -> Option<Option<String>> {
        let scheme = self.address.split_once("://")?.0.to_ascii_lowercase();
        match &self.access {
            _ if !matches!(scheme.as_str(), "http" | "https") => None,
            Access::Ambient => Some(None),
            Access::Basic(pair, _) => Some(Some(format!("Basic {}", pair.expose()))),
            Access::User(_) | Access::Key(_) => None,
        }
    }

    /// Whether a secret of its own is sent.
    pub(super) fn has_secret(&self) -> bool {
        matches!(self.access, Access::Basic(..))
    }

    /// Who asks, as it is told where access is refused; `None` of a repository on this machine.
    pub(super) fn asker(&self) -> Option<String> {
        let asker = match &self.access {
            _ if self.path.is_some() => return None,
            Access::Basic(_, secret) => secret.name().to_owned(),
            Access::Key(key) => format!("the {}", key.shown()),
            Access::User(user) => format!("{user} without a password"),
            Access::Ambient if self.is_ssh => "the keys that ssh has here".to_owned(),
            Access::Ambient => NOBODY.to_owned(),
        };
        Some(asker)
    }

    /// `text` without this remote's secret and without the credentials of any URL in it.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut text = strip_credentials(text);
        match &self.access {
            Access::Basic(pair, secret) => {
                for hidden in [pair, secret] {
                    if !hidden.expose().is_empty() {
                        text = text.replace(hidden.expose(), "***");
                    }
                }
                text
            }
            Access::Key(key) => key.redact(&text),
            Access::Ambient | Access::User(_) => text,
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

/// `host:path`, by git's own rule: a colon before any slash.
fn is_scp_like(text: &str) -> bool {
    text.split('/')
        .next()
        .is_some_and(|start| start.contains(':'))
}

/// `user:password@host/path` as (user, password, `host/path`).
fn split_credentials(rest: &str) -> (Option<&str>, Option<&str>, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some(at) = rest[..end].rfind('@') else {
        return (None, None, rest);
    };
    let place = &rest[at + 1..];
    match rest[..at].split_once(':') {
        Some((user, password)) => (Some(user), Some(password), place),
        None => (Some(&rest[..at]), None, place),
    }
}

/// Drops `user:password@` of every http URL, and the password of every other, within `text`.
pub(super) fn strip_credentials(text: &str) -> String {
    let mut stripped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        stripped.push_str(before);
        let end = after.find(|c: char| "/?#'\"<>".contains(c) || c.is_whitespace());
        let authority = &after[..end.unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => {
                if let (true, Some(user)) = (
                    before.ends_with("ssh://"),
                    authority.split([':', '@']).next(),
                ) {
                    stripped.push_str(user);
                    stripped.push('@');
                }
                &after[at + 1..]
            }
            None => after,
        };
    }
    stripped.push_str(rest);
    stripped
}

/// Resolves `%41`; what is no such escape stays.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_and_given_without_credentials() {
        let here = std::path::absolute("repositories/m.git").unwrap();
        let here = here.to_str().unwrap();
        // what is typed, what is shown, what git is given
        let table = [
            (
                "https://h.example/a/b.git",
                "https://h.example/a/b.git",
                "https://h.example/a/b.git",
            ),
            (
                "https://ann:pass@h.example/a",
                "https://h.example/a",
                "https://h.example/a",
            ),
            (
                "https://ghp_secret@h.example/a",
                "https://h.example/a",
                "https://h.example/a",
            ),
            (
                "https://a:p@ss@h.example:8/a@b",
                "https://h.example:8/a@b",
                "https://h.example:8/a@b",
            ),
            (
                "ssh://git:pw@h.example/a",
                "ssh://git@h.example/a",
                "ssh://git@h.example/a",
            ),
            (
                "git@h.example:a/b.git",
                "git@h.example:a/b.git",
                "git@h.example:a/b.git",
            ),
            ("/srv/m.git", "/srv/m.git", "/srv/m.git"),
            ("/srv/m:1.git", "/srv/m:1.git", "/srv/m:1.git"),
            ("repositories/m.git", "repositories/m.git", here),
        ];
        for (typed, shown, address) in table {
            let remote = Remote::new(typed, None);
            assert_eq!(remote.to_string(), shown, "{typed}");
            assert_eq!(remote.address(), address, "{typed}");
        }
    }

    #[test]
    fn a_path_is_local_and_a_url_is_not() {
        assert_eq!(
            Remote::new("/srv/m", None).local_path(),
            Some(Path::new("/srv/m"))
        );
        assert_eq!(
            Remote::new("file:///srv/m%20x", None).local_path(),
            Some(Path::new("/srv/m x"))
        );
        for typed in [
            "https://h.example/a",
            "git@h.example:a",
            "ssh://h.example/a",
        ] {
            assert_eq!(Remote::new(typed, None).local_path(), None, "{typed}");
        }
    }

    #[test]
    fn the_secret_is_sent_to_its_own_address_only() {
        let header = |remote: Remote| {
            remote
                .settings()
                .into_iter()
                .map(|(_, value)| value)
                .find(|v| v.contains("Basic"))
        };
        let basic = |pair: &str| Some(format!("Authorization: Basic {}", STANDARD.encode(pair)));
        let token = || Some(Token::new("s3cret\n"));
        let given = Remote::new("https://h.example/a", token());
        assert_eq!(
            given.settings()[0].0,
            "http.https://h.example/a.extraHeader"
        );
        assert_eq!(header(given), basic("x-access-token:s3cret"));
        assert_eq!(
            header(Remote::new("https://u:p%40@h.example/a", token())),
            basic("u:p@")
        );
        assert_eq!(
            header(Remote::new("https://h.example/a", Some(Token::new(" ")))),
            None
        );
        for typed in [
            "git@h.example:a",
            "ssh://h.example/a",
            "/srv/m",
            "file:///srv/m",
        ] {
            assert_eq!(header(Remote::new(typed, token())), None, "{typed}");
        }
    }

    #[test]
    fn no_text_shows_the_secret() {
        let remote = Remote::new("https://h.example/a", Some(Token::new("s3cret")));
        let pair = STANDARD.encode("x-access-token:s3cret");
        let told = remote.redact(&format!(
            "s3cret {pair} 'https://u:p@other.example/' https://tok@x ssh://git:pw@h/ a@b.example"
        ));
        assert_eq!(
            told,
            "*** *** 'https://other.example/' https://x ssh://git@h/ a@b.example"
        );
        assert_eq!(remote.asker().as_deref(), Some("the token"));
        assert_eq!(Remote::new("/srv/m", None).asker(), None);
        let debug = format!("{remote:?}");
        assert!(
            !debug.contains("s3cret") && !debug.contains(&pair),
            "{debug}"
        );
    }
}
