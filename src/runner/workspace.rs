//! Makes the tree of a commit a place where a stack can be run, and proves that its state will
//! be kept. Nothing of it leaves the workspace, whatever links the tree holds.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use super::error::RunnerError;
use super::plan::{RunPlan, StateOwner};
use crate::files;

/// Of several override files the last one by name wins.
const OVERRIDE: &str = "zzz_dayfly_state_override.tf.json";

/// Stands around the tree and leads to the directory of a state that dayfly keeps. The tool is told of the state
/// by way of it, so that an `init` reads and makes the same for all stacks of one module.
pub(super) const STATE_LINK: &str = ".dayfly_state";

/// The directory in which the tool runs, canonical, with all that the plan wants in it.
pub(super) fn prepare(plan: &RunPlan) -> Result<PathBuf, RunnerError> {
    let directory = project_root(plan)?;
    for (path, content) in &plan.mounted_files {
        mount(plan, path, content)?;
    }
    if let StateOwner::Managed { file } = &plan.state {
        keep_state_in(plan, &directory, file)?;
    }
    if let Some(parent) = plan.plan_file.parent() {
        make_private(plan, parent)?;
    }
    Ok(directory)
}

/// Refuses a module whose state would be lost or would not be where it is expected. To be asked
/// after `init`, when the tool has recorded which backend it uses.
pub(super) fn prove_state_is_kept(plan: &RunPlan, directory: &Path) -> Result<(), RunnerError> {
    let record = directory.join(".terraform/terraform.tfstate");
    let backend = match fs::read(&record) {
        Ok(text) => serde_json::from_slice::<Value>(&text)
            .map(|record| record["backend"].clone())
            .unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Value::Null,
        Err(source) => return Err(disk(plan, "read", &record, source)),
    };
    let kind = backend["type"].as_str();
    let path = backend["config"]["path"].as_str().map(Path::new);
    match &plan.state {
        StateOwner::Managed { file }
            if kind == Some("local")
                && path.is_some()
                && path == way_to_state(plan, directory, file)?.as_deref() =>
        {
            Ok(())
        }
        StateOwner::Managed { .. } => Err(RunnerError::StateElsewhere {
            stack: plan.stack.clone(),
            repository: plan.repository.clone(),
            commit: plan.commit.clone(),
            found: kind.unwrap_or("the workspace").to_owned(),
        }),
        StateOwner::Own
            if kind.is_none() || (kind == Some("local") && path.is_none_or(Path::is_relative)) =>
        {
            Err(RunnerError::StateInWorkspace {
                stack: plan.stack.clone(),
                repository: plan.repository.clone(),
                commit: plan.commit.clone(),
            })
        }
        StateOwner::Own => Ok(()),
    }
}

/// Where the tool leaves a state that it could not store.
pub(super) fn errored_state(directory: &Path) -> Option<PathBuf> {
    let file = directory.join("errored.tfstate");
    file.is_file().then_some(file)
}

fn project_root(plan: &RunPlan) -> Result<PathBuf, RunnerError> {
    let absent = || RunnerError::ProjectRootAbsent {
        stack: plan.stack.clone(),
        root: plan.project_root.clone(),
        repository: plan.repository.clone(),
        commit: plan.commit.clone(),
    };
    let outside = || RunnerError::ProjectRootOutside {
        stack: plan.stack.clone(),
        root: plan.project_root.clone(),
        repository: plan.repository.clone(),
        commit: plan.commit.clone(),
    };
    let workspace = canonical(plan, &plan.workspace)?;
    // Spacelift takes a slash at either end.
    let root = Path::new(plan.project_root.trim_matches('/'));
    if !stays_inside(root) {
        return Err(outside());
    }
    let directory = workspace.join(root).canonicalize().map_err(|_| absent())?;
    if !directory.starts_with(&workspace) {
        return Err(outside());
    }
    if directory.is_dir() {
        Ok(directory)
    } else {
        Err(absent())
    }
}

