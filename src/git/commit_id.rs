//! The name of a commit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Diagnose, Kind};

/// A commit's full id: 40 hex digits (64 in a SHA-256 repository), lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

/// The text is no full commit id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no commit id: 40 hex digits are wanted, not all zero")]
pub struct CommitIdError(String);

impl Diagnose for CommitIdError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }
}

impl CommitId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 7 digits: for people, never for looking up.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl FromStr for CommitId {
    type Err = CommitIdError;

    /// All zeros is what Git writes for "no commit", so it is none.
    fn from_str(text: &str) -> Result<Self, CommitIdError> {
        let full =
            matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if full && text.bytes().any(|byte| byte != b'0') {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(CommitIdError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for CommitId {
    type Error = CommitIdError;

    fn try_from(text: String) -> Result<Self, CommitIdError> {
        text.parse()
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

impl From<git2::Oid> for CommitId {
    fn from(id: git2::Oid) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::CommitId;

    #[test]
    fn only_full_ids_are_taken() {
        let id: CommitId = "68A0E427ABA817BA6F79A76F71C0F0AD710735DB".parse().unwrap();
        assert_eq!(id.as_str(), "68a0e427aba817ba6f79a76f71c0f0ad710735db");
        assert_eq!(id.short(), "68a0e42");
        for text in [
            "",
            "68a0e42",
            "main",
            &"0".repeat(40),
            &"g".repeat(40),
            &"é".repeat(20),
        ] {
            assert!(text.parse::<CommitId>().is_err(), "{text}");
        }
    }

    #[test]
    fn is_a_string_in_json() {
        let text = format!("\"{}\"", "a".repeat(40));
        let id: CommitId = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), text);
        assert!(serde_json::from_str::<CommitId>("\"abc\"").is_err());
    }
}
