//! `dayfly service add`: a service's directory, and its call in the root module.

use std::fs;
use std::path::Path;

use hcl_edit::structure::Body;
use tera::Context;

use super::laying::{replace, take_back};
use super::source::{Source, verbatim};
use super::{Domain, GenerateError, GeneratedFile, Laid, ServiceName, lay};
use crate::event::RepositoryName;
use crate::problem::Problem;

/// What a service is made of.
#[derive(Clone, Debug)]
pub struct NewService {
    pub name: ServiceName,
    /// Its pull requests preview code.
    pub service_repository: RepositoryName,
    /// Its pull requests preview infrastructure; all stacks of the service run it.
    pub infra_repository: RepositoryName,
    /// Previews answer at `https://<id>.<name>.<domain>`.
    pub domain: Domain,
    /// The manager repository, where known: stacks name the owner of the infra repository only if
    /// it is another one.
    pub manager: Option<RepositoryName>,
}

/// The file of the root module that calls services.
const ROOT: &str = "main.tf";

const SOURCES: &[Source] = &[
    Source {
        path: "service.hcl",
        template: include_str!("../../templates/service/service.hcl.tera"),
    },
    Source {
        path: "main.tf",
        template: include_str!("../../templates/service/main.tf.tera"),
    },
    Source {
        path: "variables.tf",
        template: include_str!("../../templates/service/variables.tf.tera"),
    },
    Source {
        path: "template/main.tf",
        template: include_str!("../../templates/service/template/main.tf.tera"),
    },
    Source {
        path: "template/variables.tf",
        template: include_str!("../../templates/service/template/variables.tf.tera"),
    },
    Source {
        path: "environments/variables.tf",
        template: include_str!("../../templates/service/environments/variables.tf.tera"),
    },
];

const VERBATIM: &[(&str, &str)] = &[
    (
        "environment.tf.tera",
        include_str!("../../templates/service/environment.tf.tera"),
    ),
    (
        "policies/push.rego",
        include_str!("../../policies/service/push.rego"),
    ),
    (
        "policies/push_test.rego",
        include_str!("../../policies/service/push_test.rego"),
    ),
    (
        "policies/plan.rego",
        include_str!("../../policies/service/plan.rego"),
    ),
    (
        "policies/plan_test.rego",
        include_str!("../../policies/service/plan_test.rego"),
    ),
    (
        "policies/approval.rego",
        include_str!("../../policies/service/approval.rego"),
    ),
    (
        "policies/approval_test.rego",
        include_str!("../../policies/service/approval_test.rego"),
    ),
];

const CALL: Source = Source {
    path: ROOT,
    template: include_str!("../../templates/service/call.tf.tera"),
};

/// The files of a new service, all under the directory of its name.
pub fn service(service: &NewService) -> Result<Vec<GeneratedFile>, GenerateError> {
    let values = values(service)?;
    let directory = format!("{}/", service.name);
    let rendered = SOURCES
        .iter()
        .map(|source| source.render(&directory, &values));
    let copied = VERBATIM
        .iter()
        .map(|(path, text)| Ok(verbatim(&directory, path, text)));
    rendered.chain(copied).collect()
}

/// `main_tf`, the root module's text, with the call of `service` at its end; `None` if it has one
/// already. No other byte changes.
pub fn with_service_call(
    main_tf: &str,
    service: &NewService,
) -> Result<Option<String>, GenerateError> {
    if calls(&parse(ROOT, main_tf)?, &service.name) {
        return Ok(None);
    }
    let call = CALL.text(&values(service)?)?;
    let line_end = if main_tf.is_empty() || main_tf.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let space = if main_tf.is_empty() { "" } else { "\n" };
    Ok(Some(format!("{main_tf}{line_end}{space}{call}")))
}

/// Refuses a service one of whose stacks could have the slug of the manager stack: its common stack,
/// or a preview, whose id is hexadecimal.
pub fn check_manager_stack(service: &ServiceName, slug: &str) -> Result<(), GenerateError> {
    let rest = slug.strip_prefix(service.as_str());
    let rest = rest
        .and_then(|rest| rest.strip_prefix('-'))
        .unwrap_or_default();
    let is_id = rest.len() >= 7 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if rest == "common" || is_id {
        let (service, slug) = (service.to_string(), slug.to_owned());
        return Err(GenerateError::ManagerStack { service, slug });
    }
    Ok(())
}

