//! A world of its own for each story: a home, repositories behind a server, and the binary.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{BareRepository, GitServer};

/// A temporary directory with a home, a Git server over it, and an environment without anything
/// of the machine's that could change a story.
///
/// ```ignore
/// let world = World::new();
/// let manager = world.repository("manager");
/// manager.commit("main", &[("dayfly.hcl", "")]);
/// let listed = world.dayfly(&["env", "list", "--manager", &manager.url]).succeeded();
/// assert_eq!(manager.read("main", "dayfly.hcl").as_deref(), Some(""));
/// ```
pub(crate) struct World {
    pub(crate) server: GitServer,
    environment: BTreeMap<String, String>,
    directory: tempfile::TempDir,
}

/// How a program ended and what it said.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Linked into the world's `PATH` from wherever this machine has them; `TERRAFORM=tofu` leaves out
/// `terraform`, which dayfly would prefer.
const TOOLS: [&str; 3] = ["git", "terraform", "tofu"];

impl World {
    /// A world whose server asks nobody for a token.
    pub(crate) fn new() -> Self {
        Self::create(None)
    }

    /// A world whose server opens for this token only.
    pub(crate) fn with_token(token: &str) -> Self {
        Self::create(Some(token))
    }

    fn create(token: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["home", "bin", "repositories"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let chosen = std::env::var("TERRAFORM").unwrap_or_default();
        for tool in TOOLS {
            if tool == "terraform" && chosen == "tofu" {
                continue;
            }
            if let Some(found) = find_program(tool) {
                symlink(found, root.join("bin").join(tool)).unwrap();
            }
        }
        let text = |name: &str| root.join(name).to_str().unwrap().to_owned();
        let environment = [
            ("HOME", text("home")),
            ("PATH", format!("{}:/usr/bin:/bin", text("bin"))),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("GIT_AUTHOR_NAME", "Ann Author".to_owned()),
            ("GIT_AUTHOR_EMAIL", "ann@people.example".to_owned()),
            ("GIT_COMMITTER_NAME", "Ann Author".to_owned()),
            ("GIT_COMMITTER_EMAIL", "ann@people.example".to_owned()),
            ("TF_CLI_CONFIG_FILE", "/dev/null".to_owned()),
            ("CHECKPOINT_DISABLE", "1".to_owned()),
        ];
        let environment = environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let server = GitServer::start(&root.join("repositories"), token);
        Self {
            server,
            environment,
            directory,
        }
    }

    /// A place in the world; nothing is made there.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A new bare repository that the server serves.
    pub(crate) fn repository(&self, name: &str) -> BareRepository {
        let path = self.path("repositories").join(format!("{name}.git"));
        let url = self.server.url(&format!("{name}.git"));
        BareRepository::create(&path, url, self.environment.clone())
    }

    /// A clone with a work tree, as a person has one. Returns its directory.
    pub(crate) fn clone_of(&self, repository: &BareRepository, name: &str) -> PathBuf {
        let path = self.path(name);
        let (from, to) = (repository.path.to_str().unwrap(), path.to_str().unwrap());
        self.git(self.directory.path(), &["clone", "--quiet", from, to]);
        path
    }

    /// Runs `git` in a directory of the world; returns its stdout.
    pub(crate) fn git(&self, directory: &Path, arguments: &[&str]) -> String {
        let mut command = self.command("git");
        finish(command.current_dir(directory).args(arguments))
            .succeeded()
            .stdout
    }

    /// Runs the binary in the world's own directory.
    pub(crate) fn dayfly<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Output {
        finish(self.command(env!("CARGO_BIN_EXE_dayfly")).args(arguments))
    }

    /// As `dayfly`, with these variables beside the world's.
    pub(crate) fn dayfly_with<S: AsRef<std::ffi::OsStr>>(
        &self,
        variables: &[(&str, &str)],
        arguments: &[S],
    ) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_dayfly"));
        finish(command.envs(variables.iter().copied()).args(arguments))
    }

    /// As `dayfly_with`, of a program and its arguments.
    pub(crate) fn program_with(&self, variables: &[(&str, &str)], words: &[&str]) -> Output {
        let mut command = self.command(words[0]);
        finish(command.envs(variables.iter().copied()).args(&words[1..]))
    }

    /// Puts a script before all programs of its name.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        // It may be a link to a program of this machine's.
        let _absent = fs::remove_file(&path);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A program, prepared to run in the world's own directory and environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.directory.path());
        command
    }
}

impl Output {
    /// The same, if the program succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        self.exited(0)
    }

    /// The same, if the program ended with this code.
    #[track_caller]
    pub(crate) fn exited(self, status: i32) -> Self {
        assert_eq!(
            self.status, status,
            "\nstdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

fn finish(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    Output {
        // A signal has no code.
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}
