//! `test_*` rules, run as `opa test` runs them.

use crate::policy::{Engine, PolicyError, TestResult, run_tests};

const POLICY: &str = "package spacelift\n\
    affected { input.files[_] == \"a\" }\n\
    track { affected; re_match(\"^m\", input.branch) }\n";
const SANITIZED: &str = "package spacelift\n\nimport rego.v1\n\n\
    # for OPA\nsanitized(text) := digest if {\n\tdigest := \"wrong\"\n}\n\nafter := 1\n";

fn results(engine: Engine, files: &[(&str, &str)]) -> Vec<(String, usize, TestResult)> {
    run_tests(engine, files, false)
        .unwrap()
        .outcomes
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
    assert!(run_tests(Engine::RegoV0, &[("a.rego", v1)], false).is_err());
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
    let Err(PolicyError::Invalid { problems, .. }) = run_tests(Engine::RegoV0, &broken, false)
    else {
        panic!("not refused");
    };
    let files: Vec<_> = problems
        .iter()
        .map(|problem| problem.file.as_deref())
        .collect();
    assert_eq!(files, [Some("a.rego"), Some("c.rego")]);
}

#[test]
fn coverage_is_that_of_all_tests_together() {
    let policy = "package p\n\nimport rego.v1\n\nallow if {\n\tinput.x == 1\n\tinput.y == 2\n}\n\n\
        deny if {\n\tinput.z == 1\n}\n";
    let tests = "package p\n\nimport rego.v1\n\ntest_one if not allow with input as {\"x\": 2}\n\n\
        test_two if allow with input as {\"x\": 1, \"y\": 2}\n";
    let files = [("p.rego", policy), ("p_test.rego", tests)];
    let coverage = run_tests(Engine::RegoV0, &files, true).unwrap().coverage;
    let [policy, _] = coverage.as_slice() else {
        panic!("{coverage:?}")
    };
    assert_eq!(policy.file, "p.rego");
    assert_eq!(policy.covered.iter().copied().collect::<Vec<_>>(), [6, 7]);
    assert!(policy.not_covered.contains(&11), "{policy:?}");
    assert!(!policy.not_covered.contains(&7), "{policy:?}");
    assert!(
        run_tests(Engine::RegoV0, &files, false)
            .unwrap()
            .coverage
            .is_empty()
    );
}

/// OPA fails the first two and cannot run the last.
#[test]
fn what_is_called_as_a_test_and_is_none_is_told() {
    let tests = "package spacelift\n\
        test_set[x] { x := 1 }\n\
        test_members.a = 1 { true }\n\
        test_function(x) = true { x }\n";
    let results = results(Engine::RegoV0, &[("p_test.rego", tests)]);
    let told: Vec<&str> = results
        .iter()
        .map(|(name, _, result)| match result {
            TestResult::Error(_) => name.as_str(),
            other => panic!("{name}: {other:?}"),
        })
        .collect();
    assert_eq!(told, ["test_set", "test_members", "test_function"]);
}
