use super::*;
use crate::error::Diagnose;

const TEMPLATE: &str = include_str!("../../../templates/service/environment.tf.tera");

fn values(branch: &str) -> BTreeMap<String, Value> {
    let text = |text: &str| Value::from(text);
    [
        ("environment", text("5d41c2f0")),
        ("code_version", text("latest")),
        ("infra_repository_branch", text(branch)),
        ("fork", Value::Bool(false)),
        ("pull_request", text("acme/hello-infra#7")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn render(template: &str, branch: &str) -> Result<String, GenerateError> {
    environment_file(
        template,
        "s/environment.tf.tera",
        "acme-x-7-5d41c2f0",
        &values(branch),
    )
}

fn message(template: &str, branch: &str) -> String {
    render(template, branch).unwrap_err().to_string()
}

/// A template whose block has `lines` from its third line on.
fn block(lines: &str) -> String {
    format!("{{# a remark #}}\nmodule {{{{ module }}}} {{\n{lines}\n}}\n")
}

#[test]
fn optional_values_come_and_go() {
    let mut values = values("main");
    let bare = environment_file(TEMPLATE, "t", "m", &values).unwrap();
    assert!(
        !bare.contains("repository_id") && !bare.contains("event_at"),
        "{bare}"
    );
    values.insert("repository_id".to_owned(), 123_456.into());
    values.insert("event_at".to_owned(), "2026-11-21T09:00:00Z".into());
    let full = environment_file(TEMPLATE, "t", "m", &values).unwrap();
    assert!(
        full.contains("\n  repository_id           = 123456\n"),
        "{full}"
    );
    assert!(
        full.contains("\n  event_at                = \"2026-11-21T09:00:00Z\"\n"),
        "{full}"
    );
}

#[test]
fn plain_values_are_printed_as_hcl() {
    let values: BTreeMap<String, Value> = [
        ("a", Value::Null),
        ("b", true.into()),
        ("c", (-5).into()),
        ("d", 1.5.into()),
        ("e", u64::MAX.into()),
        ("f", "".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let lines = ["a", "b", "c", "d", "e", "f"].map(|name| format!("  {name} = {{{{ {name} }}}}"));
    let file = environment_file(&block(&lines.join("\n")), "t", "m", &values).unwrap();
    let expected = format!(
        "\nmodule \"m\" {{\n  a = null\n  b = true\n  c = -5\n  d = 1.5\n  e = {}\n  f = \"\"\n}}\n",
        u64::MAX
    );
    assert_eq!(file, expected);
    let list = [("a".to_owned(), Value::Array(Vec::new()))].into();
    assert!(matches!(
        environment_file(&block("a = {{ a }}"), "t", "m", &list),
        Err(GenerateError::Value(name)) if name == "a"
    ));
}

#[test]
fn values_may_be_worked_with() {
    let lines = r#"  environment  = {{ environment }}
  pull_request = {{ pull_request }}
  title = {{ "preview of " ~ infra_repository_branch | upper }}
  tags  = ["x", {{ environment }}, { id = {{ environment }} }]
  host  = "${ {{ environment }} }.example.com"
{% if infra_repository_branch is starting_with(pat="feature/") %}  size = {{ 1 + 1 }}
{% endif %}"#;
    let file = render(&block(lines), "feature/${x}").unwrap();
    for expected in [
        r#"title = "preview of FEATURE/\u0024{X}""#,
        r#"tags  = ["x", "5d41c2f0", { id = "5d41c2f0" }]"#,
        r#"host  = "${ "5d41c2f0" }.example.com""#,
        "size = 2",
    ] {
        assert!(file.contains(expected), "{expected}: {file}");
    }
}

#[test]
fn a_value_within_quotes_is_refused() {
    for branch in ["main", "", " == file(1) == ", "dayfly_value_6d61696e_"] {
        for line in [
            r#"  title = "{{ infra_repository_branch }}""#,
            r#"  title = "on {{ infra_repository_branch }}!""#,
            "  title = x{{ infra_repository_branch }}",
            "  title = {{ infra_repository_branch }}{{ environment }}",
            "  {{ infra_repository_branch }} = 1",
            "  title = 1 # {{ infra_repository_branch }}",
            "  title = <<T\n  {{ infra_repository_branch }}\nT",
            "{% set x %}{{ infra_repository_branch }}{% endset %}  title = \"{{ x }}\"",
            "  title = {{ infra_repository_branch }}()",
            "  title = x.{{ infra_repository_branch }}",
            "  title = { {{ infra_repository_branch }} = 1 }",
        ] {
            let error = render(&block(line), branch).expect_err(line);
            let message = error.to_string();
            assert!(
                message.starts_with("s/environment.tf.tera:"),
                "{line}: {message}"
            );
            assert!(error.hint().is_some(), "{line}: {message}");
        }
    }
    assert_eq!(
        message(
            &block("\n  a = 1\n  title = \"{{ infra_repository_branch }}\""),
            "x"
        ),
        "s/environment.tf.tera:5: prints a value where no value can stand: within quotes, a name or a comment"
    );
}

#[test]
fn no_filter_reopens_the_hole() {
    for line in [
        "  title = {{ infra_repository_branch | safe }}",
        "  title = {{ infra_repository_branch | escape_html | safe }}",
        "  title = {{ infra_repository_branch | newlines_to_br }}",
        "{% set x = infra_repository_branch | safe %}  title = {{ x }}",
        "{% filter safe %}  title = {{ infra_repository_branch }}{% endfilter %}",
    ] {
        let message = message(&block(line), "file(1)");
        assert!(
            message.starts_with("s/environment.tf.tera:3"),
            "{line}: {message}"
        );
    }
}

#[test]
fn what_a_template_must_be() {
    for (template, expected) in [
        (
            block("  a = 1\n  title = {{ code_versoin }}"),
            "s/environment.tf.tera:4:14: asks for `code_versoin`, which has no value here",
        ),
        (
            block("  a = {{ nope ~ \"x\" }}"),
            "s/environment.tf.tera:3:10: asks for `nope`, which has no value here",
        ),
        (
            block("  event_at = {{ event_at }}"),
            "s/environment.tf.tera:3:17: cannot be rendered: ",
        ),
        (
            block("  event_at = {{ event_at ~ \"x\" }}"),
            "s/environment.tf.tera:3: `event_at` must be the value of that name, {{ event_at }}",
        ),
        (
            block("  a = 1\n  infra_repository_branch = \"main\""),
            "s/environment.tf.tera:4: `infra_repository_branch` must be the value of that name, {{ infra_repository_branch }}",
        ),
        (
            block("") + "module \"x\" {}\n",
            "s/environment.tf.tera:5: must render to one module block and nothing else",
        ),
        (
            "module \"x\" {}\n".to_owned(),
            "s/environment.tf.tera:1: must render to a module block with the label \"acme-x-7-5d41c2f0\"",
        ),
        (
            block("  a ="),
            "s/environment.tf.tera:3: renders to what is no HCL: ",
        ),
        (block("  {% if %}"), "s/environment.tf.tera:3:"),
        (
            String::new(),
            "s/environment.tf.tera: must render to one module block",
        ),
    ] {
        let message = message(&template, "dev");
        assert!(message.starts_with(expected), "{template}: {message}");
    }
    for label in ["", "1a", "a b", "a\"b", "é", "a.b"] {
        let result = environment_file(TEMPLATE, "t", label, &values("main"));
        assert!(matches!(result, Err(GenerateError::Label(_))), "{label}");
    }
}

#[test]
fn the_line_ends_of_another_system_are_read() {
    let file = render(&TEMPLATE.replace('\n', "\r\n"), "main").unwrap();
    assert_eq!(file, render(TEMPLATE, "main").unwrap());
}
