//! Sensitive values: where they may not go, and that no message tells one.

use std::collections::BTreeMap;
use std::fs;

use super::{Evaluation, Given, evaluate};
use crate::files::Directory;
use crate::module::{Value, evaluate_text};

const SECRET: &str = "hunter2";

/// A variable that the machine gives a value to, and the body of a module that refers to it.
fn evaluated(kind: &str, value: &str, body: &str) -> Evaluation {
    let directory = tempfile::tempdir().unwrap();
    let variable = format!("variable \"s\" {{\n  type = {kind}\n  sensitive = true\n}}\n");
    fs::write(directory.path().join("main.tf"), variable + body).unwrap();
    let given = Given {
        machine: BTreeMap::from([("s".to_owned(), value.to_owned())]),
        ..Given::default()
    };
    evaluate(&Directory::new(directory.path()), "", &given, "manager")
}

#[test]
fn no_message_tells_a_secret() {
    let output =
        |value: &str| format!("output \"x\" {{\n  sensitive = true\n  value = {value}\n}}\n");
    let texts = [
        output("tonumber(var.s)"),
        output("var.s + 1"),
        output("-var.s"),
        output("var.s ? 1 : 2"),
        output("true || var.s"),
        output("{ a = 1 }[var.s]"),
        output("{ (var.s) = 1 }.b"),
        output("{ (var.s) = 1 }[\"b\"]"),
        output("{ (var.s) = 1 }.hunter3"),
        output("[1][var.s]"),
        output("{ for x in [1, 2] : var.s => x }"),
        output("lookup({}, var.s)"),
        output("file(var.s)"),
        output("templatefile(var.s, {})"),
        output("jsondecode(var.s)"),
        output("formatdate(\"YYYY\", var.s)"),
        output("format(var.s + 1, 2)"),
        output("format(\"%d\", var.s)"),
        output("parseint(var.s, 10)"),
        output("base64decode(\"${var.s}!\")"),
        output("cidrhost(var.s, 1)"),
        output("regex(var.s, \"x\")"),
        output("zipmap([var.s, 1], [1])"),
        output("tomap({ (var.s) = [], b = 1 })"),
        output("try(tonumber(var.s), jsondecode(var.s))"),
        output("templatestring(var.s, { \"${var.s}!\" = 1 })"),
        output("index([], var.s)"),
        output("[for x in var.s : x]"),
        output("setproduct(var.s)"),
        output("merge({}, var.s)"),
        output("concat([1], [2], var.s)"),
        "output \"x\" {\n  value = var.s\n}\n".to_owned(),
        "output \"x\" {\n  value = 1\n  precondition {\n    condition = var.s == \"\"\n    error_message = \"it is ${var.s}\"\n  }\n}\n".to_owned(),
        "variable \"t\" {\n  default = \"\"\n  validation {\n    condition = var.t != \"\"\n    error_message = \"no ${var.s}\"\n  }\n}\n".to_owned(),
        "resource \"spacelift_context\" \"x\" {\n  name = var.s\n}\n".to_owned(),
        "resource \"spacelift_context\" \"x\" {\n  name = \"a\"\n  labels = [var.s, [var.s]]\n}\n".to_owned(),
        "resource \"spacelift_context\" \"x\" {\n  name = \"a\"\n  labels = { (var.s) = 1 }\n}\n".to_owned(),
        "resource \"spacelift_environment_variable\" \"x\" {\n  name = \"a\"\n  stack_id = var.s\n}\n".to_owned(),
        "resource \"spacelift_context\" \"x\" {\n  for_each = toset([var.s])\n  name = each.key\n}\n".to_owned(),
        "resource \"spacelift_context\" \"x\" {\n  for_each = sensitive({ (var.s) = 1 })\n  name = \"a\"\n}\n".to_owned(),
        "resource \"spacelift_context\" \"x\" {\n  count = var.s\n  name = \"a\"\n}\n".to_owned(),
    ];
    for body in &texts {
        let evaluation = evaluated("string", SECRET, body);
        assert!(
            !evaluation.problems.is_empty(),
            "nothing is wrong with {body}"
        );
        let told = format!("{:?}", evaluation.problems);
        assert!(!told.contains(SECRET), "{body}\n{told}");
    }
    for (kind, value) in [
        ("map(number)", "{ hunter2 = \"x\" }"),
        ("list(number)", "[\"hunter2\"]"),
        ("object({ a = number })", "{ a = \"hunter2\" }"),
        ("map(string)", "{ hunter2 = "),
    ] {
        let evaluation = evaluated(kind, value, "");
        assert_eq!(evaluation.problems.len(), 1, "{kind} {value}");
        let told = format!("{:?}", evaluation.problems);
        assert!(!told.contains(SECRET), "{kind} {told}");
    }
}

