//! What is refused when a policy is read, and what is not.

use super::{Engine, PolicyType, read};
use crate::policy::{Policy, PolicyError};
use PolicyType::{Approval, GitPush, Notification, Plan, Trigger};

fn refusal(kind: PolicyType, engine: Engine, body: &str) -> (String, Option<usize>) {
    match read(kind, engine, body) {
        Ok(_) => panic!("{kind}: not refused: {body}"),
        Err(PolicyError::Invalid { problems, .. }) => {
            (problems[0].message.clone(), problems[0].line)
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn rules_of_another_type_are_refused() {
    for (kind, body, says) in [
        (
            Trigger,
            "trigger = true",
            "the rule trigger is a single value",
        ),
        (
            Trigger,
            "trigger { true }",
            "the rule trigger is a single value",
        ),
        (
            Trigger,
            "trigger = {\"a\"}",
            "the rule trigger is a single value",
        ),
        (
            Trigger,
            "trigger[\"a\"] = 1 { true }",
            "the rule trigger is an object",
        ),
        (
            Trigger,
            "trigger[1] { true }",
            "the rule trigger is a set of numbers",
        ),
        (
            Trigger,
            "trigger(x) = x { true }",
            "the rule trigger is a function",
        ),
        (
            Trigger,
            "default trigger = false",
            "the rule trigger is given a default",
        ),
        (
            Trigger,
            "import future.keywords\ntrigger[x] if { x := \"a\" }",
            "the rule trigger is an object",
        ),
        (
            GitPush,
            "track[x] { x := \"a\" }",
            "the rule track is a set",
        ),
        (GitPush, "track = \"yes\"", "the rule track is a string"),
        (GitPush, "default track = 0", "the rule track is a number"),
        (GitPush, "track(x) { x }", "the rule track is a function"),
        (GitPush, "track.now = true", "the rule track is an object"),
        (GitPush, "lock { true }", "the rule lock is a boolean"),
        (GitPush, "lock[x] { x := \"a\" }", "the rule lock is a set"),
        (
            GitPush,
            "cancel = true",
            "the rule cancel is a single value",
        ),
        (
            Plan,
            "deny[{\"message\": \"no\"}] { true }",
            "the rule deny is a set of objects",
        ),
        (Plan, "sample[x] { x := 1 }", "the rule sample is a set"),
        (
            Approval,
            "approve[x] { x := 1 }",
            "the rule approve is a set",
        ),
        (
            Notification,
            "inbox[\"a\"] { true }",
            "the rule inbox is a set of strings",
        ),
        (
            Notification,
            "slack { true }",
            "the rule slack is a single value",
        ),
        (Trigger, "result = 1", "the rule result is Spacelift's own"),
    ] {
        let (message, line) = refusal(kind, Engine::RegoV0, body);
        assert!(message.starts_with(says), "{body}: {message}");
        assert_eq!(line, Some(body.matches('\n').count() + 2), "{body}");
    }
}

#[test]
fn rules_of_other_types_of_policy_are_helpers() {
    for (kind, body) in [
        (Trigger, "deny = true"),
        (Plan, "track[x] { x := 1 }"),
        (GitPush, "lock = input.stack.id"),
        (
            GitPush,
            "default track = true\ntrack = false { input.push.tag != \"\" }",
        ),
        (GitPush, "ignore { not track; not propose }"),
        (
            Plan,
            "deny[message] { message := sprintf(\"%s\", [input.x]) }",
        ),
        (Notification, "inbox[{\"title\": \"a\"}] { true }"),
    ] {
        if let Err(error) = read(kind, Engine::RegoV0, body) {
            panic!("{body}: {error}");
        }
    }
}

#[test]
fn forbidden_and_unknown_functions_are_refused() {
    for (body, says) in [
        (
            "a { http.send({\"url\": \"x\"}) }",
            "the builtin http.send is forbidden",
        ),
        ("a = opa.runtime()", "the builtin opa.runtime is forbidden"),
        (
            "a = opa.runtime().env.HOME",
            "the builtin opa.runtime is forbidden",
        ),
        ("a = time.now_ns()", "the builtin time.now_ns is forbidden"),
        (
            "a { x := [1 | time.now_ns() > 0]; count(x) > 0 }",
            "the builtin time.now_ns is forbidden",
        ),
        ("a { trace(\"x\") }", "the builtin trace is forbidden"),
        ("a { not trace(\"x\") }", "the builtin trace is forbidden"),
        (
            "a { rego.parse_module(\"a\", \"b\") }",
            "the builtin rego.parse_module is forbidden",
        ),
        (
            "f(x) = y { y := time.now_ns() }\na { f(1) > 0 }",
            "the builtin time.now_ns is forbidden",
        ),
        (
            "a { true } else = 2 { trace(\"x\") }",
            "the builtin trace is forbidden",
        ),
        (
            "a { startwith(\"x\", \"y\") }",
            "there is no function startwith",
        ),
        (
            "a { startswith(\"x\") }",
            "the function startswith takes 2 arguments, not 1",
        ),
        ("f(x) = y { y := f(x) }", "the function f calls itself"),
        ("f(x) = g(x)\ng(x) = f(x)", "the function f calls itself"),
        ("f(x) = data.spacelift.f(x)", "the function f calls itself"),
    ] {
        let (message, line) = refusal(Trigger, Engine::RegoV0, body);
        assert!(message.starts_with(says), "{body}: {message}");
        assert_eq!(line, Some(2), "{body}");
    }
    let (message, _) = refusal(Trigger, Engine::RegoV1, "a if re_match(\"a\", \"b\")");
    assert_eq!(
        message, "there is no function re_match",
        "v1 has it no more"
    );
}

#[test]
fn rules_in_circles_are_refused() {
    for body in [
        "a { b }\nb { a }",
        "a[x] { x := 1; not a[2] }",
        "a { f(1) }\nf(x) { a }",
        "a { data.spacelift.b }\nb { x := [1 | a]; x }",
    ] {
        let (message, line) = refusal(Trigger, Engine::RegoV0, body);
        assert_eq!(message, "the rule a needs its own value", "{body}");
        assert_eq!(line, Some(2), "{body}");
    }
    for body in [
        "a { b := 1; b > 0 }\nb { a }",
        "a.x { true }\na.y { a.x }",
        "a { f(1) }\nf(a) = a",
        "a { input.a; [a | a := 1] }",
    ] {
        if let Err(error) = read(Trigger, Engine::RegoV0, body) {
            panic!("{body}: {error}");
        }
    }
}

#[test]
fn what_with_means_has_to_be_clear() {
    let body = "g := input.x\na := y if { g2 := {\"x\": 1}; y := g with input as g2 }";
    assert!(read(Trigger, Engine::RegoV1, body).is_ok());
    let (message, line) = refusal(Trigger, Engine::RegoV1, &format!("{body}\ng2 := 3"));
    assert_eq!(message, "behind with, g2 could be the rule or the variable");
    assert_eq!(line, Some(3));
}

#[test]
fn computed_keys_of_heads_have_a_body() {
    for body in [
        "a[input.s] contains 1",
        "a[input.s] := 1",
        "a[lower(input.s)] := 1 if true else := 2",
    ] {
        let (message, _) = refusal(Trigger, Engine::RegoV1, body);
        assert_eq!(
            message,
            "a key of the head is computed without a body of its own"
        );
    }
    let fine = "a[\"s\"] := 1\nb[\"t\"] contains 1";
    assert!(read(Trigger, Engine::RegoV1, fine).is_ok());
}

#[test]
fn names_of_forbidden_functions_are_no_calls() {
    for body in [
        "# http.send({}) and trace(\"x\")",
        "a = \"time.now_ns() http.send({})\"",
        "a = `trace(\"x\")`",
        "trace(x) = x\na = trace(1)",
        "a { input.trace == 1; input.http.send == 2 }",
    ] {
        if let Err(error) = read(Trigger, Engine::RegoV0, body) {
            panic!("{body}: {error}");
        }
    }
}

#[test]
fn every_problem_is_found_in_one_pass() {
    let body = "track = 1\npropose { trace(\"a\") }\nfail[x] { x := 1 }\n";
    let Err(PolicyError::Invalid { problems, .. }) = read(GitPush, Engine::RegoV0, body) else {
        panic!("not refused");
    };
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| problem.line.unwrap())
        .collect();
    assert_eq!(lines, [2, 3, 4]);
}

#[test]
fn the_package_is_spacelift() {
    for (text, accepted) in [
        ("package spacelift\n", true),
        ("# a comment\npackage spacelift", true),
        ("package spacelift.trigger", false),
        ("package foo\ntrigger[\"a\"] { true }", false),
    ] {
        let read = Policy::read("p", Trigger, Engine::RegoV0, text);
        assert_eq!(read.is_ok(), accepted, "{text}");
    }
}

#[test]
fn a_syntax_error_has_its_place() {
    let error = read(Trigger, Engine::RegoV0, "a = 1\ntrigger[\"a\" { true }").unwrap_err();
    let PolicyError::Invalid { problems, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(problems[0].line, Some(3), "{error}");
    assert!(problems[0].column.is_some());
    assert!(
        error
            .to_string()
            .starts_with("policy p cannot be used: line 3: "),
        "{error}"
    );
}

#[test]
fn an_unbound_variable_is_found_when_read() {
    let (message, line) = refusal(Trigger, Engine::RegoV0, "a = 1\ntrigger[x] { y == 1 }");
    assert_eq!(line, Some(3), "{message}");
}

#[test]
fn the_version_of_rego_is_not_guessed() {
    let v0 = "trigger[\"a\"] { true }";
    let v1 = "trigger contains \"a\" if true";
    assert!(read(Trigger, Engine::RegoV0, v0).is_ok());
    assert!(read(Trigger, Engine::RegoV1, v0).is_err());
    assert!(read(Trigger, Engine::RegoV0, v1).is_err());
    assert!(read(Trigger, Engine::RegoV1, v1).is_ok());
    assert!(read(Trigger, Engine::RegoV0, &format!("import rego.v1\n{v1}")).is_ok());
    assert!(
        read(
            Trigger,
            Engine::RegoV0,
            &format!("import future.keywords\n{v1}")
        )
        .is_ok()
    );
}

#[test]
fn hostile_text_is_an_error() {
    let deep = format!("a = {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let lines = format!("a = {}1{}", "[\n".repeat(5_000), "]\n".repeat(5_000));
    let chain = format!("a = 1{}", "\n+ 1".repeat(19_000));
    let minus = format!("a = {}1", "-\n".repeat(19_000));
    let not = format!("a {{ {} input.x }}", "not\n".repeat(19_000));
    for body in [
        "\u{0}",
        "a { \"",
        "}",
        "a[",
        deep.as_str(),
        lines.as_str(),
        chain.as_str(),
        minus.as_str(),
        not.as_str(),
        "import",
    ] {
        assert!(read(Trigger, Engine::RegoV0, body).is_err(), "{:.20}", body);
    }
}

#[test]
fn what_the_guard_lets_through_fits_the_stack() {
    let nested = format!("a = {}1{}", "[".repeat(14), "]".repeat(14));
    let chain = format!(
        "a = 1{}\nb {{ a > 1 }}\ntrigger[\"a\"] {{ b }}",
        " + 1".repeat(98)
    );
    for body in [nested, chain] {
        match read(Trigger, Engine::RegoV0, &body) {
            Ok(policy) => {
                policy.evaluate(&serde_json::json!({})).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Better no answer than another one than on Spacelift.
#[test]
fn what_the_engine_takes_otherwise_than_opa_is_refused() {
    for (body, says) in [
        (
            "a if not input.x[_] == 1",
            "a negation cannot look at any member",
        ),
        (
            "a if not f(input.x[_])\nf(x) := x",
            "a negation cannot look at any member",
        ),
        (
            "a if { x := 1; -x == 2 }",
            "a minus stands before something that is no number",
        ),
        (
            "a := 100000000000000000000",
            "the number 100000000000000000000 is kept otherwise by OPA",
        ),
        ("a := 1.0", "the number 1.0 is kept otherwise by OPA"),
        ("a := 1e3", "the number 1e3 is kept otherwise by OPA"),
        (
            "a := 0.12345678901234567890",
            "the number 0.12345678901234567890 is kept otherwise by OPA",
        ),
        (
            "a := io.jwt.decode(\"x\")",
            "the builtin io.jwt.decode is not available: no input of a policy holds a token",
        ),
        (
            "a := internal.member_2(1, [1])",
            "there is no function internal.member_2",
        ),
        (
            "a if input.x = {\"b\": y}",
            "an object with variables is matched against a value",
        ),
        (
            "a if { {\"b\": y} := input.x }",
            "an object with variables is matched against a value",
        ),
        (
            "a := yaml.marshal(1)",
            "the builtin yaml.marshal gives other values than OPA's",
        ),
        (
            "a if { some {\"k\": x} in input.list; x }",
            "an object with variables is matched against a value",
        ),
        (
            "f([{\"k\": x}]) := x\na if f([input])",
            "an object with variables is matched against a value",
        ),
        (
            "a if { [path, 1] := walk(input) }",
            "walk with one argument gives all pairs as one list",
        ),
        (
            "a := time.format([1, \"UTC\", \"RFC822\"])",
            "the name of a time zone",
        ),
        (
            "a if b with f as g\nb if f(1) == 2\nf(x) := x\ng(x) := 2",
            "the engine cannot put",
        ),
        (
            "a := internal.collection(1)",
            "there is no function internal.collection",
        ),
    ] {
        let (message, _) = refusal(Trigger, Engine::RegoV1, body);
        assert!(message.starts_with(says), "{body}: {message}");
    }
    let (message, line) = refusal(Trigger, Engine::RegoV1, "\n\ta := {\"ö\": http.send({})}");
    assert!(message.starts_with("the builtin http.send"), "{message}");
    assert_eq!(line, Some(3));
}

/// In v0 the engine takes the words for rules that always hold.
#[test]
fn rules_of_v1_in_a_file_of_v0_are_refused() {
    for (body, says) in [
        (
            "approve if { false }",
            "the rule approve has neither a value nor a body",
        ),
        ("track = true if input.miss", "no rule can be called if"),
        ("deny contains \"x\" if { false }", "no rule can be called"),
        ("track", "the rule track has neither a value nor a body"),
    ] {
        for kind in [Approval, GitPush, Plan] {
            let refused = Policy::read(
                "p",
                kind,
                Engine::RegoV0,
                &format!("package spacelift\n{body}"),
            );
            let Err(PolicyError::Invalid { problems, .. }) = refused else {
                panic!("{body}");
            };
            assert!(
                problems
                    .iter()
                    .any(|problem| problem.message.starts_with(says)),
                "{body}: {problems:?}"
            );
        }
    }
}