/// What adding a service did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    pub files: Laid,
    /// Whether the call in the root module is new.
    pub is_called_now: bool,
}

/// Adds `service` to the manager repository in `directory`: its files, then its call in `main.tf`.
/// Nothing is written if any part of it cannot be made; what is there already stays.
pub fn add_service(service: &NewService, directory: &Path) -> Result<Added, GenerateError> {
    let files = self::service(service)?;
    let root = directory.join(ROOT);
    let Some(main_tf) = read(&root)? else {
        let directory = directory.display().to_string();
        return Err(GenerateError::NoManagerRepository {
            directory,
            file: ROOT,
        });
    };
    let call = if is_called_elsewhere(service, directory)? {
        None
    } else {
        with_service_call(&main_tf, service)?
    };
    let files = lay(&files, directory)?;
    if let Some(text) = &call
        && let Err(error) = replace(text, &root)
    {
        take_back(&files, directory);
        return Err(error);
    }
    Ok(Added {
        files,
        is_called_now: call.is_some(),
    })
}

/// Whether another file of the root module calls the service: a person may have moved the call.
fn is_called_elsewhere(service: &NewService, directory: &Path) -> Result<bool, GenerateError> {
    let fail = |source| GenerateError::Read {
        path: directory.display().to_string(),
        source,
    };
    for entry in fs::read_dir(directory).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name == ROOT || !name.ends_with(".tf") || !path.is_file() {
            continue;
        }
        if let Some(text) = read(&path)?
            && calls(&parse(name, &text)?, &service.name)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read(path: &Path) -> Result<Option<String>, GenerateError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(GenerateError::Read {
            path: path.display().to_string(),
            source,
        }),
    }
}

fn parse(file: &str, text: &str) -> Result<Body, GenerateError> {
    hcl_edit::parser::parse_body(text).map_err(|error| {
        GenerateError::File(
            Problem::error(format!("cannot be parsed: {}", error.message().trim()))
                .in_file(file)
                .at(text, error.location().offset()),
        )
    })
}

fn calls(body: &Body, name: &ServiceName) -> bool {
    body.get_blocks("module")
        .any(|block| block.has_exact_labels(&[name.as_str()]))
}

