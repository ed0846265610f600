//! Where the text of a policy stands: the resource holds the text itself, a person mends a file.

use super::attached;
use crate::files::{Files, join};
use crate::policy::PolicyError;
use crate::problem::Problem;
use crate::stack::Object;

/// What is wrong with the text of `policy`, each at its line of the Rego file beside the module.
/// One problem at the resource, where there is no such file or it is not the text that is wrong.
pub(super) fn problems_of(files: &dyn Files, policy: &Object, error: &PolicyError) -> Vec<Problem> {
    let at_the_resource = || vec![attached::problem_of(policy, error)];
    let PolicyError::Invalid {
        policy: name,
        problems,
    } = error
    else {
        return at_the_resource();
    };
    let Some(file) = file_of(files, policy).filter(|_| !problems.is_empty()) else {
        return at_the_resource();
    };
    problems
        .iter()
        .map(|problem| {
            let message = format!("policy {name} cannot be used: {}", problem.message);
            let problem = Problem {
                message,
                file: Some(file.clone()),
                ..problem.clone()
            };
            problem.quoting(policy.text("body"))
        })
        .collect()
}

/// The `.rego` file, in the module's directory or its `policies`, whose text is the policy's.
fn file_of(files: &dyn Files, policy: &Object) -> Option<String> {
    let body = policy.text("body").as_bytes();
    let module = policy
        .origin
        .file
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory);
    [join(module, "policies"), module.to_owned()]
        .iter()
        .find_map(|directory| {
            // A directory that cannot be listed holds no better place than the resource's.
            let entries = files.list(directory).unwrap_or_default();
            entries
                .into_iter()
                .filter(|entry| !entry.is_directory && entry.name.ends_with(".rego"))
                .map(|entry| join(directory, &entry.name))
                .find(|path| matches!(files.read(path), Ok(Some(text)) if text == body))
        })
}
