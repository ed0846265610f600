//! The repositories of stacks: asked once for their tips, mirrored once for all their stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{Settings, Tokens};
use crate::event::RepositoryName;
use crate::git::{CommitId, GitError, Remote, Repository, Tips, Token, list_tips};

/// Bare mirrors in a data directory, one per repository.
pub struct Mirrors {
    directory: PathBuf,
    tokens: Tokens,
}

/// What one repository said when it was asked.
pub(super) struct Looked {
    /// The branches and where they stand.
    pub(super) branches: BTreeMap<String, CommitId>,
    /// Those that have moved, or are new, since it was asked before; none where it never was.
    pub(super) pushes: Vec<Push>,
}

/// A branch that was seen to have moved.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Push {
    pub(super) branch: String,
    /// Where it stood, or, if it is new, where the repository's main branch stands.
    pub(super) from: Option<CommitId>,
    pub(super) is_new: bool,
    pub(super) to: CommitId,
}

/// What is asked of a repository.
pub(super) struct Wanted {
    pub(super) repository: RepositoryName,
    /// The branches of its stacks.
    pub(super) branches: BTreeSet<String>,
    /// Where its branches stood when it was last asked.
    pub(super) seen: Option<BTreeMap<String, String>>,
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

    /// All that are there.
    pub(super) fn all(&self) -> Result<Vec<Repository>, GitError> {
        let entries = |path: &Path| {
            let entries = fs::read_dir(path).into_iter().flatten();
            entries.filter_map(|entry| Some(entry.ok()?.path()))
        };
        let owners = entries(&self.directory);
        let mirrors = owners.flat_map(|owner| entries(&owner));
        mirrors.map(Repository::open).collect()
    }

    /// The tokens, for logs to leave out.
    pub(super) fn secrets(&self) -> impl Iterator<Item = String> {
        self.tokens.secrets().cloned()
    }

    /// Asks each repository once where its branches stand, and fetches those of its stacks, and
    /// those that have moved, as far as they are not mirrored yet. A repository that does not answer
    /// is an error of its own.
    pub(super) fn look(
        &self,
        settings: &Settings,
        wanted: &BTreeMap<RepositoryKey, Wanted>,
    ) -> BTreeMap<RepositoryKey, Result<Looked, GitError>> {
        wanted
            .iter()
            .map(|(key, wanted)| (key.clone(), self.look_at(settings, wanted)))
            .collect()
    }

    fn look_at(&self, settings: &Settings, wanted: &Wanted) -> Result<Looked, GitError> {
        let remote = self.remote(settings, &wanted.repository);
        let tips = list_tips(&remote)?;
        let mirror = self.open(&wanted.repository)?;
        let pushes = pushes(&tips, wanted.seen.as_ref());
        let moved = pushes.iter().map(|push| &push.branch);
        // What a new branch is compared with.
        let main = tips.head.iter().filter(|_| !pushes.is_empty());
        let missing: BTreeSet<&String> = wanted
            .branches
            .iter()
            .chain(moved)
            .chain(main)
            .filter(|branch| {
                let tip = tips.branches.get(*branch);
                tip.is_some_and(|tip| !mirror.contains(tip))
            })
            .collect();
        let missing: Vec<String> = missing
            .into_iter()
            .map(|branch| format!("+refs/heads/{branch}:refs/heads/{branch}"))
            .collect();
        if !missing.is_empty() {
            mirror.fetch(&remote, &missing, None)?;
        }
        Ok(Looked {
            branches: tips.branches,
            pushes,
        })
    }
}

fn pushes(tips: &Tips, seen: Option<&BTreeMap<String, String>>) -> Vec<Push> {
    let Some(seen) = seen else { return Vec::new() };
    let main = tips.head.as_ref().and_then(|head| tips.branches.get(head));
    let moved = tips.branches.iter().filter_map(|(branch, tip)| {
        let before = seen.get(branch);
        let from = match before {
            Some(seen) if seen == tip.as_str() => return None,
            Some(seen) => seen.parse().ok(),
            None => main.cloned(),
        };
        Some(Push {
            branch: branch.clone(),
            from,
            is_new: before.is_none(),
            to: tip.clone(),
        })
    });
    moved.collect()
}

/// A repository's name without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RepositoryKey(String);

impl RepositoryKey {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&RepositoryName> for RepositoryKey {
    fn from(repository: &RepositoryName) -> Self {
        Self(repository.to_string().to_ascii_lowercase())
    }
}
