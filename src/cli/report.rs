//! What the pull request and the job's page are told, once everything is written. Nothing that goes
//! wrong here takes back what was done: it is a warning.

use std::time::Duration;

use super::actions;
use super::output::Output;
use crate::clock;
use crate::config::{self, ApiAddress, Tokens};
use crate::error::Diagnose;
use crate::event::PullRequestEvent;
use crate::git::Token;
use crate::github::{Conversation, GithubError, Repository, identity};
use crate::manager::Outcome;
use crate::report::{Draft, Links, Report, Step, key, telling};

/// How often one looks whether one comment stands and tells the newest.
const ROUNDS: usize = 10;
/// The longest wait for a limit of GitHub's to end.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Tells what became of `event`, decided on the repository at `manager`.
pub(super) fn tell(manager: &str, event: &PullRequestEvent, outcome: &Outcome, output: &Output) {
    let api = ApiAddress::in_workflow().ok().flatten();
    let links = links(api.as_ref(), manager, event, outcome);
    let report = Report::new(event, outcome, links);
    if let Err(error) = actions::summarize(&report.summary()) {
        output.warning(&error, error.hint().as_deref());
    }
    let service = outcome.service.as_deref().unwrap_or_default();
    let key = key(&identity(manager), service);
    let Some(draft) = Draft::new(&report, key, telling(outcome)) else {
        return;
    };
    let tokens = Tokens::from_environment();
    let token = api.as_ref().and_then(|api| tokens.for_comments(api));
    let (Some(api), Some(token)) = (&api, token) else {
        tracing::debug!("no GITHUB_TOKEN for GitHub's API: the pull request is not told");
        return;
    };
    let told = Conversation::new(api, &Token::new(token), report.pull_request.clone())
        .and_then(|mut conversation| settle(&mut conversation, draft));
    if let Err(error) = told {
        let hint = hint(&error, service);
        output.warning(&error, Some(&hint));
    }
}

/// Pages of the server whose API is asked; there are none elsewhere.
fn links(
    api: Option<&ApiAddress>,
    manager: &str,
    event: &PullRequestEvent,
    outcome: &Outcome,
) -> Links {
    let Some(api) = api else {
        return Links::default();
    };
    let server = config::web_server();
    let source = Repository::from(event.pull_request.id.repository.clone());
    let head = source.commit_page(&server, event.pull_request.head_sha.as_str());
    let manager = Repository::of(api, manager, manager).ok();
    let commit = outcome.commit.as_deref();
    let file = |manager: &Repository| {
        let path = outcome.path.as_deref()?;
        Some(manager.file_page(&server, commit.unwrap_or("HEAD"), path))
    };
    Links {
        head: Some(head),
        file: manager.as_ref().and_then(file),
        commit: manager.and_then(|manager| Some(manager.commit_page(&server, commit?))),
    }
}

/// Brings the comments of one's own to one that tells the newest. Each round looks anew, also after
/// one's own change: another job may have begun a comment, or have overwritten this one.
fn settle(conversation: &mut Conversation, mut draft: Draft) -> Result<(), GithubError> {
    let mut has_waited = false;
    for _ in 0..ROUNDS {
        match round(conversation, &mut draft) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => {
                // It was refused, so it can be said again: by a new look, for time has passed.
                let Some(pause) = pause(&error).filter(|_| !has_waited) else {
                    return Err(error);
                };
                tracing::info!(%error, "waiting");
                std::thread::sleep(pause);
                has_waited = true;
            }
        }
    }
    tracing::info!("other jobs keep changing the comment");
    Ok(())
}

/// Whether all is as it should be.
fn round(conversation: &mut Conversation, draft: &mut Draft) -> Result<bool, GithubError> {
    let own = conversation.own_comments(|body| draft.marks(body))?;
    match draft.step(&own) {
        Step::Nothing => return Ok(true),
        Step::Create(body) => conversation.create(&body)?,
        Step::Settle { edit, delete } => {
            let is_there = match edit {
                Some((id, body)) => conversation.edit(id, &body)?,
                None => true,
            };
            // What is not told elsewhere stays.
            for id in delete.into_iter().filter(|_| is_there) {
                conversation.delete(id)?;
            }
        }
    }
    Ok(false)
}

/// How long to wait for a limit of GitHub's to end, where it says when, and that is soon.
fn pause(error: &GithubError) -> Option<Duration> {
    let GithubError::RateLimited { until, .. } = error else {
        return None;
    };
    let seconds = (*until)?
        .as_second()
        .saturating_sub(clock::now().as_second());
    let pause = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let pause = Some(pause).filter(|pause| *pause <= LONGEST_WAIT);
    // Jobs that wait for the same second do not begin in the same one.
    pause.map(|pause| pause + Duration::from_secs_f64(clock::jitter()))
}

fn hint(error: &GithubError, service: &str) -> String {
    let off = format!("or write `comment = false` into {service}/service.hcl");
    match error {
        GithubError::Denied { words, .. } if words.contains("locked") => {
            format!("unlock the conversation of the pull request, {off}")
        }
        GithubError::Denied { .. } | GithubError::NotFound { .. } => {
            format!("give the job `permissions: {{ pull-requests: write }}`, {off}")
        }
        _ => "the environment is as told above; the next event tells the pull request".to_owned(),
    }
}
