//! How a report reads, in Markdown: as a comment, and in a job's summary.

use std::fmt::Write as _;

use super::{Report, State};
use crate::markdown::{address, code, link};

/// How many digits of a commit are shown.
const SHORT: usize = 8;

impl Report {
    /// As a comment on the pull request.
    pub fn comment(&self) -> String {
        let mut text = format!(
            "### {}\n\n{}\n\n{}",
            self.title(),
            self.sentence(),
            self.facts()
        );
        if self.stands() && !self.is_end() {
            let _ = write!(text, "\n{}\n", self.way_out());
        }
        text
    }

    /// As a part of a job's summary, which tells of any outcome and stands beside no pull request.
    pub fn summary(&self) -> String {
        format!(
            "### {}: {}\n\n{}\n\n{}",
            self.title(),
            code(&self.pull_request.to_string()),
            self.sentence(),
            self.facts()
        )
    }

    fn title(&self) -> String {
        match (&self.environment, self.stands()) {
            (Some(id), true) => format!("Preview environment {}", code(id)),
            _ => "No preview environment".to_owned(),
        }
    }

    fn sentence(&self) -> String {
        let because = |reason: &Option<String>| match reason {
            Some(reason) => format!(": {}", code(reason)),
            None => ".".to_owned(),
        };
        match &self.state {
            State::Written => {
                let head = self.commit_link(self.head.as_str(), self.links.head.as_deref());
                match &self.proposal {
                    Some(_) => format!("**Proposed** for commit {head}."),
                    None => format!(
                        "**Written** for commit {head}. It is there once its stacks have been \
                         applied."
                    ),
                }
            }
            State::Unchanged => "**Unchanged**: the environment is as it should be.".to_owned(),
            State::Removed { reason } => {
                let word = match self.is_removal_proposed() {
                    true => "Removal proposed",
                    false => "Removed",
                };
                format!("**{word}**{}", because(reason))
            }
            State::Absent { reason } => format!("**None stands**{}", because(reason)),
            State::Ignored { rule, reason } => {
                let by =
                    rule.map_or_else(String::new, |rule| format!(" by the rule {}", code(rule)));
                let stays = match self.stands() {
                    true => "\n\nThe environment stays as it was.",
                    false => "",
                };
                format!("**Ignored**{by}{}{stays}", because(reason))
            }
        }
    }

    /// A list of what is known.
    fn facts(&self) -> String {
        let mut facts = String::new();
        let mut fact = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(facts, "- {name}: {value}");
            }
        };
        let stands = self.stands();
        fact("URL", self.url.as_deref().filter(|_| stands).map(address));
        fact("service", self.service.as_deref().map(code));
        for (name, value) in self.inputs.iter().filter(|_| stands) {
            fact(&code(name), Some(code(value)));
        }
        fact(
            "expires",
            self.expires_at
                .filter(|_| stands)
                .map(|at| self.expiry(&at.to_string())),
        );
        let path = self.path.as_deref().filter(|_| stands);
        fact(
            "file",
            path.map(|path| linked(path, self.links.file.as_deref())),
        );
        let commit = self.commit.as_deref();
        fact(
            "commit of the manager repository",
            commit.map(|commit| self.commit_link(commit, self.links.commit.as_deref())),
        );
        let proposal = self.proposal.as_ref();
        fact("proposal", proposal.map(|proposal| address(&proposal.url)));
        facts
    }

    fn expiry(&self, at: &str) -> String {
        let command = format!("dayfly env extend {} --by 24h", self.pull_request);
        format!("{}, later after {}", code(at), code(&command))
    }

    fn commit_link(&self, commit: &str, to: Option<&str>) -> String {
        linked(commit.get(..SHORT).unwrap_or(commit), to)
    }

    fn way_out(&self) -> String {
        let labels: Vec<String> = self
            .exclude_labels
            .iter()
            .map(|label| code(label))
            .collect();
        let or = match labels.is_empty() {
            true => String::new(),
            false => format!(", or set the label {}", labels.join(" or ")),
        };
        format!("To have none, write the line `dayfly: ignore` into the description{or}.")
    }
}

fn linked(text: &str, to: Option<&str>) -> String {
    match to {
        Some(to) => link(text, to),
        None => code(text),
    }
}
