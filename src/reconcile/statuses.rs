//! Commits that push policies ignore are told so on GitHub, where the policies want it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::pull_requests::PullRequests;
use crate::clock::Time;
use crate::event::RepositoryName;
use crate::policy::PushVerdict;
use crate::problem::Problem;
use crate::stack::StackId;
use crate::store::{CommitStatus, Store, StoreError};

/// How long it is tried to tell a commit something.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// What the commit of an event that led to nothing is told; `None` where nobody wants it told.
pub(super) fn status(
    repository: &RepositoryName,
    commit: &str,
    stack: &StackId,
    verdict: &PushVerdict,
) -> Option<CommitStatus> {
    if !verdict.notify && !verdict.fail {
        return None;
    }
    let said: Vec<&str> = verdict.message.iter().map(String::as_str).collect();
    let text = match (said.is_empty(), verdict.fail) {
        (false, _) => said.join("; "),
        (true, true) => "failed by a push policy".to_owned(),
        (true, false) => "ignored by a push policy".to_owned(),
    };
    Some(CommitStatus {
        repository: repository.to_string(),
        commit: commit.to_owned(),
        stack: stack.clone(),
        is_failure: verdict.fail,
        text,
    })
}

/// Tells what is to be told. A repository that takes nothing now is tried again by the next apply.
pub(super) fn tell(
    door: &dyn PullRequests,
    store: &mut Store,
    now: Time,
) -> Result<Vec<Problem>, StoreError> {
    let oldest = now.saturating_sub(PATIENCE).unwrap_or(Time::MIN);
    let mut refused: BTreeMap<String, Problem> = BTreeMap::new();
    for status in store.untold_statuses(oldest)? {
        if refused.contains_key(&status.repository) {
            continue;
        }
        match door.set_status(&status) {
            Ok(()) => store.status_told(&status)?,
            Err(error) => {
                let warning = Problem::warning(format!("a commit is not told its status: {error}"));
                refused.insert(status.repository.clone(), warning);
            }
        }
    }
    Ok(refused.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_told_where_a_policy_wants_it() {
        for (notify, fail, message, expected) in [
            (false, false, &["unheard"][..], None),
            (true, false, &[], Some((false, "ignored by a push policy"))),
            (true, true, &[], Some((true, "failed by a push policy"))),
            (false, true, &["b", "a"], Some((true, "a; b"))),
        ] {
            let verdict = PushVerdict {
                notify,
                fail,
                message: message.iter().map(|text| (*text).to_owned()).collect(),
                ..PushVerdict::default()
            };
            let repository = "acme/x".parse().unwrap();
            let told = status(&repository, "c0ffee", &StackId::new("a"), &verdict);
            let told = told
                .as_ref()
                .map(|told| (told.is_failure, told.text.as_str()));
            assert_eq!(told, expected, "{notify} {fail} {message:?}");
        }
    }
}
