//! Pull requests as they are now: one, or all open ones of a repository.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::client::{Call, Github};
use super::{GithubError, webhook};
use crate::event::{Action, PullRequestEvent, PullRequestId, RepositoryName};

/// The most that GitHub puts on a page.
const PAGE: usize = 100;

/// What was heard of the open pull requests of a repository.
#[derive(Debug, Default)]
pub struct OpenPullRequests {
    /// By their numbers; `None` is one with a name that cannot be.
    pub open: BTreeMap<u64, Option<PullRequestEvent>>,
    /// Why these may not be all.
    pub fault: Option<GithubError>,
}

impl Github {
    /// The pull request as it is now, in the form of an event of no meaning.
    pub fn pull_request(&self, id: &PullRequestId) -> Result<PullRequestEvent, GithubError> {
        let doing = format!("read pull request {id}");
        let path = format!("/repos/{}/pulls/{}", id.repository, id.number);
        let pull_request: Value = self.call(&doing, &path, Call::Get)?;
        read(&doing, pull_request, "read")
    }

    /// All open pull requests of the repository, page by page, each as seen. The order is that of
    /// their numbers: what is opened meanwhile comes last, and what closes moves others forward,
    /// over the edge of a page at worst, so one that is missing need not be closed.
    pub fn open_pull_requests(&self, repository: &RepositoryName) -> OpenPullRequests {
        let mut heard = OpenPullRequests::default();
        for page in 1.. {
            match self.open_page(repository, page, &mut heard.open) {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => {
                    heard.fault = Some(fault);
                    break;
                }
            }
        }
        heard
    }

    /// Adds a page; `true` if there is another.
    fn open_page(
        &self,
        repository: &RepositoryName,
        page: usize,
        open: &mut BTreeMap<u64, Option<PullRequestEvent>>,
    ) -> Result<bool, GithubError> {
        let doing = format!("list page {page}");
        let path = format!(
            "/repos/{repository}/pulls?state=open&sort=created&direction=asc\
             &per_page={PAGE}&page={page}"
        );
        let (answers, has_next): (Vec<Value>, bool) = self.page(&doing, &path, Call::Get)?;
        if has_next && answers.is_empty() {
            let words = "an empty page says that another follows".to_owned();
            return Err(GithubError::Refused { doing, words });
        }
        for answer in answers {
            let number = answer["number"].as_u64().filter(|number| *number > 0);
            let event = match (number, read(&doing, answer, Action::Seen.as_str())) {
                (_, Ok(event)) if event.pull_request.id.repository != *repository => {
                    let now = event.pull_request.id.repository.to_string();
                    return Err(GithubError::Renamed { doing, now });
                }
                // It says itself what it is when it is asked.
                (_, Ok(event)) if !event.pull_request.is_open => continue,
                (_, Ok(event)) => Some(PullRequestEvent {
                    action: Action::Seen,
                    ..event
                }),
                // Others choose these names: they stop nobody but themselves.
                (Some(_), Err(GithubError::Name { .. })) => None,
                (_, Err(error)) => return Err(error),
            };
            open.extend(number.map(|number| (number, event)));
        }
        Ok(has_next)
    }
}

/// An answer of GitHub's as an event of this action.
fn read(doing: &str, answer: Value, action: &str) -> Result<PullRequestEvent, GithubError> {
    let doing = doing.to_owned();
    // A payload holds the same object, with the repository of its base beside it.
    let payload = json!({
        "action": action,
        "repository": answer["base"]["repo"],
        "pull_request": answer,
    });
    webhook::read_event("pull_request", payload.to_string().as_bytes()).map_err(|error| match error
    {
        webhook::WebhookError::Name(source) => GithubError::Name { doing, source },
        webhook::WebhookError::Malformed(source) => GithubError::Malformed { doing, source },
        webhook::WebhookError::OtherEvent(words) => GithubError::Refused { doing, words },
    })
}
