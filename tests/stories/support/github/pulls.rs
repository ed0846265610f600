//! Pull requests: listed in pages, read, created and changed.

use axum::http::request::Parts;
use serde_json::Value;

use super::answer::{Answer, Answered, invalid, ok, refuse};
use super::pages::paged;
use super::state::{Pull, Side, World};

impl World {
    pub(super) fn list_pulls(&self, name: &str, path: &str, query: &str) -> Answered {
        let repository = self.repository(name).unwrap();
        let parameters: Vec<(String, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (decode(key), decode(value)))
            .collect();
        let get = |key: &str| {
            let found = parameters.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.as_str())
        };
        let state = get("state").unwrap_or("open");
        let mut pulls: Vec<&Pull> = repository
            .pulls
            .iter()
            .filter(|pull| match state {
                "open" => pull.is_open || self.is_behind,
                "closed" => !pull.is_open,
                _ => true,
            })
            .filter(|pull| get("base").is_none_or(|base| base == pull.base.branch))
            .filter(|pull| {
                let label = format!("{}:{}", repository.owner(), pull.head.branch);
                // Without an owner before it GitHub takes no notice of the filter.
                get("head").is_none_or(|head| !head.contains(':') || head == label)
            })
            .collect();
        let is_by_update = get("sort") == Some("updated");
        pulls.sort_by_key(|pull| match is_by_update {
            true => (pull.updated_at.clone(), pull.number),
            false => (pull.created_at.clone(), pull.number),
        });
        if get("direction") != Some("asc") {
            pulls.reverse();
        }
        let number = |key: &str, default: usize| {
            get(key)
                .and_then(|value| value.parse().ok())
                .unwrap_or(default)
        };
        let size = number("per_page", 30).clamp(1, 100);
        let page = number("page", 1).max(1);
        let last = pulls.len().div_ceil(size).max(1);
        let shown: Vec<Value> = pulls
            .iter()
            .skip((page - 1) * size)
            .take(size)
            .map(|pull| pull.json(repository, &self.base))
            .collect();
        let others = parameters.iter().filter(|(key, _)| key != "page");
        let rest: String = others
            .map(|(key, value)| format!("{key}={value}&"))
            .collect();
        let link = |page: usize, relation: &str| {
            format!(
                "<{}/api/v3{path}?{rest}page={page}>; rel=\"{relation}\"",
                self.base
            )
        };
        let mut links = Vec::new();
        if page > 1 {
            links.push(link(page - 1, "prev"));
        }
        if page < last {
            links.push(link(page + 1, "next"));
            links.push(link(last, "last"));
        }
        let mut answer = ok(200, Value::from(shown));
        answer.link = (!links.is_empty()).then(|| links.join(", "));
        Ok(answer)
    }

    pub(super) fn read_pull(&self, name: &str, number: &str) -> Answered {
        let repository = self.repository(name).unwrap();
        let found = repository
            .pulls
            .iter()
            .find(|pull| pull.number.to_string() == number);
        match found {
            Some(pull) => {
                let mut body = pull.json(repository, &self.base);
                // What no list tells.
                body["mergeable"] = pull.is_open.into();
                body["merged_by"] = match pull.merged_at {
                    Some(_) => serde_json::json!({ "login": "rita" }),
                    None => Value::Null,
                };
                Ok(ok(200, body))
            }
            None => Err(refuse(404, "Not Found")),
        }
    }

    pub(super) fn set_status(&mut self, name: &str, commit: &str, body: Value) -> Answered {
        let state = body["state"].as_str().unwrap_or_default();
        let words = body["description"].as_str().unwrap_or_default();
        if !["error", "failure", "pending", "success"].contains(&state)
            || words.chars().count() > 140
        {
            return Err(refuse(422, "Validation Failed"));
        }
        self.statuses
            .push((name.to_owned(), commit.to_owned(), body.clone()));
        Ok(ok(201, body))
    }

    /// Oldest first.
    pub(super) fn list_reviews(&self, name: &str, number: &str, parts: &Parts) -> Answered {
        self.read_pull(name, number)?;
        let reviews = self.reviews.iter().filter(|review| {
            review.repository.eq_ignore_ascii_case(name) && review.number.to_string() == number
        });
        let reviews = reviews.map(|review| {
            serde_json::json!({ "user": { "login": review.author }, "state": review.state })
        });
        Ok(paged(&self.base, &parts.uri, reviews.collect()))
    }

    pub(super) fn create_pull(&mut self, name: &str, body: &Value) -> Answered {
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        let (Some(title), Some(head), Some(base)) = (text("title"), text("head"), text("base"))
        else {
            return Err(invalid("title, head and base are needed"));
        };
        let repository = self.repository(name).unwrap();
        let label = format!("{}:{head}", repository.owner());
        let Some(head_sha) = repository.tip(&head) else {
            let mut answer = refuse(422, "Validation Failed");
            answer.body["errors"] = serde_json::json!([{ "resource": "PullRequest", "field": "head", "code": "invalid" }]);
            return Err(answer);
        };
        let Some(base_sha) = repository.tip(&base) else {
            let mut answer = refuse(422, "Validation Failed");
            answer.body["errors"] = serde_json::json!([{ "resource": "PullRequest", "field": "base", "code": "invalid" }]);
            return Err(answer);
        };
        let is_there = repository
            .pulls
            .iter()
            .any(|pull| pull.is_open && pull.head.branch == head && pull.base.branch == base);
        if is_there {
            let words = format!("A pull request already exists for {label}.");
            return Err(invalid(&words));
        }
        if repository.is_ancestor(&head_sha, &base_sha) {
            return Err(invalid(&format!("No commits between {base} and {head}")));
        }
        let number = repository.pulls.iter().map(|pull| pull.number).max();
        let number = number.unwrap_or(0) + 1;
        let now = self.tick();
        let side = |branch: String, sha: String| Side {
            branch,
            sha,
            repository: None,
        };
        let pull = Pull {
            number,
            title,
            body: text("body"),
            is_open: true,
            is_draft: body["draft"] == true,
            labels: Vec::new(),
            head: side(head, head_sha),
            base: side(base, base_sha),
            created_at: now.clone(),
            updated_at: now,
            closed_at: None,
            merged_at: None,
        };
        self.repository_mut(name).unwrap().pulls.push(pull);
        let Answer { body, .. } = self.read_pull(name, &number.to_string())?;
        Ok(ok(201, body))
    }

    pub(super) fn change_pull(&mut self, name: &str, number: &str, body: &Value) -> Answered {
        let now = self.tick();
        let repository = self.repository_mut(name).unwrap();
        let found = repository
            .pulls
            .iter_mut()
            .find(|pull| pull.number.to_string() == number);
        let Some(pull) = found else {
            return Err(refuse(404, "Not Found"));
        };
        if let Some(title) = body["title"].as_str() {
            pull.title = title.to_owned();
        }
        if let Some(text) = body["body"].as_str() {
            pull.body = Some(text.to_owned());
        }
        match body["state"].as_str() {
            Some("closed") if pull.is_open => {
                pull.is_open = false;
                pull.closed_at = Some(now.clone());
            }
            Some("open") if !pull.is_open && pull.merged_at.is_none() => {
                pull.is_open = true;
                pull.closed_at = None;
            }
            _ => {}
        }
        pull.updated_at = now;
        self.read_pull(name, number)
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let hex = |digits: &[u8]| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        };
        match (first, after.get(..2).and_then(hex)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap()
}
