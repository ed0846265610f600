//! Changes of a few files made into a tree, without a checkout.
//!
//! Only directories on the way to an edited file are read and written: what was not touched is
//! taken over by its id, however much it is.

use std::collections::BTreeMap;

use git2::{ObjectType, Oid};

use super::directory::{BLOB, EXECUTABLE, Entries, TREE};
use super::error::GitError;

/// One file of a commit to be. Paths have `/` between names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The file with exactly these bytes; an executable file stays one.
    Write { path: String, bytes: Vec<u8> },
    /// No such file; nothing happens if there is none. A directory that loses its last file goes.
    Remove { path: String },
}

impl Edit {
    fn path(&self) -> &str {
        match self {
            Self::Write { path, .. } | Self::Remove { path } => path,
        }
    }
}

/// The edits below one directory, by name.
#[derive(Default)]
struct Branch<'a>(BTreeMap<&'a str, Node<'a>>);

enum Node<'a> {
    Below(Branch<'a>),
    Here(&'a Edit),
}

/// Writes the tree that `base` becomes by `edits`; of two edits of one path the later counts.
pub(super) fn edit_tree(
    repository: &git2::Repository,
    base: Option<Oid>,
    edits: &[Edit],
) -> Result<Oid, GitError> {
    let mut root = Branch::default();
    for edit in edits {
        root.insert(edit)?;
    }
    let edited = root.apply(repository, base)?;
    match edited {
        Some(tree) => Ok(tree),
        None => {
            let empty = repository
                .treebuilder(None)
                .and_then(|builder| builder.write());
            empty.map_err(GitError::object("write an empty tree"))
        }
    }
}

impl<'a> Branch<'a> {
    fn insert(&mut self, edit: &'a Edit) -> Result<(), GitError> {
        let fail = |reason| GitError::EditPath {
            path: edit.path().to_owned(),
            reason,
        };
        let mut names: Vec<&str> = edit.path().split('/').collect();
        if let Some(reason) = names.iter().find_map(|name| refuse(name)) {
            return Err(fail(reason));
        }
        let Some(last) = names.pop() else {
            return Ok(());
        };
        let mut branch = self;
        for name in names {
            let node = branch
                .0
                .entry(name)
                .or_insert_with(|| Node::Below(Branch::default()));
            let Node::Below(below) = node else {
                return Err(fail("it is both a file and a directory"));
            };
            branch = below;
        }
        if matches!(
            branch.0.insert(last, Node::Here(edit)),
            Some(Node::Below(_))
        ) {
            return Err(fail("it is both a file and a directory"));
        }
        Ok(())
    }

    /// The edited directory; `None` when nothing is left in it.
    fn apply(
        &self,
        repository: &git2::Repository,
        base: Option<Oid>,
    ) -> Result<Option<Oid>, GitError> {
        let failed = || GitError::object("write a tree");
        let objects = repository.odb().map_err(failed())?;
        let base = match base {
            Some(id) => Some(objects.read(id).map_err(failed())?),
            None => None,
        };
        let text = base.as_ref().map_or(&[][..], |base| base.data());
        let mut entries = Entries::parse(text).map_err(failed())?;
        for (name, node) in &self.0 {
            let present = entries.get(name);
            let is_directory = present.is_some_and(|(mode, _)| mode == TREE);
            let entry = match node {
                Node::Below(below) => {
                    let inner = present.filter(|_| is_directory).map(|(_, id)| id);
                    let edited = below.apply(repository, inner)?;
                    if inner.is_none() && edited.is_none() {
                        continue;
                    }
                    if present.is_some() && inner.is_none() {
                        return Err(GitError::EditPath {
                            path: (*name).to_owned(),
                            reason: "it is no directory",
                        });
                    }
                    edited.map(|tree| (TREE, tree))
                }
                Node::Here(Edit::Write { path, .. } | Edit::Remove { path }) if is_directory => {
                    return Err(GitError::EditPath {
                        path: path.clone(),
                        reason: "it is a directory",
                    });
                }
                Node::Here(Edit::Write { bytes, .. }) => {
                    let mode = match present {
                        Some((EXECUTABLE, _)) => EXECUTABLE,
                        _ => BLOB,
                    };
                    Some((mode, repository.blob(bytes).map_err(failed())?))
                }
                Node::Here(Edit::Remove { .. }) => None,
            };
            entries.set(name, entry);
        }
        if entries.is_empty() {
            return Ok(None);
        }
        let tree = objects.write(ObjectType::Tree, &entries.text());
        tree.map(Some).map_err(failed())
    }
}

/// Why Git, or a checkout on any system, would not take the name.
fn refuse(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("a name in it is empty")
    } else if name == "." || name == ".." {
        Some("it is not relative to the root")
    } else if name.eq_ignore_ascii_case(".git") {
        Some("a name in it belongs to Git")
    } else if name.contains(['\0', '\\']) || name.chars().any(char::is_control) {
        Some("it holds a character that no path may hold")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::files::Files;
    use crate::git::{CommitId, Committer, Repository, Signature};

    fn write(path: &str, text: &str) -> Edit {
        Edit::Write {
            path: path.to_owned(),
            bytes: text.into(),
        }
    }

    fn remove(path: &str) -> Edit {
        Edit::Remove {
            path: path.to_owned(),
        }
    }

    fn commit(
        repository: &Repository,
        parent: Option<&CommitId>,
        edits: &[Edit],
    ) -> Option<CommitId> {
        let time = "2026-11-21T09:00:00Z".parse().unwrap();
        repository
            .commit_edits(
                parent,
                edits,
                "edit",
                &Signature::default(),
                &Committer::default(),
                time,
            )
            .unwrap()
    }

    /// All files below a directory with their content, one in a line.
    fn listing(files: &dyn Files, directory: &str) -> String {
        files
            .list(directory)
            .unwrap()
            .into_iter()
            .fold(String::new(), |mut text, entry| {
                let path = crate::files::join(directory, &entry.name);
                if entry.is_directory {
                    text.push_str(&listing(files, &path));
                } else {
                    let bytes = files.read(&path).unwrap().unwrap();
                    writeln!(text, "{path}: {}", String::from_utf8_lossy(&bytes)).unwrap();
                }
                text
            })
    }

    #[test]
    fn edits_touch_their_files_only() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open_or_create(directory.path()).unwrap();
        let start = [
            write("a/b/c", "1"),
            write("a/b/d", "2"),
            write("a/e", "3"),
            write("f", "4"),
        ];
        let first = commit(&repository, None, &start).unwrap();
        let after = |edits: &[Edit]| {
            let id = commit(&repository, Some(&first), edits)?;
            Some(listing(&repository.tree(&id).unwrap(), ""))
        };
        assert_eq!(
            listing(&repository.tree(&first).unwrap(), ""),
            "a/b/c: 1\na/b/d: 2\na/e: 3\nf: 4\n"
        );
        let table: [(&[Edit], Option<&str>); 8] = [
            (&[], None),
            (&[write("f", "4")], None),
            (&[remove("a/b/nope"), remove("x/y/z"), remove("f/g")], None),
            (
                &[write("a/b/c", "9")],
                Some("a/b/c: 9\na/b/d: 2\na/e: 3\nf: 4\n"),
            ),
            (&[remove("a/b/c"), remove("a/b/d")], Some("a/e: 3\nf: 4\n")),
            (
                &[remove("f"), write("f", "5")],
                Some("a/b/c: 1\na/b/d: 2\na/e: 3\nf: 5\n"),
            ),
            (
                &[write("n/é/x y", "6")],
                Some("a/b/c: 1\na/b/d: 2\na/e: 3\nf: 4\nn/é/x y: 6\n"),
            ),
            (
                &[remove("a/b/c"), remove("a/b/d"), remove("a/e"), remove("f")],
                Some(""),
            ),
        ];
        for (edits, expected) in table {
            assert_eq!(after(edits).as_deref(), expected, "{edits:?}");
        }
        assert_eq!(commit(&repository, None, &[remove("x")]), None);
    }

    #[test]
    fn paths_that_are_no_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open_or_create(directory.path()).unwrap();
        let first = commit(&repository, None, &[write("a/b", "1"), write("f", "2")]).unwrap();
        let time = "2026-11-21T09:00:00Z".parse().unwrap();
        let table: [&[Edit]; 12] = [
            &[write("", "x")],
            &[write("/etc/passwd", "x")],
            &[write("../x", "x")],
            &[write("a/./x", "x")],
            &[write("a/", "x")],
            &[write(".GIT/config", "x")],
            &[write("a\\b", "x")],
            &[write("a\nb", "x")],
            &[write("a", "x")],
            &[remove("a")],
            &[write("f/g", "x")],
            &[write("n", "x"), write("n/m", "x")],
        ];
        for edits in table {
            let made = repository.commit_edits(
                Some(&first),
                edits,
                "",
                &Signature::default(),
                &Committer::default(),
                time,
            );
            assert!(
                matches!(made, Err(GitError::EditPath { .. })),
                "{edits:?}: {made:?}"
            );
        }
    }
}
