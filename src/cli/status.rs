//! `dayfly status`: the stacks that stand, and what their last runs came to.

use std::collections::BTreeMap;

use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::{Value, json};

use super::arguments::DataArgs;
use super::escape::escaped;
use super::output::Output;
use super::table::table;
use super::{DONE, Ended, FAILED};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::run::RunState;
use crate::stack::{Phase, StackId};
use crate::store::{Run, Store};

/// Show the stacks that stand and how they are; fails while one of them fails
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Serialize)]
struct StackStatus {
    id: StackId,
    phase: Phase,
    /// Of the last run; NONE before the first.
    state: String,
    repository: String,
    branch: String,
    commit: Option<String>,
    environment: Option<String>,
    outputs: BTreeMap<String, Value>,
    run: Option<String>,
    note: Option<String>,
    failing_since: Option<Time>,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let directory = args.data.directory()?;
    if !Store::exists(&directory) {
        if output.is_json() {
            output.json(&json!({ "commit": null, "stacks": [] }));
        } else {
            output.talk(format_args!(
                "nothing was applied yet in {}",
                directory.display()
            ));
        }
        return Ok(DONE);
    }
    let store = Store::open(&directory)?;
    let stacks = stacks(&store)?;
    if output.is_json() {
        output.json(&json!({ "commit": store.last_commit()?, "stacks": stacks }));
    } else {
        tell(&stacks, output);
    }
    let fails = stacks.iter().any(|stack| stack.failing_since.is_some());
    Ok(if fails { FAILED } else { DONE })
}

fn stacks(store: &Store) -> Result<Vec<StackStatus>, Error> {
    let mut records = store.stacks()?;
    let mut last_runs: BTreeMap<StackId, Run> = store
        .last_runs()?
        .into_iter()
        .map(|run| (run.stack.clone(), run))
        .collect();
    let mut stacks = Vec::new();
    for object in store
        .objects()?
        .into_iter()
        .filter(crate::stack::Object::is_stack)
    {
        let id = StackId::new(object.id());
        let record = records.remove(&id).unwrap_or_default();
        let run = last_runs.remove(&id);
        let failed = run
            .as_ref()
            .is_some_and(|run| run.state == RunState::Failed);
        stacks.push(StackStatus {
            phase: object.phase,
            state: run
                .as_ref()
                .map_or("NONE", |run| run.state.as_str())
                .to_owned(),
            repository: object.text("repository").to_owned(),
            branch: object.text("branch").to_owned(),
            commit: record.tracked_commit,
            environment: object.origin.environment().map(|call| call.address.clone()),
            outputs: record.outputs,
            note: run.as_ref().and_then(|run| run.note.clone()),
            run: run.map(|run| run.id.to_string()),
            failing_since: if failed {
                store.failing_since(&id)?
            } else {
                None
            },
            id,
        });
    }
    stacks.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(stacks)
}

fn tell(stacks: &[StackStatus], output: &Output) {
    if stacks.is_empty() {
        output.data("no stacks");
        return;
    }
    let rows: Vec<[String; 5]> = stacks
        .iter()
        .map(|stack| {
            let phase = match stack.phase {
                Phase::Active => String::new(),
                Phase::Deleting => " (deleting)".to_owned(),
                Phase::Orphaned => " (orphaned)".to_owned(),
            };
            let commit = stack.commit.clone().unwrap_or_default();
            [
                stack.id.to_string(),
                format!("{}{phase}", stack.state),
                stack.run.clone().unwrap_or_default(),
                format!("{}@{}", stack.repository, stack.branch),
                commit.get(..8).unwrap_or(&commit).to_owned(),
            ]
        })
        .collect();
    output.data(table(
        output.width(),
        ["STACK", "STATE", "RUN", "BRANCH", "COMMIT"],
        &rows,
    ));
    for stack in stacks {
        if let Some(since) = stack.failing_since {
            let age = clock::age(since);
            let note = stack.note.clone().unwrap_or_default();
            output.data(format_args!(
                "{} {} for {age}: {}",
                stack.id,
                "fails".red().bold(),
                escaped(&note)
            ));
        }
    }
}
