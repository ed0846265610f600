//! The artifact that an environment waits for: what the service's build makes of the commit.

use std::time::Duration;

use super::services::Service;
use super::{ManagerError, Outcome, Wish};
use crate::config::{AddressPart, ConfigError};
use crate::environment::EnvironmentId;
use crate::event::{HeadSha, PullRequest};
use crate::module;
use crate::problem::Problem;

/// Something that has to be there before an environment is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Of http or https. What came from the pull request is percent-encoded in it.
    pub address: String,
    /// How long it is waited for.
    pub timeout: Duration,
}

/// What the environment of a pull request waits for; `None` if that does not depend on its commit,
/// as `latest` does not: then it is there, or no waiting helps.
pub(super) fn awaited(
    service: &Service,
    pull_request: &PullRequest,
    id: &EnvironmentId,
) -> Result<Option<Artifact>, ManagerError> {
    let Some(rule) = &service.rules.artifact else {
        return Ok(None);
    };
    let address = address(service, pull_request, id)?;
    let zeros: HeadSha = match "0".repeat(40).parse() {
        Ok(sha) => sha,
        Err(_) => return Ok(None),
    };
    let of_another_commit = PullRequest {
        head_sha: zeros,
        ..pull_request.clone()
    };
    if address == self::address(service, &of_another_commit, id)? {
        return Ok(None);
    }
    Ok(Some(Artifact {
        address,
        timeout: rule.timeout,
    }))
}

/// Where the artifact is, by the environment's values; empty if the service has none.
pub(super) fn address(
    service: &Service,
    pull_request: &PullRequest,
    id: &EnvironmentId,
) -> Result<String, ManagerError> {
    let Some(rule) = &service.rules.artifact else {
        return Ok(String::new());
    };
    let mistake = |message: &str| {
        let problem = Problem::error(format!("`artifact` {message}"));
        ManagerError::Config(ConfigError::File(problem.in_file(&service.rules.file)))
    };
    let mut scope = service.scope_of(pull_request, id);
    if let Some(source) = service.source(&pull_request.id.repository) {
        for (name, value) in service.inputs(source, pull_request, id)? {
            let value = module::Value::from_json(&value);
            scope.entry(name).or_insert(value);
        }
    }
    let mut address = String::new();
    for part in rule.address.parts() {
        match part {
            AddressPart::Text(text) => address.push_str(text),
            AddressPart::Value(expression) => match service.evaluate(expression, &scope)? {
                serde_json::Value::String(text) => address.push_str(&encoded(&text)),
                value @ serde_json::Value::Number(_) => address.push_str(&value.to_string()),
                _ => return Err(mistake("holds a value that is neither text nor a number")),
            },
        }
    }
    // Whoever reads such an address takes it for a shorter one.
    if address
        .split(['/', '?', '#'])
        .any(|part| matches!(part, "." | ".."))
    {
        return Err(mistake(
            "would lead somewhere else: a part of it is `.` or `..`",
        ));
    }
    Ok(address)
}

/// The text as a piece of an address: all but unreserved letters encoded (RFC 3986).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// What an event's environment waits for. A person's word waits for nothing.
pub(super) fn artifact_of(
    service: &Service,
    wish: &Wish,
    pull_request: &PullRequest,
    outcome: &Outcome,
) -> Result<Option<Artifact>, ManagerError> {
    match &outcome.environment {
        Some(id) if !wish.word.is_person() => {
            awaited(service, pull_request, &EnvironmentId::given(id))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServiceRules;

    fn service(artifact: &str) -> Service {
        let text = format!(
            "source \"acme/hello\" {{\n  code_version = pull_request.head_sha\n  branch = pull_request.head_branch\n}}\n\
             source \"acme/infra\" {{\n  code_version = \"latest\"\n  branch = \"\"\n}}\nartifact = \"{artifact}\"\n"
        );
        Service {
            name: "hello".to_owned(),
            rules: ServiceRules::read("hello/service.hcl", &text).unwrap(),
        }
    }

    fn pull_request(repository: &str, branch: &str) -> PullRequest {
        PullRequest {
            head_sha: "abcd0123".parse().unwrap(),
            head_branch: branch.parse().unwrap(),
            ..PullRequest::example(repository.parse().unwrap())
        }
    }

    #[test]
    fn an_address_is_made_of_the_environments_values() {
        let id = EnvironmentId::given("5d41c2f0");
        for (artifact, repository, branch, expected) in [
            (
                "https://x/${code_version}.zip",
                "acme/hello",
                "b",
                Some("https://x/abcd0123.zip"),
            ),
            (
                "https://x/${substr(code_version, 0, 4)}",
                "acme/hello",
                "b",
                Some("https://x/abcd"),
            ),
            (
                "https://x/${environment.id}/${pull_request.number}/${pull_request.head_sha}",
                "acme/hello",
                "b",
                Some("https://x/5d41c2f0/1/abcd0123"),
            ),
            (
                "https://x/${branch}/${code_version}?a=${branch}#c",
                "acme/hello",
                "a/ä&b=c#$(id)%2f",
                Some(
                    "https://x/a%2F%C3%A4%26b%3Dc%23%24%28id%29%252f/abcd0123?a=a%2F%C3%A4%26b%3Dc%23%24%28id%29%252f#c",
                ),
            ),
            ("https://x/${code_version}.zip", "acme/infra", "b", None),
            ("https://x/${branch}.zip", "acme/hello", "b", None),
            ("https://x/fixed", "acme/hello", "b", None),
        ] {
            let found =
                awaited(&service(artifact), &pull_request(repository, branch), &id).unwrap();
            let found = found.map(|artifact| artifact.address);
            assert_eq!(found.as_deref(), expected, "{artifact}");
        }
    }

    #[test]
    fn no_value_leads_elsewhere() {
        let id = EnvironmentId::given("5d41c2f0");
        let hello = pull_request("acme/hello", "b");
        let error = |artifact: &str| {
            awaited(&service(artifact), &hello, &id)
                .unwrap_err()
                .to_string()
        };
        let told = error("https://x/${replace(code_version, code_version, \"..\")}/y");
        assert!(told.contains("somewhere else"), "{told}");
        let told = error("https://x/${pull_request}");
        assert!(told.contains("neither text nor a number"), "{told}");
        let told = error("https://x/${version}");
        assert_eq!(told, "hello/service.hcl:9:25: there is no version here");
    }
}
