//! What each commit of a range changes, entry by entry.

use std::collections::BTreeMap;

use git2::{ErrorCode, ObjectType, Oid, Sort};

use super::commit_id::CommitId;
use super::error::GitError;
use super::repository::{Repository, find_commit, tree_of};

/// A range of commits: those that `head` has and `base`, an ancestor of it, has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub base: CommitId,
    pub head: CommitId,
}

/// A path at which a commit differs from one of its parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// A name in it that is no UTF-8 is shown as well as can be.
    pub path: String,
    /// What stands there in the parent.
    pub before: Option<Standing>,
    /// What stands there in the commit.
    pub after: Option<Standing>,
}

/// What stands at a path: anything but a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    File(Vec<u8>),
    /// Something else: an executable file, a link, another repository, a name that cannot be.
    Other(&'static str),
}

/// Mode and id of an entry. A tree made by hand can hold two entries of one name.
type Entries = BTreeMap<Vec<u8>, Vec<(i32, Oid)>>;

const FILE_MODE: i32 = 0o100_644;
const TREE_MODE: i32 = 0o040_000;

impl Repository {
    /// The commit that `name`, whatever `git rev-parse` takes, stands for.
    pub fn commit(&self, name: &str) -> Result<CommitId, GitError> {
        let objects = self.objects();
        let found = objects
            .revparse_single(name)
            .and_then(|object| object.peel_to_commit());
        match found {
            Ok(commit) => Ok(commit.id().into()),
            Err(_) => Err(GitError::NoCommit {
                name: name.to_owned(),
                path: self.path().to_owned(),
                is_shallow: objects.is_shallow(),
            }),
        }
    }

    /// The commit at which the histories of two parted; `None` if they share none.
    pub fn parting(&self, one: &CommitId, other: &CommitId) -> Result<Option<CommitId>, GitError> {
        let objects = self.objects();
        let of = |commit| find_commit(&objects, commit).map(|commit| commit.id());
        match objects.merge_base(of(one)?, of(other)?) {
            Ok(base) => Ok(Some(base.into())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(GitError::object(format!("compare {one} with {other}"))(
                error,
            )),
        }
    }

    /// Reads `BASE..HEAD`, or `BASE...HEAD` for what HEAD has since the two parted. Either end is
    /// whatever `git rev-parse` takes, and must be there.
    pub fn range(&self, text: &str) -> Result<Range, GitError> {
        let fail = |reason: String| GitError::Range {
            range: text.to_owned(),
            reason,
        };
        let (base, head) = text
            .split_once("..")
            .ok_or_else(|| fail("it is not of the form BASE..HEAD".to_owned()))?;
        let (is_since_parting, head) = match head.strip_prefix('.') {
            Some(head) => (true, head),
            None => (false, head),
        };
        let objects = self.objects();
        if objects.is_shallow() {
            return Err(GitError::Shallow {
                path: self.path().to_owned(),
            });
        }
        let commit = |name: &str| {
            if name.starts_with('-') {
                return Err(fail(format!("{name} looks like an option")));
            }
            // An unset variable must not compare HEAD with itself.
            if name.is_empty() {
                return Err(fail("a side of it is empty".to_owned()));
            }
            let found = objects
                .revparse_single(name)
                .and_then(|object| object.peel_to_commit());
            match found {
                Ok(commit) => Ok(commit.id()),
                Err(error) => Err(fail(format!("{name} is no commit: {}", error.message()))),
            }
        };
        let (base, head) = (commit(base)?, commit(head)?);
        let parting = match objects.merge_base(base, head) {
            Ok(parting) => parting,
            Err(error) if error.code() == ErrorCode::NotFound => {
                return Err(fail("the two have no commit in common".to_owned()));
            }
            Err(source) => {
                return Err(GitError::Object {
                    doing: format!("find where {text} parted"),
                    source,
                });
            }
        };
        if !is_since_parting && parting != base {
            let base = CommitId::from(base);
            return Err(fail(format!(
                "{base} is no ancestor of HEAD: write BASE...HEAD for what HEAD has since they parted"
            )));
        }
        // Where they parted is the author's choice: what stands is judged by BASE itself.
        Ok(Range {
            base: base.into(),
            head: head.into(),
        })
    }

    /// The commits of a range, parents before their children.
    pub fn commits_of(&self, range: &Range) -> Result<Vec<CommitId>, GitError> {
        let objects = self.objects();
        let walk = || {
            let mut walk = objects.revwalk()?;
            walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
            walk.push(Oid::from_str(range.head.as_str())?)?;
            walk.hide(Oid::from_str(range.base.as_str())?)?;
            walk.map(|id| id.map(CommitId::from))
                .collect::<Result<Vec<_>, git2::Error>>()
        };
        walk().map_err(GitError::object(format!(
            "list the commits of {}..{}",
            range.base, range.head
        )))
    }

    /// Where a commit differs from each of its parents (from nothing, if it has none), except what
    /// stands in it as in `base`: that is no news, however it came.
    pub fn touched(&self, commit: &CommitId, base: &CommitId) -> Result<Vec<Touched>, GitError> {
        let objects = self.objects();
        let tree = tree_of(&objects, commit)?.id();
        let base = tree_of(&objects, base)?.id();
        let failed = || GitError::object(format!("read the changes of commit {commit}"));
        let parents: Vec<Option<Oid>> = find_commit(&objects, commit)?
            .parents()
            .map(|parent| Some(parent.tree_id()))
            .collect();
        let parents = if parents.is_empty() {
            vec![None]
        } else {
            parents
        };
        let mut touched: Vec<Touched> = Vec::new();
        for parent in parents {
            let mut walk = Walk {
                objects: &objects,
                touched: Vec::new(),
            };
            walk.compare(&[], parent, Some(tree), Some(base))
                .map_err(failed())?;
            for found in walk.touched {
                if !touched.contains(&found) {
                    touched.push(found);
                }
            }
        }
        Ok(touched)
    }
}

struct Walk<'a> {
    objects: &'a git2::Repository,
    touched: Vec<Touched>,
}

