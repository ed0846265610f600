//! `service.hcl`: which pull requests make environments of a service, and of what.

use std::time::Duration;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Structure};

use super::reader::{Document, Reader};
use super::{AddressTemplate, BranchPattern, ConfigError};
use crate::event::RepositoryName;
use crate::problem::Problem;

/// The one word in a `source` block that is no input.
const FORMER_NAMES: &str = "former_names";

#[derive(Clone, Debug)]
pub struct ServiceRules {
    /// Where the rules stand, and their text: an expression is evaluated with its place in it.
    pub file: String,
    pub text: String,
    pub sources: Vec<Source>,
    pub admit: Admit,
    /// How long an environment stands after the last event that it was written for; `None`: until
    /// its pull request closes.
    pub expire_after: Option<Duration>,
    pub scheme: Scheme,
    /// Whether its pull requests are told how it stands with their environments.
    pub comment: bool,
    /// Where an environment answers, as an expression over `environment` and `pull_request`.
    pub url: Option<Expression>,
    pub artifact: Option<ArtifactRule>,
}

/// What has to be there before an environment is written for a commit.
#[derive(Clone, Debug)]
pub struct ArtifactRule {
    /// Where it is, with places for the environment's values.
    pub address: AddressTemplate,
    /// How long it is waited for.
    pub timeout: Duration,
}

/// How long is waited for an artifact if nobody says otherwise.
const ARTIFACT_TIMEOUT: Duration = Duration::from_secs(600);

/// A repository whose pull requests make environments, and the inputs that they set.
#[derive(Clone, Debug)]
pub struct Source {
    pub repository: RepositoryName,
    /// Names that it had before; what stands under one of them is still its own.
    pub former_names: Vec<RepositoryName>,
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
    /// Patterns of head branches that get one; all if empty.
    pub branches: Vec<BranchPattern>,
    /// Patterns of head branches that get none.
    pub ignore_branches: Vec<BranchPattern>,
    /// Patterns of branches that pull requests may aim at; all if empty.
    pub base_branches: Vec<BranchPattern>,
    pub drafts: bool,
    pub forks: Forks,
    /// The label that approves a commit of a fork, under [`Forks::Label`].
    pub fork_label: String,
    /// The most environments that the service may have at once.
    pub limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forks {
    Deny,
    /// A commit is taken once somebody has set the label `fork_label` on it.
    Label,
    Allow,
}

impl Forks {
    const WORDS: [(&'static str, Self); 3] = [
        ("deny", Self::Deny),
        ("label", Self::Label),
        ("allow", Self::Allow),
    ];

    /// The word that stands for it in `service.hcl`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Label => "label",
            Self::Allow => "allow",
        }
    }
}

impl Default for Admit {
    fn default() -> Self {
        Self {
            labels: Vec::new(),
            exclude_labels: vec!["no-preview".to_owned()],
            branches: Vec::new(),
            ignore_branches: ["dependabot/*", "renovate/*"]
                .iter()
                .filter_map(|pattern| pattern.parse().ok())
                .collect(),
            base_branches: Vec::new(),
            drafts: true,
            forks: Forks::Deny,
            fork_label: "preview".to_owned(),
            limit: 200,
        }
    }
}

impl Source {
    /// Whether the repository has this name, or had it.
    pub fn is_named(&self, repository: &RepositoryName) -> bool {
        self.repository == *repository || self.former_names.contains(repository)
    }

