//! A push of the branch and of what changes beside it, as much of it as the server takes.

use super::closings::Change;
use crate::git::{
    AtomicPush, BranchMove, CommitId, GitError, Push, ReferenceEdit, Remote, Repository,
};

/// A branch's tip, and the commit that it is to become, if any.
pub(super) struct Step<'a> {
    pub(super) branch: &'a str,
    pub(super) tip: &'a CommitId,
    pub(super) new: Option<&'a CommitId>,
    /// The passing of the gate, of an opening and of a close without a commit.
    pub(super) gate: Option<ReferenceEdit>,
}

/// How a push ended, and how much of it the server took.
pub(super) struct Sent {
    pub(super) pushed: Push,
    /// That a close is not remembered, and why.
    pub(super) note: Option<String>,
    /// Whether the gate was passed as well.
    pub(super) is_gated: bool,
}

/// Pushes a step of the branch, a change of the memory and the passing of the gate in one. Where
/// the server does not take all of it, less, and at last the step alone.
pub(super) fn push(
    cache: &Repository,
    remote: &Remote,
    step: &Step<'_>,
    change: &Change,
) -> Result<Sent, GitError> {
    let branch_move = step.new.map(|to| BranchMove {
        branch: step.branch,
        from: step.tip,
        to,
    });
    let mut attempts = change.attempts(step.new.unwrap_or(step.tip));
    if let Some(gate) = &step.gate {
        let mut all = attempts.first().cloned().unwrap_or_default();
        all.push(gate.clone());
        attempts.insert(0, all);
    }
    let mut refused = None;
    for (number, edits) in attempts
        .iter()
        .filter(|edits| !edits.is_empty())
        .enumerate()
    {
        let pushed = match cache.push_atomic(remote, branch_move, edits)? {
            AtomicPush::Accepted => Push::Accepted,
            AtomicPush::LostRace => Push::LostRace,
            AtomicPush::Refused(words) => {
                tracing::debug!(words, "what goes beside the branch was refused");
                refused = Some(words);
                continue;
            }
        };
        return Ok(Sent {
            pushed,
            note: None,
            is_gated: number == 0 && step.gate.is_some(),
        });
    }
    let pushed = match step.new {
        Some(new) => cache.push(remote, new, step.branch, Some(step.tip))?,
        None => Push::Accepted,
    };
    let note = refused.filter(|_| change.remembers()).map(|words| {
        format!("the close is not remembered, a late event may undo it: the server said: {words}")
    });
    Ok(Sent {
        pushed,
        note,
        is_gated: false,
    })
}
