//! A repository on this disk: a cache of our own, or one that is only read.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use git2::{ErrorCode, Oid, RepositoryInitOptions};

use crate::clock::Time;

use super::commit_id::CommitId;
use super::error::GitError;
use super::locks;
use super::remote::Remote;
use super::signature::Signature;
use super::tree::CommitTree;

/// A repository on this disk. It may be used by several threads; each call is one step.
pub struct Repository {
    /// The directory of its objects: the `.git` of a checkout.
    path: PathBuf,
    objects: Mutex<git2::Repository>,
}

/// What a commit says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    pub author: Signature,
    pub message: String,
    /// When it was committed.
    pub time: Time,
}

impl Repository {
    /// Opens the bare repository or checkout at `path` (not one above it).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GitError> {
        trust_what_is_here();
        let path = path.as_ref();
        git2::Repository::open(path)
            .map(Self::of)
            .map_err(|source| {
                let doing = format!("open the repository {}", path.display());
                match source.code() {
                    ErrorCode::NotFound => GitError::Absent {
                        asker: None,
                        doing,
                        words: source.message().to_owned(),
                    },
                    _ => GitError::Object { doing, source },
                }
            })
    }

    /// Opens the repository at `path`, or makes a bare one there with HEAD on `main`.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, GitError> {
        let path = path.as_ref();
        match Self::open(path) {
            Err(GitError::Absent { .. }) => {
                let mut options = RepositoryInitOptions::new();
                options
                    .bare(true)
                    .initial_head("main")
                    .external_template(false);
                git2::Repository::init_opts(path, &options)
                    .map(Self::of)
                    .map_err(GitError::object(format!(
                        "make the repository {}",
                        path.display()
                    )))
            }
            opened => opened,
        }
    }

    fn of(objects: git2::Repository) -> Self {
        Self {
            path: objects.path().to_owned(),
            objects: Mutex::new(objects),
        }
    }

    pub(super) fn objects(&self) -> MutexGuard<'_, git2::Repository> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A second handle, which reads beside the first.
    fn reopened(&self) -> Result<git2::Repository, GitError> {
        // Not `open_bare`, which forgets where a shallow history ends.
        git2::Repository::open(&self.path).map_err(GitError::object(format!(
            "open the repository {}",
            self.path.display()
        )))
    }

    /// The directory of its objects: the `.git` of a checkout.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_bare(&self) -> bool {
        self.objects().is_bare()
    }

    /// The branch that HEAD points to, whether it has a commit or not; `None` if HEAD is detached.
    pub fn head_branch(&self) -> Option<String> {
        let objects = self.objects();
        let head = objects.find_reference("HEAD").ok()?;
        let target = head.symbolic_target().ok().flatten()?;
        target.strip_prefix("refs/heads/").map(str::to_owned)
    }

    /// The commit of a branch of this repository; `None` if there is no such branch.
    pub fn branch_tip(&self, branch: &str) -> Result<Option<CommitId>, GitError> {
        let Ok(reference) = branch_reference(branch) else {
            return Ok(None);
        };
        self.reference_tip(&reference)
    }

    /// The commit that a full reference name (`refs/…`) stands for.
    pub fn reference_tip(&self, reference: &str) -> Result<Option<CommitId>, GitError> {
        let objects = self.objects();
        let found = objects
            .find_reference(reference)
            .and_then(|found| found.peel_to_commit());
        match found {
            Ok(commit) => Ok(Some(commit.id().into())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(GitError::Object {
                doing: format!("read {reference}"),
                source,
            }),
        }
    }

    /// Sets a branch of this repository, whatever it was. For a repository that nobody else
    /// writes to: where others do, `push`.
    pub fn set_branch(&self, branch: &str, commit: &CommitId) -> Result<(), GitError> {
        self.set_reference(&branch_reference(branch)?, commit)
    }

    /// Removes a branch of this repository; nothing happens if there is none.
    pub fn delete_branch(&self, branch: &str) -> Result<(), GitError> {
        self.delete_reference(&branch_reference(branch)?)
    }

    /// Keeps `commit` here under `name`, also when no branch holds it any more. A name that is
    /// pinned already is moved.
    pub fn pin(&self, name: &str, commit: &CommitId) -> Result<(), GitError> {
        self.set_reference(&pin_reference(name)?, commit)
    }

    /// Lets go of what `name` pins; nothing happens if it pins nothing.
    pub fn unpin(&self, name: &str) -> Result<(), GitError> {
        self.delete_reference(&pin_reference(name)?)
    }

    fn set_reference(&self, reference: &str, commit: &CommitId) -> Result<(), GitError> {
        let objects = self.objects();
        let doing = format!("set {reference} to {commit}");
        // The log keeps the machine's own moves apart from a person's.
        let set = || {
            let id = oid(commit)?;
            objects.reference(reference, id, true, "dayfly").map(drop)
        };
        self.past_left_locks(set).map_err(GitError::object(doing))
    }

    /// Does it, and once more where a lock that a killed process has left stood in the way.
    fn past_left_locks(
        &self,
        change: impl Fn() -> Result<(), git2::Error>,
    ) -> Result<(), git2::Error> {
        match change() {
            Err(error) if error.code() == ErrorCode::Locked => {
                locks::remove_left(&self.path);
                change()
            }
            changed => changed,
        }
    }

    fn delete_reference(&self, reference: &str) -> Result<(), GitError> {
        let objects = self.objects();
        let delete = || objects.find_reference(reference)?.delete();
        match self.past_left_locks(delete) {
            Err(error) if error.code() != ErrorCode::NotFound => Err(GitError::Object {
                doing: format!("remove {reference}"),
                source: error,
            }),
            _ => Ok(()),
        }
    }

    /// Whether the commit is here.
    pub fn contains(&self, commit: &CommitId) -> bool {
        let objects = self.objects();
        oid(commit).is_ok_and(|id| objects.find_commit(id).is_ok())
    }

    /// The files of a commit.
    pub fn tree(&self, commit: &CommitId) -> Result<CommitTree, GitError> {
        self.tree_with(commit, None)
    }

    /// The files of a commit that was fetched from `remote` in part: the rest is fetched when it
    /// is read.
    pub fn remote_tree(&self, commit: &CommitId, remote: &Remote) -> Result<CommitTree, GitError> {
        self.tree_with(commit, Some(remote.clone()))
    }

    fn tree_with(
        &self,
        commit: &CommitId,
        rest_at: Option<Remote>,
    ) -> Result<CommitTree, GitError> {
        let objects = self.reopened()?;
        let root = find_commit(&objects, commit)?.tree_id();
        Ok(CommitTree::new(objects, commit.clone(), root, rest_at))
    }

    pub fn commit_info(&self, commit: &CommitId) -> Result<CommitInfo, GitError> {
        let objects = self.objects();
        let found = find_commit(&objects, commit)?;
        let author = found.author();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(CommitInfo {
            author: Signature::new(&text(author.name_bytes()), &text(author.email_bytes())),
            message: text(found.message_bytes()),
            time: Time::from_second(found.time().seconds()).unwrap_or_default(),
        })
    }

    /// The files that differ between two commits, sorted; a renamed file is there by both names.
    pub fn changed_paths(&self, from: &CommitId, to: &CommitId) -> Result<Vec<String>, GitError> {
        let objects = self.objects();
        Ok(paths(&difference(&objects, from, to)?))
    }
}

