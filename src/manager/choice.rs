//! Which service a wish is for.

use super::finding::{Found, find};
use super::services::{BrokenService, Service, named, services};
use super::{ManagerError, Wish};
use crate::config::{Admit, Scheme, ServiceRules};
use crate::files::Files;

/// The service that a wish is for.
pub(super) enum Choice {
    /// With what stands there for the pull request.
    Service(Box<Service>, Option<Found>),
    /// Nobody takes the pull request; the reason.
    None(String),
}

/// The service that takes the pull request's repository. Where there is none, or more than one, the
/// environment that stands says whose it is, and at an end it always does: the repository may have
/// been renamed or taken out of `service.hcl`, and the rules may be broken.
pub(super) fn choose_service(files: &dyn Files, wish: &Wish) -> Result<Choice, ManagerError> {
    let pull_request = wish.word.pull_request();
    let repository = &pull_request.repository;
    let is_end = wish.word.is_end();
    let chosen = |service: Service| {
        let existing = find(
            files,
            &service.name,
            pull_request,
            wish.word.repository_id(),
        )?;
        Ok(Choice::Service(Box::new(service), existing))
    };
    if let Some(name) = &wish.service {
        return match named(files, name) {
            Err(ManagerError::Config(_) | ManagerError::NotText { .. }) if is_end => {
                chosen(without_rules(name))
            }
            service => chosen(service?),
        };
    }
    let (services, broken) = services(files)?;
    let known = names(&services);
    let (mut takers, others): (Vec<Service>, Vec<Service>) = services
        .into_iter()
        .partition(|service| service.source(repository).is_some());
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
        match find(
            files,
            &service.name,
            pull_request,
            wish.word.repository_id(),
        )? {
            Some(existing) => standing.push((service, existing)),
            None => empty.push(service),
        }
    }
    if standing.len() == 1 {
        let (service, existing) = standing.remove(0);
        return Ok(Choice::Service(Box::new(service), Some(existing)));
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
        return Ok(Choice::Service(Box::new(taker), None));
    }
    match (broken.into_iter().next(), wish.word.is_person()) {
        // Rules that cannot be read may well take it.
        (Some(BrokenService { error, .. }), _) => Err(error),
        (None, true) => Err(ManagerError::NoSource {
            repository: repository.clone(),
            known,
        }),
        (None, false) => Ok(Choice::None(format!(
            "no service takes pull requests of {repository}"
        ))),
    }
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
            scheme: Scheme::default(),
            url: None,
        },
    }
}
