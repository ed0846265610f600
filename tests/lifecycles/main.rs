//! A thousand lives of environments, by chance: opened, pushed to, closed, opened again, their infra
//! repository pushed to, and dayfly or its tool killed somewhere. None is left behind, comes back, or is
//! made twice.
//!
//! `SEED` is where chance begins, `COUNT` how many lives there are.

#![allow(
    clippy::unwrap_used,
    reason = "a life stops where something is not as told"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it starts the tools that users start, is one of them, and prints what came of it"
)]

#[path = "../stories/support/mod.rs"]
mod support;

#[path = "../support/shim.rs"]
mod shim;

mod fake;
mod town;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use town::Town;

/// Towns side by side, each with a manager repository and a data directory of its own.
const TOWNS: u64 = 2;

fn main() {
    let program = std::env::args().next().unwrap_or_default();
    if Path::new(&program)
        .file_name()
        .is_some_and(|name| name == "terraform")
    {
        std::process::exit(fake::run());
    }
    if !support::is_asked_for("lifecycles") {
        return;
    }
    let number = |name: &str, default: u64| {
        let text = std::env::var(name).ok().filter(|text| !text.is_empty());
        text.map_or(default, |text| text.parse().unwrap())
    };
    let (seed, count) = (number("SEED", 1), number("COUNT", 1000));
    let began = Instant::now();
    let lived: u64 = std::thread::scope(|scope| {
        let towns: Vec<_> = (0..TOWNS)
            .map(|town| {
                let share = count / TOWNS + u64::from(town < count % TOWNS);
                scope.spawn(move || live(seed + town, share))
            })
            .collect();
        towns.into_iter().map(|town| town.join().unwrap()).sum()
    });
    println!(
        "lifecycles {lived} of {count} ({} s)",
        began.elapsed().as_secs()
    );
    assert_eq!(lived, count);
}

/// Gives how many lives came to their end as they should.
fn live(seed: u64, count: u64) -> u64 {
    let mut town = Town::new(seed);
    let ended = catch_unwind(AssertUnwindSafe(|| town.live(count)));
    if let Err(panic) = ended {
        println!("seed {seed}: {}", support::said(&*panic));
        println!("the steps up to there:");
        for step in town.steps() {
            println!("  {step}");
        }
        return town.whole();
    }
    println!("seed {seed}: {}", town.summary());
    town.whole()
}
