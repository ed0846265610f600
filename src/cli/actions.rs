//! What GitHub Actions reads: the outputs of a step, and lines that are commands to it.
//!
//! Branch names, labels and a server's words pass through here. None of them may set an output of
//! its own or command the runner.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::escape::is_control;
use crate::error::{Diagnose, Kind};
use crate::manager::Outcome;
use crate::problem::{Problem, Severity};
use crate::{clock, config};

#[derive(Debug, thiserror::Error)]
#[error("cannot write the outputs of the step to {}", path.display())]
pub(super) struct StepOutputError {
    path: PathBuf,
    source: std::io::Error,
}

impl Diagnose for StepOutputError {
    fn kind(&self) -> Kind {
        Kind::Outside
    }

    fn hint(&self) -> Option<String> {
        Some("what is told above is done; outside of GitHub Actions unset GITHUB_OUTPUT".to_owned())
    }
}

/// Tells the next steps what was done, if a workflow asks for it by `GITHUB_OUTPUT`.
pub(super) fn record(outcome: &Outcome) -> Result<(), StepOutputError> {
    let Some(path) = config::step_output_file() else {
        return Ok(());
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let values = [
        ("action", outcome.action.as_str().to_owned()),
        ("environment", text(&outcome.environment)),
        ("url", text(&outcome.url)),
        ("path", text(&outcome.path)),
        ("commit", text(&outcome.commit)),
        ("reason", text(&outcome.reason)),
    ];
    let entries: String = values
        .iter()
        .map(|(name, value)| entry(name, value, &clock::nonce()))
        .collect();
    append(&path, &entries).map_err(|source| StepOutputError { path, source })
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write the summary of the job to {}", path.display())]
pub(super) struct SummaryError {
    path: PathBuf,
    source: std::io::Error,
}

impl Diagnose for SummaryError {
    fn kind(&self) -> Kind {
        Kind::Outside
    }

    fn hint(&self) -> Option<String> {
        Some("outside of GitHub Actions unset GITHUB_STEP_SUMMARY".to_owned())
    }
}

/// Adds Markdown to the page of the job, if a workflow asks for it by `GITHUB_STEP_SUMMARY`.
pub(super) fn summarize(markdown: &str) -> Result<(), SummaryError> {
    let Some(path) = config::step_summary_file() else {
        return Ok(());
    };
    // A blank line ends the paragraph of an earlier step.
    append(&path, &format!("\n{markdown}")).map_err(|source| SummaryError { path, source })
}

/// `name` with `value`, between lines with a word that nobody could foresee. A value is one line.
fn entry(name: &str, value: &str, nonce: &str) -> String {
    let value: String = value
        .chars()
        .filter(|letter| !is_control(*letter))
        .collect();
    format!("{name}<<{nonce}\n{value}\n{nonce}\n")
}

fn append(path: &Path, entries: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(path)?;
    // Another tool of the step may have left its last line open.
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let line_end = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{line_end}{entries}").as_bytes())
}

/// The runner's command that shows a problem at its line of its file, in the log and in a pull request.
pub(super) fn annotation(problem: &Problem) -> String {
    let command = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = Vec::new();
    if let Some(file) = &problem.file {
        properties.push(format!("file={}", command_property(file)));
        let numbers = [("line", problem.line), ("col", problem.column)];
        let numbers = numbers.into_iter();
        properties.extend(numbers.filter_map(|(name, number)| Some(format!("{name}={}", number?))));
    }
    let space = if properties.is_empty() { "" } else { " " };
    let mut message = problem.message.clone();
    if let Some(hint) = &problem.hint {
        message = format!("{message}\nhint: {hint}");
        let block = problem.excerpt.as_ref().and_then(|it| it.block.as_ref());
        if let Some(block) = block {
            message = format!("{message}\n\n{block}");
        }
    }
    format!(
        "::{command}{space}{}::{}",
        properties.join(","),
        command_data(&message)
    )
}

/// Text as the runner reads the data of a command (`escapeData` of its toolkit).
fn command_data(text: &str) -> String {
    let text = text.replace('%', "%25");
    let text = text.replace('\r', "%0D").replace('\n', "%0A");
    text.chars()
        .map(|letter| {
            if is_control(letter) {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// Text as the runner reads a property of a command (`escapeProperty`).
fn command_property(text: &str) -> String {
    command_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The text without a line that the runner would take for a command: `::name::` at its beginning,
/// `##[name]` anywhere.
pub(super) fn defused(text: &str) -> String {
    text.split_inclusive(['\n', '\r'])
        .map(|line| {
            // Colours between the letters are taken out on the way.
            let plain = anstream::adapter::strip_str(line).to_string();
            let line = if plain.contains("##[") { &plain } else { line };
            let line = line.replace("##[", "# #[");
            match line[blank_length(&line)..].strip_prefix("::") {
                Some(rest) => {
                    let before = line.len() - rest.len() - 1;
                    format!("{} {}", &line[..before], &line[before..])
                }
                None => line,
            }
        })
        .collect()
}

/// The same of a JSON document, which stays the same document: there the letters can only stand in
/// a string, and never begin a line.
pub(super) fn defused_json(text: &str) -> String {
    text.replace("##[", "#\\u0023[")
}

/// How many bytes of the beginning are blank to a reader, or colours that are taken out on the way.
fn blank_length(line: &str) -> usize {
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start_matches(|c: char| {
            c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}')
        });
        let Some(code) = trimmed.strip_prefix("\u{1b}[") else {
            return line.len() - trimmed.len();
        };
        rest = code
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
            .strip_prefix('m')
            .unwrap_or(code);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Reads the file as GitHub's runner does (`FileCommandManager`).
    fn parse(file: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut lines = file.split('\n');
        while let Some(line) = lines.next() {
            let heredoc = line.find("<<");
            let equals = line.find('=');
            match (equals, heredoc) {
                (Some(equals), heredoc) if heredoc.is_none_or(|heredoc| equals < heredoc) => {
                    found.insert(line[..equals].to_owned(), line[equals + 1..].to_owned());
                }
                (_, Some(heredoc)) => {
                    let (name, delimiter) = (&line[..heredoc], &line[heredoc + 2..]);
                    let value: Vec<&str> = lines
                        .by_ref()
                        .take_while(|line| *line != delimiter)
                        .collect();
                    found.insert(name.to_owned(), value.join("\n"));
                }
                _ => assert!(line.is_empty(), "{line:?}"),
            }
        }
        found
    }

    fn text() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            Just("\n"),
            Just("\r\n"),
            Just("<<"),
            Just("="),
            Just("action<<x\n"),
            Just("url=evil"),
            Just("::"),
            Just("##["),
            Just("#"),
            Just("["),
            Just("\u{1b}[31m"),
            Just(" "),
            Just("\u{2028}"),
        ];
        let piece = prop_oneof![pieces.prop_map(str::to_owned), any::<String>()];
        prop::collection::vec(piece, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn github_reads_what_was_meant_and_nothing_else(values in prop::collection::vec(text(), 6), before in "[a-z=]{0,3}") {
            let names = ["action", "environment", "url", "path", "commit", "reason"];
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("output");
            let before = if before.is_empty() { before } else { format!("a={before}") };
            std::fs::write(&file, &before).unwrap();
            let entries: String = names
                .iter()
                .zip(&values)
                .map(|(name, value)| entry(name, value, &clock::nonce()))
                .collect();
            append(&file, &entries).unwrap();
            let mut expected: BTreeMap<String, String> = names
                .iter()
                .zip(&values)
                .map(|(name, value)| {
                    let line = value.chars().filter(|letter| !is_control(*letter)).collect();
                    ((*name).to_owned(), line)
                })
                .collect();
            if let Some(value) = before.strip_prefix("a=") {
                expected.insert("a".to_owned(), value.to_owned());
            }
            prop_assert_eq!(parse(&std::fs::read_to_string(&file).unwrap()), expected);
        }

        #[test]
        fn no_line_is_a_command(text in text()) {
            let told = defused(&text);
            for shown in [told.clone(), anstream::adapter::strip_str(&told).to_string()] {
                prop_assert!(!shown.contains("##["), "{:?}", shown);
                for line in shown.split(['\n', '\r']) {
                    prop_assert!(!line.trim_start().starts_with("::"), "{:?}", shown);
                }
            }
            let document = serde_json::to_string_pretty(&serde_json::json!({ &text: [&text] })).unwrap();
            let told = defused_json(&document);
            prop_assert!(!told.contains("##["));
            prop_assert!(told.lines().all(|line| !line.trim_start().starts_with("::")));
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            prop_assert_eq!(read(&told), read(&document));
        }
    }

    /// Reads a command as GitHub's runner does (`ActionCommand.TryParseV2`).
    fn read_command(line: &str) -> (String, BTreeMap<String, String>, String) {
        let (head, data) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
        let unescaped = |text: &str| {
            let text = text.replace("%0D", "\r").replace("%0A", "\n");
            let text = text.replace("%3A", ":").replace("%2C", ",");
            text.replace("%25", "%")
        };
        let pairs = properties
            .split(',')
            .filter_map(|pair| pair.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), unescaped(value)));
        (name.to_owned(), pairs.collect(), unescaped(data))
    }

    proptest! {
        #[test]
        fn annotation_is_one_command_with_what_was_meant(message in text(), file in text(), hint in text()) {
            let problem = Problem::error(&message).in_file(&file).at("\n ab", 3).with_hint(&hint);
            let command = annotation(&problem);
            prop_assert!(!command.contains(is_control), "{:?}", command);
            let (name, properties, data) = read_command(&command);
            prop_assert_eq!(name, "error");
            let shown = |text: &str| -> String {
                let is_line_end = |letter| matches!(letter, '\r' | '\n');
                let one = |letter| if is_control(letter) && !is_line_end(letter) { '\u{fffd}' } else { letter };
                text.chars().map(one).collect()
            };
            let expected = [("file", shown(&file)), ("line", "2".to_owned()), ("col", "3".to_owned())];
            let expected = expected.map(|(name, value)| (name.to_owned(), value));
            prop_assert_eq!(properties, BTreeMap::from(expected));
            prop_assert_eq!(data, shown(&format!("{message}\nhint: {hint}")));
        }
    }

    #[test]
    fn annotation_without_a_place() {
        assert_eq!(
            annotation(&Problem::warning("50% is\nmuch")),
            "::warning::50%25 is%0Amuch"
        );
        let problem = Problem::error("x").in_file("a,b:c.tf");
        assert_eq!(annotation(&problem), "::error file=a%2Cb%3Ac.tf::x");
    }

    #[test]
    fn harmless_text_stays() {
        for (text, expected) in [
            ("a::b\n  c ## [", "a::b\n  c ## ["),
            ("::error::x", ": :error::x"),
            ("a\n \u{1b}[1m::error::x", "a\n \u{1b}[1m: :error::x"),
            ("a ##[error]", "a # #[error]"),
            (":::", ": ::"),
        ] {
            assert_eq!(defused(text), expected);
        }
    }
}
