//! What happened to a pull request. Nothing here knows GitHub's payloads (`github/` does).
//!
//! Names are parsed once, here, into types that cannot hold anything else: what reaches a path, a
//! commit message or a file afterwards is harmless by its type.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::error::{Diagnose, Kind};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EventError {
    #[error("`{0}` is no repository name")]
    RepositoryName(String),
    #[error("`{0}` is no pull request")]
    PullRequestId(String),
    #[error("`{0}` is no commit")]
    HeadSha(String),
    #[error("`{0}` is no branch name")]
    Branch(String),
}

impl Diagnose for EventError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::RepositoryName(_) => "write OWNER/NAME, such as acme/hello-service".to_owned(),
            Self::PullRequestId(_) => {
                "write OWNER/NAME#NUMBER, such as acme/hello-service#10 (quoted in a shell)"
                    .to_owned()
            }
            Self::HeadSha(_) => {
                "write a commit's hexadecimal id, as `git rev-parse` prints it".to_owned()
            }
            Self::Branch(_) => {
                "`git check-ref-format --branch NAME` tells what is allowed".to_owned()
            }
        })
    }
}

/// `OWNER/NAME`. Compared without regard to case, as GitHub does; printed as it was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName {
    owner: String,
    name: String,
}

impl RepositoryName {
    pub fn owner(&self) -> &str {
        &self.owner
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl PartialEq for RepositoryName {
    fn eq(&self, other: &Self) -> bool {
        self.owner.eq_ignore_ascii_case(&other.owner) && self.name.eq_ignore_ascii_case(&other.name)
    }
}

impl Eq for RepositoryName {}

impl FromStr for RepositoryName {
    type Err = EventError;

    /// GitHub's alphabets: letters, digits, `-` and `_` in an owner, also `.` in a name.
    fn from_str(text: &str) -> Result<Self, EventError> {
        let refuse = || EventError::RepositoryName(text.to_owned());
        let (owner, name) = text.split_once('/').ok_or_else(refuse)?;
        let common = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_owner = (1..=100).contains(&owner.len()) && owner.bytes().all(common);
        let is_name = (1..=100).contains(&name.len())
            && name.bytes().all(|byte| common(byte) || byte == b'.')
            && !name.bytes().all(|byte| byte == b'.');
        if is_owner && is_name {
            Ok(Self {
                owner: owner.to_owned(),
                name: name.to_owned(),
            })
        } else {
            Err(refuse())
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.owner, self.name)
    }
}

/// `OWNER/NAME#NUMBER`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PullRequestId {
    pub repository: RepositoryName,
    pub number: u64,
}

impl FromStr for PullRequestId {
    type Err = EventError;

    fn from_str(text: &str) -> Result<Self, EventError> {
        let refuse = || EventError::PullRequestId(text.to_owned());
        let (repository, number) = text.split_once('#').ok_or_else(refuse)?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit())
            && !number.starts_with('0')
            && number.len() <= 18;
        match (repository.parse(), number.parse()) {
            (Ok(repository), Ok(number)) if is_number => Ok(Self { repository, number }),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for PullRequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", self.repository, self.number)
    }
}

/// A commit's id in hexadecimal digits, whole or abbreviated, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HeadSha(String);

impl HeadSha {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeadSha {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for HeadSha {
    type Err = EventError;

    fn from_str(text: &str) -> Result<Self, EventError> {
        let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if (4..=64).contains(&text.len()) && is_hexadecimal {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(EventError::HeadSha(text.to_owned()))
        }
    }
}

/// A branch's name as Git allows it, without `refs/heads/`. It may still hold `$`, `{`, `"` or
/// `;`: it is data wherever it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Branch(String);

impl Branch {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Branch {
    type Err = EventError;

