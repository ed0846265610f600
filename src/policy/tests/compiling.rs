//! What OPA's compiler refuses is refused when the policy is read, with the place of it.

use super::{Engine, PolicyType, read};
use crate::policy::PolicyError;
use PolicyType::{GitPush, Plan};

/// Message, line and column.
fn refusal(kind: PolicyType, engine: Engine, body: &str) -> (String, usize, usize) {
    match read(kind, engine, body) {
        Ok(_) => panic!("not refused: {body}"),
        Err(PolicyError::Invalid { problems, .. }) => {
            let problem = &problems[0];
            (
                problem.message.clone(),
                problem.line.unwrap_or_default(),
                problem.column.unwrap_or_default(),
            )
        }
        Err(error) => panic!("{error}"),
    }
}

fn refused(kind: PolicyType, cases: &[(&str, &str, usize)]) {
    for (body, says, column) in cases {
        let (message, line, at) = refusal(kind, Engine::RegoV1, body);
        assert!(message.contains(says), "{body}: {message}");
        // `read` puts the package in front.
        assert_eq!(line, body.lines().count() + 1, "{body}: {message}");
        assert_eq!(at, *column, "{body}: {message}");
    }
}

#[test]
fn rules_that_leave_each_other_no_room_are_refused() {
    refused(
        Plan,
        &[
            (
                "a := 1\na contains 2",
                "in line 2 the rule a is a single value",
                1,
            ),
            ("a contains 2\na := 1", "in line 2 the rule a is a set", 1),
            ("a := 1\na.b := 2", "the rule a.b is a single value", 1),
            ("a.b := 2\na := 1", "in line 2 the rule a.b", 1),
            ("a(x) := x\na := 2", "a function of 1 argument", 1),
            ("a(x) := x\na(x, y) := x", "a function of 2 arguments", 1),
            (
                "a := {\"b\": 1}\na[x] := 2 if some x in [1]",
                "part by part",
                1,
            ),
            (
                "a[x] contains 1 if some x in [1]\na[x] := 2 if some x in [1]",
                "sets, part by part",
                1,
            ),
            (
                "a[\"b.c\"] contains 1\na[\"b.c\"] := 2",
                "in line 2 the rule a.b.c is a set",
                1,
            ),
            ("default a := 1\ndefault a := 2", "a second default", 1),
        ],
    );
    for body in [
        "a.b := 1\na[x] := 2 if some x in [\"c\"]",
        "a[x].b contains 1 if some x in [1]\na[x].c := 2 if some x in [1]",
        "default a := 1\na := 2 if input.x\na := 3 if not input.x",
        "f(1) := 2\nf(2) := 3",
        "labels[\"app.kubernetes.io/name\"] := \"x\"\nlabels[\"app\"] := \"y\"",
        "a[1] contains 2\na[2] := 3",
    ] {
        assert!(read(Plan, Engine::RegoV1, body).is_ok(), "{body}");
    }
}

