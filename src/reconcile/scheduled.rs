//! `spacelift_scheduled_delete_stack`: when its time has come, the environment's file goes from the
//! manager repository, so that the truth stays in Git; what was made goes as it does after a close.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::{Apply, Planned, ReconcileError};
use crate::clock;
use crate::environment::EnvironmentFile;
use crate::files::Files as _;
use crate::git::{Committer, Repository, Signature};
use crate::manager::{self, Lifetime, ManagerError, OutcomeAction, Wish, Word};
use crate::problem::Problem;
use crate::stack::Deletions;
use crate::store::Store;

/// How long to try to win the race against other writers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Deletes the files of the environments whose time has come. Gives how many went, and what stood in
/// the way of others: the next apply tries them again.
pub(super) fn delete_due(
    options: &Apply<'_>,
    directory: &Path,
    cache: &Repository,
    store: &Store,
    planned: &Planned,
) -> Result<(usize, Vec<Problem>), ReconcileError> {
    let due = store.due_deletions(clock::now())?;
    let commit = planned.commit.as_ref().and_then(|text| text.parse().ok());
    let Some(commit) = commit.filter(|_| !due.is_empty()) else {
        return Ok((0, Vec::new()));
    };
    let tree = cache.tree(&commit)?;
    let mut wishes = Vec::new();
    let mut problems = Vec::new();
    let changes = planned.comparison.changes.iter();
    let changed: BTreeSet<&str> = changes
        .filter(|change| change.object.kind == "spacelift_scheduled_delete_stack")
        .filter_map(|change| Some(change.object.origin.environment()?.file.as_str()))
        .collect();
    for (file, end) in due {
        // What the commit says of it counts once that is recorded: it may have been prolonged.
        if changed.contains(file.as_str()) {
            continue;
        }
        // One that is gone already leaves by itself.
        let Some(bytes) = tree.read(&file).map_err(ManagerError::from)? else {
            continue;
        };
        let read = EnvironmentFile::read(&file, &String::from_utf8_lossy(&bytes));
        let pull_request = read.ok().flatten().and_then(|file| file.pull_request);
        let Some(pull_request) = pull_request else {
            let message =
                "its scheduled deletion is due, but it names no pull request: delete it by hand";
            problems.push(Problem::warning(message).in_file(&file));
            continue;
        };
        let change = Lifetime::Scheduled {
            end,
            seen: manager::digest_of(&bytes),
        };
        let word = Word::Lifetime {
            pull_request,
            change,
            at: clock::now(),
        };
        let service = file.split_once('/').map(|(service, _)| service.to_owned());
        wishes.push((file, Wish { word, service }));
    }
    let deletions = Deletions {
        deleted: wishes.len(),
        all: store.other_previews(&BTreeSet::new())?,
    };
    if deletions.exceed(&planned.settings.limits)
        && deletions.deleted > options.allow_deletions.unwrap_or_default()
    {
        let message = format!(
            "the scheduled deletions of {} of {} previews are due at once: they wait",
            deletions.deleted, deletions.all
        );
        let hint = format!("if that is meant: --allow-deletions {}", deletions.deleted);
        problems.push(Problem::warning(message).with_hint(hint));
        return Ok((0, problems));
    }
    let committer = Committer {
        signature: Signature::default(),
        key: None,
    };
    let mut deleted = 0;
    if !wishes.is_empty() {
        // A writer's fetches are partial, and what is applied must be whole.
        let objects = Repository::open_or_create(directory.join("writing.git"))?;
        for (file, wish) in wishes {
            match manager::write(options.manager, &wish, &objects, &committer, PATIENCE) {
                Ok(outcome) => deleted += usize::from(outcome.action == OutcomeAction::Deleted),
                Err(error) => {
                    let message =
                        format!("its scheduled deletion is due and was not made: {error}");
                    problems.push(Problem::warning(message).in_file(&file));
                }
            }
        }
    }
    Ok((deleted, problems))
}
