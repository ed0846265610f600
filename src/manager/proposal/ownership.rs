//! Whose a branch is whose name may be that of several pull requests' proposals.

use super::{Branch, DEPTH, MARK};
use crate::event::PullRequestId;
use crate::git::{CommitId, Repository};
use crate::manager::services::read_environment;
use crate::manager::{Manager, ManagerError, Wish, message};

/// The one of `places` that proposes the wish's own environment. The file on a branch tells whose
/// it is, and on one that removes it, or cannot be read, the record of dayfly's last commit there.
pub(super) fn own_of(
    manager: &Manager,
    cache: &Repository,
    wish: &Wish,
    places: Vec<Branch>,
) -> Result<Option<Branch>, ManagerError> {
    // With a star a branch that has gone meanwhile is no failure.
    let refspec = |place: &Branch| format!("+refs/heads/{0}*:refs/heads/{0}*", place.name);
    let refspecs: Vec<String> = places.iter().map(refspec).collect();
    if !refspecs.is_empty() {
        cache.fetch(&manager.remote, &refspecs, Some(DEPTH))?;
    }
    for place in places {
        if let Some(tip) = cache.branch_tip(&place.name)?
            && is_own(manager, cache, wish, &place, &tip)?
        {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn is_own(
    manager: &Manager,
    cache: &Repository,
    wish: &Wish,
    place: &Branch,
    tip: &CommitId,
) -> Result<bool, ManagerError> {
    use crate::files::Files;
    let tree = cache.remote_tree(tip, &manager.remote)?;
    let pull_request = wish.word.pull_request();
    let file = tree
        .read(&place.path)?
        .and_then(|bytes| read_environment(&place.path, &bytes).ok().flatten());
    if let Some(file) = file {
        return Ok(file.belongs_to(pull_request, wish.word.repository_id()));
    }
    Ok(recorded(cache, tip)?.is_some_and(|recorded| recorded == *pull_request))
}

/// The pull request that dayfly's last commit on a branch names.
fn recorded(cache: &Repository, tip: &CommitId) -> Result<Option<PullRequestId>, ManagerError> {
    for commit in cache.history(tip) {
        let (_, info) = commit?;
        let own = Some(info.message).filter(|message| message.contains(MARK));
        if let Some(pull_request) = own.and_then(|own| message::pull_request_of(&own)) {
            return Ok(Some(pull_request));
        }
    }
    Ok(None)
}
