//! Runs and the states they passed through.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::judgements::{Documents, NewJudgement, insert_judgement};
use super::pushes::{Pushed, insert_dependencies};
use super::{Store, StoreError};
use crate::clock::Time;
use crate::run::{INTERRUPTED, RunEvent, RunId, RunState, RunType, transition};
use crate::stack::{RunInputs, StackId};

/// A run to be queued.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    pub stack: StackId,
    pub kind: RunType,
    pub commit: String,
    /// What made it: a policy, a push, a person.
    pub cause: String,
    /// What policies said that led to it.
    pub judgements: Vec<Arc<NewJudgement>>,
    /// The push that it is of.
    pub push: Option<Pushed>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    pub id: RunId,
    pub stack: StackId,
    #[serde(rename = "type")]
    pub kind: RunType,
    pub state: RunState,
    pub commit: String,
    /// The branch whose push it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The pull request whose event it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<u64>,
    /// Whether the commit is one of a fork's: it is given nothing of this machine.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_fork: bool,
    /// Whether its push policies want it before others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_prioritized: bool,
    pub cause: String,
    /// Why it ended as it did, where that is not plain.
    pub note: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
    /// Resources added, changed and destroyed, once that is known.
    pub added: Option<u64>,
    pub changed: Option<u64>,
    pub destroyed: Option<u64>,
}

/// A state that a run came into.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Move {
    /// Grows with each move in the store.
    pub number: i64,
    pub state: RunState,
    pub at: Time,
    /// The run as it is now.
    pub run: Run,
}

pub(super) const COLUMNS: &str = "id, stack, kind, state, commit_id, cause, note, created, updated, \
                       added, changed, destroyed, branch, pull_request, is_fork, is_prioritized";
/// How many they are.
pub(super) const COLUMN_COUNT: usize = 16;

/// The row as far as SQL knows it; words and times are read afterwards.
pub(super) type Raw = (
    i64,
    String,
    [String; 4],
    Option<String>,
    [i64; 2],
    [Option<i64>; 3],
    (Option<String>, Option<i64>, [bool; 2]),
);

pub(super) fn raw(row: &Row<'_>) -> Result<Raw, rusqlite::Error> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?],
        row.get(6)?,
        [row.get(7)?, row.get(8)?],
        [row.get(9)?, row.get(10)?, row.get(11)?],
        (row.get(12)?, row.get(13)?, [row.get(14)?, row.get(15)?]),
    ))
}

pub(super) fn insert_run(
    connection: &Connection,
    run: &NewRun,
    documents: &mut Documents,
    at: Time,
) -> Result<RunId, rusqlite::Error> {
    connection.execute(
        "INSERT INTO run
             (stack, kind, state, commit_id, cause, created, updated, told, branch, lock_key,
              pull_request, is_fork, is_prioritized)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 0, ?7, ?8, ?9, ?10, ?11)",
        params![
            run.stack.as_str(),
            run.kind.as_str(),
            RunState::Queued.as_str(),
            run.commit,
            run.cause,
            at.as_second(),
            run.push.as_ref().map(|push| &push.branch),
            run.push.as_ref().and_then(|push| push.lock_key.as_ref()),
            run.push
                .as_ref()
                .and_then(|push| push.pull_request)
                .and_then(|number| i64::try_from(number).ok()),
            run.push.as_ref().is_some_and(|push| push.is_fork),
            run.push.as_ref().is_some_and(|push| push.is_prioritized),
        ],
    )?;
    let id = connection.last_insert_rowid();
    insert_state(connection, id, RunState::Queued, at)?;
    if let Some(push) = &run.push {
        insert_dependencies(connection, id, push)?;
    }
    for judgement in &run.judgements {
        insert_judgement(connection, id, judgement, documents, at)?;
    }
    Ok(RunId::new(id.to_string()))
}

pub(super) fn insert_state(
    connection: &Connection,
    id: i64,
    state: RunState,
    at: Time,
) -> Result<(), rusqlite::Error> {
    connection
        .execute(
            "INSERT INTO run_state (run, state, at) VALUES (?1, ?2, ?3)",
            params![id, state.as_str(), at.as_second()],
        )
        .map(drop)
}