#[test]
fn what_holds_a_sensitive_value_is_told_with_the_resource() {
    let body = r#"
locals {
  labels = [for label in ["a", var.s] : upper(label)]
}
resource "spacelift_stack" "x" {
  name        = "x"
  repository  = "r"
  branch      = "b"
  description = "of ${var.s}"
  labels      = local.labels
  before_init = ["echo", nonsensitive(var.s)]
  dynamic "github_enterprise" {
    for_each = sensitive(["acme"])
    content {
      namespace = github_enterprise.value
    }
  }
}
resource "spacelift_environment_variable" "x" {
  stack_id   = spacelift_stack.x.id
  name       = "V"
  value      = var.s == "" ? "none" : "some"
}
resource "spacelift_context" "x" {
  name        = "c"
  description = spacelift_environment_variable.x.value
}
"#;
    let evaluation = evaluated("string", SECRET, body);
    assert_eq!(evaluation.problems, []);
    let told: Vec<_> = evaluation
        .resources
        .iter()
        .map(|resource| {
            (
                resource.name.as_str(),
                resource.kind.as_str(),
                &*resource.sensitive,
            )
        })
        .collect();
    let own = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (kind, expected) in [
        (
            "spacelift_stack",
            own(&["description", "github_enterprise", "labels"]),
        ),
        ("spacelift_environment_variable", own(&["value"])),
        // The provider says that a variable's value is sensitive, so what refers to it is.
        ("spacelift_context", own(&["description"])),
    ] {
        let found = told.iter().find(|(_, own, _)| *own == kind).unwrap();
        assert_eq!(found.2, expected, "{kind}");
    }
    let stack = evaluation
        .resources
        .iter()
        .find(|it| it.kind == "spacelift_stack");
    let attributes = &stack.unwrap().attributes;
    assert_eq!(attributes["description"], format!("of {SECRET}"));
    assert_eq!(attributes["labels"], serde_json::json!(["A", "HUNTER2"]));
    assert_eq!(attributes["github_enterprise"][0]["namespace"], "acme");
}

#[test]
fn a_write_only_value_is_read_by_nobody() {
    let body = r#"
resource "spacelift_environment_variable" "x" {
  stack_id         = "s"
  name             = "V"
  value_wo         = var.s
  value_wo_version = 1
}
output "x" {
  value = nonsensitive(spacelift_environment_variable.x.value_wo)
}
"#;
    let evaluation = evaluated("string", SECRET, body);
    assert_eq!(evaluation.problems, []);
    assert_eq!(evaluation.outputs["x"], serde_json::Value::Null);
    assert_eq!(evaluation.resources[0].attributes["value_wo"], SECRET);
}

#[test]
fn a_mark_may_be_written_as_in_terraform() {
    for (written, is_right) in [
        ("true", true),
        ("\"true\"", true),
        ("1", false),
        ("null", false),
    ] {
        for block in ["variable", "output"] {
            let rest = if block == "output" {
                "value = 1"
            } else {
                "default = 1"
            };
            let body = format!("{block} \"x\" {{\n  {rest}\n  sensitive = {written}\n}}\n");
            let problems = evaluated("string", "", &body).problems;
            assert_eq!(problems.is_empty(), is_right, "{body} {problems:?}");
        }
    }
    let value = |text: &str| evaluate_text(text, "x", &BTreeMap::new()).unwrap();
    assert!(value("sensitive(1)").is_sensitive());
    assert_eq!(value("sensitive(1)").kind(), value("1").kind());
    assert_eq!(value("nonsensitive(sensitive(1))"), value("1"));
    assert!(!Value::null().is_sensitive());
}
