//! A person's own work tree, for what `dayfly init` and `service add` write into it.

use std::fs;
use std::path::Path;

use git2::ErrorCode;

use super::commit_id::CommitId;
use super::error::GitError;
use super::process::Call;
use super::repository::Repository;
use super::signature::identity;
use super::words;

/// Makes `directory` a repository with HEAD on `main`, unless it is one already. Returns whether it
/// was made. A directory within another repository's work tree is none itself.
pub fn init_work_tree(directory: &Path) -> Result<bool, GitError> {
    let doing = format!("make a repository of {}", directory.display());
    match git2::Repository::open(directory) {
        Ok(_) => return Ok(false),
        Err(error) if error.code() == ErrorCode::NotFound => {}
        Err(source) => return Err(GitError::Object { doing, source }),
    }
    fs::create_dir_all(directory).map_err(|source| GitError::Disk {
        doing: doing.clone(),
        source,
    })?;
    call(
        directory,
        doing,
        &["init", "--quiet", "--initial-branch=main"],
        &[],
    )?;
    Ok(true)
}

/// Commits the work tree's content of exactly these paths (relative to `directory`) on the current
/// branch; what else a person has changed or staged stays as it is. Returns `None` if the last
/// commit holds them already. The person's hooks and signing apply.
pub fn commit_paths(
    directory: &Path,
    paths: &[String],
    message: &str,
) -> Result<Option<CommitId>, GitError> {
    if paths.is_empty() {
        return Ok(None);
    }
    let doing = format!("commit in {}", directory.display());
    // A file that is ignored by a rule of the person's is still asked for by name.
    call(directory, doing.clone(), &["add", "--force"], paths)?;
    let status = ["status", "--porcelain", "--untracked-files=no"];
    if call(directory, doing.clone(), &status, paths)?.is_empty() {
        return Ok(None);
    }
    let message = format!("--message={message}");
    call(
        directory,
        doing,
        &["commit", "--quiet", "--only", &message],
        paths,
    )?;
    let repository = Repository::open(directory).or_else(|_| discover(directory))?;
    repository.reference_tip("HEAD")
}

/// Whether a person has changed one of `paths` since the last commit.
pub fn has_changes(directory: &Path, paths: &[String]) -> Result<bool, GitError> {
    let doing = format!("look for changes in {}", directory.display());
    let status = ["status", "--porcelain", "--untracked-files=no"];
    Ok(!call(directory, doing, &status, paths)?.is_empty())
}

/// The repository whose work tree holds `directory`.
fn discover(directory: &Path) -> Result<Repository, GitError> {
    let found = git2::Repository::discover(directory).map_err(GitError::object(format!(
        "find the repository of {}",
        directory.display()
    )))?;
    Repository::open(found.path())
}

fn call(
    directory: &Path,
    doing: String,
    arguments: &[&str],
    paths: &[String],
) -> Result<Vec<u8>, GitError> {
    let mut call = Call::new(doing.as_str())
        .directory(directory)
        // A path is a name here, never a pattern.
        .env("GIT_LITERAL_PATHSPECS", "1")
        .args(arguments);
    if !paths.is_empty() {
        call = call.args(["--"]).args(paths);
    }
    if arguments.first() == Some(&"commit") {
        let person = identity(directory);
        for role in ["AUTHOR", "COMMITTER"] {
            call = call
                .env(&format!("GIT_{role}_NAME"), person.name())
                .env(&format!("GIT_{role}_EMAIL"), person.email());
        }
    }
    let answer = call.run()?;
    if answer.success {
        Ok(answer.stdout)
    } else {
        Err(GitError::WorkTree {
            doing,
            words: words::spoken(&answer.stderr),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(directory: &Path, arguments: &[&str]) -> String {
        let answer = Call::new("prepare")
            .directory(directory)
            .args(arguments)
            .run()
            .unwrap();
        assert!(answer.success, "{arguments:?}: {}", answer.stderr);
        String::from_utf8(answer.stdout).unwrap()
    }

    fn paths(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_directory_becomes_a_repository_once() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("-new/m");
        assert!(init_work_tree(&directory).unwrap());
        assert!(!init_work_tree(&directory).unwrap());
        assert_eq!(
            git(&directory, &["symbolic-ref", "HEAD"]),
            "refs/heads/main\n"
        );
        // One within it is a repository of its own.
        assert!(init_work_tree(&directory.join("inner")).unwrap());
    }

    #[test]
    fn what_a_person_has_staged_or_changed_stays() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path();
        init_work_tree(directory).unwrap();
        let write = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
        write(".gitignore", "ours\n");
        write("ours", "1");
        write("*", "1");
        write("-x", "1");
        write("staged", "1");
        write("untracked", "1");
        git(directory, &["add", "staged"]);
        let ours = paths(&["ours", "*", "-x"]);
        let first = commit_paths(directory, &ours, "-first").unwrap().unwrap();
        assert_eq!(
            git(directory, &["ls-tree", "--name-only", "HEAD"]),
            "*\n-x\nours\n"
        );
        assert_eq!(
            git(directory, &["log", "-1", "--format=%H %s"]),
            format!("{first} -first\n")
        );
        let status = "A  staged\n?? .gitignore\n?? untracked\n";
        assert_eq!(git(directory, &["status", "--porcelain"]), status);
        assert_eq!(commit_paths(directory, &ours, "again").unwrap(), None);
        assert_eq!(commit_paths(directory, &[], "none").unwrap(), None);
        write("ours", "2");
        assert!(commit_paths(directory, &ours, "second").unwrap().is_some());
        assert_eq!(git(directory, &["status", "--porcelain"]), status);
    }

    #[test]
    fn what_git_refuses_is_told() {
        let root = tempfile::tempdir().unwrap();
        init_work_tree(root.path()).unwrap();
        let error = commit_paths(root.path(), &paths(&["nope"]), "x").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("pathspec 'nope' did not match any files"),
            "{error}"
        );
        let hook = root.path().join(".git/hooks/pre-commit");
        fs::create_dir_all(root.path().join(".git/hooks")).unwrap();
        fs::write(&hook, "#!/bin/sh\necho not today >&2\nexit 1\n").unwrap();
        git(root.path(), &["config", "core.hooksPath", ".git/hooks"]);
        fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        fs::write(root.path().join("a"), "1").unwrap();
        let error = commit_paths(root.path(), &paths(&["a"]), "x").unwrap_err();
        assert!(error.to_string().ends_with(": not today"), "{error}");
    }
}
