//! The branches of a remote repository.

use std::collections::BTreeMap;

use super::commit_id::CommitId;
use super::error::GitError;
use super::process::Call;
use super::remote::Remote;
use super::wire::Wire;
use super::words;

/// Where a repository's branches stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tips {
    /// The branch that HEAD points to; `None` if the repository has no commit there, or no branch.
    pub head: Option<String>,
    /// By name, without `refs/heads/`. A name that is no UTF-8 is left out: no file can hold it.
    pub branches: BTreeMap<String, CommitId>,
    /// What dayfly keeps there beside branches, by its full name below `refs/dayfly/`.
    pub references: BTreeMap<String, CommitId>,
}

impl Tips {
    /// Notes where a reference stands, if it is one that is told of.
    pub(super) fn note(&mut self, reference: &str, id: CommitId) {
        if let Some(branch) = reference.strip_prefix("refs/heads/") {
            self.branches.insert(branch.to_owned(), id);
        } else if reference.starts_with("refs/dayfly/") {
            self.references.insert(reference.to_owned(), id);
        }
    }
}

/// All branches of `remote` and what dayfly keeps beside them, asked in one call. A listing that fails is an error, never empty.
pub fn list_tips(remote: &Remote) -> Result<Tips, GitError> {
    if let Some(wire) = Wire::to(remote)
        && let Some(tips) = wire.left(wire.tips())
    {
        return Ok(tips);
    }
    let doing = format!("list the branches of {remote}");
    let ask = || {
        Call::new(doing.as_str()).remote(remote).args([
            "ls-remote",
            "--symref",
            "--",
            remote.address(),
            "HEAD",
            "refs/heads/*",
            "refs/dayfly/*",
        ])
    };
    let answer = ask().run()?;
    if !answer.success {
        return Err(words::failure(doing, &answer.stderr, remote.asker()));
    }
    let tips = parse(&answer.stdout);
    // Git takes any page for the listing of an empty repository: a server says packets.
    if tips == Tips::default() && remote.is_http() {
        let traced = ask().env("GIT_TRACE_PACKET", "1").run()?;
        if !traced.stderr.contains("packet:") {
            return Err(GitError::NoGit { doing });
        }
    }
    Ok(tips)
}

fn parse(listing: &[u8]) -> Tips {
    let mut tips = Tips::default();
    let lines = listing
        .split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok());
    for (value, name) in lines.filter_map(|line| line.split_once('\t')) {
        if let (Some(target), "HEAD") = (value.strip_prefix("ref: refs/heads/"), name) {
            tips.head = Some(target.to_owned());
        } else if let Ok(id) = value.parse() {
            tips.note(name, id);
        }
    }
    tips
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_listing_is_read() {
        let a = "a".repeat(40);
        let listing = format!(
            "ref: refs/heads/main\tHEAD\n{a}\tHEAD\n{a}\trefs/heads/feat/é \"x\"\n\
             {a}\trefs/heads/main\n{a}\trefs/remotes/origin/HEAD\n{a}\trefs/x/refs/heads/y\n\
             {a}\trefs/dayfly/closed/x\n{a}\trefs/x/refs/dayfly/y\n"
        );
        let tips = parse(&[listing.as_bytes(), b"\xff\t\n"].concat());
        assert_eq!(tips.head.as_deref(), Some("main"));
        assert_eq!(
            tips.branches.keys().collect::<Vec<_>>(),
            ["feat/é \"x\"", "main"]
        );
        assert_eq!(
            tips.references.keys().collect::<Vec<_>>(),
            ["refs/dayfly/closed/x"]
        );
        assert_eq!(parse(b""), super::Tips::default());
    }
}
