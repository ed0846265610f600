//! `dayfly sweep`: what no event has told, found out and mended.

mod told;

use std::io::IsTerminal;
use std::time::Duration;

use owo_colors::OwoColorize;

use super::arguments::{Cache, ManagerArgs, SigningArgs, duration};
use super::count::counted;
use super::output::Output;
use super::{DONE, Ended, built, env};
use crate::clock::{self, Time};
use crate::error::{Diagnose, Kind};
use crate::github::{Access, Github, GithubError};
use crate::manager::{
    self, Finding, Heard, ManagerError, OutcomeAction, Said, Sweep, Told, Verdict, Wish,
};
use crate::stack::Deletions;
use told::{Action, Row, Swept};

/// After so many answers in a row that did not come, GitHub is not asked any more.
const MOST_SILENCES: usize = 3;

/// Mend what no event told: remove what has closed or expired, write what was missed
///
/// Each pull request must say itself that it is closed before its environment goes: a doubt removes
/// nothing. On a terminal nothing is done without --yes; elsewhere, as in a scheduled job, it acts.
/// Exits with 3 if removals wait for --allow-deletions, with 5 if something could not be known.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manager: ManagerArgs,

    /// Act, also on a terminal
    #[arg(long)]
    yes: bool,

    /// Allow the removal of up to this many environments at once
    #[arg(long, value_name = "N")]
    allow_deletions: Option<usize>,

    /// How long to try to win the race against other writers, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: Duration,

    /// What time it is, for what has expired [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,

    #[command(flatten)]
    signing: SigningArgs,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{} of {} environments would be removed at once: they wait", deletions.deleted, deletions.all
)]
struct MassRemoval {
    deletions: Deletions,
}

impl Diagnose for MassRemoval {
    fn kind(&self) -> Kind {
        Kind::Denied
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "look at the table; if that is meant: --allow-deletions {}",
            self.deletions.deleted
        ))
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{} and {} could not be judged: nothing of them was removed",
    counted(*environments, "environment"),
    match repositories { 1 => "1 repository".to_owned(), count => format!("{count} repositories") }
)]
struct Unsure {
    environments: usize,
    repositories: usize,
}

impl Diagnose for Unsure {
    fn kind(&self) -> Kind {
        Kind::Outside
    }

    fn hint(&self) -> Option<String> {
        Some(
            "run it again; of what is gone for good, `dayfly env delete` removes the environments"
                .to_owned(),
        )
    }
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let committer = args.signing.committer()?;
    let github = args.manager.sources()?;
    let cache = Cache::new()?;
    let manager = args.manager.manager(Access::Write)?;
    let snapshot = env::snapshot(&manager, &cache)?;
    let limits = snapshot.settings()?.limits;
    let mut sweep = Sweep::read(snapshot.files(), args.at.unwrap_or_else(clock::now))?;
    ask(&github, &mut sweep);

    let findings = sweep.findings();
    let is_removal = |finding: &&Finding| matches!(finding.verdict, Verdict::Remove(_));
    let deletions = Deletions {
        deleted: findings.iter().filter(is_removal).count(),
        all: sweep.count(),
    };
    let allowed = args.allow_deletions.unwrap_or_default();
    let waits = deletions.exceed(&limits) && deletions.deleted > allowed;
    let wishes: Vec<Wish> = findings
        .iter()
        .filter_map(|finding| match &finding.verdict {
            Verdict::Remove(wish) if !waits => Some(wish.as_ref().clone()),
            Verdict::Write(wish) => Some(wish.as_ref().clone()),
            _ => None,
        })
        .collect();
    let is_rehearsal = is_on_terminal() && !args.yes;
    let known = built::Known::default();
    let is_built = |artifact: &_| known.is_built(artifact);
    let told = if is_rehearsal {
        manager::explain_all(&manager, &wishes, &cache.repository, &committer, &is_built)?
    } else {
        manager::write_all(
            &manager,
            &wishes,
            &cache.repository,
            &committer,
            &is_built,
            args.timeout,
        )?
    };
    let mut told = told.into_iter();
    let mut rows: Vec<Row> = findings
        .into_iter()
        .map(|finding| row(finding, waits, &mut told))
        .collect();
    rows.sort_by_cached_key(|row| {
        let id = row.pull_request.as_ref();
        (
            row.action,
            id.map(|id| (id.repository.to_string(), id.number)),
        )
    });
    if is_rehearsal {
        // What was only folded is nowhere.
        rows.iter_mut().for_each(|row| row.commit = None);
    }
    let swept = Swept {
        rows: &rows,
        unlisted: sweep.unlisted(),
        is_rehearsal,
        github: &github,
    };
    swept.tell(output);
    if waits {
        output.error(&MassRemoval { deletions }.into());
    }
    let unsure = Unsure {
        environments: swept.count(Action::Unknown),
        repositories: swept.unlisted.len(),
    };
    let is_sure = unsure.environments + unsure.repositories == 0;
    if !is_sure {
        output.error(&unsure.into());
    }
    if is_rehearsal {
        output.talk(format_args!(
            "{} nothing was changed; --yes does what the table says",
            "dry run:".cyan()
        ));
    }
    Ok(match () {
        () if waits => Kind::Denied as u8,
        () if !is_sure => Kind::Outside as u8,
        () => DONE,
    })
}

