//! The events of pull requests, heard when the repositories of stacks are looked at.
//!
//! A repository is asked once per look, and where nothing changed its answer costs nothing. What is
//! heard the first time is how things stand: it is remembered, and nothing of it is judged.

use std::collections::{BTreeMap, BTreeSet};

use super::inputs::described;
use super::mirrors::{Looked, Mirrors, RepositoryKey, Wanted};
use super::pull_requests::{
    Comment, Happened, News, Particulars, PullRequests, ToldPullRequest, Unanswered,
};
use crate::config::Settings;
use crate::git::{CommitId, CommitInfo, GitError, Repository};
use crate::policy::input::{PullRequest, PushedCommit};
use crate::problem::Problem;
use crate::store::{Heard, JudgedPullRequest, Mark, Store, StoreError};

/// Something that happened to a pull request, and how it is now.
pub(super) struct Event {
    pub(super) happened: Happened,
    pub(super) pull_request: ToldPullRequest,
    particulars: Particulars,
    commits: Commits,
}

/// What its repository's mirror knows of a pull request; `None` is not known.
#[derive(Clone, Default)]
struct Commits {
    head: Option<CommitInfo>,
    base: Option<CommitInfo>,
    /// What the commit at its head changed.
    affected: Option<Vec<String>>,
    /// What differs between its base and its head.
    diff: Option<Vec<String>>,
    /// Whether the base has nothing that the head has not.
    is_undiverged: bool,
}

/// What was heard of one repository.
pub(super) struct HeardEvents {
    pub(super) events: Vec<Event>,
    /// How far it was heard before; `None` if it never was.
    before: Option<Mark>,
    heard: Heard,
    /// Whether all that happened is known.
    is_complete: bool,
}

/// Where events are heard, and what of them is known already.
pub(super) struct Ear<'a> {
    pub(super) door: &'a dyn PullRequests,
    pub(super) mirrors: &'a Mirrors,
    pub(super) settings: &'a Settings,
    pub(super) store: &'a Store,
}

impl Ear<'_> {
    /// What happened in the repositories that answered. One that does not tell of its pull requests
    /// is asked again by the next look.
    pub(super) fn hear(
        &self,
        wanted: &BTreeMap<RepositoryKey, Wanted>,
        looked: &BTreeMap<RepositoryKey, Result<Looked, GitError>>,
        problems: &mut Vec<Problem>,
    ) -> Result<BTreeMap<RepositoryKey, HeardEvents>, StoreError> {
        let mut all = BTreeMap::new();
        for (key, wanted) in wanted {
            if !matches!(looked.get(key), Some(Ok(_))) {
                continue;
            }
            let before = self.store.heard(key.as_str())?;
            match self.door.news(&wanted.repository, before.as_ref()) {
                Ok(None) => {}
                Ok(Some(news)) => {
                    let heard = self.heard(wanted, key, before, news, problems)?;
                    all.insert(key.clone(), heard);
                }
                Err(error) => problems.push(not_judged(&error)),
            }
        }
        Ok(all)
    }

    fn heard(
        &self,
        wanted: &Wanted,
        key: &RepositoryKey,
        before: Option<Mark>,
        news: News,
        problems: &mut Vec<Problem>,
    ) -> Result<HeardEvents, StoreError> {
        let mut heard = HeardEvents {
            events: Vec::new(),
            heard: Heard {
                mark: news.mark,
                changed: BTreeMap::new(),
            },
            before,
            is_complete: true,
        };
        for told in news.pull_requests {
            let known = self.store.judged_pull_request(key.as_str(), told.number)?;
            let (number, judged) = (told.number, told.judged());
            if let Some(mark) = &heard.before {
                match self.events(wanted, told, known.as_ref(), mark, &news.comments) {
                    Ok(events) => heard.events.extend(events),
                    Err(error) => {
                        problems.push(not_judged(&error));
                        heard.is_complete = false;
                        continue;
                    }
                }
            }
            if known != judged {
                heard.heard.changed.insert(number, judged);
            }
        }
        Ok(heard)
    }

    fn events(
        &self,
        wanted: &Wanted,
        told: ToldPullRequest,
        known: Option<&JudgedPullRequest>,
        mark: &Mark,
        comments: &[Comment],
    ) -> Result<Vec<Event>, Unanswered> {
        let happened = told.happened(known, mark, comments);
        if happened.is_empty() {
            return Ok(Vec::new());
        }
        let particulars = self.door.particulars(&wanted.repository, told.number)?;
        let commits = self.commits(wanted, &told);
        let event = |happened| Event {
            happened,
            pull_request: told.clone(),
            particulars: particulars.clone(),
            commits: commits.clone(),
        };
        Ok(happened.into_iter().map(event).collect())
    }

    /// Looks at the commits of a pull request. What cannot be had is not known.
    fn commits(&self, wanted: &Wanted, told: &ToldPullRequest) -> Commits {
        let Ok(mirror) = self.mirrors.open(&wanted.repository) else {
            return Commits::default();
        };
        let (head, base) = (&told.head_commit, &told.base_commit);
        let missing: Vec<&str> = [head, base]
            .into_iter()
            .filter(|commit| !mirror.contains(commit))
            .map(CommitId::as_str)
            .collect();
        if !missing.is_empty() {
            let remote = self.mirrors.remote(self.settings, &wanted.repository);
            if let Err(error) = mirror.fetch(&remote, &missing, None) {
                tracing::warn!("pull request #{} is not fetched: {error}", told.number);
            }
        }
        let parting = mirror.parting(base, head).ok().flatten();
        let changed = |from: &CommitId| mirror.changed_paths(from, head).ok();
        Commits {
            head: mirror.commit_info(head).ok(),
            base: mirror.commit_info(base).ok(),
            affected: parent(&mirror, head).as_ref().and_then(changed),
            diff: parting.as_ref().and_then(changed),
            is_undiverged: parting.as_ref() == Some(base),
        }
    }
}

