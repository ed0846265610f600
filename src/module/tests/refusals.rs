//! What is not accepted, and what is said about it.

use std::fs;

use super::errors;
use crate::files::Directory;
use crate::module::{Given, evaluate};

/// A body of a module, and parts of the errors it must give, each in its turn.
const REFUSALS: &[(&str, &[&str])] = &[
    (
        "ephemeral \"aws_x\" \"x\" {}",
        &["ephemeral blocks are not supported"],
    ),
    (
        "resource \"aws_s3_bucket\" \"x\" {}",
        &["aws_s3_bucket is not supported"],
    ),
    (
        "resource \"spacelift_stak\" \"x\" {}",
        &["no resource type spacelift_stak"],
    ),
    ("data \"aws_ami\" \"x\" {}", &["data source aws_ami"]),
    (
        "data \"spacelift_stack\" \"x\" {}",
        &["data source spacelift_stack"],
    ),
    (
        "resource \"spacelift_stack\" \"x\" {\n  nme = 1\n}",
        &[
            "needs the attribute branch",
            "needs the attribute name",
            "needs the attribute repository",
            "no attribute nme",
        ],
    ),
    (
        "resource \"spacelift_context\" \"x\" {\n  name = []\n}",
        &["unsuitable value of name: a string is required"],
    ),
    (
        "resource \"spacelift_context\" \"x\" {\n  name = \"!!\"\n}",
        &[
            "main.tf:3:3: no id can be made for spacelift_context.x: its name \"!!\" holds no letter",
        ],
    ),
    (
        "resource \"spacelift_stack\" \"x\" {\n  name = \"a\"\n  repository = \"r\"\n  branch = \"b\"\n  slug = \"a/../../x\"\n}",
        &[
            "main.tf:6:3: \"a/../../x\" cannot be the slug of spacelift_stack.x: a slug is 1 to 256 of",
        ],
    ),
    (
        "resource \"spacelift_context\" \"x\" {\n  name = \"a\"\n  id = \"b\"\n}",
        &["id of spacelift_context cannot be set"],
    ),
    (
        "resource \"spacelift_context\" \"x\" {\n  name = spacelift_context.x.name\n}",
        &["circle"],
    ),
    (
        "resource \"spacelift_environment_variable\" \"x\" {\n  name = \"a\"\n  stack_id = \"s\"\n  context_id = \"c\"\n}",
        &["exactly one of"],
    ),
    (
        "resource \"spacelift_environment_variable\" \"x\" {\n  name = \"a\"\n  stack_id = \"s\"\n  value_wo = \"c\"\n}",
        &["needs value_wo_version"],
    ),
    (
        "resource \"spacelift_stack\" \"x\" {\n  name = \"a\"\n  repository = \"r\"\n  branch = \"b\"\n  kubernetes {}\n  opentofu {}\n}",
        &["cannot be given together"],
    ),
    (
        "resource \"spacelift_context\" \"a\" {\n  name = \"a\"\n}\nresource \"spacelift_context\" \"b\" {\n  name = \"A!\"\n}",
        &[
            "two objects of type spacelift_context have the id \"a\": spacelift_context.b and spacelift_context.a",
        ],
    ),
    (
        "resource \"spacelift_worker_pool\" \"a\" {\n  name = \"a\"\n}\noutput \"x\" {\n  value = spacelift_worker_pool.a.config\n}",
        &["known to Spacelift only"],
    ),
    (
        "resource \"spacelift_context\" \"a\" {\n  name = \"a\"\n  depends_on = [spacelift_context.b]\n}\nresource \"spacelift_context\" \"b\" {\n  name = \"b\"\n  depends_on = [spacelift_context.a]\n}",
        &["wait for each other in a circle: spacelift_context.a, spacelift_context.b"],
    ),
    (
        "resource \"spacelift_context\" \"a\" {\n  name = \"a\"\n  for_each = [\"x\"]\n}",
        &["for_each takes a map or a set"],
    ),
    (
        "resource \"spacelift_context\" \"a\" {\n  name = \"a\"\n  lifecycle {\n    precondition {\n      condition = false\n      error_message = \"Not so.\"\n    }\n  }\n}",
        &["precondition does not hold: Not so"],
    ),
    (
        "variable \"a\" {}",
        &["no value is given for the variable \"a\""],
    ),
    (
        "variable \"a\" {\n  type = strin\n  default = 1\n}",
        &["no type strin"],
    ),
    (
        "variable \"a\" {\n  type = number\n  default = \"x\"\n}",
        &["unsuitable default of the variable \"a\": a number is required"],
    ),
    (
        "variable \"a\" {\n  default = null\n  nullable = false\n}",
        &["the default of the variable \"a\" must not be null"],
    ),
    (
        "variable \"a\" {\n  default = 1\n  description = upper(\"a\")\n}",
        &["upper cannot be called here: the value must be constant"],
    ),
    (
        "variable \"a\" {\n  default = 1\n  ephemeral = true\n}",
        &["ephemeral variables are not supported"],
    ),
    (
        "variable \"a\" {\n  default = upper(\"a\")\n}",
        &["upper cannot be called here: the value must be constant"],
    ),
    (
        "variable \"a\" {\n  nullable = \"perhaps\"\n  default = 1\n}",
        &["nullable must be true or false"],
    ),
    (
        "variable \"a\" {\n  type = object({ \"b\" = string })\n  default = { b = \"\" }\n}",
        &["an attribute's name in a type is written without quotes"],
    ),
    (
        "variable \"a\" {\n  type = list(tuple([any]))\n  default = [[{ b = 1 }], null]\n}",
        &["unsuitable default of the variable \"a\": all elements must have the same type"],
    ),
    (
        "variable \"a\" {\n  default = 1\n  validation {\n    condition = var.a > 1\n    error_message = \"Too small: ${var.a}.\"\n  }\n}",
        &["invalid value of the variable \"a\": Too small: 1"],
    ),
    (
        "variable \"a\" {\n  default = 1\n  typ = number\n}",
        &["no argument typ"],
    ),
    (
        "locals {\n  a = 1\n}\nlocals {\n  a = 2\n}",
        &["duplicate local value \"a\": it is already defined at main.tf:3"],
    ),
    ("locals {\n  a = local.b\n}", &["no local value \"b\""]),
    (
        "locals {\n  a = terraform.workspace\n}",
        &["terraform.workspace is not available"],
    ),
    (
        "locals {\n  a = path.cwd\n}",
        &["path.cwd is not available"],
    ),
    (
        "locals {\n  a = timestamp()\n}",
        &["timestamp is not available: its result changes with the clock"],
    ),
    (
        "locals {\n  a = uper(\"x\")\n}",
        &["there is no function uper"],
    ),
    (
        "locals {\n  a = file(\"../x\")\n}",
        &["leads out of the repository"],
    ),
    (
        "locals {\n  a = file(\"/etc/passwd\")\n}",
        &["leads out of the repository"],
    ),
    (
        "locals {\n  a = upper([])\n  b = local.a\n  c = local.b\n}",
        &["upper: argument 1"],
    ),
    (
        "module \"x\" {\n  source = \"terraform-aws-modules/vpc/aws\"\n}",
        &["is not a directory of the repository"],
    ),
    (
        "module \"x\" {\n  source = \"./.\"\n}",
        &["calls itself in a circle"],
    ),
    ("module \"x\" {}", &["has no source"]),
    ("moved {}", &["a moved block has the addresses from and to"]),
    (
        "moved {\n  from = spacelift_stack.a\n  to = spacelift_policy.a\n}",
        &["cannot be moved to another type"],
    ),
    (
        "locals {}\nresource \"spacelift_context\" \"a\" { name = \"a\" }\nmoved {\n  from = spacelift_context.a\n  to = spacelift_context.b\n}",
        &["main.tf:4:1: spacelift_context.a has moved, but still stands in this module"],
    ),
    (
        "removed {\n  from = spacelift_context.a\n  lifecycle {\n    destroy = false\n  }\n}",
        &["removed is supported with destroy = true only"],
    ),
    (
        "removed {\n  from = spacelift_context.a\n}",
        &["spacelift_context.a stays as it is recorded"],
    ),
    (
        "resource \"spacelift_context\" \"a\" {\n  name = \"a\"\n  lifecycle {\n    replace_triggered_by = [terraform_data.x]\n    ignore_changes = [labels[0]]\n    prevent_destroy = 1 == 1\n  }\n}",
        &[
            "main.tf:5:5: replace_triggered_by is not supported",
            "main.tf:6:5: ignore_changes is all or a list",
            "main.tf:7:5: prevent_destroy is true or false",
        ],
    ),
    (
        "resource \"spacelift_context\" \"a\" {\n  name = \"a\"\n  lifecycle {\n    ignore_changes = [name]\n  }\n}\noutput \"x\" { value = spacelift_context.a.name }",
        &["name of spacelift_context.a may be another than is written: ignore_changes"],
    ),
    ("check \"x\" {}", &["check blocks are not supported"]),
    ("varable \"x\" {}", &["there is no block varable"]),
    ("a = 1", &["only blocks stand here"]),
    (
        "terraform {\n  required_providers {\n    spacelift = { source = \"evil/spacelift\" }\n  }\n}",
        &["has the source \"evil/spacelift\""],
    ),
];

