//! The real Terraform, with nothing of the machine's configuration.

use std::path::Path;

/// Runs `terraform` in `directory` and returns what it prints.
///
/// # Panics
/// When it fails.
#[expect(clippy::disallowed_methods, reason = "a test drives the real tool")]
pub(crate) fn terraform(directory: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("terraform")
        .args(arguments)
        .current_dir(directory)
        .env("TF_CLI_CONFIG_FILE", "/dev/null")
        .env("CHECKPOINT_DISABLE", "1")
        .output()
        .expect("terraform is on the PATH");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "terraform {arguments:?} in {}:\n{stdout}{}",
        directory.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}
