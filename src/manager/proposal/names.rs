//! How the branch of a proposal is named, and found by its name.

use crate::environment::{EnvironmentId, environment_name};
use crate::event::PullRequestId;

pub(super) fn branch_name(service: &str, stem: &str) -> String {
    format!("dayfly/{service}/{stem}")
}

pub(super) fn stem_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".tf").unwrap_or(name).to_owned()
}

/// The name of the environment that a branch proposes for a pull request, if there is one.
pub(super) fn find_branch<'a>(
    branches: impl Iterator<Item = &'a str>,
    service: &str,
    pull_request: &PullRequestId,
) -> Option<String> {
    let name = environment_name(pull_request, &EnvironmentId::given(""));
    let start = branch_name(service, &name);
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    branches
        .filter_map(|branch| branch.strip_prefix(&start))
        .find(|id| is_id(id))
        .map(|id| format!("{name}{id}"))
}
