//! What a sweep came to, as it is told.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::count::counted;
use super::super::output::Output;
use super::super::table::table;
use crate::event::{PullRequestId, RepositoryName};
use crate::github::Github;

/// More environments of one repository that fared alike are told in one line.
const MOST_ALIKE: usize = 5;

/// What was done about an environment, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Removed,
    /// It would be removed, if a person allowed so many removals.
    Waiting,
    Written,
    Skipped,
    Unknown,
    Kept,
}

#[derive(Serialize)]
pub(super) struct Row {
    pub(super) action: Action,
    pub(super) service: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) pull_request: Option<PullRequestId>,
    pub(super) path: Option<String>,
    pub(super) reason: String,
    pub(super) commit: Option<String>,
}

const ACTIONS: [Action; 6] = [
    Action::Removed,
    Action::Waiting,
    Action::Written,
    Action::Skipped,
    Action::Unknown,
    Action::Kept,
];

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Waiting => "waiting",
            Self::Written => "written",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
            Self::Kept => "kept",
        }
    }
}

/// What a sweep came to.
pub(super) struct Swept<'a> {
    pub(super) rows: &'a [Row],
    /// Repositories that could not be listed as a whole, and why.
    pub(super) unlisted: Vec<(RepositoryName, String)>,
    pub(super) is_rehearsal: bool,
    pub(super) github: &'a Github,
}

impl Swept<'_> {
    pub(super) fn tell(&self, output: &Output) {
        if output.is_json() {
            output.json(&self.described());
            return;
        }
        let lines = self.lines();
        if !lines.is_empty() {
            let head = ["ACTION", "PULL REQUEST", "REASON"];
            output.data(table(output.width(), head, &lines));
        }
        output.data(self.summed());
    }

    pub(super) fn count(&self, action: Action) -> usize {
        self.rows.iter().filter(|row| row.action == action).count()
    }

    fn described(&self) -> Value {
        let counts: BTreeMap<&str, usize> = ACTIONS
            .iter()
            .map(|action| (action.as_str(), self.count(*action)))
            .collect();
        let unlisted: Vec<Value> = self
            .unlisted
            .iter()
            .map(|(repository, reason)| json!({ "repository": repository, "reason": reason }))
            .collect();
        json!({
            "dry_run": self.is_rehearsal,
            "environments": self.rows,
            "unlisted": unlisted,
            "counts": counts,
            "requests": self.github.requests(),
            "requests_left": self.github.requests_left(),
        })
    }

    fn summed(&self) -> String {
        let always = [Action::Removed, Action::Written, Action::Kept];
        let words: Vec<String> = ACTIONS
            .iter()
            .filter(|action| self.count(**action) > 0 || always.contains(action))
            .map(|action| format!("{} {}", self.count(*action), self.word(*action)))
            .collect();
        let requests = usize::try_from(self.github.requests()).unwrap_or(usize::MAX);
        let requests = counted(requests, "request");
        let left = self.github.requests_left();
        let left = left.map_or_else(String::new, |left| format!(", {left} left"));
        format!("{}; {requests} to GitHub{left}", words.join(", "))
    }

    /// What is done, in words that say whether it was.
    fn word(&self, action: Action) -> &'static str {
        match action {
            Action::Removed if self.is_rehearsal => "to remove",
            Action::Written if self.is_rehearsal => "to write",
            action => action.as_str(),
        }
    }

    /// A line for each environment; where many of a repository fared alike, one for all of them.
    fn lines(&self) -> Vec<[String; 3]> {
        let repository = |row: &Row| {
            row.pull_request
                .as_ref()
                .map(|id| id.repository.to_string())
        };
        let group = |row: &Row| (row.action, repository(row), row.reason.clone());
        let mut sizes: BTreeMap<_, usize> = BTreeMap::new();
        for row in self.rows {
            *sizes.entry(group(row)).or_default() += 1;
        }
        let mut lines: Vec<[String; 3]> = self
            .unlisted
            .iter()
            .map(|(repository, reason)| {
                // That it cannot be listed is said by the first word.
                let (_, cause) = reason.split_once(": ").unwrap_or(("", reason));
                [
                    "unlisted".to_owned(),
                    repository.to_string(),
                    cause.to_owned(),
                ]
            })
            .collect();
        for row in self.rows {
            let is_change = matches!(row.action, Action::Removed | Action::Written);
            let name = match (&row.pull_request, sizes.get_mut(&group(row))) {
                (Some(_), Some(0)) => continue,
                (Some(id), Some(size)) if *size > MOST_ALIKE && !is_change => {
                    let name = format!("{} ({size})", id.repository);
                    *size = 0;
                    name
                }
                (Some(id), _) => id.to_string(),
                (None, _) => row.path.clone().unwrap_or_default(),
            };
            lines.push([self.word(row.action).to_owned(), name, row.reason.clone()]);
        }
        lines
    }
}
