//! Comments on pull requests: listed in pages, created, changed and deleted.

use axum::http::request::Parts;
use serde_json::{Value, json};

use super::answer::{Answer, Answered, ok, refuse};
use super::pages::paged;
use super::state::{Grant, World};

/// What GitHub takes at most, in letters.
const LONGEST: usize = 65_536;

#[derive(Clone)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) repository: String,
    pub(super) number: u64,
    pub(super) author: String,
    pub(super) body: String,
    created_at: String,
    updated_at: String,
}

impl Comment {
    pub(super) fn json(&self, base: &str) -> Value {
        let is_bot = self.author.ends_with("[bot]");
        let (repository, number, id) = (&self.repository, self.number, self.id);
        json!({
            "id": id,
            "url": format!("{base}/api/v3/repos/{repository}/issues/comments/{id}"),
            "html_url": format!("{base}/{repository}/pull/{number}#issuecomment-{id}"),
            "body": self.body,
            "user": { "login": self.author, "type": if is_bot { "Bot" } else { "User" } },
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        })
    }
}

impl World {
    /// Answers what is asked below `/repos/{name}/issues`.
    pub(super) fn issues(
        &mut self,
        grant: &Grant,
        name: &str,
        parts: &Parts,
        words: &[&str],
        body: &Value,
    ) -> Answered {
        let is_read = parts.method == axum::http::Method::GET;
        let level = if is_read { "read" } else { "write" };
        // On a pull request one of the two is enough.
        let allows = |permission| grant.allows(permission, level);
        if !allows("pull_requests") && !allows("issues") {
            return Err(refuse(403, "Resource not accessible by integration"));
        }
        match (parts.method.as_str(), words) {
            ("GET", ["comments"]) => Ok(self.list_all_comments(name, parts)),
            ("GET", [number, "comments"]) => self.list_comments(name, number, parts),
            ("POST", [number, "comments"]) => self.create_comment(grant, name, number, body),
            ("PATCH", ["comments", id]) => self.change_comment(name, id, body),
            ("DELETE", ["comments", id]) => self.delete_comment(name, id),
            _ => Err(refuse(404, "Not Found")),
        }
    }

    fn list_comments(&self, name: &str, number: &str, parts: &Parts) -> Answered {
        let number = self.known_number(name, number)?;
        let mut comments: Vec<&Comment> = self.comments.iter().collect();
        comments.retain(|comment| comment.number == number && is_same(&comment.repository, name));
        comments.sort_by_key(|comment| comment.id);
        let all = comments.iter().map(|comment| comment.json(&self.base));
        Ok(paged(&self.base, &parts.uri, all.collect()))
    }

    /// Those on all issues and pull requests; without `sort` no order is asked for.
    fn list_all_comments(&self, name: &str, parts: &Parts) -> Answer {
        let query = parts.uri.query().unwrap_or_default();
        let get = |key: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.replace("%3A", ":"))
        };
        let since = get("since").unwrap_or_default();
        let mut comments: Vec<&Comment> = self.comments.iter().collect();
        comments.retain(|one| is_same(&one.repository, name) && one.updated_at >= since);
        comments.sort_by_key(|comment| comment.id);
        if get("sort").is_some() && get("direction").as_deref() != Some("asc") {
            comments.reverse();
        }
        let all = comments.iter().map(|comment| comment.json(&self.base));
        paged(&self.base, &parts.uri, all.collect())
    }

    fn create_comment(
        &mut self,
        grant: &Grant,
        name: &str,
        number: &str,
        body: &Value,
    ) -> Answered {
        let number = self.known_number(name, number)?;
        if self
            .locked
            .iter()
            .any(|(of, locked)| is_same(of, name) && *locked == number)
        {
            return Err(refuse(
                403,
                "Unable to create comment because issue is locked.",
            ));
        }
        let body = known_body(body)?;
        let author = grant.login.clone();
        let comment = self.say(name, number, &author, &body);
        Ok(ok(201, comment.json(&self.base)))
    }

    /// Writes a comment, whoever may.
    pub(super) fn say(&mut self, name: &str, number: u64, author: &str, body: &str) -> Comment {
        let now = self.tick();
        // Ids grow, over all repositories.
        self.last_comment += 1;
        let comment = Comment {
            id: self.last_comment,
            repository: name.to_owned(),
            number,
            author: author.to_owned(),
            body: body.to_owned(),
            created_at: now.clone(),
            updated_at: now,
        };
        self.comments.push(comment.clone());
        comment
    }

    fn change_comment(&mut self, name: &str, id: &str, body: &Value) -> Answered {
        let place = self.comment_place(name, id)?;
        let body = known_body(body)?;
        let now = self.tick();
        let comment = &mut self.comments[place];
        comment.body = body;
        comment.updated_at = now;
        let answer = self.comments[place].json(&self.base);
        Ok(ok(200, answer))
    }

    fn delete_comment(&mut self, name: &str, id: &str) -> Answered {
        let place = self.comment_place(name, id)?;
        self.comments.remove(place);
        Ok(ok(204, Value::Null))
    }

    fn comment_place(&self, name: &str, id: &str) -> Result<usize, Answer> {
        let mut comments = self.comments.iter();
        comments
            .position(|comment| comment.id.to_string() == id && is_same(&comment.repository, name))
            .ok_or_else(|| refuse(404, "Not Found"))
    }

    fn known_number(&self, name: &str, number: &str) -> Result<u64, Answer> {
        let repository = self.repository(name).unwrap();
        let mut pulls = repository.pulls.iter();
        pulls
            .find(|pull| pull.number.to_string() == number)
            .map(|pull| pull.number)
            .ok_or_else(|| refuse(404, "Not Found"))
    }
}

fn known_body(body: &Value) -> Result<String, Answer> {
    let invalid = |error: Value| {
        let mut answer = refuse(422, "Validation Failed");
        answer.body["errors"] = json!([error]);
        answer
    };
    let text = body["body"].as_str().unwrap_or_default();
    if text.trim().is_empty() {
        let error = json!({ "resource": "IssueComment", "code": "missing_field", "field": "body" });
        return Err(invalid(error));
    }
    if text.chars().count() > LONGEST {
        return Err(invalid(json!({
            "resource": "IssueComment",
            "code": "custom",
            "field": "body",
            "message": format!("body is too long (maximum is {LONGEST} characters)"),
        })));
    }
    Ok(text.to_owned())
}

fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
