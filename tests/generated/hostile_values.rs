//! Values that try to become code, through the environment file and the real Terraform.

use std::collections::BTreeMap;
use std::fs;

use dayfly::generate::environment_file;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::terraform::terraform;

const TEMPLATE: &str = include_str!("../../templates/service/environment.tf.tera");

const KNOWN: &[&str] = &[
    "main",
    "a${file(\"/etc/passwd\")}",
    "x${file(\"/proc/self/environ\")}",
    "x\"\n}\nresource \"terraform_data\" \"x\" {}\n#",
    "%{ if true }a%{ endif }",
    "$${x}",
    "$$${x}",
    "%%{x}",
    // Escaped by doubling, the second marker stays alive: the writer of hcl-edit does it so.
    "${$%{if true}a%{endif}",
    "%{%${path.module}",
    "${$${path.module}",
    "a\\",
    "\\\"",
    "\\${path.module}",
    "\" == file(\"/etc/passwd\") == \"",
    "== path.module ==",
    "{{ infra_repository_branch }}",
    "{% raw %}",
    "dayfly_value_6d61696e_",
    "null",
    "true",
    "5",
    "a\0b",
    "a\r\nb",
    "\r",
    "\t",
    "\u{7f}\u{85}\u{1b}[31m",
    "\u{feff}main",
    "abc\u{202e}fed\u{2066}",
    "a\u{2028}b\u{2029}c",
    "e\u{301}",
    "\u{1f98b}\u{200d}\u{1f3fd}\u{e0041}",
    "\u{10ffff}",
    "<<EOT\nEOT\n",
    "/* # //",
    "${",
    "%{",
    "$",
    "%",
];

/// All strings of up to four of these, and some longer ones of those that open templates.
fn fuzz() -> Vec<String> {
    let grow = |letters: &[char], length: usize| {
        let mut texts = vec![String::new()];
        let mut last = texts.clone();
        for _ in 0..length {
            last = last
                .iter()
                .flat_map(|text| letters.iter().map(move |letter| format!("{text}{letter}")))
                .collect();
            texts.extend(last.clone());
        }
        texts
    };
    let mut texts = grow(&['$', '%', '{', '\\', '"', 'a'], 4);
    texts.extend(grow(&['$', '%', '{'], 6));
    texts
}

fn values(branch: &str) -> BTreeMap<String, Value> {
    [
        ("environment", "5d41c2f0"),
        ("code_version", "latest"),
        ("infra_repository_branch", branch),
        ("fork", "false"),
        ("pull_request", "acme/hello-infra#7"),
        ("event_at", branch),
    ]
    .map(|(name, value)| (name.to_owned(), Value::from(value)))
    .into()
}

