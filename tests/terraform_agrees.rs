//! Terraform is the judge: the same expressions and modules, evaluated by it and by dayfly.
//!
//! An error of Terraform's is agreement only with an error of ours. The last line that is printed
//! counts them all. `SEED=7` makes other expressions by chance than those of every run, and
//! `COUNT=5000` more of them; `CASES=FILE` takes those of a file, one a line, in their place.

#[path = "terraform/generator.rs"]
mod generator;
#[path = "terraform/variables.rs"]
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use dayfly::files::Directory;
use dayfly::module::{Given, Type, Value, evaluate, evaluate_text};
use dayfly::problem::Severity;
use serde_json::{Value as Json, json};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/modules")
}

#[expect(clippy::disallowed_methods, reason = "a test runs the real terraform")]
fn terraform(directory: &Path, arguments: &[&str]) -> Result<(bool, String)> {
    let output = Command::new("terraform")
        .args(arguments)
        .current_dir(directory)
        .env("TF_CLI_CONFIG_FILE", "/dev/null")
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_IN_AUTOMATION", "1")
        .env_remove("TF_WORKSPACE")
        .output()
        .context("terraform cannot be started")?;
    let text = String::from_utf8(output.stdout)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), format!("{text}{errors}")))
}

/// The outputs of a directory: for each its value and its type.
fn apply(directory: &Path) -> Result<BTreeMap<String, (Json, Json)>> {
    let (fine, text) = terraform(directory, &["init", "-no-color", "-input=false"])?;
    ensure!(fine, "terraform init: {text}");
    let (fine, text) = terraform(
        directory,
        &["apply", "-auto-approve", "-no-color", "-input=false"],
    )?;
    ensure!(fine, "terraform apply: {text}");
    let (fine, text) = terraform(directory, &["output", "-json", "-no-color"])?;
    ensure!(fine, "terraform output: {text}");
    let outputs: BTreeMap<String, Json> = serde_json::from_str(&text)?;
    let parts =
        |(name, output): (String, Json)| (name, (output["value"].clone(), output["type"].clone()));
    Ok(outputs.into_iter().map(parts).collect())
}

fn type_json(kind: &Type) -> Json {
    match kind {
        Type::Any => json!("dynamic"),
        Type::Bool => json!("bool"),
        Type::Number => json!("number"),
        Type::String => json!("string"),
        Type::List(element) => json!(["list", type_json(element)]),
        Type::Set(element) => json!(["set", type_json(element)]),
        Type::Map(element) => json!(["map", type_json(element)]),
        Type::Tuple(items) => json!(["tuple", items.iter().map(type_json).collect::<Vec<_>>()]),
        Type::Object(fields) => {
            let fields: BTreeMap<_, _> = fields
                .iter()
                .map(|(name, field)| (name, type_json(&field.kind)))
                .collect();
            json!(["object", fields])
        }
    }
}

fn lines(name: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(fixtures().join("expressions").join(name))?;
    Ok(text
        .lines()
        .map(str::to_owned)
        .filter(|line| !line.is_empty())
        .collect())
}

fn blocks(name: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(fixtures().join("expressions").join(name))?;
    Ok(text
        .split("\n----\n")
        .map(|block| block.trim_end_matches('\n').to_owned())
        .collect())
}

fn ours(text: &str) -> Result<Value, String> {
    evaluate_text(text, "case.tf", &BTreeMap::new()).map_err(|error| error.to_string())
}

/// What was compared, and where the two differ.
#[derive(Default)]
struct Agreement {
    count: usize,
    differences: Vec<String>,
}

#[test]
fn dayfly_agrees_with_terraform() -> Result<()> {
    let mut all = Agreement::default();
    let seed = number("SEED")?.unwrap_or(1);
    for (part, agreement) in [
        ("expressions", expressions()?),
        ("marks of sensitive values", marks()?),
        (
            "corners, values and errors",
            judged(&lines("corners.txt")?)?,
        ),
        ("expressions by chance", generated(seed)?),
        ("variables by chance", variables(seed)?),
        ("files that are refused", refusals()?),
        ("outputs of modules", modules()?),
    ] {
        println!("{:>5} {part}", agreement.count);
        all.count += agreement.count;
        all.differences.extend(agreement.differences);
    }
    let agreed = all.count - all.differences.len();
    ensure!(
        all.differences.is_empty(),
        "{}\n{agreed} of {} agree (SEED={seed})",
        all.differences.join("\n"),
        all.count
    );
    println!("{agreed} of {} agree", all.count);
    Ok(())
}

