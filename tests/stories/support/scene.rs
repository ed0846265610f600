//! A service with its three repositories, ready for pull requests.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::world::Output;
use super::{BareRepository, World};

/// Where the service's pull requests and the infrastructure's come from.
pub(crate) const SERVICE: &str = "acme/hello-service";
pub(crate) const INFRA: &str = "acme/hello-infra";
/// The ids of the pull requests that the stories open.
pub(crate) const SERVICE_10: &str = "ca6d5eab";
pub(crate) const INFRA_7: &str = "3eac152a";

/// An infra module whose previews are pages on disk.
const MODULE: &str = r#"
variable "environment" {}
variable "code_version" {}
variable "layout" { default = "plain" }

resource "terraform_data" "page" {
  triggers_replace = {
    path = "PAGES/${var.environment}.html"
    text = "${var.code_version} ${var.layout}"
  }
  provisioner "local-exec" {
    command = "printf %s '${self.triggers_replace.text}' > '${self.triggers_replace.path}'"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "rm '${self.triggers_replace.path}'"
  }
}

output "text" { value = terraform_data.page.triggers_replace.text }
"#;

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) manager: BareRepository,
    pub(crate) infra: BareRepository,
    /// Minutes of the events' clock.
    minute: std::cell::Cell<u32>,
}

impl Scene {
    /// A manager repository with the service `hello-service`, made as a user makes it, and an
    /// infra repository; both behind the server.
    pub(crate) fn new() -> Self {
        Self::inside(World::new())
    }

    /// The same, in a world whose server may ask for a token.
    pub(crate) fn inside(world: World) -> Self {
        let infra = world.repository(INFRA);
        fs::create_dir(world.path("pages")).unwrap();
        let module = MODULE.replace("PAGES", world.path("pages").to_str().unwrap());
        infra.commit("main", &[("main.tf", &module), ("common/main.tf", "")]);

        world
            .dayfly(&["init", "previews", "--repository", "acme/previews"])
            .succeeded();
        let add = [
            "service",
            "add",
            "hello-service",
            "--directory",
            "previews",
            "--service-repository",
            SERVICE,
            "--infra-repository",
            INFRA,
            "--domain",
            "preview.example.com",
        ];
        world.dayfly(&add).succeeded();
        let settings = world.path("previews").join("dayfly.hcl");
        let text = fs::read_to_string(&settings).unwrap();
        let text = text.replace("https://github.com/", &world.server.url(""));
        fs::write(&settings, text).unwrap();
        world.git(
            &world.path("previews"),
            &["commit", "--quiet", "--all", "--message", "Here"],
        );
        let manager = world.repository("acme/previews");
        let to = manager.path.to_str().unwrap();
        world.git(
            &world.path("previews"),
            &["push", "--quiet", to, "HEAD:main"],
        );
        Self {
            world,
            manager,
            infra,
            minute: std::cell::Cell::new(0),
        }
    }

    /// Runs the binary on the manager repository.
    pub(crate) fn dayfly(&self, arguments: &[&str]) -> Output {
        let mut all = arguments.to_vec();
        all.extend(["--manager", &self.manager.url]);
        self.world.dayfly(&all)
    }

    fn with_data(&self, arguments: &[&str]) -> Vec<String> {
        let data = self.world.path("data").to_str().unwrap().to_owned();
        let mut all: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        all.extend(["--data-dir".to_owned(), data]);
        all
    }

