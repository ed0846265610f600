//! Objects of the manager's runs, and what is known of each stack.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer as _};
use serde_json::{Map, Value};

use super::calls::ReadCalls;
use super::recording::ManagerRun;
use super::{Store, StoreError};
use crate::module::{Attributes, Origin, Resource};
use crate::stack::{Change, ChangeAction, Object, Phase, RunInputs, SensitiveOutputs, StackId};
use crate::threads;

/// What was recorded last.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    pub commit: String,
    /// The id of the manager's own stack then; `None` where an older dayfly recorded it.
    pub manager_stack: Option<String>,
}

/// Where a stack stands in its repository.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StackHead {
    /// The tip of its branch when it was last looked at.
    pub seen_commit: Option<String>,
    /// The commit that its runs are for.
    pub tracked_commit: Option<String>,
}

/// What is known of a stack beside its objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StackRecord {
    pub head: StackHead,
    /// The inputs of the last apply that began.
    pub began: Option<RunInputs>,
    /// What its last finished run put out, sensitive values left out and secrets masked.
    pub outputs: BTreeMap<String, Value>,
}

pub(super) const OBJECT_COLUMNS: &str =
    "address, kind, name, attributes, depends_on, phase, sensitive, file, line, calls";

/// The same without what an object depends on and the calls that lead to it.
pub(super) const COLUMNS_OF_POLICIES: &str =
    "address, kind, name, attributes, '[]', phase, sensitive, file, line, NULL";

/// So many objects are parsed at once.
const BATCH: usize = 256;

/// An object but for its attributes, which are JSON.
struct Unparsed {
    resource: Resource,
    attributes: String,
    phase: Phase,
}

impl Unparsed {
    fn parse(self) -> Result<Object, String> {
        let attributes = serde_json::from_str(&self.attributes);
        let attributes =
            attributes.map_err(|error| format!("{}: {error}", self.resource.address))?;
        Ok(Object {
            resource: Arc::new(Resource {
                attributes,
                ..self.resource
            }),
            phase: self.phase,
        })
    }
}

impl Store {
    /// All recorded objects, in the order in which they were first recorded.
    pub fn objects(&self) -> Result<Vec<Object>, StoreError> {
        let query = format!("SELECT {OBJECT_COLUMNS} FROM object ORDER BY rowid");
        self.select_objects(&query, [])
    }

    /// The objects of one stack, and those that belong to no stack: policies, contexts and theirs.
    pub fn objects_around(&self, stack: &StackId) -> Result<Vec<Object>, StoreError> {
        let query = format!(
            "SELECT {OBJECT_COLUMNS} FROM object WHERE stack_id IN (?1, '') ORDER BY rowid"
        );
        self.select_objects(&query, [stack.as_str()])
    }

