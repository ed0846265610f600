//! A sweep: the environments that stand, against the pull requests as GitHub tells them now.
//!
//! Pure: what was asked and answered is told from outside. A doubt removes nothing (invariant 5):
//! a pull request is closed when an answer about itself says so, never because a list lacks it.

use std::collections::{BTreeMap, BTreeSet};

use super::lifetime::{end_of, head_of};
use super::services::{Environment, Service, environments, services};
use super::{Lifetime, ManagerError, Wish, Word};
use crate::clock::{Time, later};
use crate::environment::{Admission, Standing, admit};
use crate::event::{Action, PullRequestEvent, PullRequestId, RepositoryName};
use crate::files::Files;

/// What stands, and what was heard of it.
pub struct Sweep {
    services: Vec<Service>,
    environments: Vec<Environment>,
    unreadable: Vec<ManagerError>,
    heard: BTreeMap<String, Heard>,
    said: BTreeMap<(String, u64), Said>,
    now: Time,
}

/// What was heard of the open pull requests of a repository.
#[derive(Debug)]
pub struct Heard {
    /// By their numbers; `None` is one with a name that cannot be.
    pub open: BTreeMap<u64, Option<PullRequestEvent>>,
    /// Why these may not be all.
    pub fault: Option<String>,
}

/// What an answer about one pull request alone said.
#[derive(Debug)]
pub enum Said {
    /// How it is.
    Answer(Box<PullRequestEvent>),
    /// Why there is none.
    Fault(String),
}

/// What a sweep found out of an environment, or of a pull request that has none.
#[derive(Debug)]
pub struct Finding {
    pub service: Option<String>,
    pub environment: Option<String>,
    pub path: Option<String>,
    pub pull_request: Option<PullRequestId>,
    pub verdict: Verdict,
    pub reason: String,
}

#[derive(Debug)]
pub enum Verdict {
    Keep,
    Remove(Box<Wish>),
    Write(Box<Wish>),
    /// It has no environment, and gets none from a sweep.
    Skip,
    /// Not enough is known to touch it.
    Unknown,
}

impl Sweep {
    /// The manager repository as it stands at `now`.
    pub fn read(files: &dyn Files, now: Time) -> Result<Self, ManagerError> {
        let (services, _) = services(files)?;
        let (environments, unreadable) = environments(files, None)?;
        Ok(Self {
            services,
            environments,
            unreadable,
            heard: BTreeMap::new(),
            said: BTreeMap::new(),
            now,
        })
    }

    /// How many environments stand.
    pub fn count(&self) -> usize {
        self.environments.len()
    }

    /// The repositories whose open pull requests are to be heard of, under their present names.
    pub fn repositories(&self) -> Vec<RepositoryName> {
        let of_services = self.services.iter().flat_map(|service| {
            let sources = service.rules.sources.iter();
            sources.map(|source| source.repository.clone())
        });
        let of_files = self
            .environments
            .iter()
            .filter_map(|one| Some(self.asked(one)?.repository));
        let by_name: BTreeMap<String, RepositoryName> = of_services
            .chain(of_files)
            .map(|repository| (key(&repository), repository))
            .collect();
        by_name.into_values().collect()
    }

    pub fn hear(&mut self, repository: &RepositoryName, heard: Heard) {
        self.heard.insert(key(repository), heard);
    }

    /// The repositories of whose open pull requests not all were heard, and why.
    pub fn unlisted(&self) -> Vec<(RepositoryName, String)> {
        let repositories = self.repositories().into_iter();
        repositories
            .filter_map(|repository| {
                let reason = match self.heard.get(&key(&repository)) {
                    Some(heard) => heard.fault.clone()?,
                    None => "GitHub has not answered before, and was not asked".to_owned(),
                };
                Some((repository, reason))
            })
            .collect()
    }

