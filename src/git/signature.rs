//! Who made a commit.

use std::path::Path;

use super::process::Call;

/// A name and an address as a commit carries them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    email: String,
}

impl Signature {
    /// What would break out of a commit's header (angle brackets, control characters) is dropped;
    /// what is empty then becomes `dayfly`'s own.
    pub fn new(name: &str, email: &str) -> Self {
        let clean = |text: &str| {
            let kept: String = text
                .chars()
                .filter(|c| !c.is_control() && !matches!(c, '<' | '>'))
                .collect();
            // Git drops these at the ends as well, and refuses what is nothing but them.
            kept.trim_matches(|c: char| c.is_whitespace() || ".,:;\"'\\".contains(c))
                .to_owned()
        };
        let or = |text: String, other: &str| {
            if text.is_empty() {
                other.to_owned()
            } else {
                text
            }
        };
        Self {
            name: or(clean(name), "dayfly"),
            email: or(clean(email), "dayfly@users.noreply.invalid"),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn email(&self) -> &str {
        &self.email
    }
}

impl Default for Signature {
    /// dayfly itself, where no person is known.
    fn default() -> Self {
        Self::new("", "")
    }
}

/// The identity that `git commit` would use in `directory`; dayfly's own where none is set.
pub fn identity(directory: &Path) -> Signature {
    // Without `useConfigOnly` git makes one up from the machine's name.
    let answer = Call::new(format!("read the identity set in {}", directory.display()))
        .directory(directory)
        .args(["-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT"])
        .run();
    match answer {
        Ok(answer) if answer.success => parse(&String::from_utf8_lossy(&answer.stdout)),
        _ => Signature::default(),
    }
}

/// Reads `Name <email> 1795510800 +0000`.
fn parse(line: &str) -> Signature {
    match line
        .rsplit_once('>')
        .and_then(|(person, _)| person.split_once('<'))
    {
        Some((name, email)) => Signature::new(name, email),
        None => Signature::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Signature, parse};

    #[test]
    fn nothing_breaks_out_of_the_header() {
        let signature = Signature::new("a <b>\nparent 00", " x@y.example\0> 1 +0\n");
        assert_eq!(
            signature,
            Signature::new("a bparent 00", "x@y.example 1 +0")
        );
        assert_eq!(
            Signature::new("dependabot[bot]", "").name(),
            "dependabot[bot]"
        );
        for empty in ["", " ", "<>", ".", "\n"] {
            assert_eq!(
                Signature::new(empty, empty),
                Signature::default(),
                "{empty:?}"
            );
        }
        let full = git2::Signature::now(Signature::default().name(), signature.email());
        assert!(full.is_ok());
    }

    #[test]
    fn an_identity_line_is_read() {
        assert_eq!(
            parse("Ann Bee <ann@bee.example> 1795510800 +0000\n"),
            Signature::new("Ann Bee", "ann@bee.example")
        );
        assert_eq!(parse(""), Signature::default());
    }
}
