//! How `git` calls ssh: never with a prompt, and with the key that was given.

use super::error::GitError;
use super::private_key::PrivateKey;
use super::process::Call;
use crate::config::host_environment;

/// Waiting for an answer that nobody gives would end in silence, not in an error.
const WITHOUT_PROMPTS: &str = "ssh -o BatchMode=yes";

/// The value of `GIT_SSH_COMMAND` for a repository that is reached over ssh. `None` leaves the
/// command that the user has set to git.
pub(super) fn command(key: Option<&PrivateKey>) -> Option<String> {
    match key {
        Some(key) => Some(command_with(&key.path().to_string_lossy())),
        None if is_users_own() => None,
        None => Some(WITHOUT_PROMPTS.to_owned()),
    }
}

/// Git passes the command to a shell.
fn command_with(path: &str) -> String {
    let path = path.replace('\'', r"'\''");
    format!("{WITHOUT_PROMPTS} -o IdentitiesOnly=yes -i '{path}'")
}

/// Whether a key can stand in that command: ssh resolves `%d` and `${NAME}` in its path, and looks
/// for the file before it does so as well, so no escape leads there.
pub(super) fn check(key: &PrivateKey) -> Result<(), GitError> {
    let path = key.path().to_string_lossy();
    if path.contains('%') || path.contains("${") {
        return Err(GitError::Key {
            key: key.shown().to_owned(),
            words: "ssh cannot take a path with `%` or `${` in it".to_owned(),
        });
    }
    Ok(())
}

fn is_users_own() -> bool {
    let variables = host_environment();
    let is_set = |name: &str| variables.contains_key(name);
    is_set("GIT_SSH_COMMAND") || is_set("GIT_SSH") || is_configured()
}

/// A `git` that cannot tell will say why in the call that matters.
fn is_configured() -> bool {
    Call::new("read core.sshCommand")
        .args(["config", "--get", "core.sshCommand"])
        .run()
        .is_ok_and(|answer| answer.success)
}

#[cfg(test)]
mod tests {
    use super::command_with;

    #[test]
    fn a_path_is_one_word() {
        for (path, expected) in [
            ("/k/id", "'/k/id'"),
            ("/k/a b$(x)`y`", "'/k/a b$(x)`y`'"),
            ("/k/it's", r"'/k/it'\''s'"),
        ] {
            let command = command_with(path);
            assert_eq!(
                command,
                format!("ssh -o BatchMode=yes -o IdentitiesOnly=yes -i {expected}")
            );
        }
    }
}
