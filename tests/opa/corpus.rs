//! The cases: policies of all types in `tests/fixtures/policies`, those that dayfly generates, and one
//! policy per line of `edges.txt`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use dayfly::policy::{Engine, PolicyType, sanitize};
use serde_json::Value;

use super::inputs::inputs;

/// A policy and an input.
pub(crate) struct Case {
    /// The policy's file or line, and which input.
    pub(crate) name: String,
    pub(crate) kind: PolicyType,
    pub(crate) engine: Engine,
    pub(crate) policy: String,
    pub(crate) input: Value,
}

impl Case {
    /// The name, and a digest of what was asked: an answer to another question is none.
    pub(crate) fn key(&self) -> String {
        let asked = format!("{:?}{}{}", self.engine, self.policy, self.input);
        format!("{} {}", self.name, sanitize(&asked))
    }
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/policies")
}

pub(crate) fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for kind in PolicyType::ALL {
        let directory = fixtures().join(kind.name().to_lowercase());
        for path in rego_files(&directory)? {
            let engine = if path.ends_with(".v1.rego") {
                Engine::RegoV1
            } else {
                Engine::RegoV0
            };
            let text = fs::read_to_string(directory.join(&path))?;
            add(
                &mut cases,
                &format!("{}/{path}", kind.name().to_lowercase()),
                kind,
                engine,
                &text,
            );
        }
    }
    for (file, kind) in GENERATED {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("policies")
            .join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        add(
            &mut cases,
            &format!("generated/{file}"),
            *kind,
            Engine::RegoV1,
            &text,
        );
    }
    let edges = fs::read_to_string(fixtures().join("edges.txt"))?;
    let input: Value = serde_json::from_str(&fs::read_to_string(fixtures().join("edges.json"))?)?;
    for (number, line) in (1..).zip(edges.lines()) {
        if let Some((engine, policy)) = edge(line) {
            let input = input.clone();
            cases.push(Case {
                name: format!("edges.txt:{number}"),
                kind: PolicyType::Plan,
                engine,
                policy,
                input,
            });
        }
    }
    Ok(cases)
}

/// Policies that dayfly puts into manager repositories.
const GENERATED: &[(&str, PolicyType)] = &[
    ("manager/trigger.rego", PolicyType::Trigger),
    ("manager/push.rego", PolicyType::GitPush),
    ("manager/plan.rego", PolicyType::Plan),
    ("service/push.rego", PolicyType::GitPush),
    ("service/plan.rego", PolicyType::Plan),
    ("service/approval.rego", PolicyType::Approval),
];

/// A line is an expression, whose value is a rule's, or rules behind `v0:` or `v1:`, where `⏎` ends a
/// line.
fn edge(line: &str) -> Option<(Engine, String)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let rules = |rules: &str| format!("package spacelift\n\n{}\n", rules.trim().replace('⏎', "\n"));
    Some(match (line.strip_prefix("v0:"), line.strip_prefix("v1:")) {
        (Some(body), _) => (Engine::RegoV0, rules(body)),
        (_, Some(body)) => (Engine::RegoV1, rules(body)),
        _ => (Engine::RegoV1, rules(&format!("value := {line}"))),
    })
}

fn add(cases: &mut Vec<Case>, name: &str, kind: PolicyType, engine: Engine, policy: &str) {
    for (state, input) in inputs(kind) {
        cases.push(Case {
            name: format!("{name} {state}"),
            kind,
            engine,
            policy: policy.to_owned(),
            input,
        });
    }
}

fn rego_files(directory: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rego") {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}
