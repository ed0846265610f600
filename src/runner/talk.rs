//! What a child prints, in a file.
//!
//! A pipe would end the child at its next word once dayfly is gone: Terraform would die of it in
//! the middle of an apply, before it has stored what it has made. The file is removed with the
//! child's end; one that is left tells what a killed dayfly's child has said.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

pub(super) struct Talk {
    file: File,
    path: PathBuf,
    read: u64,
}

impl Talk {
    /// A new file, which only its owner can read.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            read: 0,
        })
    }

    /// One for each stream: as they append to one file, their order is kept.
    pub(super) fn writer(&self) -> io::Result<Stdio> {
        Ok(self.file.try_clone()?.into())
    }

    /// Tells what was written since the last look.
    pub(super) fn more(&mut self, mut tell: impl FnMut(&[u8])) -> io::Result<()> {
        let written = self.file.metadata()?.len();
        if written < self.read {
            // Somebody has opened `/dev/stderr` anew, which empties it.
            self.read = 0;
        }
        let mut chunk = [0; 16 * 1024];
        while self.read < written {
            let count = self.file.read_at(&mut chunk, self.read)?;
            if count == 0 {
                break;
            }
            tell(&chunk[..count]);
            self.read += count as u64;
        }
        Ok(())
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // The stack's next run removes it otherwise.
        let _ = fs::remove_file(&self.path);
    }
}