fn values(service: &NewService) -> Result<Context, GenerateError> {
    let NewService {
        name,
        service_repository,
        infra_repository,
        domain,
        manager,
    } = service;
    let host = format!("{name}.{domain}");
    // An id has 8 digits, and more only where two would be alike.
    if host.len() > 253 - ".".len() - 16 {
        let (service, domain) = (name.to_string(), domain.to_string());
        return Err(GenerateError::HostName { service, domain });
    }
    let owner = infra_repository.owner();
    let is_foreign = manager
        .as_ref()
        .is_none_or(|manager| !manager.owner().eq_ignore_ascii_case(owner));
    let mut values = Context::new();
    values.insert("name", name.as_str());
    values.insert("service_repository", &service_repository.to_string());
    // One spelling for both where they are one.
    let infra = if infra_repository == service_repository {
        service_repository
    } else {
        infra_repository
    };
    values.insert("infra_repository", &infra.to_string());
    values.insert("infra_name", infra_repository.name());
    values.insert("infra_owner", &is_foreign.then_some(owner));
    values.insert("domain", domain.as_str());
    // Of harmless letters by the types of its parts.
    values.insert("url", &format!("\"https://${{environment.id}}.{host}\""));
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Admit, Scheme, ServiceRules};

    fn hello() -> NewService {
        NewService {
            name: "hello-service".parse().unwrap(),
            service_repository: "acme/hello-service".parse().unwrap(),
            infra_repository: "acme/hello-infra".parse().unwrap(),
            domain: "preview.example.com".parse().unwrap(),
            manager: Some("acme/previews".parse().unwrap()),
        }
    }

    fn text(service: &NewService, path: &str) -> String {
        let files = super::service(service).unwrap();
        let file = files.iter().find(|file| file.path == path);
        file.unwrap_or_else(|| panic!("no {path}")).text.clone()
    }

    #[test]
    fn the_rules_are_read_as_they_were_meant() {
        let text = text(&hello(), "hello-service/service.hcl");
        let rules =
            ServiceRules::read("service.hcl", &text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(rules.admit, Admit::default());
        assert_eq!(rules.scheme, Scheme::Dayfly);
        assert_eq!(rules.sources.len(), 2);
        assert!(
            text.contains(r#"url = "https://${environment.id}.hello-service.preview.example.com""#)
        );

        let one = NewService {
            infra_repository: "ACME/hello-service".parse().unwrap(),
            ..hello()
        };
        let text = self::text(&one, "hello-service/service.hcl");
        let rules = ServiceRules::read("service.hcl", &text).unwrap();
        assert_eq!(
            rules.sources.len(),
            1,
            "a second block for one repository is refused"
        );
        assert!(text.contains("infra_repository_branch = pull_request.head_branch"));
    }

    #[test]
    fn a_foreign_owner_is_named() {
        for (manager, expected) in [
            (Some("ACME/previews"), false),
            (Some("other/previews"), true),
            (None, true),
        ] {
            let manager = manager.map(|name| name.parse().unwrap());
            let service = NewService { manager, ..hello() };
            for path in ["hello-service/main.tf", "hello-service/template/main.tf"] {
                let names_owner = text(&service, path).contains("namespace = \"acme\"");
                assert_eq!(names_owner, expected, "{path} {:?}", service.manager);
            }
        }
    }

    #[test]
    fn a_call_is_appended_once() {
        let service = hello();
        for before in [
            "# mine\nlocals  { a=1 }\n",
            "locals {}",
            "",
            "module \"other\" {\n}\n",
        ] {
            let after = with_service_call(before, &service).unwrap().unwrap();
            assert!(after.starts_with(before), "{after}");
            assert!(after.contains("module \"hello-service\" {\n  source = \"./hello-service\"\n"));
            assert_eq!(with_service_call(&after, &service).unwrap(), None);
        }
        let commented = "# module \"hello-service\" {}\n";
        assert!(with_service_call(commented, &service).unwrap().is_some());
        let error = with_service_call("a = 1\nmodule {", &service).unwrap_err();
        assert!(error.to_string().starts_with("main.tf:2:"), "{error}");
    }

    #[test]
    fn a_service_is_added_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let error = add_service(&hello(), root).unwrap_err();
        assert!(error.to_string().ends_with("holds no main.tf"), "{error}");
        fs::write(root.join("main.tf"), "module {").unwrap();
        add_service(&hello(), root).unwrap_err();
        assert!(!root.join("hello-service").exists());

        fs::write(root.join("main.tf"), "").unwrap();
        let added = add_service(&hello(), root).unwrap();
        assert!(added.is_called_now);
        assert_eq!(added.files.written.len(), SOURCES.len() + VERBATIM.len());
        let again = add_service(&hello(), root).unwrap();
        assert_eq!(again.files.unchanged.len(), added.files.written.len());
        assert!(!again.is_called_now);

        fs::rename(root.join("main.tf"), root.join("services.tf")).unwrap();
        fs::write(root.join("main.tf"), "").unwrap();
        assert!(
            !add_service(&hello(), root).unwrap().is_called_now,
            "the call was moved"
        );
    }

    #[test]
    fn no_stack_has_the_slug_of_the_manager_stack() {
        for (slug, is_refused) in [
            ("hello-service-common", true),
            ("hello-service-0123abcd", true),
            ("hello-service-previews", false),
            ("hello-service", false),
            ("hello-service-0123abc-x", false),
            ("previews", false),
        ] {
            let is_taken = check_manager_stack(&hello().name, slug).is_err();
            assert_eq!(is_taken, is_refused, "{slug}");
        }
    }

    #[test]
    fn host_names_fit() {
        let domain = vec!["a".repeat(60); 4].join(".");
        let service = NewService {
            domain: domain.parse().unwrap(),
            ..hello()
        };
        assert!(matches!(
            super::service(&service),
            Err(GenerateError::HostName { .. })
        ));
    }
}
