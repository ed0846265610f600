//! Runs of small modules with the real tool: `terraform_data` needs no provider.

mod destroy;
mod isolation;
mod kept_init;
mod limits;
mod tracked;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use super::{
    Hold, Hooks, HostEnvironment, Journal, JournalFailure, Outcome, RunPlan, RunnerError, Secrets,
    StateOwner, StopSignal, Stops, Verdict, execute, found,
};
use crate::run::{RunEvent, RunId, RunState, RunType};

/// A page on disk, as the demo's module makes it: a new version writes it again, a destroy
/// removes it.
const PAGE: &str = r#"
variable "version_of_code" {}
variable "page" {}

resource "terraform_data" "page" {
  triggers_replace = var.version_of_code
  input            = { page = var.page }

  provisioner "local-exec" {
    command = "printf %s '${var.version_of_code}' > '${var.page}'"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "rm '${self.output.page}'"
  }
}

output "url" { value = "file://${var.page}" }
output "key" {
  value     = "hidden"
  sensitive = true
}
"#;

/// A stack: its workspace, and all that outlives it.
struct Scene {
    directory: TempDir,
    plan: RunPlan,
}

impl Scene {
    fn new(module: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        fs::create_dir(at("workspace")).unwrap();
        fs::write(at("workspace/main.tf"), module).unwrap();
        let plan = RunPlan {
            run: RunId::new("01RUN"),
            kind: RunType::Tracked,
            from: RunState::Preparing,
            stack: "hello".to_owned(),
            repository: "acme/hello-infra".to_owned(),
            commit: "68a0e42".to_owned(),
            workspace: at("workspace"),
            around: at("workspace"),
            project_root: String::new(),
            host: host(),
            pass_environment: BTreeMap::new(),
            supplied: BTreeMap::new(),
            variables: BTreeMap::new(),
            writing: None,
            mounted_files: Vec::new(),
            hooks: Hooks::default(),
            state: StateOwner::Managed {
                file: at("states/hello.tfstate"),
            },
            plugin_cache: at("plugins"),
            kept_init: Some(at("initialized/hello")),
            shared_inits: None,
            plan_file: at("plans/01RUN"),
            log: at("runs/01RUN.log"),
            secrets: Vec::new(),
            time_limit: Duration::from_secs(120),
            silence_limit: Duration::from_secs(120),
            grace: Duration::from_secs(20),
            autodeploy: true,
            is_reviewed: false,
        };
        Self { directory, plan }
    }

    /// A stack with [`PAGE`], at its first version.
    fn page() -> Self {
        let mut scene = Self::new(PAGE);
        let page = scene.path("page").display().to_string();
        scene.set("TF_VAR_page", &page);
        scene.set("TF_VAR_version_of_code", "v1");
        scene
    }

    fn set(&mut self, name: &str, value: &str) {
        self.plan
            .variables
            .insert(name.to_owned(), value.to_owned());
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn log(&self) -> String {
        self.read("runs/01RUN.log")
    }

    async fn run(&self, kind: RunType) -> Outcome {
        self.run_with(kind, &mut Book::default()).await.unwrap()
    }

    async fn run_with(&self, kind: RunType, book: &mut Book) -> Result<Outcome, RunnerError> {
        let (_never, stop) = watch::channel(false);
        self.run_until(kind, book, stop).await
    }

    async fn run_until(
        &self,
        kind: RunType,
        book: &mut Book,
        all: StopSignal,
    ) -> Result<Outcome, RunnerError> {
        let (_never, this) = watch::channel(false);
        self.run_with_stops(kind, book, Stops { all, this }).await
    }

    async fn run_with_stops(
        &self,
        kind: RunType,
        book: &mut Book,
        stops: Stops,
    ) -> Result<Outcome, RunnerError> {
        let tool = found(None, &self.plan.host).await?;
        let plan = RunPlan {
            kind,
            ..self.plan.clone()
        };
        let hold = Hold::try_take(&self.path("hold"), &plan.run).unwrap();
        execute(&tool, &plan, &hold.unwrap(), book, stops).await
    }
}

/// A journal that remembers, and says what it was told to say.
#[derive(Default)]
struct Book {
    entered: Vec<RunState>,
    judged: Option<Value>,
    verdict: Option<Verdict>,
    refuses: Option<RunState>,
    /// Written when the plan is judged.
    meanwhile: Option<(PathBuf, String)>,
}

impl Book {
    fn saying(verdict: Verdict) -> Self {
        Self {
            verdict: Some(verdict),
            ..Self::default()
        }
    }
}

impl Journal for Book {
    fn enter(&mut self, _: RunEvent, state: RunState) -> Result<(), JournalFailure> {
        if self.refuses == Some(state) {
            return Err("the disk is full".into());
        }
        self.entered.push(state);
        Ok(())
    }

    fn judge(&mut self, plan_json: &Value, _secrets: &Secrets) -> Verdict {
        self.judged = Some(plan_json.clone());
        if let Some((path, text)) = &self.meanwhile {
            fs::write(path, text).unwrap();
        }
        self.verdict.clone().unwrap_or(Verdict::Pass)
    }
}

/// The host as the tests find it, with tokens that no child may see.
#[expect(clippy::disallowed_methods, reason = "stands for the configuration")]
fn host() -> HostEnvironment {
    let mut host = BTreeMap::from([
        ("PATH".to_owned(), std::env::var("PATH").unwrap()),
        ("HOME".to_owned(), "/nonexistent".to_owned()),
    ]);
    for name in ["GITHUB_TOKEN", "DAYFLY_TOKEN", "AWS_SECRET_ACCESS_KEY"] {
        host.insert(name.to_owned(), "do-not-pass".to_owned());
    }
    HostEnvironment(host)
}

fn reason(outcome: &Outcome) -> String {
    outcome
        .reason
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