#[test]
fn what_is_refused_says_why_and_nothing_twice() {
    for (body, parts) in REFUSALS {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("main.tf"), format!("\n{body}\n")).unwrap();
        let evaluation = evaluate(
            &Directory::new(directory.path()),
            "",
            &Given::default(),
            "manager",
        );
        let errors = errors(&evaluation);
        assert_eq!(errors.len(), parts.len(), "{body}: {errors:#?}");
        for part in *parts {
            assert!(
                errors.iter().any(|error| error.contains(part)),
                "{body}: {errors:#?}"
            );
        }
        assert!(
            evaluation
                .problems
                .iter()
                .all(|problem| problem.line.is_some()),
            "{errors:#?}"
        );
    }
}

/// What Terraform has a value for and dayfly none.
const WITHOUT_VALUE: &[&str] = &[
    "1 / 0",
    "pow(10, 400)",
    "pow(2, 0.1)",
    "log(10, 1)",
    "tonumber(\"Inf\")",
    "\"1e999999\" + 1",
    "abs(\"1p5\")",
    "regex(\"(?P<x>a)(?P<x>b)\", \"ab\")",
    "abspath(\"a\")",
    "timestamp()",
    "yamldecode(\"a: 1\")",
    "provider::terraform::encode_expr(1)",
    "terraform.workspace",
    "path.cwd",
    "regex(\"\\\\Qa\", \"a\")",
    "jsondecode(\"\\\"\\\\ud83d\\\"\")",
    "textencodebase64(\"a\", \"Shift_JIS\")",
    "cidrsubnet(\"10.0.0.0/8\", 8, -1)",
    "cidrhost(\"::ffff:10.0.0.0/104\", 3)",
    "timeadd(\"9999-12-31T23:59:59Z\", \"1h\")",
    "length(\"\\u0915\\u094d\\u0937\")",
    "file(\"../outside\")",
    "fileexists(\"/etc/hostname\")",
    "fileset(\"..\", \"*\")",
    "templatefile(\"clock.tftpl\", {})",
    "spacelift_stack.x.aws_assume_role_policy_statement",
];

#[test]
fn what_has_no_value_here_is_not_passed_over_by_try_and_can() {
    let stack = "resource \"spacelift_stack\" \"x\" {
  name       = \"x\"
  repository = \"r\"
  branch     = \"main\"
}
";
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("clock.tftpl", "${timestamp()}");
    for expression in WITHOUT_VALUE {
        for around in ["can({})", "try({}, \"other\")", "try(can([{}]), 1)"] {
            let value = around.replace("{}", expression);
            write(
                "main.tf",
                &format!("{stack}output \"x\" {{\n  value = {value}\n}}\n"),
            );
            let evaluation = evaluate(
                &Directory::new(directory.path()),
                "",
                &Given::default(),
                "manager",
            );
            assert_eq!(errors(&evaluation).len(), 1, "{value}");
            assert!(evaluation.outputs.is_empty(), "{value}");
        }
    }
}
