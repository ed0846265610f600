//! `dayfly init`: a new manager repository.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use owo_colors::OwoColorize;
use serde_json::json;

use super::output::Output;
use super::{DONE, Ended};
use crate::config::StackManager;
use crate::error::{Diagnose, Error, Kind};
use crate::event::RepositoryName;
use crate::generate::{self, ActionReference, Laid, ManagerRepository, Setup};
use crate::git;

/// Make a manager repository, committed and ready to push
///
/// Run again, it writes what is missing and leaves what was changed.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The directory of the new repository
    directory: PathBuf,

    /// Its name on GitHub: OWNER/NAME
    #[arg(long, value_name = "OWNER/NAME")]
    repository: RepositoryName,

    /// Also write the Terraform that creates the manager stack on Spacelift, as a repository of its own
    #[arg(long, value_name = "DIR")]
    setup: Option<PathBuf>,

    /// Who applies it
    #[arg(long, value_enum, default_value_t = StackManagerName::Dayfly)]
    stack_manager: StackManagerName,

    #[command(flatten)]
    action: ActionArgs,
}

/// The action that generated workflows use.
#[derive(clap::Args)]
pub(super) struct ActionArgs {
    /// Which action the workflows use, such as a mirror's [default: that of this dayfly's release]
    #[arg(long, value_name = "OWNER/NAME/PATH@COMMIT")]
    action: Option<ActionReference>,
}

impl ActionArgs {
    pub(super) fn reference(&self) -> ActionReference {
        self.action.clone().unwrap_or_default()
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum StackManagerName {
    Dayfly,
    Spacelift,
}

#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("the setup {} and the manager repository {} lie in one another", setup.display(), manager.display())]
    Nested { setup: PathBuf, manager: PathBuf },
}

impl Diagnose for InitError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("name a directory beside it: the setup is a repository of its own".to_owned())
    }
}

/// Refuses directories of which one holds the other.
fn stand_apart(manager: &Path, setup: &Path) -> Result<(), InitError> {
    let absolute = |path: &Path| {
        let path = path.canonicalize().or_else(|_| std::path::absolute(path));
        path.unwrap_or_default()
    };
    let (m, s) = (absolute(manager), absolute(setup));
    if m.starts_with(&s) || s.starts_with(&m) {
        return Err(InitError::Nested {
            setup: setup.to_owned(),
            manager: manager.to_owned(),
        });
    }
    Ok(())
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    if let Some(setup) = &args.setup {
        stand_apart(&args.directory, setup)?;
    }
    let stack_manager = match args.stack_manager {
        StackManagerName::Dayfly => StackManager::Dayfly,
        StackManagerName::Spacelift => StackManager::Spacelift,
    };
    let manager = ManagerRepository::new(args.repository.clone(), stack_manager);
    let mut files = generate::manager_repository(&manager)?;
    let action = args.action.reference();
    files.extend(generate::manager_workflows(stack_manager, &action)?);
    git::init_work_tree(&args.directory)?;
    let laid = generate::lay(&files, &args.directory)?;
    let commit = commit(&args.directory, &laid, "Make the manager repository")?;
    let mut told = vec![(args.directory, laid, commit)];
    if let Some(directory) = args.setup {
        let files = generate::setup(&Setup {
            repository: args.repository,
        })?;
        git::init_work_tree(&directory)?;
        let laid = generate::lay(&files, &directory)?;
        let commit = self::commit(&directory, &laid, "Set up the manager stack")?;
        told.push((directory, laid, commit));
    }
    if output.is_json() {
        let described: Vec<_> = told
            .iter()
            .map(|(directory, laid, commit)| described(directory, laid, commit.as_deref()))
            .collect();
        output.json(&json!({ "manager": described[0], "setup": described.get(1) }));
        return Ok(DONE);
    }
    for (directory, laid, commit) in &told {
        tell(directory, laid, commit.as_deref(), output);
    }
    output.talk(format_args!(
        "\nnext: dayfly service add NAME --directory {} …  (dayfly service add --help)",
        told[0].0.display()
    ));
    Ok(DONE)
}

/// Commits what was written, and only that.
pub(super) fn commit(
    directory: &Path,
    laid: &Laid,
    message: &str,
) -> Result<Option<String>, Error> {
    // What an earlier attempt wrote and could not commit is committed as well.
    let paths: Vec<String> = laid
        .written
        .iter()
        .chain(&laid.unchanged)
        .cloned()
        .collect();
    let commit = git::commit_paths(directory, &paths, message)?;
    Ok(commit.map(|commit| commit.to_string()))
}

pub(super) fn described(directory: &Path, laid: &Laid, commit: Option<&str>) -> serde_json::Value {
    json!({
        "directory": directory,
        "written": laid.written,
        "unchanged": laid.unchanged,
        "kept": laid.kept,
        "commit": commit,
    })
}

pub(super) fn tell(directory: &Path, laid: &Laid, commit: Option<&str>, output: &Output) {
    for path in &laid.written {
        output.data(format_args!(
            "{} {}",
            "+".green(),
            directory.join(path).display()
        ));
    }
    for path in &laid.kept {
        let path = directory.join(path);
        output.data(format_args!(
            "{} {}  {}",
            "=".yellow(),
            path.display(),
            "differs from what would be written and is left as it is".dimmed()
        ));
    }
    match commit {
        Some(commit) => output.data(format_args!("committed {}", &commit[..commit.len().min(8)])),
        None if laid.kept.is_empty() && laid.written.is_empty() => {
            output.data(format_args!("{}: nothing to do", directory.display()))
        }
        None => {}
    }
}
