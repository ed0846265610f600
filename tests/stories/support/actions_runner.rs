//! GitHub's runner, as far as composite actions and the steps of our workflows need one: expressions,
//! a file for each of a step's commands, masks, and `bash` as the runner calls it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::World;

/// A job on a runner of its own.
pub(crate) struct Job<'a> {
    world: &'a World,
    /// What expressions may name: `github`, `secrets`, `vars`, …
    pub(crate) contexts: Value,
    /// Variables of the job.
    pub(crate) variables: BTreeMap<String, String>,
    path: Vec<String>,
    masks: Vec<String>,
    /// What a reader of the log sees: secrets are hidden from where they are masked on.
    pub(crate) log: String,
    steps: usize,
}

/// What became of an action or a step.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) succeeded: bool,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) summary: String,
}

impl<'a> Job<'a> {
    /// One that an event started: its name and its payload.
    pub(crate) fn new(world: &'a World, event: &str, payload: &Value) -> Self {
        let runner = world.path("runner");
        for name in ["temp", "files", "workspace"] {
            fs::create_dir_all(runner.join(name)).unwrap();
        }
        let path = runner.join("event.json");
        fs::write(&path, payload.to_string()).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let variables = [
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_EVENT_NAME", event.to_owned()),
            ("GITHUB_EVENT_PATH", text(path)),
            ("GITHUB_WORKSPACE", text(runner.join("workspace"))),
            ("RUNNER_TEMP", text(runner.join("temp"))),
        ];
        Self {
            world,
            contexts: json!({ "github": { "event": payload, "event_name": event } }),
            variables: variables
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            path: vec![text(world.path("bin")), "/usr/bin".into(), "/bin".into()],
            masks: Vec::new(),
            log: String::new(),
            steps: 0,
        }
    }

    /// Runs the composite action in `directory` with these inputs; the others keep their defaults.
    pub(crate) fn action(&mut self, directory: &Path, inputs: &Map<String, Value>) -> Done {
        let action = yaml(&directory.join("action.yml"));
        let mut contexts = self.contexts.clone();
        contexts["github"]["action_path"] = json!(directory);
        let mut given = Map::new();
        for (name, declared) in action["inputs"].as_object().unwrap() {
            let value = inputs.get(name).unwrap_or(&declared["default"]);
            given.insert(name.clone(), json!(text(value, &contexts)));
        }
        for name in inputs.keys() {
            assert!(given.contains_key(name), "the action has no input {name}");
        }
        contexts["inputs"] = Value::Object(given);
        contexts["steps"] = json!({});
        assert_eq!(action["runs"]["using"], "composite");
        let (mut succeeded, mut summary) = (true, String::new());
        for step in action["runs"]["steps"].as_array().unwrap() {
            if !step["if"]
                .as_str()
                .is_none_or(|test| holds(test, &contexts))
            {
                continue;
            }
            let done = self.step(step, &contexts);
            summary.push_str(&done.summary);
            if let Some(id) = step["id"].as_str() {
                contexts["steps"][id] = json!({ "outputs": done.outputs });
            }
            if !done.succeeded {
                succeeded = false;
                break;
            }
        }
        let outputs = action["outputs"].as_object().unwrap().iter();
        let outputs =
            outputs.map(|(name, output)| (name.clone(), text(&output["value"], &contexts)));
        Done {
            succeeded,
            outputs: outputs.collect(),
            summary,
        }
    }

    /// Runs a `run` step.
    pub(crate) fn run(&mut self, step: &Value) -> Done {
        let contexts = self.contexts.clone();
        self.step(step, &contexts)
    }

