//! The wait for what a build publishes: its address is asked until it answers, or time is up.
//!
//! No secret goes with a question, and of an answer only its head is read.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, StatusCode, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::Url;

use crate::clock;
use crate::error::{Diagnose, Kind};

/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(10);
/// Even the last one is given so much.
const SHORTEST_QUESTION: Duration = Duration::from_secs(1);
/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// The pause after the first question; each is half as long again as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    #[error("{0} is no address of an artifact")]
    Address(String),
    #[error("cannot ask for artifacts over https")]
    Client(#[source] std::io::Error),
    #[error("the artifact {address} wants a login: its server answers {status}")]
    Login { address: String, status: u16 },
    #[error("the artifact {address} is not there after {seconds} s: {answer}")]
    TimedOut {
        address: String,
        seconds: u64,
        answer: String,
    },
}

impl Diagnose for ArtifactError {
    fn kind(&self) -> Kind {
        match self {
            Self::Address(_) => Kind::Usage,
            _ => Kind::Outside,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Address(_) => "mend `artifact` in service.hcl".to_owned(),
            Self::Client(_) => {
                "install the certificates of the authorities (ca-certificates)".to_owned()
            }
            Self::Login { .. } => {
                "`artifact` in service.hcl names an address that answers without a login".to_owned()
            }
            Self::TimedOut { .. } => {
                "see whether the build of this commit has failed; once the artifact is \
                 there, run this again, or give it longer by `artifact_timeout` in service.hcl"
                    .to_owned()
            }
        })
    }
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    There,
    /// Ask there instead.
    Elsewhere(Url),
    /// Ask with another method.
    NotThisWay,
    /// It may come yet; what the server said.
    NotYet(String),
    /// It will not come, however long one waits.
    Login(u16),
}

/// Waits until the artifact at `address` is there, for as long as `timeout`. `tell` is told once
/// what is waited for and why.
pub fn wait(
    address: &str,
    timeout: Duration,
    mut tell: impl FnMut(&str),
) -> Result<(), ArtifactError> {
    let url = Url::parse(address).map_err(|_| ArtifactError::Address(address.to_owned()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ArtifactError::Client)?;
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    runtime.block_on(async {
        let client = client()?;
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            let answer =
                match ask_within(left.clamp(SHORTEST_QUESTION, QUESTION), &client, &url).await {
                    Answer::There => return Ok(()),
                    Answer::Login(status) => {
                        let address = address.to_owned();
                        return Err(ArtifactError::Login { address, status });
                    }
                    Answer::NotYet(said) => said,
                    Answer::Elsewhere(_) | Answer::NotThisWay => {
                        "its server sends from one address to another".to_owned()
                    }
                };
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(ArtifactError::TimedOut {
                    address: address.to_owned(),
                    seconds: timeout.as_secs(),
                    answer,
                });
            }
            if pause == FIRST_PAUSE {
                tell(&answer);
            }
            tokio::time::sleep(pause.mul_f64(0.8 + 0.4 * clock::jitter()).min(left)).await;
            pause = pause.mul_f64(1.5).min(LONGEST_PAUSE);
        }
    })
}

type Asker = Client<HttpsConnector<HttpConnector>, String>;

