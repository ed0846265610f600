//! A commit's files written into a plain directory.

use std::fs;
use std::io;
use std::path::Path;

use git2::build::CheckoutBuilder;

use super::commit_id::CommitId;
use super::error::GitError;
use super::repository::Repository;

impl Repository {
    /// Writes all files of `commit` into `directory`, which is made if it is absent and must be
    /// empty otherwise. Executable bits and symbolic links are kept, the bytes are those of the
    /// commit (no line ends converted, no LFS), a submodule is an empty directory. There is no
    /// `.git`, and index and HEAD of this repository stay as they are.
    pub fn checkout(&self, commit: &CommitId, directory: &Path) -> Result<(), GitError> {
        let doing = || format!("check out {commit} into {}", directory.display());
        let disk = |source| GitError::Disk {
            doing: doing(),
            source,
        };
        fs::create_dir_all(directory).map_err(disk)?;
        if !is_empty(directory).map_err(disk)? {
            let directory = directory.to_owned();
            return Err(GitError::NotEmpty {
                commit: commit.to_string(),
                directory,
            });
        }
        let objects = self.objects();
        let tree = super::repository::tree_of(&objects, commit)?;
        let mut options = CheckoutBuilder::new();
        options
            .target_dir(directory)
            .force()
            .recreate_missing(true)
            .disable_filters(true)
            .update_index(false);
        objects
            .checkout_tree(tree.as_object(), Some(&mut options))
            .map_err(GitError::object(doing()))
    }
}

fn is_empty(directory: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(directory)?.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A bare repository whose `main` holds a plain, an executable and a linked file.
    fn repository(path: &Path) -> (Repository, CommitId) {
        let repository = Repository::open_or_create(path).unwrap();
        let raw = git2::Repository::open(path).unwrap();
        let mut builder = raw.treebuilder(None).unwrap();
        let mut add = |name: &str, text: &str, mode| {
            builder
                .insert(name, raw.blob(text.as_bytes()).unwrap(), mode)
                .unwrap();
        };
        add("plain", "a\nb\n", 0o100_644);
        add("run.sh", "#!/bin/sh\n", 0o100_755);
        add("link", "plain", 0o120_000);
        add(".gitattributes", "plain text eol=crlf\n", 0o100_644);
        let inner = builder.write().unwrap();
        builder.insert("directory", inner, 0o040_000).unwrap();
        let tree = raw.find_tree(builder.write().unwrap()).unwrap();
        let person = git2::Signature::now("a", "a@b.example").unwrap();
        let commit = raw
            .commit(None, &person, &person, "", &tree, &[])
            .unwrap()
            .into();
        repository.set_branch("main", &commit).unwrap();
        (repository, commit)
    }

    #[test]
    fn the_files_of_the_commit_are_there_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let (repository, commit) = repository(&root.path().join("bare"));
        let target = root.path().join("deep/workspace");
        repository.checkout(&commit, &target).unwrap();
        let mut names: Vec<_> = fs::read_dir(&target)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [".gitattributes", "directory", "link", "plain", "run.sh"]
        );
        for place in [target.clone(), target.join("directory")] {
            assert_eq!(fs::read(place.join("plain")).unwrap(), b"a\nb\n");
            assert_eq!(
                fs::read_link(place.join("link")).unwrap(),
                Path::new("plain")
            );
            let mode = |name| fs::metadata(place.join(name)).unwrap().permissions().mode() & 0o111;
            assert_ne!(mode("run.sh"), 0);
            assert_eq!(mode("plain"), 0);
        }
        assert!(!root.path().join("bare/index").exists());
        assert_eq!(repository.branch_tip("main").unwrap(), Some(commit));
    }

    #[test]
    fn what_is_in_the_way_is_not_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let (repository, commit) = repository(&root.path().join("bare"));
        let target = root.path().join("workspace");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("plain"), "mine").unwrap();
        let failed = repository.checkout(&commit, &target);
        assert!(matches!(failed, Err(GitError::NotEmpty { .. })));
        assert_eq!(fs::read(target.join("plain")).unwrap(), b"mine");
    }
}
