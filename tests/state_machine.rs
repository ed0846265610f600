//! The drawing of the state machine in ARCHITECTURE.md is that of the code.
//!
//! `DRAW=1 cargo test --test state_machine` draws it anew.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may read the environment, and stops where something is not as told"
)]

use std::fmt::Write;
use std::fs;

use dayfly::run::{RunEvent, RunState, RunType, transition};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md");
const BEGIN: &str = "<!-- drawn from src/run: DRAW=1 cargo test --test state_machine -->\n";
const END: &str = "<!-- end of what is drawn -->\n";

/// What can happen to every run that has not ended; told in words, for it would hide the rest.
const EVERYWHERE: [RunEvent; 2] = [RunEvent::Fail, RunEvent::Interrupt];

/// `MakeReady` as `make ready`.
fn words(event: RunEvent) -> String {
    let mut words = String::new();
    for letter in format!("{event:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// The ways of one type of run, as a diagram.
fn diagram(kind: RunType) -> String {
    let mut lines = "```mermaid\nstateDiagram-v2\n    [*] --> QUEUED\n".to_owned();
    let mut reached = vec![RunState::Queued];
    let mut next = 0;
    while let Some(&state) = reached.get(next) {
        next += 1;
        if state.is_terminal() {
            let _ = writeln!(lines, "    {state} --> [*]");
        }
        for event in RunEvent::ALL {
            let Ok(to) = transition(kind, state, event) else {
                continue;
            };
            if EVERYWHERE.contains(&event) {
                continue;
            }
            if !reached.contains(&to) {
                reached.push(to);
            }
            let _ = writeln!(lines, "    {state} --> {to} : {}", words(event));
        }
    }
    lines + "```\n"
}

fn drawing() -> String {
    let mut drawing = BEGIN.to_owned();
    for kind in [RunType::Tracked, RunType::Proposed, RunType::Destroy] {
        let _ = write!(drawing, "\n{kind}:\n\n{}", diagram(kind));
    }
    let interrupted: Vec<&str> = RunState::ALL
        .into_iter()
        .filter(|state| {
            RunType::ALL
                .iter()
                .any(|kind| transition(*kind, *state, RunEvent::Interrupt).is_ok())
        })
        .map(RunState::as_str)
        .collect();
    let _ = writeln!(
        drawing,
        "\nWhat has not ended can also fail, to FAILED; and be interrupted, to FAILED, in {}.\n",
        interrupted.join(", ")
    );
    drawing + END
}

#[test]
fn drawing_is_that_of_the_code() {
    let text = fs::read_to_string(FILE).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let drawn = format!("{before}{}{after}", drawing());
    if std::env::var_os("DRAW").is_some() {
        fs::write(FILE, &drawn).unwrap();
    }
    assert!(
        drawn == text,
        "ARCHITECTURE.md draws another machine; `DRAW=1 cargo test --test state_machine` draws:\n{}",
        drawing()
    );
}

#[test]
fn every_state_is_reached_and_left() {
    for state in RunState::ALL {
        let is_reached = state == RunState::Queued
            || RunType::ALL.iter().any(|kind| {
                RunState::ALL.iter().any(|from| {
                    RunEvent::ALL
                        .iter()
                        .any(|event| transition(*kind, *from, *event) == Ok(state))
                })
            });
        assert!(is_reached, "nothing leads to {state}");
        let is_left = RunType::ALL.iter().any(|kind| {
            RunEvent::ALL
                .iter()
                .any(|event| transition(*kind, state, *event).is_ok())
        });
        assert_eq!(is_left, !state.is_terminal(), "{state}");
    }
}
