//! What stacks are given of this machine: `runner { … }` of `dayfly.hcl`, with what it says for the
//! stacks of one service or of one label. dayfly's own tokens are never among it, and the runs of
//! forks are given nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use hcl_edit::Span;
use hcl_edit::structure::Block;

use super::ConfigError;
use super::reader::{Document, Reader};

/// The rules of one `runner` block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passing(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    to: Receivers,
    variables: Vec<Pattern>,
    /// Paths on this machine, by path in the workspace.
    files: BTreeMap<String, PathBuf>,
    /// Variables of this machine, by the write-only variable that has their value.
    write_only: BTreeMap<String, Name>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Receivers {
    All,
    Service(String),
    Label(String),
}

/// A stack, as far as it matters to what it is given.
#[derive(Clone, Debug)]
pub struct Receiver<'a> {
    /// The service's directory.
    pub service: Option<&'a str>,
    pub labels: &'a [String],
    /// Whether its runs are of a fork's commits.
    pub is_fork: bool,
}

/// What one stack is given of this machine. It holds secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Given {
    pub variables: BTreeMap<String, String>,
    /// Paths on this machine, by path in the workspace.
    pub files: BTreeMap<String, PathBuf>,
    /// The values of write-only variables; `None` of one that is withheld.
    pub write_only: BTreeMap<String, Option<String>>,
}

/// A variable of this machine that a write-only variable is to have the value of, and that is not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this machine has no variable {machine}, which dayfly.hcl names for the value of {variable}"
)]
pub struct Unset {
    pub machine: String,
    pub variable: String,
}

/// Names of this machine's variables; `*` stands for any letters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(String);

/// The name of a variable of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name(String);

/// Whether the variable is dayfly's own, and so no child's.
fn is_own(name: &str) -> bool {
    name.starts_with("DAYFLY_") || name == "GITHUB_TOKEN"
}

fn refuse_own(name: &str) -> Result<(), String> {
    match is_own(name) {
        true => Err(format!(
            "{name} is dayfly's own and is passed to no run; give the run a variable of another name"
        )),
        false => Ok(()),
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        refuse_own(text).map(|()| Self(text.to_owned()))
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        refuse_own(text).map(|()| Self(text.to_owned()))
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        super::matches_pattern(&self.0, name)
    }

    /// Whether it names variables that begin with `prefix`.
    fn covers(&self, prefix: &str) -> bool {
        self.0.starts_with(prefix) || self.matches(&format!("{prefix}X"))
    }
}

impl Passing {
    /// Takes what it reads of a `runner` block.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ConfigError> {
        let all = Rule::read(reader, Receivers::All)?;
        let mut rules: Vec<Rule> = all.gives_anything().then_some(all).into_iter().collect();
        let document = reader.document();
        for block in reader.blocks("service") {
            let service = Receivers::Service(label(document, block)?);
            rules.push(Rule::of_block(document, block, service)?);
        }
        for block in reader.blocks("label") {
            let label = Receivers::Label(label(document, block)?);
            rules.push(Rule::of_block(document, block, label)?);
        }
        Ok(Self(rules))
    }

    fn rules_for<'a>(&'a self, to: &Receiver<'a>) -> impl Iterator<Item = &'a Rule> {
        self.0.iter().filter(move |rule| match &rule.to {
            Receivers::All => true,
            Receivers::Service(service) => to.service == Some(service),
            Receivers::Label(label) => to.labels.contains(label),
        })
    }

    /// What the stack is given of the variables of `host`, but none that holds one of `tokens`.
    /// The rule of a label goes before that of a service, and both before what all are given.
    pub fn given(
        &self,
        to: &Receiver<'_>,
        host: &BTreeMap<String, String>,
        tokens: &[String],
    ) -> Result<Given, Unset> {
        let holds_none = |value: &str| {
            !tokens
                .iter()
                .any(|token| !token.is_empty() && value.contains(token))
        };
        let mut given = Given::default();
        for rule in self.rules_for(to) {
            for (variable, Name(machine)) in &rule.write_only {
                let value = match host.get(machine).filter(|value| holds_none(value)) {
                    _ if to.is_fork => None,
                    Some(value) => Some(value.clone()),
                    None => {
                        return Err(Unset {
                            machine: machine.clone(),
                            variable: variable.clone(),
                        });
                    }
                };
                given.write_only.insert(variable.clone(), value);
            }
            if to.is_fork {
                continue;
            }
            let passed = host.iter().filter(|(name, value)| {
                !is_own(name)
                    && holds_none(value)
                    && rule.variables.iter().any(|pattern| pattern.matches(name))
            });
            let passed = passed.map(|(name, value)| (name.clone(), value.clone()));
            given.variables.extend(passed);
            let files = rule.files.iter();
            given
                .files
                .extend(files.map(|(to, from)| (to.clone(), from.clone())));
        }
        Ok(given)
    }

    /// Whether the stack is given a file, or variables that begin with one of `prefixes`.
    pub fn covers(&self, to: &Receiver<'_>, prefixes: &[&str]) -> bool {
        let names = |rule: &Rule| {
            let mut patterns = rule.variables.iter();
            patterns.any(|pattern| prefixes.iter().any(|prefix| pattern.covers(prefix)))
        };
        !to.is_fork
            && self
                .rules_for(to)
                .any(|rule| names(rule) || !rule.files.is_empty())
    }
}

