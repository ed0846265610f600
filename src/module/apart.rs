//! How far the environments of a repository are apart from each other, so that a change of one needs
//! no look at the others.
//!
//! Environments are apart where an environment depends on nothing but what all share: each is one
//! call, alone in its file, that refers to no other call, and nothing refers to it or reads its file.
//! What cannot be told for sure is not apart.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use hcl_edit::expr::{Expression, Traversal};
use hcl_edit::template::ForTemplateExpr;
use hcl_edit::visit::{Visit, visit_for_template_expr, visit_traversal};

use super::definitions::{Call, Module, Repeat};
use super::evaluator::Evaluator;
use super::findings::Findings;
use super::origin::is_environments;
use super::resource::Resource;

/// The files in directories of environments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environments {
    /// Whether each environment came out as it would without the others.
    pub apart: bool,
    /// The files that hold anything but one environment: all environments may depend on them.
    pub shared: BTreeSet<String>,
    /// The files whose environment made nothing, or of which something was found that is wrong.
    pub unsettled: BTreeSet<String>,
    /// The file of each call, by the call's address.
    pub calls: BTreeMap<String, String>,
}

impl Environments {
    pub(super) fn look(
        evaluator: &Evaluator<'_>,
        resources: &[Arc<Resource>],
        findings: &Findings,
    ) -> Self {
        let mut found = Self {
            apart: !evaluator.tree.looked.get(),
            ..Self::default()
        };
        let mut seen = BTreeSet::new();
        let instances = evaluator.instances();
        for instance in &instances {
            let module = &instance.module;
            if !is_environments(&module.directory) {
                let is_part = instance.environment.is_some();
                found.apart &= is_part || !waits_for_a_call(module);
                continue;
            }
            // Within an environment, or called twice, a file would be more than one environment.
            found.apart &= instance.environment.is_none() && seen.insert(&module.directory);
            found.add(module, |name| {
                instance.address_of(&format!("module.{name}"))
            });
        }
        found.unsettle(evaluator, resources, findings);
        found
    }

    fn add(&mut self, module: &Module, address: impl Fn(&str) -> String) {
        for (name, call) in &module.calls {
            let file = &call.place.source.path;
            if module.lone_calls.contains(file) {
                self.apart &= stands_alone(call);
                self.unsettled.insert(file.clone());
            }
            self.calls.insert(address(name), file.clone());
        }
        let doubtful = module.doubtful.0.iter().map(|file| &file.path);
        self.unsettled.extend(doubtful.cloned());
        for (path, text) in &module.files {
            if !module.lone_calls.contains(path) && !module.doubts(path) {
                self.apart &= !mentions_call(text);
                self.shared.insert(path.clone());
            }
        }
    }

    /// Settles the environments that made something and of which nothing was said.
    fn unsettle(
        &mut self,
        evaluator: &Evaluator<'_>,
        resources: &[Arc<Resource>],
        findings: &Findings,
    ) {
        // Most of a module's follow each other.
        let of_one =
            |a: &Arc<Resource>, b: &Arc<Resource>| Arc::ptr_eq(&a.origin.calls, &b.origin.calls);
        for of_one in resources.chunk_by(of_one) {
            if let Some(call) = of_one[0].origin.environment() {
                self.unsettled.remove(&call.file);
            }
        }
        let concerned: HashSet<&str> = findings.environments().collect();
        for environment in evaluator.environments().iter() {
            if environment.failed || concerned.contains(&*environment.address) {
                self.unsettled.insert(environment.file.clone());
            }
        }
        let named = findings.files().filter(|file| {
            let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
            is_environments(directory) && !self.shared.contains(*file)
        });
        self.unsettled.extend(named.map(str::to_owned));
    }
}

/// Whether a module waits for another call as a whole, and so for all that is in it.
fn waits_for_a_call(module: &Module) -> bool {
    let resources = module.resources.values().map(|it| &it.depends_on);
    let calls = module.calls.values().map(|it| &it.depends_on);
    let outputs = module.outputs.values().map(|it| &it.depends_on);
    let mut references = resources.chain(calls).chain(outputs).flatten();
    references.any(refers_to_call)
}

/// Whether a call stands once and refers to no other.
pub(super) fn stands_alone(call: &Call) -> bool {
    matches!(call.repeat, Repeat::Once)
        && call.depends_on.is_empty()
        && !call.arguments.values().any(refers_to_call)
}

pub(super) fn refers_to_call(expression: &Expression) -> bool {
    let references = References::default();
    let mut walk = &references;
    walk.visit_expr(expression);
    references.found.get()
}

#[derive(Default)]
struct References {
    found: Cell<bool>,
}

impl Visit for &References {
    fn visit_traversal(&mut self, node: &Traversal) {
        if let Expression::Variable(root) = &node.expr
            && root.as_str() == "module"
        {
            self.found.set(true);
        }
        visit_traversal(self, node);
    }

    fn visit_for_template_expr(&mut self, node: &ForTemplateExpr) {
        // The walk of the library leaves this one out.
        self.visit_expr(&node.collection_expr);
        visit_for_template_expr(self, node);
    }
}

/// Whether `module.` stands anywhere in the text, be it in a comment.
fn mentions_call(text: &str) -> bool {
    text.split("module")
        .skip(1)
        .any(|rest| rest.trim_start().starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::mentions_call;

    #[test]
    fn a_call_is_not_its_mention() {
        assert!(!mentions_call("module \"a\" {\n  source = \"./module\"\n}"));
        assert!(mentions_call("output \"x\" { value = module.a.x }"));
        assert!(mentions_call("value = module\n  .a"));
    }
}
