//! Commits signed with an SSH key, as `git commit -S` does with `gpg.format = ssh`.

use std::fs;
use std::path::Path;

use super::error::GitError;
use super::private_key::PrivateKey;
use super::process::Call;
use super::signature::Signature;

/// Who makes a commit, and the key that proves it.
#[derive(Clone, Debug, Default)]
pub struct Committer {
    pub signature: Signature,
    /// Signs every commit that is made; `None` leaves them unsigned.
    pub key: Option<SigningKey>,
}

/// A key that signs commits. It shows itself nowhere.
#[derive(Clone, Debug)]
pub struct SigningKey(PrivateKey);

impl SigningKey {
    /// Takes a path or the key's text, and tries it: a key that cannot sign is an error here, not
    /// in the middle of a write. The path of a public key stands for the private one in the agent.
    pub fn read(path_or_text: &str) -> Result<Self, GitError> {
        let key = Self(PrivateKey::new("signing key", path_or_text)?);
        key.sign(b"")?;
        Ok(key)
    }

    /// The armoured signature of a commit's bytes, in Git's namespace.
    pub(super) fn sign(&self, commit: &[u8]) -> Result<String, GitError> {
        let directory = tempfile::Builder::new().prefix("dayfly-sign-").tempdir();
        let directory = directory.map_err(disk)?;
        let file = directory.path().join("commit");
        fs::write(&file, commit).map_err(disk)?;
        self.run(&file)?;
        let signature = fs::read_to_string(directory.path().join("commit.sig")).map_err(disk)?;
        // Its last line end would begin one more line of the header.
        Ok(signature.trim_end().to_owned())
    }

    fn run(&self, file: &Path) -> Result<(), GitError> {
        let failed = |words: String| GitError::Key {
            key: self.0.shown().to_owned(),
            words,
        };
        let answer = Call::of_program("ssh-keygen", format!("sign with the {}", self.0.shown()))
            // An empty passphrase, so that none is asked for.
            .args(["-q", "-Y", "sign", "-n", "git", "-P", "", "-f"])
            .args([self.0.path(), file])
            .run();
        match answer {
            Ok(answer) if answer.success => Ok(()),
            Ok(answer) => {
                let said = self.0.redact(&answer.stderr);
                let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
                Err(failed(lines.collect::<Vec<_>>().join("; ")))
            }
            Err(GitError::Missing { .. }) => {
                Err(failed("the `ssh-keygen` command was not found".to_owned()))
            }
            Err(error) => Err(error),
        }
    }
}

fn disk(source: std::io::Error) -> GitError {
    GitError::Disk {
        doing: "sign a commit".to_owned(),
        source,
    }
}
