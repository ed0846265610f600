//! The evaluation that the recorded objects come from, and the part of the objects that a change of
//! some environment files touches.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::objects::{COLUMNS_OF_POLICIES, OBJECT_COLUMNS};
use super::{Store, StoreError};
use crate::stack::{Object, StackId};

/// An evaluation whose environments are apart: one needs no look at the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// The commit of the manager repository.
    pub commit: String,
    /// What it came from beside the commit: dayfly itself, and values from elsewhere.
    pub basis: String,
    /// Files that any environment may depend on, in directories of environments.
    pub shared: BTreeSet<String>,
    /// Environment files that are to be looked at each time.
    pub unsettled: BTreeSet<String>,
}

/// What a look at some environment files found, to be held against all others.
#[derive(Debug, Default)]
pub struct Claims {
    /// The addresses of module calls.
    pub calls: BTreeSet<String>,
    /// The ids of objects of any type.
    pub ids: BTreeSet<String>,
    /// The ids of stacks that objects belong to.
    pub stacks: BTreeSet<String>,
}

impl Store {
    /// The evaluation that the recorded objects come from, if its environments were apart.
    pub fn evaluated(&self) -> Result<Option<Evaluated>, StoreError> {
        let row = self
            .connection
            .query_row(
                "SELECT commit_id, basis, shared, unsettled FROM evaluated",
                [],
                |row| {
                    let column = |index: usize| row.get::<_, String>(index);
                    Ok([column(0)?, column(1)?, column(2)?, column(3)?])
                },
            )
            .optional()
            .map_err(self.sql("tell the last evaluation"))?;
        row.map(|[commit, basis, shared, unsettled]| {
            Ok(Evaluated {
                shared: self.json("the last evaluation", &shared)?,
                unsettled: self.json("the last evaluation", &unsettled)?,
                commit,
                basis,
            })
        })
        .transpose()
    }

    /// The recorded objects of the environments in `files`, those of none, and those on their way
    /// out, in the order in which they were first recorded.
    pub fn objects_of(&self, files: &BTreeSet<String>) -> Result<Vec<Object>, StoreError> {
        self.select_objects(&of_files(), params![list(files)])
    }

    /// All active stacks and policies, in no order: one would have SQLite go through all objects. The calls
    /// that lead to them, and what they depend on, are left out: no policy is told of these, and of many
    /// stacks they take long to read.
    pub fn stacks_and_policies(&self) -> Result<Vec<Object>, StoreError> {
        let query = format!(
            "SELECT {COLUMNS_OF_POLICIES} FROM object
             WHERE kind IN ('spacelift_stack', 'spacelift_policy') AND phase = 'active'"
        );
        self.select_objects(&query, [])
    }

    /// The active ones among the stacks with these ids.
    pub fn active_stacks(&self, ids: &BTreeSet<String>) -> Result<Vec<Object>, StoreError> {
        let query = format!(
            "SELECT {OBJECT_COLUMNS} FROM object
             WHERE id IN (SELECT value FROM json_each(?1))
                   AND kind = 'spacelift_stack' AND phase = 'active'"
        );
        self.select_objects(&query, params![list(ids)])
    }

    // The joins are crossed so that SQLite does not go through all objects in the order of their rows.