/// Has the library read objects as Git does: what comes from elsewhere is checked against its name when it is
/// taken in, not again each time it is read. The list of 10,000 environments would take half as long again.
fn trust_what_is_here() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| git2::opts::strict_hash_verification(false));
}

/// How the files of two commits differ; of directories that are equal nothing is read.
pub(super) fn difference<'a>(
    objects: &'a git2::Repository,
    from: &CommitId,
    to: &CommitId,
) -> Result<git2::Diff<'a>, GitError> {
    let (old, new) = (tree_of(objects, from)?, tree_of(objects, to)?);
    objects
        .diff_tree_to_tree(Some(&old), Some(&new), None)
        .map_err(GitError::object(format!("compare {from} with {to}")))
}

/// The files that differ, sorted; a renamed file is there by both names.
pub(super) fn paths(diff: &git2::Diff<'_>) -> Vec<String> {
    let files = diff.deltas().flat_map(|delta| {
        [delta.old_file().path_bytes(), delta.new_file().path_bytes()]
            .map(|path| String::from_utf8_lossy(path.unwrap_or_default()).into_owned())
    });
    let mut paths: Vec<String> = files.filter(|path| !path.is_empty()).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The full name of a branch.
pub(super) fn branch_reference(branch: &str) -> Result<String, GitError> {
    valid(format!("refs/heads/{branch}"), branch)
}

fn pin_reference(name: &str) -> Result<String, GitError> {
    valid(format!("refs/dayfly/pins/{name}"), name)
}

fn valid(reference: String, name: &str) -> Result<String, GitError> {
    if git2::Reference::is_valid_name(&reference) {
        Ok(reference)
    } else {
        Err(GitError::BranchName {
            name: name.to_owned(),
        })
    }
}

fn oid(commit: &CommitId) -> Result<Oid, git2::Error> {
    Oid::from_str(commit.as_str())
}

pub(super) fn find_commit<'a>(
    objects: &'a git2::Repository,
    commit: &CommitId,
) -> Result<git2::Commit<'a>, GitError> {
    oid(commit)
        .and_then(|id| objects.find_commit(id))
        .map_err(GitError::object(format!(
            "find commit {commit} in {}",
            objects.path().display()
        )))
}