impl Store {
    /// Runs, newest first, at most `limit`; of one stack where one is named.
    pub fn runs(&self, stack: Option<&StackId>, limit: usize) -> Result<Vec<Run>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        match stack {
            Some(stack) => self.select(
                "WHERE stack = ?1 ORDER BY id DESC LIMIT ?2",
                params![stack.as_str(), limit],
            ),
            None => self.select("ORDER BY id DESC LIMIT ?1", params![limit]),
        }
    }

    /// Runs that have not ended, oldest first.
    pub fn unfinished_runs(&self) -> Result<Vec<Run>, StoreError> {
        // Without the sign SQLite goes through all runs in this order.
        self.select(
            "WHERE state NOT IN
                 ('FINISHED', 'FAILED', 'CANCELED', 'DISCARDED', 'STOPPED', 'SKIPPED')
             ORDER BY +id",
            [],
        )
    }

    /// The last run of each stack that blocked it, in the order of their stacks; those that were
    /// passed over left it as it was.
    pub fn last_runs(&self) -> Result<Vec<Run>, StoreError> {
        self.select(
            "WHERE id IN (SELECT max(id) FROM run
                          WHERE kind IN ('TRACKED', 'DESTROY') AND passed_over = 0
                          GROUP BY stack)
             ORDER BY stack",
            [],
        )
    }

    /// The last run of the stack that blocked it and was not passed over.
    pub fn last_run(&self, stack: &StackId) -> Result<Option<Run>, StoreError> {
        let runs = self.select(
            "WHERE stack = ?1 AND kind IN ('TRACKED', 'DESTROY') AND passed_over = 0
             ORDER BY id DESC LIMIT 1",
            [stack.as_str()],
        );
        Ok(runs?.pop())
    }

    pub fn run(&self, id: &RunId) -> Result<Run, StoreError> {
        let number = self.number(id)?;
        self.select("WHERE id = ?1", params![number])?
            .pop()
            .ok_or_else(|| StoreError::NoRun(id.to_string()))
    }

    /// Runs that have ended without their policies having heard of it, oldest first.
    pub fn untold_runs(&self) -> Result<Vec<Run>, StoreError> {
        self.select(
            "WHERE told = 0 AND state IN
                 ('FINISHED', 'FAILED', 'CANCELED', 'DISCARDED', 'STOPPED', 'SKIPPED')
             ORDER BY id",
            [],
        )
    }

    /// The run's policies have heard that it has ended.
    pub fn told(&mut self, id: &RunId) -> Result<(), StoreError> {
        let number = self.number(id)?;
        self.connection
            .execute("UPDATE run SET told = 1 WHERE id = ?1", [number])
            .map(drop)
            .map_err(self.sql("note that the end of a run was told"))
    }

    /// Has a process that works on the run told that `person` wants it stopped.
    ///
    /// # Errors
    ///
    /// [`StoreError::Moved`] where the run is not as `run` tells any more.
    pub fn ask_to_stop(&mut self, run: &Run, person: &str) -> Result<(), StoreError> {
        let number = self.number(&run.id)?;
        let asked = self
            .connection
            .execute(
                "UPDATE run SET stopped_by = ?3 WHERE id = ?1 AND state = ?2",
                params![number, run.state.as_str(), person],
            )
            .map_err(self.sql("ask for the stop of a run"))?;
        if asked > 0 {
            return Ok(());
        }
        let state = self.run(&run.id)?.state;
        let run = run.id.clone();
        Err(StoreError::Moved { run, state })
    }

    /// Who wants the run stopped, if somebody does.
    pub fn stopped_by(&self, id: &RunId) -> Result<Option<String>, StoreError> {
        let number = self.number(id)?;
        self.connection
            .query_row(
                "SELECT stopped_by FROM run WHERE id = ?1",
                [number],
                |row| row.get(0),
            )
            .optional()
            .map(Option::flatten)
            .map_err(self.sql("ask whether a run is to stop"))
    }

    /// Keeps what a plan was made of that waits for a person.
    pub fn keep_inputs(&mut self, id: &RunId, inputs: &RunInputs) -> Result<(), StoreError> {
        let number = self.number(id)?;
        let text = serde_json::to_string(inputs).map_err(|error| self.damaged(error))?;
        self.connection
            .execute(
                "UPDATE run SET inputs = ?2 WHERE id = ?1",
                params![number, text],
            )
            .map(drop)
            .map_err(self.sql("keep the inputs of a plan"))
    }

    /// What the run's plan was made of, if that was kept.
    pub fn inputs(&self, id: &RunId) -> Result<Option<RunInputs>, StoreError> {
        let number = self.number(id)?;
        let text: Option<String> = self
            .connection
            .query_row("SELECT inputs FROM run WHERE id = ?1", [number], |row| {
                row.get(0)
            })
            .optional()
            .map(Option::flatten)
            .map_err(self.sql("read the inputs of a plan"))?;
        text.map(|text| serde_json::from_str(&text).map_err(|error| self.damaged(error)))
            .transpose()
    }

    pub(super) fn number(&self, id: &RunId) -> Result<i64, StoreError> {
        let number = id.as_str().parse();
        number.map_err(|_| StoreError::NoRun(id.to_string()))
    }

    pub(super) fn select(
        &self,
        clause: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Run>, StoreError> {
        let failed = self.sql("list its runs");
        let mut statement = self
            .connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM run {clause}"))
            .map_err(&failed)?;
        let rows = statement.query_map(values, raw).map_err(&failed)?;
        rows.map(|row| self.read_run(row.map_err(&failed)?))
            .collect()
    }

    pub(super) fn read_run(&self, raw: Raw) -> Result<Run, StoreError> {
        let (id, stack, [kind, state, commit, cause], note, [created, updated], counts, push) = raw;
        let (branch, pull_request, [is_fork, is_prioritized]) = push;
        let damaged = |what: &str| self.damaged(format!("run {id} has {what}"));
        let time = |second| Time::from_second(second).map_err(|_| damaged("an impossible time"));
        let [added, changed, destroyed] =
            counts.map(|count| count.and_then(|count| u64::try_from(count).ok()));
        Ok(Run {
            id: RunId::new(id.to_string()),
            stack: StackId::new(stack),
            kind: RunType::parse(&kind).ok_or_else(|| damaged("an unknown type"))?,
            state: RunState::parse(&state).ok_or_else(|| damaged("an unknown state"))?,
            commit,
            branch,
            pull_request: pull_request.and_then(|number| u64::try_from(number).ok()),
            is_fork,
            is_prioritized,
            cause,
            note,
            created_at: time(created)?,
            updated_at: time(updated)?,
            added,
            changed,
            destroyed,
        })
    }

    /// Queues a run outside of a manager run.
    pub fn queue(&mut self, run: &NewRun, at: Time) -> Result<RunId, StoreError> {
        let failed = self.sql("queue a run");
        let transaction = self.connection.transaction().map_err(&failed)?;
        let documents = &mut Documents::default();
        let id = insert_run(&transaction, run, documents, at).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(id)
    }

    /// Moves a run by `event`, with a note why; gives its new state.
    ///
    /// # Errors
    ///
    /// [`StoreError::Move`] where the state machine has no such move, [`StoreError::Moved`] where
    /// the run is not as `run` tells any more: somebody else has moved it.
    pub fn enter(
        &mut self,
        run: &Run,
        event: RunEvent,
        note: Option<&str>,
        at: Time,
    ) -> Result<RunState, StoreError> {
        let number = self.number(&run.id)?;
        let state = transition(run.kind, run.state, event).map_err(|refused| StoreError::Move {
            run: run.id.clone(),
            refused,
        })?;
        let failed = self.sql("record the state of a run");
        let transaction = self.connection.transaction().map_err(&failed)?;
        let moved = transaction
            .execute(
                "UPDATE run SET state = ?3, note = ?4, updated = ?5 WHERE id = ?1 AND state = ?2",
                params![
                    number,
                    run.state.as_str(),
                    state.as_str(),
                    note,
                    at.as_second()
                ],
            )
            .map_err(&failed)?;
        if moved == 0 {
            drop(transaction);
            let state = self.run(&run.id)?.state;
            let run = run.id.clone();
            return Err(StoreError::Moved { run, state });
        }
        insert_state(&transaction, number, state, at).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(state)
    }

    /// Says of a run why it is as it is, without moving it.
    pub fn note(&mut self, id: &RunId, note: &str) -> Result<(), StoreError> {
        let number: i64 = id.as_str().parse().unwrap_or_default();
        self.connection
            .execute(
                "UPDATE run SET note = ?2 WHERE id = ?1",
                params![number, note],
            )
            .map(drop)
            .map_err(self.sql("note why a run is as it is"))
    }

    /// Keeps how many resources a run added, changed and destroyed.
    pub fn set_counts(&mut self, id: &RunId, counts: [u64; 3]) -> Result<(), StoreError> {
        let counts = counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        self.connection
            .execute(
                "UPDATE run SET added = ?2, changed = ?3, destroyed = ?4 WHERE id = ?1",
                params![id.as_str(), counts[0], counts[1], counts[2]],
            )
            .map(drop)
            .map_err(self.sql("keep the counts of a run"))
    }

    /// The states that a run passed through, oldest first, each with when it came into it.
    pub fn history(&self, id: &RunId) -> Result<Vec<(RunState, Time)>, StoreError> {
        let failed = self.sql("tell the history of a run");
        let mut statement = self
            .connection
            .prepare_cached("SELECT state, at FROM run_state WHERE run = ?1 ORDER BY rowid")
            .map_err(&failed)?;
        let rows: Result<Vec<(String, i64)>, _> = statement
            .query_map([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect);
        let read = |(word, at): (String, i64)| {
            let state = RunState::parse(&word);
            state
                .zip(Time::from_second(at).ok())
                .ok_or_else(|| self.damaged(format!("state {word} at {at}")))
        };
        rows.map_err(&failed)?.into_iter().map(read).collect()
    }

    /// The last TRACKED run of the stack that had ended when `run` was made.
    pub fn run_before(&self, run: &Run) -> Result<Option<Run>, StoreError> {
        let number = self.number(&run.id)?;
        Ok(self
            .select(
                "WHERE stack = ?1 AND id < ?2 AND kind = 'TRACKED' AND state IN
                     ('FINISHED', 'FAILED', 'CANCELED', 'DISCARDED', 'STOPPED', 'SKIPPED')
                 ORDER BY id DESC LIMIT 1",
                params![run.stack.as_str(), number],
            )?
            .pop())
    }

    /// The number of the last move of any run; 0 before the first.
    pub fn last_move(&self) -> Result<i64, StoreError> {
        self.connection
            .query_row("SELECT coalesce(max(rowid), 0) FROM run_state", [], |row| {
                row.get(0)
            })
            .map_err(self.sql("tell the last state of a run"))
    }

    /// The moves of all runs after the one with this number, oldest first.
    pub fn moves_after(&self, number: i64) -> Result<Vec<Move>, StoreError> {
        let failed = self.sql("list the states of runs");
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT rowid, run, state, at FROM run_state WHERE rowid > ?1 ORDER BY rowid",
            )
            .map_err(&failed)?;
        let rows: Result<Vec<(i64, i64, String, i64)>, _> = statement
            .query_map([number], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .and_then(Iterator::collect);
        let read = |(number, run, state, at): (i64, i64, String, i64)| {
            Ok(Move {
                number,
                state: RunState::parse(&state)
                    .ok_or_else(|| self.damaged(format!("state {state}")))?,
                at: Time::from_second(at)
                    .map_err(|_| self.damaged("a state at an impossible time"))?,
                run: self.run(&RunId::new(run.to_string()))?,
            })
        };
        rows.map_err(&failed)?.into_iter().map(read).collect()
    }

    /// When the store's first unfinished business began, per stack: the oldest failed run since the
    /// last one that finished. An interrupted run is no failure.
    pub(super) fn failing_since(&self, stack: &StackId) -> Result<Option<Time>, StoreError> {
        let failed = self.sql("tell since when a stack fails");
        let second: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT min(created) FROM run
                 WHERE stack = ?1 AND state = 'FAILED' AND note IS NOT ?2
                     AND kind IN ('TRACKED', 'DESTROY') AND id > coalesce(
                         (SELECT max(id) FROM run WHERE stack = ?1 AND state = 'FINISHED'
                              AND kind IN ('TRACKED', 'DESTROY')), 0)",
            )
            .and_then(|mut query| query.query_row([stack.as_str(), INTERRUPTED], |row| row.get(0)))
            .map_err(&failed)?;
        second
            .map(|second| Time::from_second(second).map_err(|error| self.damaged(error)))
            .transpose()
    }
}
