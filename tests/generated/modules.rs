//! Every module that is generated, held against the provider's schema and against itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::structure::{Block, Body};
use hcl_edit::visit::{Visit, visit_expr};
use serde_json::Value;

use super::sample;

const SCHEMA: &str = include_str!("../../src/module/schema/spacelift-provider-schema.json");

/// Arguments and blocks that every resource takes.
const META: &[&str] = &["count", "for_each", "depends_on", "provider", "lifecycle"];

/// What the native stack manager knows: nothing else may stand in a manager repository.
const VOCABULARY: &[&str] = &[
    "spacelift_stack",
    "spacelift_environment_variable",
    "spacelift_mounted_file",
    "spacelift_context",
    "spacelift_context_attachment",
    "spacelift_policy",
    "spacelift_policy_attachment",
    "spacelift_stack_destructor",
    "spacelift_stack_dependency",
    "spacelift_stack_dependency_reference",
    "spacelift_scheduled_delete_stack",
    "spacelift_drift_detection",
];

/// The modules below `directory`: the bodies of their files by directory and file name.
fn modules(directory: &Path) -> BTreeMap<PathBuf, BTreeMap<String, Body>> {
    let mut modules: BTreeMap<PathBuf, BTreeMap<String, Body>> = BTreeMap::new();
    for entry in walkdir::WalkDir::new(directory) {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|extension| extension == "tf") {
            let text = fs::read_to_string(&path).unwrap();
            let body = hcl_edit::parser::parse_body(&text).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            modules
                .entry(path.parent().unwrap().to_owned())
                .or_default()
                .insert(name, body);
        }
    }
    assert!(!modules.is_empty());
    modules
}

fn blocks(module: &BTreeMap<String, Body>) -> impl Iterator<Item = &Block> {
    module.values().flat_map(Body::blocks)
}

fn label(block: &Block, position: usize) -> &str {
    block.labels[position].as_str()
}