/// A number from the environment.
fn number(name: &str) -> Result<Option<u64>> {
    let parse = |text: String| text.parse().with_context(|| format!("{name}={text}"));
    variable(name).map(parse).transpose()
}

#[expect(clippy::disallowed_methods, reason = "a test that a person steers")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn generated(seed: u64) -> Result<Agreement> {
    let mut chance = generator::Chance::new(seed);
    let count = number("COUNT")?.unwrap_or(1500);
    let cases: Vec<String> = match variable("CASES") {
        Some(file) => fs::read_to_string(file)?
            .lines()
            .map(str::to_owned)
            .collect(),
        None => (0..count)
            .map(|index| generator::expression(&mut chance, 1 + usize::from(index % 3 == 0) * 2))
            .collect(),
    };
    judged(&cases)
}

/// Each has the value and the type that it has in Terraform, or none in both.
fn judged(cases: &[String]) -> Result<Agreement> {
    // The text is exact where a JSON number would not be; the value has the type.
    let pair =
        |case: &str| format!("[\n[jsonencode([\n{case}\n]), issensitive(\n{case}\n)],\n{case}\n]");
    let mut text = String::new();
    for (index, case) in cases.iter().enumerate() {
        let pair = pair(case);
        text += &format!(
            "output \"x{index}\" {{\n  sensitive = true\n  value = try({pair}, null)\n}}\n\
             output \"c{index}\" {{\n  value = can(\n{case}\n)\n}}\n"
        );
    }
    let directory = tempfile::tempdir()?;
    fs::write(directory.path().join("main.tf"), text)?;
    let judged = apply(directory.path())?;
    let mut differences = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        // An output that is null is not listed; one that no run will ever know is listed as null.
        let theirs = judged
            .get(&format!("x{index}"))
            .filter(|(value, _)| !value.is_null())
            .map(|(value, kind)| (value[0].clone(), kind.clone()));
        let ours =
            ours(&pair(case)).map(|pair| (pair.to_json()[0].clone(), type_json(&pair.kind())));
        if ours.as_ref().ok() != theirs.as_ref() {
            differences.push(format!(
                "{case}\n  terraform: {theirs:?}\n  dayfly:    {ours:?}"
            ));
        }
        // What is refused has no answer here, and what no run will ever know is null there.
        let (theirs, _) = &judged[&format!("c{index}")];
        if let Ok(ours) = self::ours(&format!("can(\n{case}\n)"))
            && !theirs.is_null()
            && &ours.to_json() != theirs
        {
            differences.push(format!("can({case})\n  terraform: {theirs}"));
        }
    }
    Ok(Agreement {
        count: cases.len(),
        differences,
    })
}

fn expressions() -> Result<Agreement> {
    let mut values = lines("values.txt")?;
    values.extend(blocks("blocks.txt")?);
    let errors = lines("errors.txt")?;
    let directory = tempfile::tempdir()?;
    let mut text = String::new();
    for (index, case) in values.iter().enumerate() {
        // The text is exact where a JSON number would not be; the value has the type.
        text += &format!("output \"t{index}\" {{\n  value = jsonencode([\n{case}\n])\n}}\n");
        text += &format!("output \"v{index}\" {{\n  value = [\n{case}\n]\n}}\n");
    }
    for (index, case) in errors.iter().enumerate() {
        text += &format!("output \"e{index}\" {{\n  value = can({case})\n}}\n");
    }
    fs::write(directory.path().join("main.tf"), text)?;
    let judged = apply(directory.path())?;

    let mut differences = Vec::new();
    for (index, case) in values.iter().enumerate() {
        let (exact, _) = &judged[&format!("t{index}")];
        let (_, kind) = &judged[&format!("v{index}")];
        let text = ours(&format!("jsonencode([\n{case}\n])"));
        let value = ours(&format!("[\n{case}\n]"));
        let own_type = value.as_ref().map(|value| type_json(&value.kind()));
        if text.as_ref().map(Value::to_json).as_ref() != Ok(exact) {
            differences.push(format!(
                "{case}\n  terraform: {exact}\n  dayfly:    {text:?}"
            ));
        } else if own_type.as_ref() != Ok(kind) {
            differences.push(format!(
                "{case}\n  terraform: type {kind}\n  dayfly:    type {own_type:?}"
            ));
        }
    }
    for (index, case) in errors.iter().enumerate() {
        let (can, _) = &judged[&format!("e{index}")];
        if can != &json!(false) {
            differences.push(format!("{case}\n  terraform: has a value for it"));
        } else if let Ok(value) = ours(case) {
            differences.push(format!(
                "{case}\n  terraform: an error\n  dayfly:    {value:?}"
            ));
        }
    }
    Ok(Agreement {
        count: values.len() + errors.len(),
        differences,
    })
}

