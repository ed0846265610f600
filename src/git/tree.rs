//! The files of a commit, read straight from the object database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git2::{ErrorCode, FileMode, ObjectType, Oid};

use crate::files::{Entry, Files, FilesError};

use super::commit_id::CommitId;
use super::error::GitError;
use super::remote::Remote;
use super::repository::{difference, paths};
use super::transfer::fetch_objects;

/// A commit's tree. Symbolic links and submodules are no files, so nothing outside is ever read;
/// a name that is no UTF-8 is left out.
pub struct CommitTree {
    commit: CommitId,
    objects: Mutex<Objects>,
}

struct Objects {
    repository: git2::Repository,
    root: Oid,
    /// Where to fetch from what is not here.
    rest_at: Option<Remote>,
    /// What was read so far: a directory of ten thousand files is parsed once, not once per file.
    directories: HashMap<String, Arc<Directory>>,
    /// What a comparison has shown: the file that stands at a path, `None` where none does.
    compared: HashMap<String, Option<Oid>>,
}

/// Sorted by name.
struct Directory(Vec<(String, Kind, Oid)>);

impl Directory {
    fn get(&self, name: &str) -> Option<(Kind, Oid)> {
        let Self(entries) = self;
        let found = entries.binary_search_by(|(own, ..)| own.as_str().cmp(name));
        found.ok().map(|at| (entries[at].1, entries[at].2))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
}

const LINK_MODE: i32 = 0o120_000;

impl CommitTree {
    pub(super) fn new(
        repository: git2::Repository,
        commit: CommitId,
        root: Oid,
        rest_at: Option<Remote>,
    ) -> Self {
        let objects = Objects {
            repository,
            root,
            rest_at,
            directories: HashMap::new(),
            compared: HashMap::new(),
        };
        Self {
            commit,
            objects: Mutex::new(objects),
        }
    }

    /// The commit whose files these are.
    pub fn commit(&self) -> &CommitId {
        &self.commit
    }