/// What is wrong with the arguments of `block` by `schema`, which describes its type.
fn against_schema(block: &Body, schema: &Value, place: &str) -> Vec<String> {
    let attributes = schema["attributes"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let nested = schema["blocks"].as_object().cloned().unwrap_or_default();
    let mut wrong = Vec::new();
    let given: BTreeSet<&str> = block
        .attributes()
        .map(|attribute| attribute.key.as_str())
        .collect();
    let flag = |attribute: &Value, name: &str| attribute[name].as_bool().unwrap_or_default();
    for name in given.iter().filter(|name| !META.contains(name)) {
        match attributes.get(*name) {
            None => wrong.push(format!("{place}: `{name}` is unknown")),
            Some(attribute) => {
                if flag(attribute, "deprecated") {
                    wrong.push(format!("{place}: `{name}` is deprecated"));
                }
                if !flag(attribute, "optional") && !flag(attribute, "required") {
                    wrong.push(format!("{place}: `{name}` is computed"));
                }
                for other in attribute["conflicts_with"].as_array().into_iter().flatten() {
                    if given.contains(other.as_str().unwrap()) {
                        wrong.push(format!("{place}: `{name}` conflicts with {other}"));
                    }
                }
            }
        }
    }
    for (name, attribute) in &attributes {
        if flag(attribute, "required") && !given.contains(name.as_str()) {
            wrong.push(format!("{place}: `{name}` is missing"));
        }
        if let Some(choice) = attribute["exactly_one_of"].as_array() {
            let chosen = choice
                .iter()
                .filter(|name| given.contains(name.as_str().unwrap()));
            if chosen.count() != 1 {
                wrong.push(format!("{place}: needs exactly one of {choice:?}"));
            }
        }
    }
    for block in block
        .blocks()
        .filter(|block| !META.contains(&block.ident.as_str()))
    {
        let name = block.ident.as_str();
        match nested.get(name) {
            None => wrong.push(format!("{place}: block `{name}` is unknown")),
            Some(schema) if flag(schema, "deprecated") => {
                wrong.push(format!("{place}: block `{name}` is deprecated"));
            }
            Some(schema) => {
                wrong.extend(against_schema(
                    &block.body,
                    schema,
                    &format!("{place}.{name}"),
                ));
            }
        }
    }
    wrong
}

#[test]
fn every_block_holds_against_the_schema() {
    let directory = tempfile::tempdir().unwrap();
    sample::write(directory.path());
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (path, module) in modules(directory.path()) {
        for block in blocks(&module) {
            let kind = match block.ident.as_str() {
                "resource" => "resources",
                "data" => "data",
                _ => continue,
            };
            let place = format!(
                "{}: {} {}",
                path.display(),
                label(block, 0),
                label(block, 1)
            );
            match schema[kind].get(label(block, 0)) {
                None => wrong.push(format!("{place}: unknown type")),
                Some(schema) => wrong.extend(against_schema(&block.body, schema, &place)),
            }
            let is_setup = path.ends_with("setup");
            let is_known = VOCABULARY.contains(&label(block, 0)) || kind == "data";
            if !is_setup && !is_known {
                wrong.push(format!("{place}: not of the native vocabulary"));
            }
            seen.insert(label(block, 0).to_owned());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen.len() >= 9, "{seen:?}");
}

#[test]
fn the_schema_is_a_judge() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let text = "name = 1\nadministrative = true\nfoo = 1\nansible {}\nbar {}\n";
    let body = hcl_edit::parser::parse_body(text).unwrap();
    let wrong = against_schema(&body, &schema["resources"]["spacelift_stack"], "x");
    let expected = [
        "x: `administrative` is deprecated",
        "x: `foo` is unknown",
        "x: `branch` is missing",
        "x: `repository` is missing",
        "x.ansible: `playbook` is missing",
        "x: block `bar` is unknown",
    ];
    assert_eq!(wrong, expected);
}

/// What a module declares, and what its expressions refer to: `var.x`, `local.x`, `TYPE.NAME`.
#[derive(Default)]
struct References(BTreeSet<String>);

impl Visit for References {
    fn visit_expr(&mut self, expression: &Expression) {
        if let Expression::Traversal(traversal) = expression {
            self.0.extend(reference(traversal));
        }
        visit_expr(self, expression);
    }
}

fn reference(traversal: &Traversal) -> Option<String> {
    let Expression::Variable(root) = &traversal.expr else {
        return None;
    };
    let mut words = vec![root.as_str().to_owned()];
    for operator in &traversal.operators {
        let TraversalOperator::GetAttr(name) = operator.value() else {
            break;
        };
        words.push(name.as_str().to_owned());
    }
    match root.as_str() {
        "each" | "path" | "count" | "self" => None,
        "data" => Some(words[..3].join(".")),
        _ => Some(words[..2].join(".")),
    }
}

fn declared(module: &BTreeMap<String, Body>) -> BTreeSet<String> {
    let mut declared = BTreeSet::new();
    for block in blocks(module) {
        match block.ident.as_str() {
            "variable" => declared.insert(format!("var.{}", label(block, 0))),
            "module" => declared.insert(format!("module.{}", label(block, 0))),
            "resource" => declared.insert(format!("{}.{}", label(block, 0), label(block, 1))),
            "data" => declared.insert(format!("data.{}.{}", label(block, 0), label(block, 1))),
            "locals" => {
                let names = block
                    .body
                    .attributes()
                    .map(|local| format!("local.{}", local.key.as_str()));
                declared.extend(names);
                true
            }
            _ => true,
        };
    }
    declared
}

#[test]
fn every_reference_and_call_is_met() {
    let directory = tempfile::tempdir().unwrap();
    sample::write(directory.path());
    let modules = modules(directory.path());
    let mut calls = 0;
    for (path, module) in &modules {
        let declared = declared(module);
        let mut references = References::default();
        module.values().for_each(|body| references.visit_body(body));
        let missing: Vec<_> = references.0.difference(&declared).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", path.display());
        let variables: BTreeSet<&String> = declared
            .iter()
            .filter(|name| name.starts_with("var."))
            .collect();
        let is_template = path.ends_with("template");
        for variable in variables {
            // The writer's own: they stand in the file and nowhere else.
            const KEPT: [&str; 4] = [
                "var.repository_id",
                "var.event_at",
                "var.expires_at",
                "var.expires_at_unix",
            ];
            let is_kept = is_template && KEPT.contains(&variable.as_str());
            let is_unfilled = path.ends_with("environments") || path.ends_with("other");
            assert!(
                references.0.contains(variable) || is_kept || is_unfilled,
                "{}: {variable} is not used",
                path.display()
            );
        }
        for call in blocks(module).filter(|block| block.has_ident("module")) {
            calls += 1;
            check_call(path, call, &modules);
        }
    }
    assert_eq!(calls, 6, "two services, their environments, two previews");
}

fn check_call(path: &Path, call: &Block, modules: &BTreeMap<PathBuf, BTreeMap<String, Body>>) {
    let place = format!("{}: module {}", path.display(), label(call, 0));
    let source = call
        .body
        .get_attribute("source")
        .unwrap()
        .value
        .as_str()
        .unwrap();
    let target = fs::canonicalize(path.join(source)).unwrap();
    let called = modules
        .iter()
        .find(|(path, _)| fs::canonicalize(path).unwrap() == target);
    let called = called
        .unwrap_or_else(|| panic!("{place}: no module at {source}"))
        .1;
    let given: BTreeSet<&str> = call
        .body
        .attributes()
        .map(|attribute| attribute.key.as_str())
        .filter(|name| *name != "source")
        .collect();
    for variable in blocks(called).filter(|block| block.has_ident("variable")) {
        let has_default = variable.body.has_attribute("default");
        assert!(
            has_default || given.contains(label(variable, 0)),
            "{place}: {}",
            label(variable, 0)
        );
    }
    let declared = declared(called);
    for name in given {
        assert!(
            declared.contains(&format!("var.{name}")),
            "{place}: {name} is no variable"
        );
    }
}
