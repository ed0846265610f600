//! How the branch of a proposal is named, and which ids the names of all of them hold.
//!
//! Names of repositories that differ in `.` and `-` alone, or in where the owner ends, begin alike:
//! only what stands on a branch says whose it is.

use crate::environment::{EnvironmentId, environment_name, read_environment_name};
use crate::event::PullRequestId;

const BEGINNING: &str = "dayfly/";

pub(super) fn branch_name(service: &str, stem: &str) -> String {
    format!("{BEGINNING}{service}/{stem}")
}

pub(super) fn stem_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".tf").unwrap_or(name).to_owned()
}

/// The names of the environments that branches may propose for a pull request.
pub(super) fn candidates<'a>(
    branches: impl Iterator<Item = &'a str>,
    service: &str,
    pull_request: &PullRequestId,
) -> Vec<String> {
    let start = branch_name(service, &beginning(pull_request));
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let stems = branches
        .filter(|branch| branch.strip_prefix(&start).is_some_and(is_id))
        .map(|branch| branch.rsplit('/').next().unwrap_or_default().to_owned());
    stems.collect()
}

/// Whether an open proposal of a pull request that is named otherwise holds the id.
pub(in crate::manager) fn is_proposed<'a>(
    mut branches: impl Iterator<Item = &'a str>,
    pull_request: &PullRequestId,
    id: &str,
) -> bool {
    let own = beginning(pull_request);
    branches.any(|branch| {
        held_by(branch).is_some_and(|(stem, held)| {
            held.eq_ignore_ascii_case(id) && stem.strip_suffix(held) != Some(&own)
        })
    })
}

/// Whether a branch other than `own` holds the id.
pub(super) fn is_held_beside<'a>(
    mut branches: impl Iterator<Item = &'a str>,
    own: Option<&str>,
    id: &str,
) -> bool {
    branches.any(|branch| {
        Some(branch) != own
            && held_by(branch).is_some_and(|(_, held)| held.eq_ignore_ascii_case(id))
    })
}

/// The name and the id of the environment that a branch proposes, of any service.
fn held_by(branch: &str) -> Option<(&str, &str)> {
    let (_, stem) = branch.strip_prefix(BEGINNING)?.split_once('/')?;
    read_environment_name(stem).map(|(_, id)| (stem, id))
}

/// `<owner>-<repo>-<number>-`
fn beginning(pull_request: &PullRequestId) -> String {
    environment_name(pull_request, &EnvironmentId::given(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRANCHES: [&str; 7] = [
        "main",
        "dayfly/hello/acme-a-1-2-0123abcd",
        "dayfly/other/acme-a-1-0123abcd",
        "dayfly/hello/acme-a-12-0123abcd",
        "dayfly/hello/acme-a-1-0123abcd",
        "dayfly/hello/acme-b-c-1-89abcdef",
        "dayfly/hello/acme-b-c-1-fedcba98",
    ];

    #[test]
    fn branches_are_found_by_their_pull_request() {
        for (pull_request, expected) in [
            ("acme/a#1", &["acme-a-1-0123abcd"][..]),
            ("ACME/A#12", &["acme-a-12-0123abcd"]),
            ("acme/a#2", &[]),
            ("acme/a-1#2", &["acme-a-1-2-0123abcd"]),
            (
                "acme/b.c#1",
                &["acme-b-c-1-89abcdef", "acme-b-c-1-fedcba98"],
            ),
            (
                "acme-b/c#1",
                &["acme-b-c-1-89abcdef", "acme-b-c-1-fedcba98"],
            ),
        ] {
            let pull_request = pull_request.parse().unwrap();
            let found = candidates(BRANCHES.into_iter(), "hello", &pull_request);
            assert_eq!(found, expected, "{pull_request}");
        }
    }

    #[test]
    fn ids_are_held_by_others() {
        for (pull_request, id, expected) in [
            ("acme/a#1", "0123abcd", true),
            ("acme/x#1", "89ABCDEF", true),
            ("acme/b-c#1", "89abcdef", false),
            ("acme/x#1", "0123abcde", false),
            ("acme/x#1", "0123abc", false),
        ] {
            let pull_request: PullRequestId = pull_request.parse().unwrap();
            let is_held = is_proposed(BRANCHES.into_iter(), &pull_request, id);
            assert_eq!(is_held, expected, "{pull_request} {id}");
        }
        let beside = |own| is_held_beside(BRANCHES.into_iter(), own, "fedcba98");
        assert!(beside(None));
        assert!(!beside(Some(BRANCHES[6])));
    }
}
