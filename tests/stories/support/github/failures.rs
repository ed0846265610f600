//! Answers that fail: one call of one page, or of one pull request, while all others are answered.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::http::request::Parts;
use axum::response::Response;
use http_body::Frame;
use serde_json::json;

use super::FakeGithub;
use super::answer::{Answer, ok, refuse};
use super::state::World;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    ServerError,
    NotFound,
    Denied,
    /// The limit is used up by this very call.
    RateLimit,
    SecondaryLimit,
    /// 200, and nothing in the list.
    Empty,
    /// 200, and half of a document.
    Truncated,
    /// 200, and the connection ends within the document.
    Cut,
}

pub(super) struct Failing {
    path: String,
    page: usize,
    failure: Failure,
}

impl FakeGithub {
    /// Lets calls of a path (`repos/acme/x/pulls`) fail, of one that is listed those of this page.
    pub(crate) fn fail(&self, path: &str, page: usize, failure: Failure) {
        self.with(|world| {
            world.failures.push(Failing {
                path: format!("/{path}"),
                page,
                failure,
            });
        });
    }

    /// Lets lists of open pull requests hold those that have closed.
    pub(crate) fn fall_behind(&self) {
        self.with(|world| world.is_behind = true);
    }

    /// Answers all calls again, and with a limit that is not used up.
    pub(crate) fn recover(&self) {
        self.with(|world| world.failures.clear());
        self.trouble(None);
    }

    /// How many calls are left of the limit.
    pub(crate) fn set_remaining(&self, remaining: i64) {
        self.with(|world| world.remaining = remaining);
    }
}

impl World {
    fn failure(&self, parts: &Parts) -> Option<Failure> {
        let path = parts.uri.path();
        let path = path.strip_prefix("/api/v3").unwrap_or(path);
        let query = parts.uri.query().unwrap_or_default();
        let page = query.split('&').find_map(|pair| pair.strip_prefix("page="));
        let page = page.map_or(1, |page| page.parse().unwrap());
        let mut failures = self.failures.iter();
        let failing = failures.find(|failing| failing.path == path && failing.page == page)?;
        Some(failing.failure)
    }

    /// The answer of a call that fails by its status, or by what it says.
    pub(super) fn failing(&mut self, parts: &Parts) -> Option<Answer> {
        Some(match self.failure(parts)? {
            Failure::ServerError => refuse(502, "Server Error"),
            Failure::NotFound => refuse(404, "Not Found"),
            Failure::Denied => refuse(403, "Resource not accessible by integration"),
            Failure::RateLimit => {
                self.remaining = 0;
                refuse(403, "API rate limit exceeded for user ID 1.")
            }
            Failure::SecondaryLimit => refuse(
                403,
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            ),
            Failure::Empty => ok(200, json!([])),
            Failure::Truncated | Failure::Cut => return None,
        })
    }

    /// How the document of the answer is broken, if it is.
    pub(super) fn breaks(&self, parts: &Parts) -> Option<Failure> {
        let is_broken = |failure: &Failure| matches!(failure, Failure::Truncated | Failure::Cut);
        self.failure(parts).filter(is_broken)
    }
}

pub(super) async fn broken(response: Response, failure: Option<Failure>) -> Response {
    let Some(failure) = failure else {
        return response;
    };
    let (parts, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap();
    let half = whole.slice(..whole.len() / 2);
    let body = match failure {
        Failure::Cut => Body::new(CutBody(Some(half))),
        _ => Body::from(half),
    };
    let mut response = Response::from_parts(parts, body);
    response.headers_mut().remove("content-length");
    response
}

/// A part, then the end of the connection.
struct CutBody(Option<Bytes>);

impl HttpBody for CutBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(Some(match self.0.take() {
            Some(part) => Ok(Frame::data(part)),
            None => Err(std::io::ErrorKind::ConnectionReset.into()),
        }))
    }
}
