//! Raw files and variables of the machine in, valid values out. Unknown keys are refused.
//!
//! The only room that reads environment variables.

mod host;
mod reader;
mod service_rules;
mod settings;

pub use host::{
    Tokens, data_directory, host_environment, is_github_actions, ssh_key, step_output_file,
};
pub use service_rules::{Admit, Forks, Scheme, ServiceRules, Source};
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
        }
    }
}

/// Whether `text` is what `pattern` says; `*` stands for any letters, also none.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(before) else {
        return false;
    };
    rest.char_indices()
        .map(|(position, _)| position)
        .chain([rest.len()])
        .any(|position| matches_pattern(after, &rest[position..]))
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
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("x", "x", true),
            ("x", "xy", false),
            ("*ü", "aü", true),
        ] {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} {text}");
        }
    }
}
