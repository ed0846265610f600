//! Patterns of branch names, as `admit` lists them.

use std::fmt;
use std::str::FromStr;

use super::matches_pattern;
use crate::event::Branch;

/// A branch's name in which `*` stands for any letters, also none, also `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchPattern(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` can match no branch; `*` stands for any letters, no other letter is special")]
pub struct BranchPatternError(String);

impl BranchPattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `branch` is what the pattern says.
    pub fn matches(&self, branch: &Branch) -> bool {
        matches_pattern(&self.0, branch.as_str())
    }
}

impl FromStr for BranchPattern {
    type Err = BranchPatternError;

    /// Refuses what no branch can match, and a leading `!`, which elsewhere means the opposite.
    fn from_str(text: &str) -> Result<Self, BranchPatternError> {
        let example: Result<Branch, _> = text.replace('*', "x").parse();
        if example.is_err() || text.starts_with('!') {
            return Err(BranchPatternError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for BranchPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_can_match_a_branch() {
        for good in ["*", "**", "main", "feature/*", "*-wip", "v*.x", "a{b}"] {
            assert!(good.parse::<BranchPattern>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "feature/",
            "/x",
            "!main",
            "release-?",
            "v[0-9]",
            "a b",
            "^main$",
            "a..b",
            "x\\*",
        ] {
            assert!(bad.parse::<BranchPattern>().is_err(), "{bad}");
        }
    }
}
