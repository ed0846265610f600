//! What a wish means for the manager repository as it stands: one file written or removed, or the
//! reason why not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::artifact::{Artifact, artifact_of};
use super::choice::{Choice, choose_service};
use super::closings::{Change, Closings, Memory, Subject, is_late};
use super::finding::Found;
use super::forks;
use super::lifetime::{Times, decide_lifetime};
use super::location::read_text;
use super::particulars;
use super::renaming::{advice, under_present_name};
use super::rollback::decide_rollback;
use super::services::{Service, environments, environments_directory};
use super::written_names::{count_environments, taken_ids};
use super::{ManagerError, Outcome, OutcomeAction, Wish, Word};
use crate::clock::{self, Time};
use crate::environment::{
    Admission, EnvironmentFile, EnvironmentId, Expiry, Judged, Judgement, Merge, Standing, admit,
    environment_name, judge_expired, judge_limit, limit_not_asked, merge, refusal_for_life,
};
use crate::event::{Action, PullRequest, PullRequestEvent, PullRequestId};
use crate::files::{Files, join};
use crate::generate::{self, RenderedFile};
use crate::git::Edit;

/// What is to be committed, and what to tell once it is.
pub(super) struct Decision {
    pub(super) outcome: Outcome,
    pub(super) edit: Option<Edit>,
    /// What is remembered or forgotten of closes, in the same push.
    pub(super) memory: Change,
    /// The pull request, where a close of it would change the decision.
    pub(super) subject: Option<Subject>,
    /// What has to be there before the change is made.
    pub(super) artifact: Option<Artifact>,
    /// The rules of `admit` as they were judged; none of a person's word but `limit`.
    pub(super) rules: Vec<Judged>,
}

/// What a decision depends on beside the files.
pub(super) struct Beside<'a> {
    pub(super) closings: &'a Closings,
    /// By this machine's clock.
    pub(super) now: Time,
    /// Whether an open proposal of another pull request has this id.
    pub(super) is_held: &'a dyn Fn(&str) -> bool,
}

/// What `wish` means for the manager repository as it stands. Pure but for reading `files`.
pub(super) fn decide(
    files: &dyn Files,
    wish: &Wish,
    beside: &Beside<'_>,
) -> Result<Decision, ManagerError> {
    let now = beside.now;
    let orders_events = !matches!(wish.word, Word::Lifetime { .. });
    let at = wish.word.at().filter(|_| orders_events);
    if let Some(at) = at.filter(|at| clock::is_future(*at, now)) {
        return Err(ManagerError::Future { at, now });
    }
    let (service, mut existing) = match choose_service(files, wish)? {
        Choice::Service(service, existing) => (service, *existing),
        Choice::None(reason) => return Ok(ignored(None, reason)),
    };
    if let Some(Found::File { file, .. }) = &mut existing {
        // Whoever wrote such a time: it orders nothing.
        file.event_at = file.event_at.filter(|at| !clock::is_future(*at, now));
    }
    let renamed = existing
        .as_ref()
        .and_then(|existing| under_present_name(wish, &service, existing));
    let wish = renamed.as_ref().unwrap_or(wish);
    if let Word::Lifetime { change, at, .. } = &wish.word {
        return decide_lifetime(files, &service, existing, wish, (change, *at), beside);
    }
    if let Word::Rollback { text, .. } = &wish.word {
        return decide_rollback(&service, existing, wish, text, beside);
    }
    let admit = &service.rules.admit;
    let judgement = match &wish.word {
        Word::Event(event) => self::admit(event, admit, standing(existing.as_ref(), event)),
        Word::Upsert { .. } => by_hand(Admission::Take),
        _ => by_hand(Admission::Refuse("removed by hand".to_owned())),
    };
    let mut rules = judgement.rules.clone();
    let standing = particulars::standing(existing.as_ref());
    let mut decision = decide_as(files, &service, existing, wish, judgement, beside)?;
    match decision.rules.is_empty() {
        true => rules.push(limit_not_asked(admit.limit)),
        false => rules.append(&mut decision.rules),
    }
    decision.rules = rules;
    decision.outcome.particulars =
        Box::new(particulars::particulars(&service, standing, &decision));
    Ok(decision)
}

/// No rule but `limit` is asked about a person's word.
fn by_hand(admission: Admission) -> Judgement {
    Judgement {
        admission,
        rules: Vec::new(),
        is_end: false,
    }
}

