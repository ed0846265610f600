//! `dayfly status`: the stacks that stand, what their last runs came to, and what waits for a person.

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::arguments::DataArgs;
use super::escape::escaped;
use super::output::Output;
use super::table::table;
use super::{DONE, Ended, FAILED};
use crate::clock;
use crate::run::{Command, INTERRUPTED, RunState};
use crate::stack::Phase;
use crate::store::{Standing, Store, StoreError};

/// Show the stacks that stand and how they are; fails while one of them fails
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    data: DataArgs,
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
    let stacks = store.standings()?;
    if output.is_json() {
        let stacks: Result<Vec<Value>, StoreError> = stacks
            .iter()
            .map(|stack| described(stack, &store))
            .collect();
        let stacks = stacks?;
        output.json(&json!({ "commit": store.last_commit()?, "stacks": stacks }));
    } else {
        tell(&stacks, &store, output)?;
    }
    let fails = stacks.iter().any(|stack| stack.failing_since.is_some());
    Ok(if fails { FAILED } else { DONE })
}

/// The state of the stack's last run; NONE before the first.
fn state(stack: &Standing) -> &str {
    stack.run.as_ref().map_or("NONE", |run| run.state.as_str())
}

fn described(stack: &Standing, store: &Store) -> Result<Value, StoreError> {
    let mut described = json!(stack);
    described["environment"] = json!(store.call_of(stack)?);
    described["outputs"] = json!(store.outputs_of(&stack.id)?);
    described["state"] = json!(state(stack));
    described["run"] = json!(stack.run.as_ref().map(|run| &run.id));
    described["note"] = json!(stack.run.as_ref().and_then(|run| run.note.as_deref()));
    if stack.phase == Phase::Orphaned {
        described["orphaned_since"] = json!(store.orphaned_since(&stack.id)?);
    }
    Ok(described)
}

fn tell(stacks: &[Standing], store: &Store, output: &Output) -> Result<(), StoreError> {
    if stacks.is_empty() {
        output.data("no stacks");
        return Ok(());
    }
    let rows: Vec<[String; 5]> = stacks
        .iter()
        .map(|stack| {
            let phase = match stack.phase {
                Phase::Active => "",
                Phase::Deleting => " (deleting)",
                Phase::Orphaned => " (orphaned)",
            };
            let commit = stack.commit.as_deref().unwrap_or_default();
            let run = stack.run.as_ref().map(|run| run.id.to_string());
            [
                stack.id.to_string(),
                format!("{}{phase}", state(stack)),
                run.unwrap_or_default(),
                format!("{}@{}", stack.repository, stack.branch),
                commit.get(..8).unwrap_or(commit).to_owned(),
            ]
        })
        .collect();
    output.data(table(
        output.width(),
        ["STACK", "STATE", "RUN", "BRANCH", "COMMIT"],
        &rows,
    ));
    for stack in stacks {
        for line in news(stack, store)? {
            output.data(format_args!("{} {line}", escaped(stack.id.as_str())));
        }
    }
    Ok(())
}

/// What somebody should know of the stack, or decide about it; a line each.
fn news(stack: &Standing, store: &Store) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    let note = stack.run.as_ref().and_then(|run| run.note.as_deref());
    let note = escaped(note.unwrap_or_default());
    if let Some(since) = stack.failing_since {
        let age = clock::age(since);
        lines.push(format!("{} for {age}: {note}", "fails".red().bold()));
    } else if note == INTERRUPTED {
        let line = "was interrupted: the next `dayfly apply` looks at it anew";
        lines.push(line.to_owned());
    } else if let Some(run) = &stack.run {
        if run.state.waits_for_a_person() {
            let words = Command::possible(run.kind, run.state).into_iter();
            let commands: Vec<String> = words
                .map(|command| format!("`dayfly runs {} {}`", command.as_str(), run.id))
                .collect();
            lines.push(format!("{note}: {}", commands.join(" or ").yellow()));
        } else if run.state == RunState::Skipped {
            lines.push(format!("was skipped: {note}"));
        } else if run.state == RunState::Queued && !note.is_empty() && stack.lock.is_none() {
            lines.push(note.to_string());
        }
    }
    if let Some(lock) = &stack.lock {
        let lock = lock.to_string();
        lines.push(format!("is {}", escaped(&lock)));
    }
    if stack.phase == Phase::Orphaned {
        let id = escaped(stack.id.as_str());
        let choice = format!("`dayfly stack destroy {id}`, or `dayfly stack forget {id} --yes`");
        let since = store.orphaned_since(&stack.id)?;
        let age = since.map_or_else(String::new, |since| format!(" for {}", clock::age(since)));
        lines.push(format!("is orphaned{age}, decide: {}", choice.yellow()));
    }
    Ok(lines)
}
