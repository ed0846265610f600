//! What a child prints, in a file without a name.
//!
//! A pipe would end the child at its next word once dayfly is gone: Terraform would die of it in
//! the middle of an apply, before it has stored what it has made. The file goes with the last of
//! those that have it open.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Stdio;

pub(super) struct Talk {
    file: File,
    read: u64,
}

impl Talk {
    /// A file in `directory`, which only its owner can read.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        let named = tempfile::Builder::new()
            .append(true)
            .tempfile_in(directory)?;
        let (file, path) = named.into_parts();
        path.close()?;
        Ok(Self { file, read: 0 })
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