    /// The pull requests that have to be asked themselves: they are in no list that is whole.
    pub fn doubts(&self) -> Vec<PullRequestId> {
        let mut seen = BTreeSet::new();
        let asked = self.environments.iter().filter_map(|one| self.asked(one));
        asked
            .filter(|id| {
                let heard = self.heard.get(&key(&id.repository));
                heard.is_some_and(|heard| {
                    heard.fault.is_none() && !heard.open.contains_key(&id.number)
                })
            })
            .filter(|id| seen.insert((key(&id.repository), id.number)))
            .collect()
    }

    pub fn say(&mut self, pull_request: &PullRequestId, said: Said) {
        let key = (key(&pull_request.repository), pull_request.number);
        self.said.insert(key, said);
    }

    /// What it comes to, the environments first.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .environments
            .iter()
            .map(|environment| self.judge(environment))
            .collect();
        findings.extend(self.unreadable.iter().map(|error| Finding {
            service: None,
            environment: None,
            path: None,
            pull_request: None,
            verdict: Verdict::Unknown,
            reason: error.to_string(),
        }));
        findings.extend(self.missed());
        findings
    }

    /// The pull request of an environment, by the name that its repository has now.
    fn asked(&self, environment: &Environment) -> Option<PullRequestId> {
        let own = environment.file.pull_request.as_ref()?;
        let source = self.service(environment)?.source(&own.repository);
        let repository = source.map_or(&own.repository, |source| &source.repository);
        Some(PullRequestId {
            repository: repository.clone(),
            number: own.number,
        })
    }

    fn service(&self, environment: &Environment) -> Option<&Service> {
        let mut services = self.services.iter();
        services.find(|service| service.name == environment.service)
    }

    fn judge(&self, environment: &Environment) -> Finding {
        let (verdict, reason) = self.verdict(environment);
        let file = &environment.file;
        Finding {
            service: Some(environment.service.clone()),
            environment: file.environment.clone(),
            path: Some(file.path.clone()),
            pull_request: file.pull_request.clone(),
            verdict,
            reason,
        }
    }

    fn verdict(&self, environment: &Environment) -> (Verdict, String) {
        let unknown = |reason: &str| (Verdict::Unknown, reason.to_owned());
        let file = &environment.file;
        let (Some(own), Some(asked), Some(service)) = (
            &file.pull_request,
            self.asked(environment),
            self.service(environment),
        ) else {
            return unknown("its file names no pull request");
        };
        let wish = |word| {
            Box::new(Wish {
                word,
                service: Some(environment.service.clone()),
            })
        };
        // The end that the file names needs nobody's answer.
        let expired = end_of(service, file).filter(|end| *end <= self.now);
        let or_expired = |otherwise: (Verdict, String)| match expired {
            Some(end) => {
                let word = Word::Lifetime {
                    pull_request: own.clone(),
                    change: Lifetime::Expire,
                    at: self.now,
                };
                (Verdict::Remove(wish(word)), format!("expired at {end}"))
            }
            None => otherwise,
        };
        let is_same = |event: &PullRequestEvent| {
            let ids = (file.repository_id, event.pull_request.repository_id);
            let is_same_repository = matches!(ids, (Some(own), Some(other)) if own == other)
                || matches!(ids, (None, _) | (_, None));
            is_same_repository && event.pull_request.id == asked
        };
        let other = || unknown("another repository has this name now, or it has another name");
        let heard = self.heard.get(&key(&asked.repository));
        if let Some(open) = heard.and_then(|heard| heard.open.get(&asked.number)) {
            let event = match open {
                Some(event) if !is_same(event) => return or_expired(other()),
                event => event.as_ref(),
            };
            if let Some(event) = event.filter(|event| is_behind(service, environment, event)) {
                let reason = "its pull request is at a later commit".to_owned();
                return (Verdict::Write(wish(found(event, own))), reason);
            }
            return or_expired((Verdict::Keep, "open".to_owned()));
        }
        match self.said.get(&(key(&asked.repository), asked.number)) {
            Some(Said::Answer(event)) if !is_same(event) => or_expired(other()),
            Some(Said::Answer(event)) if event.pull_request.is_open => {
                or_expired((Verdict::Keep, "open".to_owned()))
            }
            Some(Said::Answer(event)) => {
                let mut closed = event.as_ref().clone();
                closed.action = Action::Closed;
                closed.pull_request.id = own.clone();
                (
                    Verdict::Remove(wish(Word::Event(closed))),
                    "closed".to_owned(),
                )
            }
            Some(Said::Fault(reason)) => or_expired(unknown(reason)),
            None => or_expired(match heard {
                Some(heard) if heard.fault.is_none() => unknown("GitHub was not asked about it"),
                _ => unknown("its repository is unlisted"),
            }),
        }
    }

    /// The open pull requests that should have an environment and have none.
    fn missed(&self) -> Vec<Finding> {
        let standing: BTreeSet<(String, u64)> = self
            .environments
            .iter()
            .filter_map(|environment| self.asked(environment))
            .map(|id| (key(&id.repository), id.number))
            .collect();
        let mut findings = Vec::new();
        for (repository, heard) in &self.heard {
            let takers: Vec<&Service> = self
                .services
                .iter()
                .filter(|service| {
                    let mut sources = service.rules.sources.iter();
                    sources.any(|source| key(&source.repository) == *repository)
                })
                .collect();
            for event in heard.open.values().flatten() {
                let number = event.pull_request.id.number;
                if !standing.contains(&(repository.clone(), number)) {
                    findings.extend(miss(event, &takers, self.now));
                }
            }
        }
        findings
    }
}

