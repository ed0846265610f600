//! A bare repository of the world, changed and looked at as others would do it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What other people and the hosting server do to a repository; dayfly's own code is not used.
pub(crate) struct BareRepository {
    pub(crate) path: PathBuf,
    pub(crate) url: String,
    environment: BTreeMap<String, String>,
}

impl BareRepository {
    /// Makes it: no commit yet, HEAD on `main`.
    pub(super) fn create(path: &Path, url: String, environment: BTreeMap<String, String>) -> Self {
        let repository = Self {
            path: path.to_owned(),
            url,
            environment,
        };
        fs::create_dir_all(path).unwrap();
        repository.git(&["init", "--quiet", "--bare", "--initial-branch=main"]);
        // As the large hosts are set: open for pushes and partial clones.
        for setting in ["http.receivepack", "uploadpack.allowFilter"] {
            repository.git(&["config", setting, "true"]);
        }
        repository
    }

    /// Runs `git` in it and returns what it says, without the last line's end.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.try_git(arguments)
            .unwrap_or_else(|error| panic!("git {arguments:?}: {error}"))
    }

    fn try_git(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = self.command();
        let output = command.args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        if output.status.success() {
            let said = text(output.stdout);
            Ok(said.strip_suffix('\n').unwrap_or(&said).to_owned())
        } else {
            Err(text(output.stderr))
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command
            .current_dir(&self.path)
            .env_clear()
            .envs(&self.environment);
        command
    }

    /// Commits files on a branch, which begins with this commit if it is new. Returns the id.
    pub(crate) fn commit(&self, branch: &str, files: &[(&str, &str)]) -> String {
        self.commit_by("Somebody", branch, files)
    }

    /// The same, by a given author.
    pub(crate) fn commit_by(&self, author: &str, branch: &str, files: &[(&str, &str)]) -> String {
        let changes = files
            .iter()
            .fold(String::new(), |mut text, (path, content)| {
                writeln!(
                    text,
                    "M 100644 inline {path}\ndata {}\n{content}",
                    content.len()
                )
                .unwrap();
                text
            });
        self.import(author, branch, &changes)
    }

    /// Commits the removal of files. Returns the id.
    pub(crate) fn remove(&self, branch: &str, paths: &[&str]) -> String {
        let changes: String = paths.iter().map(|path| format!("D {path}\n")).collect();
        self.import("Somebody", branch, &changes)
    }

    fn import(&self, author: &str, branch: &str, changes: &str) -> String {
        let from = match self.tip(branch) {
            Some(tip) => format!("from {tip}\n"),
            None => String::new(),
        };
        let stream = format!(
            "commit refs/heads/{branch}\ncommitter {author} <somebody@people.example> 1795510800 +0000\n\
             data 6\nchange\n{from}{changes}\ndone\n"
        );
        let mut command = self.command();
        command
            .args(["fast-import", "--quiet", "--done"])
            .stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(stream.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success(), "{stream}");
        self.tip(branch).unwrap()
    }

    /// Begins a branch where another one stands.
    pub(crate) fn branch(&self, name: &str, from: &str) {
        let tip = self.tip(from).unwrap();
        self.git(&["update-ref", &format!("refs/heads/{name}"), &tip]);
    }

    pub(crate) fn delete_branch(&self, branch: &str) {
        self.git(&["update-ref", "-d", &format!("refs/heads/{branch}")]);
    }

    /// The full id of the branch's last commit.
    pub(crate) fn tip(&self, branch: &str) -> Option<String> {
        self.try_git(&[
            "rev-parse",
            "--verify",
            "--quiet",
            &format!("refs/heads/{branch}"),
        ])
        .ok()
    }

    pub(crate) fn branches(&self) -> Vec<String> {
        let names = self.git(&["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"]);
        names.lines().map(str::to_owned).collect()
    }

    /// A file as it stands on a branch.
    pub(crate) fn read(&self, branch: &str, path: &str) -> Option<String> {
        let mut command = self.command();
        command.args(["cat-file", "blob", &format!("refs/heads/{branch}:{path}")]);
        let output = command.output().unwrap();
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// All files of a branch, sorted.
    pub(crate) fn files(&self, branch: &str) -> Vec<String> {
        let reference = format!("refs/heads/{branch}");
        let names = self.git(&["ls-tree", "-r", "-z", "--name-only", &reference]);
        names
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The first lines of the branch's commit messages, newest first.
    pub(crate) fn subjects(&self, branch: &str) -> Vec<String> {
        let log = self.git(&["log", "--format=%s", &format!("refs/heads/{branch}")]);
        log.lines().map(str::to_owned).collect()
    }

    /// Installs a shell script as a hook of the server.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        let path = self.path.join("hooks").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
