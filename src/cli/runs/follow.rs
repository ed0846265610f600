//! `dayfly runs --follow`: the states of runs as they come, whoever executes them.

use std::path::Path;
use std::time::Duration;

use super::super::escape::escaped;
use super::super::output::Output;
use super::super::{DONE, Ended};
use crate::stack::StackId;
use crate::store::{Move, Store};

const LOOK: Duration = Duration::from_millis(200);

/// Ends when its reader has gone, or when the program is interrupted.
pub(super) fn run(directory: &Path, stack: Option<&StackId>, output: &Output) -> Ended {
    while !Store::exists(directory) {
        if output.is_closed() {
            return Ok(DONE);
        }
        std::thread::sleep(LOOK);
    }
    let store = Store::open(directory)?;
    let mut last = store.last_move()?;
    loop {
        for moved in store.moves_after(last)? {
            last = moved.number;
            if stack.is_none_or(|stack| moved.run.stack == *stack) {
                tell(&moved, output);
            }
        }
        if output.is_closed() {
            return Ok(DONE);
        }
        std::thread::sleep(LOOK);
    }
}

fn tell(moved: &Move, output: &Output) {
    if output.is_json() {
        output.json_line(moved);
        return;
    }
    let run = &moved.run;
    // The note is that of the run's present state.
    let note = run.note.as_deref().filter(|_| moved.state == run.state);
    let note = note.map(|note| format!("  {}", escaped(note)));
    output.data(format_args!(
        "{}  run {}  {}  {}  {}{}",
        moved.at,
        run.id,
        escaped(run.stack.as_str()),
        run.kind,
        moved.state,
        note.unwrap_or_default()
    ));
}
