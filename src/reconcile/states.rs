//! The states that dayfly keeps: a file that a run works on, and its versions in the store.
//!
//! The file is Terraform's while a run is at work, written after each resource. Before and after
//! each run the two are brought together: a content that the store does not know is newer than all
//! that it knows, whoever wrote it, and becomes a version; one that it knows as an older version
//! gives way to the newest.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::clock;
use crate::error::{Diagnose, Kind};
use crate::files;
use crate::stack::{RunInputs, StackId};
use crate::store::{StateVersion, Store, StoreError};

/// Why a state cannot be kept, or not be had.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot {doing} {}", path.display())]
    Disk {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Whoever wrote it was killed in the middle of it.
    #[error("the state of stack {stack} in {} cannot be read: it was not written to its end", path.display())]
    Torn {
        stack: StackId,
        path: PathBuf,
        newest: Option<u64>,
    },
    #[error("stack {stack} has no version {version} of its state")]
    NoVersion { stack: StackId, version: u64 },
    #[error("dayfly keeps no state of stack {0}")]
    NoState(StackId),
}

impl Diagnose for StateError {
    fn kind(&self) -> Kind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Disk { .. } => Kind::Outside,
            Self::Torn { .. } => Kind::Failed,
            Self::NoVersion { .. } | Self::NoState(_) => Kind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Store(error) => return error.hint(),
            Self::Disk { .. } => return None,
            Self::Torn {
                stack,
                newest: Some(version),
                ..
            } => format!(
                "`dayfly state rollback {stack} --version {version}` takes the last one that is \
                 whole; what was made after it has to be imported or removed by hand"
            ),
            Self::Torn { .. } => {
                "mend the file, or remove it if nothing of the stack was made".to_owned()
            }
            Self::NoVersion { stack, .. } => format!("`dayfly state list {stack}` lists them"),
            Self::NoState(_) => "it has none yet, or keeps it in a backend of its own \
                                 (`manage_state = false`)"
                .to_owned(),
        })
    }
}

/// What a state says of itself.
#[derive(Deserialize)]
struct Head {
    serial: u64,
    lineage: String,
    resources: Option<Vec<Box<RawValue>>>,
}

/// Whether a state has no resource. What cannot be read may hold anything.
pub(super) fn holds_nothing(content: &[u8]) -> bool {
    let state: Option<serde_json::Value> = serde_json::from_slice(content).ok();
    let resources = state.as_ref().and_then(|state| state.get("resources"));
    resources
        .and_then(serde_json::Value::as_array)
        .is_some_and(Vec::is_empty)
}

pub(super) fn directory_of(data: &Path, stack: &StackId) -> PathBuf {
    data.join("states").join(stack.as_str())
}

/// Where the lock of those who work on a stack lies.
pub(super) fn hold_of(data: &Path, stack: &StackId) -> PathBuf {
    data.join("holds").join(stack.as_str())
}

pub(super) fn file_of(data: &Path, stack: &StackId) -> PathBuf {
    directory_of(data, stack).join("terraform.tfstate")
}

/// Brings the file and the store to one. Nobody may work on the stack meanwhile. `cause` is what a
/// version that the store does not know is said to come from.
pub(super) fn take_up(
    store: &mut Store,
    data: &Path,
    stack: &StackId,
    cause: &str,
) -> Result<(), StateError> {
    let path = file_of(data, stack);
    let last = store.last_state(stack)?;
    let content = read(&path)?;
    let left = errored(store, data, stack, content.as_deref())?;
    let Some(content) = left.or(content) else {
        return match last {
            Some(last) => restore(store, data, stack, last.version),
            None => Ok(()),
        };
    };
    let digest = digest(&content);
    if last.as_ref().is_some_and(|last| last.digest == digest) {
        return write_if_other(&path, &content);
    }
    // The tool makes an empty file when it locks a state that is not there yet.
    if content.is_empty() && last.is_none() {
        return Ok(());
    }
    let newest = last.map(|last| last.version);
    let Ok(head) = serde_json::from_slice::<Head>(&content) else {
        return Err(StateError::Torn {
            stack: stack.clone(),
            path,
            newest,
        });
    };
    if let Some(newest) = newest
        && store
            .state_versions(stack)?
            .iter()
            .any(|kept| kept.digest == digest)
    {
        return restore(store, data, stack, newest);
    }
    let version = StateVersion {
        version: newest.unwrap_or_default() + 1,
        serial: head.serial,
        lineage: head.lineage,
        digest,
        resources: head.resources.map_or(0, |all| all.len() as u64),
        cause: cause.to_owned(),
        at: clock::now(),
    };
    store.keep_state(stack, &version, &content)?;
    // What the tool could not store is kept now: the file may be its own again.
    write_if_other(&path, &content)?;
    remove_errored(data, stack, &content)
}