#[test]
fn terraform_reads_exactly_what_was_given() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("environments");
    let template = directory.path().join("template");
    fs::create_dir_all(&root).unwrap();
    fs::create_dir_all(&template).unwrap();
    let variables = [
        "environment",
        "code_version",
        "fork",
        "pull_request",
        "infra_repository_branch",
        "event_at",
        "service",
    ];
    let variables = variables
        .map(|name| format!("variable \"{name}\" {{ default = null }}\n"))
        .concat();
    let outputs = "output \"given\" { value = [var.infra_repository_branch, var.event_at] }\n";
    fs::write(template.join("main.tf"), variables + outputs).unwrap();

    let mut main =
        "variable \"service\" { default = null }\noutput \"known\" {\n  value = [\n".to_owned();
    for (number, branch) in KNOWN.iter().enumerate() {
        let module = format!("m{number}");
        let file = environment_file(TEMPLATE, "t", &module, &values(branch)).unwrap();
        fs::write(root.join(format!("{module}.tf")), file).unwrap();
        main.push_str(&format!("    module.{module}.given,\n"));
    }
    main.push_str("  ]\n}\noutput \"fuzz\" { value = module.fuzz.given[0] }\n");

    let fuzz = fuzz();
    let names: Vec<String> = (0..fuzz.len()).map(|number| format!("v{number}")).collect();
    let given = names
        .iter()
        .cloned()
        .zip(fuzz.iter().map(|text| Value::from(text.as_str())))
        .collect();
    let printed: String = names
        .iter()
        .map(|name| format!("    {{{{ {name} }}}},\n"))
        .collect();
    let many = format!(
        "module {{{{ module }}}} {{\n  source = \"../template\"\n  infra_repository_branch = [\n{printed}  ]\n}}\n"
    );
    fs::write(
        root.join("fuzz.tf"),
        environment_file(&many, "t", "fuzz", &given).unwrap(),
    )
    .unwrap();
    fs::write(root.join("main.tf"), main).unwrap();

    terraform(&root, &["init", "-no-color"]);
    terraform(&root, &["apply", "-auto-approve", "-no-color"]);
    let outputs: Value = serde_json::from_str(&terraform(&root, &["output", "-json"])).unwrap();
    // Terraform brings every string into normal form C.
    let normal = |text: &str| Value::from(text.nfc().collect::<String>());
    let known: Vec<Value> = KNOWN
        .iter()
        .map(|text| Value::from(vec![normal(text), normal(text)]))
        .collect();
    assert_eq!(outputs["known"]["value"], Value::from(known));
    let fuzz: Vec<Value> = fuzz.iter().map(|text| normal(text)).collect();
    assert_eq!(outputs["fuzz"]["value"], Value::from(fuzz));
}

#[test]
fn a_template_that_quotes_wrongly_is_refused() {
    let wrong = TEMPLATE.replace(
        "{{ infra_repository_branch }}",
        "\"{{ infra_repository_branch }}\"",
    );
    let inside = TEMPLATE.replace("var.service", "\"x-{{ infra_repository_branch }}-y\"");
    for template in [wrong, inside] {
        assert_ne!(template, TEMPLATE);
        for branch in KNOWN.iter().map(|text| (*text).to_owned()).chain(fuzz()) {
            let error = environment_file(&template, "s/environment.tf.tera", "m", &values(&branch))
                .expect_err(&branch);
            let message = error.to_string();
            assert!(
                message.starts_with("s/environment.tf.tera:"),
                "{branch:?}: {message}"
            );
        }
    }
}

/// Any branch that Git takes, and any text at all: each in a file of its own, all in one run.
#[test]
fn terraform_reads_any_branch_and_any_text() {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut texts = super::ref_names::ref_names(250);
    texts.extend((0..250).map(|_| any::<String>().new_tree(&mut runner).unwrap().current()));
    let given: BTreeMap<String, Value> = (0..)
        .zip(&texts)
        .map(|(number, text)| (format!("v{number}"), Value::from(text.as_str())))
        .collect();
    let printed: String = (0..texts.len())
        .map(|number| format!("    {{{{ v{number} }}}},\n"))
        .collect();
    let many = format!(
        "module {{{{ module }}}} {{\n  source = \"../template\"\n  given  = [\n{printed}  ]\n}}\n"
    );
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("environments");
    let template = directory.path().join("template");
    fs::create_dir_all(&root).unwrap();
    fs::create_dir_all(&template).unwrap();
    let module = "variable \"given\" {}\noutput \"given\" { value = var.given }\n";
    fs::write(template.join("main.tf"), module).unwrap();
    let file = environment_file(&many, "t", "many", &given).unwrap();
    fs::write(root.join("many.tf"), file).unwrap();
    fs::write(
        root.join("main.tf"),
        "output \"given\" { value = module.many.given }\n",
    )
    .unwrap();
    terraform(&root, &["init", "-no-color"]);
    terraform(&root, &["apply", "-auto-approve", "-no-color"]);
    let outputs: Value = serde_json::from_str(&terraform(&root, &["output", "-json"])).unwrap();
    let expected: Vec<Value> = texts
        .iter()
        .map(|text| Value::from(text.nfc().collect::<String>()))
        .collect();
    assert_eq!(outputs["given"]["value"], Value::from(expected));
}
