//! Whether a range of commits touches environment files only.
//!
//! Whoever may write those may open previews, and nothing else: what decides what a preview is, and
//! who may do what, stands in the other files. Each commit counts, not only the two ends: what was
//! changed and changed back was there for a while.

use std::collections::BTreeMap;

use serde::Serialize;

use super::location::read_text;
use super::services::{example_files, service};
use super::{Manager, ManagerError};
use crate::environment::{self, Pattern};
use crate::files::{Files, join};
use crate::git::{CommitId, Repository, Standing, Touched};

/// A change that is not one of an environment file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trespass {
    pub commit: String,
    pub path: String,
    pub reason: String,
}

/// What came of looking at a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RangeReport {
    pub base: String,
    pub head: String,
    pub commits: usize,
    pub trespasses: Vec<Trespass>,
}

/// Looks at each commit of `range` (`BASE..HEAD`) in the checkout or bare repository of `manager`.
/// What a service is and what its files look like is taken from BASE.
pub fn only_environments(manager: &Manager, range: &str) -> Result<RangeReport, ManagerError> {
    let path = manager
        .remote
        .local_path()
        .ok_or_else(|| ManagerError::NoHistory(manager.remote.to_string()))?;
    let repository = Repository::open(path)?;
    let range = repository.range(range)?;
    let commits = repository.commits_of(&range)?;
    let base = repository.tree(&range.base)?;
    let mut services = Services {
        files: &base,
        known: BTreeMap::new(),
    };
    let mut trespasses = Vec::new();
    for commit in &commits {
        for touched in repository.touched(commit, &range.base)? {
            if let Some(reason) = services.refuse(&touched)? {
                trespasses.push(trespass(commit, touched, reason));
            }
        }
    }
    Ok(RangeReport {
        base: range.base.to_string(),
        head: range.head.to_string(),
        commits: commits.len(),
        trespasses,
    })
}

fn trespass(commit: &CommitId, touched: Touched, reason: String) -> Trespass {
    Trespass {
        commit: commit.to_string(),
        path: touched.path,
        reason,
    }
}

/// The services as they stand at BASE, each read once.
struct Services<'a> {
    files: &'a dyn Files,
    known: BTreeMap<String, Option<Vec<Pattern>>>,
}

impl Services<'_> {
    /// Why the change is none of an environment file; `None` if it is one.
    fn refuse(&mut self, touched: &Touched) -> Result<Option<String>, ManagerError> {
        let path = &touched.path;
        let Some(name) = environment::service_of(path) else {
            return Ok(Some("it is no environment file".to_owned()));
        };
        let Some(patterns) = self.patterns(name)? else {
            return Ok(Some(format!("{name} is no service")));
        };
        match &touched.before {
            Some(Standing::File(bytes)) if environment::is_environment(path, bytes) => {}
            Some(Standing::File(_)) => {
                return Ok(Some("it was no environment file before".to_owned()));
            }
            Some(Standing::Other(what)) => return Ok(Some(format!("it was {what} before"))),
            None => {}
        }
        let bytes = match &touched.after {
            Some(Standing::File(bytes)) => bytes,
            Some(Standing::Other(what)) => return Ok(Some(format!("it is {what}"))),
            None => return Ok(None),
        };
        let before = self.files.read(path)?;
        let before = before.and_then(|bytes| String::from_utf8(bytes).ok());
        let fault = environment::fault(path, bytes, &patterns, before.as_deref());
        Ok(fault.map(|problem| match problem.line {
            Some(line) => format!("line {line}: {}", problem.message),
            None => problem.message,
        }))
    }

    /// What the files of a service look like; `None` if there is no such service.
    fn patterns(&mut self, name: &str) -> Result<Option<Vec<Pattern>>, ManagerError> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let rules = join(name, crate::config::ServiceRules::FILE);
        let is_service = self.files.read(&rules)?.is_some();
        // Rules or a template that cannot be read let no new text through, but a file may go.
        let read = || -> Result<Vec<Pattern>, ManagerError> {
            let Some(service) = service(self.files, name)? else {
                return Ok(Vec::new());
            };
            let path = join(name, "environment.tf.tera");
            match read_text(self.files, &path)? {
                Some(text) => example_files(&service, &path, &text),
                None => Ok(Vec::new()),
            }
        };
        let patterns = is_service.then(|| read().unwrap_or_default());
        self.known.insert(name.to_owned(), patterns.clone());
        Ok(patterns)
    }
}
