//! Workflows for GitHub Actions: those of source repositories, which hand events to the writer, and
//! those of the manager repository.

use std::fmt;
use std::str::FromStr;

use tera::Context;

use super::source::Source;
use super::{GenerateError, GeneratedFile, NewService};
use crate::config::StackManager;
use crate::event::RepositoryName;

/// GitHub's own action for a checkout, at a commit.
const CHECKOUT: &str = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0";

const PREVIEW: Source = Source {
    path: ".github/workflows/preview.yml",
    template: include_str!("../../templates/workflows/preview.yml.tera"),
};

const ARTIFACT: Source = Source {
    path: ".github/workflows/artifact.yml",
    template: include_str!("../../templates/workflows/artifact.yml.tera"),
};

const MANAGER: &[Source] = &[
    Source {
        path: ".github/workflows/validate.yml",
        template: include_str!("../../templates/workflows/validate.yml.tera"),
    },
    Source {
        path: ".github/workflows/sweep.yml",
        template: include_str!("../../templates/workflows/sweep.yml.tera"),
    },
];

const APPLY: Source = Source {
    path: ".github/workflows/apply.yml",
    template: include_str!("../../templates/workflows/apply.yml.tera"),
};

/// dayfly's own action as a workflow names it: OWNER/NAME/PATH@REF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionReference(String);

impl Default for ActionReference {
    /// The action that belongs to this binary: at its commit if it is a release, else at its tag.
    fn default() -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Self(match option_env!("DAYFLY_COMMIT") {
            Some(commit) => format!("dayfly/dayfly/action@{commit} # v{version}"),
            None => format!("dayfly/dayfly/action@v{version}"),
        })
    }
}

impl FromStr for ActionReference {
    type Err = GenerateError;

    fn from_str(text: &str) -> Result<Self, GenerateError> {
        let is_plain = |part: &str| {
            let letters = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
            !part.is_empty() && part.chars().all(letters)
        };
        match text.split_once('@') {
            Some((path, reference))
                if is_plain(path) && is_plain(reference) && path.contains('/') =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(GenerateError::Action(text.to_owned())),
        }
    }
}

impl fmt::Display for ActionReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The workflows of the source repositories of `service`, each under OWNER/NAME of its repository.
/// `manager_url` is where the manager repository `manager` is reached.
pub fn source_workflows(
    service: &NewService,
    manager: &RepositoryName,
    manager_url: &str,
    action: &ActionReference,
) -> Result<Vec<GeneratedFile>, GenerateError> {
    let NewService {
        service_repository,
        infra_repository,
        ..
    } = service;
    let mut values = values(action);
    values.insert("manager", &manager.to_string());
    values.insert("manager_url", manager_url);
    values.insert("repository", &service_repository.to_string());
    let mut files = vec![
        PREVIEW.render(&format!("{service_repository}/"), &values)?,
        ARTIFACT.render(&format!("{service_repository}/"), &values)?,
    ];
    if infra_repository != service_repository {
        files.push(PREVIEW.render(&format!("{infra_repository}/"), &values)?);
    }
    Ok(files)
}

/// The workflows of a manager repository that `stack_manager` applies.
pub fn manager_workflows(
    stack_manager: StackManager,
    action: &ActionReference,
) -> Result<Vec<GeneratedFile>, GenerateError> {
    let apply = (stack_manager == StackManager::Dayfly).then_some(&APPLY);
    let sources = MANAGER.iter().chain(apply);
    let values = values(action);
    sources.map(|source| source.render("", &values)).collect()
}

fn values(action: &ActionReference) -> Context {
    let mut values = Context::new();
    values.insert("action", &action.to_string());
    values.insert("checkout", CHECKOUT);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_named_in_one_plain_word() {
        for (text, expected) in [
            ("dayfly/dayfly/action@0123abcd", true),
            ("acme/mirror@v1.2", true),
            ("dayfly@v1", false),
            ("dayfly/dayfly", false),
            ("a/b@", false),
            ("a/b@c@d", false),
            ("a/b@c # d", false),
            ("a/b@${{x}}", false),
            ("a/b@c\nd", false),
        ] {
            assert_eq!(text.parse::<ActionReference>().is_ok(), expected, "{text}");
        }
    }
}
