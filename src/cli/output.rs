//! The only place that writes to the terminal: data to stdout, talk to stderr.

use std::io::Write;

use owo_colors::OwoColorize;
use serde::Serialize;

use crate::error::Error;
use crate::problem::{Problem, Severity};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For machines: one JSON document.
    Json,
}

pub(super) struct Output {
    format: Format,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        Self { format }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// A line of data. A reader that went away is no failure of ours.
    pub(super) fn data(&self, text: impl std::fmt::Display) {
        let _ = writeln!(anstream::stdout(), "{text}");
    }

    /// Bytes of data as they are.
    pub(super) fn bytes(&self, bytes: &[u8]) {
        let _ = std::io::stdout().write_all(bytes);
    }

    /// The data as one JSON document.
    pub(super) fn json<T: Serialize>(&self, value: &T) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.data(text),
            Err(error) => self.talk(error),
        }
    }

    /// A line of talk.
    pub(super) fn talk(&self, text: impl std::fmt::Display) {
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    pub(super) fn error(&self, error: &Error) {
        self.talk(format_args!(
            "{} {}",
            "error:".red().bold(),
            error.message()
        ));
        for cause in error.causes() {
            self.talk(format_args!("  {} {cause}", "caused by:".dimmed()));
        }
        if let Some(hint) = &error.hint {
            self.talk(format_args!("  {} {hint}", "hint:".cyan()));
        }
    }

    pub(super) fn problem(&self, problem: &Problem) {
        match problem.severity {
            Severity::Error => self.talk(format_args!("{} {problem}", "error:".red().bold())),
            Severity::Warning => {
                self.talk(format_args!("{} {problem}", "warning:".yellow().bold()))
            }
        }
        if let Some(hint) = &problem.hint {
            self.talk(format_args!("  {} {hint}", "hint:".cyan()));
        }
    }
}
