//! The files of a commit, read straight from the object database.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git2::{ObjectType, Oid};

use crate::files::{Entry, Files, FilesError};

use super::commit_id::CommitId;

/// A commit's tree. Symbolic links and submodules are no files, so nothing outside is ever read;
/// a name that is no UTF-8 is left out.
pub struct CommitTree {
    commit: CommitId,
    objects: Mutex<Objects>,
}

struct Objects {
    repository: git2::Repository,
    root: Oid,
    /// What was read so far: a directory of ten thousand files is parsed once, not once per file.
    directories: HashMap<String, Arc<Directory>>,
}

type Directory = BTreeMap<String, (Kind, Oid)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
}

const LINK_MODE: i32 = 0o120_000;

impl CommitTree {
    pub(super) fn new(repository: git2::Repository, commit: CommitId, root: Oid) -> Self {
        let objects = Objects {
            repository,
            root,
            directories: HashMap::new(),
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

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects {
    fn directory(&mut self, path: &str) -> Result<Option<Arc<Directory>>, git2::Error> {
        let mut directory = self.listing("", self.root)?;
        let mut reached = String::new();
        for name in path.split('/').filter(|_| !path.is_empty()) {
            let Some((Kind::Directory, id)) = directory.get(name).copied() else {
                return Ok(None);
            };
            reached = crate::files::join(&reached, name);
            directory = self.listing(&reached, id)?;
        }
        Ok(Some(directory))
    }

    fn listing(&mut self, path: &str, id: Oid) -> Result<Arc<Directory>, git2::Error> {
        if let Some(known) = self.directories.get(path) {
            return Ok(known.clone());
        }
        let tree = self.repository.find_tree(id)?;
        let entries = tree.iter().filter_map(|entry| {
            let kind = match entry.kind() {
                Some(ObjectType::Tree) => Kind::Directory,
                Some(ObjectType::Blob) if entry.filemode() != LINK_MODE => Kind::File,
                _ => return None,
            };
            Some((entry.name().ok()?.to_owned(), (kind, entry.id())))
        });
        let directory: Arc<Directory> = Arc::new(entries.collect());
        self.directories.insert(path.to_owned(), directory.clone());
        Ok(directory)
    }

    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, git2::Error> {
        let (parent, name) = match path.rsplit_once('/') {
            Some(("", _)) => return Ok(None),
            Some(split) => split,
            None => ("", path),
        };
        let Some(directory) = self.directory(parent)? else {
            return Ok(None);
        };
        match directory.get(name) {
            Some((Kind::File, id)) => Ok(Some(self.repository.find_blob(*id)?.content().to_vec())),
            _ => Ok(None),
        }
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
        let entries = found.iter().flat_map(|directory| directory.iter());
        Ok(entries
            .map(|(name, (kind, _))| Entry {
                name: name.clone(),
                is_directory: *kind == Kind::Directory,
            })
            .collect())
    }
}

fn fail(path: &str) -> impl FnOnce(git2::Error) -> FilesError {
    move |error| FilesError::Object {
        path: path.to_owned(),
        reason: error.message().to_owned(),
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
}
