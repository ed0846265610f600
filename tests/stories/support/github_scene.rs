//! A service with its repositories, and a GitHub that knows of them.

use std::fs;

use serde_json::Value;

use super::world::Output;
use super::{FakeGithub, Grant, PullRequest, SERVICE, Scene, World};

/// The manager repository's name.
pub(crate) const MANAGER: &str = "acme/previews";
/// A person's token, that may write the manager repository and its pull requests.
pub(crate) const TOKEN: &str = "ghp_writer";

pub(crate) struct GithubScene {
    pub(crate) scene: Scene,
    pub(crate) github: FakeGithub,
}

impl GithubScene {
    pub(crate) fn new() -> Self {
        Self::inside(World::new())
    }

    pub(crate) fn inside(world: World) -> Self {
        let scene = Scene::inside(world);
        let github = FakeGithub::start();
        github.repository(MANAGER, 5, Some(&scene.manager.path));
        github.repository(SERVICE, 77, None);
        let grant = Grant::new(
            &[MANAGER],
            &[("contents", "write"), ("pull_requests", "write")],
        );
        github.token(TOKEN, grant);
        Self { scene, github }
    }

    /// Runs the binary on the manager repository, with GitHub's address and these variables.
    pub(crate) fn dayfly(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        let api = self.github.url();
        let mut all = vec![("GITHUB_API_URL", api.as_str())];
        all.extend(variables);
        let mut words = arguments.to_vec();
        words.extend(["--manager", &self.scene.manager.url, "--output", "json"]);
        self.scene.world.dayfly_with(&all, &words)
    }

    /// The arguments that send an event.
    pub(crate) fn event(
        &self,
        minute: u32,
        action: &str,
        pull_request: &PullRequest,
    ) -> Vec<String> {
        let name = format!("event-{action}-{minute}.json");
        let path = self.scene.world.path(&name);
        fs::write(&path, pull_request.payload(action, minute).to_string()).unwrap();
        let words = [
            "event",
            "--event-name",
            "pull_request_target",
            "--event-path",
            path.to_str().unwrap(),
        ];
        words.map(str::to_owned).to_vec()
    }

    /// An event with `--propose`, whatever comes of it.
    pub(crate) fn proposing(
        &self,
        minute: u32,
        action: &str,
        pull_request: &PullRequest,
    ) -> Output {
        let words = self.event(minute, action, pull_request);
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.push("--propose");
        self.dayfly(&[("DAYFLY_TOKEN", TOKEN)], &words)
    }

    /// The same, if it succeeded: the outcome.
    #[track_caller]
    pub(crate) fn propose(&self, minute: u32, action: &str, pull_request: &PullRequest) -> Value {
        self.proposing(minute, action, pull_request)
            .succeeded()
            .json()
    }

    /// The pull requests on the manager repository: number and state.
    pub(crate) fn proposals(&self) -> Vec<(u64, String)> {
        let state = |pull: &Value| {
            let word = pull["state"].as_str().unwrap();
            if pull["merged_at"].is_string() {
                "merged"
            } else {
                word
            }
            .to_owned()
        };
        let pulls = self.github.pulls(MANAGER);
        pulls
            .iter()
            .map(|pull| (pull["number"].as_u64().unwrap(), state(pull)))
            .collect()
    }
}
