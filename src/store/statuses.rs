//! What commits are to be told on GitHub: kept until it is told.

use rusqlite::{Transaction, params};

use super::{Store, StoreError};
use crate::clock::Time;
use crate::stack::StackId;

/// What a stack's push policies say of a commit that they ignore.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitStatus {
    /// As GitHub names it.
    pub repository: String,
    pub commit: String,
    pub stack: StackId,
    pub is_failure: bool,
    pub text: String,
}

pub(super) fn record_statuses(
    transaction: &Transaction<'_>,
    statuses: &[CommitStatus],
    at: Time,
) -> Result<(), rusqlite::Error> {
    for status in statuses {
        // Of two events of one commit the later one counts.
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO commit_status
                     (repository, commit_id, stack, is_failure, text, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                status.repository,
                status.commit,
                status.stack.as_str(),
                status.is_failure,
                status.text,
                at.as_second(),
            ])?;
    }
    Ok(())
}

impl Store {
    /// What is still to be told; what nobody took since `oldest` is forgotten.
    pub fn untold_statuses(&mut self, oldest: Time) -> Result<Vec<CommitStatus>, StoreError> {
        let failed = self.sql("list what commits are to be told");
        self.connection
            .execute(
                "DELETE FROM commit_status WHERE at < ?1",
                [oldest.as_second()],
            )
            .map_err(&failed)?;
        let mut query = self
            .connection
            .prepare(
                "SELECT repository, commit_id, stack, is_failure, text FROM commit_status
                 ORDER BY at, repository, commit_id, stack",
            )
            .map_err(&failed)?;
        let rows = query
            .query_map([], |row| {
                Ok(CommitStatus {
                    repository: row.get(0)?,
                    commit: row.get(1)?,
                    stack: StackId::new(row.get::<_, String>(2)?),
                    is_failure: row.get(3)?,
                    text: row.get(4)?,
                })
            })
            .map_err(&failed)?;
        rows.map(|row| row.map_err(&failed)).collect()
    }

    /// The status was told.
    pub fn status_told(&mut self, status: &CommitStatus) -> Result<(), StoreError> {
        self.connection
            .execute(
                "DELETE FROM commit_status WHERE repository = ?1 AND commit_id = ?2 AND stack = ?3",
                params![status.repository, status.commit, status.stack.as_str()],
            )
            .map(drop)
            .map_err(self.sql("note what a commit was told"))
    }
}