/// What stands for the pull request of `event`, and whether any of its inputs is the head's commit.
fn standing(existing: Option<&Found>, event: &PullRequestEvent) -> Standing {
    match existing {
        None => Standing::Nothing,
        Some(Found::File { file, .. }) if names_head(file, &event.pull_request) => Standing::AtHead,
        Some(_) => Standing::Elsewhere,
    }
}

/// Whether any input in the file is the head's commit.
fn names_head(file: &EnvironmentFile, pull_request: &PullRequest) -> bool {
    let head = pull_request.head_sha.as_str();
    file.attributes.iter().any(|(_, value)| *value == head)
}

/// What `wish` means once the rules have judged it.
fn decide_as(
    files: &dyn Files,
    service: &Service,
    existing: Option<Found>,
    wish: &Wish,
    judgement: Judgement,
    beside: &Beside<'_>,
) -> Result<Decision, ManagerError> {
    let closings = beside.closings;
    let Judgement {
        admission, is_end, ..
    } = judgement;
    let pull_request = match &wish.word {
        Word::Event(event) => Some(&event.pull_request),
        Word::Upsert { pull_request, .. } => Some(pull_request),
        _ => None,
    };
    // What is seen to be open is not enough to take away what stands.
    let admission = match admission {
        Admission::Refuse(reason) if wish.word.is_action(&Action::Seen) => {
            Admission::Ignore(reason)
        }
        admission => admission,
    };
    if let Admission::Ignore(reason) = admission {
        return Ok(ignored_beside(service, existing, reason));
    }
    let number = match &existing {
        Some(Found::File { file, .. }) => file.repository_id,
        _ => None,
    };
    let number = wish.word.repository_id().or(number);
    let subject = Subject::new(&service.name, wish.word.pull_request(), number);
    if admission == Admission::Take
        && let Some(until) = wish.word.is_late(closings, &subject)
    {
        return Ok(late(service, existing, until));
    }
    if admission == Admission::Take
        && existing.is_none()
        && let Some(Memory::Expired(expired)) = closings.memory(&subject)
        && wish.word.leaves_expired(&expired)
    {
        let reason = "expired: a new commit, reopening the pull request or `dayfly env extend` \
                      brings it back";
        let mut decision = ignored(Some(service), reason.to_owned());
        // A rule's word, so that who was told of the environment hears of its end.
        let expired = judge_expired(service.rules.expire_after, reason);
        decision.rules.push(expired);
        return Ok(decision);
    }
    // In one second only a close, and what turns a pull request away by itself, is sure to be
    // later than what was taken: what others lack is no news to it.
    let is_close = wish.word.is_person() || wish.word.is_end();
    let is_first_word = matches!(admission, Admission::Refuse(_)) && !is_end && !is_close;
    if let Some(Found::File { file, .. }) = &existing
        && let (Some(written), Some(at)) = (file.event_at, wish.word.at())
        && (at < written || (at == written && is_first_word))
    {
        let reason = format!("stale: the environment was written for a later event, of {written}");
        return Ok(ignored_beside(service, existing, reason));
    }
    let mut decision = match (admission, pull_request, existing) {
        (Admission::Take, Some(_), Some(Found::Broken { error, .. })) => return Err(error),
        (Admission::Take, Some(pull_request), existing) => {
            let mut decision = match existing {
                Some(Found::File { file, text }) => {
                    update(files, service, wish, pull_request, file, &text, beside)?
                }
                _ => {
                    let times = Times::by_rules(service, wish.word.at(), Expiry::Unsaid);
                    create(files, service, wish, pull_request, &times, beside)?
                }
            };
            if decision.edit.is_some() {
                decision.memory = closings.forget(&subject);
                decision.artifact = artifact_of(service, wish, pull_request, &decision.outcome)?;
            }
            decision
        }
        (Admission::Refuse(reason), _, Some(existing)) => {
            let written = match &existing {
                Found::File { file, .. } => file.event_at,
                Found::Broken { .. } => None,
            };
            let until = wish.word.ends_until().or(written);
            let mut decision = remove(service, existing, reason);
            if let Some(until) = until {
                decision.memory = closings.remember(&subject, until);
            }
            decision
        }
        (Admission::Refuse(reason), pull_request, None) => {
            let is_close = wish.word.is_person() || wish.word.is_action(&Action::Closed);
            let mut decision = if is_close {
                nothing(Some(service), OutcomeAction::Absent, None)
            } else if is_end {
                nothing(Some(service), OutcomeAction::Absent, Some(reason))
            } else {
                ignored(Some(service), reason)
            };
            let is_close = is_close || is_end;
            // The event that opened it may still be on its way, unless the rules refuse that too.
            let may_come = pull_request
                .is_none_or(|asked| refusal_for_life(asked, &service.rules.admit).is_none());
            if let (true, true, Some(until)) = (is_close, may_come, wish.word.ends_until()) {
                decision.memory = closings.remember(&subject, until);
            }
            decision
        }
        (Admission::Take | Admission::Ignore(_), ..) => {
            ignored(Some(service), "nothing is asked for".to_owned())
        }
    };
    decision.subject = Some(subject);
    Ok(decision)
}