fn mount(plan: &RunPlan, path: &str, content: &[u8]) -> Result<(), RunnerError> {
    let outside = || RunnerError::MountOutside {
        stack: plan.stack.clone(),
        path: path.to_owned(),
    };
    let workspace = canonical(plan, &plan.around)?;
    let relative = Path::new(path);
    let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
        return Err(outside());
    };
    if !stays_inside(relative) {
        return Err(outside());
    }
    // One name at a time, so that no directory is made behind a link that leads out.
    let mut directory = workspace.clone();
    for name in parent {
        directory.push(name);
        match fs::create_dir(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(disk(plan, "make", &directory, error));
            }
            _ => {}
        }
        directory = directory
            .canonicalize()
            .map_err(|error| disk(plan, "open", &directory, error))?;
        if !directory.starts_with(&workspace) {
            return Err(outside());
        }
    }
    let file = directory.join(name);
    // A link of that name is replaced, not followed.
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(disk(plan, "replace", &file, error));
        }
        _ => {}
    }
    write_new(&file, content).map_err(|error| disk(plan, "write", &file, error))
}

/// The state's path from the directory in which the tool runs; `None` of a file that has no name.
fn way_to_state(
    plan: &RunPlan,
    directory: &Path,
    file: &Path,
) -> Result<Option<PathBuf>, RunnerError> {
    let around = canonical(plan, &plan.around)?;
    let inside = directory.strip_prefix(&around).unwrap_or(directory);
    let up = inside.components().map(|_| "..");
    let way: PathBuf = up.chain([STATE_LINK]).collect();
    Ok(file.file_name().map(|name| way.join(name)))
}

/// Sets the backend by an override, which leaves the repository's own files as they are.
fn keep_state_in(plan: &RunPlan, directory: &Path, file: &Path) -> Result<(), RunnerError> {
    let unusable = || RunnerError::StatePath {
        stack: plan.stack.clone(),
        path: file.to_owned(),
    };
    let (Some(states), true) = (file.parent(), file.is_absolute()) else {
        return Err(unusable());
    };
    make_private(plan, states)?;
    let link = plan.around.join(STATE_LINK);
    match symlink(states, &link) {
        Err(error)
            if error.kind() == io::ErrorKind::AlreadyExists
                && fs::read_link(&link).is_ok_and(|found| found == states) => {}
        Err(error) => return Err(disk(plan, "make the link", &link, error)),
        Ok(()) => {}
    }
    let way = way_to_state(plan, directory, file)?;
    // A string of the JSON syntax is a template, too.
    let path = way
        .as_deref()
        .and_then(Path::to_str)
        .ok_or_else(unusable)?
        .replace("${", "$${")
        .replace("%{", "%%{");
    let content = json!({"terraform": {"backend": {"local": {"path": path}}}}).to_string();
    let target = directory.join(OVERRIDE);
    match write_new(&target, content.as_bytes()) {
        Ok(()) => Ok(()),
        // The same workspace, once more.
        Err(error)
            if error.kind() == io::ErrorKind::AlreadyExists
                && fs::symlink_metadata(&target).is_ok_and(|data| data.is_file())
                && fs::read(&target).is_ok_and(|found| found == content.as_bytes()) =>
        {
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(RunnerError::OverrideExists {
                stack: plan.stack.clone(),
                repository: plan.repository.clone(),
                commit: plan.commit.clone(),
                path: Path::new(&plan.project_root)
                    .join(OVERRIDE)
                    .display()
                    .to_string(),
            })
        }
        Err(error) => Err(disk(plan, "write", &target, error)),
    }
}

fn canonical(plan: &RunPlan, directory: &Path) -> Result<PathBuf, RunnerError> {
    directory
        .canonicalize()
        .map_err(|error| disk(plan, "open", directory, error))
}

fn stays_inside(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// A state and a plan hold secrets.
fn make_private(plan: &RunPlan, directory: &Path) -> Result<(), RunnerError> {
    files::make_private(directory).map_err(|error| disk(plan, "make", directory, error))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)
}

pub(super) fn disk(
    plan: &RunPlan,
    action: &'static str,
    path: &Path,
    source: io::Error,
) -> RunnerError {
    RunnerError::Disk {
        stack: plan.stack.clone(),
        action,
        path: path.to_owned(),
        source,
    }
}
