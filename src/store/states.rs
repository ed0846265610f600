//! The versions of the states that dayfly keeps for stacks with `manage_state`.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::{Store, StoreError};
use crate::clock::Time;
use crate::stack::StackId;

/// How many versions of one stack's state are kept.
const KEPT: u64 = 30;

/// A state as it is kept, without its content.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateVersion {
    /// From 1, without a gap.
    pub version: u64,
    /// The tool's own numbers.
    pub serial: u64,
    pub lineage: String,
    /// SHA-256 of the content, in hexadecimal.
    pub digest: String,
    pub resources: u64,
    /// What it comes from: a run, a person.
    pub cause: String,
    pub at: Time,
}

const COLUMNS: &str = "version, serial, lineage, digest, resources, cause, at";

type Raw = ([i64; 4], [String; 3]);

fn raw(row: &Row<'_>) -> Result<Raw, rusqlite::Error> {
    Ok((
        [row.get(0)?, row.get(1)?, row.get(4)?, row.get(6)?],
        [row.get(2)?, row.get(3)?, row.get(5)?],
    ))
}

impl Store {
    /// Keeps `content` as the newest version of the stack's state; its number is `state`'s.
    pub fn keep_state(
        &mut self,
        stack: &StackId,
        state: &StateVersion,
        content: &[u8],
    ) -> Result<(), StoreError> {
        let failed = self.sql("keep a version of a state");
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let transaction = self.connection.transaction().map_err(&failed)?;
        transaction
            .execute(
                "INSERT INTO state_version
                     (stack, version, serial, lineage, digest, resources, cause, at, content)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    stack.as_str(),
                    number(state.version),
                    number(state.serial),
                    state.lineage,
                    state.digest,
                    number(state.resources),
                    state.cause,
                    state.at.as_second(),
                    content,
                ],
            )
            .map_err(&failed)?;
        transaction
            .execute(
                "DELETE FROM state_version WHERE stack = ?1 AND version <= ?2",
                params![stack.as_str(), number(state.version) - number(KEPT)],
            )
            .map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }

    /// The versions that are kept, newest first.
    pub fn state_versions(&self, stack: &StackId) -> Result<Vec<StateVersion>, StoreError> {
        let failed = self.sql("list the versions of a state");
        let mut statement = self
            .connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM state_version WHERE stack = ?1 ORDER BY version DESC"
            ))
            .map_err(&failed)?;
        let rows = statement
            .query_map([stack.as_str()], raw)
            .map_err(&failed)?;
        rows.map(|row| self.read_state_version(row.map_err(&failed)?))
            .collect()
    }

    /// The newest version, if any is kept.
    pub fn last_state(&self, stack: &StackId) -> Result<Option<StateVersion>, StoreError> {
        let row = self
            .connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM state_version WHERE stack = ?1
                 ORDER BY version DESC LIMIT 1"
            ))
            .and_then(|mut query| query.query_row([stack.as_str()], raw).optional())
            .map_err(self.sql("tell the newest version of a state"))?;
        row.map(|row| self.read_state_version(row)).transpose()
    }

    /// The content of a version; `None` if it is not kept.
    pub fn state_content(
        &self,
        stack: &StackId,
        version: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        self.connection
            .query_row(
                "SELECT content FROM state_version WHERE stack = ?1 AND version = ?2",
                params![stack.as_str(), version],
                |row| row.get(0),
            )
            .optional()
            .map_err(self.sql("read a version of a state"))
    }

    fn read_state_version(&self, (numbers, texts): Raw) -> Result<StateVersion, StoreError> {
        let [version, serial, resources, at] = numbers;
        let [lineage, digest, cause] = texts;
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(StateVersion {
            version: number(version),
            serial: number(serial),
            lineage,
            digest,
            resources: number(resources),
            cause,
            at: Time::from_second(at).map_err(|_| self.damaged("a state of an impossible time"))?,
        })
    }
}
