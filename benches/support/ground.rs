//! A manager repository with many environments, made as a user makes it: `init`, `service add`, and
//! the first environment by the writer. All others are copies of that one under their own names.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use dayfly::config::Scheme;
use dayfly::environment::EnvironmentId;

pub(crate) const DIRECTORY: &str = "hello-service/environments";
pub(crate) const REPOSITORY: &str = "acme/hello-service";

/// A directory for one measurement: a manager repository, and a home of its own.
pub(crate) struct Ground {
    directory: tempfile::TempDir,
}

impl Ground {
    /// A bare manager repository with so many environments.
    pub(crate) fn new(environments: usize) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let ground = Self { directory };
        fs::create_dir_all(ground.path("home"))?;
        fs::create_dir_all(ground.path("served"))?;
        let (bare, work) = (ground.bare(), ground.path("work"));
        ground.git(&["init", "-q", "--bare", "-b", "main", text(&bare)])?;
        let work = text(&work);
        ground.dayfly(&["init", work, "--repository", "acme/previews"])?;
        ground.dayfly(&[
            "service",
            "add",
            "hello-service",
            "--directory",
            work,
            "--service-repository",
            REPOSITORY,
            "--infra-repository",
            "acme/hello-infra",
            "--domain",
            "preview.example.com",
        ])?;
        let rules = ground.path("work/hello-service/service.hcl");
        let many = fs::read_to_string(&rules)?.replace("= 200", "= 1000000");
        fs::write(&rules, many)?;
        ground.git(&["-C", work, "commit", "-qam", "Allow many environments"])?;
        ground.git(&["-C", work, "push", "-q", text(&bare), "HEAD:main"])?;
        let first = ground
            .upsert(1, 0)
            .args(["--manager", text(&bare)])
            .output()?;
        ensure!(
            first.status.success(),
            String::from_utf8_lossy(&first.stderr).into_owned()
        );
        let first = ground.first()?;
        let others: Vec<_> = (2..=environments)
            .map(|number| (file(number), environment(&first, number)))
            .collect();
        ground.commit(&others)?;
        ground.git(&["-C", text(&bare), "repack", "-adq"])?;
        Ok(ground)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.path("served/manager.git")
    }

    /// The first environment's file.
    pub(crate) fn first(&self) -> Result<String> {
        let name = format!("main:{}", file(1));
        self.git(&["-C", text(&self.bare()), "show", &name])
    }

    /// One commit on the branch that writes these files.
    pub(crate) fn commit(&self, files: &[(String, String)]) -> Result<()> {
        let mut lines = String::new();
        for (name, content) in files {
            let length = content.len();
            write!(lines, "M 100644 inline {name}\ndata {length}\n{content}\n")?;
        }
        self.import(&lines)
    }

    /// One commit on the branch that removes these files.
    pub(crate) fn remove(&self, files: &[String]) -> Result<()> {
        let lines: Vec<String> = files.iter().map(|name| format!("D {name}\n")).collect();
        self.import(&lines.concat())
    }

    fn import(&self, changes: &str) -> Result<()> {
        let stream = format!(
            "commit refs/heads/main\ncommitter B <b@b.example> 1795510800 +0000\ndata 4\nfill\nfrom refs/heads/main^0\n{changes}"
        );
        let mut child = self
            .command("git")
            .args(["-C", text(&self.bare()), "fast-import", "--quiet"])
            .stdin(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("stdin is piped")?;
        stdin.write_all(stream.as_bytes())?;
        drop(stdin);
        ensure!(child.wait()?.success(), "fast-import failed");
        Ok(())
    }

    /// `program` in an environment that holds nothing of this machine's.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Bench");
            command.env(format!("GIT_{role}_EMAIL"), "bench@b.example");
        }
        command
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> Result<String> {
        output(self.command("git").args(arguments))
    }

    pub(crate) fn dayfly(&self, arguments: &[&str]) -> Result<String> {
        output(self.command(env!("CARGO_BIN_EXE_dayfly")).args(arguments))
    }

    /// The pull request as it is that many minutes after it was opened, at another commit.
    pub(crate) fn upsert(&self, number: usize, minute: usize) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_dayfly"));
        command
            .args(["env", "upsert", &format!("{REPOSITORY}#{number}")])
            .args(["--head-sha", &format!("{:040x}", number + minute)])
            .args(["--head-branch", "feature"])
            .args(["--at", &format!("2026-11-21T09:{minute:02}:00Z")]);
        command
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

fn id(number: usize) -> String {
    let pull_request = format!("{REPOSITORY}#{number}").parse();
    pull_request.map_or_else(
        |_| String::new(),
        |pull_request| EnvironmentId::derive(&pull_request, Scheme::Dayfly, |_| false).to_string(),
    )
}

pub(crate) fn file(number: usize) -> String {
    format!("{DIRECTORY}/acme-hello-service-{number}-{}.tf", id(number))
}

/// The file of that environment, after the first one's.
pub(crate) fn environment(first: &str, number: usize) -> String {
    first
        .replace(&id(1), &id(number))
        .replace("hello-service-1-", &format!("hello-service-{number}-"))
        .replace("hello-service#1\"", &format!("hello-service#{number}\""))
}
