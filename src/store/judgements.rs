//! What policies said of runs, and what they were asked.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Read as _, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Store, StoreError};
use crate::clock::Time;
use crate::run::{RunId, RunState};

/// One question to the policies of a type, and their verdict, to be kept with a run.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJudgement {
    kind: String,
    /// The state the run was in; QUEUED for what made it.
    state: RunState,
    input: PackedInput,
    verdict: String,
}

/// What policies are asked, to be kept with their verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedInput {
    /// SHA-256 of its JSON text, in hex.
    digest: String,
    /// The text, compressed: of all stacks it is long, and says nearly the same of each.
    compressed: Vec<u8>,
}

/// A judgement as it was kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    #[serde(rename = "type")]
    pub kind: String,
    pub state: String,
    /// SHA-256 of the input's JSON text, in hex.
    pub input_digest: String,
    pub verdict: Value,
    pub at: Time,
}

const KEEP_INPUT: &str =
    "INSERT OR IGNORE INTO policy_input (digest, document, packed) VALUES (?1, '', ?2)";
/// As much of an input is made at once.
const CHUNK_BYTES: usize = 64 * 1024;

impl PackedInput {
    /// Takes the digest of the input's JSON text and compresses it; an error is that it cannot be written.
    pub fn of(input: &impl Serialize) -> Result<Self, serde_json::Error> {
        let mut text = BufWriter::with_capacity(CHUNK_BYTES, Packing::default());
        serde_json::to_writer(&mut text, input)?;
        let packing = text.into_inner().map_err(io::IntoInnerError::into_error);
        packing
            .and_then(Packing::finish)
            .map_err(serde_json::Error::io)
    }
}

impl NewJudgement {
    /// Make it once for all runs that follow from it.
    pub fn new(
        kind: &str,
        state: RunState,
        input: &impl Serialize,
        verdict: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        Self::of_packed(kind, state, PackedInput::of(input)?, verdict)
    }

    /// [`Self::new`], of an input that is packed already.
    pub fn of_packed(
        kind: &str,
        state: RunState,
        input: PackedInput,
        verdict: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            kind: kind.to_owned(),
            state,
            input,
            verdict: serde_json::to_string(verdict)?,
        })
    }
}

/// A text as it comes: its digest, and what is kept of it.
struct Packing {
    digest: Sha256,
    encoder: ZlibEncoder<Vec<u8>>,
}

impl Default for Packing {
    fn default() -> Self {
        Self {
            digest: Sha256::new(),
            encoder: ZlibEncoder::new(Vec::new(), Compression::fast()),
        }
    }
}

impl Write for Packing {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let count = self.encoder.write(text)?;
        self.digest.update(&text[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Packing {
    fn finish(self) -> io::Result<PackedInput> {
        let mut digest = String::with_capacity(64);
        for byte in self.digest.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(digest, "{byte:02x}");
        }
        Ok(PackedInput {
            digest,
            compressed: self.encoder.finish()?,
        })
    }
}

/// The documents of judgements that a transaction has kept: many runs may follow from one judgement,
/// whose input and verdict name all stacks.
#[derive(Default)]
pub(super) struct Documents(HashMap<*const NewJudgement, i64>);

impl Documents {
    /// The verdict's number.
    fn keep(
        &mut self,
        connection: &Connection,
        judgement: &Arc<NewJudgement>,
    ) -> Result<i64, rusqlite::Error> {
        if let Some(known) = self.0.get(&Arc::as_ptr(judgement)) {
            return Ok(*known);
        }
        connection.execute(
            KEEP_INPUT,
            params![judgement.input.digest, judgement.input.compressed],
        )?;
        connection.execute(
            "INSERT INTO policy_verdict (document) VALUES (?1)",
            [&judgement.verdict],
        )?;
        let verdict = connection.last_insert_rowid();
        self.0.insert(Arc::as_ptr(judgement), verdict);
        Ok(verdict)
    }
}

pub(super) fn insert_judgement(
    connection: &Connection,
    run: i64,
    judgement: &Arc<NewJudgement>,
    documents: &mut Documents,
    at: Time,
) -> Result<(), rusqlite::Error> {
    let verdict = documents.keep(connection, judgement)?;
    connection
        .prepare_cached(
            "INSERT INTO judgement (run, kind, state, digest, said, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            run,
            judgement.kind,
            judgement.state.as_str(),
            judgement.input.digest,
            verdict,
            at.as_second()
        ])
        .map(drop)
}

impl Store {
    /// Keeps a judgement with its run.
    pub fn keep(
        &mut self,
        run: &RunId,
        judgement: NewJudgement,
        at: Time,
    ) -> Result<(), StoreError> {
        let missing = || StoreError::NoRun(run.to_string());
        let number: i64 = run.as_str().parse().map_err(|_| missing())?;
        let failed = self.sql("keep a judgement");
        let transaction = self.connection.transaction().map_err(&failed)?;
        let documents = &mut Documents::default();
        insert_judgement(&transaction, number, &Arc::new(judgement), documents, at)
            .map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }

