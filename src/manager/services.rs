//! The services of a manager repository and their environments.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

use super::finding::{Found, find};
use super::lifetime::Times;
use super::location::read_text;
use super::scope::scope;
use super::{ManagerError, artifact};
use crate::clock::Time;
use crate::config::{ConfigError, Expression, ServiceRules, Source};
use crate::environment::{EnvironmentFile, EnvironmentId, Expiry, Pattern};
use crate::event::{PullRequest, PullRequestId, RepositoryName};
use crate::files::{Files, join};
use crate::generate::{self, RenderedFile};
use crate::module;
use crate::problem::Problem;

/// A directory of the manager repository with a `service.hcl`.
#[derive(Clone, Debug)]
pub struct Service {
    pub name: String,
    pub rules: ServiceRules,
}

/// An environment file, of which service it is and where the environment answers.
#[derive(Clone, Debug)]
pub struct Environment {
    pub service: String,
    pub file: EnvironmentFile,
    pub text: String,
    pub url: Option<String>,
}

/// A directory whose `service.hcl` cannot be read, and why.
#[derive(Debug)]
pub struct BrokenService {
    pub name: String,
    pub error: ManagerError,
}

/// All services whose rules can be read, by name, and the others.
pub fn services(files: &dyn Files) -> Result<(Vec<Service>, Vec<BrokenService>), ManagerError> {
    let (mut services, mut broken) = (Vec::new(), Vec::new());
    let directories = files
        .list("")?
        .into_iter()
        .filter(|entry| entry.is_directory)
        .collect::<Vec<_>>();
    let rules: Vec<String> = directories
        .iter()
        .map(|entry| join(&entry.name, ServiceRules::FILE))
        .collect();
    files.prepare(&rules)?;
    for entry in directories {
        match service(files, &entry.name) {
            Ok(found) => services.extend(found),
            Err(error) => broken.push(BrokenService {
                name: entry.name,
                error,
            }),
        }
    }
    Ok((services, broken))
}

/// The service of this name; `None` if there is none.
pub(super) fn service(files: &dyn Files, name: &str) -> Result<Option<Service>, ManagerError> {
    let path = join(name, ServiceRules::FILE);
    let Some(text) = read_text(files, &path)? else {
        return Ok(None);
    };
    check_name(name)?;
    let rules = ServiceRules::read(&path, &text)?;
    Ok(Some(Service {
        name: name.to_owned(),
        rules,
    }))
}

/// A service's name stands in paths, slugs, commit messages and, as a label, in host names.
fn check_name(name: &str) -> Result<(), ManagerError> {
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let reason = if name.len() > 63 {
        "it is longer than 63 letters, and could not stand in a host name"
    } else if !name.chars().all(is_fine) {
        "it holds a letter that no name of a service may hold"
    } else {
        return Ok(());
    };
    Err(ManagerError::ServiceName {
        name: name.to_owned(),
        reason,
    })
}

/// Everything that is wrong with the rules and the templates of the services.
pub fn check_services(files: &dyn Files) -> Vec<ManagerError> {
    let names = match files.list("") {
        Ok(entries) => entries.into_iter().filter(|entry| entry.is_directory),
        Err(error) => return vec![error.into()],
    };
    names
        .filter_map(|entry| check_service(files, &entry.name).err())
        .collect()
}

fn check_service(files: &dyn Files, name: &str) -> Result<(), ManagerError> {
    let Some(service) = service(files, name)? else {
        return Ok(());
    };
    let template = join(name, "environment.tf.tera");
    let template_text = read_text(files, &template)?;
    let template_text = template_text.ok_or_else(|| ManagerError::NoTemplate {
        service: name.to_owned(),
    })?;
    example_files(&service, &template, &template_text).map(|_| ())
}

