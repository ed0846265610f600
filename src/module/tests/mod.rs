//! A repository in the generated layout, evaluated.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::{Evaluation, Given, Resource, evaluate};
use crate::files::Directory;
use crate::problem::Severity;

mod json_files;
mod parts;
mod presences;
mod refusals;
mod root_values;
mod sensitive;

const ROOT: &str = r#"
terraform {
  required_providers {
    spacelift = { source = "spacelift-io/spacelift" }
  }
}
provider "spacelift" {}
data "spacelift_current_stack" "manager" {}
resource "spacelift_policy" "trigger" {
  name = "Trigger policy"
  type = "TRIGGER"
  body = file("${path.module}/policies/trigger.rego")
}
resource "spacelift_policy_attachment" "trigger" {
  policy_id = spacelift_policy.trigger.id
  stack_id  = data.spacelift_current_stack.manager.id
}
module "hello" {
  source = "./hello"
}
"#;

const SERVICE: &str = r#"
resource "spacelift_policy" "push" {
  name = "hello push"
  type = "GIT_PUSH"
  body = "package spacelift"
}
resource "spacelift_stack" "common" {
  name       = "hello common"
  repository = "hello-common"
  branch     = "main"
}
module "instances" {
  source   = "./environments"
  policies = { push = spacelift_policy.push.id }
}
output "common" {
  value = spacelift_stack.common.id
}
"#;

const ENVIRONMENT_VARIABLES: &str = "variable \"policies\" {\n  type = map(string)\n}\n";

const TEMPLATE_VARIABLES: &str = r#"
variable "environment" {
  type = string
}
variable "code_version" {
  type    = string
  default = "latest"
}
variable "policies" {
  type = map(string)
}
"#;

const TEMPLATE: &str = r#"
resource "spacelift_stack" "this" {
  name         = "Hello (${var.environment})"
  repository   = "hello-infra"
  branch       = "main"
  autodeploy   = true
  labels       = ["preview", "hello", "preview"]
  before_init  = ["echo ${var.environment}"]
}
resource "spacelift_environment_variable" "code_version" {
  stack_id   = spacelift_stack.this.id
  name       = "TF_VAR_code_version"
  value      = var.code_version
  write_only = false
}
resource "spacelift_stack_destructor" "this" {
  stack_id   = spacelift_stack.this.id
  depends_on = [spacelift_environment_variable.code_version]
}
resource "spacelift_policy_attachment" "push" {
  for_each  = var.policies
  policy_id = each.value
  stack_id  = spacelift_stack.this.id
}
"#;

fn environment(id: &str) -> String {
    format!(
        "module \"acme-hello-{id}\" {{\n  source = \"../template\"\n  environment = \"{id}\"\n  policies = var.policies\n}}\n"
    )
}

struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.write("main.tf", ROOT);
        repository.write("policies/trigger.rego", "package spacelift\n");
        repository.write("hello/main.tf", SERVICE);
        repository.write("hello/template/main.tf", TEMPLATE);
        repository.write("hello/template/variables.tf", TEMPLATE_VARIABLES);
        repository.write("hello/environments/variables.tf", ENVIRONMENT_VARIABLES);
        for id in ["aaaa1111", "bbbb2222"] {
            repository.write(
                &format!("hello/environments/acme-hello-{id}.tf"),
                &environment(id),
            );
        }
        repository
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(""))).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn replace(&self, path: &str, from: &str, to: &str) -> &Self {
        let text = fs::read_to_string(self.0.path().join(path)).unwrap();
        assert!(text.contains(from), "{path} has no {from}");
        self.write(path, &text.replacen(from, to, 1))
    }

    fn remove(&self, path: &str) -> &Self {
        let path = self.0.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
        self
    }

    fn evaluate(&self) -> Evaluation {
        parts::evaluate(&Directory::new(self.0.path()))
    }
}

fn errors(evaluation: &Evaluation) -> Vec<String> {
    let errors = evaluation
        .problems
        .iter()
        .filter(|it| it.severity == Severity::Error);
    errors.map(ToString::to_string).collect()
}

fn find<'a>(evaluation: &'a Evaluation, address: &str) -> &'a Resource {
    let found = evaluation
        .resources
        .iter()
        .find(|resource| resource.address == address);
    found.unwrap_or_else(|| panic!("no {address} among {:#?}", evaluation.problems))
}

const A: &str = "module.hello.module.instances.module.acme-hello-aaaa1111";

