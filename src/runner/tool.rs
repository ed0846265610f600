//! Finds the tool that plans and applies.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::environment::HostEnvironment;
use super::error::RunnerError;

const VERSION_TIMEOUT: Duration = Duration::from_secs(30);

/// What executes a stack's module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Terraform,
    OpenTofu,
}

impl Tool {
    /// The program's name, which is also how messages name it.
    pub fn program(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::OpenTofu => "tofu",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.program())
    }
}

/// A tool of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolPath {
    pub tool: Tool,
    pub path: PathBuf,
    /// As the tool prints it, such as `1.11.4`.
    pub version: String,
}

/// The tool that was asked for; without a wish, terraform, else tofu. It must be on the host's
/// PATH, in a directory that is named absolutely: a run works in a tree that others wrote.
pub async fn found(asked: Option<Tool>, host: &HostEnvironment) -> Result<ToolPath, RunnerError> {
    let wanted = match asked {
        Some(tool) => vec![tool],
        None => vec![Tool::Terraform, Tool::OpenTofu],
    };
    let directories = host.get("PATH").unwrap_or_default();
    for tool in wanted {
        if let Some(path) = locate(tool.program(), directories) {
            let version = version(&path, host).await?;
            return Ok(ToolPath {
                tool,
                path,
                version,
            });
        }
    }
    Err(
        asked.map_or(RunnerError::NoTool, |tool| RunnerError::ToolMissing {
            tool,
        }),
    )
}

fn locate(program: &str, directories: &str) -> Option<PathBuf> {
    std::env::split_paths(directories)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[expect(clippy::disallowed_methods, reason = "this room starts processes")]
async fn version(path: &Path, host: &HostEnvironment) -> Result<String, RunnerError> {
    let refuse = |reason: String| RunnerError::Version {
        path: path.to_owned(),
        reason,
    };
    let printed = tokio::process::Command::new(path)
        .args(["version", "-json"])
        .current_dir("/")
        .env_clear()
        .envs(host.base())
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let printed = tokio::time::timeout(VERSION_TIMEOUT, printed)
        .await
        .map_err(|_| refuse(format!("no answer in {} s", VERSION_TIMEOUT.as_secs())))?
        .map_err(|error| refuse(error.to_string()))?;
    let parsed: Value = serde_json::from_slice(&printed.stdout)
        .map_err(|_| refuse("`version -json` printed something else".to_owned()))?;
    // OpenTofu kept the name of the field.
    parsed["terraform_version"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| refuse("`version -json` names no terraform_version".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::{HostEnvironment, Tool, found};
    use crate::error::Diagnose;

    fn host_with(path: &str) -> HostEnvironment {
        HostEnvironment([("PATH".to_owned(), path.to_owned())].into())
    }

    fn place(directory: &std::path::Path, program: &str, version: &str) {
        let path = directory.join(program);
        fs::write(
            &path,
            format!("#!/bin/sh\necho '{{\"terraform_version\": \"{version}\"}}'\n"),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn a_missing_tool_is_an_error_whose_hint_names_both() {
        let empty = tempfile::tempdir().unwrap();
        let host = host_with(empty.path().to_str().unwrap());
        for asked in [None, Some(Tool::OpenTofu)] {
            let error = found(asked, &host).await.unwrap_err();
            let hint = error.hint().unwrap();
            assert!(
                hint.contains("terraform") && hint.contains("tofu"),
                "{hint}"
            );
        }
    }

    #[tokio::test]
    async fn terraform_is_preferred_unless_the_other_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let host = host_with(directory.path().to_str().unwrap());
        place(directory.path(), "tofu", "1.12.6");
        assert_eq!(found(None, &host).await.unwrap().tool, Tool::OpenTofu);
        place(directory.path(), "terraform", "1.11.4");
        assert_eq!(found(None, &host).await.unwrap().version, "1.11.4");
        assert_eq!(
            found(Some(Tool::OpenTofu), &host).await.unwrap().version,
            "1.12.6"
        );
    }

    #[tokio::test]
    async fn a_program_that_is_not_the_tool_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("terraform");
        fs::write(&path, "#!/bin/sh\necho hello\n").unwrap();
        let host = host_with(directory.path().to_str().unwrap());
        // Not executable: not found.
        assert!(
            found(None, &host)
                .await
                .unwrap_err()
                .to_string()
                .contains("neither")
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let error = found(None, &host).await.unwrap_err().to_string();
        assert!(error.contains("cannot learn the version"), "{error}");
    }
}