    /// Keeps what policies said of a commit of the manager repository; the same again is kept once.
    pub fn keep_of_manager(
        &mut self,
        commit: &str,
        judgements: &[NewJudgement],
        at: Time,
    ) -> Result<(), StoreError> {
        let failed = self.sql("keep a judgement");
        let transaction = self.connection.transaction().map_err(&failed)?;
        for judgement in judgements {
            transaction
                .execute(
                    KEEP_INPUT,
                    params![judgement.input.digest, judgement.input.compressed],
                )
                .map_err(&failed)?;
            transaction
                .execute(
                    "INSERT OR IGNORE INTO manager_judgement
                         (commit_id, kind, state, digest, verdict, at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        commit,
                        judgement.kind,
                        judgement.state.as_str(),
                        judgement.input.digest,
                        judgement.verdict,
                        at.as_second()
                    ],
                )
                .map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)
    }

    /// What was said of a run, oldest first.
    pub fn judgements(&self, run: &RunId) -> Result<Vec<Judgement>, StoreError> {
        let number: i64 = run.as_str().parse().unwrap_or_default();
        self.select_judgements(
            "SELECT kind, state, digest, document, at
             FROM judgement JOIN policy_verdict ON policy_verdict.id = said
             WHERE run = ?1 ORDER BY judgement.id",
            [number],
        )
    }

    /// The commits of the manager repository that begin with `prefix` and were judged.
    pub fn judged_commits(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let failed = self.sql("list the judged commits");
        let mut statement = self
            .connection
            .prepare(
                "SELECT DISTINCT commit_id FROM manager_judgement
                 WHERE substr(commit_id, 1, length(?1)) = ?1",
            )
            .map_err(&failed)?;
        let commits = statement.query_map([prefix], |row| row.get(0));
        commits.and_then(Iterator::collect).map_err(failed)
    }

    /// What the policies of the manager's own stack said of its commit, oldest first.
    pub fn manager_judgements(&self, commit: &str) -> Result<Vec<Judgement>, StoreError> {
        self.select_judgements(
            "SELECT kind, state, digest, verdict, at FROM manager_judgement
             WHERE commit_id = ?1 ORDER BY rowid",
            [commit],
        )
    }

    fn select_judgements(
        &self,
        query: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Judgement>, StoreError> {
        let failed = self.sql("list the judgements of a run");
        let mut statement = self.connection.prepare_cached(query).map_err(&failed)?;
        let rows = statement
            .query_map(values, |row| {
                let text = |index: usize| row.get::<_, String>(index);
                Ok((
                    text(0)?,
                    text(1)?,
                    text(2)?,
                    text(3)?,
                    row.get::<_, i64>(4)?,
                ))
            })
            .map_err(&failed)?;
        rows.map(|row| {
            let (kind, state, input_digest, verdict, at) = row.map_err(&failed)?;
            let damaged = |what: &str| self.damaged(format!("a judgement with {what}"));
            Ok(Judgement {
                kind,
                state,
                input_digest,
                verdict: serde_json::from_str(&verdict)
                    .map_err(|_| damaged("a verdict that is no JSON"))?,
                at: Time::from_second(at).map_err(|_| damaged("an impossible time"))?,
            })
        })
        .collect()
    }

    /// The JSON text of the input with this digest; `None` if no policy was asked about it.
    pub fn policy_input(&self, digest: &str) -> Result<Option<String>, StoreError> {
        let found: Option<(String, Option<Vec<u8>>)> = self
            .connection
            .query_row(
                "SELECT document, packed FROM policy_input WHERE digest = ?1",
                [digest],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(self.sql("read the input of a policy"))?;
        let Some((mut text, packed)) = found else {
            return Ok(None);
        };
        // Of a time that kept it as it is, it stands there so.
        if let Some(packed) = packed {
            let read = ZlibDecoder::new(&*packed).read_to_string(&mut text);
            read.map_err(|error| self.damaged(format!("input {digest}: {error}")))?;
        }
        Ok(Some(text))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says where it stopped")]
mod tests {
    use serde_json::json;
    use sha2::{Digest, Sha256};

    use super::NewJudgement;
    use crate::clock::Time;
    use crate::run::RunState;
    use crate::store::Store;

    #[test]
    fn inputs_are_kept_small_and_read_as_they_were_asked() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap();
        let stack = |number| json!({"id": format!("stack-{number}"), "state": "FINISHED \u{e9}"});
        let stacks: Vec<_> = (0..10_000).map(stack).collect();
        let input = json!({ "stacks": stacks });
        let judgement = NewJudgement::new("TRIGGER", RunState::Queued, &input, &json!({})).unwrap();
        let (digest, text) = (judgement.input.digest.clone(), input.to_string());
        let expected = Sha256::digest(text.as_bytes());
        let expected = expected.iter().map(|byte| format!("{byte:02x}"));
        assert_eq!(digest, expected.collect::<String>());
        let at = Time::UNIX_EPOCH;
        store.keep_of_manager("c0ffee", &[judgement], at).unwrap();
        assert_eq!(store.policy_input(&digest).unwrap().as_ref(), Some(&text));
        let query = "SELECT length(packed) + length(document) FROM policy_input";
        let kept: i64 = store
            .connection
            .query_row(query, [], |row| row.get(0))
            .unwrap();
        assert!(kept * 8 < text.len() as i64, "{kept} of {}", text.len());

        // As it was kept before.
        let plain = "INSERT INTO policy_input (digest, document) VALUES ('d', '{\"a\":1}')";
        store.connection.execute(plain, []).unwrap();
        let read = store.policy_input("d").unwrap();
        assert_eq!(read.as_deref(), Some("{\"a\":1}"));
        assert_eq!(store.policy_input("none").unwrap(), None);
    }
}