/// Whether each value is sensitive, which of its parts are, and the value itself.
fn marks() -> Result<Agreement> {
    let cases = lines("marks.txt")?;
    let told = |case: &str| {
        format!(
            "try([issensitive({case}), try([for v in nonsensitive({case}) : issensitive(v)], null), \
             nonsensitive(jsonencode({case}))], \"an error\")"
        )
    };
    let directory = tempfile::tempdir()?;
    let outputs = cases.iter().enumerate();
    let outputs = outputs.map(|(index, case)| {
        let told = told(case);
        format!("output \"m{index}\" {{\n  value = {told}\n}}\n")
    });
    fs::write(
        directory.path().join("main.tf"),
        outputs.collect::<String>(),
    )?;
    let judged = apply(directory.path())?;
    let mut differences = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let (theirs, _) = &judged[&format!("m{index}")];
        let ours = ours(&told(case)).map(|value| value.to_json());
        if ours.as_ref() != Ok(theirs) {
            differences.push(format!(
                "{case}\n  terraform: {theirs}\n  dayfly:    {ours:?}"
            ));
        }
    }
    Ok(Agreement {
        count: cases.len(),
        differences,
    })
}

/// Whether the text calls the function, not one whose name ends alike.
fn calls(text: &str, name: &str) -> bool {
    let within = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    text.match_indices(&format!("{name}("))
        .any(|(start, _)| !text.as_bytes()[..start].last().is_some_and(within))
}

#[test]
fn each_function_of_terraform_is_judged_or_refused_by_name() -> Result<()> {
    let (fine, text) = terraform(Path::new("."), &["metadata", "functions", "-json"])?;
    ensure!(fine, "terraform metadata functions: {text}");
    let metadata: Json = serde_json::from_str(&text)?;
    let signatures = metadata["function_signatures"]
        .as_object()
        .context("terraform lists no functions")?;
    let mut corpus = String::new();
    for entry in walkdir::WalkDir::new(fixtures()) {
        let entry = entry?;
        if entry.file_type().is_file() {
            corpus += &fs::read_to_string(entry.path())?;
        }
    }
    let mut open = Vec::new();
    for name in signatures.keys().filter(|name| !name.contains("::")) {
        let refused = ours(&format!("{name}()"))
            .is_err_and(|error| error.contains(&format!("the function {name} is not available: ")));
        if refused == calls(&corpus, name) {
            open.push(name);
        }
        // What reads files is judged in the trees, which have some.
        let reads = name.starts_with("file") || name.starts_with("template");
        if !refused && !reads {
            let made = generator::functions().any(|made| made == name);
            ensure!(made, "no expression by chance calls {name}");
        }
    }
    ensure!(
        open.is_empty(),
        "neither refused by name nor in the corpus, or both: {open:?}"
    );
    Ok(())
}

/// What Terraform's parser or its check of references refuses, each in a file of its own.
const REFUSED: [&str; 12] = [
    "nosuchfunction(1)",
    "local.missing",
    "var.missing",
    "module.missing.x",
    "missing",
    "\"a\nb\"",
    "[1, 2",
    "{ a = 1 b = 2 }",
    "1 +",
    "\"${\"",
    "each.key",
    "count.index",
];

