//! A read-only tree of files: a commit's (`git::CommitTree`) or a plain directory's.
//!
//! Paths are relative to the tree's root, with `/` between names, without `.` or `..`; the root
//! itself is the empty path.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Diagnose, Kind};

const OWNERS_ALONE: u32 = 0o700;

/// What can be read of a tree, by several threads at once. It has two implementations: a commit and a directory.
pub trait Files: Sync {
    /// The file's bytes; `None` if there is no file (a directory is none, and a link is none).
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, FilesError>;

    /// The entries of a directory sorted by name; empty if there is no such directory.
    fn list(&self, directory: &str) -> Result<Vec<Entry>, FilesError>;

    /// Makes ready what is going to be read, where each reading would cost a call of its own.
    fn prepare(&self, _paths: &[String]) -> Result<(), FilesError> {
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub name: String,
    pub is_directory: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("cannot read {path}")]
    Read { path: String, source: io::Error },
    #[error("cannot read {path} of the commit: {reason}")]
    Object { path: String, reason: String },
}

impl Diagnose for FilesError {
    fn kind(&self) -> Kind {
        Kind::Outside
    }
}

/// Makes a directory for what may hold secrets, its owner's alone also where it is there already.
/// Those above it that are missing are made the same.
pub fn make_private(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(OWNERS_ALONE)
        .create(directory)?;
    keep_private(directory, OWNERS_ALONE)
}

/// Takes from a file or directory the rights that go beyond `mode`.
pub fn keep_private(path: &Path, mode: u32) -> io::Result<()> {
    let stands = fs::metadata(path)?.permissions().mode() & 0o777;
    if stands & !mode == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(stands & mode))
}

/// The name of the directory, joined with a name in it.
pub fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}

/// A plain directory. Symbolic links are not followed, so nothing outside of it is read.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Refuses a path with a link on the way: a link could lead out of the tree.
    fn locate(&self, path: &str) -> Result<Option<PathBuf>, FilesError> {
        let mut located = self.root.clone();
        for name in Path::new(path) {
            located.push(name);
            match fs::symlink_metadata(&located) {
                Ok(metadata) if metadata.file_type().is_symlink() => return Ok(None),
                Ok(_) => {}
                Err(error) if is_absent(&error) => return Ok(None),
                Err(source) => {
                    return Err(FilesError::Read {
                        path: path.to_owned(),
                        source,
                    });
                }
            }
        }
        Ok(Some(located))
    }
}

impl Files for Directory {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, FilesError> {
        let Some(located) = self.locate(path)? else {
            return Ok(None);
        };
        if !located.is_file() {
            return Ok(None);
        }
        fs::read(&located)
            .map(Some)
            .map_err(|source| FilesError::Read {
                path: path.to_owned(),
                source,
            })
    }

    fn list(&self, directory: &str) -> Result<Vec<Entry>, FilesError> {
        let Some(located) = self.locate(directory)? else {
            return Ok(Vec::new());
        };
        if !located.is_dir() {
            return Ok(Vec::new());
        }
        let fail = |source| FilesError::Read {
            path: directory.to_owned(),
            source,
        };
        let mut entries = Vec::new();
        for entry in fs::read_dir(&located).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let kind = entry.file_type().map_err(fail)?;
            if let (false, Ok(name)) = (kind.is_symlink(), entry.file_name().into_string()) {
                entries.push(Entry {
                    name,
                    is_directory: kind.is_dir(),
                });
            }
        }
        entries.sort();
        Ok(entries)
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
