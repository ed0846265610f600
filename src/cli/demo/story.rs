//! What happens in the demo, step by step, each held against what was told.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::json;

use super::DemoError;
use super::stage::{MAIN, Stage, demo_committer, disk};
use crate::cli::arguments::Cache;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::{apply, changes};
use crate::clock::{self, Time};
use crate::config::{self, Tokens};
use crate::error::Error;
use crate::event::{PullRequestId, RepositoryName};
use crate::git::CommitId;
use crate::github::webhook;
use crate::manager::{self, Outcome, Wish, Word};
use crate::reconcile::{self, Applied, Apply};
use crate::run::{RunState, RunType};
use crate::runner::HostEnvironment;
use crate::store::Store;

const SERVICE_BRANCH: &str = "feature/warm-greeting";
const INFRA_BRANCH: &str = "feature/wide-layout";
const SERVICE_NUMBER: u64 = 10;
const INFRA_NUMBER: u64 = 7;
const COMMON: &str = "hello-service-common";
/// Nobody else writes here.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Story<'a> {
    stage: &'a Stage,
    output: &'a Output,
    steps: Vec<Step>,
    /// The clock of the events: each is a minute after the one before.
    now: Time,
}

#[derive(Serialize)]
pub(super) struct Step {
    told: String,
    details: Vec<String>,
}

/// One of the two pull requests, once its environment stands.
struct Preview {
    environment: String,
    stack: String,
    path: String,
    head: CommitId,
}

