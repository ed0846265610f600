//! What Spacelift does with an object and dayfly does not: told by `validate`, and no run goes on as
//! if it had been done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{Receiver, Settings, StackManager};
use crate::module::{Evaluation, Resource};
use crate::problem::Problem;
use crate::stack::{Object, StackSpec};

const NOT_ACTED_UPON: [&str; 3] = [
    "spacelift_drift_detection",
    "spacelift_scheduled_run",
    "spacelift_scheduled_task",
];

/// What gives runs the credentials of a cloud: the resource, and how variables begin that do so
/// in its place.
const INTEGRATIONS: [(&str, &[&str]); 8] = [
    ("spacelift_aws_integration_attachment", AWS),
    ("spacelift_aws_integration", AWS),
    ("spacelift_aws_role", AWS),
    ("spacelift_stack_aws_role", AWS),
    ("spacelift_azure_integration_attachment", AZURE),
    ("spacelift_azure_integration", AZURE),
    ("spacelift_gcp_service_account", GCP),
    ("spacelift_stack_gcp_service_account", GCP),
];
const AWS: &[&str] = &["AWS_"];
const AZURE: &[&str] = &["ARM_", "AZURE_"];
const GCP: &[&str] = &["GOOGLE_", "GCLOUD_", "CLOUDSDK_"];

/// Whether a plan may have something to say of the resource each time.
pub(super) fn is_told(resource: &Arc<Resource>) -> bool {
    let kind = resource.kind.as_str();
    kind == "spacelift_policy"
        || NOT_ACTED_UPON.contains(&kind)
        || is_undone_deletion(resource)
        || prefixes(kind).is_some()
}

/// How variables begin that stand in for an integration of the kind; `None` if it is none.
fn prefixes(kind: &str) -> Option<&'static [&'static str]> {
    let integration = INTEGRATIONS.iter().find(|(known, _)| *known == kind)?;
    Some(integration.1)
}

/// Whether it is a scheduled deletion that dayfly does not make: it deletes the file of an environment,
/// and with it all that was made.
fn is_undone_deletion(resource: &Arc<Resource>) -> bool {
    let keeps = || *Object::from_resource(resource).value("delete_resources") == false;
    resource.kind == "spacelift_scheduled_delete_stack"
        && (resource.origin.environment().is_none() || keeps())
}

/// All that is recorded and not done.
pub(super) fn not_acted_upon(evaluation: &Evaluation, settings: &Settings) -> Vec<Problem> {
    let mut told: BTreeSet<(String, usize, String)> = BTreeSet::new();
    let resources = evaluation.resources.iter();
    for resource in resources {
        let origin = &resource.origin;
        if is_undone_deletion(resource) {
            let message =
                "dayfly makes scheduled deletions of environments only, with their resources";
            told.insert((origin.file.clone(), origin.line, message.to_owned()));
        }
        if !NOT_ACTED_UPON.contains(&resource.kind.as_str()) {
            continue;
        }
        let message = format!(
            "{} is recorded, but dayfly does not act on it yet",
            resource.kind
        );
        told.insert((origin.file.clone(), origin.line, message));
    }
    let integrations: Vec<Object> = match settings.stack_manager {
        StackManager::Spacelift => Vec::new(),
        StackManager::Dayfly => {
            let resources = evaluation.resources.iter();
            let integrations = resources.filter(|one| prefixes(&one.kind).is_some());
            integrations.map(Object::from_resource).collect()
        }
    };
    // By the stack that each is attached to; by no stack those that attach themselves.
    let mut attached: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for integration in &integrations {
        let stack = integration.text("stack_id");
        attached.entry(stack).or_default().push(integration);
    }
    let stacks = evaluation.resources.iter();
    for stack in stacks.filter(|one| one.kind == "spacelift_stack" && !attached.is_empty()) {
        let stack = Object::from_resource(stack);
        let labels = StackSpec::read(&stack, None).labels;
        let around = [stack.id(), ""].into_iter();
        let around = around.filter_map(|id| attached.get(id)).flatten().copied();
        for uncovered in uncovered(settings, &stack, &labels, around) {
            let origin = &uncovered.integration.origin;
            told.insert((origin.file.clone(), origin.line, uncovered.message()));
        }
    }
    let problem = |(file, line, message): (String, usize, String)| Problem {
        line: Some(line),
        ..Problem::warning(message).in_file(file)
    };
    told.into_iter().map(problem).collect()
}

/// An integration that would give a stack's runs credentials, which they get from nowhere else.
pub(super) struct Uncovered<'a> {
    integration: &'a Object,
    stack: &'a str,
    prefixes: &'static [&'static str],
    is_fork: bool,
}

impl Uncovered<'_> {
    pub(super) fn message(&self) -> String {
        let names: Vec<String> = self.prefixes.iter().map(|it| format!("{it}*")).collect();
        let kind = &self.integration.kind;
        if self.is_fork {
            return format!(
                "{kind} gives stack {} credentials; of this machine the runs of forks are given none",
                self.stack
            );
        }
        format!(
            "{kind} gives stack {} credentials, which dayfly does not: its runs stop until the \
             runner block of dayfly.hcl passes it {} or a file",
            self.stack,
            names.join(" or ")
        )
    }
}

/// The integrations of a stack that no rule of dayfly.hcl stands in for.
pub(super) fn uncovered<'a>(
    settings: &'a Settings,
    stack: &'a Object,
    labels: &'a [String],
    objects: impl Iterator<Item = &'a Object>,
) -> impl Iterator<Item = Uncovered<'a>> {
    let receiver = receiver(stack, labels);
    objects.filter_map(move |object| {
        let prefixes = prefixes(&object.kind)?;
        let is_its = match object.kind.ends_with("_integration") {
            true => attaches_itself(object, labels),
            false => object.text("stack_id") == stack.id(),
        };
        let is_covered = settings.runner.passing.covers(&receiver, prefixes);
        (is_its && !is_covered).then(|| Uncovered {
            integration: object,
            stack: stack.id(),
            prefixes,
            is_fork: receiver.is_fork,
        })
    })
}

fn attaches_itself(integration: &Object, labels: &[String]) -> bool {
    let own = integration.texts("labels");
    let mut wanted = own.iter().filter_map(|it| it.strip_prefix("autoattach:"));
    integration.flag("autoattach_enabled")
        && wanted.any(|wanted| wanted == "*" || labels.iter().any(|label| label == wanted))
}

/// The stack as dayfly.hcl looks at it.
pub(super) fn receiver<'a>(stack: &'a Object, labels: &'a [String]) -> Receiver<'a> {
    Receiver {
        service: stack.origin.service(),
        labels,
        is_fork: stack.origin.is_fork() || labels.iter().any(|label| label == "fork"),
    }
}
