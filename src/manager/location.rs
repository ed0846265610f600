//! Where the manager repository is, and what stands there at one commit.

use std::collections::BTreeMap;
use std::path::Path;

use super::ManagerError;
use super::closings::Closings;
use super::gate::Gate;
use super::intents::Intent;
use super::owner;
use crate::config::Settings;
use crate::files::{Directory, Files};
use crate::git::{
    CommitId, CommitInfo, CommitTree, Extent, Remote, Repository, is_on_wire, list_tips,
};
use crate::threads;

/// A manager repository, by a path or a URL, and one of its branches.
#[derive(Clone, Debug)]
pub struct Manager {
    pub remote: Remote,
    /// `None` is the branch that its HEAD points to.
    pub branch: Option<String>,
    /// What the machine says of the root module's variables: `TF_VAR_*` without the prefix.
    pub variables: BTreeMap<String, String>,
}

/// What a manager repository says of itself without its files.
pub(super) struct Listing {
    pub(super) branch: String,
    /// Where all branches stand, this one among them.
    pub(super) branches: BTreeMap<String, CommitId>,
    pub(super) tip: CommitId,
    pub(super) closings: Closings,
    pub(super) gate: Gate,
    /// Whether the server lets writers help each other.
    pub(super) takes_intents: bool,
    /// The names of the intents that wait there, and their commits.
    pub(super) intents: BTreeMap<String, CommitId>,
    /// Where the record stands of the data directory that applies the repository.
    pub(super) owner: Option<CommitId>,
}

/// Where the tip that was looked at last is kept in the cache.
const SEEN: &str = "refs/dayfly/seen";

/// The files of a manager repository at one commit, or of a plain directory.
pub enum Snapshot {
    Commit {
        branch: String,
        commit: CommitId,
        tree: Box<CommitTree>,
        /// Where the record stands of the data directory that applies the repository.
        owner: Option<CommitId>,
    },
    Directory(Directory),
}

impl Manager {
    /// The tip of the branch: its name and its commit, without fetching anything.
    pub fn tip(&self) -> Result<(String, CommitId), ManagerError> {
        let Listing { branch, tip, .. } = self.listing()?;
        Ok((branch, tip))
    }

    /// Where the branch stands, and what dayfly keeps beside it: one call for all.
    pub(super) fn listing(&self) -> Result<Listing, ManagerError> {
        let tips = list_tips(&self.remote)?;
        let branch = match (&self.branch, tips.head) {
            (Some(branch), _) => branch.clone(),
            (None, Some(head)) => head,
            (None, None) => return Err(ManagerError::Empty(self.remote.to_string())),
        };
        match tips.branches.get(&branch) {
            Some(tip) => Ok(Listing {
                tip: tip.clone(),
                closings: Closings::read(&tips.references),
                gate: Gate::read(&tips.references),
                takes_intents: Intent::are_taken(&tips.references),
                intents: Intent::named(&tips.references),
                owner: tips.references.get(owner::NAME).cloned(),
                branches: tips.branches,
                branch,
            }),
            None if tips.branches.is_empty() => Err(ManagerError::Empty(self.remote.to_string())),
            None => Err(ManagerError::NoBranch {
                manager: self.remote.to_string(),
                branch,
            }),
        }
    }

    /// As [`Manager::listing`], and of the branch's tip as much as a writer reads, and all intents,
    /// are in `cache` then. Both are asked for at once. The branch may move between the two: what
    /// was fetched counts, and a push from there loses the race if it is not what was listed.
    pub(super) fn look(&self, cache: &Repository) -> Result<Listing, ManagerError> {
        if is_on_wire(&self.remote) {
            // One connection: nothing is gained by asking for both at once.
            let listing = self.listing()?;
            let beside = listing.intents.values().chain(listing.gate.commit());
            let commits: Vec<CommitId> = beside.chain([&listing.tip]).cloned().collect();
            if cache.fetch_seen(&self.remote, &commits, 1, Extent::Upper) {
                return Ok(listing);
            }
        }
        let source = match &self.branch {
            Some(branch) => format!("refs/heads/{branch}"),
            None => "HEAD".to_owned(),
        };
        let refspecs = [
            format!("+{source}:{SEEN}"),
            Intent::refspec(),
            Gate::refspec(),
        ];
        let (listing, fetched) = threads::both(
            || self.listing(),
            || cache.fetch_extent(&self.remote, &refspecs, Some(1), Extent::Upper),
        );
        let listing = listing?;
        fetched?;
        let tip = cache.reference_tip(SEEN)?;
        Ok(Listing {
            tip: tip.unwrap_or(listing.tip),
            ..listing
        })
    }

    /// What stands at the tip now, fetched into `cache` where that is not the repository itself.
    pub fn snapshot(&self, cache: &Repository) -> Result<Snapshot, ManagerError> {
        let Listing {
            branch, tip, owner, ..
        } = self.listing()?;
        if !cache.follow(&self.remote, &branch, &tip)? {
            self.fetch(cache, &branch)?;
        }
        // The branch may have moved since it was listed: what was fetched counts.
        let commit = cache
            .branch_tip(&branch)?
            .ok_or_else(|| ManagerError::NoBranch {
                manager: self.remote.to_string(),
                branch: branch.clone(),
            })?;
        Ok(Snapshot::Commit {
            tree: Box::new(cache.tree(&commit)?),
            branch,
            commit,
            owner,
        })
    }