/// What an event means that comes after its pull request's close. A file that is no newer than the
/// close came into being unseen by it: whoever meets it removes it.
pub(super) fn late(service: &Service, existing: Option<Found>, until: Time) -> Decision {
    let reason = format!("stale: the environment was closed at {until}, this event is not later");
    match existing {
        Some(Found::File { file, text }) if is_late(file.event_at, false, until) => {
            remove(service, Found::File { file, text }, reason)
        }
        existing => ignored_beside(service, existing, reason),
    }
}

/// Nothing is done; what stands for the pull request is told.
pub(super) fn ignored_beside(
    service: &Service,
    existing: Option<Found>,
    reason: String,
) -> Decision {
    let mut decision = ignored(Some(service), reason);
    match existing {
        Some(Found::File { file, .. }) => {
            decision.outcome.url = url_of(service, &file);
            decision.outcome.environment = file.environment;
            decision.outcome.path = Some(file.path);
        }
        Some(Found::Broken { path, .. }) => decision.outcome.path = Some(path),
        None => {}
    }
    decision
}

/// Where the file's environment answers; rules that cannot tell it are told of by `validate`.
fn url_of(service: &Service, file: &EnvironmentFile) -> Option<String> {
    let id = file.environment.as_ref()?;
    service.url(id, file.pull_request.as_ref()).ok().flatten()
}

/// Takes the environment away, also one that cannot be read: its pull request has ended.
pub(super) fn remove(service: &Service, existing: Found, reason: String) -> Decision {
    let mut decision = nothing(Some(service), OutcomeAction::Deleted, Some(reason));
    let path = match existing {
        Found::Broken { path, .. } => path,
        Found::File { file, .. } => {
            decision.outcome.url = url_of(service, &file);
            decision.outcome.environment = file.environment;
            file.path
        }
    };
    decision.outcome.path = Some(path.clone());
    decision.edit = Some(Edit::Remove { path });
    decision
}

fn update(
    files: &dyn Files,
    service: &Service,
    wish: &Wish,
    pull_request: &PullRequest,
    file: EnvironmentFile,
    text: &str,
    beside: &Beside<'_>,
) -> Result<Decision, ManagerError> {
    let id = match &file.environment {
        Some(id) => EnvironmentId::given(id),
        None => derive_id(files, service, pull_request, beside)?,
    };
    let times = Times::by_rules(service, wish.word.at(), file.expiry);
    let asked = forks::asked(service, wish, pull_request, &file)?;
    let rendered = render(files, service, &asked, &id, &file.name, &times)?;
    let is_at_head = names_head(&file, pull_request);
    let (action, edit) = match merge(
        &file.path,
        text,
        &rendered.text,
        &rendered.written,
        wish.word.later_time(&service.rules, is_at_head),
    )? {
        Merge::Unchanged => (OutcomeAction::Unchanged, None),
        Merge::Changed(text) => {
            let edit = Edit::Write {
                path: file.path.clone(),
                bytes: text.into_bytes(),
            };
            (OutcomeAction::Updated, Some(edit))
        }
    };
    told(service, action, &id, file.path, wish, edit)
}