#[test]
fn variables_without_a_value_are_refused() {
    refused(
        Plan,
        &[
            ("deny contains \"x\" if y > 1", "the variable y", 22),
            ("deny contains x", "the variable x", 15),
            ("deny contains x.l[i] if input.z", "the variable x", 15),
            ("a := {r.l[i] | input.x}", "the variable r", 7),
            // OPA takes these; the engine would look through the one for itself.
            (
                "deny contains input.l[i].name if not input.ok[i]",
                "the variable i",
                47,
            ),
            (
                "deny contains input.l[i].name if count([z | z := input.ok[i]]) == 0",
                "the variable i",
                23,
            ),
            (
                "a := i if { b := [input.l[i] | true] }",
                "the variable i",
                6,
            ),
            ("a := x if { some x }", "the variable x", 6),
            ("a := 1 if not input.b[i]", "the variable i", 23),
            ("f(x) := y if x == 1", "the variable y", 9),
            ("a := 1 if { input.x } else := y", "the variable y", 31),
            ("a := 1 if every y in [1] { y > z }", "the variable z", 32),
            ("a := [x | input.b[i].c > j]", "the variable x", 7),
            ("a := 1 if { x := y + 1; z := x }", "the variable y", 18),
            ("a := 1 if input.b with input.c as y", "the variable y", 35),
            (
                "a := {\"b\": y | some x in input.c; x > 1}",
                "the variable y",
                12,
            ),
        ],
    );
    for body in [
        "a := y if { y = x + 1; x = input.b }",
        "a := [i, x] if { [i, [x, 1]] = input.b[_] }",
        "a := i if input.b[i].c[j] == j",
        "a := k if { walk(input, [k, v]); v == 1 }",
        "a := y if { some x; input.b[x] = [y] }",
        "a := n if { count(input.b, n) }",
        "a := [x, y] if { {\"b\": x, \"c\": 1} = {\"c\": y, \"b\": input.b} }",
        "f(x) := x\na := y if f(1, y)",
        "a := y if { x = 1; y := [z | z = x] }",
        "a := created_resources[_]",
        "import data.b.c\nimport input.d as e\na := [c, e]",
        "a := y if { every x in [1] { x > 0 }; y := deny }",
        // What the head or the term of a comprehension looks through.
        "deny contains input.l[i].name",
        "deny contains input.l[i].name if { input.z }",
        "a[input.l[i].name] := 1 if input.z",
        "a := input.l[i].name if input.z",
        "a := 1 if { input.nope } else := input.l[i]",
        "f(x) := x.l[i] if x.y",
        "f(x) := x\na := f(input.l[i])",
        "a := {r.l[i] | some r in input.x}",
        "a := {k: r.l[i] | some k, r in input.x}",
        "a := {input.l[i].name | true}",
    ] {
        let read = read(Plan, Engine::RegoV1, body);
        assert!(read.is_ok(), "{body}: {read:?}");
    }
}

#[test]
fn circles_through_all_rules_are_refused() {
    refused(
        Plan,
        &[
            ("a := data.spacelift", "a needs its own value", 1),
            ("a := count(data)", "a needs its own value", 1),
            ("a := x if x := data[_]", "a needs its own value", 1),
            (
                "a := x if { some y; x := data.spacelift[y] }",
                "a needs its own value",
                1,
            ),
        ],
    );
    for body in [
        "a := data.spacelift.deny",
        "a := data.other",
        "a := data.other[_]",
    ] {
        assert!(read(Plan, Engine::RegoV1, body).is_ok(), "{body}");
    }
}

#[test]
fn types_that_the_text_tells_are_held_against_the_contract() {
    refused(
        GitPush,
        &[
            (
                "track := true if { input.x } else := \"x\"",
                "the rule track is a string",
                1,
            ),
            (
                "track := sprintf(\"%s\", [input.x])",
                "the rule track is a string",
                1,
            ),
            (
                "track := x if { x := \"a\" }",
                "the rule track is a string",
                1,
            ),
            (
                "message contains x if { x := 1 }",
                "the rule message is a set of numbers",
                1,
            ),
            ("lock := input.x == 1", "the rule lock is a boolean", 1),
        ],
    );
    for body in [
        "track := x if { x := input.a == 1 }",
        "lock := x if { x := input.a }",
    ] {
        assert!(read(GitPush, Engine::RegoV1, body).is_ok(), "{body}");
    }
}

#[test]
fn variables_may_bear_the_names_of_the_preludes_rules() {
    for (kind, body) in [
        (
            Plan,
            "deny contains m if { some result in input.flags; m := result }",
        ),
        (
            Plan,
            "deny contains m if { some warn in input.flags; m := warn }",
        ),
        (
            Plan,
            "deny contains m if { some created_resources in input.flags; m := created_resources }",
        ),
        (
            GitPush,
            "track if { some message in input.flags; message == \"a\" }",
        ),
        (
            GitPush,
            "track if { some result; input.flags[result] == \"a\" }",
        ),
    ] {
        let policy = read(kind, Engine::RegoV1, body).unwrap();
        let said = policy.evaluate(&serde_json::json!({"flags": ["a"]}));
        let rules = said.unwrap().rules;
        let found: Vec<_> = rules.texts("deny").collect();
        assert!(found == ["a"] || rules.is_true("track"), "{body}");
    }
}
