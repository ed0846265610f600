//! The files of environments as they stood when all that they describe had been applied well: what
//! an environment can be rolled back to.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError};
use crate::clock::Time;
use crate::stack::StackId;

/// How many are kept of each environment.
const KEPT: i64 = 10;

const DUE_DELETIONS: &str = "
    SELECT environment, min(json_extract(attributes, '$.at')) FROM object
    JOIN calls ON calls.number = object.calls
    WHERE kind = 'spacelift_scheduled_delete_stack' AND phase = 'active'
        AND environment IS NOT NULL AND json_extract(attributes, '$.at') <= ?1
        AND coalesce(json_extract(attributes, '$.delete_resources'), 1)
    GROUP BY environment";

/// An environment's file that was applied well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedInputs {
    /// Its path in the manager repository.
    pub file: String,
    pub text: String,
    /// The commit of the manager repository.
    pub commit: String,
    pub at: Time,
}

impl Store {
    /// The file of the environment that a standing stack is part of.
    pub fn environment_of(&self, stack: &StackId) -> Result<Option<String>, StoreError> {
        let query = "SELECT environment FROM object JOIN calls ON calls.number = object.calls
            WHERE id = ?1 AND kind = 'spacelift_stack' AND phase = 'active'";
        let found = self
            .connection
            .query_row(query, [stack.as_str()], |row| row.get(0));
        let found = found.optional();
        let found = found.map_err(self.sql("look for an environment"))?;
        Ok(found.flatten())
    }

    /// The files of the environments whose scheduled deletion is due, and since when.
    pub fn due_deletions(&self, now: Time) -> Result<Vec<(String, Time)>, StoreError> {
        let failed = self.sql("look for scheduled deletions");
        let mut statement = self
            .connection
            .prepare_cached(DUE_DELETIONS)
            .map_err(&failed)?;
        let rows = statement.query_map([now.as_second()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, f64>(1)?))
        });
        let rows: Result<Vec<_>, _> = rows.map_err(&failed)?.collect();
        let read = |(file, at): (String, f64)| {
            #[expect(clippy::cast_possible_truncation, reason = "seconds are whole")]
            let at = Time::from_second(at as i64).map_err(|error| self.damaged(error))?;
            Ok((file, at))
        };
        rows.map_err(&failed)?.into_iter().map(read).collect()
    }

    /// The stacks that stand of the environment in `file`.
    pub fn stacks_of(&self, file: &str) -> Result<Vec<StackId>, StoreError> {
        let failed = self.sql("list the stacks of an environment");
        let query = "SELECT id FROM object JOIN calls ON calls.number = object.calls
            WHERE environment = ?1 AND kind = 'spacelift_stack' AND phase = 'active'";
        let mut statement = self.connection.prepare_cached(query).map_err(&failed)?;
        let rows = statement.query_map([file], |row| row.get::<_, String>(0));
        let ids: Result<Vec<String>, _> = rows.map_err(&failed)?.collect();
        Ok(ids
            .map_err(&failed)?
            .into_iter()
            .map(StackId::new)
            .collect())
    }

    /// Keeps the file, if it is another than the last one, and lets go of the oldest.
    pub fn keep_applied(&mut self, inputs: &AppliedInputs) -> Result<(), StoreError> {
        let failed = self.sql("keep what was applied well");
        let transaction = self.connection.transaction().map_err(&failed)?;
        let last = "SELECT text FROM applied_inputs WHERE file = ?1 ORDER BY id DESC LIMIT 1";
        let last: Option<String> = transaction
            .query_row(last, [&inputs.file], |row| row.get(0))
            .optional()
            .map_err(&failed)?;
        if last.as_ref() == Some(&inputs.text) {
            return Ok(());
        }
        transaction
            .execute(
                "INSERT INTO applied_inputs (file, text, commit_id, at) VALUES (?1, ?2, ?3, ?4)",
                params![
                    inputs.file,
                    inputs.text,
                    inputs.commit,
                    inputs.at.as_second()
                ],
            )
            .and_then(|_| {
                transaction.execute(
                    "DELETE FROM applied_inputs WHERE file = ?1 AND id NOT IN (
                         SELECT id FROM applied_inputs WHERE file = ?1 ORDER BY id DESC LIMIT ?2)",
                    params![inputs.file, KEPT],
                )
            })
            .map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }

    /// What is kept of the environment in `file`, the newest first.
    pub fn applied(&self, file: &str) -> Result<Vec<AppliedInputs>, StoreError> {
        let failed = self.sql("read what was applied well");
        let query =
            "SELECT text, commit_id, at FROM applied_inputs WHERE file = ?1 ORDER BY id DESC";
        let mut statement = self.connection.prepare_cached(query).map_err(&failed)?;
        let rows = statement.query_map([file], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?))
        });
        let rows: Result<Vec<(String, String, i64)>, _> = rows.map_err(&failed)?.collect();
        let read = |(text, commit, at)| {
            Ok(AppliedInputs {
                file: file.to_owned(),
                text,
                commit,
                at: Time::from_second(at).map_err(|error| self.damaged(error))?,
            })
        };
        rows.map_err(&failed)?.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::DUE_DELETIONS;
    use crate::store::tests::plan;

    #[test]
    fn due_deletions_are_found_without_going_through_all_environments() {
        let steps = plan(DUE_DELETIONS);
        let first = steps.first().map(String::as_str);
        let scan = "SCAN object USING INDEX scheduled_deletion";
        assert_eq!(first, Some(scan), "{steps:#?}");
    }
}
