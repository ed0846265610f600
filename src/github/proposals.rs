//! The pull requests on the manager repository.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Call, Github};
use super::{GithubError, Repository};
use crate::manager::{ProposalState, ProposalText, Proposed, is_withdrawn};

/// A pull request, of what GitHub tells of it.
#[derive(Deserialize)]
struct Answer {
    number: u64,
    html_url: String,
    state: String,
    merged_at: Option<String>,
    body: Option<String>,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
}

impl From<Answer> for Proposed {
    fn from(answer: Answer) -> Self {
        let body = answer.body.unwrap_or_default();
        let state = match (answer.state.as_str(), &answer.merged_at) {
            ("open", _) => ProposalState::Open,
            (_, Some(_)) => ProposalState::Merged,
            _ if is_withdrawn(&body) => ProposalState::Withdrawn,
            _ => ProposalState::TurnedDown,
        };
        Self {
            number: answer.number,
            url: answer.html_url,
            state,
            head: answer.head.sha,
            body,
        }
    }
}

impl Github {
    /// The pull request of `branch` into `base`: the open one, or the last that was.
    pub fn find_proposal(
        &self,
        repository: &Repository,
        branch: &str,
        base: &str,
    ) -> Result<Option<Proposed>, GithubError> {
        let doing = format!("find the pull request of branch {branch} of {repository}");
        let head = encoded(&format!("{}:{branch}", repository.owner()));
        let base = encoded(base);
        let path = format!(
            "/repos/{repository}/pulls?state=all&head={head}&base={base}\
             &sort=created&direction=desc&per_page=30"
        );
        // One branch has one open pull request into another, and it is the newest.
        let answers: Vec<Answer> = self.call(&doing, &path, Call::Get)?;
        let mut found: Vec<Proposed> = answers.into_iter().map(Proposed::from).collect();
        let open = found
            .iter()
            .position(|one| one.state == ProposalState::Open);
        Ok(match (open, found.is_empty()) {
            (_, true) => None,
            (place, false) => Some(found.swap_remove(place.unwrap_or(0))),
        })
    }

    pub fn create_proposal(
        &self,
        repository: &Repository,
        branch: &str,
        base: &str,
        text: &ProposalText,
    ) -> Result<Proposed, GithubError> {
        let doing = format!("open a pull request for branch {branch} of {repository}");
        let body = json!({
            "title": text.title,
            "body": text.body,
            "head": branch,
            "base": base,
            "maintainer_can_modify": false,
        });
        let answer: Answer = self.call(
            &doing,
            &format!("/repos/{repository}/pulls"),
            Call::Post(&body),
        )?;
        Ok(answer.into())
    }

    /// Brings title and body up to date; the answer says whether it is still open.
    pub fn update_proposal(
        &self,
        repository: &Repository,
        number: u64,
        text: &ProposalText,
    ) -> Result<Proposed, GithubError> {
        let body = json!({ "title": text.title, "body": text.body });
        self.change(repository, number, &body)
    }

    /// Closes it; `body` says why, and that it was no person's no.
    pub fn withdraw_proposal(
        &self,
        repository: &Repository,
        number: u64,
        body: &str,
    ) -> Result<Proposed, GithubError> {
        self.change(
            repository,
            number,
            &json!({ "state": "closed", "body": body }),
        )
    }

    fn change(
        &self,
        repository: &Repository,
        number: u64,
        body: &Value,
    ) -> Result<Proposed, GithubError> {
        let doing = format!("change pull request {repository}#{number}");
        let path = format!("/repos/{repository}/pulls/{number}");
        let answer: Answer = self.call(&doing, &path, Call::Patch(body))?;
        Ok(answer.into())
    }
}

/// A text as part of a URL's query, or of its path.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn nothing_leaves_the_query() {
        assert_eq!(
            encoded("acme:dayfly/x&y#ü"),
            "acme%3Adayfly%2Fx%26y%23%C3%BC"
        );
    }
}
