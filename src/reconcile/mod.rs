//! From a commit of the manager repository to recorded changes, queued runs and their end.
//!
//! It reacts to a commit, never to an event: what was missed once, the next look finds. Changes
//! and the runs that follow from them are recorded in one transaction; runs are executed from
//! their rows.

mod applied;
mod apply;
mod approval;
mod attached;
mod belongings;
mod decide;
mod due;
mod equipment;
mod execute;
mod guard;
mod hearing;
mod inputs;
mod journal;
mod judging;
mod leftovers;
mod mirrors;
mod notice;
mod occasions;
mod ownership;
mod phases;
mod prepare;
mod pull_requests;
mod pushes;
mod rego_files;
mod retries;
mod scheduled;
mod scope;
mod states;
mod statuses;
mod tell;
mod tell_stack;
mod tell_state;
mod unperformed;
mod waves;
mod work;

pub use apply::{Applied, Apply, apply, find_tool};
pub use approval::{Reviewed, review};
pub use decide::left_behind;
pub use execute::Watch;
pub use guard::{Ruling, judge, problems as problems_of};
pub use mirrors::Mirrors;
pub use ownership::OwnershipError;
pub use pull_requests::{Comment, News, Particulars, PullRequests, ToldPullRequest, Unanswered};
pub use states::StateError;
pub use tell::{Refusal, Told, log_file, tell};
pub use tell_stack::{destroy, forget, lock, propose, prove_orphaned, unlock};
pub use tell_state::{roll_back_state, state_content, state_versions};

use std::collections::{BTreeSet, HashMap};

use scope::Part;
use tracing::debug_span;
use unperformed::{is_told, not_acted_upon};

use crate::config::{ConfigError, Settings, StackManager};
use crate::error::{Diagnose, Kind};
use crate::files::Files;
use crate::git::{CommitId, GitError, Repository};
use crate::manager::{Manager, ManagerError, Snapshot, check_services};
use crate::module::{self, Evaluation, Given};
use crate::policy::PolicyError;
use crate::problem::{Problem, Severity};
use crate::runner::RunnerError;
use crate::stack::{Comparison, Deletions, Object, compare};
use crate::store::{Evaluated, Store, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Manager(Box<ManagerError>),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Runner(#[from] RunnerError),
    #[error(transparent)]
    Ownership(Box<OwnershipError>),
    #[error("{manager} says stack_manager = \"spacelift\": Spacelift applies it, not dayfly")]
    NotApplied { manager: String },
    #[error("{manager} has no dayfly.hcl, which says who applies it")]
    NoSettings { manager: String },
    #[error("{manager} is no repository: an apply takes a commit on a branch")]
    NoCommit { manager: String },
    #[error(
        "{} of {} previews would be deleted at once", deletions.deleted, deletions.all
    )]
    MassDeletion { deletions: Deletions },
    #[error("denied, and nothing was recorded: {}", guard::summed(rulings))]
    Denied { rulings: Vec<Ruling> },
    #[error("commit {commit} waits for a person: {}", warnings.join("; "))]
    Unconfirmed {
        commit: String,
        warnings: Vec<String>,
    },
    #[error("the policies of the manager's stack cannot judge: {0}")]
    Unguarded(Problem),
    #[error("a worker broke off in the middle of a run")]
    Worker,
    #[error("cannot {doing} {path}")]
    Disk {
        doing: &'static str,
        path: String,
        source: std::io::Error,
    },
}

impl From<OwnershipError> for ReconcileError {
    fn from(error: OwnershipError) -> Self {
        Self::Ownership(Box::new(error))
    }
}

impl From<ManagerError> for ReconcileError {
    fn from(error: ManagerError) -> Self {
        Self::Manager(Box::new(error))
    }
}