/// What the template, which stands at `path`, makes of pull requests that might come, of each
/// source, once as a person asks for it and once as an event does: what fails for one of them fails
/// for each of its kind.
pub(super) fn example_files(
    service: &Service,
    path: &str,
    template: &str,
) -> Result<Vec<Pattern>, ManagerError> {
    let mut files = Vec::new();
    for source in &service.rules.sources {
        let pull_request = PullRequest::example(source.repository.clone());
        let id = EnvironmentId::given("00000000");
        let mut values: BTreeMap<String, Value> = service
            .inputs(source, &pull_request, &id)?
            .into_iter()
            .collect();
        values.insert("environment".to_owned(), json!(id));
        values.insert("pull_request".to_owned(), json!(pull_request.id));
        if let Some(url) = service.url(id.as_str(), Some(&pull_request.id))? {
            service.check_host(&url)?;
        }
        artifact::address(service, &pull_request, &id)?;
        let render = |values: &BTreeMap<String, Value>| {
            generate::render_environment_file(template, path, "example", values)
        };
        files.push(render(&values)?);
        values.insert("repository_id".to_owned(), json!(1));
        values.extend(Times::by_rules(service, Some(Time::UNIX_EPOCH), Expiry::Unsaid).values());
        files.push(render(&values)?);
    }
    let pattern = |file: RenderedFile| Pattern {
        text: file.text,
        written: file.written,
    };
    Ok(files.into_iter().map(pattern).collect())
}

pub(super) fn environments_directory(service: &str) -> String {
    join(service, "environments")
}

/// What all environments of a service share: none of them itself.
const VARIABLES_FILE: &str = "variables.tf";

/// The files of a service that may hold environments, by their names, in order.
pub(super) fn environment_files(
    files: &dyn Files,
    service: &str,
) -> Result<impl Iterator<Item = String>, ManagerError> {
    let entries = files.list(&environments_directory(service))?.into_iter();
    Ok(entries
        .filter(|entry| !entry.is_directory && entry.name.ends_with(".tf"))
        .filter(|entry| entry.name != VARIABLES_FILE)
        .map(|entry| entry.name))
}

pub(super) fn environment_path(service: &str, file: &str) -> String {
    join(&environments_directory(service), file)
}

impl Service {
    /// What expressions about the environment of a pull request may name.
    pub(super) fn scope_of(
        &self,
        pull_request: &PullRequest,
        id: &EnvironmentId,
    ) -> BTreeMap<String, module::Value> {
        scope(id.as_str(), Some(&pull_request.id), Some(pull_request))
    }

    /// The inputs that `source` sets, as values by name, in their order.
    pub(super) fn inputs(
        &self,
        source: &Source,
        pull_request: &PullRequest,
        id: &EnvironmentId,
    ) -> Result<Vec<(String, Value)>, ManagerError> {
        let scope = self.scope_of(pull_request, id);
        let branch = pull_request.head_branch.as_str();
        let composed: String = branch.nfc().collect();
        let mut inputs = Vec::new();
        for (name, expression) in &source.inputs {
            let value = self.evaluate(expression, &scope)?;
            // A stack would look for a branch that is not there.
            let holds_branch = value.as_str().is_some_and(|text| text.contains(&composed));
            if composed != branch && holds_branch {
                return Err(ManagerError::BranchSpelling {
                    branch: branch.to_owned(),
                    input: name.clone(),
                });
            }
            inputs.push((name.clone(), value));
        }
        Ok(inputs)
    }

    /// Where the environment answers, if the rules say so.
    pub fn url(
        &self,
        environment: &str,
        pull_request: Option<&PullRequestId>,
    ) -> Result<Option<String>, ManagerError> {
        let Some(expression) = &self.rules.url else {
            return Ok(None);
        };
        let scope = scope(environment, pull_request, None);
        match self.evaluate(expression, &scope)? {
            Value::String(url) => Ok(Some(url)),
            _ => Err(ManagerError::Config(ConfigError::File(
                Problem::error("`url` must be a string").in_file(&self.rules.file),
            ))),
        }
    }

    fn check_host(&self, url: &str) -> Result<(), ManagerError> {
        let place = url.split_once("://").map_or(url, |(_, place)| place);
        let host = place.split(['/', ':', '?', '#']).next().unwrap_or_default();
        let long = host.split('.').find(|label| label.len() > 63);
        let message = match long {
            Some(label) => format!("`{label}` of `url` is longer than the 63 letters of a label"),
            None if host.len() > 253 => {
                "`url` is longer than the 253 letters of a host name".to_owned()
            }
            None => return Ok(()),
        };
        Err(ManagerError::Config(ConfigError::File(
            Problem::error(message).in_file(&self.rules.file),
        )))
    }

