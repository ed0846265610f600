//! Fetch and push: what crosses between two repositories.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsStr;
use std::path::Path;

use git2::Oid;

use super::atomic_push::AtomicPush;
use super::commit_id::CommitId;
use super::error::GitError;
use super::locks;
use super::process::Call;
use super::remote::Remote;
use super::repository::{Repository, branch_reference, find_commit};
use super::update::Update;
use super::wire::Wire;
use super::words;

/// The refspec that makes the branches of a repository of our own those of the remote.
pub const MIRROR: &str = "+refs/heads/*:refs/heads/*";

/// What a fetch takes along of a commit. The rest is fetched when it is read through
/// [`Repository::remote_tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Whole,
    /// Its directories, and files no deeper than `a/b`.
    Upper,
    /// The commit itself only.
    Message,
    /// Single files; of a directory, what is in it and not its files.
    Content,
}

impl Extent {
    /// The filters to try, one after the other: a server may know none of them, or not all.
    pub(super) fn filters(self) -> &'static [&'static str] {
        match self {
            Self::Whole => &[],
            Self::Upper => &["tree:3", "blob:none"],
            Self::Message => &["tree:0", "blob:none"],
            Self::Content => &["blob:none"],
        }
    }
}

/// How a push ended that the server took a decision on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// The branch stands at the commit.
    Accepted,
    /// The branch is not where it was expected to be: nothing was changed. Decide again on its
    /// new tip.
    LostRace,
}

/// No housekeeping in repositories that are young or short-lived.
const UPKEEP: [&str; 4] = ["-c", "maintenance.auto=false", "-c", "gc.auto=0"];
const NO_NEGOTIATION: &[&str] = &["-c", "fetch.negotiationAlgorithm=noop"];

fn call_in<'a>(directory: &Path, doing: &str, remote: &'a Remote) -> Call<'a> {
    Call::new(doing)
        .remote(remote)
        .args(["--git-dir".as_ref(), directory.as_os_str()])
}

/// Fetches objects that a fetch of less than the whole has left out.
pub(super) fn fetch_objects(
    repository: &git2::Repository,
    remote: &Remote,
    ids: &[Oid],
) -> Result<(), GitError> {
    if let Some(wire) = Wire::to(remote) {
        let fetched = wire.fetch(repository, ids, None, Extent::Content);
        if wire.left(fetched).is_some() {
            return Ok(());
        }
    }
    let directory = repository.path();
    let doing = format!("fetch files from {remote}");
    let answer = call_in(directory, doing.as_str(), remote)
        .args(UPKEEP)
        .args(NO_NEGOTIATION)
        .args(["fetch", "--progress", "--no-tags", "--no-write-fetch-head"])
        .args(["--no-recurse-submodules", "--filter=blob:none"])
        .args(["--", remote.address()])
        .args(ids.iter().map(Oid::to_string))
        .run()?;
    if answer.success {
        return Ok(());
    }
    match words::failure(doing.clone(), &answer.stderr, remote.asker()) {
        // Not every server gives single objects: then all of the branches' files.
        GitError::RefAbsent { .. } => {
            let answer = call_in(directory, doing.as_str(), remote)
                .args(UPKEEP)
                .args(NO_NEGOTIATION)
                .args(["fetch", "--progress", "--no-tags", "--no-write-fetch-head"])
                .args(["--no-recurse-submodules", "--no-filter", "--depth=1"])
                .args(["--", remote.address(), "+refs/heads/*:refs/dayfly/whole/*"])
                .run()?;
            match answer.success {
                true => Ok(()),
                false => Err(words::failure(doing, &answer.stderr, remote.asker())),
            }
        }
        error => Err(error),
    }
}

impl Repository {
    /// Fetches by `refspecs`, full ones (`+refs/heads/x:refs/heads/x`, or a commit's id on the
    /// left). What a pattern in them covers and the remote no longer has is removed here. `depth`
    /// counts commits of history; `None` takes all of it, or what is new to a shallow repository.
    pub fn fetch(
        &self,
        remote: &Remote,
        refspecs: &[impl AsRef<OsStr>],
        depth: Option<u32>,
    ) -> Result<(), GitError> {
        self.fetch_extent(remote, refspecs, depth, Extent::Whole)
    }

    /// As [`Repository::fetch`], but no more of each commit than `extent`.
    pub fn fetch_extent(
        &self,
        remote: &Remote,
        refspecs: &[impl AsRef<OsStr>],
        depth: Option<u32>,
        extent: Extent,
    ) -> Result<(), GitError> {
        let doing = format!("fetch from {remote}");
        // On this disk nothing is gained by leaving out, and git cannot name a path to go on from.
        let filters = match remote.local_path() {
            Some(_) => &[],
            None => extent.filters(),
        };
        let mut filters: VecDeque<_> = filters.iter().map(Some).chain([None]).collect();
        let mut has_met_lock = false;
        while let Some(filter) = filters.pop_front() {
            let answer = self
                .call(doing.as_str(), remote)
                .args(UPKEEP)
                // What is here is of no use: a cache is new, or holds no history.
                .args(filter.map(|_| NO_NEGOTIATION).unwrap_or_default())
                .args([
                    "fetch",
                    "--progress",
                    "--prune",
                    "--no-tags",
                    "--update-shallow",
                ])
                .args(["--no-write-fetch-head", "--no-recurse-submodules"])
                .args(depth.map(|commits| format!("--depth={commits}")))
                // Git keeps a filter that was once used, and would use it again.
                .args([match filter {
                    Some(filter) => format!("--filter={filter}"),
                    None => "--no-filter".to_owned(),
                }])
                .args(["--", remote.address()])
                .args(refspecs)
                .run()?;
            if answer.success {
                return Ok(());
            }
            if !has_met_lock && self.is_bare() && locks::stood_in_the_way(&answer.stderr) {
                locks::remove_left(self.path());
                has_met_lock = true;
                filters.push_front(filter);
                continue;
            }
            if filter.is_none() || !words::refuses_filter(&answer.stderr) {
                return Err(words::failure(doing, &answer.stderr, remote.asker()));
            }
        }
        Ok(())
    }