    /// As [`Manager::snapshot`], but a path that is no repository is read as a plain directory.
    pub fn snapshot_or_directory(&self, cache: &Repository) -> Result<Snapshot, ManagerError> {
        if let Some(path) = self.remote.local_path() {
            if !path.is_dir() {
                return Err(ManagerError::NoDirectory(path.display().to_string()));
            }
            if !is_repository(path) {
                return Ok(Snapshot::Directory(Directory::new(path)));
            }
        }
        self.snapshot(cache)
    }

    /// The commits that brought `branch` from `from` to `to` by first parents, oldest first; `None`
    /// where those do not lead there. Fetches as much history into `cache` as that takes: none where
    /// each commit was looked at when it came.
    pub fn moves(
        &self,
        cache: &Repository,
        branch: &str,
        from: &CommitId,
        to: &CommitId,
    ) -> Result<Option<Vec<(CommitId, CommitInfo)>>, ManagerError> {
        let refspec = format!("+refs/heads/{branch}:refs/heads/{branch}");
        // The last is what Git takes for all of it.
        for depth in [None, Some(50), Some(1000), Some(i32::MAX.unsigned_abs())] {
            if depth.is_some() {
                cache.fetch(&self.remote, &[&refspec], depth)?;
            }
            let mut moves = Vec::new();
            for commit in cache.history(to) {
                let commit = commit?;
                if commit.0 == *from {
                    moves.reverse();
                    return Ok(Some(moves));
                }
                moves.push(commit);
            }
        }
        Ok(None)
    }

    /// What stands at `commit`, whatever `git rev-parse` takes, of the checkout or bare repository
    /// at a path.
    pub fn snapshot_at(&self, commit: &str) -> Result<Snapshot, ManagerError> {
        let path = self.remote.local_path().filter(|path| is_repository(path));
        let path = path.ok_or_else(|| ManagerError::NoHistory(self.remote.to_string()))?;
        let repository = Repository::open(path)?;
        let commit = repository.commit(commit)?;
        Ok(Snapshot::Commit {
            branch: self.branch.clone().unwrap_or_default(),
            tree: Box::new(repository.tree(&commit)?),
            commit,
            owner: None,
        })
    }

    fn fetch(&self, cache: &Repository, branch: &str) -> Result<(), ManagerError> {
        let refspec = format!("+refs/heads/{branch}:refs/heads/{branch}");
        Ok(cache.fetch(&self.remote, &[refspec], Some(1))?)
    }
}

fn is_repository(path: &Path) -> bool {
    path.join(".git").exists() || (path.join("HEAD").is_file() && path.join("objects").is_dir())
}

impl Snapshot {
    pub fn files(&self) -> &dyn Files {
        match self {
            Self::Commit { tree, .. } => tree.as_ref(),
            Self::Directory(directory) => directory,
        }
    }

    /// The paths that differ from those of the commit `before`; `None` of a plain directory.
    pub fn changed_since(&self, before: &CommitId) -> Result<Option<Vec<String>>, ManagerError> {
        match self {
            Self::Commit { tree, .. } => Ok(Some(tree.changed_since(before)?)),
            Self::Directory(_) => Ok(None),
        }
    }

    /// The branch; `None` of a plain directory.
    pub fn branch(&self) -> Option<&str> {
        match self {
            Self::Commit { branch, .. } => Some(branch),
            Self::Directory(_) => None,
        }
    }

    /// Whether there is a `dayfly.hcl`.
    pub fn has_settings(&self) -> Result<bool, ManagerError> {
        Ok(self.files().read(Settings::FILE)?.is_some())
    }

    /// The commit; `None` of a plain directory.
    pub fn commit(&self) -> Option<&CommitId> {
        match self {
            Self::Commit { commit, .. } => Some(commit),
            Self::Directory(_) => None,
        }
    }

    /// Where the record stands of the data directory that applies the repository, if one does.
    pub fn owner(&self) -> Option<&CommitId> {
        match self {
            Self::Commit { owner, .. } => owner.as_ref(),
            Self::Directory(_) => None,
        }
    }

    /// `dayfly.hcl`; the defaults of a repository without one.
    pub fn settings(&self) -> Result<Settings, ManagerError> {
        match read_text(self.files(), Settings::FILE)? {
            Some(text) => Ok(Settings::read(&text)?),
            None => Ok(Settings::default()),
        }
    }
}

/// The file's text; `None` if there is no file.
pub(super) fn read_text(files: &dyn Files, path: &str) -> Result<Option<String>, ManagerError> {
    let Some(bytes) = files.read(path)? else {
        return Ok(None);
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(ManagerError::NotText {
            file: path.to_owned(),
        }),
    }
}
