//! `dayfly env explain`: the decision about an event, and the rules that made it.

use super::arguments::{Cache, ManagerArgs};
use super::env::tell;
use super::escape::escaped;
use super::event::EventArgs;
use super::output::Output;
use super::table::table;
use super::{DONE, Ended};
use crate::environment::{Judged, Verdict};
use crate::github::Access;
use crate::manager;

/// Tell what an event would do and which rule decides it; nothing is done
///
/// Takes the same event as `dayfly event`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manager: ManagerArgs,

    #[command(flatten)]
    event: EventArgs,
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let (wish, note) = args.event.wish(args.manager.address(), output)?;
    let cache = Cache::new()?;
    let manager = args.manager.manager(Access::Read)?;
    let mut explanation = manager::explain(&manager, &wish, &cache.repository)?;
    explanation.outcome.add_reason(note);
    if output.is_json() {
        output.json(&explanation);
        return Ok(DONE);
    }
    let outcome = &explanation.outcome;
    tell(outcome, output);
    let named = [
        ("service", &outcome.service),
        ("environment", &outcome.environment),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            output.data(format_args!("  {name}: {}", escaped(value)));
        }
    }
    if !explanation.rules.is_empty() {
        let rows: Vec<[String; 4]> = explanation.rules.iter().map(row).collect();
        output.data("");
        output.data(table(None, ["RULE", "VALUE", "VERDICT", "REASON"], &rows));
    }
    Ok(DONE)
}

fn row(judged: &Judged) -> [String; 4] {
    let verdict = match judged.verdict {
        Verdict::Passes => "passes",
        Verdict::Refuses => "refuses",
        Verdict::Ignores => "ignores",
        Verdict::NotAsked => "not asked",
    };
    [
        judged.rule.to_owned(),
        judged.value.to_string(),
        verdict.to_owned(),
        judged.reason.clone().unwrap_or_default(),
    ]
}
