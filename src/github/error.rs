//! What can go wrong when GitHub is asked. No message holds a secret.

use crate::clock::Time;
use crate::error::{Diagnose, Kind};
use crate::event::EventError;

/// `doing` says what was tried and to what, as in "read pull request acme/x#1"; `words` are
/// GitHub's, in one line.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    #[error("cannot {doing}: GitHub knows none that {asker} may see")]
    NotFound { doing: String, asker: String },
    #[error("cannot {doing}: access denied to {asker}: {words}")]
    Denied {
        doing: String,
        /// What was shown to GitHub, by a name that is no secret.
        asker: String,
        words: String,
    },
    #[error("cannot {doing}: GitHub's rate limit is used up{}", ends(*until))]
    RateLimited { doing: String, until: Option<Time> },
    #[error("cannot {doing}: GitHub refused: {words}")]
    Refused { doing: String, words: String },
    #[error("cannot {doing}: GitHub answered {status}")]
    Failed { doing: String, status: u16 },
    #[error("cannot {doing}: GitHub cannot be reached: {words}")]
    Unreachable { doing: String, words: String },
    #[error("cannot {doing}: no answer for {seconds} seconds")]
    TimedOut { doing: String, seconds: u64 },
    #[error("cannot {doing}: the answer is not of the form that GitHub's API has")]
    Malformed {
        doing: String,
        source: serde_json::Error,
    },
    #[error("cannot {doing}: the answer has a name that cannot be")]
    Name { doing: String, source: EventError },
    #[error("cannot {doing}: the answer is of {now}, another name than the one that was asked for")]
    Renamed { doing: String, now: String },
    #[error("cannot prepare to ask GitHub at {address}: {reason}")]
    Client { address: String, reason: String },
    #[error("the private key of the GitHub App is no RSA key in PEM")]
    Key,
    #[error("the manager repository {0} is no repository of GitHub's")]
    NoRepository(String),
    #[error("the API at {api} is not that of the server of the manager repository {manager}")]
    OtherServer { api: String, manager: String },
    #[error("there is no token that may open a pull request at {0}")]
    NoToken(String),
    #[error("there is no token that may read pull requests at {0}")]
    NoReadingToken(String),
}

fn ends(until: Option<Time>) -> String {
    until.map_or_else(String::new, |until| format!(" until {until}"))
}

impl Diagnose for GithubError {
    fn kind(&self) -> Kind {
        match self {
            Self::Key
            | Self::NoRepository(_)
            | Self::OtherServer { .. }
            | Self::NoToken(_)
            | Self::NoReadingToken(_) => Kind::Usage,
            _ => Kind::Outside,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotFound { .. } => {
                "check the name, and that the token or the App may see this repository"
            }
            Self::Denied { .. } => {
                "check that it is whole, has not expired, and has the permission that this needs"
            }
            Self::Renamed { .. } => {
                "name it in service.hcl as it is named now, and the old name in former_names"
            }
            Self::RateLimited { .. } => "run it again when the limit has ended",
            Self::Unreachable { .. } | Self::TimedOut { .. } => {
                "check GITHUB_API_URL and the network, then run it again"
            }
            Self::Failed { .. } => "run it again: what is done is not done twice",
            Self::Key => "give the .pem file that GitHub made for the App, as it is",
            Self::NoRepository(_) => {
                "--manager takes its URL, such as https://github.com/acme/previews.git"
            }
            Self::OtherServer { .. } => {
                "set GITHUB_API_URL, such as https://github.example.com/api/v3"
            }
            Self::NoToken(_) | Self::NoReadingToken(_) => {
                "set DAYFLY_TOKEN, or DAYFLY_APP_ID and DAYFLY_APP_KEY of a GitHub App"
            }
            Self::Malformed { .. } => "check that GITHUB_API_URL is the address of GitHub's API",
            Self::Refused { .. } | Self::Name { .. } | Self::Client { .. } => return None,
        };
        Some(text.to_owned())
    }
}
