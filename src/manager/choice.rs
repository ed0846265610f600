//! Which service a wish is for.

use super::finding::Found;
use super::renaming::{Known, advice, find_under_names, known};
use super::services::{BrokenService, Service, named, services};
use super::{ManagerError, Wish};
use crate::config::{Admit, Scheme, ServiceRules};
use crate::event::RepositoryName;
use crate::files::Files;

/// The service that a wish is for.
pub(super) enum Choice {
    /// With what stands there for the pull request.
    Service(Box<Service>, Box<Option<Found>>),
    /// Nobody takes the pull request; the reason.
    None(String),
}

/// The service that takes the pull request's repository. Where there is none, or more than one, the
/// environment that stands says whose it is, and at an end it always does: the repository may have
/// been renamed or taken out of `service.hcl`, and the rules may be broken.
pub(super) fn choose_service(files: &dyn Files, wish: &Wish) -> Result<Choice, ManagerError> {
    let pull_request = wish.word.pull_request();
    let repository = &pull_request.repository;
    let repository_id = wish.word.repository_id();
    let is_end = wish.word.is_end();
    let chosen = |service: Service| {
        let existing = find_under_names(files, &service, pull_request, repository_id)?;
        Ok(Choice::Service(Box::new(service), Box::new(existing)))
    };
    if let Some(name) = &wish.service {
        return match named(files, name) {
            Err(ManagerError::Config(_) | ManagerError::NotText { .. }) if is_end => {
                chosen(without_rules(name))
            }
            service => {
                let service = service?;
                let is_passed_on =
                    known(files, &service, repository, repository_id)? == Known::PassedOn;
                if is_passed_on && !is_end {
                    return Ok(Choice::None(passed_on(repository)));
                }
                chosen(service)
            }
        };
    }
    let (services, broken) = services(files)?;
    let (all, every) = (names(&services), services.clone());
    let (mut by_name, mut by_former_name, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_passed_on = false;
    for service in services {
        match known(files, &service, repository, repository_id)? {
            Known::ByName => by_name.push(service),
            Known::ByFormerName => by_former_name.push(service),
            how => {
                is_passed_on |= how == Known::PassedOn;
                others.push(service);
            }
        }
    }
    // Who had a name stands behind who has it.
    let mut takers = if by_name.is_empty() {
        by_former_name
    } else {
        others.extend(by_former_name);
        by_name
    };
    let taking = names(&takers);
    if takers.len() == 1 && !is_end {
        return chosen(takers.remove(0));
    }
    let mut candidates = takers;
    if is_end || candidates.is_empty() {
        candidates.extend(others);
    }
    if is_end {
        candidates.extend(broken.iter().map(|broken| without_rules(&broken.name)));
    }
    let (mut standing, mut empty) = (Vec::new(), Vec::new());
    for service in candidates {
        match find_under_names(files, &service, pull_request, repository_id)? {
            Some(existing) => standing.push((service, existing)),
            None => empty.push(service),
        }
    }
    if standing.len() == 1 {
        let (service, existing) = standing.remove(0);
        return Ok(Choice::Service(Box::new(service), Box::new(Some(existing))));
    }
    if !standing.is_empty() || taking.len() > 1 {
        let standing = standing
            .into_iter()
            .map(|(service, _)| service.name)
            .collect();
        return Err(ManagerError::ManyServices {
            repository: repository.clone(),
            services: if taking.len() > 1 { taking } else { standing },
        });
    }
    if let Some(taker) = empty
        .into_iter()
        .find(|service| taking.contains(&service.name))
    {
        return Ok(Choice::Service(Box::new(taker), Box::new(None)));
    }
    match (broken.into_iter().next(), wish.word.is_person()) {
        // Rules that cannot be read may well take it.
        (Some(BrokenService { error, .. }), _) => Err(error),
        (None, true) => Err(ManagerError::NoSource {
            repository: repository.clone(),
            known: all,
            advice: advice(files, &every, repository, repository_id)?,
        }),
        (None, false) if is_passed_on => Ok(Choice::None(passed_on(repository))),
        (None, false) => {
            let mut reason = format!("no service takes pull requests of {repository}");
            if let Some(advice) = advice(files, &every, repository, repository_id)? {
                reason = format!("{reason}: {advice}");
            }
            Ok(Choice::None(reason))
        }
    }
}

fn passed_on(repository: &RepositoryName) -> String {
    format!("{repository} is another repository than the one that had this name (former_names)")
}

fn names(services: &[Service]) -> Vec<String> {
    services
        .iter()
        .map(|service| service.name.clone())
        .collect()
}

/// A service whose rules cannot be read: an end asks for none.
fn without_rules(name: &str) -> Service {
    Service {
        name: name.to_owned(),
        rules: ServiceRules {
            file: crate::files::join(name, ServiceRules::FILE),
            text: String::new(),
            sources: Vec::new(),
            admit: Admit::default(),
            expire_after: None,
            scheme: Scheme::default(),
            comment: true,
            url: None,
            artifact: None,
        },
    }
}
