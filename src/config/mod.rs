//! Raw files and variables of the machine in, valid values out. Unknown keys are refused.
//!
//! The only room that reads environment variables.

mod address_template;
mod branch_pattern;
mod github;
mod host;
mod passing;
mod reader;
mod service_rules;
mod settings;

pub use address_template::{AddressPart, AddressTemplate};
pub use branch_pattern::BranchPattern;
pub use github::{ApiAddress, GithubApp};
pub use host::{
    Tokens, data_directory, host_environment, host_name, host_of, is_github_actions, is_safe,
    person, ssh_key, step_output_file, step_summary_file, terraform_variables, web_server,
};
pub use passing::{Given, Passing, Receiver, Unset};
pub use service_rules::{Admit, ArtifactRule, Forks, Scheme, ServiceRules, Source};
pub use settings::{Limits, RunnerSettings, Settings, StackManager};

/// An expression of a configuration file, to be evaluated by `module`.
pub type Expression = hcl_edit::expr::Expression;

use crate::error::{Diagnose, Kind};
use crate::problem::Problem;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}")]
    File(Problem),
    #[error("no directory for dayfly's records is known")]
    NoDataDirectory,
    #[error("GITHUB_API_URL is no address of an API: {0:?}")]
    ApiAddress(String),
    #[error("only half of a GitHub App is given: {0} is not set")]
    HalfAnApp(&'static str),
    #[error("both DAYFLY_TOKEN and a GitHub App (DAYFLY_APP_ID) are given")]
    AppAndToken,
    #[error("DAYFLY_APP_INSTALLATION is no number")]
    AppInstallation,
    #[error("DAYFLY_APP_KEY is neither a key in PEM nor a file that can be read")]
    AppKey(#[source] std::io::Error),
}

impl Diagnose for ConfigError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File(problem) => Some(problem.hint.clone().unwrap_or_else(|| {
                "mend the file in the manager repository, then run this again".to_owned()
            })),
            Self::NoDataDirectory => {
                Some("give --data-dir DIR, or set DAYFLY_DATA_DIR or HOME".to_owned())
            }
            Self::ApiAddress(_) => Some(
                "it is an https address without user, such as https://github.example.com/api/v3"
                    .to_owned(),
            ),
            Self::HalfAnApp(name) => Some(format!("set {name} too, or neither of the two")),
            Self::AppAndToken => Some("unset one of the two".to_owned()),
            Self::AppInstallation => {
                Some("the number stands in the address of the installation's settings".to_owned())
            }
            Self::AppKey(_) => {
                Some("give the path of the .pem file that GitHub made, or its text".to_owned())
            }
        }
    }
}

/// Whether `text` is what `pattern` says; `*` stands for any letters, also none.
///
/// The earliest place is as good as any for what stands between two stars: no way leads back, so
/// the time grows with the lengths only.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    for part in middle.split('*') {
        match text.split_once(part) {
            _ if part.is_empty() => {}
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches_pattern;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, text, expected) in [
            ("dependabot/*", "dependabot/npm/x", true),
            ("dependabot/*", "dependabots", false),
            ("*", "", true),
            ("**", "a/b", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("a*b*c", "abbc", true),
            ("*ab*ab", "ab", false),
            ("*ab*ab", "abab", true),
            ("a*a", "a", false),
            ("x", "x", true),
            ("x", "xy", false),
            ("*ü", "aü", true),
            ("release/*", "Release/1", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} {text}");
        }
        let stars = "*a".repeat(300);
        assert!(!matches_pattern(&stars, &format!("{}b", "a".repeat(900))));
    }
}
