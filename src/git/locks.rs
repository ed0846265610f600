//! Locks that a killed process has left in a repository of dayfly's own: git would wait for a person.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Who is at work holds a lock for moments: one that outlasts this is nobody's.
const PATIENCE: Duration = Duration::from_secs(2);

/// Removes the locks on references that nobody holds any more.
pub(super) fn remove_left(repository: &Path) {
    let before = locks(repository);
    if before.is_empty() {
        return;
    }
    thread::sleep(PATIENCE);
    for (path, _) in before.intersection(&locks(repository)) {
        // Gone, or not to be removed: whoever met it tries again, and tells.
        let _ = fs::remove_file(path);
    }
}

/// Whether `git` says that it met a lock.
pub(super) fn stood_in_the_way(words: &str) -> bool {
    words.contains(".lock': File exists")
}

/// The lock files and their numbers: one that is made anew is another one.
fn locks(repository: &Path) -> BTreeSet<(PathBuf, u64)> {
    let mut found = BTreeSet::new();
    collect(repository, false, &mut found);
    collect(&repository.join("refs"), true, &mut found);
    found
}

fn collect(directory: &Path, is_deep: bool, found: &mut BTreeSet<(PathBuf, u64)>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(data) = entry.metadata() else { continue };
        if data.is_dir() && is_deep {
            collect(&path, is_deep, found);
        } else if data.is_file()
            && path
                .extension()
                .is_some_and(|extension| extension == "lock")
        {
            found.insert((path, data.ino()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{remove_left, stood_in_the_way};

    #[test]
    fn only_locks_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("refs/heads/a.lock")).unwrap();
        for name in [
            "HEAD",
            "packed-refs.lock",
            "refs/heads/b",
            "refs/heads/b.lock",
        ] {
            fs::write(path(name), "").unwrap();
        }
        remove_left(directory.path());
        for (name, stays) in [
            ("HEAD", true),
            ("refs/heads/a.lock", true),
            ("refs/heads/b", true),
            ("packed-refs.lock", false),
            ("refs/heads/b.lock", false),
        ] {
            assert_eq!(path(name).exists(), stays, "{name}");
        }
    }

    #[test]
    fn a_lock_is_told_from_other_words() {
        let words = "error: cannot lock ref 'refs/heads/main': Unable to create \
                     '/x/refs/heads/main.lock': File exists.";
        assert!(stood_in_the_way(words));
        assert!(!stood_in_the_way(
            "fatal: unable to access 'http://x/': lock"
        ));
    }
}
