//! How long an environment stands: what the rules give it, what a person says, and its end.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::closings::{Memory, Subject, is_late};
use super::decision::{
    Beside, Decision, create, ignored, ignored_beside, late, nothing, remove, render, told,
};
use super::finding::Found;
use super::services::Service;
use super::{Lifetime, ManagerError, OutcomeAction, Wish};
use crate::clock::{Time, later};
use crate::environment::{EnvironmentFile, EnvironmentId, Expiry, LaterTime, Merge, merge};
use crate::event::{HeadSha, PullRequest};
use crate::files::Files;
use crate::git::Edit;

/// What a file says of time.
pub(super) struct Times {
    pub(super) event_at: Option<Time>,
    pub(super) expiry: Expiry,
}

impl Times {
    /// What a file is to say after an event of `at`, whose end was `present` before. What has no
    /// time moves no end.
    pub(super) fn by_rules(service: &Service, at: Option<Time>, present: Expiry) -> Self {
        let expiry = match (service.rules.expire_after, at) {
            (Some(after), Some(at)) => present.moved_to(later(at, after)),
            _ => Expiry::Unsaid,
        };
        Self {
            event_at: at,
            expiry,
        }
    }

    /// As values for a template.
    pub(super) fn values(&self) -> impl Iterator<Item = (String, Value)> {
        let event_at = self.event_at.map(|at| ("event_at", json!(at.to_string())));
        let (text, seconds) = match self.expiry {
            Expiry::Unsaid => (None, None),
            Expiry::Never => (Some(Value::Null), Some(Value::Null)),
            Expiry::At(end) => (Some(json!(end.to_string())), Some(json!(end.as_second()))),
        };
        let end = [("expires_at", text), ("expires_at_unix", seconds)];
        let end = end
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        event_at
            .into_iter()
            .chain(end)
            .map(|(name, value)| (name.to_owned(), value))
    }
}

/// When the environment ends by itself; `None` if it does not.
pub(super) fn end_of(service: &Service, file: &EnvironmentFile) -> Option<Time> {
    match file.expiry {
        Expiry::At(end) if service.rules.expire_after.is_some() => Some(end),
        _ => None,
    }
}

/// What `change` means, which was said at the time beside it.
pub(super) fn decide_lifetime(
    files: &dyn Files,
    service: &Service,
    existing: Option<Found>,
    wish: &Wish,
    (change, now): (&Lifetime, Time),
    beside: &Beside<'_>,
) -> Result<Decision, ManagerError> {
    let (file, text) = match existing {
        Some(Found::File { file, text }) => (file, text),
        // Unreadable is not expired.
        Some(Found::Broken { error, .. }) => return Err(error),
        None => return of_nothing(files, service, wish, (change, now), beside),
    };
    let subject = Subject::new(&service.name, wish.word.pull_request(), file.repository_id);
    if let Some(Memory::Closed(until)) = beside.closings.memory(&subject)
        && is_late(file.event_at, false, until)
    {
        return Ok(late(service, Some(Found::File { file, text }), until));
    }
    if let Lifetime::Scheduled { end, seen } = change {
        if *end > now || *seen != digest_of(text.as_bytes()) {
            let reason = "its file has changed since: the next apply looks at it anew".to_owned();
            return Ok(ignored_beside(
                service,
                Some(Found::File { file, text }),
                reason,
            ));
        }
        let until = file.event_at.unwrap_or(*end);
        let reason = format!("its scheduled deletion was due at {end}");
        return ended(service, subject, file, text, (until, reason), beside);
    }
    let Some(after) = service.rules.expire_after else {
        let reason = format!("environments of {} do not expire", service.name);
        return Ok(ignored_beside(
            service,
            Some(Found::File { file, text }),
            reason,
        ));
    };
    let pinned = || "it is pinned and does not expire".to_owned();
    let expiry = match (change, file.expiry) {
        (Lifetime::Pin, Expiry::Never) => Err("it is pinned already".to_owned()),
        (Lifetime::Extend { .. } | Lifetime::Expire, Expiry::Never) => Err(pinned()),
        (Lifetime::Pin, _) => Ok(Expiry::Never),
        (Lifetime::Unpin, Expiry::Never) => Ok(Expiry::At(later(now, after))),
        (Lifetime::Unpin, _) => Err("it is not pinned".to_owned()),
        (Lifetime::Extend { seconds, .. }, present) => {
            let from = match present {
                Expiry::At(end) => end.max(now),
                _ => now,
            };
            Ok(Expiry::At(later(from, Duration::from_secs(*seconds))))
        }
        (Lifetime::Expire, Expiry::At(end)) if end <= now => {
            let until = file.event_at.unwrap_or(end);
            let told = (until, format!("expired at {end}"));
            return ended(service, subject, file, text, told, beside);
        }
        (Lifetime::Expire, Expiry::At(end)) => Err(format!("it expires at {end}")),
        (Lifetime::Scheduled { .. }, _) => Err("it is not due".to_owned()),
        (Lifetime::Expire, Expiry::Unsaid) => Err("its file names no end".to_owned()),
    };
    match expiry {
        Ok(expiry) => set(files, service, wish, &file, &text, expiry),
        Err(reason) => Ok(ignored_beside(
            service,
            Some(Found::File { file, text }),
            reason,
        )),
    }
}

