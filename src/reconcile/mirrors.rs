//! The repositories of stacks: asked once for their tips, mirrored once for all their stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::config::{Settings, Tokens};
use crate::event::RepositoryName;
use crate::git::{CommitId, GitError, Remote, Repository, Token, list_tips};

/// Bare mirrors in a data directory, one per repository.
pub struct Mirrors {
    directory: PathBuf,
    tokens: Tokens,
}

/// What one repository said when it was asked.
pub struct Looked {
    /// The branches and where they stand.
    pub branches: BTreeMap<String, CommitId>,
}

impl Mirrors {
    pub fn new(directory: PathBuf, tokens: Tokens) -> Self {
        Self { directory, tokens }
    }

    /// Those of a data directory, to be looked into without asking anybody.
    pub(super) fn of(directory: &Path) -> Self {
        Self::new(directory.join("repositories"), Tokens::default())
    }

    pub fn remote(&self, settings: &Settings, repository: &RepositoryName) -> Remote {
        let url = settings.clone_url(repository);
        let token = self.tokens.for_url(&url);
        let token = token.map(|token| Token::new(token).called(self.tokens.name_of(token)));
        Remote::new(&url, token)
    }

    /// The mirror of `repository`, made if it is not there.
    pub fn open(&self, repository: &RepositoryName) -> Result<Repository, GitError> {
        let name = repository.to_string().to_ascii_lowercase();
        Repository::open_or_create(self.directory.join(format!("{name}.git")))
    }

    /// The tokens, for logs to leave out.
    pub(super) fn secrets(&self) -> impl Iterator<Item = String> {
        self.tokens.secrets().cloned()
    }

    /// Asks each repository once where its branches stand, and fetches those of them that are
    /// `wanted` and not mirrored yet. A repository that does not answer is an error of its own.
    pub fn look(
        &self,
        settings: &Settings,
        wanted: &BTreeMap<RepositoryKey, (RepositoryName, BTreeSet<String>)>,
    ) -> BTreeMap<RepositoryKey, Result<Looked, GitError>> {
        wanted
            .iter()
            .map(|(key, (repository, branches))| {
                (key.clone(), self.look_at(settings, repository, branches))
            })
            .collect()
    }

    fn look_at(
        &self,
        settings: &Settings,
        repository: &RepositoryName,
        branches: &BTreeSet<String>,
    ) -> Result<Looked, GitError> {
        let remote = self.remote(settings, repository);
        let tips = list_tips(&remote)?;
        let mirror = self.open(repository)?;
        let missing: Vec<String> = branches
            .iter()
            .filter_map(|branch| Some((branch, tips.branches.get(branch)?)))
            .filter(|(_, tip)| !mirror.contains(tip))
            .map(|(branch, _)| format!("+refs/heads/{branch}:refs/heads/{branch}"))
            .collect();
        if !missing.is_empty() {
            mirror.fetch(&remote, &missing, None)?;
        }
        Ok(Looked {
            branches: tips.branches,
        })
    }
}

/// A repository's name without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryKey(String);

impl From<&RepositoryName> for RepositoryKey {
    fn from(repository: &RepositoryName) -> Self {
        Self(repository.to_string().to_ascii_lowercase())
    }
}
