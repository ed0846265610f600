//! What of a commit is evaluated: all of it or, where nothing but environment files has changed since
//! the last one, those and what all environments share.
//!
//! A part stands for the whole only while that can be proved: the environments are apart
//! (`module::Environments`), and nothing that is recorded of the others has a claim on what the part
//! holds. Everything else is evaluated as a whole; `tests/parts.rs` holds the two against
//! each other.

use std::collections::BTreeSet;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{Planned, ReconcileError};
use crate::config::Settings;
use crate::files::{Entry, Files, FilesError};
use crate::module::{self, Evaluation, Given, is_environments};
use crate::problem::Severity;
use crate::stack::{Comparison, Object, Phase};
use crate::store::{Claims, Evaluated, Store};

/// What an evaluation comes from beside the commit, as a digest.
pub(super) fn basis(settings: &Settings, given: &Given) -> String {
    let mut digest = String::new();
    let mut supplied = given.supplied.clone();
    // Whoever asks for the commit is evaluated at each.
    supplied.remove(module::OF_COMMIT);
    let parts = (
        env!("CARGO_PKG_VERSION"),
        &settings.manager_stack,
        &given.machine,
        supplied,
    );
    let text = serde_json::json!(parts).to_string();
    for byte in Sha256::digest(text) {
        // Writing to a string cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}

/// The environment files to look at after a change of `changed`, with what all share, which may hold
/// environments as well; `None` if the change may touch others.
pub(super) fn touched(last: &Evaluated, changed: &[String]) -> Option<BTreeSet<String>> {
    let is_environment = |path: &String| {
        path.ends_with(".tf") && is_environments(parent(path)) && !last.shared.contains(path)
    };
    changed.iter().all(is_environment).then(|| {
        let all = changed.iter().chain(&last.unsettled).chain(&last.shared);
        all.cloned().collect()
    })
}

/// A tree of files of whose environments only some are there.
pub(super) struct Part<'a> {
    pub(super) whole: &'a dyn Files,
    /// Paths of files in directories of environments.
    pub(super) files: BTreeSet<&'a str>,
}

impl Files for Part<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, FilesError> {
        if is_environments(parent(path)) && !self.files.contains(path) {
            return Ok(None);
        }
        self.whole.read(path)
    }

    fn list(&self, directory: &str) -> Result<Vec<Entry>, FilesError> {
        if !is_environments(directory) {
            return self.whole.list(directory);
        }
        let mut entries = Vec::new();
        for path in self.files.iter().filter(|path| parent(path) == directory) {
            if self.whole.read(path)?.is_some() {
                entries.push(Entry {
                    name: path[directory.len() + 1..].to_owned(),
                    is_directory: false,
                });
            }
        }
        Ok(entries)
    }
}

/// Whether the evaluation of a part came out as that of the whole would, as far as it goes.
pub(super) fn stands_for_all(
    store: &Store,
    last: &Evaluated,
    files: &BTreeSet<String>,
    evaluation: &Evaluation,
    recorded: &[Object],
) -> Result<bool, ReconcileError> {
    let environments = &evaluation.environments;
    if !environments.apart || environments.shared != last.shared {
        return Ok(false);
    }
    let mut claims = Claims::default();
    let calls = environments.calls.iter();
    let calls = calls.filter(|(_, file)| files.contains(*file));
    claims
        .calls
        .extend(calls.map(|(address, _)| address.clone()));
    let desired: Vec<Object> = evaluation
        .resources
        .iter()
        .map(Object::from_resource)
        .collect();
    for object in desired.iter().chain(recorded) {
        let is_touched = object.phase != Phase::Active || object.origin.environment().is_some();
        if is_touched {
            claims.ids.insert(object.id().to_owned());
            claims.stacks.insert(object.stack_id().to_owned());
        }
    }
    claims.stacks.remove("");
    Ok(!store.others_claim(files, &claims)?)
}

/// What is remembered of an evaluation for the next one; `None` if that has to look at everything.
pub(super) fn evaluated(
    commit: &str,
    basis: String,
    evaluation: &Evaluation,
    recorded: &[Object],
    comparison: &Comparison,
    told: impl Iterator<Item = String>,
) -> Option<Evaluated> {
    let environments = &evaluation.environments;
    let mut unsettled = environments.unsettled.clone();
    unsettled.extend(told);
    let mut unsettle = |origin: &crate::module::Origin| {
        unsettled.extend(origin.environment().map(|call| call.file.clone()));
    };
    // What was kept or has to wait may come out differently next time.
    if !comparison.kept.is_empty() {
        let kept = |object: &&Object| comparison.kept.contains(&object.address);
        let kept = recorded.iter().filter(kept);
        kept.for_each(|object| unsettle(&object.origin));
    }
    if !(comparison.kept.is_empty() && comparison.waiting.is_empty()) {
        for resource in &evaluation.resources {
            let address = &resource.address;
            if comparison.kept.contains(address) || comparison.waiting.contains(address) {
                unsettle(&resource.origin);
            }
        }
    }
    environments.apart.then(|| Evaluated {
        commit: commit.to_owned(),
        basis,
        shared: environments.shared.clone(),
        unsettled,
    })
}

/// The files of environments of which something is recorded otherwise than they say: what could not
/// be read, or has to wait.
pub(super) fn as_before(planned: &Planned) -> BTreeSet<String> {
    let comparison = &planned.comparison;
    let is_as_before =
        |address: &str| comparison.kept.contains(address) || comparison.waiting.contains(address);
    let recorded = planned
        .recorded
        .iter()
        .map(|one| (&one.address, &one.origin));
    let wanted = planned.evaluation.resources.iter();
    let wanted = wanted.map(|one| (&one.address, &one.origin));
    let objects = recorded
        .chain(wanted)
        .filter(|(address, _)| is_as_before(address));
    let files = objects.filter_map(|(_, origin)| Some(origin.environment()?.file.clone()));
    let mut files: BTreeSet<String> = files.collect();
    let problems = planned.problems();
    files.extend(
        problems
            .filter(|one| one.severity == Severity::Error)
            .filter_map(|one| one.file.clone()),
    );
    files
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}
