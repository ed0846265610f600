//! What the expressions of `service.hcl` may name.

use std::collections::BTreeMap;

use serde_json::json;

use crate::event::{PullRequest, PullRequestId};
use crate::module;

/// What expressions of `service.hcl` may refer to; `head` is the pull request as it stands, where
/// that is known.
pub(super) fn scope(
    environment: &str,
    pull_request: Option<&PullRequestId>,
    head: Option<&PullRequest>,
) -> BTreeMap<String, module::Value> {
    let mut scope = BTreeMap::from([("environment".to_owned(), json!({ "id": environment }))]);
    if let Some(pull_request) = pull_request {
        let mut described = json!({
            "repository": pull_request.repository.to_string(),
            "owner": pull_request.repository.owner(),
            "name": pull_request.repository.name(),
            "number": pull_request.number,
        });
        if let Some(head) = head {
            described["head_sha"] = json!(head.head_sha.as_str());
            described["head_branch"] = json!(head.head_branch.as_str());
            described["fork"] = json!(head.is_fork);
        }
        scope.insert("pull_request".to_owned(), described);
    }
    scope
        .iter()
        .map(|(name, value)| (name.clone(), module::Value::from_json(value)))
        .collect()
}
