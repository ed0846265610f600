//! Names that a person gives on the command line, parsed once into types that fit wherever they
//! are written: a directory, a module label, a slug, a host name.

use std::fmt;
use std::str::FromStr;

use super::GenerateError;

/// Up to 40 small letters, digits and single hyphens, beginning with a letter and not ending with
/// a hyphen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName(String);

/// Names of directories that a manager repository uses for something else.
const RESERVED: &[&str] = &["policies", "setup", "environments", "template"];

impl ServiceName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = GenerateError;

    fn from_str(text: &str) -> Result<Self, GenerateError> {
        let is_label = is_host_label(text) && !text.contains("--");
        let begins_well = text.starts_with(|letter: char| letter.is_ascii_lowercase());
        if is_label && begins_well && text.len() <= 40 && !RESERVED.contains(&text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(GenerateError::ServiceName(text.to_owned()))
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A domain in lower case, without a final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = GenerateError;

    fn from_str(text: &str) -> Result<Self, GenerateError> {
        let domain = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if domain.len() <= 253 && domain.split('.').all(is_host_label) {
            Ok(Self(domain))
        } else {
            Err(GenerateError::Domain(text.to_owned()))
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether `text` is one label of a host name, in lower case (RFC 1123).
fn is_host_label(text: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(letters)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_names() {
        for (text, expected) in [
            ("hello-service", true),
            ("a", true),
            ("a1", true),
            ("", false),
            ("Hello", false),
            ("1a", false),
            ("a-", false),
            ("-a", false),
            ("a--b", false),
            ("a_b", false),
            ("a.b", false),
            ("a/b", false),
            ("../a", false),
            ("a\"b", false),
            ("policies", false),
            (&"a".repeat(41), false),
        ] {
            assert_eq!(text.parse::<ServiceName>().is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn domains() {
        for (text, expected) in [
            ("preview.example.com", Some("preview.example.com")),
            ("Preview.Example.com.", Some("preview.example.com")),
            ("localhost", Some("localhost")),
            ("https://example.com", None),
            ("example..com", None),
            ("-a.com", None),
            ("a b.com", None),
            ("a\".com", None),
            ("${a}.com", None),
            ("", None),
        ] {
            let domain = text.parse::<Domain>().ok();
            assert_eq!(domain.as_ref().map(Domain::as_str), expected, "{text}");
        }
    }
}