    /// The rules of `git check-ref-format --branch`.
    fn from_str(text: &str) -> Result<Self, EventError> {
        let forbidden = |letter: char| letter.is_ascii_control() || " ~^:?*[\\".contains(letter);
        let part_is_bad =
            |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
        let bad = text.len() > 1_000
            || text.starts_with('-')
            || text.ends_with('.')
            || text == "HEAD"
            || text.contains("..")
            || text.contains("@{")
            || text.contains(forbidden)
            || text.split('/').any(part_is_bad);
        if bad {
            Err(EventError::Branch(text.to_owned()))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// What happened, in GitHub's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Opened,
    Reopened,
    Synchronize,
    Edited {
        base_changed: bool,
        /// The words that ask for no environment came into the body, or left it.
        ignore_changed: bool,
    },
    /// With the label that was set, where it is known.
    Labeled(Option<String>),
    /// With the label that was removed, where it is known.
    Unlabeled(Option<String>),
    ReadyForReview,
    ConvertedToDraft,
    Closed,
    /// dayfly's own: it was seen to be open, and what GitHub sent of it may have been lost.
    Seen,
    /// One that says nothing about an environment: assigned, locked, …
    Other(String),
}

impl Action {
    /// The word, as GitHub spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Opened => "opened",
            Self::Reopened => "reopened",
            Self::Synchronize => "synchronize",
            Self::Edited { .. } => "edited",
            Self::Labeled(_) => "labeled",
            Self::Unlabeled(_) => "unlabeled",
            Self::ReadyForReview => "ready_for_review",
            Self::ConvertedToDraft => "converted_to_draft",
            Self::Closed => "closed",
            Self::Seen => "seen",
            Self::Other(word) => word,
        }
    }
}

/// A pull request as an event, or a person, describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRequest {
    pub id: PullRequestId,
    /// GitHub's number of the repository, when known: it survives a rename.
    pub repository_id: Option<u64>,
    pub head_sha: HeadSha,
    pub head_branch: Branch,
    pub base_branch: Option<Branch>,
    pub is_open: bool,
    pub is_draft: bool,
    /// The head is a branch of another repository.
    pub is_fork: bool,
    /// Its body asks for no environment ([`asks_for_none`]).
    pub asks_for_none: bool,
    pub labels: Vec<String>,
}

impl PullRequest {
    /// A pull request of `repository` as any could be, for trying out rules.
    pub fn example(repository: RepositoryName) -> Self {
        Self {
            id: PullRequestId {
                repository,
                number: 1,
            },
            repository_id: None,
            head_sha: HeadSha("0".repeat(40)),
            head_branch: Branch("example".to_owned()),
            base_branch: None,
            is_open: true,
            is_draft: false,
            is_fork: false,
            asks_for_none: false,
            labels: Vec::new(),
        }
    }
}

/// Whether the body of a pull request asks for no environment: `dayfly: ignore` on a line of its
/// own, in whatever letters.
pub fn asks_for_none(body: &str) -> bool {
    body.lines().any(|line| {
        line.trim().split_once(':').is_some_and(|(name, word)| {
            name.eq_ignore_ascii_case("dayfly") && word.trim().eq_ignore_ascii_case("ignore")
        })
    })
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRequestEvent {
    pub action: Action,
    pub pull_request: PullRequest,
    /// When it happened, by the clock of who sent it.
    pub at: Option<Time>,
    /// The login of who did it, as it was sent: anything may stand in it.
    pub by: Option<String>,
}

macro_rules! string_conversions {
    ($($kind:ty),*) => {$(
        impl From<$kind> for String {
            fn from(value: $kind) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $kind {
            type Error = EventError;

            fn try_from(text: String) -> Result<Self, EventError> {
                text.parse()
            }
        }
    )*};
}

string_conversions!(RepositoryName, PullRequestId, HeadSha, Branch);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_compare_without_case() {
        let name = |text: &str| text.parse::<RepositoryName>();
        assert_eq!(name("Acme/Hello").unwrap(), name("acme/hello").unwrap());
        assert_eq!(name("Acme/Hello").unwrap().to_string(), "Acme/Hello");
        for bad in [
            "", "acme", "/x", "acme/", "acme/..", "acme/a/b", "ac me/x", "a/b\n", "a/$",
        ] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn pull_requests_have_one_spelling() {
        let id: PullRequestId = "acme/hello-service#10".parse().unwrap();
        assert_eq!(id.to_string(), "acme/hello-service#10");
        for bad in [
            "acme/x",
            "acme/x#",
            "acme/x#0",
            "acme/x#01",
            "acme/x#-1",
            "acme/x#1#2",
            "#1",
        ] {
            assert!(bad.parse::<PullRequestId>().is_err(), "{bad:?}");
        }
        assert!(
            format!("acme/x#{}", "9".repeat(30))
                .parse::<PullRequestId>()
                .is_err()
        );
    }

    #[test]
    fn branches_follow_git() {
        for good in [
            "main",
            "feature/x",
            "a;b",
            "x${file(\"/etc/passwd\")}",
            "ünï",
            "a-b",
            "@",
            "@x",
        ] {
            assert!(good.parse::<Branch>().is_ok(), "{good:?}");
        }
        for bad in [
            "", "-x", "a b", "a..b", "a\nb", "x.lock", "a//b", "/a", "a/", ".a", "a/.b", "a.",
        ] {
            assert!(bad.parse::<Branch>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_body_asks_for_none_on_a_line_of_its_own() {
        for (body, expected) in [
            ("", false),
            ("dayfly: ignore", true),
            ("Text.\r\n\r\n  DayFly:  IGNORE\t\r\nMore.", true),
            ("dayfly:ignore", true),
            ("<!--\ndayfly: ignore\n-->", true),
            ("please dayfly: ignore", false),
            ("dayfly: ignore this", false),
            ("> dayfly: ignore", false),
            ("dayfly: ignored", false),
            ("dayfly\n: ignore", false),
        ] {
            assert_eq!(asks_for_none(body), expected, "{body:?}");
        }
    }

    #[test]
    fn commits_are_hexadecimal() {
        assert_eq!("ABCDEF12".parse::<HeadSha>().unwrap().as_str(), "abcdef12");
        for bad in ["", "abc", "xyz1", "12 34"] {
            assert!(bad.parse::<HeadSha>().is_err(), "{bad:?}");
        }
    }
}
