//! What can go wrong with a repository, told with the server's own words.

use std::io;
use std::path::PathBuf;

use super::words::NOBODY;
use crate::error::{Diagnose, Kind};

/// `doing` says what was tried and to what, as in "list the branches of https://…"; `words` are
/// those of `git` or of the server, in one line. Neither ever holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("cannot {doing}: the `git` command was not found")]
    Missing { doing: String },
    #[error("cannot {doing}: `git` does not start")]
    Start { doing: String, source: io::Error },
    #[error("cannot {doing}: no answer for {seconds} seconds")]
    TimedOut { doing: String, seconds: u64 },
    #[error("cannot {doing}: access denied to {asker}: {words}")]
    Unauthorized {
        doing: String,
        /// What was shown to the server, by a name that is no secret.
        asker: String,
        words: String,
    },
    #[error("cannot {doing}: the server's key is not known: {words}")]
    UnknownHost { doing: String, words: String },
    #[error("cannot {doing}: no such repository{}: {words}", unseen(asker.as_deref()))]
    Absent {
        doing: String,
        /// Who may just not see it; `None` of a path.
        asker: Option<String>,
        words: String,
    },
    #[error("cannot {doing}: it has no such branch or commit: {words}")]
    RefAbsent { doing: String, words: String },
    #[error("cannot {doing}: what answers there is no Git server")]
    NoGit { doing: String },
    #[error("cannot {doing}: {words}")]
    Command { doing: String, words: String },
    /// No other repository had a part in it.
    #[error("cannot {doing}: {words}")]
    WorkTree { doing: String, words: String },
    #[error("cannot push to branch {branch} of {remote}: the server refused: {words}")]
    Refused {
        remote: String,
        branch: String,
        words: String,
    },
    #[error("cannot push to branch {branch} of {remote}: it is checked out there")]
    CheckedOut { remote: String, branch: String },
    #[error("cannot push to branch {branch} of {remote}: the commit does not build on {expected}")]
    NotDescendant {
        remote: String,
        branch: String,
        expected: String,
    },
    #[error("{name:?} cannot be the name of a branch")]
    BranchName { name: String },
    #[error("cannot write {path:?} in a commit: {reason}")]
    EditPath { path: String, reason: &'static str },
    #[error("cannot check out {commit}: {} is not empty", directory.display())]
    NotEmpty { commit: String, directory: PathBuf },
    #[error("cannot take {range:?} for a range of commits: {reason}")]
    Range { range: String, reason: String },
    #[error("{name:?} is no commit that is in {}", path.display())]
    NoCommit {
        name: String,
        path: PathBuf,
        is_shallow: bool,
    },
    #[error("cannot look at the history of {}: it is cut off", path.display())]
    Shallow { path: PathBuf },
    /// A private key that was given; `key` names it, and never is its text.
    #[error("cannot use the {key}: {words}")]
    Key { key: String, words: String },
    #[error("cannot {doing}")]
    Object { doing: String, source: git2::Error },
    #[error("cannot {doing}")]
    Disk { doing: String, source: io::Error },
}

fn unseen(asker: Option<&str>) -> String {
    asker.map_or_else(String::new, |asker| {
        format!(", or none that {asker} may see")
    })
}

impl GitError {
    /// Wraps an error of the object database.
    pub(super) fn object(doing: impl Into<String>) -> impl FnOnce(git2::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Object { doing, source }
    }
}

impl Diagnose for GitError {
    fn kind(&self) -> Kind {
        match self {
            Self::CheckedOut { .. }
            | Self::BranchName { .. }
            | Self::EditPath { .. }
            | Self::Key { .. }
            | Self::Range { .. }
            | Self::Shallow { .. }
            | Self::NoCommit { .. }
            | Self::NotDescendant { .. }
            | Self::NotEmpty { .. } => Kind::Usage,
            _ => Kind::Outside,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { .. } => "install git 2.31 or newer, for example: apt-get install git",
            Self::Command { .. } | Self::NoGit { .. } => {
                "check the address, the network and your access"
            }
            Self::TimedOut { .. } => "check the address, the network and the proxy, then try again",
            Self::Unauthorized { asker, .. } if asker == NOBODY => {
                "set DAYFLY_TOKEN, or DAYFLY_APP_ID and DAYFLY_APP_KEY of a GitHub App"
            }
            Self::Unauthorized { words, .. } if words.contains("Permission denied (") => {
                "let the server take this key, with write access; DAYFLY_SSH_KEY names another one"
            }
            Self::Unauthorized { .. } => {
                "check that it is whole, has not expired, and may read and write this repository \
                 (on GitHub: contents)"
            }
            Self::UnknownHost { .. } => {
                "compare what `ssh-keyscan HOST` prints with what the server's owner publishes, then \
                 add it to ~/.ssh/known_hosts"
            }
            Self::Absent { .. } => {
                "check the address; a private repository also looks absent to a token that may not see it"
            }
            Self::CheckedOut { .. } => {
                "give the address of its bare repository (or another branch with --branch): a \
                 person may be working in this checkout"
            }
            Self::Refused { .. } => {
                "the server's rules for this branch decide; allow this writer there, or choose \
                 another branch with --branch"
            }
            Self::NoCommit {
                is_shallow: false, ..
            } => "fetch it, or write another name: `git rev-parse` tells what one stands for",
            Self::Shallow { .. } | Self::NoCommit { .. } => {
                "fetch all of it: git fetch --unshallow (`fetch-depth: 0` for actions/checkout)"
            }
            Self::Key { .. } => {
                "give a private SSH key without a passphrase, by its path or as its whole text; one \
                 with a passphrase goes into ssh-agent, and the path of its .pub file is given"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
