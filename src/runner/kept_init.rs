//! What an `init` has made, kept for the next run of the stack: while nothing that it reads has
//! changed, another one would make the same.
//!
//! What it reads is the module's files, wherever they lie in the tree, the lock file, the tool, its
//! settings and its variables. Where that may not be all (a module from elsewhere, whose content only
//! `init` learns; arguments that name files), nothing is kept. A doubt is an `init`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::plan::RunPlan;
use super::tool::{Tool, ToolPath};
use super::workspace::STATE_LINK;
use crate::files;

pub(super) const MADE: &str = ".terraform";
pub(super) const LOCK_FILE: &str = ".terraform.lock.hcl";
const DIGEST: &str = "digest";
/// Where the tool keeps providers below what it made: host, owner, name, version, platform.
const PROVIDER_DEPTH: usize = 5;

/// What the tool of a run reads when it initialises.
pub(super) struct Reads(String);

impl Reads {
    /// `None` where it cannot be told, or where the tree brings what only an `init` makes.
    pub(super) fn of(
        plan: &RunPlan,
        tool: &ToolPath,
        directory: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Option<Self> {
        plan.kept_init.as_ref()?;
        let says_more = ["TF_CLI_ARGS", "TF_CLI_ARGS_init"];
        if directory.join(MADE).exists() || says_more.iter().any(|it| environment.contains_key(*it))
        {
            return None;
        }
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        };
        add(tool.path.as_os_str().as_encoded_bytes());
        add(tool.version.as_bytes());
        add(plan.project_root.as_bytes());
        // OpenTofu takes variables in the places of modules and of backends.
        let takes_variables = tool.tool == Tool::OpenTofu;
        let is_read = |name: &str| match name.starts_with("TF_VAR_") {
            true => takes_variables && !name.starts_with("TF_VAR_spacelift_"),
            false => name.starts_with("TF_") || name == "HOME",
        };
        for (name, value) in environment.iter().filter(|(name, _)| is_read(name)) {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        let named = environment.get("TF_CLI_CONFIG_FILE").map(PathBuf::from);
        let home = environment.get("HOME").map(PathBuf::from);
        let own = [".terraformrc", ".tofurc"];
        let own = own
            .iter()
            .filter_map(|name| Some(home.as_ref()?.join(name)));
        for file in named.into_iter().chain(own) {
            add(&fs::read(file).unwrap_or_default());
        }
        let mut files = Vec::new();
        let of_dayfly = plan.around.join(STATE_LINK);
        collect(&plan.around, &of_dayfly, takes_variables, &mut files).ok()?;
        files.sort();
        for file in files {
            let inside = file.strip_prefix(&plan.around).unwrap_or(&file);
            add(inside.as_os_str().as_encoded_bytes());
            add(&fs::read(&file).ok()?);
        }
        let mut text = String::new();
        for byte in digest.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Some(Self(text))
    }

    /// In hexadecimal digits.
    pub(super) fn digest(&self) -> &str {
        &self.0
    }

    /// Puts what an `init` that read the same has made into `directory`; `false` if there is none.
    /// What is kept is used up.
    pub(super) fn restore(&self, plan: &RunPlan, directory: &Path) -> bool {
        let Some(kept) = &plan.kept_init else {
            return false;
        };
        let is_same = fs::read_to_string(kept.join(DIGEST)).is_ok_and(|text| text == self.0);
        let put = || -> io::Result<()> {
            // First, so that what is cut off here is taken for nothing.
            fs::remove_file(kept.join(DIGEST))?;
            fs::rename(kept.join(MADE), directory.join(MADE))?;
            match fs::copy(kept.join(LOCK_FILE), directory.join(LOCK_FILE)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        };
        if is_same && put().is_ok() && is_whole(directory) {
            return true;
        }
        forget(kept);
        // A part would only mislead the `init`.
        let _absent = fs::remove_dir_all(directory.join(MADE));
        false
    }

    /// Keeps what stands in `directory`. What cannot be kept is made anew the next time.
    pub(super) fn keep(&self, plan: &RunPlan, directory: &Path) {
        let Some(kept) = &plan.kept_init else {
            return;
        };
        forget(kept);
        if !is_whole(directory) {
            return;
        }
        let put = || -> io::Result<()> {
            // It may hold what a backend is reached with.
            files::make_private(kept)?;
            fs::rename(directory.join(MADE), kept.join(MADE))?;
            if directory.join(LOCK_FILE).exists() {
                fs::copy(directory.join(LOCK_FILE), kept.join(LOCK_FILE))?;
            }
            fs::write(kept.join(DIGEST), &self.0)
        };
        if let Err(error) = put() {
            tracing::debug!(%error, stack = plan.stack, "what init has made is not kept");
            forget(kept);
        }
    }
}

fn forget(kept: &Path) {
    let _absent = fs::remove_dir_all(kept);
}

/// The files below `directory` that an `init` may read. Links are not followed: what they lead to
/// is found where it lies, or lies outside, and then nothing is known; but for `of_dayfly`, which leads to no module.
fn collect(
    directory: &Path,
    of_dayfly: &Path,
    takes_variables: bool,
    files: &mut Vec<PathBuf>,
) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if path == of_dayfly {
            continue;
        }
        if kind.is_symlink() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let name = entry.file_name();
        if kind.is_dir() {
            if name != OsStr::new(".git") {
                collect(&path, of_dayfly, takes_variables, files)?;
            }
            continue;
        }
        let name = name.to_string_lossy();
        let endings = [".tf", ".tf.json", ".tofu", ".tofu.json", ".hcl"];
        let is_values = name.ends_with(".tfvars") || name.ends_with(".tfvars.json");
        if endings.iter().any(|it| name.ends_with(it)) || takes_variables && is_values {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether all that an `init` has made is there, and comes from the tree and the provider cache alone.
pub(super) fn is_whole(directory: &Path) -> bool {
    let made = directory.join(MADE);
    let modules = match fs::read(made.join("modules/modules.json")) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(text) => serde_json::from_slice::<Value>(&text).is_ok_and(|modules| {
            let modules = modules["Modules"].as_array();
            modules.is_some_and(|modules| modules.iter().all(is_local))
        }),
    };
    made.is_dir() && modules && has_providers(&made.join("providers"), PROVIDER_DEPTH)
}

fn is_local(module: &Value) -> bool {
    let source = module["Source"].as_str();
    source.is_some_and(|it| it.is_empty() || it.starts_with("./") || it.starts_with("../"))
}

/// Whether no provider is a link that leads nowhere: the cache may have been emptied.
fn has_providers(directory: &Path, depth: usize) -> bool {
    if depth == 0 {
        return directory.metadata().is_ok();
    }
    match fs::read_dir(directory) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(entries) => entries
            .map_while(Result::ok)
            .all(|entry| !is_directory(&entry) || has_providers(&entry.path(), depth - 1)),
    }
}

/// Also one that a link stands for.
fn is_directory(entry: &fs::DirEntry) -> bool {
    entry
        .file_type()
        .is_ok_and(|kind| kind.is_dir() || kind.is_symlink())
}
