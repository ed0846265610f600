//! `dayfly.hcl`: the manager repository's settings.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ConfigError;
use super::passing::Passing;
use super::reader::{Document, Reader};
use crate::event::RepositoryName;

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub stack_manager: StackManager,
    /// The manager repository itself; stacks without an owner of their own have its owner.
    pub repository: Option<RepositoryName>,
    /// The slug of the manager's own stack.
    pub manager_stack: String,
    clone_url: String,
    clone_urls: BTreeMap<String, String>,
    pub limits: Limits,
    pub runner: RunnerSettings,
}

/// Who applies this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackManager {
    Dayfly,
    Spacelift,
}

/// Beyond both of these at once, a deletion waits for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub deletions: usize,
    /// A share of all environments, from 0 to 1.
    pub deletion_share: f64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerSettings {
    /// What stacks are given of this machine.
    pub passing: Passing,
    /// For a whole run.
    pub time_limit: Duration,
    /// How long a step of a run may print nothing.
    pub silence_limit: Duration,
    /// How often one apply tries again what failed.
    pub retries: usize,
}

impl Default for RunnerSettings {
    /// Spacelift's limits.
    fn default() -> Self {
        Self {
            passing: Passing::default(),
            time_limit: Duration::from_secs(70 * 60),
            silence_limit: Duration::from_secs(7 * 60),
            retries: 2,
        }
    }
}

impl Default for Settings {
    /// A repository without `dayfly.hcl`: written for Spacelift alone.
    fn default() -> Self {
        Self {
            stack_manager: StackManager::Spacelift,
            repository: None,
            manager_stack: "manager".to_owned(),
            clone_url: "https://github.com/${repository}.git".to_owned(),
            clone_urls: BTreeMap::new(),
            limits: Limits {
                deletions: 10,
                deletion_share: 0.5,
            },
            runner: RunnerSettings::default(),
        }
    }
}

impl Settings {
    pub const FILE: &'static str = "dayfly.hcl";

    pub fn read(text: &str) -> Result<Self, ConfigError> {
        let document = Document::parse(Self::FILE, text)?;
        let mut reader = document.reader();
        let default = Self::default();
        let managers = [
            ("dayfly", StackManager::Dayfly),
            ("spacelift", StackManager::Spacelift),
        ];
        let settings = Self {
            stack_manager: reader
                .choice("stack_manager", &managers)?
                .unwrap_or(StackManager::Dayfly),
            repository: reader.parsed("repository")?,
            manager_stack: reader
                .string("manager_stack")?
                .unwrap_or(default.manager_stack),
            clone_url: reader
                .expression("clone_url")
                .map(|value| clone_url_template(&document, value))
                .transpose()?
                .unwrap_or(default.clone_url),
            clone_urls: reader.string_map("clone_urls")?.unwrap_or_default(),
            limits: match reader.block("limits")? {
                Some(block) => read_limits(block, default.limits)?,
                None => default.limits,
            },
            runner: match reader.block("runner")? {
                Some(block) => read_runner(block)?,
                None => default.runner,
            },
        };
        // Their values are expressions: `module` reads them.
        reader.block("variables")?;
        reader.finish()?;
        Ok(settings)
    }

    /// Where `repository` is cloned from.
    pub fn clone_url(&self, repository: &RepositoryName) -> String {
        let exception = self
            .clone_urls
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&repository.to_string()))
            .map(|(_, url)| url.clone());
        exception.unwrap_or_else(|| {
            self.clone_url
                .replace("${repository}", &repository.to_string())
        })
    }
}

/// The text of a template whose only variable is `repository`.
fn clone_url_template(
    document: &Document<'_>,
    value: &hcl_edit::expr::Expression,
) -> Result<String, ConfigError> {
    use hcl_edit::Span;
    use hcl_edit::template::Element;
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let refuse = || {
        document.error(
            value.span(),
            "`clone_url` must be a string, with `${repository}` in it",
        )
    };
    let mut text = String::new();
    for element in value.as_string_template().ok_or_else(refuse)? {
        match element {
            Element::Literal(literal) => text.push_str(literal),
            Element::Interpolation(interpolation)
                if interpolation
                    .expr
                    .as_variable()
                    .is_some_and(|name| name.as_str() == "repository") =>
            {
                text.push_str("${repository}");
            }
            _ => return Err(refuse()),
        }
    }
    Ok(text)
}

fn read_limits(mut reader: Reader<'_>, default: Limits) -> Result<Limits, ConfigError> {
    let limits = Limits {
        deletions: reader
            .whole_number("deletions")?
            .unwrap_or(default.deletions),
        deletion_share: reader
            .share("deletion_share")?
            .unwrap_or(default.deletion_share),
    };
    reader.finish()?;
    Ok(limits)
}

fn read_runner(mut reader: Reader<'_>) -> Result<RunnerSettings, ConfigError> {
    let default = RunnerSettings::default();
    let settings = RunnerSettings {
        passing: Passing::read(&mut reader)?,
        time_limit: reader.duration("time_limit")?.unwrap_or(default.time_limit),
        silence_limit: reader
            .duration("silence_limit")?
            .unwrap_or(default.silence_limit),
        retries: reader.whole_number("retries")?.unwrap_or(default.retries),
    };
    reader.finish()?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Settings::read(text).unwrap_err().to_string()
    }

    #[test]
    fn settings_are_read() {
        let settings = Settings::read(
            r#"
            stack_manager = "spacelift"
            repository    = "acme/previews"
            clone_url     = "https://git.example.com/${repository}.git"
            clone_urls    = { "acme/infra" = "/srv/infra.git" }
            limits { deletions = 3 }
            runner {
              time_limit       = "2h"
              retries          = 0
            }
            "#,
        )
        .unwrap();
        assert_eq!(settings.stack_manager, StackManager::Spacelift);
        assert_eq!(
            settings.limits,
            Limits {
                deletions: 3,
                deletion_share: 0.5
            }
        );
        let url = |name: &str| settings.clone_url(&name.parse().unwrap());
        assert_eq!(
            url("acme/service"),
            "https://git.example.com/acme/service.git"
        );
        assert_eq!(url("Acme/infra"), "/srv/infra.git");
        let runner = &settings.runner;
        let minutes = (
            runner.time_limit.as_secs() / 60,
            runner.silence_limit.as_secs() / 60,
        );
        assert_eq!((minutes, runner.retries), ((120, 7), 0));
    }

    #[test]
    fn mistakes_name_their_place() {
        assert_eq!(
            message("stack_manager = \"x\""),
            "dayfly.hcl:1:17: `stack_manager` must be \"dayfly\" or \"spacelift\""
        );
        assert_eq!(
            message("\nfoo = 1"),
            "dayfly.hcl:2:1: `foo` is not known here"
        );
        assert_eq!(
            message("repository = \"x\""),
            "dayfly.hcl:1:14: `repository`: `x` is no repository name"
        );
        assert!(message("a = ").starts_with("dayfly.hcl:1:"));
        assert_eq!(
            message("limits { deletion_share = 2 }"),
            "dayfly.hcl:1:27: `deletion_share` must be a number from 0 to 1"
        );
    }
}
