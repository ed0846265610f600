//! A list in pages, with `Link` to the others.

use axum::http::Uri;
use serde_json::Value;

use super::answer::{Answer, ok};

/// The page of `items` that `uri` asks for.
pub(super) fn paged(base: &str, uri: &Uri, items: Vec<Value>) -> Answer {
    let parameters: Vec<(&str, &str)> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let number = |key: &str, default: usize| {
        let found = parameters.iter().find(|(name, _)| *name == key);
        found
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(default)
    };
    let size = number("per_page", 30).clamp(1, 100);
    let page = number("page", 1).max(1);
    let last = items.len().div_ceil(size).max(1);
    let link = |page: usize, relation: &str| {
        let path = uri.path();
        format!("<{base}{path}?per_page={size}&page={page}>; rel=\"{relation}\"")
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(link(page - 1, "prev"));
        links.push(link(1, "first"));
    }
    if page < last {
        links.push(link(page + 1, "next"));
        links.push(link(last, "last"));
    }
    let shown = items.into_iter().skip((page - 1) * size).take(size);
    let mut answer = ok(200, shown.collect());
    answer.link = (!links.is_empty()).then(|| links.join(", "));
    answer
}
