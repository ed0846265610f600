//! An environment's file as it was before: its inputs, not the times of its life.

use std::collections::BTreeSet;

use super::closings::{Memory, Subject, is_late};
use super::decision::{Beside, Decision, late, told};
use super::finding::Found;
use super::services::Service;
use super::{ManagerError, OutcomeAction, Wish};
use crate::environment::{EnvironmentFile, EnvironmentId, LaterTime, Merge, merge};
use crate::git::Edit;

/// What goes on while the inputs go back.
const TIMES: [&str; 3] = ["event_at", "expires_at", "expires_at_unix"];

/// The text `before` with the times that `present` says.
pub fn rolled_back(path: &str, present: &str, before: &str) -> Result<String, ManagerError> {
    let times: BTreeSet<String> = TIMES.map(str::to_owned).into();
    // A present file that cannot be read says no times.
    if EnvironmentFile::read(path, present).is_err() {
        return Ok(before.to_owned());
    }
    Ok(
        match merge(path, before, present, &times, LaterTime::News)? {
            Merge::Unchanged => before.to_owned(),
            Merge::Changed(text) => text,
        },
    )
}

/// What it means that the environment is to be as `before` says.
pub(super) fn decide_rollback(
    service: &Service,
    existing: Option<Found>,
    wish: &Wish,
    before: &str,
    beside: &Beside<'_>,
) -> Result<Decision, ManagerError> {
    let pull_request = wish.word.pull_request();
    let (path, present) = match existing {
        None => return Err(ManagerError::NoEnvironment(pull_request.to_string())),
        Some(Found::Broken { path, .. }) => (path, None),
        Some(Found::File { file, text }) => {
            let subject = Subject::new(&service.name, pull_request, file.repository_id);
            if let Some(Memory::Closed(until)) = beside.closings.memory(&subject)
                && is_late(file.event_at, false, until)
            {
                return Ok(late(service, Some(Found::File { file, text }), until));
            }
            (file.path, Some(text))
        }
    };
    let text = match &present {
        Some(present) => rolled_back(&path, present, before)?,
        None => before.to_owned(),
    };
    let file = EnvironmentFile::read(&path, &text)?;
    let id = file.and_then(|file| file.environment).unwrap_or_default();
    let (action, edit) = if present.as_deref() == Some(&*text) {
        (OutcomeAction::Unchanged, None)
    } else {
        let bytes = text.into_bytes();
        let path = path.clone();
        (OutcomeAction::Updated, Some(Edit::Write { path, bytes }))
    };
    told(service, action, &EnvironmentId::given(id), path, wish, edit)
}
