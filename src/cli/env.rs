//! `dayfly env`: the environments of a manager repository.

use clap::{Args, Subcommand, ValueEnum};
use owo_colors::OwoColorize;
use serde_json::{Map, Value, json};

use super::actions;
use super::arguments::{Cache, ManagerArgs, WriteArgs};
use super::escape::escaped;
use super::output::Output;
use super::table::table;
use super::{DONE, Ended, FAILED, built, explain, lifetime, propose, rollback};
use crate::clock::Time;
use crate::config::Scheme;
use crate::environment::EnvironmentId;
use crate::error::{Diagnose, Error, Kind};
use crate::event::{Branch, HeadSha, PullRequest, PullRequestId};
use crate::github::Access;
use crate::manager::{
    self, Environment, Manager, ManagerError, Outcome, OutcomeAction, Snapshot, Wish, Word,
};

/// Show, write and remove environments
#[derive(Subcommand)]
pub(super) enum Command {
    Id(IdArgs),
    Upsert(UpsertArgs),
    Delete(DeleteArgs),
    Extend(lifetime::ExtendArgs),
    Pin(lifetime::PinArgs),
    Unpin(lifetime::UnpinArgs),
    Rollback(rollback::RollbackArgs),
    Explain(explain::Args),
    List(ListArgs),
    Show(ShowArgs),
}

/// Tell the id that a pull request's environment has
#[derive(Args)]
pub(super) struct IdArgs {
    /// OWNER/NAME#NUMBER
    pull_request: PullRequestId,

    /// How the id is derived
    #[arg(long, value_enum, default_value_t = SchemeName::Dayfly)]
    scheme: SchemeName,
}

#[derive(Clone, Copy, ValueEnum)]
enum SchemeName {
    /// 8 digits of a hash over the delimited name
    Dayfly,
    /// 7 digits, as Spacelift's 2021 demo made them
    SpaceliftDemo,
}

/// Create a pull request's environment, or bring it up to date
///
/// A person's word: of the service's rules only `limit` applies.
#[derive(Args)]
pub(super) struct UpsertArgs {
    /// OWNER/NAME#NUMBER
    pull_request: PullRequestId,

    #[command(flatten)]
    write: WriteArgs,

    /// The commit at the pull request's head
    #[arg(long, value_name = "SHA")]
    head_sha: HeadSha,

    /// The branch of the pull request
    #[arg(long, value_name = "BRANCH")]
    head_branch: Branch,

    /// Whether the head is in a fork [default: as the environment's file says; of a new one, no]
    #[arg(
        long,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    fork: Option<bool>,

    /// The service, where the repository is a source of several
    #[arg(long)]
    service: Option<String>,

    /// When this became true, such as 2026-11-21T09:00:00Z; what is older than the file is ignored
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,

    /// GitHub's number of the repository: it survives a rename
    #[arg(long, value_name = "N")]
    repository_id: Option<u64>,
}

/// Remove a pull request's environment; one that is absent is no failure
#[derive(Args)]
pub(super) struct DeleteArgs {
    /// OWNER/NAME#NUMBER
    pull_request: PullRequestId,

    #[command(flatten)]
    write: WriteArgs,

    /// The service, where the repository is a source of several
    #[arg(long)]
    service: Option<String>,

    /// When this became true; what is older than the file is ignored
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,

    /// GitHub's number of the repository: it survives a rename
    #[arg(long, value_name = "N")]
    repository_id: Option<u64>,
}

/// List the environments
#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    manager: ManagerArgs,

    /// Only those of this service
    #[arg(long)]
    service: Option<String>,
}

/// Show one environment: its file
#[derive(Args)]
pub(super) struct ShowArgs {
    /// Its id, OWNER/NAME#NUMBER, or the name of its module
    #[arg(value_name = "ENVIRONMENT")]
    name: String,

    #[command(flatten)]
    manager: ManagerArgs,

    /// Only among those of this service
    #[arg(long)]
    service: Option<String>,
}

pub(super) fn run(command: Command, output: &Output) -> Ended {
    match command {
        Command::Id(args) => tell_id(&args, output),
        Command::Upsert(args) => upsert(args, output),
        Command::Delete(args) => delete(args, output),
        Command::Extend(args) => lifetime::extend(&args, output),
        Command::Pin(args) => lifetime::pin(&args, output),
        Command::Unpin(args) => lifetime::unpin(&args, output),
        Command::Rollback(args) => rollback::run(&args, output),
        Command::Explain(args) => explain::run(args, output),
        Command::List(args) => list(&args, output),
        Command::Show(args) => show(&args, output),
    }
}

fn tell_id(args: &IdArgs, output: &Output) -> Ended {
    let scheme = match args.scheme {
        SchemeName::Dayfly => Scheme::Dayfly,
        SchemeName::SpaceliftDemo => Scheme::SpaceliftDemo,
    };
    let id = EnvironmentId::derive(&args.pull_request, scheme, |_| false);
    if output.is_json() {
        output.json(&json!({ "pull_request": args.pull_request, "environment": id }));
    } else {
        output.data(id);
    }
    Ok(DONE)
}

fn upsert(args: UpsertArgs, output: &Output) -> Ended {
    let pull_request = PullRequest {
        id: args.pull_request,
        repository_id: args.repository_id,
        head_sha: args.head_sha,
        head_branch: args.head_branch,
        base_branch: None,
        is_open: true,
        is_draft: false,
        is_fork: args.fork.unwrap_or_default(),
        asks_for_none: false,
        labels: Vec::new(),
    };
    let word = Word::Upsert {
        pull_request,
        at: args.at,
        keeps_fork: args.fork.is_none(),
    };
    write(
        &args.write,
        &Wish {
            word,
            service: args.service,
        },
        output,
    )
}

