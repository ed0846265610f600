//! A private SSH key, given by its path or, as CI keeps secrets, by its text.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::GitError;

/// Where the keys stand that were given as text, for an end that runs no destructor.
static DIRECTORIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the keys that were given as text. For the end of the program: none is written after it,
/// and whoever would write one waits for ever.
pub fn remove_keys() {
    let directories = DIRECTORIES.lock().unwrap_or_else(PoisonError::into_inner);
    for directory in directories.iter() {
        // Nobody is left to be told.
        let _gone = fs::remove_dir_all(directory);
    }
    std::mem::forget(directories);
}

/// Whether this is a key itself, not its path.
pub fn is_key_text(path_or_text: &str) -> bool {
    path_or_text.contains("-----BEGIN ")
}

/// A private SSH key in a file. It shows itself nowhere.
#[derive(Clone)]
pub struct PrivateKey {
    path: PathBuf,
    /// How it is named in errors.
    shown: String,
    /// The directory that holds it, if it was given as text: gone with the last of the clones.
    directory: Option<Arc<tempfile::TempDir>>,
}

impl PrivateKey {
    /// Takes a path, or the key itself. `what` names it in errors.
    pub fn new(what: &str, path_or_text: &str) -> Result<Self, GitError> {
        if is_key_text(path_or_text) {
            let shown = format!("{what} given as text");
            return Self::of_text(&shown, path_or_text).map_err(|source| GitError::Disk {
                doing: format!("write the {shown} to a temporary file"),
                source,
            });
        }
        let shown = format!("{what} {path_or_text}");
        let failed = |words: String| GitError::Key {
            key: shown.clone(),
            words,
        };
        // A relative path must not depend on where `git` is started.
        let path = std::path::absolute(path_or_text).map_err(|error| failed(error.to_string()))?;
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => Ok(Self {
                path,
                shown,
                directory: None,
            }),
            Ok(_) => Err(failed("it is no file".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(failed("there is no such file".to_owned()))
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn of_text(shown: &str, text: &str) -> io::Result<Self> {
        let mut directories = DIRECTORIES.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::Builder::new().prefix("dayfly-key-").tempdir()?;
        directories.push(directory.path().to_owned());
        let path = directory.path().join("key");
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(mended(text).as_bytes())?;
        Ok(Self {
            path,
            shown: shown.to_owned(),
            directory: Some(Arc::new(directory)),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How it is named in errors: never by its text, nor by the path of a temporary file.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// `text` with the key named as its owner named it.
    pub(super) fn redact(&self, text: &str) -> String {
        match &self.directory {
            Some(_) => text.replace(&*self.path.to_string_lossy(), &self.shown),
            None => text.to_owned(),
        }
    }
}

impl PartialEq for PrivateKey {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for PrivateKey {}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PrivateKey({})", self.shown)
    }
}

/// The text as OpenSSH reads it: pasting adds blanks and carriage returns and takes the last line
/// end, without which the key is refused.
fn mended(text: &str) -> String {
    let lines = text.trim().lines().map(str::trim);
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const TEXT: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\r\nc2Vj\r\n  cmV0\r\n-----END OPENSSH PRIVATE KEY-----";

    #[test]
    fn text_becomes_a_file_of_its_owners_that_goes_with_the_key() {
        let key = PrivateKey::new("signing key", TEXT).unwrap();
        let path = key.path().to_owned();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "-----BEGIN OPENSSH PRIVATE KEY-----\nc2Vj\ncmV0\n-----END OPENSSH PRIVATE KEY-----\n"
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let other = key.clone();
        drop(key);
        assert!(path.exists());
        let told = format!(
            "{other:?} {}",
            other.redact(&format!("load {}", path.display()))
        );
        assert_eq!(
            told,
            "PrivateKey(signing key given as text) load signing key given as text"
        );
        drop(other);
        assert!(!path.exists() && !path.parent().unwrap().exists());
    }

    #[test]
    fn a_path_without_a_file_is_refused() {
        for path in ["/no/such/key", "", "/"] {
            let error = PrivateKey::new("SSH key", path).unwrap_err();
            assert!(matches!(error, GitError::Key { .. }), "{path}: {error:?}");
        }
    }
}