fn client() -> Result<Asker, ArtifactError> {
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(ArtifactError::Client)?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Whether the artifact at `address` is there now.
pub fn is_there(address: &str) -> Result<bool, ArtifactError> {
    let url = Url::parse(address).map_err(|_| ArtifactError::Address(address.to_owned()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ArtifactError::Client)?;
    let answer = runtime.block_on(async { Ok(ask_within(QUESTION, &client()?, &url).await) });
    Ok(answer? == Answer::There)
}

async fn ask_within(limit: Duration, client: &Asker, url: &Url) -> Answer {
    match tokio::time::timeout(limit, ask(client, url)).await {
        Ok(answer) => answer,
        Err(_) => Answer::NotYet(format!("no answer in {} s", limit.as_secs())),
    }
}

/// Asks once, along redirects. A server that does not like the question for the head alone is asked
/// for the first byte.
async fn ask(client: &Asker, url: &Url) -> Answer {
    let (mut url, mut method) = (url.clone(), Method::HEAD);
    for _ in 0..=REDIRECTS {
        let answer = match send(client, &url, &method).await {
            Ok((status, headers)) => judge(&url, &method, status, &headers),
            Err(words) => Answer::NotYet(words),
        };
        match answer {
            Answer::Elsewhere(next) => url = next,
            Answer::NotThisWay => method = Method::GET,
            answer => return answer,
        }
    }
    Answer::NotYet("more redirects than are followed".to_owned())
}

async fn send(
    client: &Asker,
    url: &Url,
    method: &Method,
) -> Result<(StatusCode, HeaderMap), String> {
    let mut request = Request::builder().method(method).uri(url.as_str()).header(
        header::USER_AGENT,
        concat!("dayfly/", env!("CARGO_PKG_VERSION")),
    );
    if *method == Method::GET {
        request = request.header(header::RANGE, "bytes=0-0");
    }
    let request = request
        .body(String::new())
        .map_err(|error| error.to_string())?;
    let response = client
        .request(request)
        .await
        .map_err(|error| innermost(&error))?;
    Ok((response.status(), response.headers().clone()))
}

/// Why there was no answer: what is outermost only says that there was none.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn judge(url: &Url, method: &Method, status: StatusCode, headers: &HeaderMap) -> Answer {
    let location = || headers.get(header::LOCATION)?.to_str().ok();
    match status.as_u16() {
        200..=299 => Answer::There,
        301 | 302 | 303 | 307 | 308 => match location().and_then(|to| url.join(to).ok()) {
            Some(next) if matches!(next.scheme(), "http" | "https") => Answer::Elsewhere(next),
            _ => Answer::NotYet(format!("its server answers {status} and leads nowhere")),
        },
        // What was signed for one method is denied to another.
        403 | 405 | 501 if *method == Method::HEAD => Answer::NotThisWay,
        // An empty file has no first byte.
        416 => Answer::There,
        status @ (401 | 407) => Answer::Login(status),
        // Stores that list nothing say so of what is not there yet as well.
        403 => Answer::NotYet("its server denies it (403)".to_owned()),
        status => Answer::NotYet(format!("its server answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let url = Url::parse("https://x.example/a/b").unwrap();
        let elsewhere = |to: &str| Answer::Elsewhere(Url::parse(to).unwrap());
        for (status, location, of_head, of_get) in [
            (200, None, Answer::There, Answer::There),
            (206, None, Answer::There, Answer::There),
            (
                302,
                Some("../c?d"),
                elsewhere("https://x.example/c?d"),
                elsewhere("https://x.example/c?d"),
            ),
            (
                307,
                Some("http://y/z"),
                elsewhere("http://y/z"),
                elsewhere("http://y/z"),
            ),
            (
                405,
                None,
                Answer::NotThisWay,
                Answer::NotYet("its server answers 405".into()),
            ),
            (
                403,
                None,
                Answer::NotThisWay,
                Answer::NotYet("its server denies it (403)".into()),
            ),
            (401, None, Answer::Login(401), Answer::Login(401)),
            (416, None, Answer::There, Answer::There),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(location) = location {
                headers.insert(header::LOCATION, location.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                judge(&url, &Method::HEAD, status, &headers),
                of_head,
                "{status}"
            );
            assert_eq!(
                judge(&url, &Method::GET, status, &headers),
                of_get,
                "{status}"
            );
        }
        let judged = |status, location: &str| {
            let headers = HeaderMap::from_iter([(header::LOCATION, location.parse().unwrap())]);
            judge(
                &url,
                &Method::HEAD,
                StatusCode::from_u16(status).unwrap(),
                &headers,
            )
        };
        for (status, location) in [
            (302, "file:///etc/passwd"),
            (404, ""),
            (500, ""),
            (503, "/a"),
        ] {
            assert!(
                matches!(judged(status, location), Answer::NotYet(_)),
                "{status}"
            );
        }
    }
}
