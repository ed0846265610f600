//! A sample manager repository: two services, and the environment files that our own repository
//! shows in `environments/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dayfly::config::{Scheme, StackManager};
use dayfly::environment::{EnvironmentId, environment_name};
use dayfly::event::PullRequestId;
use dayfly::generate::{
    GeneratedFile, ManagerRepository, NewService, Setup, add_service, environment_file, lay,
    manager_repository, service, setup,
};
use serde_json::Value;

use super::terraform::terraform;

const TEMPLATE: &str = include_str!("../../templates/service/environment.tf.tera");

pub(crate) fn hello() -> NewService {
    NewService {
        name: "hello-service".parse().unwrap(),
        service_repository: "acme/hello-service".parse().unwrap(),
        infra_repository: "acme/hello-infra".parse().unwrap(),
        domain: "preview.example.com".parse().unwrap(),
        manager: Some("acme/previews".parse().unwrap()),
    }
}

/// A service whose code and infrastructure share a repository of another owner.
fn shop() -> NewService {
    NewService {
        name: "shop".parse().unwrap(),
        service_repository: "partner/shop".parse().unwrap(),
        infra_repository: "partner/shop".parse().unwrap(),
        ..hello()
    }
}

/// Writes the manager repository into `DIRECTORY/manager` and its setup into `DIRECTORY/setup`.
pub(crate) fn write(directory: &Path) {
    let manager = directory.join("manager");
    let mut settings = ManagerRepository {
        repository: "acme/previews".parse().unwrap(),
        stack_manager: StackManager::Dayfly,
        clone_url: None,
        clone_urls: BTreeMap::new(),
    };
    lay(&manager_repository(&settings).unwrap(), &manager).unwrap();
    for service in [hello(), shop()] {
        assert!(add_service(&service, &manager).unwrap().is_called_now);
    }
    for file in environments() {
        let path = format!("hello-service/{}", file.path);
        lay(&[GeneratedFile { path, ..file }], &manager).unwrap();
    }
    let urls = [
        ("acme/hello-infra", "/srv/hello-infra.git"),
        ("acme/x", "/srv/x.git"),
    ];
    settings.clone_urls = urls
        .map(|(name, url)| (name.to_owned(), url.to_owned()))
        .into();
    settings.stack_manager = StackManager::Spacelift;
    lay(
        &manager_repository(&settings).unwrap(),
        &directory.join("other"),
    )
    .unwrap();
    let files = setup(&Setup {
        repository: "acme/previews".parse().unwrap(),
    })
    .unwrap();
    lay(&files, &directory.join("setup")).unwrap();
}

/// The files of `environments/`: two previews, and what is beside them.
fn environments() -> Vec<GeneratedFile> {
    let head = "68a0e427aba817ba6f79a76f71c0f0ad710735db";
    let beside = service(&hello()).unwrap().into_iter().filter_map(|file| {
        let path = file.path.strip_prefix("hello-service/")?.to_owned();
        path.starts_with("environments/")
            .then_some(GeneratedFile { path, ..file })
    });
    [
        (
            "acme/hello-service#10",
            head,
            "main",
            123_456,
            "2026-11-21T09:00:00Z",
        ),
        (
            "acme/hello-infra#7",
            "latest",
            "feature/warm-cache",
            123_457,
            "2026-11-21T10:30:00Z",
        ),
    ]
    .map(
        |(pull_request, code_version, branch, repository_id, event_at)| {
            let pull_request: PullRequestId = pull_request.parse().unwrap();
            let id = EnvironmentId::derive(&pull_request, Scheme::Dayfly, |_| false);
            let name = environment_name(&pull_request, &id);
            let values: BTreeMap<String, Value> = [
                ("environment", id.as_str().into()),
                ("code_version", code_version.into()),
                ("infra_repository_branch", branch.into()),
                ("fork", false.into()),
                ("pull_request", pull_request.to_string().into()),
                ("repository_id", repository_id.into()),
                ("event_at", event_at.into()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
            let text = environment_file(TEMPLATE, "environment.tf.tera", &name, &values).unwrap();
            GeneratedFile {
                path: format!("environments/{name}.tf"),
                text,
            }
        },
    )
    .into_iter()
    .chain(beside)
    .collect()
}

#[test]
fn our_own_samples_are_what_the_templates_make() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let expected: BTreeMap<String, String> = environments()
        .into_iter()
        .map(|file| (file.path, file.text))
        .collect();
    let present: BTreeMap<String, String> = fs::read_dir(root.join("environments"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (
                format!("environments/{name}"),
                fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect();
    assert_eq!(present, expected);
}

#[test]
fn terraform_would_format_nothing() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    // Settings are formatted alike, though Terraform does not know them.
    for path in [
        "manager/dayfly.hcl",
        "other/dayfly.hcl",
        "manager/hello-service/service.hcl",
        "manager/shop/service.hcl",
    ] {
        let name = format!("{}.tf", path.replace('/', "-"));
        fs::copy(directory.path().join(path), directory.path().join(name)).unwrap();
    }
    terraform(directory.path(), &["fmt", "-check", "-recursive", "-diff"]);
}
