//! Tests of policies, written in Rego: `test_*` rules, run as `opa test` runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::{Duration, Instant};

use regorus::Value;
use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead, Span};
use regorus::utils::limits::ExecutionTimerConfig;
use serde::Serialize;

use super::builtins;
use super::calls::{path, rule_path, with_targets};
use super::error::PolicyError;
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

/// Runs the tests in the files, given as path and text, all together as one policy. A file is
/// read as `engine` unless it imports `rego.v1`. The error holds every file that cannot be read.
///
/// `sanitized` is Spacelift's own here: a definition of it in package `spacelift`, which OPA
/// needs, is passed over.
pub fn run_tests(engine: Engine, files: &[(&str, &str)]) -> Result<Vec<TestOutcome>, PolicyError> {
    let files = read(engine, files)?;
    let prepared = prepare(engine, &files)?;
    let mut outcomes = Vec::new();
    let mut seen = BTreeSet::new();
    for file in &files {
        for rule in &file.module.policy {
            let Some(name) = test_name(rule) else {
                continue;
            };
            if seen.insert((file.package.clone(), name.clone())) {
                outcomes.push(run(&prepared, file, &name, rule.span()));
            }
        }
    }
    Ok(outcomes)
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
    let mut engine = regorus::Engine::new();
    engine.set_strict_builtin_errors(false);
    engine.set_gather_prints(true);
    builtins::add_to(&mut engine).map_err(|message| fail("", &message))?;
    let mut rules: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut definitions: BTreeSet<(&str, &str)> = BTreeSet::new();
    for file in files {
        rules
            .entry(&file.package)
            .or_default()
            .extend(source::defined_rules(&file.module));
        for function in source::functions_to_define(&file.module) {
            definitions.extend(builtins::definition(&function).map(|text| (&*file.package, text)));
        }
    }
    for file in files {
        engine.set_rego_v0(version == Engine::RegoV0);
        let text = adapted(file, rules.get(file.package.as_str()));
        engine
            .add_policy(file.path.to_owned(), text)
            .map_err(|error| fail(file.path, &error.to_string()))?;
    }
    engine.set_rego_v0(false);
    for (package, definition) in definitions {
        engine
            .add_policy(
                "prelude".to_owned(),
                format!("package {package}\n\n{definition}\n"),
            )
            .map_err(|error| fail("prelude", &error.to_string()))?;
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

/// The file's text with a definition of `sanitized` left out, and with the local name of a rule
/// after `with` made absolute, which the engine asks for and OPA does not. Lines stay where they
/// are.
fn adapted(file: &File<'_>, rules: Option<&BTreeSet<String>>) -> String {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    if file.package == PACKAGE {
        for rule in &file.module.policy {
            if rule_path(rule).as_deref() == Some("sanitized") {
                let range = range(rule.span());
                let blank = file.text.get(range.clone()).unwrap_or_default();
                edits.push((range, blank.chars().filter(|char| *char == '\n').collect()));
            }
        }
    }
    for target in with_targets(&file.module) {
        let root = root_of(target);
        let Expr::Var { span, .. } = root else {
            continue;
        };
        if rules.is_some_and(|rules| rules.contains(span.text())) {
            edits.push((
                range(span),
                format!("data.{}.{}", file.package, span.text()),
            ));
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut text = file.text.to_owned();
    for (range, replacement) in edits.into_iter().rev() {
        if text.get(range.clone()).is_some() {
            text.replace_range(range, &replacement);
        }
    }
    text
}

fn root_of(mut reference: &Expr) -> &Expr {
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = reference {
        reference = refr;
    }
    reference
}

fn range(span: &Span) -> Range<usize> {
    let byte = |position: u32| usize::try_from(position).unwrap_or(usize::MAX);
    byte(span.start)..byte(span.end)
}

/// The name of the rule, if it is a test.
fn test_name(rule: &Rule) -> Option<String> {
    let Rule::Spec {
        head: RuleHead::Compr { refr, .. },
        ..
    } = rule
    else {
        return None;
    };
    let Expr::Var { span, .. } = refr.as_ref() else {
        return None;
    };
    let name = span.text();
    (name.starts_with("test_") || name.starts_with("todo_test_")).then(|| name.to_owned())
}

fn run(prepared: &regorus::Engine, file: &File<'_>, name: &str, span: &Span) -> TestOutcome {
    let started = Instant::now();
    let mut prints = Vec::new();
    let result = if name.starts_with("todo_") {
        TestResult::Skip
    } else {
        let mut engine = prepared.clone();
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: TIME_LIMIT,
            check_interval: NonZeroU32::MIN.saturating_add(63),
        });
        let value = engine.eval_rule(format!("data.{}.{name}", file.package));
        prints = engine.take_prints().unwrap_or_default();
        match value {
            Ok(Value::Bool(true)) => TestResult::Pass,
            Ok(_) => TestResult::Fail,
            Err(error) => {
                let message = error.to_string();
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

#[cfg(test)]
mod tests {
    use super::{Engine, PolicyError, TestResult, run_tests};

    const POLICY: &str = "package spacelift\n\
        affected { input.files[_] == \"a\" }\n\
        track { affected; re_match(\"^m\", input.branch) }\n";
    const SANITIZED: &str = "package spacelift\n\nimport rego.v1\n\n\
        # for OPA\nsanitized(text) := digest if {\n\tdigest := \"wrong\"\n}\n\nafter := 1\n";

    fn results(engine: Engine, files: &[(&str, &str)]) -> Vec<(String, usize, TestResult)> {
        run_tests(engine, files)
            .unwrap()
            .into_iter()
            .map(|outcome| (outcome.name, outcome.line, outcome.result))
            .collect()
    }

    #[test]
    fn tests_pass_fail_err_and_are_skipped() {
        let tests = "package spacelift\n\
            test_passes { track with input as {\"files\": [\"a\"], \"branch\": \"main\"} }\n\
            test_fails { track with input as {\"files\": [], \"branch\": \"main\"} }\n\
            test_is_false = false { true }\n\
            test_errs { x := {y | y := two}; count(x) == 1 }\n\
            two = 1\ntwo = 2 { true }\n\
            todo_test_later { false }\n\
            test_mocks_a_rule { track with affected as true with input as {\"branch\": \"m\"} }\n\
            test_mocks_it_absolutely { not track with data.spacelift.affected as false }\n\
            no_test { true }\n";
        let mut results = results(
            Engine::RegoV0,
            &[("p.rego", POLICY), ("p_test.rego", tests)],
        );
        let (_, _, error) = &mut results[3];
        let TestResult::Error(message) = std::mem::replace(error, TestResult::Skip) else {
            panic!("{results:?}");
        };
        assert!(message.starts_with("p_test.rego:"), "{message}");
        let expected = [
            ("test_passes", 2, TestResult::Pass),
            ("test_fails", 3, TestResult::Fail),
            ("test_is_false", 4, TestResult::Fail),
            ("test_errs", 5, TestResult::Skip),
            ("todo_test_later", 8, TestResult::Skip),
            ("test_mocks_a_rule", 9, TestResult::Pass),
            ("test_mocks_it_absolutely", 10, TestResult::Pass),
        ]
        .map(|(name, line, result)| (name.to_owned(), line, result));
        assert_eq!(results, expected);
    }

    #[test]
    fn sanitized_is_the_builtin_whoever_defines_it() {
        let tests = "package spacelift_test\n\nimport rego.v1\nimport data.spacelift\n\n\
            test_sanitized if sanitized(\"abc\") == \"f20015ad\"\n\
            test_rest_is_there if spacelift.after == 1\n";
        let own = "package spacelift\n\nimport rego.v1\n\n\
            test_own if sanitized(\"abc\") == \"f20015ad\"\n";
        for engine in [Engine::RegoV0, Engine::RegoV1] {
            let files = [
                ("s.rego", SANITIZED),
                ("a_test.rego", tests),
                ("b_test.rego", own),
            ];
            for (name, _, result) in results(engine, &files) {
                assert_eq!(result, TestResult::Pass, "{name}");
            }
        }
    }

    #[test]
    fn a_file_is_v0_unless_it_says_otherwise() {
        let v1 = "package a\ntest_x if true\n";
        let said = "package a\nimport rego.v1\ntest_x if true\n";
        assert!(run_tests(Engine::RegoV0, &[("a.rego", v1)]).is_err());
        assert_eq!(
            results(Engine::RegoV1, &[("a.rego", v1)])[0].2,
            TestResult::Pass
        );
        assert_eq!(
            results(Engine::RegoV0, &[("a.rego", said)])[0].2,
            TestResult::Pass
        );
    }

    #[test]
    fn every_file_that_cannot_be_read_is_named() {
        let broken = [
            ("a.rego", "package a\nx {"),
            ("b.rego", POLICY),
            ("c.rego", "nothing"),
        ];
        let Err(PolicyError::Invalid { problems, .. }) = run_tests(Engine::RegoV0, &broken) else {
            panic!("not refused");
        };
        let files: Vec<_> = problems
            .iter()
            .map(|problem| problem.file.as_deref())
            .collect();
        assert_eq!(files, [Some("a.rego"), Some("c.rego")]);
    }
}
