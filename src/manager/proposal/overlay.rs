//! The manager repository as it would be with one file otherwise.

use crate::files::{Entry, Files, FilesError};

pub(super) struct Overlay<'a> {
    below: &'a dyn Files,
    directory: &'a str,
    path: &'a str,
    name: &'a str,
    bytes: Option<&'a Vec<u8>>,
}

impl<'a> Overlay<'a> {
    /// `below`, but with these bytes at `path`, or without a file there.
    pub(super) fn new(below: &'a dyn Files, path: &'a str, bytes: Option<&'a Vec<u8>>) -> Self {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        Self {
            below,
            directory,
            path,
            name,
            bytes,
        }
    }
}

impl Files for Overlay<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, FilesError> {
        if path == self.path {
            return Ok(self.bytes.cloned());
        }
        self.below.read(path)
    }

    fn list(&self, directory: &str) -> Result<Vec<Entry>, FilesError> {
        let mut entries = self.below.list(directory)?;
        if directory == self.directory {
            entries.retain(|entry| entry.name != self.name);
            if self.bytes.is_some() {
                entries.push(Entry {
                    name: self.name.to_owned(),
                    is_directory: false,
                });
                entries.sort();
            }
        }
        Ok(entries)
    }
}