impl Walk<'_> {
    fn entries(&self, tree: Option<Oid>) -> Result<Entries, git2::Error> {
        let mut entries = Entries::new();
        if let Some(tree) = tree {
            for entry in &self.objects.find_tree(tree)? {
                let found = (entry.filemode_raw(), entry.id());
                let name = entry.name_bytes().to_owned();
                entries.entry(name).or_default().push(found);
            }
        }
        Ok(entries)
    }

    fn compare(
        &mut self,
        directory: &[u8],
        before: Option<Oid>,
        after: Option<Oid>,
        base: Option<Oid>,
    ) -> Result<(), git2::Error> {
        if before == after || after == base {
            return Ok(());
        }
        let (before, after) = (self.entries(before)?, self.entries(after)?);
        let base = self.entries(base)?;
        let names: std::collections::BTreeSet<&Vec<u8>> =
            before.keys().chain(after.keys()).collect();
        let none = Vec::new();
        for name in names {
            let of = |entries: &Entries| entries.get(name).unwrap_or(&none).clone();
            let (before, after, base) = (of(&before), of(&after), of(&base));
            if before == after || after == base {
                continue;
            }
            let mut path = directory.to_owned();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(name);
            let subtree = |entries: &[(i32, Oid)]| match entries {
                [(TREE_MODE, id)] => Some(*id),
                _ => None,
            };
            let trees = (subtree(&before), subtree(&after));
            if trees != (None, None) {
                self.compare(&path, trees.0, trees.1, subtree(&base))?;
            }
            // What is no directory on either side, beside or in place of one.
            let before = self.standing(name, &before)?;
            let after = self.standing(name, &after)?;
            if before != after {
                self.touched.push(Touched {
                    path: String::from_utf8_lossy(&path).into_owned(),
                    before,
                    after,
                });
            }
        }
        Ok(())
    }

    fn standing(
        &self,
        name: &[u8],
        entries: &[(i32, Oid)],
    ) -> Result<Option<Standing>, git2::Error> {
        let other = |what| Ok(Some(Standing::Other(what)));
        let (mode, id) = match entries {
            [] | [(TREE_MODE, _)] => return Ok(None),
            [entry] => *entry,
            _ => return other("two things of one name"),
        };
        if name.contains(&b'/') || std::str::from_utf8(name).is_err() {
            return other("a name that no file can have");
        }
        match mode {
            FILE_MODE => {
                let blob = self.objects.find_object(id, Some(ObjectType::Blob))?;
                let content = blob.as_blob().map(|blob| blob.content().to_vec());
                Ok(Some(Standing::File(content.unwrap_or_default())))
            }
            0o100_755 => other("an executable file"),
            0o120_000 => other("a symbolic link"),
            0o160_000 => other("another repository"),
            _ => other("a file of an unusual mode"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{Committer, Edit, Signature};

    fn commit(repository: &Repository, parent: Option<&CommitId>, edits: &[Edit]) -> CommitId {
        let time = "2026-11-21T09:00:00Z".parse().unwrap();
        let who = Committer::default();
        repository
            .commit_edits(parent, edits, "x", &Signature::default(), &who, time)
            .unwrap()
            .unwrap()
    }

    fn write(path: &str, text: &str) -> Edit {
        Edit::Write {
            path: path.to_owned(),
            bytes: text.into(),
        }
    }

    #[test]
    fn every_commit_of_a_range_is_looked_at_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open_or_create(directory.path()).unwrap();
        let base = commit(&repository, None, &[write("a", "1"), write("d/b", "1")]);
        let there = commit(&repository, Some(&base), &[write("d/c/e", "2")]);
        let edits = [
            Edit::Remove {
                path: "d/c/e".to_owned(),
            },
            write("d", "a file"),
        ];
        let gone = Edit::Remove {
            path: "d/b".to_owned(),
        };
        let back = commit(&repository, Some(&there), &edits[..1]);
        let turned = commit(&repository, Some(&back), &[gone]);
        let turned = commit(&repository, Some(&turned), &edits[1..]);
        repository.set_branch("main", &turned).unwrap();
        repository.set_branch("base", &base).unwrap();

        let range = repository.range("base..main").unwrap();
        assert_eq!(range.base, base);
        assert_eq!(repository.range("base..main").unwrap(), range);
        assert_eq!(repository.range("base...main~0").unwrap(), range);
        let commits = repository.commits_of(&range).unwrap();
        assert_eq!(commits.len(), 4);
        let paths = |commit: &CommitId| -> Vec<String> {
            let touched = repository.touched(commit, &base).unwrap();
            touched.into_iter().map(|touched| touched.path).collect()
        };
        assert_eq!(paths(&there), ["d/c/e"]);
        assert_eq!(
            paths(&back),
            [""; 0],
            "it stands as in the base: the commit before is to blame"
        );
        assert_eq!(paths(&commits[2]), ["d/b"]);
        assert_eq!(paths(&turned), ["d"]);
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open_or_create(directory.path()).unwrap();
        let base = commit(&repository, None, &[write("a", "1")]);
        let other = commit(&repository, None, &[write("a", "2")]);
        let head = commit(&repository, Some(&base), &[write("a", "3")]);
        for (name, id) in [("base", &base), ("other", &other), ("main", &head)] {
            repository.set_branch(name, id).unwrap();
        }
        for text in [
            "main",
            "--all..main",
            "base..-x",
            "base..nope",
            "main..base",
            "other..main",
            "other...main",
            "base..main:a",
            "base..",
            "..main",
            "...main",
            "..",
            "...",
        ] {
            let refused = repository.range(text);
            assert!(
                matches!(refused, Err(GitError::Range { .. })),
                "{text}: {refused:?}"
            );
        }
        assert!(repository.range("base..main").is_ok());
    }
}
