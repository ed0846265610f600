//! `service.hcl`: which pull requests make environments of a service, and of what.

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Structure};

use super::reader::{Document, Reader};
use super::{ConfigError, matches_pattern};
use crate::event::{Branch, RepositoryName};
use crate::problem::Problem;

#[derive(Clone, Debug)]
pub struct ServiceRules {
    /// Where the rules stand, and their text: an expression is evaluated with its place in it.
    pub file: String,
    pub text: String,
    pub sources: Vec<Source>,
    pub admit: Admit,
    pub scheme: Scheme,
    /// Where an environment answers, as an expression over `environment` and `pull_request`.
    pub url: Option<Expression>,
}

/// A repository whose pull requests make environments, and the inputs that they set.
#[derive(Clone, Debug)]
pub struct Source {
    pub repository: RepositoryName,
    /// Inputs by name, as expressions over `environment` and `pull_request`, in their order.
    pub inputs: Vec<(String, Expression)>,
}

/// How the id of an environment is derived from its pull request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    #[default]
    Dayfly,
    /// As Spacelift's 2021 demo does it.
    SpaceliftDemo,
}

/// Which pull requests are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admit {
    /// All of these must be on the pull request.
    pub labels: Vec<String>,
    /// None of these may be.
    pub exclude_labels: Vec<String>,
    /// Patterns of head branches that get none; `*` stands for any letters.
    pub ignore_branches: Vec<String>,
    pub drafts: bool,
    pub forks: Forks,
    /// The most environments that the service may have at once.
    pub limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forks {
    Deny,
    Allow,
}

impl Default for Admit {
    fn default() -> Self {
        Self {
            labels: Vec::new(),
            exclude_labels: vec!["no-preview".to_owned()],
            ignore_branches: vec!["dependabot/*".to_owned(), "renovate/*".to_owned()],
            drafts: true,
            forks: Forks::Deny,
            limit: 200,
        }
    }
}

impl Admit {
    pub fn ignores_branch(&self, branch: &Branch) -> Option<&str> {
        self.ignore_branches
            .iter()
            .map(String::as_str)
            .find(|pattern| matches_pattern(pattern, branch.as_str()))
    }
}

impl ServiceRules {
    pub const FILE: &'static str = "service.hcl";

    /// Reads `text`, which stands at `file`.
    pub fn read(file: &str, text: &str) -> Result<Self, ConfigError> {
        let document = Document::parse(file, text)?;
        let mut reader = document.reader();
        let schemes = [
            ("dayfly", Scheme::Dayfly),
            ("spacelift-demo", Scheme::SpaceliftDemo),
        ];
        let mut sources: Vec<Source> = Vec::new();
        for block in reader.blocks("source") {
            let source = read_source(&document, block)?;
            if sources
                .iter()
                .any(|other| other.repository == source.repository)
            {
                let message = format!("a second `source` block for {}", source.repository);
                return Err(document.error(block.ident.span(), message));
            }
            sources.push(source);
        }
        let rules = Self {
            file: file.to_owned(),
            text: text.to_owned(),
            sources,
            admit: match reader.block("admit")? {
                Some(block) => read_admit(block)?,
                None => Admit::default(),
            },
            scheme: reader.choice("scheme", &schemes)?.unwrap_or_default(),
            url: reader.expression("url").cloned(),
        };
        reader.finish()?;
        if rules.sources.is_empty() {
            return Err(ConfigError::File(
                Problem::error("names no source repository")
                    .in_file(file)
                    .with_hint(
                        "write source \"OWNER/NAME\" { code_version = pull_request.head_sha … }",
                    ),
            ));
        }
        Ok(rules)
    }

    pub fn source(&self, repository: &RepositoryName) -> Option<&Source> {
        self.sources
            .iter()
            .find(|source| source.repository == *repository)
    }
}

fn read_source(document: &Document<'_>, block: &Block) -> Result<Source, ConfigError> {
    let [label] = block.labels.as_slice() else {
        return Err(document.error(
            block.ident.span(),
            "a `source` block has one label: source \"OWNER/NAME\" { … }",
        ));
    };
    let repository = label
        .as_str()
        .parse()
        .map_err(|error| document.error(label.span(), format!("`source`: {error}")))?;
    let mut inputs = Vec::new();
    for structure in &block.body {
        match structure {
            Structure::Attribute(attribute) => {
                inputs.push((attribute.key.as_str().to_owned(), attribute.value.clone()));
            }
            Structure::Block(inner) => {
                return Err(document.error(
                    inner.ident.span(),
                    "a `source` block holds inputs, no blocks",
                ));
            }
        }
    }
    Ok(Source { repository, inputs })
}

fn read_admit(mut reader: Reader<'_>) -> Result<Admit, ConfigError> {
    let default = Admit::default();
    let admit = Admit {
        labels: reader.strings("labels")?.unwrap_or(default.labels),
        exclude_labels: reader
            .strings("exclude_labels")?
            .unwrap_or(default.exclude_labels),
        ignore_branches: reader
            .strings("ignore_branches")?
            .unwrap_or(default.ignore_branches),
        drafts: reader.bool("drafts")?.unwrap_or(default.drafts),
        forks: reader
            .choice("forks", &[("deny", Forks::Deny), ("allow", Forks::Allow)])?
            .unwrap_or(default.forks),
        limit: reader.whole_number("limit")?.unwrap_or(default.limit),
    };
    reader.finish()?;
    Ok(admit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
source "acme/hello-service" {
  code_version            = pull_request.head_sha
  infra_repository_branch = "main"
}
source "acme/hello-infra" {
  code_version            = "latest"
  infra_repository_branch = pull_request.head_branch
}
admit {
  labels          = []
  exclude_labels  = ["no-preview"]
  ignore_branches = ["dependabot/*", "renovate/*"]
  drafts          = true
  forks           = "deny"
  limit           = 200
}
url = "https://${environment.id}.hello-service.preview.example.com"
"#;

    #[test]
    fn rules_are_read() {
        let rules = ServiceRules::read("hello/service.hcl", WHOLE).unwrap();
        assert_eq!(rules.admit, Admit::default());
        assert_eq!(rules.scheme, Scheme::Dayfly);
        let source = rules.source(&"ACME/hello-infra".parse().unwrap()).unwrap();
        let names: Vec<_> = source
            .inputs
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["code_version", "infra_repository_branch"]);
        assert!(rules.source(&"acme/other".parse().unwrap()).is_none());
        assert!(rules.url.is_some());
    }

    #[test]
    fn mistakes_name_their_place() {
        let message = |text: &str| {
            ServiceRules::read("s/service.hcl", text)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(message(""), "s/service.hcl: names no source repository");
        assert_eq!(
            message("source \"a/b\" {}\nadmit {\n  label = []\n}"),
            "s/service.hcl:3:3: `label` is not known here"
        );
        assert_eq!(
            message("source \"x\" {}"),
            "s/service.hcl:1:8: `source`: `x` is no repository name"
        );
        assert_eq!(
            message("source \"a/b\" {}\nsource \"A/b\" {}"),
            "s/service.hcl:2:1: a second `source` block for A/b"
        );
        assert_eq!(
            message("source \"a/b\" {}\nadmit { forks = \"yes\" }"),
            "s/service.hcl:2:17: `forks` must be \"deny\" or \"allow\""
        );
    }
}
