//! The stage of the demo: three bare repositories, a build's artifacts, and pages on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::DemoError;
use crate::clock;
use crate::config::StackManager;
use crate::error::Error;
use crate::event::RepositoryName;
use crate::generate::{self, GeneratedFile, ManagerRepository, NewService};
use crate::git::{CommitId, Committer, Edit, Remote, Repository, Signature};
use crate::manager::Manager;

pub(super) const MAIN: &str = "main";

pub(super) struct Stage {
    pub(super) directory: PathBuf,
    service: Repository,
    infra: Repository,
    pub(super) service_name: RepositoryName,
    pub(super) infra_name: RepositoryName,
}

impl Stage {
    /// Makes the three repositories in `directory`, and the artifact of the first commit.
    pub(super) fn set(directory: &Path) -> Result<Self, Error> {
        let stage = Self {
            directory: directory.to_owned(),
            service: Repository::open_or_create(directory.join("service"))?,
            infra: Repository::open_or_create(directory.join("infra"))?,
            service_name: "acme/hello-service".parse()?,
            infra_name: "acme/hello-infra".parse()?,
        };
        for name in ["artifacts", "pages"] {
            let path = directory.join(name);
            fs::create_dir(&path).map_err(|source| disk("make", &path, source))?;
        }
        let first = stage.commit_service(MAIN, None, "Hello")?;
        stage.publish(&first, "latest")?;
        stage.commit_infra(MAIN, None, "plain")?;
        stage.make_manager()?;
        Ok(stage)
    }

    fn make_manager(&self) -> Result<(), Error> {
        let url = |name: &str| self.directory.join(name).display().to_string();
        let mut manager = ManagerRepository::new("acme/previews".parse()?, StackManager::Dayfly);
        manager.clone_urls = BTreeMap::from([
            (self.service_name.to_string(), url("service")),
            (self.infra_name.to_string(), url("infra")),
        ]);
        let service = NewService {
            name: "hello-service".parse()?,
            service_repository: self.service_name.clone(),
            infra_repository: self.infra_name.clone(),
            domain: "preview.example.com".parse()?,
            manager: Some(manager.repository.clone()),
        };
        let mut files = generate::manager_repository(&manager)?;
        for file in files.iter_mut().filter(|file| file.path == "main.tf") {
            if let Some(text) = generate::with_service_call(&file.text, &service)? {
                file.text = text;
            }
        }
        files.extend(generate::service(&service)?);
        let repository = Repository::open_or_create(self.directory.join("manager"))?;
        commit(
            &repository,
            MAIN,
            None,
            files,
            "Make the manager repository",
        )?;
        Ok(())
    }

    pub(super) fn manager(&self) -> Manager {
        let path = self.directory.join("manager").display().to_string();
        Manager {
            remote: Remote::new(&path, None),
            branch: None,
            variables: Default::default(),
        }
    }

    pub(super) fn data_directory(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(super) fn page(&self, environment: &str) -> PathBuf {
        self.directory
            .join("pages")
            .join(format!("{environment}.html"))
    }

    /// The pages there are, by name.
    pub(super) fn pages(&self) -> Result<Vec<String>, Error> {
        list(&self.directory.join("pages"))
    }

    /// The stacks of which a state is kept.
    pub(super) fn states(&self) -> Result<Vec<String>, Error> {
        list(&self.data_directory().join("states"))
    }

    /// Commits to a branch of the service and builds the commit's artifact.
    pub(super) fn commit_service(
        &self,
        branch: &str,
        parent: Option<&CommitId>,
        greeting: &str,
    ) -> Result<CommitId, Error> {
        let files = vec![GeneratedFile {
            path: "greeting.txt".to_owned(),
            text: format!("{greeting}\n"),
        }];
        let id = commit(&self.service, branch, parent, files, greeting)?;
        self.publish(&id, id.as_str())?;
        Ok(id)
    }

    /// What the service's CI does: the commit's greeting becomes an artifact under `version`.
    fn publish(&self, commit: &CommitId, version: &str) -> Result<(), Error> {
        use crate::files::Files;
        let artifact = self
            .service
            .tree(commit)?
            .read("greeting.txt")?
            .unwrap_or_default();
        let path = self
            .directory
            .join("artifacts")
            .join(format!("{version}.txt"));
        Ok(fs::write(&path, artifact).map_err(|source| disk("write", &path, source))?)
    }

    /// Commits to a branch of the infrastructure.
    pub(super) fn commit_infra(
        &self,
        branch: &str,
        parent: Option<&CommitId>,
        layout: &str,
    ) -> Result<CommitId, Error> {
        let files = generate::demo_infra(
            &self.directory.join("artifacts").display().to_string(),
            &self.directory.join("pages").display().to_string(),
            layout,
        )?;
        commit(
            &self.infra,
            branch,
            parent,
            files,
            &format!("Lay it out {layout}"),
        )
    }

    pub(super) fn service_tip(&self) -> Result<Option<CommitId>, Error> {
        Ok(self.service.branch_tip(MAIN)?)
    }

    pub(super) fn infra_tip(&self) -> Result<Option<CommitId>, Error> {
        Ok(self.infra.branch_tip(MAIN)?)
    }

    pub(super) fn delete_branches(&self, service: &str, infra: &str) -> Result<(), Error> {
        self.service.delete_branch(service)?;
        Ok(self.infra.delete_branch(infra)?)
    }
}

/// Who commits in the demo, whoever runs it.
pub(super) fn demo_committer() -> Committer {
    Committer {
        signature: Signature::new("dayfly demo", "demo@dayfly.example"),
        key: None,
    }
}

/// Commits `files` on top of `parent` and moves the branch there.
fn commit(
    repository: &Repository,
    branch: &str,
    parent: Option<&CommitId>,
    files: Vec<GeneratedFile>,
    message: &str,
) -> Result<CommitId, Error> {
    let edits: Vec<Edit> = files
        .into_iter()
        .map(|file| Edit::Write {
            path: file.path,
            bytes: file.text.into_bytes(),
        })
        .collect();
    let who = demo_committer();
    let (author, now) = (&who.signature, clock::now());
    let commit = repository.commit_edits(parent, &edits, message, author, &who, now)?;
    let told = || format!("a commit to {branch} of {}", repository.path().display());
    let commit = commit.ok_or_else(|| DemoError::NotAsTold {
        told: told(),
        found: "nothing changed".to_owned(),
    })?;
    repository.set_branch(branch, &commit)?;
    Ok(commit)
}

fn list(directory: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| disk("list", directory, source);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        names.push(
            entry
                .map_err(failed)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Ok(names)
}

pub(super) fn disk(doing: &'static str, path: &Path, source: std::io::Error) -> DemoError {
    DemoError::Disk {
        doing,
        path: path.to_owned(),
        source,
    }
}
