//! The log of a run: all that its steps print, as it comes, without secrets.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::in_flight::InFlight;
use super::reason;
use super::redact::{Redactor, Secrets};

/// Enough for the first error of a tool, with what it quotes.
const ERROR_LIMIT: usize = 16 * 1024;
const LAST_LINES: usize = 8;
const LINE_LIMIT: usize = 4 * 1024;

/// The log file, and what the current step printed so far.
pub(super) struct RunLog {
    file: File,
    path: PathBuf,
    secrets: Secrets,
    stream: Redactor,
    heard: Heard,
    failure: Option<io::Error>,
}

/// What is remembered of a step's output, redacted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    line: Vec<u8>,
    /// From the first line on that tells an error.
    pub(super) error: String,
    /// The last lines that are not empty.
    pub(super) last: VecDeque<String>,
    pub(super) in_flight: InFlight,
}

/// Where the current step of the run with this log says what it says, before it is redacted.
pub fn said(log: &Path) -> PathBuf {
    log.with_extension("said")
}

/// Begins the log of a run with a word of dayfly's own.
pub fn foreword(log: &Path, words: &str) -> io::Result<()> {
    RunLog::open(log, Secrets::new(&[])).map(|mut log| log.begin("dayfly", words))
}

impl RunLog {
    /// Appends to the file; only its owner can read it.
    pub(super) fn open(path: &Path, secrets: Secrets) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            secrets,
            stream: Redactor::default(),
            heard: Heard::default(),
            failure: None,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Begins a step with a line that names it.
    pub(super) fn begin(&mut self, step: &str, command: &str) {
        let title = self.secrets.redact(&format!("== {step}: {command}\n"));
        self.store(title.as_bytes());
    }

    /// A disk error is kept for [`RunLog::end`]: a tool that is at work is not stopped for it.
    pub(super) fn write(&mut self, chunk: &[u8]) {
        let clean = self.stream.pass(&self.secrets, chunk);
        self.heard.hear(&clean);
        self.store(&clean);
    }

    /// Ends the step: what was heard of it, or why the log could not be written.
    pub(super) fn end(&mut self) -> io::Result<Heard> {
        let mut rest = self.stream.end(&self.secrets);
        self.heard.hear(&rest);
        if !self.heard.line.is_empty() {
            rest.push(b'\n');
            self.heard.hear(b"\n");
        }
        self.store(&rest);
        let heard = std::mem::take(&mut self.heard);
        self.failure.take().map_or(Ok(heard), Err)
    }

    fn store(&mut self, clean: &[u8]) {
        if let (None, Err(error)) = (&self.failure, self.file.write_all(clean)) {
            self.failure = Some(error);
        }
    }
}

impl Heard {
    fn hear(&mut self, clean: &[u8]) {
        for byte in clean {
            if *byte != b'\n' {
                if self.line.len() < LINE_LIMIT {
                    self.line.push(*byte);
                }
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            self.in_flight.hear(&line);
            let in_error = !self.error.is_empty() || reason::begins_error(&line);
            if in_error && self.error.len() < ERROR_LIMIT {
                self.error.push_str(&line);
                self.error.push('\n');
            }
            if !line.trim().is_empty() {
                self.last.push_back(line);
            }
            if self.last.len() > LAST_LINES {
                self.last.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::RunLog;
    use crate::runner::redact::Secrets;

    #[test]
    fn steps_are_named_and_what_they_say_is_heard() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("runs/1/log");
        let mut log = RunLog::open(&path, Secrets::new(&["topsecret".to_owned()])).unwrap();
        log.begin("plan", "terraform plan -var=topsecret");
        log.write(b"reading tops");
        assert!(!fs::read_to_string(&path).unwrap().contains("tops\n"));
        log.write(b"ecret\nError: a\nb tops");
        let heard = log.end().unwrap();
        assert_eq!(heard.error, "Error: a\nb tops\n");
        assert_eq!(heard.last, ["reading ****", "Error: a", "b tops"]);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "== plan: terraform plan -var=****\nreading ****\nError: a\nb tops\n"
        );
    }
}
