//! Expressions made by chance from a seed: each builtin over arguments of the types that OPA declares
//! for it, and now and then of others, nested in each other, in comprehensions and comparisons.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use dayfly::policy::{Engine, Policy, PolicyType, builtin_names};
use serde_json::{Value, json};

/// Chance that is the same for the same seed everywhere (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound as u64).unwrap_or_default()
    }

    fn of<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }
}

const NUMBERS: &[&str] = &[
    "0", "1", "-1", "2", "3", "10", "2.5", "0.1", "-7", "64", "input.n", "input.h",
];
const STRINGS: &[&str] = &[
    "\"\"",
    "\"a\"",
    "\"abc\"",
    "\"A b\"",
    "\"é\"",
    "\"a/b/c\"",
    "\"a,b\"",
    "\"12\"",
    "\"[a-z]+\"",
    "\"*\"",
    "\"10.0.0.0/30\"",
    "\"10.0.0.1\"",
    "\"2026-11-22T10:00:00Z\"",
    "\"1h\"",
    "\"1.2.3\"",
    "\"{\\\"a\\\":1}\"",
    "\"aGk=\"",
    "\"68656c6c6f\"",
    "\"a=1&b=2\"",
    "\"%s-%d\"",
    "\"%v\"",
    "input.s",
    "\"日本\"",
    "\" x \"",
    "\"true\"",
    "\"10Mi\"",
    "\"2006-01-02\"",
];
const ARRAYS: &[&str] = &[
    "[]",
    "[1, 2, 3]",
    "[\"a\", \"b\"]",
    "[3, 1, 2]",
    "[[1], [2, 3]]",
    "[true, false]",
    "[null, \"a\", 1]",
    "input.a",
    "[{\"a\": 1}, {\"a\": 2}]",
    "[\"b\", \"a\", \"b\"]",
];
const SETS: &[&str] = &[
    "set()",
    "{1, 2}",
    "{\"a\", \"b\"}",
    "{2, 3}",
    "{\"a\"}",
    "{{1}, {2}}",
    "{true}",
];
const OBJECTS: &[&str] = &[
    "{}",
    "{\"a\": 1}",
    "{\"a\": {\"b\": 2}}",
    "{\"b\": [1, 2], \"a\": null}",
    "input.o",
    "{\"a\": \"x\", \"c\": \"y\"}",
];
const OTHERS: &[&str] = &["null", "true", "false", "input.nothing"];

/// A builtin with the types of its arguments, as OPA declares them.
struct Builtin {
    name: String,
    arguments: Vec<Value>,
}

