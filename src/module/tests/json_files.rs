//! Configuration in JSON: the same resources as in HCL, and problems with their places in the file.

use serde_json::json;

use super::{Evaluation, Repository};

const HCL: &str = r#"
resource "spacelift_context" "shared" {
  name   = "shared"
  labels = ["a", "b"]
}
resource "spacelift_stack" "one" {
  name       = "one ${spacelift_context.shared.name}"
  repository = "hello"
  branch     = "main"
  github_enterprise {
    namespace = "acme"
  }
  lifecycle {
    ignore_changes = [labels]
  }
  depends_on = [spacelift_context.shared]
}
"#;

const JSON: &str = r#"{
  "resource": {
    "spacelift_context": {"shared": {"name": "shared", "labels": ["a", "b"]}},
    "spacelift_stack": {
      "one": {
        "//": "a comment",
        "name": "one ${spacelift_context.shared.name}",
        "repository": "hello",
        "branch": "main",
        "github_enterprise": [{"namespace": "acme"}],
        "lifecycle": {"ignore_changes": ["labels"]},
        "depends_on": ["spacelift_context.shared"]
      }
    }
  }
}"#;

fn read(name: &str, text: &str) -> Evaluation {
    let repository = Repository(tempfile::tempdir().unwrap());
    repository.write(name, text).evaluate()
}

#[test]
fn a_file_in_json_makes_what_its_twin_in_hcl_makes() {
    let made = |evaluation: &Evaluation| {
        let resources = evaluation.resources.iter();
        let told = resources.map(|it| json!([it.address, it.attributes, it.depends_on]));
        told.collect::<Vec<_>>()
    };
    let (hcl, json) = (read("main.tf", HCL), read("main.tf.json", JSON));
    assert_eq!(made(&hcl).len(), 2);
    assert_eq!(made(&json), made(&hcl), "{:?}", json.problems);
}

#[test]
fn a_problem_is_told_where_it_stands_in_the_file() {
    let cases = [
        (
            JSON.replace("\"main\"", "\"${var.missing}\""),
            "main.tf.json:9:19: ",
        ),
        (
            JSON.replace("\"main\"", "\"${\""),
            "main.tf.json:9:19: syntax error in this template",
        ),
        (
            JSON.replace("\"spacelift_context.shared\"]", "\"}{\"]"),
            "main.tf.json:12:24: syntax error in this expression",
        ),
        (JSON.replace("\"branch\"", "\"brunch\""), "main.tf.json:9:"),
        (
            JSON.replace("\"branch\": \"main\",", "\"branch\" \"main\","),
            "main.tf.json:9:18: syntax error: expected `:`",
        ),
        ("[1]".to_owned(), "main.tf.json:1:2: an object is expected"),
        (
            r#"{"wat": {}}"#.to_owned(),
            "main.tf.json:1:9: there is no block wat",
        ),
    ];
    for (text, expected) in cases {
        let problems = read("main.tf.json", &text).problems;
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            told.iter().any(|problem| problem.starts_with(expected)),
            "{expected}: {told:#?}"
        );
    }
}
