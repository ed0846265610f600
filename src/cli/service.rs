//! `dayfly service`: the services of a manager repository.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::output::Output;
use super::{DONE, Ended, init};
use crate::error::{Diagnose, Error, Kind};
use crate::event::RepositoryName;
use crate::files::Directory;
use crate::generate::{self, Added, Domain, NewService, ServiceName};
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
}

#[derive(Debug, thiserror::Error)]
enum ServiceError {
    #[error("{} has changes that are not committed", .0.join("main.tf").display())]
    Changed(PathBuf),
}

impl Diagnose for ServiceError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("commit or stash them: the call of the service is committed there".to_owned())
    }
}

pub(super) fn run(command: Command, output: &Output) -> Ended {
    let Command::Add(args) = command;
    let service = NewService {
        name: args.name.clone(),
        service_repository: args.service_repository,
        infra_repository: args.infra_repository,
        domain: args.domain,
        manager: manager_repository(&args.directory)?,
    };
    let root = "main.tf".to_owned();
    if args.directory.join(".git").exists() && git::has_changes(&args.directory, &[root])? {
        return Err(ServiceError::Changed(args.directory).into());
    }
    let Added {
        files: mut laid,
        is_called_now,
    } = generate::add_service(&service, &args.directory)?;
    if is_called_now {
        laid.written.push("main.tf".to_owned());
    }
    let commit = init::commit(
        &args.directory,
        &laid,
        &format!("Add the service {}", args.name),
    )?;
    if output.is_json() {
        output.json(&init::described(&args.directory, &laid, commit.as_deref()));
    } else {
        init::tell(&args.directory, &laid, commit.as_deref(), output);
    }
    Ok(DONE)
}

/// The manager repository's own name, where its settings say it.
fn manager_repository(directory: &Path) -> Result<Option<RepositoryName>, Error> {
    let snapshot = Snapshot::Directory(Directory::new(directory));
    Ok(snapshot.settings()?.repository)
}
