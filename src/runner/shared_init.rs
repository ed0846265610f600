//! What an `init` has made, for runs of other stacks whose `init` would read the same: where forty
//! previews of one module open at once, one of them initialises.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::kept_init::{LOCK_FILE, MADE, Reads, is_whole};
use super::plan::RunPlan;
use crate::files::make_private;

const PROVIDERS: &str = "providers";

impl Reads {
    /// Copies what another stack's `init` that read the same has made into `directory`; `false` if there
    /// is none.
    pub(super) fn take_shared(&self, plan: &RunPlan, directory: &Path) -> bool {
        let Some(shared) = &plan.shared_inits else {
            return false;
        };
        let from = shared.join(self.digest());
        if !from.is_dir() {
            return false;
        }
        if copy(&from, directory).is_ok() && is_whole(directory) {
            return true;
        }
        // A part would only mislead the `init`.
        let _absent = fs::remove_dir_all(directory.join(MADE));
        false
    }

    /// Gives what stands in `directory`, once an `init` has made it there, to other stacks. What cannot be
    /// given is made anew by each. No two may give at once.
    pub(super) fn share(&self, plan: &RunPlan, directory: &Path) {
        let Some(shared) = &plan.shared_inits else {
            return;
        };
        if !is_whole(directory) {
            return;
        }
        let new = shared.join("new");
        let put = || -> io::Result<()> {
            make_private(&new)?;
            copy(directory, &new)?;
            // Last, so that what is cut off is not found.
            fs::rename(&new, shared.join(self.digest()))
        };
        if let Err(error) = put() {
            tracing::debug!(%error, stack = plan.stack, "what init has made is not shared");
            let _absent = fs::remove_dir_all(&new);
        }
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    copy_directory(&from.join(MADE), &to.join(MADE), false)?;
    match fs::copy(from.join(LOCK_FILE), to.join(LOCK_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Providers are links into the cache. Where they had to be copied, another copy is no gain over an `init`.
fn copy_directory(from: &Path, to: &Path, is_of_providers: bool) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(&path)?, &target)?;
        } else if kind.is_dir() {
            let is_of_providers = is_of_providers || entry.file_name() == PROVIDERS;
            copy_directory(&path, &target, is_of_providers)?;
        } else if is_of_providers {
            return Err(io::ErrorKind::Unsupported.into());
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