fn builtins() -> Result<Vec<Builtin>> {
    let output = Command::new("opa")
        .args(["capabilities", "--current"])
        .output()?;
    let capabilities: Value = serde_json::from_slice(&output.stdout)?;
    let offered = builtin_names(Engine::RegoV1);
    let declared = capabilities["builtins"]
        .as_array()
        .context("opa has no builtins")?;
    let one = |builtin: &Value| {
        let name = builtin["name"].as_str()?.to_owned();
        // `walk` has many values, each in turn: the corpus holds it in the forms that are written.
        let is_same =
            builtin["nondeterministic"] != true && name != "walk" && offered.contains(&name);
        is_same.then(|| Builtin {
            name,
            arguments: builtin["decl"]["args"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
        })
    };
    Ok(declared.iter().filter_map(one).collect())
}

fn value(chance: &mut Chance, builtins: &[Builtin], declared: &Value, depth: usize) -> String {
    if chance.below(20) == 0 {
        return value(chance, builtins, &json!({"type": "any"}), depth);
    }
    if depth > 0 && chance.below(4) == 0 {
        return call(chance, builtins, depth - 1);
    }
    match declared["type"].as_str().unwrap_or_default() {
        "number" => chance.of(NUMBERS),
        "string" => chance.of(STRINGS),
        "array" => chance.of(ARRAYS),
        "set" => chance.of(SETS),
        "object" => chance.of(OBJECTS),
        "boolean" => chance.of(&["true", "false"]),
        _ => match declared["of"].as_array().filter(|of| !of.is_empty()) {
            Some(of) => {
                let chosen = of[chance.below(of.len())].clone();
                return value(chance, builtins, &chosen, depth);
            }
            None => {
                let pool = [NUMBERS, STRINGS, ARRAYS, SETS, OBJECTS, OTHERS][chance.below(6)];
                chance.of(pool)
            }
        },
    }
    .to_owned()
}

fn call(chance: &mut Chance, builtins: &[Builtin], depth: usize) -> String {
    let builtin = &builtins[chance.below(builtins.len())];
    let arguments: Vec<String> = builtin
        .arguments
        .iter()
        .map(|declared| value(chance, builtins, declared, depth))
        .collect();
    format!("{}({})", builtin.name, arguments.join(", "))
}

fn expression(chance: &mut Chance, builtins: &[Builtin]) -> String {
    let any = json!({"type": "any"});
    let called = call(chance, builtins, 1);
    match chance.below(12) {
        0 => format!("[x | some x in {called}]"),
        1 => format!("{{k: v | some k, v in {called}}}"),
        2 => {
            // The order of a set and an object is not OPA's: ARCHITECTURE.md says so.
            let operator = chance.of(&["==", "!="]);
            format!("{called} {operator} {}", value(chance, builtins, &any, 1))
        }
        3 => {
            let operator = chance.of(&["+", "-", "*", "/", "%", "&", "|"]);
            format!("{called} {operator} {}", value(chance, builtins, &any, 1))
        }
        4 => format!("{} in {called}", value(chance, builtins, &any, 0)),
        _ => called,
    }
}

fn policy(expressions: &BTreeMap<usize, String>) -> String {
    let mut text = String::from("package spacelift\n\nimport rego.v1\n\n");
    for (number, expression) in expressions {
        text += &format!("r{number} := {expression}\n");
    }
    text
}

/// What `opa` says of each that it accepts.
fn said_by_opa(expressions: &mut BTreeMap<usize, String>, input: &Value) -> Result<Value> {
    let directory = tempfile::tempdir()?;
    let (policy_file, input_file) = (
        directory.path().join("p.rego"),
        directory.path().join("i.json"),
    );
    std::fs::write(&input_file, input.to_string())?;
    loop {
        std::fs::write(&policy_file, policy(expressions))?;
        let mut command = Command::new("opa");
        command
            .args(["eval", "--format", "json", "--data"])
            .arg(&policy_file);
        command
            .arg("--input")
            .arg(&input_file)
            .arg("data.spacelift");
        let output = command.output()?;
        let said: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let Some(errors) = said["errors"].as_array() else {
            return Ok(said["result"][0]["expressions"][0]["value"].clone());
        };
        // Each stands on a line of its own, after the four of the head.
        let numbers: Vec<usize> = expressions.keys().copied().collect();
        let before = expressions.len();
        for error in errors {
            let row = error["location"]["row"]
                .as_u64()
                .and_then(|row| usize::try_from(row).ok());
            if let Some(number) = row.and_then(|row| numbers.get(row.checked_sub(5)?)) {
                expressions.remove(number);
            }
        }
        ensure!(expressions.len() < before, "opa refuses all: {said}");
    }
}

/// Where dayfly gives another value than `opa`, and how many expressions were compared. What either
/// refuses, or breaks off with an error, is no value.
pub(crate) fn differences(seed: u64, count: usize) -> Result<(usize, usize, Vec<String>)> {
    let builtins = builtins()?;
    let mut chance = Chance(seed);
    let mut expressions: BTreeMap<usize, String> = (0..count)
        .map(|number| (number, expression(&mut chance, &builtins)))
        .collect();
    let input =
        json!({"n": 7, "h": 1.5, "s": "text", "a": [1, "x", null], "o": {"k": "v", "n": {"m": 1}}});
    let theirs = said_by_opa(&mut expressions, &input)?;
    let (mut compared, mut refused, mut different) = (0, 0, Vec::new());
    for (number, expression) in &expressions {
        let text = format!("package spacelift\n\nimport rego.v1\n\nvalue := {expression}\n");
        let ours = Policy::read("chance", PolicyType::Plan, Engine::RegoV1, &text)
            .map_err(|error| error.to_string())
            .and_then(|policy| policy.document(&input).map_err(|error| error.to_string()));
        let Ok(ours) = ours else {
            refused += 1;
            continue;
        };
        compared += 1;
        let (ours, theirs) = (&ours["value"], &theirs[format!("r{number}")]);
        if !super::judge::same(ours, theirs) {
            different.push(format!("{expression}\n  dayfly {ours}\n  opa    {theirs}"));
        }
    }
    Ok((compared, refused, different))
}