fn delete(args: DeleteArgs, output: &Output) -> Ended {
    let word = Word::Delete {
        pull_request: args.pull_request,
        repository_id: args.repository_id,
        at: args.at,
    };
    write(
        &args.write,
        &Wish {
            word,
            service: args.service,
        },
        output,
    )
}

/// Does what a person asks for. Pull requests are told of events only: a person sees what is printed,
/// and would speak there in their own name.
pub(super) fn write(args: &WriteArgs, wish: &Wish, output: &Output) -> Ended {
    let outcome = carry_out(args, wish, None, output)?;
    actions::record(&outcome)?;
    Ok(match outcome.over_limit {
        true => Kind::Denied as u8,
        false => DONE,
    })
}

/// Does what `wish` asks for, or proposes it, and tells what was done; `note` is a reason beside
/// the decision's own.
pub(super) fn carry_out(
    args: &WriteArgs,
    wish: &Wish,
    note: Option<&str>,
    output: &Output,
) -> Result<Outcome, Error> {
    let committer = args.signing.committer()?;
    let mut outcome = if args.propose {
        propose::propose(args, wish, &committer, output)?
    } else {
        let cache = Cache::new()?;
        let manager = args.manager.manager(Access::Write)?;
        let (objects, patience) = (&cache.repository, args.timeout);
        match manager::write_once_built(&manager, wish, objects, &committer, patience) {
            Err(ManagerError::NotBuilt(artifact)) => {
                built::wait(&artifact, output)?;
                manager::write(&manager, wish, objects, &committer, patience)?
            }
            outcome => outcome?,
        }
    };
    outcome.add_reason(note);
    tell(&outcome, output);
    Ok(outcome)
}

pub(super) fn tell(outcome: &Outcome, output: &Output) {
    if output.is_json() {
        output.json(outcome);
        return;
    }
    let action = outcome.action.as_str();
    let action = match outcome.action {
        OutcomeAction::Created | OutcomeAction::Updated => action.green().to_string(),
        OutcomeAction::Deleted => action.red().to_string(),
        _ => action.yellow().to_string(),
    };
    let mut line = action;
    for part in [&outcome.path, &outcome.url].into_iter().flatten() {
        line.push_str("  ");
        line.push_str(&escaped(part));
    }
    if let Some(commit) = &outcome.commit {
        line.push_str(&format!("  {}", commit.get(..8).unwrap_or(commit).dimmed()));
    }
    output.data(line);
    if let Some(proposal) = &outcome.proposal {
        let url = escaped(&proposal.url);
        output.data(format_args!("  proposal #{}  {url}", proposal.number));
    }
    if let Some(reason) = &outcome.reason {
        output.data(format_args!("  {}", escaped(reason)));
    }
}

fn described(environment: &Environment) -> Value {
    let file = &environment.file;
    let mut value = Map::from_iter(file.attributes.iter().cloned());
    value.remove("source");
    value.insert("service".to_owned(), json!(environment.service));
    value.insert("path".to_owned(), json!(file.path));
    value.insert("name".to_owned(), json!(file.name));
    value.insert("url".to_owned(), json!(environment.url));
    Value::Object(value)
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is a plain directory, no manager repository")]
struct PlainDirectory(String);

impl Diagnose for PlainDirectory {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(
            "--manager takes the path or the URL of a Git repository; `dayfly init` makes one"
                .to_owned(),
        )
    }
}

/// The manager repository; another repository has no environments to list or to show.
fn read(manager: &ManagerArgs, cache: &Cache) -> Result<Snapshot, Error> {
    snapshot(&manager.manager(Access::Read)?, cache)
}

/// As [`read`], of a repository that is open already.
pub(super) fn snapshot(manager: &Manager, cache: &Cache) -> Result<Snapshot, Error> {
    let snapshot = manager.snapshot_or_directory(&cache.repository)?;
    if let Snapshot::Directory(_) = snapshot {
        return Err(PlainDirectory(manager.remote.to_string()).into());
    }
    let (services, broken) = manager::services(snapshot.files())?;
    if !snapshot.has_settings()? && services.is_empty() && broken.is_empty() {
        return Err(ManagerError::NoManager(manager.remote.to_string()).into());
    }
    Ok(snapshot)
}

fn list(args: &ListArgs, output: &Output) -> Ended {
    let cache = Cache::new()?;
    let snapshot = read(&args.manager, &cache)?;
    let (environments, unreadable) =
        manager::environments(snapshot.files(), args.service.as_deref())?;
    if output.is_json() {
        output.json(&environments.iter().map(described).collect::<Vec<_>>());
    } else if environments.is_empty() {
        output.talk("no environments");
    } else {
        let rows: Vec<[String; 4]> = environments
            .iter()
            .map(|environment| {
                let file = &environment.file;
                [
                    file.environment.clone().unwrap_or_default(),
                    environment.service.clone(),
                    file.pull_request
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    environment.url.clone().unwrap_or_default(),
                ]
            })
            .collect();
        output.data(table(
            // An address that is cut leads nowhere.
            None,
            ["ENVIRONMENT", "SERVICE", "PULL REQUEST", "URL"],
            &rows,
        ));
    }
    let is_whole = unreadable.is_empty();
    for error in unreadable {
        output.error(&error.into());
    }
    Ok(if is_whole { DONE } else { FAILED })
}

fn show(args: &ShowArgs, output: &Output) -> Ended {
    let cache = Cache::new()?;
    let snapshot = read(&args.manager, &cache)?;
    let environment =
        manager::find_environment(snapshot.files(), args.service.as_deref(), &args.name)?;
    if output.is_json() {
        output.json(&described(&environment));
    } else {
        output.talk(environment.file.path.dimmed());
        output.data(environment.text.trim_end());
    }
    Ok(DONE)
}
