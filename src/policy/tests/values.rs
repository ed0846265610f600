//! What rules evaluate to.

use serde_json::{Value, json};

use super::{Engine, policy, read};
use crate::policy::{FailureReason, PolicyType, RuleValue};
use PolicyType::{Approval, GitPush, Notification, Plan, Trigger};

/// The rules as JSON, those that say nothing left out.
fn said(kind: PolicyType, engine: Engine, body: &str, input: &Value) -> Value {
    let opinion = read(kind, engine, body).unwrap().evaluate(input).unwrap();
    let rules = opinion
        .rules
        .rules
        .into_iter()
        .filter(|(_, value)| match value {
            RuleValue::Boolean(value) => *value,
            RuleValue::Text(text) => text.is_some(),
            RuleValue::Texts(texts) => !texts.is_empty(),
            RuleValue::Objects(objects) => !objects.is_empty(),
        });
    Value::Object(
        rules
            .map(|(rule, value)| (rule.to_owned(), serde_json::to_value(value).unwrap()))
            .collect(),
    )
}

#[test]
fn an_empty_policy_has_a_value_for_every_rule() {
    for kind in [Trigger, GitPush, Plan, Approval, Notification] {
        for engine in [Engine::RegoV0, Engine::RegoV1] {
            let opinion = read(kind, engine, "")
                .unwrap()
                .evaluate(&json!({}))
                .unwrap();
            for (rule, value) in opinion.rules.rules {
                let says_nothing = match value {
                    RuleValue::Boolean(value) => !value,
                    RuleValue::Text(text) => text.is_none(),
                    RuleValue::Texts(texts) => texts.is_empty(),
                    RuleValue::Objects(objects) => objects.is_empty(),
                };
                assert!(says_nothing, "{kind} {rule}");
            }
        }
    }
}

#[test]
fn rules_are_evaluated_as_in_opa() {
    let input = json!({"push": {"tag": "v1", "branch": "main"}, "pull_request": null,
        "list": [true, false], "stack": {"id": "abc"}});
    for (kind, body, result) in [
        (GitPush, "track { true }", json!({"track": true})),
        (GitPush, "default track = true", json!({"track": true})),
        (
            GitPush,
            "default track = true\ntrack = false { input.push.tag != \"\" }",
            json!({}),
        ),
        (
            GitPush,
            "ignore { not track; not propose }",
            json!({"ignore": true}),
        ),
        (
            GitPush,
            "propose { not is_null(input.pull_request) }",
            json!({}),
        ),
        (GitPush, "lock = input.stack.id", json!({"lock": "abc"})),
        (GitPush, "lock = input.nothing", json!({})),
        (GitPush, "lock = \"\"", json!({})),
        (GitPush, "default lock = \"a\"", json!({"lock": "a"})),
        (
            GitPush,
            "cancel[x] { x := [\"b\", \"a\"][_] }",
            json!({"cancel": ["a", "b"]}),
        ),
        (
            GitPush,
            "track { re_match(`^v\\d+$`, input.push.tag) }",
            json!({"track": true}),
        ),
        (
            GitPush,
            "track { re_match(`^\\d+$`, input.push.tag) }",
            json!({}),
        ),
        (
            GitPush,
            "track { any(input.list) }\npropose { all(input.list) }",
            json!({"track": true}),
        ),
        (
            GitPush,
            "track { all([]) }\npropose { any([]) }",
            json!({"track": true}),
        ),
        (
            GitPush,
            "track { set_diff({1, 2}, {1}) == {2} }",
            json!({"track": true}),
        ),
        (GitPush, "track { any(s) { s } }", json!(null)),
        (
            Trigger,
            "trigger[x] { x := sanitized(input.stack.id) }",
            json!({"trigger": ["f20015ad"]}),
        ),
        (Trigger, "trigger[x] { x := sanitized(1) }", json!({})),
        (
            Trigger,
            "trigger[\"a\"] { not sanitized(null) }",
            json!({"trigger": ["a"]}),
        ),
        (
            Trigger,
            "trigger[x] { x := substring(crypto.sha256(\"abc\"), 0, 8) }",
            json!({"trigger": ["ba7816bf"]}),
        ),
        (
            Trigger,
            "trigger[x] { x := format_int(to_number(\"x\"), 10) }\nflag[\"f\"] { true }",
            json!({"flag": ["f"]}),
        ),
        (
            Trigger,
            "trigger[x] { x := sprintf(\"%d\", [1 / 0]) }",
            json!({}),
        ),
        (Trigger, "sample = true", json!({"sample": true})),
        (Trigger, "sample { true }", json!({"sample": true})),
        (
            Approval,
            "approve { not requires }\nrequires { input.push.tag == \"\" }",
            json!({"approve": true}),
        ),
        (
            Notification,
            "inbox[{\"title\": \"a\"}] { true }\ninbox[{\"title\": \"a\"}] { true }",
            json!({"inbox": [{"title": "a"}]}),
        ),
        (
            Notification,
            "inbox[{\"title\": \"a\"}] { input.internal_error != null }",
            json!({}),
        ),
    ] {
        if result.is_null() {
            assert!(read(kind, Engine::RegoV0, body).is_err(), "{body}");
        } else {
            assert_eq!(said(kind, Engine::RegoV0, body, &input), result, "{body}");
        }
    }
}

