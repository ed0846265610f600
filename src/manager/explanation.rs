//! What a wish would do, told without doing it.

use serde::Serialize;

use super::decision::{Beside, decide};
use super::proposal::is_proposed;
use super::{Manager, ManagerError, Outcome, Wish};
use crate::clock;
use crate::environment::Judged;
use crate::git::Repository;

/// The decision about a wish, and the rules that led to it.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    #[serde(flatten)]
    pub outcome: Outcome,
    /// None where no service was chosen, or the word was a person's, `limit` apart.
    pub rules: Vec<Judged>,
}

/// What [`super::write`] would do for `wish` on the manager repository as it stands. Nothing is
/// pushed.
pub fn explain(
    manager: &Manager,
    wish: &Wish,
    cache: &Repository,
) -> Result<Explanation, ManagerError> {
    let listing = manager.look(cache)?;
    let files = cache.remote_tree(&listing.tip, &manager.remote)?;
    let decision = decide(
        &files,
        wish,
        &Beside {
            closings: &listing.closings,
            now: clock::now(),
            is_held: &|id| {
                let names = listing.branches.keys().map(String::as_str);
                is_proposed(names, wish.word.pull_request(), id)
            },
        },
    )?;
    Ok(Explanation {
        outcome: decision.outcome,
        rules: decision.rules,
    })
}