/// The end of an environment whose time has come: until then events are late, and no later one of the
/// same commit brings it back.
fn ended(
    service: &Service,
    subject: Subject,
    file: EnvironmentFile,
    text: String,
    (until, reason): (Time, String),
    beside: &Beside<'_>,
) -> Result<Decision, ManagerError> {
    let head = head_of(service, &file)?;
    let mut decision = remove(service, Found::File { file, text }, reason);
    decision.memory = beside.closings.expire(&subject, until, head.as_ref());
    decision.subject = Some(subject);
    Ok(decision)
}

/// What tells one text of a file from another.
pub fn digest_of(text: &[u8]) -> String {
    let bytes = Sha256::digest(text);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What it means where no file stands: only what has expired can be brought back.
fn of_nothing(
    files: &dyn Files,
    service: &Service,
    wish: &Wish,
    (change, now): (&Lifetime, Time),
    beside: &Beside<'_>,
) -> Result<Decision, ManagerError> {
    let pull_request = wish.word.pull_request();
    if let Lifetime::Expire | Lifetime::Scheduled { .. } = change {
        return Ok(nothing(Some(service), OutcomeAction::Absent, None));
    }
    let subject = Subject::new(&service.name, pull_request, wish.word.repository_id());
    if !matches!(beside.closings.memory(&subject), Some(Memory::Expired(_))) {
        return Err(ManagerError::NoEnvironment(pull_request.to_string()));
    }
    let (seconds, found) = match change {
        Lifetime::Extend {
            seconds,
            found: Some(found),
        } => (*seconds, found),
        _ => {
            return Err(ManagerError::Expired {
                pull_request: pull_request.clone(),
            });
        }
    };
    if !found.pull_request.is_open {
        return Ok(ignored(
            Some(service),
            "the pull request is closed".to_owned(),
        ));
    }
    let asked = PullRequest {
        // The answer may spell it otherwise.
        id: pull_request.clone(),
        ..found.pull_request.clone()
    };
    let end = later(now, Duration::from_secs(seconds));
    let times = Times {
        event_at: found.at,
        expiry: Expiry::At(end),
    };
    let mut decision = create(files, service, wish, &asked, &times, beside)?;
    if decision.edit.is_some() {
        decision.memory = beside.closings.forget(&subject);
        decision.outcome.add_reason(Some(told_end(Expiry::At(end))));
    }
    decision.subject = Some(subject);
    Ok(decision)
}

/// Sets the end in the file, as far as the service's template takes one, and nothing else.
fn set(
    files: &dyn Files,
    service: &Service,
    wish: &Wish,
    file: &EnvironmentFile,
    text: &str,
    expiry: Expiry,
) -> Result<Decision, ManagerError> {
    let pull_request = wish.word.pull_request();
    let any = PullRequest::example(pull_request.repository.clone());
    let id = EnvironmentId::given(file.environment.clone().unwrap_or_default());
    let times = Times {
        event_at: file.event_at,
        expiry,
    };
    let rendered = render(files, service, &any, &id, &file.name, &times)?;
    let own = ["expires_at", "expires_at_unix"].map(str::to_owned);
    let written: BTreeSet<String> = own
        .into_iter()
        .filter(|name| rendered.written.contains(name))
        .collect();
    let merged = merge(&file.path, text, &rendered.text, &written, LaterTime::News)?;
    let (action, edit) = match merged {
        Merge::Unchanged => (OutcomeAction::Unchanged, None),
        Merge::Changed(text) => {
            let edit = Edit::Write {
                path: file.path.clone(),
                bytes: text.into_bytes(),
            };
            (OutcomeAction::Updated, Some(edit))
        }
    };
    let mut decision = told(service, action, &id, file.path.clone(), wish, edit)?;
    decision.outcome.add_reason(Some(told_end(expiry)));
    Ok(decision)
}

fn told_end(expiry: Expiry) -> String {
    match expiry {
        Expiry::At(end) => format!("it expires at {end}"),
        _ => "it is pinned and does not expire".to_owned(),
    }
}

/// The commit that the file was written for, where an input of the service's is just that.
pub(super) fn head_of(
    service: &Service,
    file: &EnvironmentFile,
) -> Result<Option<HeadSha>, ManagerError> {
    let Some(pull_request) = &file.pull_request else {
        return Ok(None);
    };
    let Some(source) = service.source(&pull_request.repository) else {
        return Ok(None);
    };
    let any = PullRequest::example(pull_request.repository.clone());
    let inputs = service.inputs(source, &any, &EnvironmentId::given("00000000"))?;
    let is_head = |name: &str| {
        let mut own = inputs.iter().filter(|(input, _)| input == name);
        own.any(|(_, value)| value.as_str() == Some(any.head_sha.as_str()))
    };
    let mut values = file.attributes.iter().filter(|(name, _)| is_head(name));
    // An abbreviated one cannot be told from another.
    Ok(values.find_map(|(_, value)| {
        let text = value.as_str().filter(|text| text.len() >= 40)?;
        text.parse().ok()
    }))
}
