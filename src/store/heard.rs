//! What was judged of the pull requests of stacks' repositories: how far it came, and how those stood
//! that are open.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::clock::Time;

/// How far the events of a repository's pull requests were heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// What names the last answer, where it was named: as long as nothing changes, it stays.
    pub tag: Option<String>,
    /// When the pull request changed that changed last.
    pub at: Time,
    /// The number of the last comment; comments have growing numbers.
    pub comment: u64,
}

/// An open pull request as it was judged last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgedPullRequest {
    pub head: String,
    pub labels: BTreeSet<String>,
    /// A digest of what its author may edit.
    pub text: String,
}

/// What is remembered of a repository's pull requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub mark: Mark,
    /// Those that stand otherwise than they are remembered; `None` of one that is open no more.
    pub changed: BTreeMap<u64, Option<JudgedPullRequest>>,
}

pub(super) fn record_heard(
    transaction: &Transaction<'_>,
    repository: &str,
    heard: &Heard,
) -> Result<(), rusqlite::Error> {
    transaction.execute(
        "INSERT INTO heard (repository, mark) VALUES (?1, ?2)
         ON CONFLICT (repository) DO UPDATE SET mark = excluded.mark",
        params![repository, text(&heard.mark)?],
    )?;
    for (number, standing) in &heard.changed {
        let number = i64::try_from(*number).unwrap_or(i64::MAX);
        match standing {
            Some(standing) => transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO open_pull_request (repository, number, standing)
                     VALUES (?1, ?2, ?3)",
                )?
                .execute(params![repository, number, text(standing)?])?,
            None => transaction.execute(
                "DELETE FROM open_pull_request WHERE repository = ?1 AND number = ?2",
                params![repository, number],
            )?,
        };
    }
    Ok(())
}

fn text(value: &impl Serialize) -> Result<String, rusqlite::Error> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

impl Store {
    /// How far a repository's pull requests were heard; `None` if they never were.
    pub fn heard(&self, repository: &str) -> Result<Option<Mark>, StoreError> {
        let text: Option<String> = self
            .connection
            .query_row(
                "SELECT mark FROM heard WHERE repository = ?1",
                [repository],
                |row| row.get(0),
            )
            .optional()
            .map_err(self.sql("tell how far pull requests were heard"))?;
        text.map(|text| self.json(repository, &text)).transpose()
    }

    /// The pull request as it was judged last, if it was open.
    pub fn judged_pull_request(
        &self,
        repository: &str,
        number: u64,
    ) -> Result<Option<JudgedPullRequest>, StoreError> {
        let text: Option<String> = self
            .connection
            .query_row(
                "SELECT standing FROM open_pull_request WHERE repository = ?1 AND number = ?2",
                params![repository, i64::try_from(number).unwrap_or(i64::MAX)],
                |row| row.get(0),
            )
            .optional()
            .map_err(self.sql("tell how a pull request stood"))?;
        text.map(|text| self.json(repository, &text)).transpose()
    }
}
