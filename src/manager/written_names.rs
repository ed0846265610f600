//! The names that writers give to environment files: they tell a number and an id without being read.

use std::collections::BTreeSet;

use super::ManagerError;
use super::services::{
    Service, environment_files, environment_path, read_all, read_environment, services, stem,
};
use crate::environment::{EnvironmentId, environment_name, read_environment_name};
use crate::event::{PullRequestId, RepositoryName};
use crate::files::Files;

/// The names that the writer gives to environments: they tell the number of the pull request and
/// the id without being read. A name that a person chose may look alike, so the beginning must be
/// that of a repository which the service has, or had.
pub(super) struct WriterNames(Vec<String>);

impl WriterNames {
    pub(super) fn of(service: &Service) -> Self {
        let sources = service.rules.sources.iter();
        let repositories =
            sources.flat_map(|source| source.former_names.iter().chain([&source.repository]));
        let beginning = |repository: &RepositoryName| {
            let first = PullRequestId {
                repository: repository.clone(),
                number: 0,
            };
            let name = environment_name(&first, &EnvironmentId::given(""));
            name.strip_suffix("0-").unwrap_or(&name).to_owned()
        };
        Self(repositories.map(beginning).collect())
    }

    /// The number and the id in the name of a file; `None` if it has to be read.
    pub(super) fn read<'a>(&self, file: &'a str) -> Option<(u64, &'a str)> {
        let (number, id) = read_environment_name(stem(file))?;
        let end = file.len() - ".tf".len() - id.len() - 1;
        let beginning = file
            .get(..end)?
            .trim_end_matches(|letter: char| letter.is_ascii_digit());
        let is_own = |own: &String| own.eq_ignore_ascii_case(beginning);
        self.0.iter().any(is_own).then_some((number, id))
    }
}

/// How many environments a service has.
pub(super) fn count_environments(
    files: &dyn Files,
    service: &Service,
) -> Result<usize, ManagerError> {
    let names = WriterNames::of(service);
    let mut count = 0;
    for file in environment_files(files, &service.name)? {
        let path = || environment_path(&service.name, &file);
        let is_one = names.read(&file).is_some()
            || files
                .read(&path())?
                .is_some_and(|bytes| matches!(read_environment(&path(), &bytes), Ok(Some(_))));
        count += usize::from(is_one);
    }
    Ok(count)
}

/// The ids that other pull requests' environments have, in all services.
pub(super) fn taken_ids(
    files: &dyn Files,
    pull_request: &PullRequestId,
    repository_id: Option<u64>,
) -> Result<BTreeSet<String>, ManagerError> {
    let (mut taken, mut unsure) = (BTreeSet::new(), Vec::new());
    let (services, _) = services(files)?;
    let directories = files.list("")?;
    for directory in directories.iter().filter(|entry| entry.is_directory) {
        let service = services.iter().find(|known| known.name == directory.name);
        let names = service.map_or(WriterNames(Vec::new()), WriterNames::of);
        for file in environment_files(files, &directory.name)? {
            match names.read(&file) {
                Some((number, id)) if number != pull_request.number => {
                    taken.insert(id.to_ascii_lowercase());
                }
                _ => unsure.push(environment_path(&directory.name, &file)),
            }
        }
    }
    for read in read_all(files, unsure)? {
        let (path, bytes) = read?;
        match read_environment(&path, &bytes) {
            Ok(Some(file)) if !file.belongs_to(pull_request, repository_id) => {
                taken.extend(file.environment);
            }
            // Whoever's it is, its name has the id.
            Err(_) => {
                let name = stem(&path).to_ascii_lowercase();
                taken.extend(read_environment_name(&name).map(|(_, id)| id.to_owned()));
            }
            Ok(_) => {}
        }
    }
    Ok(taken)
}
