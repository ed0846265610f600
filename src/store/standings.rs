//! How all stacks stand, without reading more of each than is told.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;
use serde::Serialize;
use serde_json::Value;

use super::calls::ReadCalls;
use super::runs::{COLUMN_COUNT, COLUMNS, Run, raw};
use super::{StackLock, Store, StoreError};
use crate::clock::Time;
use crate::module::environment;
use crate::run::RunState;
use crate::stack::{Phase, StackId};

/// A recorded stack, with its last run that blocked it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    pub id: StackId,
    pub phase: Phase,
    pub repository: String,
    pub branch: String,
    /// The commit that its runs are for.
    pub commit: Option<String>,
    pub lock: Option<StackLock>,
    /// When the oldest failed run since the last finished one was made.
    pub failing_since: Option<Time>,
    #[serde(skip)]
    pub run: Option<Run>,
    #[serde(skip)]
    calls: i64,
}

impl Store {
    /// All recorded stacks, in the order of their ids.
    pub fn standings(&self) -> Result<Vec<Standing>, StoreError> {
        let failed = self.sql("tell how its stacks stand");
        let query = query();
        let mut locks = self.stack_locks()?;
        let mut statement = self.connection.prepare(&query).map_err(&failed)?;
        let mut rows = statement.query([]).map_err(&failed)?;
        let mut standings = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let text = |place: usize| row.get::<_, String>(COLUMN_COUNT + place).map_err(&failed);
            let optional = |place: usize| {
                row.get::<_, Option<String>>(COLUMN_COUNT + place)
                    .map_err(&failed)
            };
            let has_run = row.get::<_, Option<i64>>(0).map_err(&failed)?.is_some();
            let run = has_run
                .then(|| self.read_run(raw(row).map_err(&failed)?))
                .transpose()?;
            let id = text(0)?;
            let id = StackId::new(id);
            let is_well = run
                .as_ref()
                .is_none_or(|run| run.state == RunState::Finished);
            standings.push(Standing {
                phase: self.json(id.as_str(), &format!("\"{}\"", text(1)?))?,
                repository: text(3)?,
                branch: text(4)?,
                commit: optional(5)?,
                lock: locks.remove(&id),
                failing_since: if is_well {
                    None
                } else {
                    self.failing_since(&id)?
                },
                run,
                calls: row.get(COLUMN_COUNT + 2).map_err(&failed)?,
                id,
            });
        }
        Ok(standings)
    }

    /// The address of the environment's call in the manager repository, if it is part of one.
    pub fn call_of(&self, standing: &Standing) -> Result<Option<String>, StoreError> {
        let calls = ReadCalls::of(self)?.get(standing.calls)?;
        Ok(environment(&calls).map(|call| call.address.clone()))
    }

    /// What the last finished run of the stack put out, sensitive values left out.
    pub fn outputs_of(&self, stack: &StackId) -> Result<BTreeMap<String, Value>, StoreError> {
        let text: Option<String> = self
            .connection
            .prepare_cached("SELECT outputs FROM stack WHERE id = ?1")
            .and_then(|mut query| {
                query
                    .query_row([stack.as_str()], |row| row.get(0))
                    .optional()
            })
            .map_err(self.sql("tell what a stack put out"))?
            .flatten();
        text.map_or(Ok(BTreeMap::new()), |text| self.json(stack.as_str(), &text))
    }
}

fn query() -> String {
    let run_columns: Vec<String> = COLUMNS
        .split(", ")
        .map(|column| format!("last.{column}"))
        .collect();
    format!(
        "SELECT {}, object.id, object.phase, object.calls,
                 coalesce(json_extract(object.attributes, '$.repository'), ''),
                 coalesce(json_extract(object.attributes, '$.branch'), ''),
                 stack.tracked_commit
             FROM object INDEXED BY standing
             LEFT JOIN stack ON stack.id = object.id
             LEFT JOIN run AS last ON last.id = (
                 SELECT id FROM run WHERE run.stack = object.id
                     AND kind IN ('TRACKED', 'DESTROY') AND passed_over = 0
                     ORDER BY id DESC LIMIT 1)
             WHERE object.kind = 'spacelift_stack'
             ORDER BY object.id, object.phase",
        run_columns.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::query;
    use crate::store::tests::plan;

    #[test]
    fn how_all_stacks_stand_is_told_from_an_index_alone() {
        let steps = plan(&query());
        let scan = "SCAN object USING COVERING INDEX standing";
        assert!(steps.contains(&scan.to_owned()), "{steps:#?}");
        assert!(
            !steps.iter().any(|step| step.contains("B-TREE")),
            "{steps:#?}"
        );
    }
}
