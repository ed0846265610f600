//! Arguments that several commands share.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::escape::is_control;
use super::interruption;
use crate::clock;
use crate::config::{self, ApiAddress, GithubApp, Tokens, host_of, is_safe};
use crate::error::{Diagnose, Error, Kind};
use crate::git::{self, Committer, PrivateKey, Remote, SigningKey, Token};
use crate::github::{self, Access, Github, GithubError, Repository};
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
    /// The manager repository with what opens it: over https a token, or that of a GitHub App, which
    /// is asked for now, for this repository and `access` alone; over ssh `DAYFLY_SSH_KEY`.
    pub(super) fn manager(&self, access: Access) -> Result<Manager, Error> {
        let is_http = host_of(&self.manager).is_some();
        let token = match GithubApp::from_environment()?.filter(|_| is_http) {
            Some(app) => {
                self.refuse_clear_text()?;
                let api = ApiAddress::from_environment()?;
                let repository = self.repository(&api)?;
                Some(github::installation_token(&api, &app, &repository, access)?)
            }
            None => {
                let tokens = Tokens::from_environment();
                let found = tokens.for_url(&self.manager);
                found.map(|token| Token::new(token).called(tokens.name_of(token)))
            }
        };
        self.with(token)
    }

    /// As [`ManagerArgs::manager`], with the door to its pull requests on GitHub.
    pub(super) fn manager_and_door(
        &self,
        access: Access,
    ) -> Result<(Manager, (Github, Repository)), Error> {
        self.refuse_clear_text()?;
        let api = ApiAddress::from_environment()?;
        let repository = self.repository(&api)?;
        let token = match GithubApp::from_environment()? {
            Some(app) => github::installation_token(&api, &app, &repository, access)?,
            None => {
                let tokens = Tokens::from_environment();
                let found = tokens.for_api(&api);
                let token = found.ok_or_else(|| GithubError::NoToken(api.as_str().to_owned()))?;
                Token::new(token).called(tokens.name_of(token))
            }
        };
        let github = Github::new(&api, token.clone())?;
        Ok((self.with(Some(token))?, (github, repository)))
    }

    /// The door to the pull requests of source repositories.
    pub(super) fn sources(&self) -> Result<Github, Error> {
        let api = ApiAddress::from_environment()?;
        let token = match GithubApp::from_environment()? {
            Some(app) => github::reading_token(&api, &app, &self.repository(&api)?)?,
            None => Tokens::from_environment()
                .for_sources(&api, &self.manager)
                .map(Token::new)
                .ok_or_else(|| GithubError::NoReadingToken(api.as_str().to_owned()))?,
        };
        Ok(Github::new(&api, token)?)
    }

    /// The same, where anybody says that this is GitHub's world and there is a token for it.
    pub(super) fn door_to_sources(&self) -> Result<Option<Github>, Error> {
        let Some(api) = ApiAddress::in_workflow()? else {
            return Ok(None);
        };
        let token = match GithubApp::from_environment()? {
            Some(app) => Some(github::reading_token(&api, &app, &self.repository(&api)?)?),
            None => Tokens::from_environment()
                .for_sources(&api, &self.manager)
                .map(Token::new),
        };
        Ok(token.map(|token| Github::new(&api, token)).transpose()?)
    }

    /// No token is asked for that could only be sent for all to read.
    fn refuse_clear_text(&self) -> Result<(), ClearText> {
        if host_of(&self.manager).is_none() || is_safe(&self.manager) {
            return Ok(());
        }
        let shown = Remote::new(&self.manager, None).to_string();
        Err(ClearText { shown })
    }

    /// As it was given.
    pub(super) fn address(&self) -> &str {
        &self.manager
    }

    fn repository(&self, api: &ApiAddress) -> Result<Repository, Error> {
        let shown = Remote::new(&self.manager, None).to_string();
        Ok(Repository::of(api, &self.manager, &shown)?)
    }

    fn with(&self, token: Option<Token>) -> Result<Manager, Error> {
        let mut remote = Remote::new(&self.manager, token);
        if let Some(key) = config::ssh_key()
            && remote.is_ssh()
        {
            guard(&key);
            remote = remote.with_ssh_key(PrivateKey::new("SSH key", &key)?)?;
        }
        Ok(Manager {
            remote,
            branch: self.branch.clone(),
            variables: config::terraform_variables(),
        })
    }
}

/// A key that is written to this machine's disk goes, however the program ends.
fn guard(key: &str) {
    if git::is_key_text(key) {
        interruption::guard();
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
        if let Some(key) = given {
            guard(key);
        }
        Ok(Committer {
            key: given.map(SigningKey::read).transpose()?,
            signature: git::identity(Path::new(".")),
        })
    }
}

/// What every command takes that writes to the manager repository.
#[derive(Args)]
pub(super) struct WriteArgs {
    #[command(flatten)]
    pub(super) manager: ManagerArgs,

    /// How long to try to win the race against other writers, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(super) timeout: Duration,

    /// Open a pull request on the manager repository, and keep it current, instead of committing
    #[arg(long)]
    pub(super) propose: bool,

    #[command(flatten)]
    pub(super) signing: SigningArgs,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    clock::read_duration(text).ok_or_else(|| "write a number and its unit, such as 90s".to_owned())
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

/// An outcome of tests was asked for where none are run.
#[derive(Debug, thiserror::Error)]
#[error("only `dayfly policy test` has an outcome of tests to print")]
pub(super) struct NoTests;

impl Diagnose for NoTests {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("write --output text or --output json".to_owned())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a token would go to {shown} in clear text")]
struct ClearText {
    shown: String,
}

impl Diagnose for ClearText {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("give the manager repository's address with https://".to_owned())
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
    pub(super) repository: git::Repository,
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
        let repository = git::Repository::open_or_create(directory.path())?;
        Ok(Self {
            repository,
            _directory: directory,
        })
    }
}