/// Makes an older version the newest: with a serial above all others, so that a plan that was made
/// before is refused by the tool. Gives the new version.
pub(super) fn roll_back(
    store: &mut Store,
    data: &Path,
    stack: &StackId,
    version: u64,
    person: &str,
) -> Result<StateVersion, StateError> {
    let before = format!("found before {person} went back to version {version}");
    match take_up(store, data, stack, &before) {
        // It is kept beside, and gives way.
        Err(StateError::Torn { path, .. }) => put_aside(&path)?,
        taken => taken?,
    }
    let versions = store.state_versions(stack)?;
    let no_version = || StateError::NoVersion {
        stack: stack.clone(),
        version,
    };
    let last = versions
        .first()
        .ok_or_else(|| StateError::NoState(stack.clone()))?;
    let content = store
        .state_content(stack, version)?
        .ok_or_else(no_version)?;
    let wanted = versions
        .iter()
        .find(|kept| kept.version == version)
        .ok_or_else(no_version)?;
    let serial = versions
        .iter()
        .map(|kept| kept.serial)
        .max()
        .unwrap_or_default()
        + 1;
    let content = with_serial(&content, serial).ok_or_else(|| StateError::Torn {
        stack: stack.clone(),
        path: file_of(data, stack),
        newest: None,
    })?;
    let rolled_back = StateVersion {
        version: last.version + 1,
        serial,
        digest: digest(&content),
        cause: format!("{person} went back to version {version}"),
        at: clock::now(),
        ..wanted.clone()
    };
    store.keep_state(stack, &rolled_back, &content)?;
    restore(store, data, stack, rolled_back.version)?;
    Ok(rolled_back)
}

/// Takes a state that the tool could not store out of the workspace of a run that was cut off.
pub(super) fn rescue(
    data: &Path,
    stack: &StackId,
    workspace: &Path,
    began: &RunInputs,
) -> Result<(), StateError> {
    let root = began.project_root.trim_matches('/');
    let found = workspace.join(root).join("errored.tfstate");
    let failed = |source| StateError::Disk {
        doing: "take a state that was not stored out of",
        path: found.clone(),
        source,
    };
    if !found.is_file() {
        return Ok(());
    }
    let directory = directory_of(data, stack);
    make(&directory)?;
    let name = format!("terraform.tfstate.errored-at-{}", clock::now().as_second());
    fs::rename(&found, directory.join(name)).map_err(failed)
}

/// The content of the newest state that the tool left beside the file, if it is newer than that.
fn errored(
    store: &Store,
    data: &Path,
    stack: &StackId,
    content: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, StateError> {
    let head = |content: &[u8]| serde_json::from_slice::<Head>(content).ok();
    let stands = content
        .and_then(head)
        .map(|head| (head.lineage, head.serial));
    let last = store
        .last_state(stack)?
        .map(|last| (last.lineage, last.serial));
    let known = [stands, last];
    let mut newest: Option<(u64, Vec<u8>)> = None;
    for path in errored_files(data, stack)? {
        let Some(left) = read(&path)? else { continue };
        let Some(Head {
            serial, lineage, ..
        }) = head(&left)
        else {
            continue;
        };
        let is_newer = known
            .iter()
            .flatten()
            .all(|known| known.0 == lineage && known.1 < serial);
        if is_newer && newest.as_ref().is_none_or(|newest| newest.0 < serial) {
            newest = Some((serial, left));
        }
    }
    Ok(newest.map(|newest| newest.1))
}

fn errored_files(data: &Path, stack: &StackId) -> Result<Vec<PathBuf>, StateError> {
    let directory = directory_of(data, stack);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(disk("list", &directory, source)),
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_errored = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("terraform.tfstate.errored-"))
    };
    Ok(paths.filter(is_errored).collect())
}

fn remove_errored(data: &Path, stack: &StackId, content: &[u8]) -> Result<(), StateError> {
    for path in errored_files(data, stack)? {
        if read(&path)?.as_deref() == Some(content) {
            fs::remove_file(&path).map_err(|source| disk("remove", &path, source))?;
        }
    }
    Ok(())
}

/// Writes a version of the store to the file.
fn restore(store: &Store, data: &Path, stack: &StackId, version: u64) -> Result<(), StateError> {
    let content = store.state_content(stack, version)?;
    let content = content.ok_or_else(|| StateError::NoVersion {
        stack: stack.clone(),
        version,
    })?;
    make(&directory_of(data, stack))?;
    write(&file_of(data, stack), &content)
}

/// The state with another serial, and every other byte of a value as it is.
fn with_serial(content: &[u8], serial: u64) -> Option<Vec<u8>> {
    let mut state: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(content).ok()?;
    let serial = RawValue::from_string(serial.to_string()).ok()?;
    state.insert("serial".to_owned(), serial)?;
    serde_json::to_vec_pretty(&state).ok()
}

fn digest(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn make(directory: &Path) -> Result<(), StateError> {
    files::make_private(directory).map_err(|source| disk("make", directory, source))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(disk("read", path, source)),
    }
}

fn write_if_other(path: &Path, content: &[u8]) -> Result<(), StateError> {
    if read(path)?.as_deref() == Some(content) {
        return Ok(());
    }
    write(path, content)
}

/// Writes a file whole or not at all.
fn write(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let beside = path.with_extension("tfstate.new");
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent()
            .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    written().map_err(|source| disk("write", path, source))
}

/// Keeps a file that cannot be read, out of the way.
fn put_aside(path: &Path) -> Result<(), StateError> {
    let name = format!("tfstate.torn-{}", clock::now().as_second());
    fs::rename(path, path.with_extension(name)).map_err(|source| disk("put aside", path, source))
}

fn disk(doing: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::Disk {
        doing,
        path: path.to_owned(),
        source,
    }
}
