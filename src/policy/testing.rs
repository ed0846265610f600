//! Tests of policies, written in Rego: `test_*` rules, run as `opa test` runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use regorus::Value;
use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead, Span};
use regorus::utils::limits::ExecutionTimerConfig;
use serde::Serialize;

use super::calls::{path, rule_path};
use super::error::PolicyError;
use super::evaluate::{STEPS_BETWEEN_LOOKS, guarded, new_engine};
use super::kind::Engine;
use super::source::{self, PACKAGE};
use crate::problem::Problem;

/// How long one test may take; `opa test` allows the same.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// What became of one test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestOutcome {
    pub name: String,
    pub package: String,
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    pub result: TestResult,
    /// What the test printed, each with its place.
    pub prints: Vec<String>,
    pub duration: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestResult {
    Pass,
    /// It was not true.
    Fail,
    /// It could not be evaluated.
    Error(String),
    /// Its name begins with `todo_`.
    Skip,
}

struct File<'f> {
    path: &'f str,
    text: &'f str,
    module: Ref<Module>,
    package: String,
}

/// What became of all tests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tested {
    /// In the order of the files and of their lines.
    pub outcomes: Vec<TestOutcome>,
    /// One per file; empty where it was not asked for.
    pub coverage: Vec<FileCoverage>,
}

/// Which lines of a file some test evaluated, and which none did. Lines without an expression are
/// in neither.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FileCoverage {
    pub file: String,
    pub covered: BTreeSet<u32>,
    pub not_covered: BTreeSet<u32>,
}