    /// The name, in the letters that the file has for it.
    pub fn spelled<'a>(&'a self, repository: &'a RepositoryName) -> &'a RepositoryName {
        let mut names = std::iter::once(&self.repository).chain(&self.former_names);
        names.find(|name| *name == repository).unwrap_or(repository)
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
        let artifact = reader.expression("artifact");
        let artifact_timeout = reader.duration("artifact_timeout")?;
        let mut sources: Vec<Source> = Vec::new();
        for block in reader.blocks("source") {
            let source = read_source(&document, block)?;
            if let Some(message) = clash(&sources, &source) {
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
            expire_after: match reader.block("expire")? {
                Some(block) => Some(read_expire(block)?),
                None => None,
            },
            scheme: reader.choice("scheme", &schemes)?.unwrap_or_default(),
            comment: reader.bool("comment")?.unwrap_or(true),
            url: reader.expression("url").cloned(),
            artifact: match artifact {
                Some(value) => Some(ArtifactRule {
                    address: AddressTemplate::read(&document, "artifact", value)?,
                    timeout: artifact_timeout.unwrap_or(ARTIFACT_TIMEOUT),
                }),
                None => None,
            },
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

    /// The source that has this name, or had it.
    pub fn source(&self, repository: &RepositoryName) -> Option<&Source> {
        self.sources
            .iter()
            .find(|source| source.is_named(repository))
    }
}

/// What is wrong with `source` beside the `others`: a name leads to one repository.
fn clash(others: &[Source], source: &Source) -> Option<String> {
    let name = &source.repository;
    if others.iter().any(|other| other.repository == *name) {
        return Some(format!("a second `source` block for {name}"));
    }
    let is_taken = |name: &RepositoryName| others.iter().any(|other| other.is_named(name));
    if is_taken(name) {
        return Some(format!("{name} is a former name of another source"));
    }
    let former = &source.former_names;
    let twice = former.iter().enumerate().find(|(position, name)| {
        is_taken(name) || **name == source.repository || former[..*position].contains(name)
    });
    twice.map(|(_, name)| format!("the former name {name} is named twice"))
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
    let former_names = Reader::of_block(document, block)
        .parsed_list(FORMER_NAMES)?
        .unwrap_or_default();
    let mut inputs = Vec::new();
    for structure in &block.body {
        match structure {
            Structure::Attribute(attribute) if attribute.key.as_str() == FORMER_NAMES => {}
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
    Ok(Source {
        repository,
        former_names,
        inputs,
    })
}

fn read_admit(mut reader: Reader<'_>) -> Result<Admit, ConfigError> {
    let default = Admit::default();
    let admit = Admit {
        labels: reader.strings("labels")?.unwrap_or(default.labels),
        exclude_labels: reader
            .strings("exclude_labels")?
            .unwrap_or(default.exclude_labels),
        branches: reader.parsed_list("branches")?.unwrap_or(default.branches),
        ignore_branches: reader
            .parsed_list("ignore_branches")?
            .unwrap_or(default.ignore_branches),
        base_branches: reader
            .parsed_list("base_branches")?
            .unwrap_or(default.base_branches),
        drafts: reader.bool("drafts")?.unwrap_or(default.drafts),
        forks: reader
            .choice("forks", &Forks::WORDS)?
            .unwrap_or(default.forks),
        fork_label: reader.string("fork_label")?.unwrap_or(default.fork_label),
        limit: reader.whole_number("limit")?.unwrap_or(default.limit),
    };
    reader.finish()?;
    Ok(admit)
}

fn read_expire(mut reader: Reader<'_>) -> Result<Duration, ConfigError> {
    let after = reader.required_duration("after")?;
    reader.finish()?;
    Ok(after)
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
  branches        = []
  ignore_branches = ["dependabot/*", "renovate/*"]
  base_branches   = []
  drafts          = true
  forks           = "deny"
  fork_label      = "preview"
  limit           = 200
}
url = "https://${environment.id}.hello-service.preview.example.com"
"#;

    #[test]
    fn rules_are_read() {
        let rules = ServiceRules::read("hello/service.hcl", WHOLE).unwrap();
        assert_eq!(rules.admit, Admit::default());
        assert_eq!(rules.scheme, Scheme::Dayfly);
        assert!(rules.comment);
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
            "s/service.hcl:2:17: `forks` must be \"deny\" or \"label\" or \"allow\""
        );
        assert_eq!(
            message("source \"a/b\" {}\nadmit {\n  branches = [\"a\", \"b?\"]\n}"),
            "s/service.hcl:3:20: `branches`: `b?` can match no branch; `*` stands for any letters, \
             no other letter is special"
        );
        assert_eq!(
            message("source \"a/b\" {}\nadmit {\n  base_branches = \"main\"\n}"),
            "s/service.hcl:3:19: `base_branches` must be a list of strings"
        );
    }

    #[test]
    fn environments_expire_where_the_rules_say_so() {
        let read = |text: &str| {
            let text = format!("source \"a/b\" {{}}\n{text}");
            ServiceRules::read("s/service.hcl", &text).map(|rules| rules.expire_after)
        };
        assert_eq!(read("").unwrap(), None);
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        assert_eq!(read("expire { after = \"72h\" }").unwrap(), hours(72));
        assert_eq!(
            read("expire { after = \"1h 30m\" }").unwrap(),
            Some(Duration::from_secs(5400))
        );
        for text in ["\"soon\"", "72", "\"-1h\"", "\"59s\"", "\"0s\""] {
            let message = read(&format!("expire {{ after = {text} }}")).unwrap_err();
            let expected =
                "s/service.hcl:2:18: `after` must be a span of a minute or more, such as \"72h\"";
            assert_eq!(message.to_string(), expected, "{text}");
        }
        let message = read("expire {}").unwrap_err().to_string();
        assert_eq!(message, "s/service.hcl: `after` is missing");
    }

    #[test]
    fn an_artifact_is_an_address_whose_host_is_written_out() {
        let read = |lines: &str| {
            ServiceRules::read("s/service.hcl", &format!("source \"a/b\" {{}}\n{lines}"))
        };
        let rules = read("artifact = \"https://x.example/${code_version}.zip\"").unwrap();
        let artifact = rules.artifact.unwrap();
        assert_eq!(artifact.timeout.as_secs(), 600);
        assert_eq!(artifact.address.parts().len(), 3);
        let timed = read("artifact = \"http://x/y\"\nartifact_timeout = \"90s\"").unwrap();
        assert_eq!(timed.artifact.unwrap().timeout.as_secs(), 90);
        for (lines, expected) in [
            ("artifact = 1", "`artifact` must be an address in quotes"),
            (
                "artifact = code_version",
                "`artifact` must be an address in quotes",
            ),
            (
                "artifact = \"${a}/x\"",
                "`artifact` must begin with https:// and a host",
            ),
            ("artifact = \"https://${a}/x\"", "that is written out"),
            ("artifact = \"https://x.${a}/x\"", "that is written out"),
            ("artifact = \"https://u:p@x/y\"", "without a user"),
            ("artifact = \"ftp://x/y\"", "must begin with https://"),
            (
                "artifact = \"https://x/%{if a}b%{endif}\"",
                "takes `${…}` only",
            ),
            (
                "artifact_timeout = 5",
                "`artifact_timeout` must be a span of time, such as \"10m\"",
            ),
        ] {
            let error = read(lines).unwrap_err().to_string();
            assert!(error.starts_with("s/service.hcl:2:"), "{error}");
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_name_leads_to_one_repository() {
        let read = |text: &str| ServiceRules::read("s/service.hcl", text);
        let rules = read(
            "source \"a/new\" {\n  former_names = [\"a/old\", \"b/old\"]\n  code_version = 1\n}\n\
             source \"a/other\" {}",
        )
        .unwrap();
        for name in ["a/new", "A/Old", "b/old"] {
            let source = rules.source(&name.parse().unwrap()).unwrap();
            assert_eq!(source.repository.to_string(), "a/new");
            assert_eq!(source.inputs.len(), 1, "a former name is no input");
        }
        let message = |text: &str| read(text).unwrap_err().to_string();
        for (text, expected) in [
            (
                "source \"a/b\" {\n  former_names = \"a/c\"\n}",
                "s/service.hcl:2:18: `former_names` must be a list of strings",
            ),
            (
                "source \"a/b\" {\n  former_names = [\"a/c\", \"x\"]\n}",
                "s/service.hcl:2:26: `former_names`: `x` is no repository name",
            ),
            (
                "source \"a/b\" { former_names = [\"A/B\"] }",
                "s/service.hcl:1:1: the former name A/B is named twice",
            ),
            (
                "source \"a/b\" {}\nsource \"a/c\" { former_names = [\"a/b\"] }",
                "s/service.hcl:2:1: the former name a/b is named twice",
            ),
            (
                "source \"a/c\" { former_names = [\"a/b\"] }\nsource \"a/b\" {}",
                "s/service.hcl:2:1: a/b is a former name of another source",
            ),
        ] {
            assert_eq!(message(text), expected);
        }
    }
}
