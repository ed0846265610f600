//! From a request to an answer: who asks, whether anything is left of the limit, and which call.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::state::{Grant, Trouble, World, real_now};

/// A status with its document; pages have a `Link`.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    pub(super) link: Option<String>,
    /// Where it is now, of what has moved.
    pub(super) location: Option<String>,
    /// More headers, and other values of those that every answer has.
    pub(super) headers: Vec<(&'static str, String)>,
}

pub(super) type Answered = Result<Answer, Answer>;

pub(super) fn ok(status: u16, body: Value) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        body,
        link: None,
        location: None,
        headers: Vec::new(),
    }
}

pub(super) fn refuse(status: u16, message: &str) -> Answer {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    ok(status, body)
}

pub(super) fn invalid(message: &str) -> Answer {
    let mut answer = refuse(422, "Validation Failed");
    answer.body["errors"] =
        json!([{ "resource": "PullRequest", "code": "custom", "message": message }]);
    answer
}

/// Who asks.
pub(super) enum Caller {
    Nobody,
    /// An App, by its own word; the place in the list.
    App(usize),
    Token(Grant),
}

impl World {
    pub(super) fn answer(&mut self, parts: &Parts, body: &[u8]) -> Response {
        self.look_at_branches();
        let path = parts.uri.path();
        let path = path.strip_prefix("/api/v3").unwrap_or(path).to_owned();
        self.requests.push(format!("{} {path}", parts.method));
        let limited = self
            .failing(parts)
            .or_else(|| self.troubled(parts))
            .or_else(|| self.limited(&parts.method, &path));
        let answer = match limited {
            Some(answer) => answer,
            None => self
                .route(parts, &path, body)
                .unwrap_or_else(|refusal| refusal),
        };
        self.respond(parts, answer)
    }

    fn troubled(&mut self, parts: &Parts) -> Option<Answer> {
        let is_read = parts.method == Method::GET;
        if self.remaining == 0 {
            return Some(refuse(403, "API rate limit exceeded for user ID 1."));
        }
        match self.trouble? {
            Trouble::Down => Some(refuse(502, "Server Error")),
            Trouble::NoWrites if !is_read => Some(refuse(502, "Server Error")),
            Trouble::RateLimit => {
                self.remaining = 0;
                Some(refuse(403, "API rate limit exceeded for user ID 1."))
            }
            Trouble::SecondaryLimit => Some(refuse(
                403,
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            )),
            Trouble::NoWrites | Trouble::Hangs => None,
        }
    }

