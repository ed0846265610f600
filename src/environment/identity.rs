//! The id of an environment and the name of its file.
//!
//! The hash input is delimited, so that two pull requests never share one; digits are added where
//! two hashes begin alike (invariant 6).

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Scheme;
use crate::event::PullRequestId;

/// Hexadecimal digits, 8 or more (7 under the demo's scheme): safe in a DNS label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnvironmentId(String);

/// The longest label that a host name can have.
const LONGEST: usize = 63;

impl EnvironmentId {
    /// The id of `pull_request`: the first under `scheme` that `is_taken` does not claim for
    /// another pull request. Longer ones follow the short one, up to the length of a label.
    pub fn derive(
        pull_request: &PullRequestId,
        scheme: Scheme,
        is_taken: impl Fn(&str) -> bool,
    ) -> Self {
        let (input, shortest) = match scheme {
            Scheme::Dayfly => (pull_request.to_string().to_ascii_lowercase(), 8),
            Scheme::SpaceliftDemo => (demo_input(pull_request), 7),
        };
        let digits = hexadecimal(&Sha256::digest(input.as_bytes()));
        let length = (shortest..LONGEST)
            .find(|length| !is_taken(&digits[..*length]))
            .unwrap_or(LONGEST);
        Self(digits[..length].to_owned())
    }

    /// The id that a file gives: it is kept for life, however it was made.
    pub fn given(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnvironmentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The demo's workflow hashed the JSON string of owner, name and number run together.
fn demo_input(pull_request: &PullRequestId) -> String {
    let PullRequestId { repository, number } = pull_request;
    format!("\"{}{}{number}\"", repository.owner(), repository.name())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `<owner>-<repo>-<number>-<id>`: the label of an environment's module and, with `.tf`, the name
/// of its file. An identifier of HCL: letters, digits, `-` and `_`, not beginning with a digit.
pub fn environment_name(pull_request: &PullRequestId, id: &EnvironmentId) -> String {
    let PullRequestId { repository, number } = pull_request;
    let name = format!("{}-{}-{number}-{id}", repository.owner(), repository.name());
    let name = name.to_ascii_lowercase().replace('.', "-");
    let begins_well =
        name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    if begins_well {
        name
    } else {
        format!("_{name}")
    }
}

/// The number of the pull request and the id that [`environment_name`] put into a name; `None` of
/// a name of another form.
pub fn read_environment_name(name: &str) -> Option<(u64, &str)> {
    let (rest, id) = name.rsplit_once('-')?;
    let (_, number) = rest.rsplit_once('-')?;
    let is_id = id.len() >= 7 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    Some((number.parse().ok().filter(|_| is_id && is_number)?, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive(pull_request: &str, scheme: Scheme) -> String {
        EnvironmentId::derive(&pull_request.parse().unwrap(), scheme, |_| false).0
    }

    #[test]
    fn the_input_is_delimited_and_without_case() {
        assert_eq!(
            derive("ACME/Hello-service#10", Scheme::Dayfly),
            derive("acme/hello-service#10", Scheme::Dayfly)
        );
        assert_ne!(
            derive("acme/svc#12", Scheme::Dayfly),
            derive("acme/svc1#2", Scheme::Dayfly)
        );
        assert_eq!(derive("acme/hello-service#10", Scheme::Dayfly).len(), 8);
    }

    #[test]
    fn the_demo_keeps_its_ids() {
        let known = "spacelift-io/demo-preview-environments-service#10";
        assert_eq!(derive(known, Scheme::SpaceliftDemo), "475ed74");
    }

    #[test]
    fn a_taken_id_grows() {
        let pull_request = "acme/hello-service#10".parse().unwrap();
        let short = derive("acme/hello-service#10", Scheme::Dayfly);
        let long = EnvironmentId::derive(&pull_request, Scheme::Dayfly, |id| id == short);
        assert_eq!(long.as_str().len(), 9);
        assert!(long.as_str().starts_with(&short));
    }

    #[test]
    fn names_are_read_back() {
        for (name, expected) in [
            ("acme-hello-service-10-0123abcd", Some((10, "0123abcd"))),
            ("_3scale-site-io-1-475ed74", Some((1, "475ed74"))),
            ("acme-a-1-2-0123abcd", Some((2, "0123abcd"))),
            ("acme-a-x-0123abcd", None),
            ("acme-a-10-0123abcx", None),
            ("acme-a-10-", None),
            ("variables", None),
            ("acme-a-99999999999999999999999-0123abcd", None),
        ] {
            assert_eq!(read_environment_name(name), expected, "{name}");
        }
    }

    #[test]
    fn ids_and_names_fit_however_long_the_inputs_are() {
        let pull_request = format!("{}/{}#{}", "1".repeat(100), "n".repeat(100), "9".repeat(18));
        let pull_request = pull_request.parse().unwrap();
        let longest = EnvironmentId::derive(&pull_request, Scheme::Dayfly, |_| true);
        assert_eq!(longest.as_str().len(), 63);
        // An id of 16 digits is one that 2^56 others have begun like.
        let id = EnvironmentId::derive(&pull_request, Scheme::Dayfly, |id| id.len() < 16);
        let file = format!("{}.tf", environment_name(&pull_request, &id));
        assert!(file.len() <= 255, "{file}");
    }

    #[test]
    fn names_are_identifiers() {
        let name = |pull_request: &str| {
            environment_name(
                &pull_request.parse().unwrap(),
                &EnvironmentId("0123abcd".to_owned()),
            )
        };
        assert_eq!(
            name("acme/hello-service#10"),
            "acme-hello-service-10-0123abcd"
        );
        assert_eq!(name("3scale/site.io#1"), "_3scale-site-io-1-0123abcd");
    }
}
