//! What runs were at when they were cut off.

use rusqlite::params;

use super::{Store, StoreError};
use crate::run::RunId;
use crate::stack::StackId;

impl Store {
    /// Keeps what the run's tool was at when it was killed.
    pub fn keep_in_flight(&mut self, run: &RunId, doing: &[String]) -> Result<(), StoreError> {
        let failed = self.sql("keep what was in flight");
        let transaction = self.connection.transaction().map_err(&failed)?;
        for doing in doing {
            transaction
                .execute(
                    "INSERT OR IGNORE INTO in_flight (run, doing)
                         SELECT id, ?2 FROM run WHERE id = CAST(?1 AS INTEGER)",
                    params![run.as_str(), doing],
                )
                .map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)
    }

    pub fn in_flight(&self, run: &RunId) -> Result<Vec<String>, StoreError> {
        let failed = self.sql("tell what was in flight");
        let mut statement = self
            .connection
            .prepare("SELECT doing FROM in_flight WHERE run = CAST(?1 AS INTEGER) ORDER BY doing")
            .map_err(&failed)?;
        let rows = statement
            .query_map([run.as_str()], |row| row.get(0))
            .map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// What was in flight in the stack's runs since the last that finished, each with its run.
    pub fn in_flight_of(&self, stack: &StackId) -> Result<Vec<(RunId, String)>, StoreError> {
        let failed = self.sql("tell what was in flight");
        let mut statement = self
            .connection
            .prepare(
                "SELECT run, doing FROM in_flight JOIN run ON run.id = run
                 WHERE stack = ?1 AND run > coalesce(
                     (SELECT max(id) FROM run WHERE stack = ?1 AND state = 'FINISHED'
                          AND kind IN ('TRACKED', 'DESTROY')), 0)
                 ORDER BY run, doing",
            )
            .map_err(&failed)?;
        let rows = statement
            .query_map([stack.as_str()], |row| {
                let run: i64 = row.get(0)?;
                Ok((RunId::new(run.to_string()), row.get(1)?))
            })
            .map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }
}