    fn route(&mut self, parts: &Parts, path: &str, body: &[u8]) -> Answered {
        let caller = self.caller(parts)?;
        let body: Value = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(body).map_err(|_| refuse(400, "Problems parsing JSON"))?
        };
        let path = &self.followed(parts, path)?;
        let words: Vec<&str> = path.split('/').skip(1).collect();
        match (parts.method.as_str(), words.as_slice()) {
            ("POST", ["api", "graphql"]) => viewer(&caller, &body),
            ("GET", ["repos", owner, name, "installation"]) => {
                self.find_installation(&caller, &format!("{owner}/{name}"))
            }
            ("POST", ["app", "installations", number, "access_tokens"]) => {
                self.give_token(&caller, number, &body)
            }
            (method, ["repos", owner, name, rest @ ..]) => {
                let name = format!("{owner}/{name}");
                let grant = match &caller {
                    Caller::Token(grant) if grant.sees(&name) => grant,
                    _ => return Err(refuse(404, "Not Found")),
                };
                if self.repository(&name).is_none() {
                    return Err(refuse(404, "Not Found"));
                }
                let level = if method == "GET" { "read" } else { "write" };
                if rest.first() == Some(&"pulls") && !grant.allows("pull_requests", level) {
                    return Err(refuse(403, "Resource not accessible by integration"));
                }
                if let ["issues", words @ ..] = rest {
                    return self.issues(grant, &name, parts, words, &body);
                }
                match (method, rest) {
                    ("GET", []) => Ok(ok(200, self.repository(&name).unwrap().json())),
                    ("GET", ["pulls"]) => {
                        self.list_pulls(&name, path, parts.uri.query().unwrap_or_default())
                    }
                    ("POST", ["pulls"]) => self.create_pull(&name, &body),
                    ("GET", ["pulls", number]) => self.read_pull(&name, number),
                    ("GET", ["pulls", number, "reviews"]) => {
                        self.list_reviews(&name, number, parts)
                    }
                    ("POST", ["statuses", _]) if !grant.allows("statuses", "write") => {
                        Err(refuse(403, "Resource not accessible by integration"))
                    }
                    ("POST", ["statuses", commit]) => self.set_status(&name, commit, body),
                    ("PATCH", ["pulls", number]) => self.change_pull(&name, number, &body),
                    _ => Err(refuse(404, "Not Found")),
                }
            }
            _ => Err(refuse(404, "Not Found")),
        }
    }

    fn caller(&self, parts: &Parts) -> Result<Caller, Answer> {
        let Some(sent) = parts.headers.get(header::AUTHORIZATION) else {
            return Ok(Caller::Nobody);
        };
        let sent = sent.to_str().unwrap_or_default();
        let secret = sent
            .strip_prefix("Bearer ")
            .or_else(|| sent.strip_prefix("token "))
            .ok_or_else(|| refuse(401, "Bad credentials"))?;
        if secret.matches('.').count() == 2 {
            return self.app_of(secret).map(Caller::App);
        }
        match self.tokens.get(secret) {
            Some(grant) if !grant.is_expired() => Ok(Caller::Token(grant.clone())),
            _ => Err(refuse(401, "Bad credentials")),
        }
    }

    /// Adds what every answer of GitHub's carries. What has not changed costs nothing.
    fn respond(&mut self, parts: &Parts, answer: Answer) -> Response {
        let text = answer.body.to_string();
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let tag = format!("W/\"{:x}\"", hasher.finish());
        let is_read = parts.method == Method::GET && answer.status.is_success();
        let known = parts.headers.get(header::IF_NONE_MATCH);
        let is_known = is_read && known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
        if !is_known && self.remaining > 0 {
            self.remaining -= 1;
        }
        let mut response = match is_known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false if answer.status == StatusCode::NO_CONTENT => answer.status.into_response(),
            false => (answer.status, text).into_response(),
        };
        let headers = response.headers_mut();
        let mut set = |name: &'static str, value: String| {
            headers.insert(name, value.parse().unwrap());
        };
        set("content-type", "application/json; charset=utf-8".to_owned());
        set("x-ratelimit-limit", "5000".to_owned());
        set("x-ratelimit-remaining", self.remaining.to_string());
        set("x-ratelimit-reset", (real_now() + 1_800).to_string());
        set("x-ratelimit-resource", "core".to_owned());
        if is_read {
            set("etag", tag);
        }
        if answer.body["message"]
            .as_str()
            .is_some_and(|words| words.contains("secondary"))
        {
            set("retry-after", "60".to_owned());
        }
        if let Some(location) = answer.location {
            set("location", location);
        }
        if let Some(link) = answer.link {
            set("link", link);
        }
        for (name, value) in answer.headers {
            set(name, value);
        }
        response
    }
}

/// GraphQL's one question here: whose is this token? It needs no permission.
fn viewer(caller: &Caller, body: &Value) -> Answered {
    let is_viewer = body["query"]
        .as_str()
        .is_some_and(|query| query.contains("viewer"));
    match caller {
        Caller::Token(grant) if is_viewer => Ok(ok(
            200,
            json!({ "data": { "viewer": { "login": grant.login } } }),
        )),
        Caller::Token(_) => Ok(ok(200, json!({ "errors": [{ "message": "Parse error" }] }))),
        _ => Err(refuse(
            401,
            "This endpoint requires you to be authenticated.",
        )),
    }
}