/// What a pull request without an environment is to get, if anything.
fn miss(event: &PullRequestEvent, takers: &[&Service], now: Time) -> Option<Finding> {
    let takes = |service: &&&Service| is_taken(service, event, Standing::Nothing);
    let mut taking = takers.iter().filter(takes);
    let service = taking.next()?;
    let finding = |verdict, reason: &str| Finding {
        service: Some(service.name.clone()),
        environment: None,
        path: None,
        pull_request: Some(event.pull_request.id.clone()),
        verdict,
        reason: reason.to_owned(),
    };
    if takers.len() > 1 {
        let reason = "several services take it: name one with `dayfly env upsert --service`";
        return Some(finding(Verdict::Skip, reason));
    }
    if let Some(end) = end_by_rules(service, event).filter(|end| *end <= now) {
        let reason = format!("open, and its environment would have expired at {end}");
        return Some(finding(Verdict::Skip, &reason));
    }
    let wish = Wish {
        word: found(event, &event.pull_request.id),
        service: Some(service.name.clone()),
    };
    Some(finding(
        Verdict::Write(Box::new(wish)),
        "open, and had no environment",
    ))
}

fn is_taken(service: &Service, event: &PullRequestEvent, standing: Standing) -> bool {
    admit(event, &service.rules.admit, standing).admission == Admission::Take
}

/// Whether the environment is known to be of an earlier commit than the one that `event` saw.
fn is_behind(service: &Service, environment: &Environment, event: &PullRequestEvent) -> bool {
    let file = &environment.file;
    let is_later = match (file.event_at, event.at) {
        (Some(written), Some(at)) => at > written,
        _ => false,
    };
    let head = head_of(service, file).ok().flatten();
    let is_other = head.is_some_and(|head| head != event.pull_request.head_sha);
    is_later && is_other && is_taken(service, event, Standing::Elsewhere)
}

/// When an environment that is written for what was seen ends; `None` if it does not.
fn end_by_rules(service: &Service, event: &PullRequestEvent) -> Option<Time> {
    Some(later(event.at?, service.rules.expire_after?))
}

/// What was seen, under the name that an environment's file has for it.
fn found(event: &PullRequestEvent, id: &PullRequestId) -> Word {
    let mut event = event.clone();
    event.pull_request.id = id.clone();
    Word::Event(event)
}

/// GitHub's names have no case.
fn key(repository: &RepositoryName) -> String {
    repository.to_string().to_ascii_lowercase()
}
