//! A service on a GitHub whose events get lost, and sweeps that find out.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::git_server::Held;
use super::world::Output;
use super::{FakeGithub, GithubScene, Grant, Hold, INFRA, MANAGER, PullRequest, SERVICE, Scene};

/// A token that writes the manager repository and reads pull requests of the sources.
pub(crate) const SWEEPER: &str = "ghp_sweeper";
const RULES: &str = "hello-service/service.hcl";

pub(crate) struct SweepScene {
    pub(crate) github: GithubScene,
    minute: std::cell::Cell<u32>,
}

/// What a sweep told of one environment: its number, what was done, and why.
pub(crate) type Row = (u64, String, String);

impl SweepScene {
    pub(crate) fn new() -> Self {
        let github = GithubScene::new();
        github.github.repository(INFRA, 79, None);
        let scene = Self {
            github,
            minute: std::cell::Cell::new(0),
        };
        scene.grant(&[MANAGER, SERVICE, INFRA]);
        scene
    }

    /// Lets the sweeper's token see these repositories and no others.
    pub(crate) fn grant(&self, repositories: &[&str]) {
        let permissions = [("contents", "write"), ("pull_requests", "read")];
        self.fake()
            .token(SWEEPER, Grant::new(repositories, &permissions));
    }

    /// The same, with environments that expire after three days.
    pub(crate) fn expiring() -> Self {
        let scene = Self::new();
        scene.set("# expire {", "expire {");
        scene
    }

    /// Changes the rules of the service, as a person does.
    pub(crate) fn set(&self, from: &str, to: &str) {
        let rules = self.scene().manager.read("main", RULES).unwrap();
        assert!(rules.contains(from), "{from} in {rules}");
        let rules = rules.replacen(from, to, 1);
        self.scene().manager.commit("main", &[(RULES, &rules)]);
    }

    pub(crate) fn scene(&self) -> &Scene {
        &self.github.scene
    }

    pub(crate) fn fake(&self) -> &FakeGithub {
        &self.github.github
    }

    /// An event that arrives, without anybody asking GitHub.
    #[track_caller]
    pub(crate) fn event(&self, action: &str, pull_request: &PullRequest) -> Value {
        self.minute.set(self.minute.get() + 1);
        let output = self
            .scene()
            .event_at(self.minute.get(), action, pull_request);
        output.succeeded().json()
    }

    /// An event of so many minutes after the first midnight.
    #[track_caller]
    pub(crate) fn event_at(&self, minute: u32, action: &str, pull_request: &PullRequest) -> Value {
        let output = self.scene().event_at(minute, action, pull_request);
        output.succeeded().json()
    }

    /// Somebody opens a pull request of the service, and its event arrives.
    pub(crate) fn open(&self, number: u64) -> PullRequest {
        let pull_request = of(number);
        self.fake().open(SERVICE, number, &pull_request.sha);
        self.event("opened", &pull_request);
        pull_request
    }

    /// `dayfly sweep`, as a scheduled job runs it.
    pub(crate) fn sweeping(&self, arguments: &[&str]) -> Output {
        let mut words = vec!["sweep"];
        words.extend(arguments);
        self.github.dayfly(&[("DAYFLY_TOKEN", SWEEPER)], &words)
    }

    /// The same, if it succeeded: what it told.
    #[track_caller]
    pub(crate) fn sweep(&self, arguments: &[&str]) -> Value {
        self.sweeping(arguments).succeeded().json()
    }

    /// A sweep that has heard GitHub's answers, and whose push is held on its way.
    pub(crate) fn sweep_held(&self) -> (Held, Child) {
        let mut is_first = true;
        let held = self
            .scene()
            .world
            .server
            .hold(Hold::Before, move |path, _| {
                path.ends_with("git-receive-pack") && std::mem::take(&mut is_first)
            });
        let mut command = self.command(env!("CARGO_BIN_EXE_dayfly"));
        command.args(["sweep", "--output", "json"]);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        held.wait();
        (held, child)
    }

    /// The numbers of the pull requests that have an environment.
    pub(crate) fn standing(&self) -> Vec<u64> {
        let files = self.scene().manager.files("main");
        let environments = files
            .iter()
            .filter(|file| file.contains("/environments/acme-"));
        let mut numbers: Vec<u64> = environments
            .map(|file| file.rsplit('-').nth(1).unwrap().parse().unwrap())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// An environment file of the service.
    pub(crate) fn file(&self, number: u64) -> Option<String> {
        let files = self.scene().manager.files("main");
        let middle = format!("-{number}-");
        let path = files.into_iter().find(|file| file.contains(&middle))?;
        self.scene().manager.read("main", &path)
    }

    /// A command of a person about a pull request of the service, with the sweeper's token.
    pub(crate) fn person(&self, command: &str, number: u64, arguments: &[&str]) -> Output {
        let id = format!("{SERVICE}#{number}");
        let mut words = vec!["env", command, &id];
        words.extend(arguments);
        self.github.dayfly(&[("DAYFLY_TOKEN", SWEEPER)], &words)
    }

    /// What the manager repository remembers, by kind.
    pub(crate) fn remembered(&self, kind: &str) -> usize {
        let names = format!("refs/dayfly/{kind}");
        let names = self
            .scene()
            .manager
            .git(&["for-each-ref", "--format=%(refname)", &names]);
        names.lines().count()
    }

    /// A process of the binary, prepared to sweep for people.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.scene().world.command(program);
        command
            .env("GITHUB_API_URL", self.fake().url())
            .env("DAYFLY_TOKEN", SWEEPER)
            .env("DAYFLY_MANAGER", &self.scene().manager.url);
        command
    }
}

/// A pull request of the service.
pub(crate) fn of(number: u64) -> PullRequest {
    PullRequest::new(
        SERVICE,
        number,
        &"a".repeat(40),
        &format!("change-{number}"),
    )
}

/// The rows of a sweep, sorted by number.
pub(crate) fn rows(told: &Value) -> Vec<Row> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = told["environments"].as_array().unwrap();
    let mut rows: Vec<Row> = rows
        .iter()
        .map(|row| {
            let id = word(&row["pull_request"]);
            let number = id.rsplit('#').next().unwrap().parse().unwrap_or_default();
            (number, word(&row["action"]), word(&row["reason"]))
        })
        .collect();
    rows.sort();
    rows
}

/// The actions of a sweep, by number.
pub(crate) fn actions(told: &Value) -> Vec<(u64, String)> {
    let rows = rows(told).into_iter();
    rows.map(|(number, action, _)| (number, action)).collect()
}

/// The actions that are expected.
pub(crate) fn told(rows: &[(u64, &str)]) -> Vec<(u64, String)> {
    let rows = rows.iter();
    rows.map(|(number, action)| (*number, (*action).to_owned()))
        .collect()
}