pub(super) fn tree_of<'a>(
    objects: &'a git2::Repository,
    commit: &CommitId,
) -> Result<git2::Tree<'a>, GitError> {
    find_commit(objects, commit)?
        .tree()
        .map_err(GitError::object(format!(
            "read the files of commit {commit}"
        )))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::git::{Committer, Edit};

    pub(in crate::git) struct Fixture {
        _directory: tempfile::TempDir,
        pub(in crate::git) repository: Repository,
    }

    pub(in crate::git) fn fixture() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open_or_create(directory.path().join("m.git")).unwrap();
        Fixture {
            _directory: directory,
            repository,
        }
    }

    impl Fixture {
        pub(in crate::git) fn commit(
            &self,
            parent: Option<&CommitId>,
            files: &[(&str, &str)],
        ) -> CommitId {
            let edits: Vec<Edit> = files
                .iter()
                .map(|(path, text)| Edit::Write {
                    path: (*path).into(),
                    bytes: (*text).into(),
                })
                .collect();
            let author = Signature::new("Ann", "ann@a.example");
            let committer = Committer::default();
            let time = "2026-11-21T09:00:00Z".parse().unwrap();
            let made = self.repository.commit_edits(
                parent,
                &edits,
                "say\0 so\n\nwhy",
                &author,
                &committer,
                time,
            );
            made.unwrap().unwrap()
        }
    }

    #[test]
    fn a_repository_is_made_once() {
        let made = fixture();
        assert!(made.repository.is_bare());
        assert_eq!(made.repository.head_branch().as_deref(), Some("main"));
        assert_eq!(made.repository.branch_tip("main").unwrap(), None);
        let first = made.commit(None, &[("a", "1")]);
        made.repository.set_branch("main", &first).unwrap();
        let again = Repository::open_or_create(made.repository.path()).unwrap();
        assert_eq!(again.branch_tip("main").unwrap(), Some(first));
        let nowhere = Repository::open("/no/such/repository").err().unwrap();
        assert!(matches!(nowhere, GitError::Absent { .. }), "{nowhere:?}");
    }

    #[test]
    fn branches_and_pins_come_and_go() {
        let Fixture { repository, .. } = &fixture();
        let made = fixture();
        let first = made.commit(None, &[("a", "1")]);
        let other = made.commit(Some(&first), &[("a", "2")]);
        for name in ["main", "feat/é", "x${file(\"a\")}", "a;b", "-upload-pack=x"] {
            made.repository.set_branch(name, &first).unwrap();
            made.repository.set_branch(name, &other).unwrap();
            assert_eq!(
                made.repository.branch_tip(name).unwrap().as_ref(),
                Some(&other),
                "{name}"
            );
            made.repository.delete_branch(name).unwrap();
            made.repository.delete_branch(name).unwrap();
            assert_eq!(made.repository.branch_tip(name).unwrap(), None, "{name}");
        }
        for name in ["", "a..b", "a b", "a\n", "/x", "x.lock", "a~1"] {
            assert!(
                made.repository.set_branch(name, &first).is_err(),
                "{name:?}"
            );
            assert_eq!(made.repository.branch_tip(name).unwrap(), None, "{name:?}");
        }
        made.repository.pin("stack/1", &first).unwrap();
        let pinned = made
            .repository
            .reference_tip("refs/dayfly/pins/stack/1")
            .unwrap();
        assert_eq!(pinned.as_ref(), Some(&first));
        made.repository.unpin("stack/1").unwrap();
        made.repository.unpin("stack/1").unwrap();
        assert_eq!(
            made.repository
                .reference_tip("refs/dayfly/pins/stack/1")
                .unwrap(),
            None
        );
        assert!(made.repository.contains(&first));
        assert!(!repository.contains(&first));
        assert!(repository.set_branch("main", &first).is_err());
    }

    #[test]
    fn a_commit_tells_about_itself() {
        let made = fixture();
        let first = made.commit(None, &[("a", "1"), ("b/c", "2"), ("b/d", "3")]);
        let second = made.commit(Some(&first), &[("b/c", "9"), ("n/é", "4")]);
        let info = made.repository.commit_info(&second).unwrap();
        assert_eq!(info.author, Signature::new("Ann", "ann@a.example"));
        assert_eq!(info.message, "say so\n\nwhy");
        assert_eq!(info.time.to_string(), "2026-11-21T09:00:00Z");
        let changed = |from, to| made.repository.changed_paths(from, to).unwrap();
        assert_eq!(changed(&first, &second), ["b/c", "n/é"]);
        assert_eq!(changed(&second, &first), ["b/c", "n/é"]);
        assert!(changed(&first, &first).is_empty());
    }

    #[test]
    fn only_what_is_touched_costs() {
        let made = fixture();
        let files: Vec<(String, &str)> = (0..400)
            .map(|number| (format!("d{number}/f"), "x"))
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, *text)).collect();
        let first = made.commit(None, &files);
        let objects = || {
            let mut count = 0;
            made.repository
                .objects()
                .odb()
                .unwrap()
                .foreach(|_| {
                    count += 1;
                    true
                })
                .unwrap();
            count
        };
        let before = objects();
        made.commit(Some(&first), &[("d7/f", "y")]);
        // The file, its directory, the root and the commit.
        assert_eq!(objects() - before, 4);
    }
}