/// Whether a person is likely to read along.
fn is_on_terminal() -> bool {
    std::io::stdin().is_terminal()
        || std::io::stdout().is_terminal()
        || std::io::stderr().is_terminal()
}

/// Asks GitHub for all that the sweep has to know, as long as it answers.
fn ask(github: &Github, sweep: &mut Sweep) {
    let mut silences = 0;
    let mut may_ask = |fault: Option<&GithubError>| {
        match fault {
            Some(
                GithubError::Unreachable { .. }
                | GithubError::TimedOut { .. }
                | GithubError::Failed { .. },
            ) => silences += 1,
            _ => silences = 0,
        }
        silences < MOST_SILENCES
    };
    let mut answers = true;
    for repository in sweep.repositories() {
        if !answers {
            break;
        }
        let heard = github.open_pull_requests(&repository);
        answers = may_ask(heard.fault.as_ref());
        let heard = Heard {
            open: heard.open,
            fault: heard.fault.map(|fault| fault.to_string()),
        };
        sweep.hear(&repository, heard);
    }
    for pull_request in sweep.doubts() {
        if !answers {
            break;
        }
        let said = match github.pull_request(&pull_request) {
            Ok(event) => {
                may_ask(None);
                Said::Answer(Box::new(event))
            }
            Err(fault) => {
                answers = may_ask(Some(&fault));
                Said::Fault(fault.to_string())
            }
        };
        sweep.say(&pull_request, said);
    }
}

fn row(finding: Finding, waits: bool, told: &mut impl Iterator<Item = Told>) -> Row {
    let mut row = Row {
        action: match finding.verdict {
            Verdict::Keep => Action::Kept,
            Verdict::Skip => Action::Skipped,
            Verdict::Unknown => Action::Unknown,
            Verdict::Remove(_) if waits => Action::Waiting,
            Verdict::Remove(_) => Action::Removed,
            Verdict::Write(_) => Action::Written,
        },
        service: finding.service,
        environment: finding.environment,
        pull_request: finding.pull_request,
        path: finding.path,
        reason: finding.reason,
        commit: None,
    };
    if !matches!(row.action, Action::Removed | Action::Written) {
        return row;
    }
    match told.next() {
        Some(Ok(outcome)) => {
            let stood = row.path.is_some();
            row.action = match outcome.action {
                OutcomeAction::Created | OutcomeAction::Updated => Action::Written,
                OutcomeAction::Deleted | OutcomeAction::Absent => Action::Removed,
                OutcomeAction::Unchanged => Action::Kept,
                OutcomeAction::Ignored if stood => Action::Kept,
                OutcomeAction::Ignored => Action::Skipped,
            };
            row.environment = outcome.environment.or(row.environment);
            row.path = outcome.path.or(row.path);
            row.commit = outcome.commit;
            row.reason = match outcome.action {
                OutcomeAction::Ignored | OutcomeAction::Unchanged => {
                    outcome.reason.unwrap_or(row.reason)
                }
                OutcomeAction::Absent => format!("{}; somebody else has removed it", row.reason),
                _ => row.reason,
            };
        }
        Some(Err(ManagerError::NotBuilt(artifact))) => {
            row.action = Action::Skipped;
            row.reason = format!(
                "{}; its artifact {} is not there",
                row.reason, artifact.address
            );
        }
        Some(Err(error)) => {
            row.action = Action::Unknown;
            row.reason = error.to_string();
        }
        None => row.action = Action::Unknown,
    }
    row
}
