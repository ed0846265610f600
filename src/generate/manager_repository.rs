//! `dayfly init`: a manager repository without a service.

use std::collections::BTreeMap;

use tera::Context;

use super::source::{Source, verbatim};
use super::{GenerateError, GeneratedFile, hcl_string};
use crate::config::StackManager;
use crate::event::RepositoryName;

/// What a manager repository is made of.
#[derive(Clone, Debug)]
pub struct ManagerRepository {
    /// The repository itself.
    pub repository: RepositoryName,
    /// Who applies it.
    pub stack_manager: StackManager,
    /// Where other repositories are cloned from, with `${repository}` for OWNER/NAME; `None`:
    /// GitHub.
    pub clone_url: Option<String>,
    /// Repositories that are cloned from somewhere else.
    pub clone_urls: BTreeMap<String, String>,
}

impl ManagerRepository {
    /// One whose stacks are cloned from GitHub.
    pub fn new(repository: RepositoryName, stack_manager: StackManager) -> Self {
        Self {
            repository,
            stack_manager,
            clone_url: None,
            clone_urls: BTreeMap::new(),
        }
    }
}

const SOURCES: &[Source] = &[
    Source {
        path: "dayfly.hcl",
        template: include_str!("../../templates/manager/dayfly.hcl.tera"),
    },
    Source {
        path: "main.tf",
        template: include_str!("../../templates/manager/main.tf.tera"),
    },
    Source {
        path: "variables.tf",
        template: include_str!("../../templates/manager/variables.tf.tera"),
    },
    Source {
        path: "README.md",
        template: include_str!("../../templates/manager/README.md.tera"),
    },
    Source {
        path: ".gitignore",
        template: include_str!("../../templates/manager/gitignore.tera"),
    },
];

const POLICIES: &[(&str, &str)] = &[
    (
        "policies/trigger.rego",
        include_str!("../../policies/manager/trigger.rego"),
    ),
    (
        "policies/trigger_test.rego",
        include_str!("../../policies/manager/trigger_test.rego"),
    ),
    (
        "policies/push.rego",
        include_str!("../../policies/manager/push.rego"),
    ),
    (
        "policies/push_test.rego",
        include_str!("../../policies/manager/push_test.rego"),
    ),
    (
        "policies/plan.rego",
        include_str!("../../policies/manager/plan.rego"),
    ),
    (
        "policies/plan_test.rego",
        include_str!("../../policies/manager/plan_test.rego"),
    ),
    (
        "policies/sanitized.rego",
        include_str!("../../policies/sanitized.rego"),
    ),
];

/// The files of a new manager repository.
pub fn manager_repository(
    settings: &ManagerRepository,
) -> Result<Vec<GeneratedFile>, GenerateError> {
    let repository = &settings.repository;
    let stack_manager = match settings.stack_manager {
        StackManager::Dayfly => "dayfly",
        StackManager::Spacelift => "spacelift",
    };
    let clone_url = settings
        .clone_url
        .as_deref()
        .unwrap_or("https://github.com/${repository}.git");
    let mut values = Context::new();
    values.insert("repository", &repository.to_string());
    values.insert("owner", repository.owner());
    values.insert("manager_stack", &manager_stack(repository));
    values.insert("stack_manager", stack_manager);
    values.insert("clone_url", &clone_url_literal(clone_url));
    values.insert("clone_urls", &exceptions(&settings.clone_urls));
    let rendered = SOURCES.iter().map(|source| source.render("", &values));
    let policies = POLICIES
        .iter()
        .map(|(path, text)| Ok(verbatim("", path, text)));
    rendered.chain(policies).collect()
}

/// The slug of the stack that applies `repository`: its name in small letters, digits and single
/// hyphens.
pub fn manager_stack(repository: &RepositoryName) -> String {
    let name = repository.name().to_ascii_lowercase();
    let words: Vec<&str> = name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        "previews".to_owned()
    } else {
        words.join("-")
    }
}

/// The template of a clone URL as an HCL literal: `${repository}` stays what it is, all else is text.
fn clone_url_literal(clone_url: &str) -> String {
    const VARIABLE: &str = "${repository}";
    let parts: Vec<String> = clone_url
        .split(VARIABLE)
        .map(|part| {
            let literal = hcl_string(part);
            literal[1..literal.len() - 1].to_owned()
        })
        .collect();
    format!("\"{}\"", parts.join(VARIABLE))
}

/// One line for each exception, aligned as `terraform fmt` aligns.
fn exceptions(clone_urls: &BTreeMap<String, String>) -> Vec<String> {
    let lines: Vec<(String, String)> = clone_urls
        .iter()
        .map(|(repository, url)| (hcl_string(repository), hcl_string(url)))
        .collect();
    let width = lines
        .iter()
        .map(|(key, _)| key.chars().count())
        .max()
        .unwrap_or_default();
    lines
        .iter()
        .map(|(key, url)| format!("{key:width$} = {url}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn settings_of(clone_url: Option<&str>, clone_urls: &[(&str, &str)]) -> Settings {
        let files = manager_repository(&ManagerRepository {
            repository: "acme/Previews.io".parse().unwrap(),
            stack_manager: StackManager::Dayfly,
            clone_url: clone_url.map(str::to_owned),
            clone_urls: clone_urls
                .iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect(),
        })
        .unwrap();
        Settings::read(&files[0].text).unwrap_or_else(|error| panic!("{error}: {}", files[0].text))
    }

    #[test]
    fn the_settings_are_read_as_they_were_meant() {
        let hello = "acme/hello-infra".parse().unwrap();
        let settings = settings_of(None, &[]);
        assert_eq!(
            settings.clone_url(&hello),
            "https://github.com/acme/hello-infra.git"
        );
        assert_eq!(settings.manager_stack, "previews-io");
        assert_eq!(
            settings.repository,
            Some("acme/Previews.io".parse().unwrap())
        );
        assert_eq!(settings.stack_manager, StackManager::Dayfly);
        let limits = Settings::default().limits;
        assert_eq!(
            (settings.limits, settings.runner),
            (limits, Settings::default().runner)
        );

        let odd = "/srv/a \"b\" %{if} \\ ${repository}/${repository}.git";
        let settings = settings_of(
            Some(odd),
            &[
                ("acme/x", "file:///a"),
                ("acme/hello-infra", "/srv/${b}\"c"),
            ],
        );
        assert_eq!(settings.clone_url(&hello), "/srv/${b}\"c");
        assert_eq!(settings.clone_url(&"acme/x".parse().unwrap()), "file:///a");
        assert_eq!(
            settings.clone_url(&"a/b".parse().unwrap()),
            "/srv/a \"b\" %{if} \\ a/b/a/b.git"
        );
    }

    #[test]
    fn slugs_of_manager_stacks() {
        for (repository, expected) in [
            ("acme/previews", "previews"),
            ("a/My_Env.Previews-", "my-env-previews"),
            ("a/_", "previews"),
        ] {
            assert_eq!(manager_stack(&repository.parse().unwrap()), expected);
        }
    }
}