impl Rule {
    fn of_block(
        document: &Document<'_>,
        block: &Block,
        to: Receivers,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::of_block(document, block);
        let rule = Self::read(&mut reader, to)?;
        reader.finish()?;
        Ok(rule)
    }

    fn gives_anything(&self) -> bool {
        !(self.variables.is_empty() && self.files.is_empty() && self.write_only.is_empty())
    }

    fn read(reader: &mut Reader<'_>, to: Receivers) -> Result<Self, ConfigError> {
        let files = reader.string_map("pass_files")?.unwrap_or_default();
        if let Some(path) = files.values().find(|path| !path.starts_with('/')) {
            let message =
                format!("`pass_files`: {path:?} is no path from the root of this machine");
            return Err(reader.error_at("pass_files", message));
        }
        let mut write_only = BTreeMap::new();
        for (variable, machine) in reader.string_map("write_only")?.unwrap_or_default() {
            let name = machine
                .parse()
                .map_err(|error| reader.error_at("write_only", format!("`write_only`: {error}")))?;
            write_only.insert(variable, name);
        }
        Ok(Self {
            to,
            variables: reader.parsed_list("pass_environment")?.unwrap_or_default(),
            files: files
                .into_iter()
                .map(|(to, from)| (to, from.into()))
                .collect(),
            write_only,
        })
    }
}