fn parent(mirror: &Repository, commit: &CommitId) -> Option<CommitId> {
    mirror.commit(&format!("{commit}^")).ok()
}

fn not_judged(error: &Unanswered) -> Problem {
    Problem::warning(format!("pull requests are not judged: {error}"))
}

impl HeardEvents {
    /// What of it is to be remembered, where policies gave no answer to events of `unjudged` pull
    /// requests: these are heard again.
    pub(super) fn remembered(&self, unjudged: &BTreeSet<u64>) -> Heard {
        let mut heard = self.heard.clone();
        heard.changed.retain(|number, _| !unjudged.contains(number));
        let is_complete = self.is_complete && unjudged.is_empty();
        if let Some(before) = self.before.as_ref().filter(|_| !is_complete) {
            heard.mark = before.clone();
        }
        heard
    }
}

impl Event {
    /// The branch as it is told of a run: a fork's is never taken for one of the repository's own.
    pub(super) fn branch(&self) -> String {
        let told = &self.pull_request;
        match told.is_fork {
            true => format!("{}:{}", told.head_owner, told.head_branch),
            false => told.head_branch.to_string(),
        }
    }

    /// What a run is of that the event leads to.
    pub(super) fn cause(&self) -> String {
        let number = self.pull_request.number;
        match &self.happened {
            Happened::Commented(comment) => {
                format!("comment {} on pull request #{number}", comment.id)
            }
            happened => format!("pull request #{number}, {}", happened.action()),
        }
    }

    /// The commit at the head, as a policy sees what was pushed; what is not known of what it changed
    /// is `unknown`.
    pub(super) fn head(&self, unknown: impl Fn() -> Vec<String>) -> PushedCommit {
        let told = &self.pull_request;
        let info = self.commits.head.as_ref();
        let mut commit = described(told.head_commit.as_str(), told.head_branch.as_str(), info);
        commit.pull_request_id = Some(self.id());
        PushedCommit {
            affected_files: self.commits.affected.clone().unwrap_or_else(unknown),
            commit,
        }
    }

    fn id(&self) -> i64 {
        i64::try_from(self.pull_request.number).unwrap_or(i64::MAX)
    }

    /// Who did it, as far as GitHub's answers tell.
    fn initiator(&self) -> Option<String> {
        match &self.happened {
            Happened::Opened => Some(self.pull_request.author.clone()),
            Happened::Commented(comment) => Some(comment.author.clone()),
            Happened::Merged => self.particulars.merged_by.clone(),
            _ => None,
        }
    }

    /// As a GIT_PUSH policy sees it.
    pub(super) fn input(
        &self,
        head: &PushedCommit,
        unknown: impl Fn() -> Vec<String>,
    ) -> PullRequest {
        let told = &self.pull_request;
        let base = self.commits.base.as_ref();
        let comment = match &self.happened {
            Happened::Commented(comment) => Some(comment.body.clone()),
            _ => None,
        };
        PullRequest {
            action: self.happened.action().to_owned(),
            action_initiator: self.initiator(),
            approved: self.particulars.is_approved,
            author: told.author.clone(),
            base: PushedCommit {
                affected_files: Vec::new(),
                commit: described(told.base_commit.as_str(), told.base_branch.as_str(), base),
            },
            closed: !told.is_open,
            comment,
            diff: self.commits.diff.clone().unwrap_or_else(unknown),
            draft: told.is_draft,
            head: head.clone(),
            head_owner: told.head_owner.clone(),
            id: self.id(),
            labels: told.labels.clone(),
            mergeable: self.particulars.is_mergeable,
            title: told.title.clone(),
            undiverged: self.commits.is_undiverged,
        }
    }
}