impl<'a> Story<'a> {
    pub(super) fn new(stage: &'a Stage, output: &'a Output) -> Self {
        Self {
            stage,
            output,
            steps: Vec::new(),
            now: clock::now()
                .checked_sub(Duration::from_secs(600))
                .unwrap_or_default(),
        }
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The whole story.
    pub(super) fn whole(&mut self) -> Result<(), Error> {
        let (service, infra) = self.open()?;
        self.push_to_service(&service)?;
        self.push_to_infra(&infra)?;
        self.close(&service, &infra)
    }

    /// The story until both previews stand, and how to go on by hand.
    pub(super) fn until_both_stand(&mut self) -> Result<(), Error> {
        let (service, _) = self.open()?;
        // A commit to go on with: its artifact is built, its pull request does not know it yet.
        let next =
            self.stage
                .commit_service(SERVICE_BRANCH, Some(&service.head), "Good evening")?;
        let directory = self.stage.directory.display();
        let pull_request = format!("'acme/hello-service#{SERVICE_NUMBER}'");
        let manager = format!("--manager {}", quoted(&format!("{directory}/manager")));
        let data = format!("--data-dir {}", quoted(&format!("{directory}/data")));
        self.tell("go on by hand:", vec![
            format!("dayfly env show {pull_request} {manager}"),
            format!("dayfly env upsert {pull_request} {manager} --head-sha {next} --head-branch {SERVICE_BRANCH} && dayfly plan {manager} {data}"),
            format!("dayfly apply {manager} {data}"),
            format!("dayfly status {data}"),
            format!("dayfly env delete {pull_request} {manager} && dayfly apply {manager} {data}"),
        ]);
        Ok(())
    }

    fn open(&mut self) -> Result<(Preview, Preview), Error> {
        let directory = self.stage.directory.display().to_string();
        self.tell(
            "three repositories: service, infra and manager",
            vec![format!(
                "in {directory}, bare, on {MAIN}; every commit of the service has its artifact"
            )],
        );
        let base = self.stage.service_tip()?;
        let head = self
            .stage
            .commit_service(SERVICE_BRANCH, base.as_ref(), "Good morning")?;
        let service = self.open_pull_request(true, head)?;
        let base = self.stage.infra_tip()?;
        let head = self
            .stage
            .commit_infra(INFRA_BRANCH, base.as_ref(), "wide")?;
        let infra = self.open_pull_request(false, head)?;

        let applied = self.apply()?;
        let stacks = [&service.stack, &infra.stack];
        self.expect_runs(
            "both previews and their common stack are made",
            &applied,
            &[
                (&service.stack, RunType::Tracked),
                (&infra.stack, RunType::Tracked),
                (COMMON, RunType::Tracked),
            ],
        )?;
        let stacks_made = applied.changes.iter().filter(|it| it.object.is_stack());
        let mut details: Vec<String> = stacks_made.map(changes::short).collect();
        details.extend(described_runs(&applied));
        self.tell("dayfly apply: what is new is made", details);

        let outputs = self.outputs()?;
        let mut details = Vec::new();
        for stack in stacks {
            let of = outputs.get(stack.as_str()).cloned().unwrap_or_default();
            details.push(stack.clone());
            details.extend(of.iter().map(|(name, value)| format!("  {name} = {value}")));
        }
        self.tell("two previews stand, with their outputs", details);
        self.expect_page(
            &service,
            &format!("code_version {}, layout plain", service.head),
        )?;
        self.expect_page(&infra, "code_version latest, layout wide")?;
        Ok((service, infra))
    }

    fn open_pull_request(&mut self, is_service: bool, head: CommitId) -> Result<Preview, Error> {
        let outcome = self.event(is_service, "opened", &head)?;
        let id = pull_request(self.repository(is_service), is_service);
        self.expect(
            &format!("{id} gets a file"),
            "created",
            outcome.action.as_str(),
        )?;
        let environment = outcome.environment.unwrap_or_default();
        let path = outcome.path.unwrap_or_default();
        let cache = Cache::new()?;
        let snapshot = self.stage.manager().snapshot(&cache.repository)?;
        let written = manager::find_environment(snapshot.files(), None, &environment)?;
        let mut details = vec![path.clone()];
        details.extend(written.text.lines().map(|line| format!("  {line}")));
        self.tell(
            &format!("pull request {id} opens: dayfly event writes one file"),
            details,
        );
        Ok(Preview {
            stack: format!("hello-service-{environment}"),
            environment,
            path,
            head,
        })
    }

    fn push_to_service(&mut self, service: &Preview) -> Result<(), Error> {
        let head =
            self.stage
                .commit_service(SERVICE_BRANCH, Some(&service.head), "Good evening")?;
        let outcome = self.event(true, "synchronize", &head)?;
        self.expect(
            "a commit changes the file",
            "updated",
            outcome.action.as_str(),
        )?;
        let applied = self.apply()?;
        self.expect_runs(
            "only that preview runs",
            &applied,
            &[(&service.stack, RunType::Tracked)],
        )?;
        self.expect_page(service, &format!("code_version {head}, layout plain"))?;
        let mut details = vec![format!(
            "{} {}: code_version = {}",
            outcome.action.as_str(),
            service.path,
            head.short()
        )];
        details.extend(described_runs(&applied));
        self.tell(
            "a commit to the service's pull request: its file changes, only its stack runs",
            details,
        );
        Ok(())
    }

    fn push_to_infra(&mut self, infra: &Preview) -> Result<(), Error> {
        let head = self
            .stage
            .commit_infra(INFRA_BRANCH, Some(&infra.head), "narrow")?;
        let outcome = self.event(false, "synchronize", &head)?;
        self.expect(
            "the file names a branch and stays",
            "unchanged",
            outcome.action.as_str(),
        )?;
        let applied = self.apply()?;
        self.expect_runs(
            "only that preview runs",
            &applied,
            &[(&infra.stack, RunType::Tracked)],
        )?;
        self.expect_page(infra, "code_version latest, layout narrow")?;
        let mut details = vec![format!("{} {}", outcome.action.as_str(), infra.path)];
        details.extend(described_runs(&applied));
        self.tell(
            "a commit to the infra pull request's branch: no file changes, only its stack runs",
            details,
        );
        Ok(())
    }

    fn close(&mut self, service: &Preview, infra: &Preview) -> Result<(), Error> {
        self.stage.delete_branches(SERVICE_BRANCH, INFRA_BRANCH)?;
        let mut details = vec!["both branches are deleted before anything is destroyed".to_owned()];
        for (is_service, preview) in [(true, service), (false, infra)] {
            let outcome = self.event(is_service, "closed", &preview.head)?;
            self.expect(
                "a close takes the file away",
                "deleted",
                outcome.action.as_str(),
            )?;
            details.push(format!("{} {}", outcome.action.as_str(), preview.path));
        }
        self.tell("both pull requests close", details);

        let applied = self.apply()?;
        self.expect_runs(
            "both previews are destroyed",
            &applied,
            &[
                (&service.stack, RunType::Destroy),
                (&infra.stack, RunType::Destroy),
            ],
        )?;
        self.tell(
            "dayfly apply: what is gone is destroyed",
            described_runs(&applied),
        );

        let left = self.outputs()?.into_keys().collect::<Vec<_>>();
        self.expect("no stack of a preview is left", COMMON, &left.join(", "))?;
        let states = self.stage.states()?;
        self.expect("no state of a preview is left", COMMON, &states.join(", "))?;
        let pages = self.stage.pages()?;
        self.expect("no page is left", "", &pages.join(", "))?;
        let applied = self.apply()?;
        self.expect_runs("nothing is left to do", &applied, &[])?;
        self.tell(
            "nothing is left of either: no stack, no state, no resource",
            vec![
                format!(
                    "stacks: {} (the common stack outlives its previews)",
                    left.join(", ")
                ),
                format!(
                    "states: {}; pages on disk: {}",
                    states.join(", "),
                    pages.len()
                ),
            ],
        );
        Ok(())
    }

    fn repository(&self, is_service: bool) -> &'a RepositoryName {
        if is_service {
            &self.stage.service_name
        } else {
            &self.stage.infra_name
        }
    }

