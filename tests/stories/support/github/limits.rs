//! Limits of GitHub's that a story sets, for the next calls of its choice.

use axum::http::Method;

use super::answer::{Answer, refuse};
use super::state::{World, real_now};

/// A limit that is met by calls that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Too much was written in too short a time: `retry-after` says for how many seconds to wait.
    Secondary { retry_after: u64 },
    /// The requests of the hour are used up: 0 remain until `x-ratelimit-reset`, in so many seconds.
    Primary { reset_after: i64 },
}

impl World {
    /// The refusal, while the limit holds: from the first that meets it until the end that it says.
    /// GraphQL has limits of its own.
    pub(super) fn limited(&mut self, method: &Method, path: &str) -> Option<Answer> {
        let is_write = method != Method::GET && path.starts_with("/repos/");
        let (limit, since) = self.limit.as_mut().filter(|_| is_write)?;
        let (limit, since) = (*limit, *since.get_or_insert_with(real_now));
        let (end, answer) = match limit {
            Limit::Secondary { retry_after } => {
                let words = "You have exceeded a secondary rate limit. Please wait a few minutes \
                             before you try again.";
                let mut answer = refuse(403, words);
                answer
                    .headers
                    .push(("retry-after", retry_after.to_string()));
                (since + i64::try_from(retry_after).unwrap(), answer)
            }
            Limit::Primary { reset_after } => {
                let end = since + reset_after;
                let mut answer = refuse(429, "API rate limit exceeded for installation ID 1.");
                answer.headers.extend([
                    ("x-ratelimit-remaining", "0".to_owned()),
                    ("x-ratelimit-reset", end.to_string()),
                ]);
                (end, answer)
            }
        };
        if real_now() >= end {
            self.limit = None;
            return None;
        }
        Some(answer)
    }
}