    fn step(&mut self, step: &Value, contexts: &Value) -> Done {
        self.steps += 1;
        let files = self.world.path("runner/files");
        let number = self.steps;
        let file = |name: &str| files.join(format!("{name}-{number}"));
        let commands = [
            "GITHUB_OUTPUT",
            "GITHUB_ENV",
            "GITHUB_PATH",
            "GITHUB_STEP_SUMMARY",
        ];
        for name in commands {
            fs::write(file(name), "").unwrap();
        }
        // An action says which shell it wants; a workflow's default differs in `pipefail` alone.
        assert!(step["shell"].as_str().is_none_or(|shell| shell == "bash"));
        let script = file("script").with_extension("sh");
        fs::write(&script, text(&step["run"], contexts)).unwrap();
        let mut command = self.world.command("bash");
        command
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail"])
            .arg(&script)
            .current_dir(self.world.path("runner/workspace"))
            .envs(&self.variables)
            .env("PATH", self.path.join(":"))
            .envs(commands.map(|name| (name, file(name))));
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            command.env(name, text(value, contexts));
        }
        let output = command.output().unwrap();
        for stream in [output.stdout, output.stderr] {
            self.tell(&String::from_utf8(stream).unwrap());
        }
        let said = |name: &str| fs::read_to_string(file(name)).unwrap();
        assert_eq!(said("GITHUB_ENV"), "");
        let new = said("GITHUB_PATH");
        self.path.splice(0..0, new.lines().rev().map(str::to_owned));
        Done {
            succeeded: output.status.success(),
            outputs: outputs(&said("GITHUB_OUTPUT")),
            summary: said("GITHUB_STEP_SUMMARY"),
        }
    }

    /// Takes what a step printed: commands are obeyed, the rest goes to the log.
    fn tell(&mut self, printed: &str) {
        for line in printed.lines() {
            if let Some(secret) = line.strip_prefix("::add-mask::") {
                let secret = secret.replace("%0D", "\r").replace("%0A", "\n");
                self.masks.push(secret.replace("%25", "%"));
                continue;
            }
            let is_annotation = ["::error ", "::error::", "::warning ", "::warning::"]
                .iter()
                .any(|command| line.starts_with(command));
            let is_command = line.trim_start().starts_with("::");
            assert!(is_annotation || !is_command, "a command: {line}");
            assert!(!line.contains("##["), "a command: {line}");
            let mut line = line.to_owned();
            for mask in &self.masks {
                line = line.replace(mask, "***");
            }
            self.log.push_str(&line);
            self.log.push('\n');
        }
    }
}

/// A file of YAML.
pub(crate) fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    yaml_serde::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A value as text, its expressions evaluated.
pub(crate) fn text(value: &Value, contexts: &Value) -> String {
    let written = match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let mut rest = written.as_str();
    let mut said = String::new();
    while let Some((before, after)) = rest.split_once("${{") {
        let (expression, after) = after.split_once("}}").unwrap();
        said.push_str(before);
        said.push_str(&evaluate(expression.trim(), contexts));
        rest = after;
    }
    said + rest
}

/// The expressions that we use: a path through the contexts, a text, and `||` between them.
fn evaluate(expression: &str, contexts: &Value) -> String {
    let values = expression.split("||").map(|part| {
        let part = part.trim();
        if let Some(literal) = part
            .strip_prefix('\'')
            .and_then(|part| part.strip_suffix('\''))
        {
            return literal.to_owned();
        }
        let mut value = contexts;
        for name in part.split('.') {
            assert!(
                !name.is_empty()
                    && name
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
                "this runner does not know {expression}"
            );
            value = &value[name];
        }
        match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    });
    values.fold(
        String::new(),
        |first, next| if first.is_empty() { next } else { first },
    )
}

/// Whether a condition holds: comparisons, `startsWith`, and `||` between them.
pub(crate) fn holds(condition: &str, contexts: &Value) -> bool {
    condition.split("||").any(|part| {
        let part = part.trim();
        if let Some(call) = part.strip_prefix("startsWith(") {
            let (value, begin) = call.strip_suffix(')').unwrap().split_once(',').unwrap();
            return evaluate(value, contexts).starts_with(&evaluate(begin, contexts));
        }
        let (is_equality, (left, right)) = match part.split_once("==") {
            Some(sides) => (true, sides),
            None => (false, part.split_once("!=").unwrap()),
        };
        (evaluate(left, contexts) == evaluate(right, contexts)) == is_equality
    })
}

/// A step's outputs as the runner reads them.
fn outputs(file: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = file.lines();
    while let Some(line) = lines.next() {
        let (name, value) = match line.split_once("<<") {
            Some((name, delimiter)) if !name.contains('=') => {
                let value: Vec<&str> = lines
                    .by_ref()
                    .take_while(|line| *line != delimiter)
                    .collect();
                (name, value.join("\n"))
            }
            _ => {
                let (name, value) = line.split_once('=').unwrap();
                (name, value.to_owned())
            }
        };
        found.insert(name.to_owned(), value);
    }
    found
}
