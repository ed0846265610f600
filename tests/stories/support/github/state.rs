//! What the fake knows: repositories, pull requests, tokens, its clock and its troubles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use axum::http::request::Parts;
use serde_json::{Value, json};

use super::app::App;
use super::comments::Comment;
use super::failures::Failing;
use super::limits::Limit;

pub(super) struct World {
    /// The server's own address, for links.
    pub(super) base: String,
    pub(super) repositories: Vec<Repository>,
    pub(super) tokens: BTreeMap<String, Grant>,
    pub(super) apps: Vec<App>,
    pub(super) trouble: Option<Trouble>,
    pub(super) failures: Vec<Failing>,
    /// Former names of repositories, and their numbers.
    pub(super) renamed: BTreeMap<String, u64>,
    /// Whether lists have not noticed yet what has closed.
    pub(super) is_behind: bool,
    pub(super) requests: Vec<String>,
    pub(super) remaining: i64,
    /// With the second since when it holds.
    pub(super) limit: Option<(Limit, Option<i64>)>,
    pub(super) comments: Vec<Comment>,
    pub(super) last_comment: u64,
    /// Pull requests whose conversation is locked.
    pub(super) locked: Vec<(String, u64)>,
    pub(super) reviews: Vec<Review>,
    /// Repository, commit, and what was said of it.
    pub(super) statuses: Vec<(String, String, Value)>,
    /// Seconds of its own clock: each change is later than the one before.
    clock: i64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Every call is answered 502.
    Down,
    /// Every call that changes something is answered 502, and changes nothing.
    NoWrites,
    /// The limit is used up.
    RateLimit,
    /// Too much in too short a time.
    SecondaryLimit,
    /// No answer ever comes.
    Hangs,
}

/// What a token may see and do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grant {
    pub(crate) repositories: Vec<String>,
    /// By name, `read` or `write`.
    pub(crate) permissions: BTreeMap<String, String>,
    /// Seconds of the real clock.
    pub(crate) expires: Option<i64>,
    /// Whose it is: a workflow's own token is `github-actions[bot]`'s.
    pub(crate) login: String,
}

impl Grant {
    pub(crate) fn new(repositories: &[&str], permissions: &[(&str, &str)]) -> Self {
        Self {
            repositories: repositories.iter().map(|name| (*name).to_owned()).collect(),
            permissions: permissions
                .iter()
                .map(|(name, level)| ((*name).to_owned(), (*level).to_owned()))
                .collect(),
            expires: None,
            login: "github-actions[bot]".to_owned(),
        }
    }

    /// The same, as somebody else's.
    pub(crate) fn of(mut self, login: &str) -> Self {
        self.login = login.to_owned();
        self
    }

    pub(super) fn sees(&self, name: &str) -> bool {
        self.repositories
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether it may do what asks for this level; writing holds reading.
    pub(super) fn allows(&self, permission: &str, level: &str) -> bool {
        let own = self.permissions.get(permission).map(String::as_str);
        own == Some("write") || (own.is_some() && own == Some(level))
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= real_now())
    }
}

pub(super) fn real_now() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub(super) struct Repository {
    pub(super) name: String,
    pub(super) id: u64,
    pub(super) git: Option<PathBuf>,
    pub(super) pulls: Vec<Pull>,
}

impl Repository {
    pub(super) fn new(name: &str, id: u64, git: Option<&Path>) -> Self {
        Self {
            name: name.to_owned(),
            id,
            git: git.map(Path::to_owned),
            pulls: Vec::new(),
        }
    }

    pub(super) fn owner(&self) -> &str {
        self.name.split('/').next().unwrap()
    }

    pub(super) fn json(&self) -> Value {
        json!({ "id": self.id, "full_name": self.name, "private": true })
    }
}

#[derive(Clone)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) is_open: bool,
    pub(super) is_draft: bool,
    pub(super) labels: Vec<Value>,
    pub(super) head: Side,
    pub(super) base: Side,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    pub(super) closed_at: Option<String>,
    pub(super) merged_at: Option<String>,
}

/// What somebody said of a pull request, as `APPROVED`.
pub(super) struct Review {
    pub(super) repository: String,
    pub(super) number: u64,
    pub(super) author: String,
    pub(super) state: String,
}

#[derive(Clone)]
pub(super) struct Side {
    pub(super) branch: String,
    pub(super) sha: String,
    /// As a payload has it; `None` is the repository itself.
    pub(super) repository: Option<Value>,
}

impl Pull {
    pub(super) fn from_payload(payload: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let side = |value: &Value| Side {
            branch: text(&value["ref"]),
            sha: text(&value["sha"]),
            repository: Some(value["repo"].clone()),
        };
        let is_open = payload["state"] == "open";
        let at = text(&payload["updated_at"]);
        Self {
            number: payload["number"].as_u64().unwrap(),
            title: text(&payload["title"]),
            body: payload["body"].as_str().map(str::to_owned),
            is_open,
            is_draft: payload["draft"] == true,
            labels: payload["labels"].as_array().cloned().unwrap_or_default(),
            head: side(&payload["head"]),
            base: side(&payload["base"]),
            created_at: at.clone(),
            closed_at: (!is_open).then(|| at.clone()),
            updated_at: at,
            merged_at: None,
        }
    }

    pub(super) fn json(&self, repository: &Repository, base: &str) -> Value {
        let side = |side: &Side| {
            let of = side.repository.clone().unwrap_or_else(|| repository.json());
            let name = of["full_name"].as_str().unwrap_or("unknown");
            let owner = name.split('/').next().unwrap();
            json!({
                "label": format!("{owner}:{}", side.branch),
                "ref": side.branch,
                "sha": side.sha,
                "user": { "login": owner },
                "repo": of,
            })
        };
        json!({
            "number": self.number,
            "html_url": format!("{base}/{}/pull/{}", repository.name, self.number),
            "state": if self.is_open { "open" } else { "closed" },
            "title": self.title,
            "body": self.body,
            "user": { "login": "somebody" },
            "draft": self.is_draft,
            "labels": self.labels,
            "head": side(&self.head),
            "base": side(&self.base),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "closed_at": self.closed_at,
            "merged_at": self.merged_at,
        })
    }
}

impl World {
    pub(super) fn new(base: String) -> Self {
        let noon: jiff::Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        Self {
            base,
            repositories: Vec::new(),
            tokens: BTreeMap::new(),
            apps: Vec::new(),
            trouble: None,
            failures: Vec::new(),
            renamed: BTreeMap::new(),
            is_behind: false,
            requests: Vec::new(),
            remaining: 5_000,
            limit: None,
            comments: Vec::new(),
            last_comment: 2_000_000_000,
            locked: Vec::new(),
            reviews: Vec::new(),
            statuses: Vec::new(),
            clock: noon.as_second(),
        }
    }

    pub(super) fn tick(&mut self) -> String {
        self.clock += 1;
        let now = jiff::Timestamp::from_second(self.clock).unwrap();
        now.to_string()
    }

    pub(super) fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories
            .iter()
            .find(|repository| repository.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn repository_mut(&mut self, name: &str) -> Option<&mut Repository> {
        self.repositories
            .iter_mut()
            .find(|repository| repository.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn opens_git(&self, token: &str) -> bool {
        self.tokens
            .get(token)
            .is_some_and(|grant| grant.allows("contents", "write") && !grant.is_expired())
    }

    pub(super) fn is_hanging(&self, _parts: &Parts) -> bool {
        self.trouble == Some(Trouble::Hangs)
    }
}
