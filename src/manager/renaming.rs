//! Repositories under their former names: what `former_names` of a source leads to.
//!
//! A name alone is weak: after a rename, another repository may take it. GitHub's number of the
//! repository decides wherever both sides know it.

use super::finding::{Found, find};
use super::services::{Service, environments};
use super::{ManagerError, Wish, Word};
use crate::event::{PullRequestId, RepositoryName};
use crate::files::Files;

/// How a service knows a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    ByName,
    ByFormerName,
    /// By a former name that another repository has now.
    PassedOn,
    Not,
}

pub(super) fn known(
    files: &dyn Files,
    service: &Service,
    repository: &RepositoryName,
    repository_id: Option<u64>,
) -> Result<Known, ManagerError> {
    let Some(source) = service.source(repository) else {
        return Ok(Known::Not);
    };
    if source.repository == *repository {
        return Ok(Known::ByName);
    }
    let Some(asked) = repository_id else {
        return Ok(Known::ByFormerName);
    };
    // The numbers that stand beside the present name.
    let (all, _) = environments(files, Some(&service.name))?;
    let mut numbers = all.iter().filter_map(|environment| {
        let own = environment.file.pull_request.as_ref()?;
        let number = environment.file.repository_id?;
        (own.repository == source.repository).then_some(number)
    });
    Ok(match numbers.next() {
        Some(first) if first != asked && numbers.all(|number| number != asked) => Known::PassedOn,
        _ => Known::ByFormerName,
    })
}

/// As [`find`], under each name of the repository that asks.
pub(super) fn find_under_names(
    files: &dyn Files,
    service: &Service,
    pull_request: &PullRequestId,
    repository_id: Option<u64>,
) -> Result<Option<Found>, ManagerError> {
    let asked = &pull_request.repository;
    let found = find(files, service, pull_request, repository_id)?;
    if matches!(found, Some(Found::File { .. })) {
        return Ok(found);
    }
    let Some(source) = service.source(asked) else {
        return Ok(found);
    };
    if source.former_names.is_empty()
        || known(files, service, asked, repository_id)? == Known::PassedOn
    {
        return Ok(found);
    }
    let mut broken = found;
    let names = std::iter::once(&source.repository).chain(&source.former_names);
    for name in names.filter(|name| *name != asked) {
        let other = PullRequestId {
            repository: name.clone(),
            number: pull_request.number,
        };
        match find(files, service, &other, repository_id)? {
            Some(found @ Found::File { .. }) => return Ok(Some(found)),
            found => broken = broken.or(found),
        }
    }
    Ok(broken)
}

/// `wish` under the name that the environment's file has, where that is the one that the service
/// knows: an event that waited through a rename must not take the name back, and one of a repository
/// that `service.hcl` does not know under its new name yet is the same environment's, if GitHub's
/// number says so.
pub(super) fn under_present_name(wish: &Wish, service: &Service, existing: &Found) -> Option<Wish> {
    let Found::File { file, .. } = existing else {
        return None;
    };
    let own = file.pull_request.as_ref()?;
    let asked = wish.word.pull_request();
    let is_known_better = match service.source(&asked.repository) {
        Some(source) => {
            source.repository != asked.repository && source.repository == own.repository
        }
        None => {
            let asked = wish.word.repository_id();
            asked.is_some()
                && asked == file.repository_id
                && service.source(&own.repository).is_some()
        }
    };
    if !is_known_better {
        return None;
    }
    let mut wish = wish.clone();
    match &mut wish.word {
        Word::Event(event) => event.pull_request.id = own.clone(),
        Word::Upsert { pull_request, .. } => pull_request.id = own.clone(),
        Word::Delete { pull_request, .. }
        | Word::Rollback { pull_request, .. }
        | Word::Lifetime { pull_request, .. } => {
            *pull_request = own.clone();
        }
    }
    Some(wish)
}

/// What to write, so that `repository` is known by its new name, where files of `services` know it by
/// its number and another name; `None` where the number stands nowhere.
pub(super) fn advice(
    files: &dyn Files,
    services: &[Service],
    repository: &RepositoryName,
    repository_id: Option<u64>,
) -> Result<Option<String>, ManagerError> {
    let Some(asked) = repository_id else {
        return Ok(None);
    };
    for service in services {
        let (all, _) = environments(files, Some(&service.name))?;
        let mut own = all
            .into_iter()
            .filter(|environment| environment.file.repository_id == Some(asked))
            .filter_map(|environment| Some(environment.file.pull_request?.repository));
        if let Some(from) = own.find(|name| service.source(name).is_some()) {
            return Ok(Some(format!(
                "if it is {from} renamed, write in {}/service.hcl: source \"{repository}\" {{ \
                 former_names = [\"{from}\"] … }}",
                service.name
            )));
        }
    }
    Ok(None)
}