pub(super) fn create(
    files: &dyn Files,
    service: &Service,
    wish: &Wish,
    pull_request: &PullRequest,
    times: &Times,
    beside: &Beside<'_>,
) -> Result<Decision, ManagerError> {
    let limit = service.rules.admit.limit;
    let count = count_environments(files, service)?;
    // All files are read only where it must be told which one is the oldest.
    let standing = match count < limit {
        true => Vec::new(),
        false => environments(files, Some(&service.name))?.0,
    };
    let standing: Vec<&EnvironmentFile> = standing.iter().map(|other| &other.file).collect();
    let judged = judge_limit(limit, count, &standing);
    if let Some(reason) = &judged.reason {
        let mut decision = ignored(Some(service), reason.clone());
        decision.outcome.over_limit = true;
        decision.rules = vec![judged];
        return Ok(decision);
    }
    let id = derive_id(files, service, pull_request, beside)?;
    let name = environment_name(&pull_request.id, &id);
    let path = join(
        &environments_directory(&service.name),
        &format!("{name}.tf"),
    );
    if files.read(&path)?.is_some() {
        return Err(ManagerError::PathTaken {
            path,
            pull_request: pull_request.id.clone(),
        });
    }
    let text = render(files, service, pull_request, &id, &name, times)?.text;
    let edit = Edit::Write {
        path: path.clone(),
        bytes: text.into_bytes(),
    };
    let mut decision = told(service, OutcomeAction::Created, &id, path, wish, Some(edit))?;
    decision.rules = vec![judged];
    Ok(decision)
}

/// The id of a new environment: one that no other pull request has, or is proposed to have.
fn derive_id(
    files: &dyn Files,
    service: &Service,
    pull_request: &PullRequest,
    beside: &Beside<'_>,
) -> Result<EnvironmentId, ManagerError> {
    let taken = taken_ids(files, &pull_request.id, pull_request.repository_id)?;
    // The demo's ids depend on letters: those of `service.hcl` are the same for every event.
    let repository = &pull_request.id.repository;
    let source = service.source(repository);
    let spelled = source.map_or(repository, |source| source.spelled(repository));
    let id = PullRequestId {
        repository: spelled.clone(),
        number: pull_request.id.number,
    };
    Ok(EnvironmentId::derive(&id, service.rules.scheme, |id| {
        taken.contains(id) || (beside.is_held)(id)
    }))
}

/// The environment's file as it would be made anew.
pub(super) fn render(
    files: &dyn Files,
    service: &Service,
    pull_request: &PullRequest,
    id: &EnvironmentId,
    name: &str,
    times: &Times,
) -> Result<RenderedFile, ManagerError> {
    let repository = &pull_request.id.repository;
    let Some(source) = service.source(repository) else {
        let own = std::slice::from_ref(service);
        return Err(ManagerError::NotItsSource {
            service: service.name.clone(),
            repository: repository.clone(),
            advice: advice(files, own, repository, pull_request.repository_id)?,
        });
    };
    let template_path = join(&service.name, "environment.tf.tera");
    let Some(template) = read_text(files, &template_path)? else {
        return Err(ManagerError::NoTemplate {
            service: service.name.clone(),
        });
    };
    let mut values: BTreeMap<String, Value> = service
        .inputs(source, pull_request, id)?
        .into_iter()
        .collect();
    values.insert("environment".to_owned(), Value::from(id.as_str()));
    values.insert(
        "pull_request".to_owned(),
        Value::from(pull_request.id.to_string()),
    );
    if let Some(number) = pull_request.repository_id {
        values.insert("repository_id".to_owned(), Value::from(number));
    }
    values.extend(times.values());
    Ok(generate::render_environment_file(
        &template,
        &template_path,
        name,
        &values,
    )?)
}

pub(super) fn ignored(service: Option<&Service>, reason: String) -> Decision {
    nothing(service, OutcomeAction::Ignored, Some(reason))
}

pub(super) fn nothing(
    service: Option<&Service>,
    action: OutcomeAction,
    reason: Option<String>,
) -> Decision {
    Decision {
        outcome: Outcome {
            reason,
            service: service.map(|service| service.name.clone()),
            ..Outcome::of(action)
        },
        edit: None,
        memory: Change::default(),
        subject: None,
        artifact: None,
        rules: Vec::new(),
    }
}

pub(super) fn told(
    service: &Service,
    action: OutcomeAction,
    id: &EnvironmentId,
    path: String,
    wish: &Wish,
    edit: Option<Edit>,
) -> Result<Decision, ManagerError> {
    let is_ordered = !wish.word.is_person() || matches!(wish.word, Word::Rollback { .. });
    let unordered = !is_ordered && wish.word.at().is_none() && edit.is_some();
    let mut decision = nothing(Some(service), action, None);
    decision.outcome.reason =
        unordered.then(|| "unordered: no --at was given, the last to arrive wins".to_owned());
    decision.outcome.environment = Some(id.to_string());
    decision.outcome.path = Some(path);
    decision.outcome.url = service.url(id.as_str(), Some(wish.word.pull_request()))?;
    decision.edit = edit;
    Ok(decision)
}