    /// Commits another text in a file of the manager repository, in the place of one that stands there.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.manager.read("main", path).unwrap();
        assert!(text.contains(from), "{path} has no {from}");
        self.manager
            .commit("main", &[(path, &text.replace(from, to))]);
    }

    /// `dayfly apply`.
    pub(crate) fn apply(&self) -> Output {
        self.apply_with(&[])
    }

    pub(crate) fn apply_with(&self, arguments: &[&str]) -> Output {
        let mut all =
            self.with_data(&["apply", "--output", "json", "--manager", &self.manager.url]);
        all.extend(arguments.iter().map(|&word| word.to_owned()));
        self.world.dayfly(&all)
    }

    /// `dayfly plan`, for people.
    pub(crate) fn plan(&self) -> Output {
        self.world
            .dayfly(&self.with_data(&["plan", "--manager", &self.manager.url]))
    }

    pub(crate) fn data(&self, arguments: &[&str]) -> Output {
        self.world.dayfly(&self.with_data(arguments))
    }

    /// The runs that an apply made, as `stack TYPE STATE`, sorted.
    pub(crate) fn runs_of(applied: &Output) -> Vec<String> {
        let parsed = applied.json();
        let word = |run: &Value, name: &str| run[name].as_str().unwrap().to_owned();
        let runs = parsed["runs"].as_array().unwrap();
        let mut runs: Vec<String> = runs
            .iter()
            .map(|run| {
                format!(
                    "{} {} {}",
                    word(run, "stack"),
                    word(run, "type"),
                    word(run, "state")
                )
            })
            .collect();
        runs.sort();
        runs
    }

    /// The stacks that `dayfly status` shows, by id.
    pub(crate) fn stacks(&self) -> Vec<String> {
        let status = self.data(&["status", "--output", "json"]).json();
        let stacks = status["stacks"].as_array().unwrap();
        stacks
            .iter()
            .map(|stack| stack["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// A pull request's event, sent as a workflow sends it; each is a minute after the one before.
    pub(crate) fn event(&self, action: &str, pull_request: &PullRequest) -> Value {
        self.event_output(action, pull_request).succeeded().json()
    }

    pub(crate) fn event_output(&self, action: &str, pull_request: &PullRequest) -> Output {
        self.minute.set(self.minute.get() + 1);
        self.event_at(self.minute.get(), action, pull_request)
    }

    /// The event of a given minute; one below zero was before all others.
    pub(crate) fn event_at(
        &self,
        minute: impl Into<i64>,
        action: &str,
        pull_request: &PullRequest,
    ) -> Output {
        let path = self.world.path("event.json");
        fs::write(&path, pull_request.payload(action, minute).to_string()).unwrap();
        let path = path.to_str().unwrap();
        self.dayfly(&[
            "event",
            "--event-name",
            "pull_request_target",
            "--event-path",
            path,
            "--output",
            "json",
        ])
    }

    /// The page of an environment, if it stands.
    pub(crate) fn page(&self, environment: &str) -> Option<String> {
        fs::read_to_string(self.world.path("pages").join(format!("{environment}.html"))).ok()
    }

    /// The path of an environment file in the manager repository.
    pub(crate) fn file(pull_request: &PullRequest, id: &str) -> String {
        let name = pull_request.repository.replace('/', "-");
        format!(
            "hello-service/environments/{name}-{}-{id}.tf",
            pull_request.number
        )
    }

    pub(crate) fn states(&self) -> PathBuf {
        self.world.path("data").join("states")
    }
}

/// A pull request as GitHub would describe it.
#[derive(Clone)]
pub(crate) struct PullRequest {
    pub(crate) repository: String,
    pub(crate) number: u64,
    pub(crate) sha: String,
    pub(crate) branch: String,
    pub(crate) labels: Vec<String>,
    pub(crate) is_fork: bool,
}

impl PullRequest {
    pub(crate) fn new(repository: &str, number: u64, sha: &str, branch: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            number,
            sha: sha.to_owned(),
            branch: branch.to_owned(),
            labels: Vec::new(),
            is_fork: false,
        }
    }

    /// The pull request of the service that most stories open.
    pub(crate) fn service() -> Self {
        Self::new(SERVICE, 10, &"a".repeat(40), "feature")
    }

    pub(crate) fn at(&self, sha: &str) -> Self {
        Self {
            sha: sha.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn payload(&self, action: &str, minute: impl Into<i64>) -> Value {
        let id = if self.repository == INFRA { 79 } else { 77 };
        let repository = json!({ "id": id, "full_name": self.repository });
        let head = if self.is_fork {
            json!({ "id": 78, "full_name": "eve/fork" })
        } else {
            repository.clone()
        };
        let labels: Vec<Value> = self
            .labels
            .iter()
            .map(|name| json!({ "name": name }))
            .collect();
        let midnight: jiff::Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        let at = midnight + jiff::SignedDuration::from_mins(minute.into());
        json!({
            "action": action,
            "number": self.number,
            "repository": repository,
            "pull_request": {
                "number": self.number,
                "title": "A title with ${file(\"/etc/passwd\")} and \"quotes\"",
                "state": if action == "closed" { "closed" } else { "open" },
                "draft": false,
                "updated_at": at.to_string(),
                "head": { "sha": self.sha, "ref": self.branch, "repo": head },
                "base": { "sha": "0".repeat(40), "ref": "main", "repo": repository },
                "labels": labels,
            },
        })
    }
}
