//! Test targets without libtest's harness: their one line of result is always seen.

use std::any::Any;

/// Whether a target of this name is to run, by the arguments that `cargo test` passes on; lists it where
/// that is asked for.
#[expect(clippy::print_stdout, reason = "whoever asks reads it there")]
pub(crate) fn is_asked_for(name: &str) -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("{name}: test");
        return false;
    }
    let mut filters = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    filters.peek().is_none() || filters.any(|filter| name.contains(filter.as_str()))
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}