/// The only label of a block.
fn label(document: &Document<'_>, block: &Block) -> Result<String, ConfigError> {
    match block.labels.as_slice() {
        [label] => Ok(label.as_str().to_owned()),
        _ => {
            let message = format!("`{}` has one label, the name of what is given", block.ident);
            Err(document.error(block.ident.span(), message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    const RULES: &str = r#"
        runner {
          pass_environment = ["LANG*", "*"]
          service "hello" {
            pass_files = { "cloud.json" = "/etc/cloud.json" }
            write_only = { TF_VAR_password = "HELLO_PASSWORD" }
          }
          label "aws" {
            pass_environment = ["AWS_*"]
            write_only       = { TF_VAR_password = "AWS_PASSWORD" }
          }
        }"#;

    fn passing(text: &str) -> Passing {
        Settings::read(text).unwrap().runner.passing
    }

    fn host() -> BTreeMap<String, String> {
        [
            ("AWS_REGION", "eu"),
            ("AWS_PASSWORD", "of aws"),
            ("HELLO_PASSWORD", "of hello"),
            ("DAYFLY_TOKEN", "t0ken"),
            ("GITHUB_TOKEN", "other"),
            ("GH_TOKEN", "x-access-token:t0ken"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn each_stack_is_given_what_is_named_for_it() {
        let aws = ["aws".to_owned()];
        let tokens = ["t0ken".to_owned(), String::new()];
        let given = |rules: &str, service, labels, is_fork| {
            let to = Receiver {
                service,
                labels,
                is_fork,
            };
            let given = passing(rules).given(&to, &host(), &tokens).unwrap();
            let variables = given.variables.into_keys().collect::<Vec<_>>().join(" ");
            let files: Vec<String> = given.files.into_keys().collect();
            (
                variables,
                files,
                given.write_only.get("TF_VAR_password").cloned(),
            )
        };
        let all = "AWS_PASSWORD AWS_REGION HELLO_PASSWORD";
        let file = vec!["cloud.json".to_owned()];
        let password = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(given(RULES, None, &[], false), (all.into(), vec![], None));
        assert_eq!(
            given(RULES, Some("hello"), &[], false),
            (all.into(), file.clone(), password("of hello"))
        );
        assert_eq!(
            given(RULES, Some("hello"), &aws, false),
            (all.into(), file, password("of aws"))
        );
        assert_eq!(
            given(RULES, Some("hello"), &aws, true),
            (String::new(), vec![], Some(None))
        );
        let narrow = RULES.replace(", \"*\"", "");
        assert_eq!(given(&narrow, Some("other"), &[], false).0, "");
        assert_eq!(
            given(&narrow, Some("other"), &aws, false).0,
            "AWS_PASSWORD AWS_REGION"
        );
    }

    #[test]
    fn write_only_variable_without_a_value_is_told() {
        let to = Receiver {
            service: Some("hello"),
            labels: &[],
            is_fork: false,
        };
        let error = passing(RULES)
            .given(&to, &BTreeMap::new(), &[])
            .err()
            .unwrap();
        assert_eq!(
            error.to_string(),
            "this machine has no variable HELLO_PASSWORD, which dayfly.hcl names for the value of \
             TF_VAR_password"
        );
    }

    #[test]
    fn a_cloud_is_covered_by_its_variables_or_a_file() {
        let covers = |rules: &str, service, is_fork, prefix| {
            let to = Receiver {
                service,
                labels: &[],
                is_fork,
            };
            passing(rules).covers(&to, &[prefix])
        };
        let one = |name: &str| format!("runner {{\n pass_environment = [\"{name}\"]\n}}");
        assert!(covers(&one("AWS_*"), None, false, "AWS_"));
        assert!(covers(&one("AWS_REGION"), None, false, "AWS_"));
        assert!(covers(&one("*"), None, false, "AWS_"));
        assert!(!covers(&one("AWS_*"), None, true, "AWS_"));
        assert!(!covers(&one("ARM_*"), None, false, "AWS_"));
        assert!(!covers("", None, false, "AWS_"));
        let file = RULES.replace(", \"*\"", "");
        assert!(covers(&file, Some("hello"), false, "AWS_"));
        assert!(!covers(&file, Some("other"), false, "AWS_"));
    }

    #[test]
    fn what_is_wrong_is_refused_at_its_place() {
        for (text, expected) in [
            (
                "runner {\n  pass_environment = [\"GITHUB_TOKEN\"]\n}",
                "dayfly.hcl:2:23: `pass_environment`: GITHUB_TOKEN is dayfly's own and is passed to \
                 no run; give the run a variable of another name",
            ),
            (
                "runner {\n  label \"x\" {\n    write_only = { A = \"DAYFLY_TOKEN\" }\n  }\n}",
                "dayfly.hcl:3:18: `write_only`: DAYFLY_TOKEN is dayfly's own and is passed to no run; \
                 give the run a variable of another name",
            ),
            (
                "runner {\n  pass_files = { a = \"b\" }\n}",
                "dayfly.hcl:2:16: `pass_files`: \"b\" is no path from the root of this machine",
            ),
            (
                "runner {\n  service {}\n}",
                "dayfly.hcl:2:3: `service` has one label, the name of what is given",
            ),
            (
                "runner {\n  label \"x\" {\n    retries = 1\n  }\n}",
                "dayfly.hcl:3:5: `retries` is not known here",
            ),
        ] {
            assert_eq!(
                Settings::read(text).unwrap_err().to_string(),
                expected,
                "{text}"
            );
        }
    }
}
