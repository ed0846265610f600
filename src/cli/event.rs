//! `dayfly event`: what a pull request event means for its environment.

use std::path::PathBuf;
use std::time::Duration;

use owo_colors::OwoColorize;

use super::arguments::WriteArgs;
use super::escape::escaped;
use super::output::Output;
use super::{DONE, Ended, actions, env, report};
use crate::config::{ApiAddress, Tokens};
use crate::error::{Diagnose, Error, Kind};
use crate::event::{Action, PullRequestEvent};
use crate::git::Token;
use crate::github::{Github, GithubError, freshest, webhook};
use crate::manager::{Wish, Word};

/// How long GitHub may take to say how the pull request is now.
const PATIENCE: Duration = Duration::from_secs(5);

/// Do what a GitHub pull request event means, under the service's rules
///
/// In a workflow the event is found by itself; elsewhere name it with --event-name and --event-path.
/// Where a token may ask GitHub, and GITHUB_API_URL says where, the pull request as it is now
/// counts if it is fresher than the event.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    write: WriteArgs,

    #[command(flatten)]
    event: EventArgs,
}

/// An event, and the service it is for.
#[derive(clap::Args)]
pub(super) struct EventArgs {
    /// The event's name
    #[arg(long, env = "GITHUB_EVENT_NAME", value_name = "NAME")]
    event_name: String,

    /// The file with the event's payload
    #[arg(long, env = "GITHUB_EVENT_PATH", value_name = "FILE")]
    event_path: PathBuf,

    /// The service, where the repository is a source of several
    #[arg(long)]
    service: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum EventFileError {
    #[error("cannot read the event at {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Diagnose for EventFileError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("--event-path (or GITHUB_EVENT_PATH) names the JSON file of the event".to_owned())
    }
}

impl EventArgs {
    /// What the event asks for, by the event or by what GitHub says of its pull request now, which
    /// is fresher; the text is a reason to tell besides.
    pub(super) fn wish(
        self,
        manager: &str,
        output: &Output,
    ) -> Result<(Wish, Option<&'static str>), Error> {
        let payload = std::fs::read(&self.event_path).map_err(|source| EventFileError::Read {
            path: self.event_path.clone(),
            source,
        })?;
        let event = webhook::read_event(&self.event_name, &payload)?;
        let (event, note) = match ask(&event, manager)? {
            Some(Ok(now)) => freshest(event, now),
            Some(Err(error)) => {
                warn(&error, output);
                (event, None)
            }
            None => (event, None),
        };
        let wish = Wish {
            word: Word::Event(event),
            service: self.service,
        };
        Ok((wish, note))
    }
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let manager = args.write.manager.address();
    let (wish, note) = args.event.wish(manager, output)?;
    let outcome = env::carry_out(&args.write, &wish, note, output)?;
    let recorded = actions::record(&outcome);
    if let Word::Event(event) = &wish.word {
        report::tell(manager, event, &outcome, output);
    }
    recorded?;
    Ok(DONE)
}

/// The pull request as it is now; `None` where nobody may ask, or nothing hangs on it.
fn ask(
    event: &PullRequestEvent,
    manager: &str,
) -> Result<Option<Result<PullRequestEvent, GithubError>>, Error> {
    if matches!(event.action, Action::Other(_)) {
        return Ok(None);
    }
    let Some(api) = ApiAddress::in_workflow()? else {
        return Ok(None);
    };
    let tokens = Tokens::from_environment();
    let Some((token, is_expected_to_see)) = tokens.for_asking(&api, manager) else {
        return Ok(None);
    };
    let answer = Github::new(&api, Token::new(token).called(tokens.name_of(token)))
        .and_then(|github| github.within(PATIENCE).pull_request(&event.pull_request.id));
    match answer {
        // A token for the manager repository alone is a good one: that is nothing to warn of.
        Err(error @ (GithubError::NotFound { .. } | GithubError::Denied { .. }))
            if !is_expected_to_see =>
        {
            tracing::info!(%error, "GitHub is not asked");
            Ok(None)
        }
        answer => Ok(Some(answer)),
    }
}

/// The event alone is enough: what GitHub does not tell stops nobody.
fn warn(error: &GithubError, output: &Output) {
    output.talk(format_args!(
        "{} {}; going by the event alone",
        "warning:".yellow().bold(),
        escaped(&error.to_string())
    ));
}
