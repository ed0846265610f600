//! One blocking door to GitHub's API. Nothing is tried twice here: a write that was heard and not
//! answered would be made twice.

use std::cell::Cell;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use octocrab::Octocrab;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::GithubError;
use crate::clock::{self, Time};
use crate::config::ApiAddress;
use crate::git::Token;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a call may take, with its answer.
const CALL: Duration = Duration::from_secs(20);

/// GitHub's API at one address, asked with one token.
pub struct Github {
    runtime: tokio::runtime::Runtime,
    client: Octocrab,
    /// Never in a message, whatever the server answers.
    token: Token,
    patience: Duration,
    requests: Cell<u64>,
    /// What is left of the rate limit, as the last answer told it.
    left: Cell<Option<u64>>,
    /// Until when the limit is used up: nothing is asked before.
    spent_until: Cell<Option<Time>>,
}

/// A call that is not made yet.
pub(super) enum Call<'a> {
    Get,
    /// Where the answer is another than the one that was given this tag; else it is empty.
    GetUnless(&'a str),
    Post(&'a Value),
    Patch(&'a Value),
    Delete,
}

impl Github {
    pub fn new(api: &ApiAddress, token: Token) -> Result<Self, GithubError> {
        let fail = |reason: String| GithubError::Client {
            address: api.as_str().to_owned(),
            reason,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| fail(error.to_string()))?;
        // The client starts a task of its own.
        let client = runtime.block_on(async {
            Octocrab::builder()
                .base_uri(api.as_str())?
                .user_access_token(token.expose())
                .set_connect_timeout(Some(CONNECT))
                .build()
        });
        Ok(Self {
            client: client.map_err(|error| fail(chain(&error)))?,
            runtime,
            token,
            patience: CALL,
            requests: Cell::new(0),
            left: Cell::new(None),
            spent_until: Cell::new(None),
        })
    }

    /// The same, but each call may take only so long.
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How many calls were made.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// How many calls the rate limit still allows, as far as an answer told it.
    pub fn requests_left(&self) -> Option<u64> {
        self.left.get()
    }

    /// Makes a call of `path`, relative to the API's address; `doing` is for the error.
    pub(super) fn call<T: DeserializeOwned>(
        &self,
        doing: &str,
        path: &str,
        call: Call<'_>,
    ) -> Result<T, GithubError> {
        self.page(doing, path, call).map(|(answer, _)| answer)
    }

    /// As [`Github::call`], and whether another page follows.
    pub(super) fn page<T: DeserializeOwned>(
        &self,
        doing: &str,
        path: &str,
        call: Call<'_>,
    ) -> Result<(T, bool), GithubError> {
        let (headers, body) = self.answer(doing, path, call)?;
        let read = serde_json::from_str(&body).map_err(|source| GithubError::Malformed {
            doing: doing.to_owned(),
            source,
        });
        Ok((read?, has_next(&headers)))
    }

    /// The answer itself, headers and body.
    pub(super) fn answer(
        &self,
        doing: &str,
        path: &str,
        call: Call<'_>,
    ) -> Result<(HeaderMap, String), GithubError> {
        let doing = doing.to_owned();
        if let Some(until) = self.spent_until.get().filter(|until| *until > clock::now()) {
            let until = Some(until);
            return Err(GithubError::RateLimited { doing, until });
        }
        self.requests.set(self.requests.get() + 1);
        let answered = self.runtime.block_on(async {
            tokio::time::timeout(self.patience, async {
                let response = match call {
                    Call::Get => self.client._get(path).await?,
                    Call::GetUnless(tag) => {
                        let tag = HeaderValue::from_str(tag).ok();
                        let known = tag.map(|tag| (header::IF_NONE_MATCH, tag));
                        let known = Some(known.into_iter().collect());
                        self.client._get_with_headers(path, known).await?
                    }
                    Call::Post(body) => self.client._post(path, Some(body)).await?,
                    Call::Patch(body) => self.client._patch(path, Some(body)).await?,
                    Call::Delete => self.client._delete(path, None::<&Value>).await?,
                };
                let (status, headers) = (response.status(), response.headers().clone());
                let body = self.client.body_to_string(response).await?;
                Ok::<_, octocrab::Error>((status, headers, body))
            })
            .await
        });
        let (status, headers, body) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let words = self.redact(&chain(&error));
                return Err(GithubError::Unreachable { doing, words });
            }
            Err(_) => {
                let seconds = self.patience.as_secs();
                return Err(GithubError::TimedOut { doing, seconds });
            }
        };
        self.note_limit(&headers);
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok((headers, body));
        }
        let words = self.redact(&words(&body));
        let refusal = refusal(doing, self.token.name(), status, &headers, words);
        if let GithubError::RateLimited { until, .. } = &refusal {
            let minute_later = || clock::later(clock::now(), Duration::from_secs(60));
            self.spent_until
                .set(Some(until.unwrap_or_else(minute_later)));
        }
        Err(refusal)
    }

    /// A limit that is used up is noticed before it is met.
    fn note_limit(&self, headers: &HeaderMap) {
        let Some(left) = number(headers, "x-ratelimit-remaining") else {
            return;
        };
        self.left.set(u64::try_from(left).ok());
        let reset = number(headers, "x-ratelimit-reset").filter(|_| left == 0);
        if let Some(until) = reset.and_then(|second| Time::from_second(second).ok()) {
            self.spent_until.set(Some(until));
        }
    }

    fn redact(&self, text: &str) -> String {
        text.replace(self.token.expose(), "***")
    }
}