    /// Sends an event as GitHub would, through the writer.
    fn event(&mut self, is_service: bool, action: &str, head: &CommitId) -> Result<Outcome, Error> {
        self.now = self
            .now
            .checked_add(std::time::Duration::from_secs(60))
            .unwrap_or(self.now);
        let repository = json!({
            "id": if is_service { 1001 } else { 1002 },
            "full_name": self.repository(is_service).to_string(),
        });
        let branch = if is_service {
            SERVICE_BRANCH
        } else {
            INFRA_BRANCH
        };
        let payload = json!({
            "action": action,
            "repository": repository,
            "pull_request": {
                "number": if is_service { SERVICE_NUMBER } else { INFRA_NUMBER },
                "state": if action == "closed" { "closed" } else { "open" },
                "draft": false,
                "updated_at": self.now.to_string(),
                "head": { "sha": head.as_str(), "ref": branch, "repo": repository },
                "base": { "sha": head.as_str(), "ref": MAIN, "repo": repository },
                "labels": [],
            },
        });
        let event = webhook::read_event("pull_request", payload.to_string().as_bytes())?;
        let cache = Cache::new()?;
        let wish = Wish {
            word: Word::Event(event),
            service: None,
        };
        Ok(manager::write(
            &self.stage.manager(),
            &wish,
            &cache.repository,
            &demo_committer(),
            PATIENCE,
        )?)
    }

    fn apply(&self) -> Result<Applied, Error> {
        let progress = Progress::new();
        let manager = self.stage.manager();
        let directory = self.stage.data_directory();
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let options = Apply {
            manager: &manager,
            data_directory: &directory,
            parallelism: cores.get(),
            allow_deletions: None,
            confirmed: None,
            takes_over: false,
            host: HostEnvironment(config::host_environment()),
            tokens: Tokens::default(),
            pull_requests: None,
            stop: apply::stop_signal(),
        };
        let applied = reconcile::apply(&options, &progress, |_| {});
        progress.finish();
        let applied = applied?;
        let wrong: Vec<String> = applied
            .problems
            .iter()
            .map(ToString::to_string)
            .chain(applied.unreachable.iter().map(ToString::to_string))
            .collect();
        self.expect("the manager repository is sound", "", &wrong.join("; "))?;
        Ok(applied)
    }

    /// The stacks that stand, with their outputs.
    fn outputs(&self) -> Result<BTreeMap<String, BTreeMap<String, serde_json::Value>>, Error> {
        let store = Store::open(&self.stage.data_directory())?;
        let mut stacks = store.objects()?;
        stacks.retain(crate::stack::Object::is_stack);
        let outputs = stacks.iter().map(|stack| {
            let record = store.stack(&crate::stack::StackId::new(stack.id()))?;
            Ok((stack.id().to_owned(), record.outputs))
        });
        outputs.collect()
    }

    fn expect_runs(
        &self,
        told: &str,
        applied: &Applied,
        expected: &[(&str, RunType)],
    ) -> Result<(), Error> {
        let describe =
            |runs: &BTreeSet<String>| runs.iter().cloned().collect::<Vec<_>>().join(", ");
        let expected = expected
            .iter()
            .map(|(stack, kind)| format!("{stack} {kind} {}", RunState::Finished))
            .collect();
        let found = applied
            .runs
            .iter()
            .map(|run| {
                let note = run
                    .note
                    .as_ref()
                    .map(|note| format!(" ({note})"))
                    .unwrap_or_default();
                format!("{} {} {}{note}", run.stack, run.kind, run.state)
            })
            .collect();
        self.expect(told, &describe(&expected), &describe(&found))
    }

    fn expect_page(&self, preview: &Preview, part: &str) -> Result<(), Error> {
        let path = self.stage.page(&preview.environment);
        let text = std::fs::read_to_string(&path).map_err(|source| disk("read", &path, source))?;
        let found = if text.contains(part) {
            part
        } else {
            text.trim()
        };
        self.expect(&format!("the page of {}", preview.stack), part, found)
    }

    fn expect(&self, told: &str, expected: &str, found: &str) -> Result<(), Error> {
        if expected == found {
            return Ok(());
        }
        let quoted = |text: &str| {
            if text.is_empty() {
                "nothing".to_owned()
            } else {
                format!("`{text}`")
            }
        };
        Err(DemoError::NotAsTold {
            told: format!("{told}: {}", quoted(expected)),
            found: quoted(found),
        }
        .into())
    }

    fn tell(&mut self, told: &str, details: Vec<String>) {
        if !self.output.is_json() {
            let number = self.steps.len() + 1;
            self.output.data(format_args!(
                "{} {}",
                format!("{number}.").bold(),
                told.bold()
            ));
            for line in &details {
                self.output.data(format_args!("   {line}"));
            }
        }
        self.steps.push(Step {
            told: told.to_owned(),
            details,
        });
    }
}

fn pull_request(repository: &RepositoryName, is_service: bool) -> PullRequestId {
    let number = if is_service {
        SERVICE_NUMBER
    } else {
        INFRA_NUMBER
    };
    PullRequestId {
        repository: repository.clone(),
        number,
    }
}

/// A path as a shell reads it.
fn quoted(path: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-".contains(letter);
    if path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

fn described_runs(applied: &Applied) -> Vec<String> {
    applied
        .runs
        .iter()
        .map(|run| {
            format!(
                "run {} of {}: {} {}",
                run.id, run.stack, run.kind, run.state
            )
        })
        .collect()
}
