//! What people do on GitHub, and of which no event needs to arrive.

use axum::http::request::Parts;
use serde_json::{Value, json};

use super::FakeGithub;
use super::answer::{Answer, refuse};
use super::state::{Pull, Side, World};

impl FakeGithub {
    /// Somebody opens a pull request from a branch of the repository, into `main`.
    pub(crate) fn open(&self, repository: &str, number: u64, sha: &str) {
        self.with(|world| world.open(repository, number, sha));
    }

    /// The same, of as many as there are, at once.
    pub(crate) fn open_all(&self, repository: &str, numbers: impl Iterator<Item = u64>, sha: &str) {
        self.with(|world| numbers.for_each(|number| world.open(repository, number, sha)));
    }

    pub(crate) fn reopen(&self, repository: &str, number: u64) {
        self.change(repository, number, |pull| {
            pull.is_open = true;
            pull.closed_at = None;
        });
    }

    pub(crate) fn push(&self, repository: &str, number: u64, sha: &str) {
        self.change(repository, number, |pull| pull.head.sha = sha.to_owned());
    }

    pub(crate) fn label(&self, repository: &str, number: u64, label: &str) {
        self.change(repository, number, |pull| {
            pull.labels.push(json!({ "name": label }))
        });
    }

    /// A person comments, and the pull request is one that changed just now: stories whose events have
    /// a clock of their own `say` it.
    pub(crate) fn comment(&self, repository: &str, number: u64, author: &str, body: &str) {
        self.say(repository, number, author, body);
        self.change(repository, number, |_| {});
    }

    /// Lets the head of a pull request be a branch of another repository.
    pub(crate) fn make_fork(&self, repository: &str, number: u64) {
        self.change(repository, number, |pull| {
            pull.head.repository = Some(json!({ "id": 66, "full_name": "eve/fork" }));
        });
    }

    /// The head's branch gets this name, whatever it is.
    pub(crate) fn name_branch(&self, repository: &str, number: u64, branch: &str) {
        self.change(repository, number, |pull| {
            pull.head.branch = branch.to_owned()
        });
    }

    fn change(&self, repository: &str, number: u64, change: impl FnOnce(&mut Pull)) {
        self.with(|world| {
            let now = world.tick();
            let found = world.repository_mut(repository).unwrap();
            let pull = found.pulls.iter_mut().find(|pull| pull.number == number);
            let pull = pull.unwrap();
            change(pull);
            pull.updated_at = now;
        });
    }

    /// The owner gives the repository another name; who asks by the old one is sent on.
    pub(crate) fn rename(&self, old: &str, new: &str) {
        self.with(|world| {
            let repository = world.repository_mut(old).unwrap();
            new.clone_into(&mut repository.name);
            let id = repository.id;
            world.renamed.insert(old.to_ascii_lowercase(), id);
            for grant in world.tokens.values_mut() {
                let names = grant.repositories.iter_mut();
                for name in names.filter(|name| name.eq_ignore_ascii_case(old)) {
                    new.clone_into(name);
                }
            }
        });
    }

    pub(crate) fn delete_repository(&self, name: &str) {
        self.with(|world| {
            world
                .repositories
                .retain(|repository| repository.name != name)
        });
    }
}

impl World {
    fn open(&mut self, repository: &str, number: u64, sha: &str) {
        let now = self.tick();
        let side = |branch: String, sha: &str| Side {
            branch,
            sha: sha.to_owned(),
            repository: None,
        };
        let pull = Pull {
            number,
            title: format!("Change {number}"),
            body: None,
            is_open: true,
            is_draft: false,
            labels: Vec::new(),
            head: side(format!("change-{number}"), sha),
            base: side("main".to_owned(), &"0".repeat(40)),
            created_at: now.clone(),
            updated_at: now,
            closed_at: None,
            merged_at: None,
        };
        let found = self.repository_mut(repository).unwrap();
        found.pulls.retain(|other| other.number != number);
        found.pulls.push(pull);
    }

    /// The path by the repository's present name: 301 tells where what was renamed is, by its
    /// number.
    pub(super) fn followed(&self, parts: &Parts, path: &str) -> Result<String, Answer> {
        let words: Vec<&str> = path.split('/').skip(1).collect();
        match words.as_slice() {
            ["repos", owner, name, rest @ ..] => {
                let old = format!("{owner}/{name}").to_ascii_lowercase();
                let is_there = self.repository(&old).is_some();
                let Some(id) = self.renamed.get(&old).filter(|_| !is_there) else {
                    return Ok(path.to_owned());
                };
                let query = parts.uri.query().map(|query| format!("?{query}"));
                let place = format!(
                    "{}/api/v3/repositories/{id}/{}{}",
                    self.base,
                    rest.join("/"),
                    query.unwrap_or_default()
                );
                let mut moved = refuse(301, "Moved Permanently");
                moved.body["url"] = Value::from(place.clone());
                moved.location = Some(place);
                Err(moved)
            }
            ["repositories", id, rest @ ..] => {
                let mut repositories = self.repositories.iter();
                let found = repositories.find(|repository| repository.id.to_string() == *id);
                let found = found.ok_or_else(|| refuse(404, "Not Found"))?;
                Ok(format!("/repos/{}/{}", found.name, rest.join("/")))
            }
            _ => Ok(path.to_owned()),
        }
    }
}