#[test]
fn the_generated_layout_evaluates() {
    let evaluation = Repository::new().evaluate();
    assert_eq!(evaluation.problems, []);
    assert_eq!(evaluation.resources.len(), 4 + 2 * 4);
    let stack = find(&evaluation, &format!("{A}.spacelift_stack.this"));
    assert_eq!(stack.attributes["id"], "hello-aaaa1111");
    assert_eq!(stack.attributes["slug"], "hello-aaaa1111");
    assert_eq!(stack.attributes["labels"], json!(["hello", "preview"]));
    assert_eq!(stack.attributes["manage_state"], true);
    assert_eq!(stack.attributes.get("description"), None);
    assert_eq!(stack.attributes.get("github_enterprise"), None);
    assert_eq!(
        stack.origin.environment().unwrap().file,
        "hello/environments/acme-hello-aaaa1111.tf"
    );
    assert_eq!(
        (stack.origin.file.as_str(), stack.origin.line),
        ("hello/template/main.tf", 2)
    );
    let attachment = find(
        &evaluation,
        &format!("{A}.spacelift_policy_attachment.push[\"push\"]"),
    );
    assert_eq!(attachment.attributes["id"], "hello-push/hello-aaaa1111");
    assert_eq!(
        *attachment.depends_on,
        [
            "module.hello.spacelift_policy.push".into(),
            format!("{A}.spacelift_stack.this").into()
        ]
    );
    let destructor = find(&evaluation, &format!("{A}.spacelift_stack_destructor.this"));
    let variable = format!("{A}.spacelift_environment_variable.code_version");
    assert!(destructor.depends_on.contains(&variable.into()));
    let manager = find(&evaluation, "spacelift_policy_attachment.trigger");
    assert_eq!(manager.attributes["stack_id"], "manager");
}

#[test]
fn each_resource_stands_after_what_it_depends_on() {
    let evaluation = Repository::new().evaluate();
    let mut seen: Vec<&str> = Vec::new();
    for resource in &evaluation.resources {
        for other in &*resource.depends_on {
            assert!(
                seen.contains(&&**other),
                "{} before {other}",
                resource.address
            );
        }
        seen.push(&resource.address);
    }
}

#[test]
fn one_mistake_of_the_template_is_said_once_with_the_number_of_environments() {
    let repository = Repository::new();
    repository.replace("hello/template/main.tf", "autodeploy ", "autodeply ");
    let problems = repository.evaluate().problems;
    assert_eq!(problems.len(), 1);
    let problem = &problems[0];
    assert_eq!(
        problem.to_string(),
        "hello/template/main.tf:6:3: spacelift_stack has no attribute autodeply"
    );
    let hint = problem.hint.as_deref().unwrap();
    assert!(
        hint.starts_with("did you mean autodeploy?; found for module.hello"),
        "{hint}"
    );
    assert!(hint.ends_with("and one other environment"), "{hint}");
}

#[test]
fn dynamic_blocks_and_deprecated_attributes() {
    let directory = tempfile::tempdir().unwrap();
    let body = r#"
variable "namespace" {}
resource "spacelift_stack" "x" {
  name           = "a"
  slug           = "chosen"
  repository     = "r"
  branch         = "b"
  administrative = true
  dynamic "github_enterprise" {
    for_each = [var.namespace]
    content {
      namespace = github_enterprise.value
    }
  }
  lifecycle {
    ignore_changes = [name]
  }
}
output "slug" {
  value = spacelift_stack.x.id
}
"#;
    fs::write(directory.path().join("main.tf"), body).unwrap();
    let given = Given {
        machine: BTreeMap::from([("namespace".to_owned(), "acme".to_owned())]),
        ..Given::default()
    };
    let evaluation = evaluate(&Directory::new(directory.path()), "", &given, "manager");
    assert_eq!(errors(&evaluation), [""; 0]);
    let warnings: Vec<&str> = evaluation
        .problems
        .iter()
        .map(|it| it.message.as_str())
        .collect();
    assert_eq!(
        warnings,
        ["the attribute administrative of spacelift_stack is deprecated",]
    );
    let stack = &evaluation.resources[0];
    assert_eq!(
        stack.attributes["github_enterprise"][0]["namespace"],
        "acme"
    );
    assert_eq!(evaluation.outputs["slug"], "chosen");
}

#[test]
fn deep_expressions_are_refused_or_evaluated_on_a_small_stack() {
    let chain = |count: usize| {
        let mut text = String::from("locals {\n  l0 = 1\n");
        for index in 1..count {
            text += &format!("  l{index} = local.l{} + 1\n", index - 1);
        }
        text + &format!("}}\noutput \"x\" {{\n  value = local.l{}\n}}\n", count - 1)
    };
    let directory = tempfile::tempdir().unwrap();
    for (count, fine) in [(30, true), (5000, false)] {
        // The last first, so that each asks for the one before it.
        fs::write(directory.path().join("main.tf"), chain(count)).unwrap();
        let evaluation = evaluate(
            &Directory::new(directory.path()),
            "",
            &Given::default(),
            "manager",
        );
        if fine {
            assert_eq!(evaluation.outputs["x"], 30);
        }
    }
    let sum = vec!["1"; 120].join(" + ");
    fs::write(
        directory.path().join("main.tf"),
        format!("output \"x\" {{\n  value = {sum}\n}}\n"),
    )
    .unwrap();
    let evaluation = evaluate(
        &Directory::new(directory.path()),
        "",
        &Given::default(),
        "manager",
    );
    assert_eq!(evaluation.outputs["x"], 120);
    let mut reversed = String::from("locals {\n");
    for index in 0..3000 {
        reversed += &format!("  l{index} = local.l{} + 1\n", index + 1);
    }
    fs::write(
        directory.path().join("main.tf"),
        reversed + "  l3000 = 1\n}\n",
    )
    .unwrap();
    let evaluation = evaluate(
        &Directory::new(directory.path()),
        "",
        &Given::default(),
        "manager",
    );
    assert!(
        errors(&evaluation)
            .iter()
            .any(|error| error.contains("nested too deeply"))
    );
}
