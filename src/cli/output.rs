//! The only place that writes to the terminal: data to stdout, talk to stderr.

use std::io::Write;

use owo_colors::OwoColorize;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use super::actions::{annotation, defused, defused_json};
use super::count::counted;
use super::escape::{escaped, escaped_but_colours};
use super::problems;
use crate::config;
use crate::error::Error;
use crate::problem::{Problem, Severity};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For machines: one JSON document.
    Json,
    /// For CIs: the outcome of tests, in XML.
    #[value(hide = true)]
    Junit,
}

pub(super) struct Output {
    format: Format,
    /// Whether a runner reads along that takes some lines for commands.
    is_read_by_runner: bool,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            is_read_by_runner: config::is_github_actions(),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    pub(super) fn is_junit(&self) -> bool {
        self.format == Format::Junit
    }

    /// A line of data. A reader that went away is no failure of ours.
    pub(super) fn data(&self, text: impl std::fmt::Display) {
        let text = self.harmless(text.to_string());
        let _ = writeln!(anstream::stdout(), "{text}");
    }

    /// Bytes of data as they are.
    pub(super) fn bytes(&self, bytes: &[u8]) {
        if self.is_read_by_runner {
            let text = self.harmless(String::from_utf8_lossy(bytes).into_owned());
            let _ = std::io::stdout().write_all(text.as_bytes());
        } else {
            let _ = std::io::stdout().write_all(bytes);
        }
        let _ = std::io::stdout().flush();
    }

    /// The data as one JSON document.
    pub(super) fn json<T: Serialize>(&self, value: &T) {
        match serde_json::to_string_pretty(value) {
            Ok(text) if self.is_read_by_runner => self.data(defused_json(&text)),
            Ok(text) => self.data(text),
            Err(error) => self.talk(error),
        }
    }

    /// One of many JSON documents, on a line of its own.
    pub(super) fn json_line<T: Serialize>(&self, value: &T) {
        match serde_json::to_string(value) {
            Ok(text) if self.is_read_by_runner => self.data(defused_json(&text)),
            Ok(text) => self.data(text),
            Err(error) => self.talk(error),
        }
    }

    /// Whether nobody can read what goes to stdout any more: a stream must end then.
    pub(super) fn is_closed(&self) -> bool {
        let stdout = std::io::stdout();
        let mut end = [PollFd::new(&stdout, PollFlags::empty())];
        let now = Timespec::default();
        poll(&mut end, Some(&now)).is_ok_and(|ready| {
            ready > 0
                && end[0]
                    .revents()
                    .intersects(PollFlags::ERR | PollFlags::NVAL)
        })
    }

    /// How many columns the terminal has that data goes to; `None` if it goes elsewhere.
    pub(super) fn width(&self) -> Option<usize> {
        let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
        Some(width.0.into())
    }

    /// A line of talk. Of control characters it may hold colours, and line ends before it.
    pub(super) fn talk(&self, text: impl std::fmt::Display) {
        let line = self.harmless(escaped_but_colours(&text.to_string()));
        let _ = writeln!(anstream::stderr(), "{line}");
    }

    /// What the parser of the command line says: the help, or what is wrong with a call.
    pub(super) fn parser(&self, error: &clap::Error) {
        let text = self.harmless(error.render().ansi().to_string());
        let _ = if error.use_stderr() {
            write!(anstream::stderr(), "{text}")
        } else {
            write!(anstream::stdout(), "{text}")
        };
    }

    fn harmless(&self, text: String) -> String {
        if self.is_read_by_runner {
            defused(&text)
        } else {
            text
        }
    }

    pub(super) fn error(&self, error: &Error) {
        self.talk(format_args!(
            "{} {}",
            "error:".red().bold(),
            escaped(&error.message())
        ));
        for cause in error.causes() {
            self.talk(format_args!(
                "  {} {}",
                "caused by:".dimmed(),
                escaped(&cause)
            ));
        }
        if let Some(hint) = &error.hint {
            self.hint(hint);
        }
    }

    /// All of the problems; of many alike a few, and how many there are.
    pub(super) fn problems<'a>(&self, problems: impl IntoIterator<Item = &'a Problem>) {
        for shown in problems::shown(problems) {
            self.problem(shown.problem);
            if shown.left_out > 0 {
                let others = counted(shown.left_out, "other problem");
                self.talk(format_args!(
                    "  and {others} like this; `--output json` lists all"
                ));
            }
        }
    }

    pub(super) fn problem(&self, problem: &Problem) {
        if self.is_read_by_runner {
            // The log shows the message of a command, but not its place.
            let _ = writeln!(anstream::stderr(), "{}", annotation(problem));
            if let Some(place) = problem.place() {
                self.talk(format_args!("{} {}", "-->".blue(), escaped(&place)));
            }
        } else {
            let word = match problem.severity {
                Severity::Error => "error:".red().bold().to_string(),
                Severity::Warning => "warning:".yellow().bold().to_string(),
            };
            self.talk(format_args!("{word} {}", escaped(&problem.to_string())));
        }
        for line in problems::excerpt(problem) {
            self.talk(format_args!("  {line}"));
        }
        if let Some(hint) = problem.hint.as_ref().filter(|_| !self.is_read_by_runner) {
            self.hint(hint);
            let block = problem.excerpt.as_ref().and_then(|it| it.block.as_ref());
            for line in block.iter().flat_map(|text| text.lines()) {
                self.talk(format_args!("    {}", escaped(line)));
            }
        }
    }

    /// What went wrong beside what was asked for, and what to do about it.
    pub(super) fn warning(&self, error: &dyn std::error::Error, hint: Option<&str>) {
        self.talk(format_args!(
            "{} {}",
            "warning:".yellow().bold(),
            escaped(&error.to_string())
        ));
        if let Some(hint) = hint {
            self.hint(hint);
        }
    }

    fn hint(&self, hint: &str) {
        self.talk(format_args!("  {} {}", "hint:".cyan(), escaped(hint)));
    }
}