impl FileCoverage {
    /// Lines covered of a hundred; 100 where there is nothing to cover.
    pub fn percent(&self) -> f64 {
        let count =
            |lines: &BTreeSet<u32>| f64::from(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        let all = count(&self.covered) + count(&self.not_covered);
        if all == 0.0 {
            100.0
        } else {
            100.0 * count(&self.covered) / all
        }
    }
}

/// Runs the tests in the files, given as path and text, all together as one policy. A file is
/// read as `engine` unless it imports `rego.v1`. The error holds every file that cannot be read.
///
/// `sanitized` is Spacelift's own here: a definition of it in package `spacelift`, which OPA
/// needs, is passed over.
pub fn run_tests(
    engine: Engine,
    files: &[(&str, &str)],
    with_coverage: bool,
) -> Result<Tested, PolicyError> {
    let files = read(engine, files)?;
    let mut prepared = prepare(engine, &files)?;
    prepared.set_enable_coverage(with_coverage);
    let mut outcomes = Vec::new();
    let mut coverage = Vec::new();
    let mut seen = BTreeSet::new();
    for file in &files {
        for rule in &file.module.policy {
            let Some(name) = test_name(rule) else {
                continue;
            };
            if seen.insert((file.package.clone(), name.clone())) {
                let mut engine = prepared.clone();
                outcomes.push(match runs_never(rule) {
                    Some(reason) => broken(file, &name, rule.span(), reason),
                    None => run(&mut engine, file, &name, rule.span()),
                });
                if with_coverage {
                    cover(&mut coverage, &engine, &files);
                }
            }
        }
    }
    Ok(Tested { outcomes, coverage })
}

/// Adds what one test evaluated.
fn cover(coverage: &mut Vec<FileCoverage>, engine: &regorus::Engine, files: &[File<'_>]) {
    let Ok(report) = engine.get_coverage_report() else {
        return;
    };
    for seen in report.files {
        if files.iter().all(|file| file.path != seen.path) {
            continue;
        }
        match coverage.iter_mut().find(|known| known.file == seen.path) {
            Some(known) => {
                known.covered.extend(seen.covered);
                known.not_covered.extend(seen.not_covered);
                known
                    .not_covered
                    .retain(|line| !known.covered.contains(line));
            }
            None => coverage.push(FileCoverage {
                file: seen.path,
                covered: seen.covered,
                not_covered: seen.not_covered,
            }),
        }
    }
}

fn read<'f>(engine: Engine, files: &[(&'f str, &'f str)]) -> Result<Vec<File<'f>>, PolicyError> {
    let mut read = Vec::new();
    let mut problems = Vec::new();
    for &(path_of_file, text) in files {
        match source::parse(path_of_file, engine, text) {
            Ok(module) => {
                let package = path(&module.package.refr).unwrap_or_default();
                read.push(File {
                    path: path_of_file,
                    text,
                    module,
                    package,
                });
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(read)
    } else {
        Err(invalid(problems))
    }
}

fn invalid(problems: Vec<Problem>) -> PolicyError {
    let file = problems.iter().find_map(|problem| problem.file.clone());
    PolicyError::Invalid {
        policy: file.unwrap_or_else(|| "tests".to_owned()),
        problems,
    }
}

fn prepare(version: Engine, files: &[File<'_>]) -> Result<regorus::Engine, PolicyError> {
    let fail = |file: &str, message: &str| invalid(vec![source::problem_of(file, message)]);
    let mut rules: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        rules
            .entry(&file.package)
            .or_default()
            .extend(source::rule_names(&file.module));
    }
    let mut modules = Vec::new();
    for file in files {
        let text = adapted(file);
        let module =
            source::parse(file.path, version, &text).map_err(|problem| invalid(vec![problem]))?;
        let none = BTreeSet::new();
        let rules = rules.get(file.package.as_str()).unwrap_or(&none);
        let text = source::for_engine(file.path, &text, &module, rules)
            .map_err(|problem| invalid(vec![problem]))?;
        modules.push((file.path, source::engine_of(&module), text));
    }
    let texts: Vec<&str> = modules.iter().map(|(_, _, text)| text.as_str()).collect();
    let mut engine = new_engine(&texts).map_err(|message| fail("", &message))?;
    for (path, version, text) in modules {
        engine.set_rego_v0(version == Engine::RegoV0);
        engine
            .add_policy(path.to_owned(), text)
            .map_err(|error| fail(path, &error.to_string()))?;
    }
    engine
        .eval_query("true".to_owned(), false)
        .map_err(|error| fail(place_of(&error.to_string()), &error.to_string()))?;
    Ok(engine)
}

/// The file that the engine's message is about.
fn place_of(message: &str) -> &str {
    message
        .split_once("--> ")
        .and_then(|(_, rest)| rest.lines().next())
        .and_then(|place| place.rsplitn(3, ':').nth(2))
        .unwrap_or_default()
}

/// The file's text with a definition of `sanitized` left out. Lines stay where they are.
fn adapted(file: &File<'_>) -> String {
    let mut text = file.text.to_owned();
    if file.package != PACKAGE {
        return text;
    }
    for rule in file.module.policy.iter().rev() {
        if rule_path(rule).as_deref() == Some("sanitized") {
            let range = range(rule.span());
            let blank = file.text.get(range.clone()).unwrap_or_default();
            let lines: String = blank.chars().filter(|char| *char == '\n').collect();
            if text.get(range.clone()).is_some() {
                text.replace_range(range, &lines);
            }
        }
    }
    text
}

fn range(span: &Span) -> Range<usize> {
    let byte = |position: u32| usize::try_from(position).unwrap_or(usize::MAX);
    byte(span.start)..byte(span.end)
}

/// The name of the rule, if it is a test.
fn test_name(rule: &Rule) -> Option<String> {
    let Rule::Spec { head, .. } = rule else {
        return None;
    };
    let (RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. }) =
        head;
    let mut refr = refr.as_ref();
    while let Expr::RefBrack { refr: base, .. } | Expr::RefDot { refr: base, .. } = refr {
        refr = base;
    }
    let Expr::Var { span, .. } = refr else {
        return None;
    };
    let name = span.text();
    (name.starts_with("test_") || name.starts_with("todo_test_")).then(|| name.to_owned())
}

/// Why a rule that is called as a test is none.
fn runs_never(rule: &Rule) -> Option<&'static str> {
    let Rule::Spec { head, .. } = rule else {
        return None;
    };
    match head {
        RuleHead::Compr { refr, .. } if matches!(refr.as_ref(), Expr::Var { .. }) => None,
        RuleHead::Func { .. } => Some("a test has no arguments"),
        RuleHead::Compr { .. } | RuleHead::Set { .. } => {
            Some("a test is true or false, and no set")
        }
    }
}

fn broken(file: &File<'_>, name: &str, span: &Span, reason: &str) -> TestOutcome {
    TestOutcome {
        name: name.to_owned(),
        package: file.package.clone(),
        file: file.path.to_owned(),
        line: usize::try_from(span.line).unwrap_or(usize::MAX),
        result: TestResult::Error(reason.to_owned()),
        prints: Vec::new(),
        duration: Duration::ZERO,
    }
}

fn run(engine: &mut regorus::Engine, file: &File<'_>, name: &str, span: &Span) -> TestOutcome {
    let started = Instant::now();
    let mut prints = Vec::new();
    let result = if name.starts_with("todo_") {
        TestResult::Skip
    } else {
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: TIME_LIMIT,
            check_interval: STEPS_BETWEEN_LOOKS,
        });
        let rule = format!("data.{}.{name}", file.package);
        let value = guarded(|| engine.eval_rule(rule).map_err(|error| error.to_string()));
        prints = engine.take_prints().unwrap_or_default();
        match value {
            Ok(Value::Bool(true)) => TestResult::Pass,
            Ok(_) => TestResult::Fail,
            Err(message) => {
                TestResult::Error(source::problem_of(place_of(&message), &message).to_string())
            }
        }
    };
    TestOutcome {
        name: name.to_owned(),
        package: file.package.clone(),
        file: file.path.to_owned(),
        line: usize::try_from(span.line).unwrap_or(usize::MAX),
        result,
        prints,
        duration: started.elapsed(),
    }
}
