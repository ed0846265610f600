//! Pushes to the repositories of stacks: where their branches stood, and what runs of them wait for.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

use super::recording::ManagerRun;
use super::{Store, StoreError};
use crate::run::{RunId, RunType};
use crate::stack::StackId;

/// The push, or the event of a pull request, that a run is of, and what its policies ask of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pushed {
    /// A fork's has its owner before it, as in `eve:feature`.
    pub branch: String,
    pub pull_request: Option<u64>,
    pub is_fork: bool,
    /// Whether the run goes before others.
    pub is_prioritized: bool,
    /// The run goes on where the stack is locked with it.
    pub lock_key: Option<String>,
    /// What is to be done elsewhere before the run starts.
    pub external_dependencies: BTreeSet<String>,
}

/// How far it is with something that a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExternalStatus {
    Waiting,
    Finished,
    Skipped,
    Failed,
}

impl ExternalStatus {
    const ALL: [Self; 4] = [Self::Waiting, Self::Finished, Self::Skipped, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Finished => "finished",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// Something that a run waits for, as a GIT_PUSH policy named it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExternalDependency {
    pub name: String,
    pub status: ExternalStatus,
}

pub(super) fn insert_dependencies(
    connection: &Connection,
    run: i64,
    push: &Pushed,
) -> Result<(), rusqlite::Error> {
    for name in &push.external_dependencies {
        connection.execute(
            "INSERT INTO external_dependency (name, run, status) VALUES (?1, ?2, ?3)",
            params![name, run, ExternalStatus::Waiting.as_str()],
        )?;
    }
    Ok(())
}

pub(super) fn record_pushes(
    transaction: &Transaction<'_>,
    manager_run: &ManagerRun,
) -> Result<(), rusqlite::Error> {
    for (repository, branches) in &manager_run.looked {
        let branches = serde_json::to_string(branches)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        transaction.execute(
            "INSERT INTO looked (repository, branches) VALUES (?1, ?2)
             ON CONFLICT (repository) DO UPDATE SET branches = excluded.branches",
            [repository, &branches],
        )?;
    }
    for (stack, key) in &manager_run.unlocks {
        transaction.execute(
            "DELETE FROM stack_lock WHERE stack = ?1 AND holder = ?2",
            [stack.as_str(), key],
        )?;
    }
    for (stack, lock) in &manager_run.locks {
        transaction.execute(
            "INSERT INTO stack_lock (stack, holder, note, since) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (stack) DO NOTHING",
            params![
                stack.as_str(),
                lock.holder,
                lock.note,
                lock.since.as_second()
            ],
        )?;
    }
    Ok(())
}

impl Store {
    /// Where the branches of a repository stood when it was last looked at; `None` if it never was.
    pub fn looked(&self, repository: &str) -> Result<Option<BTreeMap<String, String>>, StoreError> {
        let failed = self.sql("tell where the branches of a repository stood");
        let mut query = self
            .connection
            .prepare_cached("SELECT branches FROM looked WHERE repository = ?1")
            .map_err(&failed)?;
        let mut rows = query.query([repository]).map_err(&failed)?;
        let Some(row) = rows.next().map_err(&failed)? else {
            return Ok(None);
        };
        let text: String = row.get(0).map_err(&failed)?;
        self.json(repository, &text).map(Some)
    }

    /// Whether the stack has, or had, a run of this type and commit; where a cause is given, one
    /// that was made for it.
    pub fn has_run(
        &self,
        stack: &StackId,
        kind: RunType,
        commit: &str,
        cause: Option<&str>,
    ) -> Result<bool, StoreError> {
        self.connection
            .prepare_cached(
                "SELECT count(*) FROM run
                 WHERE stack = ?1 AND kind = ?2 AND commit_id = ?3 AND cause = coalesce(?4, cause)",
            )
            .and_then(|mut query| {
                let values = params![stack.as_str(), kind.as_str(), commit, cause];
                query.query_row(values, |row| row.get::<_, i64>(0))
            })
            .map(|count| count > 0)
            .map_err(self.sql("look for a run of a commit"))
    }

    /// The push that the run is of, for another run of it: what it waited for has come.
    pub fn push_of(&self, run: &RunId) -> Result<Option<Pushed>, StoreError> {
        let run = self.run(run)?;
        let lock_key = self
            .connection
            .query_row(
                "SELECT lock_key FROM run WHERE id = ?1",
                [self.number(&run.id)?],
                |row| row.get(0),
            )
            .map_err(self.sql("tell the push that a run is of"))?;
        Ok(run.branch.map(|branch| Pushed {
            branch,
            pull_request: run.pull_request,
            is_fork: run.is_fork,
            is_prioritized: run.is_prioritized,
            lock_key,
            external_dependencies: BTreeSet::new(),
        }))
    }

    /// What the run waits for, or waited for, by name.
    pub fn external_dependencies(
        &self,
        run: &RunId,
    ) -> Result<Vec<ExternalDependency>, StoreError> {
        let failed = self.sql("list what a run waits for");
        let mut query = self
            .connection
            .prepare_cached(
                "SELECT name, status FROM external_dependency WHERE run = ?1 ORDER BY name",
            )
            .map_err(&failed)?;
        let rows = query
            .query_map([self.number(run)?], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(&failed)?;
        rows.map(|row| {
            let (name, word) = row.map_err(&failed)?;
            let status = ExternalStatus::ALL
                .into_iter()
                .find(|status| status.as_str() == word)
                .ok_or_else(|| self.damaged(format!("external dependency {name} is {word}")))?;
            Ok(ExternalDependency { name, status })
        })
        .collect()
    }

    /// Notes how something ended that runs wait for; gives how many wait, or waited, for it.
    pub fn complete(&mut self, name: &str, status: ExternalStatus) -> Result<usize, StoreError> {
        self.connection
            .execute(
                "UPDATE external_dependency SET status = ?2 WHERE name = ?1",
                [name, status.as_str()],
            )
            .map_err(self.sql("note the end of what runs wait for"))
    }
}
