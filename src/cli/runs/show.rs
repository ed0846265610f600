//! `dayfly runs show`: one run, and what policies said of it.

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::super::arguments::DataArgs;
use super::super::escape::escaped;
use super::super::output::Output;
use super::super::{DONE, Ended};
use crate::run::RunId;
use crate::store::{Judgement, Store, StoreError};

/// Show one run: its states, and which policy said what, over which input
///
/// Of a commit of the manager repository it tells what the policies of the manager's own stack said.
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The run's number, as `dayfly runs` lists it, or a commit of the manager repository
    run: String,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let directory = args.data.directory()?;
    if !Store::exists(&directory) {
        return Err(StoreError::NoRun(args.run).into());
    }
    let store = Store::open(&directory)?;
    let run = match store.run(&RunId::new(&*args.run)) {
        Err(StoreError::NoRun(_)) => return show_commit(&store, &args.run, output),
        run => run?,
    };
    let states = store.history(&run.id)?;
    let judgements = store.judgements(&run.id)?;
    let reviews = store.reviews(&run.id)?;
    let in_flight = store.in_flight(&run.id)?;
    let waits_for = store.external_dependencies(&run.id)?;
    let states: Vec<&str> = states.iter().map(|(state, _)| state.as_str()).collect();
    if output.is_json() {
        output.json(&json!({
            "run": run, "states": states, "judgements": judgements, "reviews": reviews,
            "external_dependencies": waits_for, "in_flight": in_flight,
        }));
        return Ok(DONE);
    }
    for (name, value) in [
        ("run", run.id.to_string()),
        ("stack", run.stack.to_string()),
        ("type", run.kind.to_string()),
        ("commit", run.commit.clone()),
        ("branch", run.branch.clone().unwrap_or_default()),
        ("cause", run.cause.clone()),
        ("states", states.join(" ")),
        ("note", run.note.clone().unwrap_or_default()),
    ] {
        if !value.is_empty() {
            output.data(format_args!("{:7} {}", name.dimmed(), escaped(&value)));
        }
    }
    for doing in &in_flight {
        let cut_off = "in flight".dimmed();
        output.data(format_args!(
            "{cut_off} when it was cut off: {}",
            escaped(doing)
        ));
    }
    for dependency in &waits_for {
        output.data(format_args!(
            "{:7} {}: {}",
            "waits".dimmed(),
            escaped(&dependency.name),
            dependency.status.as_str()
        ));
    }
    for review in &reviews {
        let word = if review.approves {
            "approves"
        } else {
            "rejects"
        };
        let note = match review.note.as_str() {
            "" => String::new(),
            note => format!(": {}", escaped(note)),
        };
        output.data(format_args!(
            "{:7} {} {word} at {}{note}",
            "review".dimmed(),
            escaped(&review.author),
            review.state.as_str()
        ));
    }
    for judgement in &judgements {
        tell(judgement, output);
    }
    Ok(DONE)
}

/// The shortest text that is taken for a commit, as Git abbreviates.
const SHORTEST: usize = 7;

fn show_commit(store: &Store, text: &str, output: &Output) -> Ended {
    let is_commit = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commits = if is_commit {
        store.judged_commits(&text.to_ascii_lowercase())?
    } else {
        Vec::new()
    };
    let [commit] = commits.as_slice() else {
        return Err(StoreError::NoRun(text.to_owned()).into());
    };
    let judgements = store.manager_judgements(commit)?;
    if output.is_json() {
        output.json(&json!({ "commit": commit, "judgements": judgements }));
        return Ok(DONE);
    }
    output.data(format_args!("{:7} {commit}", "commit".dimmed()));
    for judgement in &judgements {
        tell(judgement, output);
    }
    Ok(DONE)
}

fn tell(judgement: &Judgement, output: &Output) {
    output.data(format_args!(
        "{} at {}, input {}",
        judgement.kind.bold(),
        judgement.state,
        judgement.input_digest
    ));
    let list = |name: &str| {
        let list = judgement.verdict.get(name).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    for opinion in list("opinions") {
        let policy = opinion["policy"].as_str().unwrap_or_default();
        let rules = opinion["rules"].as_object().cloned().unwrap_or_default();
        let said: Vec<String> = rules
            .iter()
            .filter(|(_, value)| says_something(value))
            .map(|(rule, value)| format!("{rule}: {value}"))
            .collect();
        let said = if said.is_empty() {
            "nothing".to_owned()
        } else {
            said.join(", ")
        };
        output.data(format_args!("  {}: {}", escaped(policy), escaped(&said)));
    }
    for failure in list("errors") {
        let text = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
        output.data(format_args!(
            "  {}: {} {}",
            escaped(&text("policy")),
            "gave no answer:".red(),
            escaped(&text("message"))
        ));
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(members) => !members.is_empty(),
        _ => true,
    }
}