#[test]
fn rego_v1_is_evaluated() {
    let input = json!({"ids": ["a", "b"]});
    for (kind, body, result) in [
        (
            Trigger,
            "trigger contains id if some id in input.ids",
            json!({"trigger": ["a", "b"]}),
        ),
        (Trigger, "trigger contains \"a\"", json!({"trigger": ["a"]})),
        (
            GitPush,
            "track if \"a\" in input.ids",
            json!({"track": true}),
        ),
        (GitPush, "track := true if \"c\" in input.ids", json!({})),
        (
            Plan,
            "deny contains \"no\" if every id in input.ids { id != \"c\" }",
            json!({"deny": ["no"]}),
        ),
    ] {
        assert_eq!(said(kind, Engine::RegoV1, body, &input), result, "{body}");
    }
}

#[test]
fn plan_policies_have_aliases() {
    let change = |address: &str, actions: &[&str]| json!({"address": address, "change": {"actions": actions}});
    let input = json!({"terraform": {"resource_changes": [
        change("created", &["create"]),
        change("deleted", &["delete"]),
        change("updated", &["update"]),
        change("replaced", &["delete", "create"]),
        change("replaced2", &["create", "delete"]),
        change("same", &["no-op"]),
        change("seen", &["read"]),
    ]}});
    for (alias, addresses) in [
        (
            "affected_resources",
            json!(["created", "deleted", "replaced", "replaced2", "updated"]),
        ),
        (
            "created_resources",
            json!(["created", "replaced", "replaced2"]),
        ),
        (
            "deleted_resources",
            json!(["deleted", "replaced", "replaced2"]),
        ),
        ("recreated_resources", json!(["replaced", "replaced2"])),
        ("updated_resources", json!(["updated"])),
    ] {
        let body = format!("warn[address] {{ address := {alias}[_].address }}");
        assert_eq!(
            said(Plan, Engine::RegoV0, &body, &input),
            json!({"warn": addresses}),
            "{alias}"
        );
    }
    let own = "updated_resources[x] { x := \"mine\" }\nwarn[x] { updated_resources[x] }";
    assert_eq!(
        said(Plan, Engine::RegoV0, own, &input),
        json!({"warn": ["mine"]})
    );
}

#[test]
fn a_value_of_another_type_is_a_failure() {
    for (kind, body, rule) in [
        (GitPush, "track = input.x", "track"),
        (GitPush, "lock = input.x[0]", "lock"),
        (Trigger, "trigger[x] { x := input.x[_] }", "trigger"),
        (Notification, "inbox[x] { x := input.x[_] }", "inbox"),
    ] {
        let failure = policy(kind, body).evaluate(&json!({"x": [1]})).unwrap_err();
        assert_eq!(failure.reason, FailureReason::WrongType, "{body}");
        assert!(
            failure
                .message
                .starts_with(&format!("the rule {rule} is not ")),
            "{failure}"
        );
    }
}

#[test]
fn two_values_of_one_rule_are_a_failure() {
    let conflict = policy(GitPush, "track = true\ntrack = false { true }");
    let failure = conflict.evaluate(&json!({})).unwrap_err();
    assert_eq!(failure.reason, FailureReason::Failed);
    assert!(failure.message.starts_with("line "), "{failure}");
}

/// No clock stops a builtin at work.
#[test]
fn longest_ranges_fail_the_policy_at_once() {
    for body in [
        "trigger contains \"a\" if count(numbers.range(1, 300000000)) > 0",
        "trigger contains \"a\" if count(numbers.range_step(1, 300000000, 1)) > 0",
    ] {
        let policy = read(Trigger, Engine::RegoV1, body).unwrap();
        let failure = policy.evaluate(&json!({})).unwrap_err();
        let told = failure.to_string();
        assert!(told.contains("more than 1000000 numbers"), "{told}");
    }
}

/// One call is out of the time limit's sight, and what doubles with each line soon takes all memory.
#[test]
fn what_grows_without_end_fails_the_policy_at_once() {
    let doubled = |first: &str, step: &str, last: &str| {
        let lines: String = (1..=32)
            .map(|line| {
                format!(
                    "x{line} := {}\n",
                    step.replace('X', &format!("x{}", line - 1))
                )
            })
            .collect();
        format!("x0 := {first}\n{lines}trigger contains \"a\" if {last}")
    };
    let text = "\"aaaaaaaaaa\"";
    for (body, says) in [
        (doubled(text, "concat(\"\", [X, X])", "x32"), "bytes"),
        (doubled(text, "replace(X, \"a\", X)", "x32"), "bytes"),
        (doubled(text, "regex.replace(X, \"a\", X)", "x32"), "bytes"),
        (
            doubled(text, "strings.replace_n({\"a\": X}, X)", "x32"),
            "bytes",
        ),
        (doubled(text, "sprintf(\"%s%s\", [X, X])", "x32"), "bytes"),
        (doubled("[1]", "array.concat(X, X)", "x32"), "1000000"),
        (
            "trigger contains \"a\" if bits.lsh(1, 4000000000) > 1".to_owned(),
            "64 bits",
        ),
        (
            "nodes := numbers.range(1, 20)\n\
             graph := {n: nodes | some n in nodes}\n\
             trigger contains \"a\" if graph.reachable_paths(graph, [1])"
                .to_owned(),
            "100000 steps",
        ),
        (
            "graph := {n: [n + 1] | some n in numbers.range(1, 5000)}\n\
             trigger contains \"a\" if graph.reachable_paths(graph, [1])"
                .to_owned(),
            "1000 nodes",
        ),
    ] {
        let policy = read(Trigger, Engine::RegoV1, &body).unwrap();
        let told = policy.evaluate(&json!({})).unwrap_err().to_string();
        assert!(told.contains(says), "{told}");
    }
    let body = "trigger contains \"a\" if count(sprintf(\"%.2000000000f\", [1.5])) < 100";
    let policy = read(Trigger, Engine::RegoV1, body).unwrap();
    assert!(policy.evaluate(&json!({})).is_ok());
}