    /// All active policies, and the active attachments of policies to `stacks`.
    pub fn policies_around(&self, stacks: &BTreeSet<String>) -> Result<Vec<Object>, StoreError> {
        let query = format!(
            "SELECT {OBJECT_COLUMNS} FROM (
                 SELECT rowid AS row FROM object
                     WHERE kind IN ('spacelift_stack', 'spacelift_policy')
                         AND kind = 'spacelift_policy' AND phase = 'active'
                 UNION SELECT rowid FROM object
                     WHERE stack_id IN (SELECT value FROM json_each(?1))
                         AND kind = 'spacelift_policy_attachment' AND phase = 'active') AS wanted
             CROSS JOIN object ON object.rowid = wanted.row
             ORDER BY wanted.row"
        );
        self.select_objects(&query, params![list(stacks)])
    }

    /// The active contexts and roles, and their attachments: to these stacks, or to all.
    pub fn equipment(&self, stacks: Option<&BTreeSet<String>>) -> Result<Vec<Object>, StoreError> {
        match stacks {
            Some(stacks) => self.select_objects(&equipment(OF_STACKS), params![list(stacks)]),
            None => self.select_objects(&equipment(""), []),
        }
    }

    /// The active policy attachments of `stacks`.
    pub fn policy_attachments(&self, stacks: &BTreeSet<String>) -> Result<Vec<Object>, StoreError> {
        let query = format!(
            "SELECT {OBJECT_COLUMNS} FROM object
             WHERE stack_id IN (SELECT value FROM json_each(?1)) AND phase = 'active'
                   AND kind = 'spacelift_policy_attachment'
             ORDER BY rowid"
        );
        self.select_objects(&query, params![list(stacks)])
    }

    /// Those among the ids that no recorded stack has, also none on its way out.
    pub fn unknown_stacks(&self, ids: &BTreeSet<String>) -> Result<Vec<StackId>, StoreError> {
        let failed = self.sql("list its stacks");
        let mut statement = self
            .connection
            .prepare(
                "SELECT value FROM json_each(?1) WHERE NOT EXISTS (
                     SELECT 1 FROM object WHERE object.id = value AND kind = 'spacelift_stack')",
            )
            .map_err(&failed)?;
        let ids = statement
            .query_map([list(ids)], |row| {
                Ok(StackId::new(row.get::<_, String>(0)?))
            })
            .map_err(&failed)?;
        ids.collect::<Result<_, _>>().map_err(&failed)
    }

    /// Whether an active object of an environment in none of the `files` has one of the ids, belongs
    /// to one of the stacks, or stands in one of the calls.
    pub fn others_claim(
        &self,
        files: &BTreeSet<String>,
        claims: &Claims,
    ) -> Result<bool, StoreError> {
        let others = "object.phase = 'active' AND EXISTS (
                          SELECT 1 FROM calls WHERE calls.number = object.calls
                              AND calls.environment NOT IN (SELECT value FROM json_each(?1)))";
        let queries = [
            (
                format!(
                    "SELECT EXISTS (SELECT 1 FROM json_each(?2) AS claim
                         CROSS JOIN object ON object.id = claim.value WHERE {others})"
                ),
                &claims.ids,
            ),
            (
                format!(
                    "SELECT EXISTS (SELECT 1 FROM json_each(?2) AS claim
                         CROSS JOIN object ON object.stack_id = claim.value WHERE {others})"
                ),
                &claims.stacks,
            ),
            (
                format!(
                    "SELECT EXISTS (SELECT 1 FROM json_each(?2) AS claim
                         CROSS JOIN object ON object.address >= claim.value || '.'
                                          AND object.address < claim.value || '/'
                         WHERE {others})"
                ),
                &claims.calls,
            ),
        ];
        for (query, claimed) in queries {
            let found = self
                .connection
                .query_row(&query, params![list(files), list(claimed)], |row| {
                    row.get(0)
                })
                .map_err(self.sql("compare its environments"))?;
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// In how many environment files, `files` left out, an active stack stands.
    pub fn other_previews(&self, files: &BTreeSet<String>) -> Result<usize, StoreError> {
        let count: i64 = self
            .connection
            .query_row(
                "SELECT count(DISTINCT environment) FROM object INDEXED BY standing
                 JOIN calls ON calls.number = object.calls
                 WHERE kind = 'spacelift_stack' AND phase = 'active'
                       AND environment NOT IN (SELECT value FROM json_each(?1))",
                [list(files)],
                |row| row.get(0),
            )
            .map_err(self.sql("count its previews"))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// How many stacks are on their way out.
    pub fn leaving_stacks(&self) -> Result<usize, StoreError> {
        let count: i64 = self
            .connection
            .query_row(
                "SELECT count(*) FROM object INDEXED BY object_on_its_way_out
                 WHERE phase != 'active' AND kind = 'spacelift_stack'",
                [],
                |row| row.get(0),
            )
            .map_err(self.sql("count the stacks that leave"))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }
}

/// The query of [`Store::objects_of`]: by indices alone, which SQLite would not choose by itself.
fn of_files() -> String {
    format!(
        "SELECT {OBJECT_COLUMNS} FROM (
                 SELECT rowid AS row FROM object INDEXED BY object_on_its_way_out
                     WHERE phase != 'active'
                 UNION SELECT object.rowid FROM calls INDEXED BY calls_of_environment
                       CROSS JOIN object INDEXED BY object_of_calls
                       ON object.calls = calls.number
                       WHERE environment IS NULL
                 UNION SELECT object.rowid FROM calls INDEXED BY calls_of_environment
                       CROSS JOIN object INDEXED BY object_of_calls
                       ON object.calls = calls.number
                       WHERE environment IN (SELECT value FROM json_each(?1))) AS wanted
             CROSS JOIN object ON object.rowid = wanted.row
             ORDER BY wanted.row"
    )
}

/// Of some stacks, or of none and so for all.
const OF_STACKS: &str = "AND stack_id IN (SELECT '' UNION ALL SELECT value FROM json_each(?1))";

/// The query of [`Store::equipment`].
fn equipment(of_stacks: &str) -> String {
    format!(
        "SELECT {OBJECT_COLUMNS} FROM object
             WHERE (kind = 'spacelift_context' OR kind = 'spacelift_context_attachment'
                    OR kind = 'spacelift_role' OR kind = 'spacelift_role_attachment')
                   AND phase = 'active' {of_stacks}
             ORDER BY rowid"
    )
}

fn list(texts: &BTreeSet<String>) -> String {
    serde_json::Value::from_iter(texts.iter().map(String::as_str)).to_string()
}

/// Puts `evaluated` in the place of the one before; `None` leaves none, so that all is evaluated.
pub(super) fn record_evaluated(
    connection: &Connection,
    evaluated: Option<&Evaluated>,
) -> Result<(), rusqlite::Error> {
    match evaluated {
        None => connection.execute("DELETE FROM evaluated", []),
        Some(evaluated) => connection.execute(
            "INSERT INTO evaluated (only, commit_id, basis, shared, unsettled)
             VALUES (1, ?1, ?2, ?3, ?4)
             ON CONFLICT (only) DO UPDATE SET
                 commit_id = excluded.commit_id, basis = excluded.basis,
                 shared = excluded.shared, unsettled = excluded.unsettled",
            params![
                evaluated.commit,
                evaluated.basis,
                list(&evaluated.shared),
                list(&evaluated.unsettled)
            ],
        ),
    }
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::{OF_STACKS, equipment, of_files};
    use crate::store::tests::plan;

    #[test]
    fn equipment_of_one_stack_is_found_without_going_through_that_of_all() {
        let steps = plan(&equipment(OF_STACKS));
        let search = "SEARCH object USING INDEX equipment (kind=? AND stack_id=?)";
        assert!(steps.contains(&search.to_owned()), "{steps:#?}");
    }

    #[test]
    fn one_environment_is_found_without_going_through_all_objects() {
        let steps = plan(&of_files());
        assert!(steps.iter().any(|step| step.starts_with("SEARCH object")));
        assert!(!steps.contains(&"SCAN object".to_owned()), "{steps:#?}");
    }
}