    pub(super) fn evaluate(
        &self,
        expression: &Expression,
        scope: &BTreeMap<String, module::Value>,
    ) -> Result<Value, ManagerError> {
        let rules = &self.rules;
        module::evaluate_expression(expression, &rules.file, &rules.text, scope)
            .map(|value| value.to_json())
            .map_err(|error| ManagerError::Config(ConfigError::File(error.0)))
    }

    pub(super) fn source(&self, repository: &RepositoryName) -> Option<&Source> {
        self.rules.source(repository)
    }
}

/// The file's own name, without `.tf`.
pub(super) fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".tf").unwrap_or(name)
}

/// The files at `paths` that are there, read at once: each with its path.
pub(super) fn read_all(
    files: &dyn Files,
    paths: Vec<String>,
) -> Result<impl Iterator<Item = Result<(String, Vec<u8>), ManagerError>>, ManagerError> {
    files.prepare(&paths)?;
    Ok(paths.into_iter().filter_map(move |path| {
        let read = files.read(&path).map_err(ManagerError::from).transpose()?;
        Some(read.map(|bytes| (path, bytes)))
    }))
}

pub(super) fn read_environment(
    path: &str,
    bytes: &[u8],
) -> Result<Option<EnvironmentFile>, ManagerError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(EnvironmentFile::read(path, text)?),
        Err(_) => Err(ManagerError::NotText {
            file: path.to_owned(),
        }),
    }
}

/// All environments of the services, or of the one that is named; and what cannot be read, with
/// the reason.
pub fn environments(
    files: &dyn Files,
    name: Option<&str>,
) -> Result<(Vec<Environment>, Vec<ManagerError>), ManagerError> {
    let (services, mut unreadable) = match name {
        Some(name) => (vec![named(files, name)?], Vec::new()),
        None => {
            let (services, broken) = services(files)?;
            (
                services,
                broken.into_iter().map(|broken| broken.error).collect(),
            )
        }
    };
    let mut environments = Vec::new();
    for service in services {
        let paths: Vec<String> = environment_files(files, &service.name)?
            .map(|file| environment_path(&service.name, &file))
            .collect();
        for read in read_all(files, paths)? {
            let (path, bytes) = read?;
            match read_environment(&path, &bytes) {
                Ok(Some(file)) => {
                    // Rules that cannot tell where it answers are told of by `validate`.
                    let url = file
                        .environment
                        .as_ref()
                        .and_then(|id| service.url(id, file.pull_request.as_ref()).ok().flatten());
                    environments.push(Environment {
                        service: service.name.clone(),
                        file,
                        text: String::from_utf8_lossy(&bytes).into_owned(),
                        url,
                    });
                }
                Ok(None) => {}
                Err(error) => unreadable.push(error),
            }
        }
    }
    Ok((environments, unreadable))
}

/// The service of this name, which must be there.
pub(super) fn named(files: &dyn Files, name: &str) -> Result<Service, ManagerError> {
    if let Some(service) = service(files, name)? {
        return Ok(service);
    }
    let known = services(files)?
        .0
        .into_iter()
        .map(|service| service.name)
        .collect();
    Err(ManagerError::NoService {
        name: name.to_owned(),
        known,
    })
}

/// The one environment that `name` means: an id, the name of its module, or OWNER/NAME#NUMBER.
pub fn find_environment(
    files: &dyn Files,
    service: Option<&str>,
    name: &str,
) -> Result<Environment, ManagerError> {
    let pull_request: Option<PullRequestId> = name.parse().ok();
    let (environments, unreadable) = environments(files, service)?;
    let is_meant = |environment: &Environment| {
        let file = &environment.file;
        file.environment.as_deref() == Some(name)
            || file.name == name
            || pull_request
                .as_ref()
                .is_some_and(|id| file.belongs_to(id, None))
    };
    if let Some(environment) = environments.into_iter().find(is_meant) {
        return Ok(environment);
    }
    if let Some(pull_request) = pull_request {
        let services = match service {
            Some(name) => vec![named(files, name)?],
            None => services(files)?.0,
        };
        for service in services {
            if let Some(Found::Broken { error, .. }) = find(files, &service, &pull_request, None)? {
                return Err(error);
            }
        }
    }
    Err(unreadable
        .into_iter()
        .find(|error| error.to_string().contains(name))
        .unwrap_or_else(|| ManagerError::NoEnvironment(name.to_owned())))
}
