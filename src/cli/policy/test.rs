//! `dayfly policy test`: runs `test_*` rules, as `opa test` does.

use std::fs;
use std::path::{Path, PathBuf};

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::super::escape::escaped;
use super::super::output::Output;
use super::super::{DONE, Ended, FAILED};
use super::{EngineName, PolicyFileError, junit, read_text};
use crate::policy::{FileCoverage, PolicyError, TestOutcome, TestResult, Tested, run_tests};

/// Run the tests beside policies: rules whose names begin with test_
///
/// All *.rego files below the directory are read together. A file is Rego v0, Spacelift's default,
/// unless it says `import rego.v1`. `sanitized` is built in. With `--output junit` the outcome is
/// printed for a CI.
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The directory, or one file
    #[arg(value_name = "DIR")]
    path: PathBuf,

    /// Print each test, and what it printed
    #[arg(short, long)]
    verbose: bool,

    /// Tell which lines no test evaluated
    #[arg(long)]
    coverage: bool,

    /// The version of Rego of files that do not say it themselves
    #[arg(long, value_enum, default_value_t = EngineName::V0)]
    engine: EngineName,
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    let mut paths = Vec::new();
    collect(&args.path, &mut paths)?;
    let mut files = Vec::new();
    for path in &paths {
        files.push((path.display().to_string(), read_text(path)?));
    }
    let named: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    if named.is_empty() {
        let path = args.path.clone();
        return Err(PolicyFileError::NoPolicy { path }.into());
    }
    let tested = match run_tests(args.engine.into(), &named, args.coverage) {
        Ok(tested) => tested,
        Err(error) => {
            if let PolicyError::Invalid { problems, .. } = &error {
                for problem in problems.iter().skip(1) {
                    output.problem(problem);
                }
            }
            return Err(error.into());
        }
    };
    if output.is_junit() {
        output.data(junit::document(&tested.outcomes));
    } else if output.is_json() {
        output.json(&described(&tested, args.coverage));
    } else {
        tell(&tested, args, output);
    }
    let is_good =
        |outcome: &TestOutcome| matches!(outcome.result, TestResult::Pass | TestResult::Skip);
    Ok(if tested.outcomes.iter().all(is_good) {
        DONE
    } else {
        FAILED
    })
}

/// The `*.rego` files at or below `path`, in the order of their names. What is hidden is left out,
/// and links are not followed.
fn collect(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), PolicyFileError> {
    let fail = |source| PolicyFileError::Read {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(fail)?.is_file() {
        found.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(path)
        .and_then(Iterator::collect)
        .map_err(fail)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type().map_err(fail)?;
        if name.starts_with('.') || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() || name.ends_with(".rego") {
            collect(&entry.path(), found)?;
        }
    }
    Ok(())
}

pub(super) fn word(result: &TestResult) -> &'static str {
    match result {
        TestResult::Pass => "pass",
        TestResult::Fail => "fail",
        TestResult::Error(_) => "error",
        TestResult::Skip => "skip",
    }
}

/// The list of tests; with coverage an object of both.
fn described(tested: &Tested, with_coverage: bool) -> Value {
    let tests: Vec<Value> = tested
        .outcomes
        .iter()
        .map(|outcome| {
            json!({
                "name": outcome.name,
                "package": outcome.package,
                "file": outcome.file,
                "line": outcome.line,
                "outcome": word(&outcome.result),
                "duration_ms": outcome.duration.as_secs_f64() * 1_000.0,
            })
        })
        .collect();
    if with_coverage {
        json!({ "tests": tests, "coverage": tested.coverage })
    } else {
        json!(tests)
    }
}

fn tell(tested: &Tested, args: &Args, output: &Output) {
    for outcome in &tested.outcomes {
        let is_news = !matches!(outcome.result, TestResult::Pass);
        if !is_news && !args.verbose {
            continue;
        }
        output.data(line(outcome));
        if let TestResult::Error(message) = &outcome.result {
            output.data(format_args!("  {}", escaped(message)));
        }
        if args.verbose || is_news {
            for print in &outcome.prints {
                output.data(format_args!("  {}", escaped(print)));
            }
        }
    }
    for file in &tested.coverage {
        output.data(covered(file));
    }
    let count = |word_of: &str| {
        let is = |outcome: &&TestOutcome| word(&outcome.result) == word_of;
        tested.outcomes.iter().filter(is).count()
    };
    let mut summary = format!("{} of {} pass", count("pass"), tested.outcomes.len());
    for (word_of, told) in [("fail", "fail"), ("error", "err"), ("skip", "skipped")] {
        if count(word_of) > 0 {
            summary.push_str(&format!(", {} {told}", count(word_of)));
        }
    }
    output.data(summary);
}

fn line(outcome: &TestOutcome) -> String {
    let said = match outcome.result {
        TestResult::Pass => "pass".green().to_string(),
        TestResult::Fail => "fail".red().bold().to_string(),
        TestResult::Error(_) => "error".red().bold().to_string(),
        TestResult::Skip => "skip".yellow().to_string(),
    };
    format!(
        "{said}  {}:{}  data.{}.{} ({:.1} ms)",
        escaped(&outcome.file),
        outcome.line,
        escaped(&outcome.package),
        escaped(&outcome.name),
        outcome.duration.as_secs_f64() * 1_000.0,
    )
}

fn covered(file: &FileCoverage) -> String {
    let mut told = format!("{}: {:.0} % covered", escaped(&file.file), file.percent());
    if !file.not_covered.is_empty() {
        told.push_str(&format!(", not lines {}", ranges(file)));
    }
    told
}

/// The lines that no test evaluated, neighbours as `5-7`.
fn ranges(file: &FileCoverage) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &line in &file.not_covered {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == line => *last = line,
            _ => ranges.push((line, line)),
        }
    }
    let told = ranges.into_iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    told.collect::<Vec<_>>().join(", ")
}