    /// Brings commits that `remote` was seen to have just now, each with so much history. `false`
    /// where that is left to [`Repository::fetch_extent`].
    pub fn fetch_seen(
        &self,
        remote: &Remote,
        commits: &[CommitId],
        depth: u32,
        extent: Extent,
    ) -> bool {
        let Some(wire) = Wire::to(remote) else {
            return false;
        };
        let ids = commits.iter().map(|commit| Oid::from_str(commit.as_str()));
        let Ok(ids) = ids.collect::<Result<Vec<_>, _>>() else {
            return false;
        };
        let fetched = wire.fetch(&self.objects(), &ids, Some(depth), extent);
        wire.left(fetched).is_some()
    }

    /// Makes `branch` here the commit that it was seen to be of `remote` just now, whole and without
    /// history. `false` where that is left to [`Repository::fetch`].
    pub fn follow(&self, remote: &Remote, branch: &str, seen: &CommitId) -> Result<bool, GitError> {
        let Some(here) = self.branch_tip(branch)? else {
            return Ok(false);
        };
        if here == *seen {
            return Ok(true);
        }
        let ids = (Oid::from_str(seen.as_str()), Oid::from_str(here.as_str()));
        let (Some(wire), (Ok(tip), Ok(from))) = (Wire::to(remote), ids) else {
            return Ok(false);
        };
        let fetched = wire.fetch_whole(&self.objects(), tip, from);
        // A pack without what was asked for is no answer.
        if wire.left(fetched).is_none() || self.objects().find_commit(tip).is_err() {
            return Ok(false);
        }
        self.set_branch(branch, seen)?;
        Ok(true)
    }

    /// Moves `branch` of `remote` from `expected_tip` to `commit`, or makes it where `None` is
    /// expected. Whatever the branch is meanwhile, it is never forced: `commit` must build on the
    /// expected tip, and if the branch stands elsewhere (or is there, or is gone) the race is
    /// lost. An error means that the server refused, or that it is unknown what it did.
    pub fn push(
        &self,
        remote: &Remote,
        commit: &CommitId,
        branch: &str,
        expected_tip: Option<&CommitId>,
    ) -> Result<Push, GitError> {
        self.check_move(remote, commit, branch, expected_tip)?;
        let step = Update {
            name: branch_reference(branch)?,
            from: expected_tip.cloned(),
            to: Some(commit.clone()),
        };
        let doing = format!("push to branch {branch} of {remote}");
        match self.update(remote, &doing, &[step], false)? {
            AtomicPush::Accepted => Ok(Push::Accepted),
            AtomicPush::LostRace => Ok(Push::LostRace),
            AtomicPush::Refused(words) => Err(GitError::Refused {
                remote: remote.to_string(),
                branch: branch.to_owned(),
                words,
            }),
        }
    }

    /// Refuses to move a branch that a person may be working in, or to rewrite its history: the
    /// lease of a push makes git skip its own check that history only grows.
    pub(super) fn check_move(
        &self,
        remote: &Remote,
        commit: &CommitId,
        branch: &str,
        expected_tip: Option<&CommitId>,
    ) -> Result<(), GitError> {
        if is_checked_out(remote, branch) {
            return Err(checked_out(remote, branch));
        }
        if let Some(expected) = expected_tip
            && !self.builds_on(commit, expected)?
        {
            return Err(GitError::NotDescendant {
                remote: remote.to_string(),
                branch: branch.to_owned(),
                expected: expected.to_string(),
            });
        }
        Ok(())
    }

    /// A push, before it is said what of.
    pub(super) fn push_call<'a>(&self, doing: &str, remote: &'a Remote) -> Call<'a> {
        self.call(doing, remote)
            .args(UPKEEP)
            // A person's hooks and habits are not for commits that no person made.
            .args([
                "push",
                "--porcelain",
                "--progress",
                "--no-verify",
                "--no-follow-tags",
            ])
            .args(["--recurse-submodules=no", "--no-signed"])
    }

    fn call<'a>(&self, doing: &str, remote: &'a Remote) -> Call<'a> {
        call_in(self.path(), doing, remote)
    }

    /// Whether `ancestor` is in the history of `commit`, as far as it is here.
    fn builds_on(&self, commit: &CommitId, ancestor: &CommitId) -> Result<bool, GitError> {
        let objects = self.objects();
        let mut next = vec![find_commit(&objects, commit)?.id()];
        let mut seen = HashSet::new();
        while let Some(id) = next.pop() {
            if id.to_string() == ancestor.as_str() {
                return Ok(true);
            }
            // A shallow history ends in parents that are not here.
            if let (true, Ok(found)) = (seen.insert(id), objects.find_commit(id)) {
                next.extend(found.parent_ids());
            }
        }
        Ok(false)
    }
}

pub(super) fn checked_out(remote: &Remote, branch: &str) -> GitError {
    GitError::CheckedOut {
        remote: remote.to_string(),
        branch: branch.to_owned(),
    }
}

/// Whether the branch is the current one of a checkout on this machine. Asked here and not left to
/// the other side, which can be set to take the push and leave the files behind.
fn is_checked_out(remote: &Remote, branch: &str) -> bool {
    let Some(there) = remote
        .local_path()
        .and_then(|path| Repository::open(path).ok())
    else {
        return false;
    };
    !there.is_bare() && there.head_branch().as_deref() == Some(branch)
}