    /// The paths that differ from those of the commit `before`, as `Repository::changed_paths` gives
    /// them. What stands there is read from now on without reading their directories again.
    pub fn changed_since(&self, before: &CommitId) -> Result<Vec<String>, GitError> {
        let objects = &mut *self.objects();
        let diff = difference(&objects.repository, before, &self.commit)?;
        for delta in diff.deltas() {
            let new = delta.new_file();
            // A link that became a file is both gone and new.
            match new.path_bytes().map(std::str::from_utf8) {
                Some(Ok(path)) if is_file(new.mode()) => {
                    objects.compared.insert(path.to_owned(), Some(new.id()));
                }
                Some(Ok(path)) => {
                    objects.compared.entry(path.to_owned()).or_default();
                }
                _ => {}
            }
        }
        Ok(paths(&diff))
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an object cannot be read.
enum Unread {
    Object(git2::Error),
    Fetch(GitError),
}

impl From<git2::Error> for Unread {
    fn from(error: git2::Error) -> Self {
        Self::Object(error)
    }
}

impl Objects {
    /// Fetches those of the objects that are not here, in one call.
    fn fetch_missing(&self, ids: &[Oid]) -> Result<(), Unread> {
        let Some(remote) = &self.rest_at else {
            return Ok(());
        };
        let objects = self.repository.odb()?;
        let missing: Vec<Oid> = ids
            .iter()
            .copied()
            .filter(|id| !objects.exists(*id))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        fetch_objects(&self.repository, remote, &missing).map_err(Unread::Fetch)
    }

    /// What `find` finds, if need be after fetching it.
    fn found<'a, T>(
        &'a self,
        id: Oid,
        find: impl Fn(&'a git2::Repository) -> Result<T, git2::Error>,
    ) -> Result<T, Unread> {
        match find(&self.repository) {
            Err(error) if error.code() == ErrorCode::NotFound && self.rest_at.is_some() => {
                self.fetch_missing(&[id])?;
                Ok(find(&self.repository)?)
            }
            found => Ok(found?),
        }
    }

    /// The id of a file; `None` if there is none.
    fn file(&mut self, path: &str) -> Result<Option<Oid>, Unread> {
        if let Some(known) = self.compared.get(path) {
            return Ok(*known);
        }
        let (parent, name) = match path.rsplit_once('/') {
            Some(("", _)) => return Ok(None),
            Some(split) => split,
            None => ("", path),
        };
        let directory = self.directory(parent)?;
        Ok(match directory.as_ref().and_then(|found| found.get(name)) {
            Some((Kind::File, id)) => Some(id),
            _ => None,
        })
    }

    fn directory(&mut self, path: &str) -> Result<Option<Arc<Directory>>, Unread> {
        let mut directory = self.listing("", self.root)?;
        let mut reached = String::new();
        for name in path.split('/').filter(|_| !path.is_empty()) {
            let Some((Kind::Directory, id)) = directory.get(name) else {
                return Ok(None);
            };
            reached = crate::files::join(&reached, name);
            directory = self.listing(&reached, id)?;
        }
        Ok(Some(directory))
    }

    fn listing(&mut self, path: &str, id: Oid) -> Result<Arc<Directory>, Unread> {
        if let Some(known) = self.directories.get(path) {
            return Ok(known.clone());
        }
        let tree = self.found(id, |repository| repository.find_tree(id))?;
        let entries = tree.iter().filter_map(|entry| {
            let kind = match entry.kind() {
                Some(ObjectType::Tree) => Kind::Directory,
                Some(ObjectType::Blob) if entry.filemode() != LINK_MODE => Kind::File,
                _ => return None,
            };
            Some((entry.name().ok()?.to_owned(), kind, entry.id()))
        });
        let mut entries: Vec<_> = entries.collect();
        // Git sorts a directory as if its name ended in a slash.
        entries.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        let directory = Arc::new(Directory(entries));
        drop(tree);
        self.directories.insert(path.to_owned(), directory.clone());
        Ok(directory)
    }

    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, Unread> {
        let Some(id) = self.file(path)? else {
            return Ok(None);
        };
        let blob = self.found(id, |repository| repository.find_blob(id))?;
        Ok(Some(blob.content().to_vec()))
    }

    fn prepare(&mut self, paths: &[String]) -> Result<(), Unread> {
        let mut ids = Vec::new();
        for path in paths {
            ids.extend(self.file(path)?);
        }
        self.fetch_missing(&ids)
    }
}

impl Files for CommitTree {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, FilesError> {
        self.objects().read(path).map_err(fail(path))
    }

    fn list(&self, directory: &str) -> Result<Vec<Entry>, FilesError> {
        let found = self
            .objects()
            .directory(directory)
            .map_err(fail(directory))?;
        let entries = found.iter().flat_map(|directory| &directory.0);
        Ok(entries
            .map(|(name, kind, _)| Entry {
                name: name.clone(),
                is_directory: *kind == Kind::Directory,
            })
            .collect())
    }

    fn prepare(&self, paths: &[String]) -> Result<(), FilesError> {
        let first = paths.first().map_or("", String::as_str);
        self.objects().prepare(paths).map_err(fail(first))
    }
}

fn is_file(mode: FileMode) -> bool {
    matches!(
        mode,
        FileMode::Blob | FileMode::BlobExecutable | FileMode::BlobGroupWritable
    )
}

fn fail(path: &str) -> impl FnOnce(Unread) -> FilesError {
    move |error| FilesError::Object {
        path: path.to_owned(),
        reason: match error {
            Unread::Object(error) => error.message().to_owned(),
            Unread::Fetch(error) => error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{Committer, Edit, Repository, Signature};

    #[test]
    fn a_commit_reads_as_files() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open_or_create(directory.path()).unwrap();
        let edits = ["a/b", "a-b", "c"].map(|path| Edit::Write {
            path: path.to_owned(),
            bytes: path.into(),
        });
        let time = "2026-11-21T09:00:00Z".parse().unwrap();
        let commit = repository.commit_edits(
            None,
            &edits,
            "",
            &Signature::default(),
            &Committer::default(),
            time,
        );
        let commit = commit.unwrap().unwrap();
        let tree = repository.tree(&commit).unwrap();
        assert_eq!(tree.commit(), &commit);
        assert_eq!(tree.read("a/b").unwrap().as_deref(), Some(&b"a/b"[..]));
        for absent in ["", "a", "a/b/c", "nope", "a/../c", "/c", "a//b", "c/"] {
            assert_eq!(tree.read(absent).unwrap(), None, "{absent:?}");
        }
        let names = |path| -> Vec<(String, bool)> {
            let entries = tree.list(path).unwrap();
            entries
                .into_iter()
                .map(|entry| (entry.name, entry.is_directory))
                .collect()
        };
        let file = |name: &str| (name.to_owned(), false);
        assert_eq!(names(""), [("a".to_owned(), true), file("a-b"), file("c")]);
        assert_eq!(names("a"), [file("b")]);
        assert_eq!(names("c"), []);
        assert_eq!(names("nope/x"), []);
    }

    #[test]
    fn links_and_submodules_are_no_files() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open_or_create(directory.path()).unwrap();
        let raw = git2::Repository::open(directory.path()).unwrap();
        let mut builder = raw.treebuilder(None).unwrap();
        let link = raw.blob(b"/etc").unwrap();
        builder.insert("link", link, 0o120_000).unwrap();
        builder.insert("file", link, 0o100_755).unwrap();
        let root = raw.find_tree(builder.write().unwrap()).unwrap();
        let person = git2::Signature::now("a", "a@b.example").unwrap();
        let inner = raw.commit(None, &person, &person, "", &root, &[]).unwrap();
        let mut builder = raw.treebuilder(Some(&root)).unwrap();
        builder.insert("module", inner, 0o160_000).unwrap();
        let root = raw.find_tree(builder.write().unwrap()).unwrap();
        let commit = raw.commit(None, &person, &person, "", &root, &[]).unwrap();
        let tree = repository.tree(&commit.into()).unwrap();
        let names: Vec<_> = tree
            .list("")
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, ["file"]);
        for path in ["link", "link/passwd", "module", "module/x"] {
            assert_eq!(tree.read(path).unwrap(), None, "{path}");
        }
    }

    #[test]
    fn what_a_comparison_has_shown_is_read_as_it_stands() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open_or_create(directory.path()).unwrap();
        let raw = git2::Repository::open(directory.path()).unwrap();
        let person = git2::Signature::now("a", "a@b.example").unwrap();
        let commit = |entries: &[(&str, &str, i32)]| -> CommitId {
            let mut builder = raw.treebuilder(None).unwrap();
            for (name, text, mode) in entries {
                let blob = raw.blob(text.as_bytes()).unwrap();
                builder.insert(name, blob, *mode).unwrap();
            }
            let inner = builder.write().unwrap();
            let mut builder = raw.treebuilder(None).unwrap();
            builder.insert("d", inner, 0o040_000).unwrap();
            let root = raw.find_tree(builder.write().unwrap()).unwrap();
            let made = raw.commit(None, &person, &person, "", &root, &[]);
            made.unwrap().into()
        };
        let before = commit(&[
            ("changed", "1", 0o100_644),
            ("file", "/etc", 0o100_644),
            ("gone", "1", 0o100_644),
            ("link", "/etc", LINK_MODE),
            ("same", "1", 0o100_644),
        ]);
        let after = commit(&[
            ("changed", "2", 0o100_755),
            ("file", "/etc", LINK_MODE),
            ("link", "/etc", 0o100_644),
            ("new", "1", 0o100_644),
            ("same", "1", 0o100_644),
        ]);
        let plain = repository.tree(&after).unwrap();
        let compared = repository.tree(&after).unwrap();
        let changed = compared.changed_since(&before).unwrap();
        assert_eq!(
            changed,
            ["d/changed", "d/file", "d/gone", "d/link", "d/new"]
        );
        assert_eq!(changed, repository.changed_paths(&before, &after).unwrap());
        for path in changed.iter().map(String::as_str).chain(["d/same"]) {
            let read = compared.read(path).unwrap();
            assert_eq!(read, plain.read(path).unwrap(), "{path}");
        }
        assert_eq!(compared.read("d/file").unwrap(), None);
        assert!(compared.read("d/link").unwrap().is_some());
    }
}
