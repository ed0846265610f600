//! `dayfly service`: the services of a manager repository.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::init::ActionArgs;
use super::output::Output;
use super::{DONE, Ended, init};
use crate::config::Settings;
use crate::error::{Diagnose, Error, Kind};
use crate::event::RepositoryName;
use crate::files::{Directory, Files};
use crate::generate::{self, Added, Domain, GeneratedFile, NewService, ServiceName};
use crate::git;
use crate::manager::Snapshot;

/// Add services to a manager repository
#[derive(Subcommand)]
pub(super) enum Command {
    Add(AddArgs),
}

/// Add a service: its rules, policies, common stack and the template of its environments
///
/// Run again, it writes what is missing and leaves what was changed.
#[derive(clap::Args)]
pub(super) struct AddArgs {
    /// The service's name, such as hello-service: a directory and part of each host name
    name: ServiceName,

    /// The manager repository, as `dayfly init` made it
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,

    /// The repository of the service's code: its pull requests preview code
    #[arg(long, value_name = "OWNER/NAME")]
    service_repository: RepositoryName,

    /// The repository of its infrastructure: its pull requests preview infrastructure
    #[arg(long, value_name = "OWNER/NAME")]
    infra_repository: RepositoryName,

    /// The domain below which previews answer, each at ID.SERVICE.DOMAIN
    #[arg(long)]
    domain: Domain,

    /// Write the workflows of the two repositories, each below OWNER/NAME in this directory; without
    /// it they are printed
    #[arg(long, value_name = "DIR")]
    workflows: Option<PathBuf>,

    #[command(flatten)]
    action: ActionArgs,
}

/// The file of the root module that calls services.
const ROOT: &str = "main.tf";

#[derive(Debug, thiserror::Error)]
enum ServiceError {
    #[error("{} has changes that are not committed", .0.join(ROOT).display())]
    Changed(PathBuf),
    #[error("{} does not say where the manager repository is", .0.join(Settings::FILE).display())]
    NoAddress(PathBuf),
}

impl Diagnose for ServiceError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Changed(_) => {
                "commit or stash them: the call of the service is committed there".to_owned()
            }
            Self::NoAddress(_) => "write repository = \"OWNER/NAME\" into it".to_owned(),
        })
    }
}

pub(super) fn run(command: Command, output: &Output) -> Ended {
    let Command::Add(args) = command;
    let settings = Snapshot::Directory(Directory::new(&args.directory)).settings()?;
    generate::check_manager_stack(&args.name, &settings.manager_stack)?;
    let service = NewService {
        name: args.name.clone(),
        service_repository: args.service_repository,
        infra_repository: args.infra_repository,
        domain: args.domain,
        manager: settings.repository.clone(),
    };
    let workflows = workflows(&service, &settings, &args.action)?;
    if workflows.is_none() && args.workflows.is_some() {
        return Err(ServiceError::NoAddress(args.directory).into());
    }
    let is_changed = args.directory.join(".git").exists()
        && git::has_changes(&args.directory, &[ROOT.to_owned()])?;
    let is_left_behind = is_changed && holds_only_the_call(&service, &args.directory)?;
    if is_changed && !is_left_behind {
        return Err(ServiceError::Changed(args.directory).into());
    }
    let Added {
        files: mut laid,
        is_called_now,
    } = generate::add_service(&service, &args.directory)?;
    if is_called_now {
        laid.written.push(ROOT.to_owned());
    } else if is_left_behind {
        laid.unchanged.push(ROOT.to_owned());
    }
    let commit = init::commit(
        &args.directory,
        &laid,
        &format!("Add the service {}", args.name),
    )?;
    let written = match (&workflows, args.workflows) {
        (Some(files), Some(directory)) => Some((generate::lay(files, &directory)?, directory)),
        _ => None,
    };
    if output.is_json() {
        let mut told = init::described(&args.directory, &laid, commit.as_deref());
        if let Some((laid, directory)) = &written {
            told["workflows"] = init::described(directory, laid, None);
        }
        output.json(&told);
        return Ok(DONE);
    }
    init::tell(&args.directory, &laid, commit.as_deref(), output);
    if let Some((laid, directory)) = &written {
        init::tell(directory, laid, None, output);
        output.talk("\nnext: commit them in the repositories that they are for");
    } else if let Some(files) = &workflows {
        for GeneratedFile { path, text, .. } in files {
            output.data(format_args!("\n# {path}\n{text}"));
        }
        output.talk("\nnext: commit these in the repositories that they are for; --workflows DIR writes them");
    }
    Ok(DONE)
}

/// The workflows of the service's repositories; `None` where it is not known which manager repository
/// they are to write.
fn workflows(
    service: &NewService,
    settings: &Settings,
    action: &ActionArgs,
) -> Result<Option<Vec<GeneratedFile>>, Error> {
    let Some(manager) = &service.manager else {
        return Ok(None);
    };
    let url = settings.clone_url(manager);
    let action = action.reference();
    Ok(Some(generate::source_workflows(
        service, manager, &url, &action,
    )?))
}

/// Whether the root module's only change since the last commit is the call of the service, left
/// behind by an attempt whose commit failed.
fn holds_only_the_call(service: &NewService, directory: &Path) -> Result<bool, Error> {
    let repository = git::Repository::open(directory)?;
    let Some(commit) = repository.reference_tip("HEAD")? else {
        return Ok(false);
    };
    let committed = repository.tree(&commit)?.read(ROOT)?;
    let present = Directory::new(directory).read(ROOT)?;
    let Some(committed) = committed.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Ok(false);
    };
    let called = generate::with_service_call(&committed, service)?;
    Ok(called.map(String::into_bytes) == present)
}