impl Diagnose for ReconcileError {
    fn kind(&self) -> Kind {
        match self {
            Self::Manager(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Runner(error) => error.kind(),
            Self::Ownership(error) => error.kind(),
            Self::NotApplied { .. } | Self::NoSettings { .. } | Self::NoCommit { .. } => {
                Kind::Usage
            }
            Self::MassDeletion { .. }
            | Self::Denied { .. }
            | Self::Unconfirmed { .. }
            | Self::Unguarded(_) => Kind::Denied,
            Self::Worker => Kind::Failed,
            Self::Disk { .. } => Kind::Outside,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Manager(error) => error.hint(),
            Self::Git(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Runner(error) => error.hint(),
            Self::Ownership(error) => error.hint(),
            Self::NotApplied { .. } => Some(
                "set stack_manager = \"dayfly\" in its dayfly.hcl; `plan` and `validate` work as it is"
                    .to_owned(),
            ),
            Self::NoSettings { .. } => Some(
                "commit one with stack_manager = \"dayfly\" and repository = \"OWNER/NAME\""
                    .to_owned(),
            ),
            Self::NoCommit { .. } => Some("give the repository, or --branch".to_owned()),
            Self::MassDeletion { deletions } => Some(format!(
                "look at `dayfly plan`; if that is meant: --allow-deletions {}",
                deletions.deleted
            )),
            Self::Denied { rulings } => rulings.first().map(|ruling| {
                format!(
                    "`git revert {}` and push it; what is meant, a person commits",
                    decide::short(&ruling.commit)
                )
            }),
            Self::Unconfirmed { commit, .. } => Some(format!(
                "look at `dayfly plan`; if that is meant: --confirm {}",
                decide::short(commit)
            )),
            Self::Unguarded(problem) => problem.hint.clone(),
            Self::Worker => Some("apply again: what was interrupted is looked at anew".to_owned()),
            Self::Disk { .. } => None,
        }
    }
}

/// What a manager run of one commit would do. Nothing is recorded yet.
pub struct Planned {
    /// What was read.
    pub snapshot: Snapshot,
    /// `None` of a plain directory, as is the branch.
    pub commit: Option<String>,
    pub branch: Option<String>,
    /// Where the record stands of the data directory that applies the repository.
    pub owner: Option<CommitId>,
    /// Whether there is a `dayfly.hcl`.
    pub has_settings: bool,
    pub settings: Settings,
    pub given: Given,
    pub evaluation: Evaluation,
    /// The paths that differ from those of an earlier commit, where the plan has looked.
    pub changed: Option<(CommitId, Vec<String>)>,
    /// The recorded objects that the evaluation was compared with.
    pub recorded: Vec<Object>,
    /// Whether there are others, of environments that are as they were.
    pub is_part: bool,
    pub comparison: Comparison,
    /// Where something is deleted, of all previews, also those that the plan has not looked at.
    pub deletions: Deletions,
    /// What the next plan may begin from, once the changes are recorded.
    pub evaluated: Option<Evaluated>,
}

impl Planned {
    /// Everything that is wrong with the repository, and every deletion that is refused.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.evaluation
            .problems
            .iter()
            .chain(&self.comparison.problems)
    }

    pub fn has_errors(&self) -> bool {
        self.problems()
            .any(|problem| problem.severity == Severity::Error)
    }
}

/// Evaluates the manager repository and compares it with what the store records; without one, with
/// nothing. Where nothing but environment files has changed since the last recorded commit, only
/// those are looked at (`scope`).
pub fn plan(
    manager: &Manager,
    cache: &Repository,
    store: Option<&Store>,
) -> Result<Planned, ReconcileError> {
    let snapshot = debug_span!("fetch").in_scope(|| manager.snapshot_or_directory(cache))?;
    let settings = snapshot.settings()?;
    let given = given_at(manager, &snapshot, snapshot.branch(), &settings);
    let basis = scope::basis(&settings, &given);
    if let Some(store) = store
        && let Some(last) = store.evaluated()?
        && last.basis == basis
        && let Ok(before) = last.commit.parse()
        // The last commit may be here no more.
        && let Ok(Some(changed)) = debug_span!("tree").in_scope(|| snapshot.changed_since(&before))
        && let Some(files) = scope::touched(&last, &changed)
    {
        let part = Part {
            whole: snapshot.files(),
            files: files.iter().map(String::as_str).collect(),
        };
        let evaluation = evaluate(&part, &settings, &given);
        let recorded = debug_span!("objects").in_scope(|| store.objects_of(&files))?;
        let stands_for_all = debug_span!("scope")
            .in_scope(|| scope::stands_for_all(store, &last, &files, &evaluation, &recorded))?;
        if stands_for_all {
            let mut planned = compared(snapshot, settings, given, evaluation, recorded)?;
            planned.is_part = true;
            planned.changed = Some((before, changed));
            if planned.deletions.deleted > 0 {
                planned.deletions.all += store.other_previews(&files)?;
            }
            return Ok(planned);
        }
    }
    let evaluation = evaluate(snapshot.files(), &settings, &given);
    let recorded = match store {
        Some(store) => debug_span!("objects").in_scope(|| store.objects())?,
        None => Vec::new(),
    };
    compared(snapshot, settings, given, evaluation, recorded)
}

fn compared(
    snapshot: Snapshot,
    settings: Settings,
    given: Given,
    evaluation: Evaluation,
    recorded: Vec<Object>,
) -> Result<Planned, ReconcileError> {
    let mut comparison = debug_span!("compare").in_scope(|| compare(&recorded, &evaluation));
    let (unusable, problems) = unusable_policies(&evaluation, snapshot.files());
    comparison.keep_recorded(&unusable);
    comparison.problems.extend(problems);
    comparison
        .problems
        .extend(not_acted_upon(&evaluation, &settings));
    comparison.problems.extend(waves::circles(&evaluation));
    let deletions = Deletions::count(&recorded, &comparison.changes);
    let commit = snapshot.commit().map(ToString::to_string);
    let evaluated = commit.as_deref().and_then(|commit| {
        let told = evaluation
            .resources
            .iter()
            .filter(|resource| is_told(resource));
        let told = told.filter_map(|resource| resource.origin.environment());
        let told = told.map(|call| call.file.clone());
        let basis = scope::basis(&settings, &given);
        scope::evaluated(commit, basis, &evaluation, &recorded, &comparison, told)
    });
    Ok(Planned {
        commit,
        branch: snapshot.branch().map(str::to_owned),
        owner: snapshot.owner().cloned(),
        has_settings: snapshot.has_settings()?,
        snapshot,
        settings,
        given,
        evaluation,
        recorded,
        changed: None,
        is_part: false,
        comparison,
        deletions,
        evaluated,
    })
}

/// As [`plan`], as if what stands at `commit` were recorded.
pub fn plan_against(
    manager: &Manager,
    cache: &Repository,
    commit: &str,
) -> Result<Planned, ReconcileError> {
    let before = manager.snapshot_at(commit)?;
    let snapshot = manager.snapshot_or_directory(cache)?;
    let settings = before.settings()?;
    let given = given_at(manager, &before, snapshot.branch(), &settings);
    let base = evaluate(before.files(), &settings, &given);
    let recorded = base.resources.iter().map(Object::from_resource).collect();
    let settings = snapshot.settings()?;
    let given = given_at(manager, &snapshot, snapshot.branch(), &settings);
    let evaluation = evaluate(snapshot.files(), &settings, &given);
    let mut planned = compared(snapshot, settings, given, evaluation, recorded)?;
    let is_error = |problem: &&Problem| problem.severity == Severity::Error;
    let errors = base.problems.iter().filter(is_error).count();
    if errors > 0 {
        let message = format!(
            "of {commit} not all can be read ({errors} errors): what cannot is taken for absent there"
        );
        planned.comparison.problems.push(Problem::warning(message));
    }
    Ok(planned)
}

fn evaluate(files: &dyn Files, settings: &Settings, given: &Given) -> Evaluation {
    debug_span!("evaluate").in_scope(|| module::evaluate(files, "", given, &settings.manager_stack))
}

/// What gives values to the root's variables: the machine, and what Spacelift says of a run that is
/// known here and the same for a plan and for an apply.
fn given_at(
    manager: &Manager,
    snapshot: &Snapshot,
    branch: Option<&str>,
    settings: &Settings,
) -> Given {
    let supplied = [
        ("spacelift_stack_id", Some(settings.manager_stack.clone())),
        ("spacelift_stack_branch", branch.map(str::to_owned)),
        ("spacelift_commit_branch", branch.map(str::to_owned)),
        (
            "spacelift_commit_sha",
            snapshot.commit().map(ToString::to_string),
        ),
    ];
    let supplied = supplied.into_iter();
    Given {
        machine: manager.variables.clone(),
        supplied: supplied
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
    }
}

/// What a look at the whole repository found.
pub struct Validated {
    pub environments: usize,
    pub stacks: usize,
    pub problems: Vec<Problem>,
}

/// Everything that is wrong with the manager repository, in one pass: its settings, the rules of
/// its services, its modules and its policies.
pub fn validate(manager: &Manager, cache: &Repository) -> Result<Validated, ReconcileError> {
    let snapshot = manager.snapshot_or_directory(cache)?;
    let mut problems = Vec::new();
    let settings = snapshot.settings().unwrap_or_else(|error| {
        problems.push(problem_of_manager(&error));
        Settings::default()
    });
    problems.extend(
        check_services(snapshot.files())
            .iter()
            .map(problem_of_manager),
    );
    let given = given_at(manager, &snapshot, snapshot.branch(), &settings);
    let evaluation = evaluate(snapshot.files(), &settings, &given);
    problems.extend(evaluation.problems.iter().cloned());
    problems.extend(unusable_policies(&evaluation, snapshot.files()).1);
    problems.extend(not_acted_upon(&evaluation, &settings));
    problems.extend(waves::circles(&evaluation));
    let resources = &evaluation.resources;
    let environments: BTreeSet<&str> = resources
        .iter()
        .filter_map(|resource| {
            resource
                .origin
                .environment()
                .map(|call| call.address.as_str())
        })
        .collect();
    let stacks = resources
        .iter()
        .filter(|resource| resource.kind == "spacelift_stack")
        .count();
    Ok(Validated {
        environments: environments.len(),
        stacks,
        problems,
    })
}

/// The policies that cannot be read, by address, and what is wrong with each text. The recorded one
/// stays in force: a policy is not absent because its text is broken.
fn unusable_policies(
    evaluation: &Evaluation,
    files: &dyn Files,
) -> (BTreeSet<String>, Vec<Problem>) {
    let (mut unusable, mut problems) = (BTreeSet::new(), Vec::new());
    // Each environment may have policies of its own with the template's text: that is read once.
    let mut is_usable: HashMap<[String; 3], bool> = HashMap::new();
    let policies = evaluation.resources.iter();
    for resource in policies.filter(|resource| resource.kind == "spacelift_policy") {
        let policy = Object::from_resource(resource);
        let text = ["type", "engine_type", "body"].map(|name| policy.text(name).to_owned());
        let is_usable =
            *is_usable
                .entry(text)
                .or_insert_with(|| match attached::read_policy(&policy) {
                    Ok(_) => true,
                    Err(error @ PolicyError::NotEvaluated { .. }) => {
                        let problem = Problem::warning(error.to_string());
                        problems.push(problem.in_file(&resource.origin.file));
                        true
                    }
                    Err(error) => {
                        problems.extend(rego_files::problems_of(files, &policy, &error));
                        false
                    }
                });
        if !is_usable {
            unusable.insert(resource.address.clone());
        }
    }
    (unusable, problems)
}

/// The problem behind an error of the manager's, where it has a place in a file.
fn problem_of_manager(error: &ManagerError) -> Problem {
    match error {
        ManagerError::Config(ConfigError::File(problem)) => problem.clone(),
        other => {
            let problem = Problem::error(other.to_string());
            match other.hint() {
                Some(hint) => problem.with_hint(hint),
                None => problem,
            }
        }
    }
}

fn applies_itself(manager: &Manager, planned: &Planned) -> Result<(), ReconcileError> {
    let manager = manager.remote.to_string();
    match planned.settings.stack_manager {
        _ if !planned.has_settings => Err(ReconcileError::NoSettings { manager }),
        StackManager::Dayfly => Ok(()),
        StackManager::Spacelift => Err(ReconcileError::NotApplied { manager }),
    }
}
