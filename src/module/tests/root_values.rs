//! Where the values of the root's variables come from, and which goes before which.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use super::{Evaluation, Given, errors, evaluate};
use crate::files::Directory;

fn evaluated(files: &[(&str, &str)], machine: &[(&str, &str)]) -> Evaluation {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        fs::write(directory.path().join(path), text).unwrap();
    }
    let machine = machine.iter();
    let given = Given {
        machine: machine
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        supplied: BTreeMap::from([
            ("spacelift_commit_sha", "c0ffee".to_owned()),
            ("spacelift_stack_id", "manager".to_owned()),
        ]),
    };
    evaluate(&Directory::new(directory.path()), "", &given, "manager")
}

const X: (&str, &str) = (
    "main.tf",
    "variable \"x\" {\n  type = string\n  default = \"default\"\n}\noutput \"x\" { value = var.x }\n",
);

#[test]
fn the_later_source_goes_before_the_earlier() {
    // Each is set beside all that come before it.
    let sources = [
        ("dayfly.hcl", "variables {\n  x = \"settings\"\n}\n"),
        ("", "machine"),
        ("terraform.tfvars", "x = \"plain\"\n"),
        ("terraform.tfvars.json", "{\"x\": \"json\"}"),
        ("a.auto.tfvars", "x = \"a\"\n"),
        ("b.auto.tfvars.json", "{\"//\": \"c\", \"x\": \"${b}\"}"),
        ("c.auto.tfvars", "x = \"c\"\n"),
    ];
    let expected = [
        "default", "settings", "machine", "plain", "json", "a", "${b}", "c",
    ];
    for (count, expected) in expected.into_iter().enumerate() {
        let (mut files, mut machine) = (vec![X], Vec::new());
        for (path, text) in &sources[..count] {
            match *path {
                "" => machine.push(("x", *text)),
                path => files.push((path, *text)),
            }
        }
        let evaluation = evaluated(&files, &machine);
        assert_eq!(evaluation.problems, [], "{expected}");
        assert_eq!(evaluation.outputs["x"], expected);
    }
}

#[test]
fn text_of_the_machine_is_read_as_the_type_says() {
    for (kind, text, expected) in [
        ("type = string", "[\"a\"]", json!("[\"a\"]")),
        ("type = string", "", json!("")),
        ("", "[1]", json!("[1]")),
        ("type = number", "5", json!(5)),
        ("type = bool", "true", json!(true)),
        ("type = list(string)", "[\"a\", 1]", json!(["a", "1"])),
        ("type = map(number)", "{ a = \"1\" }", json!({"a": 1})),
        ("type = any", "[1]", json!([1])),
        ("type = any", "\"1\"", json!("1")),
    ] {
        let text_of = format!("variable \"x\" {{ {kind} }}\noutput \"x\" {{ value = var.x }}\n");
        let evaluation = evaluated(&[("main.tf", &text_of)], &[("x", text), ("y", "ignored")]);
        assert_eq!(errors(&evaluation), [""; 0], "{kind} {text}");
        assert_eq!(evaluation.outputs["x"], expected, "{kind} {text}");
    }
    for (kind, text) in [
        ("list(string)", "s3cret, ["),
        ("any", "s3cret"),
        ("list(string)", "[upper(\"s3cret\")]"),
    ] {
        let text_of = format!("variable \"x\" {{ type = {kind} }}\n");
        let errors = errors(&evaluated(&[("main.tf", &text_of)], &[("x", text)]));
        assert_eq!(
            errors,
            ["main.tf:1:1: TF_VAR_x of this machine is no value of the type of this variable"]
        );
    }
}

#[test]
fn what_spacelift_supplies_gives_way_to_the_machine() {
    let text =
        "variable \"spacelift_stack_id\" {}\noutput \"x\" { value = var.spacelift_stack_id }\n";
    assert_eq!(evaluated(&[("main.tf", text)], &[]).outputs["x"], "manager");
    let own = evaluated(&[("main.tf", text)], &[("spacelift_stack_id", "own")]);
    assert_eq!(own.outputs["x"], "own");
    assert!(own.environments.apart);
    let text =
        "variable \"spacelift_commit_sha\" {}\noutput \"x\" { value = var.spacelift_commit_sha }\n";
    let of_commit = evaluated(&[("main.tf", text)], &[]);
    assert_eq!(of_commit.outputs["x"], "c0ffee");
    assert!(
        !of_commit.environments.apart,
        "another commit, another value"
    );
}

#[test]
fn mistakes_say_where_they_stand() {
    let wrong = |files: &[(&str, &str)]| {
        let problems = evaluated(&[&[X], files].concat(), &[]).problems;
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        wrong(&[("terraform.tfvars", "\ny = 1\n")]),
        ["terraform.tfvars:2:1: the root module has no variable y"]
    );
    assert_eq!(
        wrong(&[("dayfly.hcl", "variables {\n  x = [1]\n}\n")]),
        ["dayfly.hcl:2:3: unsuitable value of the variable \"x\": a string is required"]
    );
    assert_eq!(
        wrong(&[("a.auto.tfvars.json", "{\n  \"x\": [1]\n}\n")]),
        ["a.auto.tfvars.json:2:8: unsuitable value of the variable \"x\": a string is required"]
    );
    assert_eq!(
        wrong(&[("a.auto.tfvars.json", "{\"x\": 1, \"x\": 2}")]),
        ["a.auto.tfvars.json:1:15: x is given twice"]
    );
    assert_eq!(
        wrong(&[("terraform.tfvars", "x = upper(\"a\")\n")]),
        ["terraform.tfvars:1:5: upper cannot be called here: the value must be constant"]
    );
    assert_eq!(
        wrong(&[("terraform.tfvars", "x = var.y\n")]),
        ["terraform.tfvars:1:5: var cannot be used here: the value must be constant"]
    );
    assert_eq!(
        wrong(&[("terraform.tfvars", "x {}\n")]),
        ["terraform.tfvars:1:1: blocks cannot stand here, only `name = value`"]
    );
    let evaluation = evaluated(&[("main.tf", "variable \"z\" {}\n")], &[]);
    let problem = &evaluation.problems[0];
    assert_eq!(
        problem.to_string(),
        "main.tf:1:1: no value is given for the variable \"z\", which has no default"
    );
    assert_eq!(
        problem.hint.as_deref(),
        Some(
            "set it in `variables { z = … }` of dayfly.hcl, in terraform.tfvars, or as TF_VAR_z of the machine"
        )
    );
}

#[test]
fn a_source_that_cannot_be_read_leaves_no_default() {
    for (path, text) in [
        ("terraform.tfvars", "x = "),
        ("terraform.tfvars.json", "{"),
        ("terraform.tfvars.json", "[]"),
        ("z.auto.tfvars", "x = 1\nx = 2\n"),
        ("dayfly.hcl", "variables {"),
    ] {
        let evaluation = evaluated(&[X, (path, text)], &[]);
        assert!(!evaluation.outputs.contains_key("x"), "{path} {text}");
    }
}
