//! How references of another repository are changed: over the wire, or else by `git push`.

use super::atomic_push::AtomicPush;
use super::commit_id::CommitId;
use super::error::GitError;
use super::remote::Remote;
use super::repository::Repository;
use super::transfer::checked_out;
use super::wire::{Pushed, Wire};
use super::words::{self, Verdict};

/// One reference of a push: from where it is expected to be, or nowhere, to where it is to be, or
/// nowhere.
#[derive(Clone, Debug)]
pub(super) struct Update {
    pub(super) name: String,
    pub(super) from: Option<CommitId>,
    pub(super) to: Option<CommitId>,
}

impl Update {
    /// What `git push` is told of where the reference is expected.
    fn lease(&self) -> String {
        let from = self.from.as_ref().map_or("", CommitId::as_str);
        format!("--force-with-lease={}:{from}", self.name)
    }

    /// The branch's name, of what is one.
    fn branch(&self) -> &str {
        self.name.strip_prefix("refs/heads/").unwrap_or(&self.name)
    }

    fn refspec(&self) -> String {
        let to = self.to.as_ref().map_or("", CommitId::as_str);
        format!("{to}:{}", self.name)
    }
}

impl Repository {
    /// Changes the references of `remote`, all of them if `is_atomic` or none. An error means that
    /// it is unknown what the server did, or that the branch is not to be moved this way.
    pub(super) fn update(
        &self,
        remote: &Remote,
        doing: &str,
        updates: &[Update],
        is_atomic: bool,
    ) -> Result<AtomicPush, GitError> {
        let (report, said, has_ended_well) = match self.update_on_wire(remote, updates, is_atomic) {
            Some(Pushed::LostRace) => return Ok(AtomicPush::LostRace),
            Some(Pushed::Reported { report, said }) => (report, remote.redact(&said), true),
            Some(Pushed::Unheard(words)) => (String::new(), remote.redact(&words), false),
            None => {
                let answer = self
                    .push_call(doing, remote)
                    .args(is_atomic.then_some("--atomic"))
                    .args(updates.iter().map(Update::lease))
                    .args(["--", remote.address()])
                    .args(updates.iter().map(Update::refspec))
                    .run()?;
                let report = String::from_utf8_lossy(&answer.stdout).into_owned();
                (report, answer.stderr, answer.success)
            }
        };
        match words::verdict(&report, &said) {
            Verdict::Accepted if has_ended_well => Ok(AtomicPush::Accepted),
            Verdict::LostRace => Ok(AtomicPush::LostRace),
            Verdict::Refused(words) => Ok(AtomicPush::Refused(remote.redact(&words))),
            Verdict::CheckedOut => {
                let branch = updates.first().map_or("", Update::branch);
                Err(checked_out(remote, branch))
            }
            Verdict::Accepted | Verdict::Unheard => {
                Err(words::failure(doing.to_owned(), &said, remote.asker()))
            }
        }
    }

    fn update_on_wire(
        &self,
        remote: &Remote,
        updates: &[Update],
        is_atomic: bool,
    ) -> Option<Pushed> {
        let wire = Wire::to(remote)?;
        let pushed = wire.push(&self.objects(), updates, is_atomic);
        wire.left(pushed)
    }
}
