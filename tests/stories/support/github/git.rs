//! The bare repository that stands behind a repository's pull requests.

use std::path::Path;
use std::process::Command;

use super::state::{Repository, World};

/// How a person merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    /// With a commit of both; the branch stays.
    Commit,
    /// As one commit without the branch's history; the branch goes.
    SquashAndDelete,
}

impl Repository {
    pub(super) fn tip(&self, branch: &str) -> Option<String> {
        let reference = format!("refs/heads/{branch}");
        git(
            self.git.as_deref()?,
            &["rev-parse", "--verify", "--quiet", &reference],
        )
        .ok()
    }

    /// Whether everything of `commit` is in `of` already.
    pub(super) fn is_ancestor(&self, commit: &str, of: &str) -> bool {
        let Some(path) = &self.git else { return false };
        git(path, &["merge-base", "--is-ancestor", commit, of]).is_ok()
    }
}

impl World {
    /// What GitHub notices of branches: an open pull request follows its own, is closed when that
    /// is gone, and is merged when the base holds all of it.
    pub(super) fn look_at_branches(&mut self) {
        let mut changes = Vec::new();
        for (place, repository) in self.repositories.iter().enumerate() {
            if repository.git.is_none() {
                continue;
            }
            for (index, pull) in repository.pulls.iter().enumerate() {
                if !pull.is_open {
                    continue;
                }
                let head = repository.tip(&pull.head.branch);
                let base = repository.tip(&pull.base.branch).unwrap_or_default();
                let is_merged = head
                    .as_ref()
                    .is_some_and(|head| repository.is_ancestor(head, &base));
                if head.as_ref() != Some(&pull.head.sha) || is_merged {
                    changes.push((place, index, head, is_merged));
                }
            }
        }
        for (place, index, head, is_merged) in changes {
            let now = self.tick();
            let pull = &mut self.repositories[place].pulls[index];
            match head {
                Some(head) => pull.head.sha = head,
                None => pull.is_open = false,
            }
            if is_merged {
                pull.is_open = false;
                pull.merged_at = Some(now.clone());
            }
            if !pull.is_open {
                pull.closed_at = Some(now.clone());
            }
            pull.updated_at = now;
        }
    }

    pub(super) fn merge(&mut self, name: &str, number: u64, how: Merge) {
        let repository = self.repository(name).unwrap();
        let pull = repository.pulls.iter().find(|pull| pull.number == number);
        let pull = pull.unwrap().clone();
        assert!(pull.is_open, "{name}#{number} is not open");
        let path = repository.git.clone().unwrap();
        let base = repository.tip(&pull.base.branch).unwrap();
        let head = pull.head.sha;
        let tree = git(&path, &["merge-tree", "--write-tree", &base, &head])
            .unwrap_or_else(|words| panic!("{name}#{number} cannot be merged: {words}"));
        let message = format!("Merge pull request #{number}\n\n{}", pull.title);
        let mut words = vec!["commit-tree", &tree, "-m", &message, "-p", &base];
        if how == Merge::Commit {
            words.extend(["-p", &head]);
        }
        let commit = git(&path, &words).unwrap();
        let reference = |branch: &str| format!("refs/heads/{branch}");
        git(
            &path,
            &["update-ref", &reference(&pull.base.branch), &commit, &base],
        )
        .unwrap();
        if how == Merge::SquashAndDelete {
            git(
                &path,
                &["update-ref", "-d", &reference(&pull.head.branch), &head],
            )
            .unwrap();
        }
        let now = self.tick();
        let repository = self.repository_mut(name).unwrap();
        let mut pulls = repository.pulls.iter_mut();
        let pull = pulls.find(|pull| pull.number == number).unwrap();
        pull.is_open = false;
        pull.merged_at = Some(now.clone());
        pull.closed_at = Some(now.clone());
        pull.updated_at = now;
    }

    pub(super) fn close(&mut self, name: &str, number: u64) {
        let body = serde_json::json!({ "state": "closed" });
        let answer = self.change_pull(name, &number.to_string(), &body);
        assert!(answer.is_ok());
    }
}

fn git(path: &Path, words: &[&str]) -> Result<String, String> {
    let who = [
        ("GIT_AUTHOR_NAME", "Rita Reviewer"),
        ("GIT_AUTHOR_EMAIL", "rita@people.example"),
        ("GIT_COMMITTER_NAME", "GitHub"),
        ("GIT_COMMITTER_EMAIL", "noreply@github.example"),
    ];
    let output = Command::new("git")
        .current_dir(path)
        .args(words)
        .envs(who)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stdout) + &text(output.stderr)),
    }
}
