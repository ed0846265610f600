//! Arguments that several commands share.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use super::escape::is_control;
use crate::config::{self, Tokens};
use crate::error::{Diagnose, Error, Kind};
use crate::git::{self, Committer, PrivateKey, Remote, Repository, SigningKey, Token};
use crate::manager::Manager;

#[derive(Args)]
pub(super) struct ManagerArgs {
    /// The manager repository: a path or a URL
    #[arg(long, env = "DAYFLY_MANAGER", value_name = "PATH|URL")]
    manager: String,

    /// Its branch, if not the one that its HEAD points to
    #[arg(long)]
    branch: Option<String>,
}

impl ManagerArgs {
    /// The manager repository with what opens it: a token over https, `DAYFLY_SSH_KEY` over ssh.
    pub(super) fn manager(&self) -> Result<Manager, Error> {
        let tokens = Tokens::from_environment();
        let mut remote = Remote::new(&self.manager, tokens.for_url(&self.manager).map(Token::new));
        if let Some(key) = config::ssh_key()
            && remote.is_ssh()
        {
            remote = remote.with_ssh_key(PrivateKey::new("SSH key", &key)?)?;
        }
        Ok(Manager {
            remote,
            branch: self.branch.clone(),
        })
    }
}

#[derive(Args)]
pub(super) struct SigningArgs {
    /// Sign commits with this SSH key: its file, or its text in the variable
    #[arg(
        long,
        env = "DAYFLY_SIGNING_KEY",
        hide_env_values = true,
        value_name = "FILE"
    )]
    signing_key: Option<String>,
}

impl SigningArgs {
    /// Who commits: the identity that `git commit` would use here, with the key.
    pub(super) fn committer(&self) -> Result<Committer, Error> {
        // A secret that a CI does not have is an empty variable.
        let given = self
            .signing_key
            .as_deref()
            .filter(|key| !key.trim().is_empty());
        Ok(Committer {
            key: given.map(SigningKey::read).transpose()?,
            signature: git::identity(Path::new(".")),
        })
    }
}

#[derive(Args)]
pub(super) struct DataArgs {
    /// Where records and states are kept [default: dayfly in the XDG state directory]
    #[arg(long, env = "DAYFLY_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DataArgs {
    pub(super) fn directory(&self) -> Result<PathBuf, Error> {
        match &self.data_dir {
            Some(directory) => Ok(directory.clone()),
            None => Ok(config::data_directory()?),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the argument {argument:?} holds a control character")]
pub(super) struct ControlCharacter {
    argument: String,
}

impl Diagnose for ControlCharacter {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("nothing that dayfly is told holds one: write it without".to_owned())
    }
}

/// Refuses what would reach the terminal, or the log of a CI, in the parser's own messages.
pub(super) fn refuse_control_characters(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<(), ControlCharacter> {
    let mut texts = arguments
        .into_iter()
        .map(|argument| argument.to_string_lossy().into_owned());
    match texts.find(|text| text.contains(is_control)) {
        Some(argument) => Err(ControlCharacter { argument }),
        None => Ok(()),
    }
}

/// A bare repository for objects on their way, gone when it is dropped.
pub(super) struct Cache {
    pub(super) repository: Repository,
    _directory: tempfile::TempDir,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum CacheError {
    #[error("cannot make a temporary directory")]
    Directory(#[source] std::io::Error),
}

impl Diagnose for CacheError {
    fn kind(&self) -> Kind {
        Kind::Outside
    }
}

impl Cache {
    pub(super) fn new() -> Result<Self, Error> {
        let directory = tempfile::Builder::new()
            .prefix("dayfly-")
            .tempdir()
            .map_err(CacheError::Directory)?;
        let repository = Repository::open_or_create(directory.path())?;
        Ok(Self {
            repository,
            _directory: directory,
        })
    }
}
