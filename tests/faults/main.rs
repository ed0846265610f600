//! Whatever breaks: a fault at each step of an environment's life, and the next `dayfly apply` comes to
//! the end that it would have come to without it.
//!
//! Real Git over HTTP, real Terraform (`TERRAFORM=tofu` for OpenTofu), whose resources keep a ledger.
//! `SHARE=n/m` tries every m-th point only, from the n-th on; `ONLY=TEXT` those that are called so; `LIST=1` tells how all are called.

#![allow(
    clippy::unwrap_used,
    reason = "a fault is not survived where something is not as told"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it starts the tools that users start, and prints what came of it"
)]

#[path = "../stories/support/mod.rs"]
mod support;

#[path = "../support/shim.rs"]
mod shim;

mod fault;
mod house;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fault::Fault;
use house::{House, Stage};

const WORKERS: usize = 6;
/// So many, at least, must have been survived.
const ENOUGH: usize = 60;

fn main() {
    if !support::is_asked_for("faults") {
        return;
    }
    let began = Instant::now();
    // Each failure is told with its point, below.
    std::panic::set_hook(Box::new(|_| {}));
    let first = House::new();
    let all = fault::all(&first);
    let (share, is_whole) = chosen(all);
    let count = share.len();
    if std::env::var_os("LIST").is_some() {
        for (stage, fault) in share {
            println!("{stage}: {fault}");
        }
        return;
    }
    let waiting = Mutex::new(VecDeque::from(share));
    let lost = Mutex::new(Vec::new());
    let times = Mutex::new(Vec::new());
    let work = |house: House| {
        loop {
            let Some((stage, fault)) = waiting.lock().unwrap().pop_front() else {
                break;
            };
            let began = Instant::now();
            let survived = catch_unwind(AssertUnwindSafe(|| fault.survive(&house, stage)));
            let name = format!("{stage}: {fault}");
            if let Err(panic) = survived {
                let said = support::said(&*panic);
                println!("not survived: {name}: {said}");
                lost.lock().unwrap().push(name.clone());
            }
            times.lock().unwrap().push((began.elapsed(), name));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(first));
        // More than there are cores: much of it is waiting.
        for _ in 1..WORKERS {
            scope.spawn(|| work(House::new()));
        }
    });
    let lost = lost.into_inner().unwrap();
    let mut times: Vec<(Duration, String)> = times.into_inner().unwrap();
    times.sort();
    if let Some((time, name)) = times.last() {
        println!("the longest took {:.1} s: {name}", time.as_secs_f64());
    }
    println!(
        "faults survived {} of {count} ({:.0} s)",
        count - lost.len(),
        began.elapsed().as_secs_f64()
    );
    assert!(lost.is_empty() && (count >= ENOUGH || !is_whole));
}

/// Those of all that this run tries, and whether it tries all.
fn chosen(all: Vec<(Stage, Fault)>) -> (Vec<(Stage, Fault)>, bool) {
    let setting = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (only, share) = (setting("ONLY"), setting("SHARE"));
    let is_whole = only.is_none() && share.is_none();
    let (from, step) = share.map_or((1, 1), |share| {
        let (from, step) = share.split_once('/').expect("SHARE=n/m");
        (from.parse().unwrap(), step.parse().unwrap())
    });
    let only = only.unwrap_or_default();
    let called = all
        .into_iter()
        .filter(|(stage, fault)| format!("{stage}: {fault}").contains(&only));
    let chosen = called.skip(from - 1).step_by(step);
    (chosen.collect(), is_whole)
}