/// Each default becomes the same value of its type, or is refused by both.
fn variables(seed: u64) -> Result<Agreement> {
    let mut chance = generator::Chance::new(seed);
    let mut cases: Vec<String> = Vec::new();
    for index in 0..300 {
        let body = variables::body(&mut chance);
        cases.push(format!(
            "variable \"v{index}\" {{\n{body}}}\noutput \"o{index}\" {{\n  value = jsonencode(var.v{index})\n}}\n"
        ));
    }
    let directory = tempfile::tempdir()?;
    let main = directory.path().join("main.tf");
    let mut refused = BTreeSet::new();
    loop {
        let stand = (0..cases.len()).filter(|index| !refused.contains(index));
        let of_line: Vec<usize> = stand
            .flat_map(|index| cases[index].lines().map(move |_| index))
            .collect();
        let mut stand = of_line.clone();
        stand.dedup();
        let text: String = stand.iter().map(|index| cases[*index].as_str()).collect();
        fs::write(&main, text)?;
        let (fine, told) = terraform(directory.path(), &["validate", "-json"])?;
        if fine {
            break;
        }
        let told: Json = serde_json::from_str(&told).context("terraform validate -json")?;
        for diagnostic in told["diagnostics"].as_array().context("no diagnostics")? {
            let line = diagnostic["range"]["start"]["line"].as_u64();
            let line = usize::try_from(line.context("a diagnostic without line")?)?;
            refused.insert(of_line[line - 1]);
        }
    }
    let mut differences = Vec::new();
    let judged = apply(directory.path())?;
    ensure!(judged.len() + refused.len() == cases.len());
    for (index, case) in cases.iter().enumerate() {
        let name = format!("o{index}");
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("main.tf"), case)?;
        let files = Directory::new(directory.path());
        let ours = evaluate(&files, "", &Given::default(), "manager");
        let ours = match ours.problems.is_empty() {
            true => ours.outputs.get(&name),
            false => None,
        };
        let theirs = judged.get(&name).map(|(value, _)| value);
        if ours != theirs {
            differences.push(format!(
                "{case}  terraform: {theirs:?}\n  dayfly:    {ours:?}"
            ));
        }
    }
    Ok(Agreement {
        count: cases.len(),
        differences,
    })
}

fn refusals() -> Result<Agreement> {
    let mut differences = Vec::new();
    for case in REFUSED {
        let directory = tempfile::tempdir()?;
        fs::write(
            directory.path().join("main.tf"),
            format!("output \"x\" {{\n  value = {case}\n}}\n"),
        )?;
        let (fine, _) = terraform(directory.path(), &["validate", "-no-color"])?;
        ensure!(!fine, "terraform accepts {case}");
        let files = Directory::new(directory.path());
        let evaluation = evaluate(&files, "", &Given::default(), "manager");
        if !evaluation
            .problems
            .iter()
            .any(|problem| problem.severity == Severity::Error)
        {
            differences.push(format!("{case}\n  terraform: refuses it"));
        }
    }
    Ok(Agreement {
        count: REFUSED.len(),
        differences,
    })
}

fn modules() -> Result<Agreement> {
    let mut differences = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(fixtures().join("trees"))? {
        let tree = entry?.path();
        let directory = tempfile::tempdir()?;
        copy(&tree, directory.path())?;
        let judged = apply(directory.path())?;
        let evaluation = evaluate(&Directory::new(&tree), "", &Given::default(), "manager");
        let errors: Vec<_> = evaluation
            .problems
            .iter()
            .map(ToString::to_string)
            .collect();
        for (name, (value, _)) in judged {
            count += 1;
            if evaluation.outputs.get(&name) != Some(&value) {
                let own = evaluation.outputs.get(&name);
                differences.push(format!(
                    "{} {name}\n  terraform: {value}\n  dayfly:    {own:?}\n  {errors:?}",
                    tree.display()
                ));
            }
        }
        ensure!(
            errors.is_empty(),
            "problems in {}: {errors:?}",
            tree.display()
        );
    }
    Ok(Agreement { count, differences })
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