/// Whether `Link` names a page behind this one.
pub(super) fn has_next(headers: &HeaderMap) -> bool {
    let link = headers.get(header::LINK);
    let link = link.and_then(|link| link.to_str().ok()).unwrap_or_default();
    link.split(',').any(|one| one.contains("rel=\"next\""))
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// An error with its causes in one line. Octocrab's own words carry the place in its code.
fn chain(error: &octocrab::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut words = Vec::new();
    while let Some(next) = cause.source() {
        words.push(next.to_string());
        cause = next;
    }
    // What is outermost often repeats what is in it.
    let mut told: Vec<String> = Vec::new();
    for word in words.into_iter().rev() {
        if !word.is_empty() && !told.iter().any(|known| word.contains(known.as_str())) {
            told.push(word);
        }
    }
    match told.is_empty() {
        true => error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
        false => told.into_iter().rev().collect::<Vec<_>>().join(": "),
    }
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
    #[serde(default)]
    errors: Vec<Value>,
}

/// What GitHub says of a call that it did not do, in one line.
fn words(body: &str) -> String {
    let Ok(refusal) = serde_json::from_str::<Refusal>(body) else {
        return String::new();
    };
    let mut words = refusal.message;
    for error in &refusal.errors {
        let said = error.as_str().or_else(|| error.get("message")?.as_str());
        if let Some(said) = said {
            words.push_str(": ");
            words.push_str(said);
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What kind of refusal an answer is. GitHub tells a limit that is used up by 403 or 429, and by
/// its headers or its words that it is no denial.
fn refusal(
    doing: String,
    asker: &str,
    status: StatusCode,
    headers: &HeaderMap,
    words: String,
) -> GithubError {
    let asker = asker.to_owned();
    let number = |name: &str| number(headers, name);
    match status.as_u16() {
        404 | 410 => GithubError::NotFound { doing, asker },
        code @ (403 | 429) => {
            let wait = number("retry-after");
            let is_used_up = number("x-ratelimit-remaining") == Some(0);
            let is_limit = words.to_ascii_lowercase().contains("rate limit");
            if code == 403 && wait.is_none() && !is_used_up && !is_limit {
                return GithubError::Denied {
                    doing,
                    asker,
                    words,
                };
            }
            let reset = number("x-ratelimit-reset").filter(|_| is_used_up);
            let after_wait = wait.map(|wait| clock::now().as_second().saturating_add(wait));
            let until = after_wait
                .or(reset)
                .and_then(|second| Time::from_second(second).ok());
            GithubError::RateLimited { doing, until }
        }
        401 => GithubError::Denied {
            doing,
            asker,
            words,
        },
        400..=499 => GithubError::Refused { doing, words },
        status => GithubError::Failed { doing, status },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let limit = "API rate limit exceeded for installation";
        let secondary = "You have exceeded a secondary rate limit";
        for (status, headers, said, expected) in [
            (404, &[][..], "Not Found", "knows none"),
            (
                401,
                &[],
                "Bad credentials",
                "denied to the token: Bad credentials",
            ),
            (
                403,
                &[],
                "Resource not accessible by integration",
                "denied to the token: Resource",
            ),
            (
                403,
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1795510800"),
                ],
                limit,
                "used up until 2026-11-24T09:00:00Z",
            ),
            (
                403,
                &[("x-ratelimit-remaining", "4000")],
                secondary,
                "rate limit is used up",
            ),
            (429, &[("retry-after", "60")], secondary, "used up until"),
            (422, &[], "Validation Failed", "refused: Validation Failed"),
            (502, &[], "", "answered 502"),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            let error = refusal("ask".to_owned(), "the token", status, &map, said.to_owned());
            let told = error.to_string();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn words_are_one_line() {
        let body = r#"{"message":"Validation\n Failed","errors":[{"message":"No commits between a and b"},"x",{"code":"y"}]}"#;
        assert_eq!(
            words(body),
            "Validation Failed: No commits between a and b: x"
        );
        assert_eq!(words("<html>"), "");
    }
}
