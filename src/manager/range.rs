//! Whether a range of commits touches environment files only.
//!
//! Whoever may write those may open previews, and nothing else: what decides what a preview is, and
//! who may do what, stands in the other files. Each commit counts, not only the two ends: what was
//! changed and changed back was there for a while.

use std::collections::BTreeMap;

use serde::Serialize;

use super::location::read_text;
use super::services::{
    Service, environment_files, environment_path, example_files, named, read_all, read_environment,
};
use super::{Manager, ManagerError};
use crate::environment::{self, Claim, EnvironmentFile, Pattern};
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
    let standing = Standings::at(&base)?;
    let earlier: Vec<&EnvironmentFile> = standing.0.values().collect();
    let mut trespasses = Vec::new();
    for commit in &commits {
        let touched = repository.touched(commit, &range.base)?;
        if touched.is_empty() {
            continue;
        }
        let tree = repository.tree(commit)?;
        let changed = repository.changed_paths(&range.base, commit)?;
        let beside = standing.with(&tree, &changed)?;
        let beside: Vec<&EnvironmentFile> = beside.values().collect();
        for touched in touched {
            if let Some(reason) = services.refuse(&touched, &beside, &earlier)? {
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

/// All environments of a tree by their paths, as far as they can be read.
#[derive(Clone)]
struct Standings(BTreeMap<String, EnvironmentFile>);

impl Standings {
    fn at(files: &dyn Files) -> Result<Self, ManagerError> {
        let mut paths = Vec::new();
        for directory in files.list("")?.iter().filter(|entry| entry.is_directory) {
            let names = environment_files(files, &directory.name)?;
            paths.extend(names.map(|file| environment_path(&directory.name, &file)));
        }
        let mut all = BTreeMap::new();
        for read in read_all(files, paths)? {
            let (path, bytes) = read?;
            all.extend(claimed(&path, &bytes).map(|file| (path, file)));
        }
        Ok(Self(all))
    }

    /// The same for a tree that differs from it at these paths.
    fn with(
        &self,
        tree: &dyn Files,
        changed: &[String],
    ) -> Result<BTreeMap<String, EnvironmentFile>, ManagerError> {
        let mut all = self.0.clone();
        for path in changed {
            all.remove(path);
            if environment::service_of(path).is_some()
                && let Some(bytes) = tree.read(path)?
            {
                all.extend(claimed(path, &bytes).map(|file| (path.clone(), file)));
            }
        }
        Ok(all)
    }
}

/// What the file at `path` claims; of one that cannot be read, what its name does.
fn claimed(path: &str, bytes: &[u8]) -> Option<EnvironmentFile> {
    read_environment(path, bytes).unwrap_or_else(|_| Some(EnvironmentFile::of_name(path)))
}

/// A service as it stands at BASE.
#[derive(Clone)]
struct Known {
    service: Service,
    patterns: Vec<Pattern>,
}

/// The services as they stand at BASE, each read once.
struct Services<'a> {
    files: &'a dyn Files,
    /// `None` of what is no service, and the reason where no file of it can be judged.
    known: BTreeMap<String, Option<Result<Known, String>>>,
}

impl Services<'_> {
    /// Why the change is none of an environment file; `None` if it is one. `beside` is all that
    /// stands after it, `earlier` what stands at BASE.
    fn refuse(
        &mut self,
        touched: &Touched,
        beside: &[&EnvironmentFile],
        earlier: &[&EnvironmentFile],
    ) -> Result<Option<String>, ManagerError> {
        let path = &touched.path;
        let Some(name) = environment::service_of(path) else {
            return Ok(Some("it is no environment file".to_owned()));
        };
        let Some(known) = self.known(name)? else {
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
        let known = match known {
            Ok(known) => known,
            Err(reason) => return Ok(Some(format!("nothing can be judged by BASE: {reason}"))),
        };
        let at_base = self.files.read(path)?;
        let text = at_base
            .clone()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(problem) = environment::fault(path, bytes, &known.patterns, text.as_deref()) {
            return Ok(Some(match problem.line {
                Some(line) => format!("line {line}: {}", problem.message),
                None => problem.message,
            }));
        }
        let Ok(Some(file)) = read_environment(path, bytes) else {
            return Ok(Some("it cannot be read".to_owned()));
        };
        let in_parent = match &touched.before {
            Some(Standing::File(bytes)) => Some(bytes),
            _ => None,
        };
        let before = at_base.iter().chain(in_parent);
        let before: Vec<EnvironmentFile> = before
            .filter_map(|bytes| read_environment(path, bytes).ok().flatten())
            .collect();
        let claim = Claim {
            file: &file,
            is_new: at_base.is_none(),
            before: &before,
            others: beside,
            earlier,
            rules: &known.service.rules,
        };
        Ok(claim.fault())
    }

    /// The service of this name; `None` if there is none.
    fn known(&mut self, name: &str) -> Result<Option<Result<Known, String>>, ManagerError> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let rules = join(name, crate::config::ServiceRules::FILE);
        let is_service = self.files.read(&rules)?.is_some();
        // Rules or a template that cannot be read let no text through, but a file may go.
        let known = is_service.then(|| self.read(name).map_err(|error| error.to_string()));
        self.known.insert(name.to_owned(), known.clone());
        Ok(known)
    }

    fn read(&self, name: &str) -> Result<Known, ManagerError> {
        let service = named(self.files, name)?;
        let path = join(name, "environment.tf.tera");
        let no_template = || ManagerError::NoTemplate {
            service: name.to_owned(),
        };
        let text = read_text(self.files, &path)?.ok_or_else(no_template)?;
        let patterns = example_files(&service, &path, &text)?;
        Ok(Known { service, patterns })
    }
}
