//! What people said of runs that wait for an approval.

use rusqlite::params;
use serde::Serialize;

use super::{Store, StoreError};
use crate::clock::Time;
use crate::run::{RunId, RunState};

/// One person's word on a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Review {
    pub author: String,
    pub approves: bool,
    /// Empty where nothing was said.
    pub note: String,
    /// The state that the run was in.
    pub state: RunState,
    /// How often the run had moved by then: a run may come into a state twice.
    pub state_version: i64,
    pub at: Time,
}

impl Store {
    /// Keeps `author`'s review of the run as it is now.
    pub fn review(
        &mut self,
        run: &RunId,
        author: &str,
        approves: bool,
        note: &str,
        at: Time,
    ) -> Result<(), StoreError> {
        let number = self.number(run)?;
        self.connection
            .execute(
                "INSERT INTO review (run, author, approves, note, state, state_version, at)
                 SELECT id, ?2, ?3, ?4, state,
                     (SELECT count(*) FROM run_state WHERE run_state.run = run.id), ?5
                 FROM run WHERE id = ?1",
                params![number, author, approves, note, at.as_second()],
            )
            .map(drop)
            .map_err(self.sql("keep a review"))
    }

    /// The last review of each person in each of the run's states, oldest first.
    pub fn reviews(&self, run: &RunId) -> Result<Vec<Review>, StoreError> {
        let failed = self.sql("list the reviews of a run");
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT author, approves, note, state, state_version, at FROM review
                 WHERE id IN (SELECT max(id) FROM review WHERE run = ?1
                              GROUP BY author, state_version)
                 ORDER BY id",
            )
            .map_err(&failed)?;
        let rows = statement
            .query_map([self.number(run)?], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get::<_, String>(3)?,
                    row.get(4)?,
                    row.get(5)?,
                ))
            })
            .map_err(&failed)?;
        rows.map(|row| {
            let (author, approves, note, state, state_version, at) = row.map_err(&failed)?;
            Ok(Review {
                author,
                approves,
                note,
                state: RunState::parse(&state)
                    .ok_or_else(|| self.damaged(format!("state {state}")))?,
                state_version,
                at: Time::from_second(at)
                    .map_err(|_| self.damaged("a review at an impossible time"))?,
            })
        })
        .collect()
    }
}