    pub(super) fn select_objects(
        &self,
        query: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Object>, StoreError> {
        let failed = self.sql("list its objects");
        let mut statement = self.connection.prepare_cached(query).map_err(&failed)?;
        let mut rows = statement.query(values).map_err(&failed)?;
        let mut calls = ReadCalls::of(self)?;
        let next = || match rows.next().map_err(&failed)? {
            Some(row) => self.unparsed(row, &mut calls, &failed).map(Some),
            None => Ok(None),
        };
        // Attributes take as long to parse as all else to read.
        let objects = threads::map_behind(next, BATCH, Unparsed::parse)?;
        let objects: Result<_, _> = objects.into_iter().collect();
        objects.map_err(|error| self.damaged(error))
    }

    fn unparsed(
        &self,
        row: &Row<'_>,
        calls: &mut ReadCalls<'_>,
        failed: &impl Fn(rusqlite::Error) -> StoreError,
    ) -> Result<Unparsed, StoreError> {
        let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
        let text = |index: usize| text(index).map_err(failed);
        let address = text(0)?;
        let line: i64 = row.get(8).map_err(failed)?;
        let number: Option<i64> = row.get(9).map_err(failed)?;
        let calls = number.map(|number| calls.get(number)).transpose()?;
        let origin = Origin {
            calls: calls.unwrap_or_default(),
            file: text(7)?.to_owned(),
            line: usize::try_from(line).unwrap_or_default(),
        };
        let depends_on: Vec<Cow<'_, str>> = self.json(address, text(4)?)?;
        let resource = Resource {
            kind: text(1)?.to_owned(),
            name: text(2)?.to_owned(),
            attributes: Attributes::default(),
            depends_on: depends_on
                .iter()
                .map(|it| origin.whole(it).into())
                .collect(),
            origin,
            sensitive: self.json(address, text(6)?)?,
            address: address.to_owned(),
        };
        Ok(Unparsed {
            resource,
            attributes: text(3)?.to_owned(),
            phase: self.json(address, &format!("\"{}\"", text(5)?))?,
        })
    }

    /// The heads of all stacks that are known.
    pub fn heads(&self) -> Result<HashMap<StackId, StackHead>, StoreError> {
        let failed = self.sql("list its stacks");
        let mut statement = self
            .connection
            .prepare("SELECT id, seen_commit, tracked_commit FROM stack")
            .map_err(&failed)?;
        let rows = statement
            .query_map([], |row| {
                let head = StackHead {
                    seen_commit: row.get(1)?,
                    tracked_commit: row.get(2)?,
                };
                Ok((StackId::new(row.get::<_, String>(0)?), head))
            })
            .map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// What is known of one stack.
    pub fn stack(&self, stack: &StackId) -> Result<StackRecord, StoreError> {
        let failed = self.sql("read a stack");
        let query = "SELECT seen_commit, tracked_commit, began, outputs FROM stack WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(query).map_err(&failed)?;
        let row = statement
            .query_row([stack.as_str()], |row| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
            })
            .optional()
            .map_err(&failed)?;
        row.map(|row| self.read_stack(stack.as_str(), row))
            .unwrap_or_else(|| Ok(StackRecord::default()))
    }

    fn read_stack(&self, id: &str, row: [Option<String>; 4]) -> Result<StackRecord, StoreError> {
        let [seen_commit, tracked_commit, began, outputs] = row;
        Ok(StackRecord {
            head: StackHead {
                seen_commit,
                tracked_commit,
            },
            began: began.map(|text| self.json(id, &text)).transpose()?,
            outputs: outputs
                .map(|text| self.json(id, &text))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    pub(super) fn json<T: DeserializeOwned>(&self, of: &str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|error| self.damaged(format!("{of}: {error}")))
    }

    /// Keeps the inputs of an apply that is about to begin.
    pub fn begin(&mut self, stack: &StackId, inputs: &RunInputs) -> Result<(), StoreError> {
        let text = serde_json::to_string(inputs).map_err(|error| self.damaged(error))?;
        self.connection
            .execute(
                "INSERT INTO stack (id, began) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET began = excluded.began",
                params![stack.as_str(), text],
            )
            .map(drop)
            .map_err(self.sql("keep the inputs of an apply"))
    }

    pub fn set_outputs(
        &mut self,
        stack: &StackId,
        outputs: &BTreeMap<String, Value>,
        sensitive: &SensitiveOutputs,
    ) -> Result<(), StoreError> {
        let text = |values| serde_json::to_string(values).map_err(|error| self.damaged(error));
        let (outputs, sensitive) = (text(outputs)?, text(&sensitive.0)?);
        self.connection
            .execute(
                "UPDATE stack SET outputs = ?2, sensitive_outputs = ?3 WHERE id = ?1",
                params![stack.as_str(), outputs, sensitive],
            )
            .map(drop)
            .map_err(self.sql("keep the outputs of a stack"))
    }

    /// What the stack's last finished run put out that only runs of other stacks may see.
    pub fn sensitive_outputs(&self, stack: &StackId) -> Result<SensitiveOutputs, StoreError> {
        let query = "SELECT sensitive_outputs FROM stack WHERE id = ?1";
        let text: Option<String> = self
            .connection
            .query_row(query, [stack.as_str()], |row| row.get(0))
            .optional()
            .map(Option::flatten)
            .map_err(self.sql("read the outputs of a stack"))?;
        let values = text.map(|text| self.json(stack.as_str(), &text));
        Ok(SensitiveOutputs(values.transpose()?.unwrap_or_default()))
    }

    /// The recorded changes that the TRIGGER policies have not answered to, oldest first.
    pub fn unjudged_changes(&self) -> Result<Vec<Change>, StoreError> {
        let failed = self.sql("list its changes");
        let mut statement = self
            .connection
            .prepare("SELECT changes FROM manager_run WHERE judged = 0 ORDER BY id")
            .map_err(&failed)?;
        let texts: Result<Vec<String>, _> = statement
            .query_map([], |row| row.get(0))
            .and_then(Iterator::collect);
        let mut changes = Vec::new();
        for text in texts.map_err(&failed)? {
            changes.extend(
                self.json::<Vec<Kept<'_>>>("a manager run", &text)?
                    .into_iter()
                    .map(Change::from),
            );
        }
        Ok(changes)
    }

    /// The commit that was last recorded, if any was.
    pub fn last_commit(&self) -> Result<Option<String>, StoreError> {
        Ok(self.last_recorded()?.map(|recorded| recorded.commit))
    }

    /// What was last recorded, also where it changed nothing.
    pub fn last_recorded(&self) -> Result<Option<Recorded>, StoreError> {
        self.connection
            .query_row(
                "SELECT commit_id, manager_stack FROM owner WHERE commit_id IS NOT NULL",
                [],
                |row| {
                    Ok(Recorded {
                        commit: row.get(0)?,
                        manager_stack: row.get(1)?,
                    })
                },
            )
            .optional()
            .map_err(self.sql("tell the last manager run"))
    }
}

/// A change as it is kept with its manager run: what policies are asked about. Where they have answered
/// already, its address tells what it is of.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept<'a> {
    action: ChangeAction,
    address: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Cow<'a, Attributes>>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    before: Cow<'a, Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_from: Option<Cow<'a, str>>,
}

impl<'a> Kept<'a> {
    /// The changes as their manager run keeps them.
    pub(super) fn text(manager_run: &'a ManagerRun) -> Result<String, serde_json::Error> {
        let changes = &manager_run.changes;
        let is_asked = !manager_run.judged;
        let kept = changes.iter().map(|change| Self {
            action: change.action,
            address: Cow::Borrowed(&change.object.address),
            kind: is_asked.then(|| Cow::Borrowed(&*change.object.kind)),
            name: is_asked.then(|| Cow::Borrowed(&*change.object.name)),
            attributes: is_asked.then(|| Cow::Borrowed(&change.object.attributes)),
            before: Cow::Borrowed(&change.before),
            moved_from: change.moved_from.as_deref().map(Cow::Borrowed),
        });
        // A text that has to grow is in memory twice meanwhile.
        let sizes = changes
            .iter()
            .map(|change| change.object.address.len() + 40);
        let mut text = Vec::with_capacity(sizes.sum());
        serde_json::Serializer::new(&mut text).collect_seq(kept)?;
        String::from_utf8(text).map_err(serde::ser::Error::custom)
    }
}

impl From<Kept<'_>> for Change {
    fn from(kept: Kept<'_>) -> Self {
        Self {
            action: kept.action,
            object: Object::from_resource(&Arc::new(Resource {
                address: kept.address.into_owned(),
                kind: kept.kind.unwrap_or_default().into_owned(),
                name: kept.name.unwrap_or_default().into_owned(),
                attributes: kept.attributes.unwrap_or_default().into_owned(),
                sensitive: Arc::default(),
                depends_on: Arc::from([]),
                origin: Origin::default(),
            })),
            before: kept.before.into_owned(),
            were_sensitive: Arc::default(),
            moved_from: kept.moved_from.map(Cow::into_owned),
        }
    }
}
