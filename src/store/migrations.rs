//! The tables, as a list of steps. A step is never changed once it was released.

use rusqlite::{Connection, TransactionBehavior};

const STEPS: &[&str] = &[
    "
CREATE TABLE owner (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    manager TEXT NOT NULL,
    branch  TEXT NOT NULL
) STRICT;

CREATE TABLE manager_run (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    commit_id TEXT NOT NULL,
    changes   TEXT NOT NULL,
    -- Whether the TRIGGER policies have answered to these changes.
    judged    INTEGER NOT NULL,
    at        INTEGER NOT NULL
) STRICT;

CREATE TABLE object (
    address    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    attributes TEXT NOT NULL,
    depends_on TEXT NOT NULL,
    origin     TEXT NOT NULL,
    phase      TEXT NOT NULL CHECK (phase IN ('active', 'deleting', 'orphaned')),
    commit_id  TEXT NOT NULL
) STRICT;

-- While the stacks of one name leave, another object may stand at their address.
CREATE UNIQUE INDEX active_object ON object (address) WHERE phase = 'active';

CREATE TABLE stack (
    id             TEXT PRIMARY KEY,
    seen_commit    TEXT,
    tracked_commit TEXT,
    began          TEXT,
    outputs        TEXT
) STRICT;

CREATE TABLE run (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    stack     TEXT NOT NULL,
    kind      TEXT NOT NULL,
    state     TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    cause     TEXT NOT NULL,
    note      TEXT,
    created   INTEGER NOT NULL,
    updated   INTEGER NOT NULL,
    added     INTEGER,
    changed   INTEGER,
    destroyed INTEGER
) STRICT;
CREATE INDEX run_of_stack ON run (stack, id);
CREATE INDEX run_unfinished ON run (state)
    WHERE state NOT IN ('FINISHED', 'FAILED', 'CANCELED', 'DISCARDED', 'STOPPED', 'SKIPPED');

CREATE TABLE run_state (
    run   INTEGER NOT NULL REFERENCES run (id),
    state TEXT NOT NULL,
    at    INTEGER NOT NULL
) STRICT;
CREATE INDEX run_state_of_run ON run_state (run);
",
    "
-- What policies were asked, once for all that were asked the same.
CREATE TABLE policy_input (
    digest   TEXT PRIMARY KEY,
    document TEXT NOT NULL
) STRICT;

CREATE TABLE judgement (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    run     INTEGER NOT NULL REFERENCES run (id),
    kind    TEXT NOT NULL,
    state   TEXT NOT NULL,
    digest  TEXT NOT NULL REFERENCES policy_input (digest),
    verdict TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX judgement_of_run ON judgement (run);
",
    "
-- What a change of one environment touches is found without reading all objects.
ALTER TABLE object ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE object ADD COLUMN stack_id TEXT NOT NULL DEFAULT '';
-- The file of the environment that it is part of.
ALTER TABLE object ADD COLUMN environment TEXT;
UPDATE object SET
    id = coalesce(json_extract(attributes, '$.id'), ''),
    stack_id = coalesce(json_extract(attributes,
        CASE kind WHEN 'spacelift_stack' THEN '$.id' ELSE '$.stack_id' END), ''),
    environment = (SELECT json_extract(call.value, '$.file')
        FROM json_each(origin, '$.calls') AS call
        WHERE '/' || json_extract(call.value, '$.file') GLOB '*/environments/*.tf'
        ORDER BY call.key LIMIT 1);
CREATE INDEX object_by_id ON object (id);
CREATE INDEX object_of_stack ON object (stack_id);
CREATE INDEX object_of_environment ON object (environment);
CREATE INDEX object_on_its_way_out ON object (kind) WHERE phase != 'active';
CREATE INDEX stack_or_policy ON object (kind)
    WHERE kind IN ('spacelift_stack', 'spacelift_policy');
CREATE INDEX preview ON object (environment)
    WHERE kind = 'spacelift_stack' AND phase = 'active';

-- Where all objects of environments are known to depend on nothing but their own file and what all
-- environments share.
CREATE TABLE evaluated (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    commit_id TEXT NOT NULL,
    basis     TEXT NOT NULL,
    shared    TEXT NOT NULL,
    unsettled TEXT NOT NULL
) STRICT;

-- What policies said, once for all runs that it led to.
CREATE TABLE policy_verdict (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    document TEXT NOT NULL
) STRICT;
ALTER TABLE judgement ADD COLUMN said INTEGER REFERENCES policy_verdict (id);
INSERT INTO policy_verdict (id, document) SELECT id, verdict FROM judgement;
UPDATE judgement SET said = id;
ALTER TABLE judgement DROP COLUMN verdict;
",
    "
-- What was recorded last, also where it changed nothing.
ALTER TABLE owner ADD COLUMN commit_id TEXT;
ALTER TABLE owner ADD COLUMN manager_stack TEXT;
UPDATE owner SET commit_id = (SELECT commit_id FROM manager_run ORDER BY id DESC LIMIT 1);

-- What the policies of the manager's own stack said of its commits.
CREATE TABLE manager_judgement (
    commit_id TEXT NOT NULL,
    kind      TEXT NOT NULL,
    state     TEXT NOT NULL,
    digest    TEXT NOT NULL REFERENCES policy_input (digest),
    verdict   TEXT NOT NULL,
    at        INTEGER NOT NULL,
    UNIQUE (commit_id, kind, digest, verdict)
) STRICT;
",
    "
-- Whether the policies have heard that the run has ended.
ALTER TABLE run ADD COLUMN told INTEGER NOT NULL DEFAULT 1;
-- Who wants it stopped while a process works on it.
ALTER TABLE run ADD COLUMN stopped_by TEXT;
-- What its plan was made of, while that waits for a person.
ALTER TABLE run ADD COLUMN inputs TEXT;
CREATE INDEX run_untold ON run (id) WHERE told = 0;
CREATE INDEX run_blocking ON run (stack, id) WHERE kind IN ('TRACKED', 'DESTROY');

CREATE TABLE stack_lock (
    stack  TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    note   TEXT NOT NULL,
    since  INTEGER NOT NULL
) STRICT;
",
    "
-- The states that dayfly keeps.
CREATE TABLE state_version (
    stack     TEXT NOT NULL,
    version   INTEGER NOT NULL,
    serial    INTEGER NOT NULL,
    lineage   TEXT NOT NULL,
    digest    TEXT NOT NULL,
    resources INTEGER NOT NULL,
    cause     TEXT NOT NULL,
    at        INTEGER NOT NULL,
    content   BLOB NOT NULL,
    PRIMARY KEY (stack, version)
) STRICT;
",
    "
-- What is asked of all previews, of all stacks and of all manager runs is answered from an index alone.
DROP INDEX preview;
CREATE INDEX preview ON object (environment, kind, phase)
    WHERE kind = 'spacelift_stack' AND phase = 'active';
DROP INDEX run_blocking;
CREATE INDEX run_blocking ON run (stack, id, kind) WHERE kind IN ('TRACKED', 'DESTROY');
CREATE INDEX unjudged ON manager_run (id) WHERE judged = 0;
",
    "
CREATE INDEX dependency ON object (kind) WHERE kind IN
    ('spacelift_stack_dependency', 'spacelift_stack_dependency_reference');
-- What its last finished run took of the outputs of others, by variable.
ALTER TABLE stack ADD COLUMN taken TEXT;
",
    "
-- What people said of runs that wait.
CREATE TABLE review (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    run           INTEGER NOT NULL REFERENCES run (id),
    author        TEXT NOT NULL,
    approves      INTEGER NOT NULL,
    note          TEXT NOT NULL,
    state         TEXT NOT NULL,
    state_version INTEGER NOT NULL,
    at            INTEGER NOT NULL
) STRICT;
CREATE INDEX review_of_run ON review (run);
",
    "
-- The id under which the manager repository knows this data directory as its owner.
ALTER TABLE owner ADD COLUMN directory TEXT;
",
    "
-- Files of environments as they stood when all that they describe had been applied well.
CREATE TABLE applied_inputs (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    file      TEXT NOT NULL,
    text      TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    at        INTEGER NOT NULL
) STRICT;
CREATE INDEX applied_inputs_of_file ON applied_inputs (file, id);
",
    "
CREATE INDEX scheduled_deletion ON object (environment)
    WHERE kind = 'spacelift_scheduled_delete_stack';
",
    "
-- Where the branches of the repositories of stacks stood when they were last looked at.
CREATE TABLE looked (
    repository TEXT PRIMARY KEY,
    branches   TEXT NOT NULL
) STRICT;

-- The branch whose push a run is of, and the key that its policies locked the stack with.
ALTER TABLE run ADD COLUMN branch TEXT;
ALTER TABLE run ADD COLUMN lock_key TEXT;

-- What is to be done elsewhere before a run starts.
CREATE TABLE external_dependency (
    name   TEXT NOT NULL,
    run    INTEGER NOT NULL REFERENCES run (id),
    status TEXT NOT NULL,
    PRIMARY KEY (name, run)
) STRICT;
CREATE INDEX external_dependency_of_run ON external_dependency (run);
",
    "
-- The attributes that hold what the repository's files make sensitive.
ALTER TABLE object ADD COLUMN sensitive TEXT NOT NULL DEFAULT '[]';
",
    "
-- What a run's tool was at when it was killed.
CREATE TABLE in_flight (
    run   INTEGER NOT NULL REFERENCES run (id),
    doing TEXT NOT NULL,
    PRIMARY KEY (run, doing)
) STRICT, WITHOUT ROWID;
",
    "
-- How all stacks stand is told from an index alone.
CREATE INDEX standing ON object (id, phase, kind, origin,
                                 json_extract(attributes, '$.repository'),
                                 json_extract(attributes, '$.branch'))
    WHERE kind = 'spacelift_stack';
",
    "
-- Since when stacks that left without a destructor wait for somebody to decide.
CREATE TABLE orphan (
    stack TEXT PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT;
",
    "
-- How far the pull requests of the repositories of stacks were judged: what was heard of them last,
-- and how those stood that are open.
CREATE TABLE heard (
    repository TEXT PRIMARY KEY,
    mark       TEXT NOT NULL
) STRICT;
CREATE TABLE open_pull_request (
    repository TEXT NOT NULL,
    number     INTEGER NOT NULL,
    standing   TEXT NOT NULL,
    PRIMARY KEY (repository, number)
) STRICT, WITHOUT ROWID;

-- The pull request whose event a run is of, and whether its commit is a fork's.
ALTER TABLE run ADD COLUMN pull_request INTEGER;
ALTER TABLE run ADD COLUMN is_fork INTEGER NOT NULL DEFAULT 0;
",
    "
-- Whether its push policies want the run before others.
ALTER TABLE run ADD COLUMN is_prioritized INTEGER NOT NULL DEFAULT 0;

-- What commits are still to be told on GitHub.
CREATE TABLE commit_status (
    repository TEXT NOT NULL,
    commit_id  TEXT NOT NULL,
    stack      TEXT NOT NULL,
    is_failure INTEGER NOT NULL,
    text       TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (repository, commit_id, stack)
) STRICT, WITHOUT ROWID;
",
    "
-- Contexts and roles are found without a look at all objects.
CREATE INDEX equipment ON object (kind, stack_id)
    WHERE kind IN ('spacelift_context', 'spacelift_context_attachment',
                   'spacelift_role', 'spacelift_role_attachment');
",
    "
-- Whether nothing was to be done: the stack stands as its run before has left it.
ALTER TABLE run ADD COLUMN passed_over INTEGER NOT NULL DEFAULT 0;
DROP INDEX run_blocking;
CREATE INDEX run_blocking ON run (stack, id, kind)
    WHERE kind IN ('TRACKED', 'DESTROY') AND passed_over = 0;
",
    "
-- The outputs that nobody may read. Nothing is printed of this column.
ALTER TABLE stack ADD COLUMN sensitive_outputs TEXT;
",
    "
-- From here on an object's origin and depends_on may tell addresses from the module around on.
",
    "
-- The document compressed (zlib): what is asked of all stacks is long, and of each nearly the same. Then
-- the other column is empty.
ALTER TABLE policy_input ADD COLUMN packed BLOB;
",
    "
-- The calls that lead to objects, once for all objects of a module.
CREATE TABLE calls (
    number      INTEGER PRIMARY KEY,
    calls       TEXT NOT NULL,
    -- The file of the environment among them.
    environment TEXT
) STRICT;
INSERT INTO calls (calls, environment)
    SELECT json_extract(origin, '$.calls'), environment FROM object GROUP BY 1 ORDER BY min(rowid);

-- What tells which rows an index holds comes first. The phases are told apart one by one, as SQLite makes a
-- table of what IN lists for each row that is written.
ALTER TABLE object RENAME TO object_before;
CREATE TABLE object (
    kind       TEXT NOT NULL,
    phase      TEXT NOT NULL CHECK (phase = 'active' OR phase = 'deleting' OR phase = 'orphaned'),
    calls      INTEGER NOT NULL,
    id         TEXT NOT NULL,
    -- The stack that it is or belongs to.
    stack_id   TEXT NOT NULL,
    address    TEXT NOT NULL,
    name       TEXT NOT NULL,
    -- Where its block stands.
    file       TEXT NOT NULL,
    line       INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    depends_on TEXT NOT NULL,
    -- The attributes that hold what the repository's files make sensitive.
    sensitive  TEXT NOT NULL
) STRICT;
INSERT INTO object (rowid, kind, phase, calls, id, stack_id, address, name, file, line, attributes,
                    depends_on, sensitive)
    SELECT object_before.rowid, kind, phase, calls.number, id, stack_id, address, name,
           json_extract(origin, '$.file'), json_extract(origin, '$.line'), attributes, depends_on,
           sensitive
    FROM object_before JOIN calls ON calls.calls = json_extract(origin, '$.calls')
    ORDER BY object_before.rowid;
DROP TABLE object_before;

CREATE INDEX calls_of_environment ON calls (environment, calls);
-- While the stacks of one name leave, another object may stand at their address.
CREATE UNIQUE INDEX active_object ON object (address) WHERE phase = 'active';
CREATE INDEX object_by_id ON object (id);
CREATE INDEX object_of_stack ON object (stack_id);
CREATE INDEX object_of_calls ON object (calls);
CREATE INDEX object_on_its_way_out ON object (kind) WHERE phase != 'active';
CREATE INDEX stack_or_policy ON object (kind)
    WHERE kind IN ('spacelift_stack', 'spacelift_policy');
CREATE INDEX dependency ON object (kind) WHERE kind IN
    ('spacelift_stack_dependency', 'spacelift_stack_dependency_reference');
CREATE INDEX scheduled_deletion ON object (calls)
    WHERE kind = 'spacelift_scheduled_delete_stack';
-- How all stacks stand, and in how many environments, is told from an index alone.
CREATE INDEX standing ON object (id, phase, kind, calls,
                                 json_extract(attributes, '$.repository'),
                                 json_extract(attributes, '$.branch'))
    WHERE kind = 'spacelift_stack';
-- Contexts and roles are found without a look at all objects.
CREATE INDEX equipment ON object (kind, stack_id)
    WHERE kind = 'spacelift_context' OR kind = 'spacelift_context_attachment'
          OR kind = 'spacelift_role' OR kind = 'spacelift_role_attachment';

-- Calls go with the last object that they lead to.
CREATE TRIGGER calls_lead_nowhere AFTER DELETE ON object
    WHEN NOT EXISTS (SELECT 1 FROM object WHERE calls = OLD.calls)
    BEGIN DELETE FROM calls WHERE number = OLD.calls; END;
CREATE TRIGGER calls_lead_elsewhere AFTER UPDATE OF calls ON object
    WHEN NOT EXISTS (SELECT 1 FROM object WHERE calls = OLD.calls)
    BEGIN DELETE FROM calls WHERE number = OLD.calls; END;
",
];

fn version(connection: &Connection) -> Result<u32, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether there is a store already, and steps are missing.
pub(super) fn is_older(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let version = usize::try_from(version(connection)?);
    Ok(version.is_ok_and(|version| version > 0 && version < STEPS.len()))
}

/// Runs the steps that are missing; gives the version if it is newer than this program.
pub(super) fn run(connection: &mut Connection) -> Result<Option<u32>, rusqlite::Error> {
    // Nothing is written, nor waited for, where no step is missing.
    if usize::try_from(version(connection)?) == Ok(STEPS.len()) {
        return Ok(None);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > STEPS.len() {
        return Ok(Some(found));
    }
    for step in &STEPS[done..] {
        transaction.execute_batch(step)?;
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {}", STEPS.len()))?;
    transaction.commit()?;
    Ok(None)
}

#[cfg(test)]
mod tests;
