//! A stack in types, and what one run of it needs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Object;
use crate::event::RepositoryName;

/// The slug of a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StackId(String);

impl StackId {
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl StackId {
    /// Whether the id is a slug, and so the name of a directory and of nothing else.
    pub fn is_slug(&self) -> bool {
        let is_letter =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        (1..=256).contains(&self.0.len()) && self.0.bytes().all(is_letter)
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A `spacelift_stack` in types.
#[derive(Clone, Debug, PartialEq)]
pub struct StackSpec {
    pub id: StackId,
    pub name: String,
    /// The owner is the manager repository's where the stack names none.
    pub repository: Option<RepositoryName>,
    pub branch: String,
    /// Without `/` at its ends; empty is the root of the repository.
    pub project_root: String,
    pub additional_project_globs: Vec<String>,
    pub autodeploy: bool,
    pub labels: Vec<String>,
    /// Whether OpenTofu is to run it; `None` leaves the choice to the machine.
    pub opentofu: Option<bool>,
    /// Whether sensitive outputs are kept for the stacks that depend on it.
    pub gives_sensitive_outputs: bool,
}

impl StackSpec {
    /// Reads the attributes of a stack; `default_owner` owns a repository that names no owner.
    pub fn read(object: &Object, default_owner: Option<&str>) -> Self {
        let namespace = [
            "github_enterprise",
            "gitlab",
            "bitbucket_cloud",
            "bitbucket_datacenter",
        ]
        .into_iter()
        .find_map(|block| {
            object
                .attributes
                .get(block)?
                .get(0)?
                .get("namespace")?
                .as_str()
        })
        .or(default_owner);
        let repository = namespace.and_then(|owner| {
            format!("{owner}/{}", object.text("repository"))
                .parse()
                .ok()
        });
        let has_block = |name: &str| {
            object
                .attributes
                .get(name)
                .and_then(Value::as_array)
                .is_some_and(|b| !b.is_empty())
        };
        let opentofu = match object.text("terraform_workflow_tool") {
            "OPEN_TOFU" => Some(true),
            "TERRAFORM_FOSS" => Some(false),
            _ if has_block("opentofu") => Some(true),
            _ => None,
        };
        Self {
            id: StackId::new(object.id()),
            name: object.text("name").to_owned(),
            repository,
            branch: object.text("branch").to_owned(),
            project_root: object.text("project_root").trim_matches('/').to_owned(),
            additional_project_globs: object.texts("additional_project_globs"),
            autodeploy: object.flag("autodeploy"),
            labels: object.texts("labels"),
            opentofu,
            gives_sensitive_outputs: object.flag("enable_sensitive_outputs_upload"),
        }
    }
}

/// Everything that a run of a stack takes from the stack manager. Kept with the last apply that
/// began, so that a destroy needs neither the branch nor the environment's file (invariant 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInputs {
    pub repository: RepositoryName,
    pub branch: String,
    pub commit: String,
    pub project_root: String,
    pub manage_state: bool,
    pub autodeploy: bool,
    pub opentofu: Option<bool>,
    /// The environment of the run by name: `TF_VAR_…` and others.
    pub variables: BTreeMap<String, String>,
    /// The names of those that no log may show.
    pub secret_variables: Vec<String>,
    /// Content in base64, by path relative to the workspace's project root.
    pub mounted_files: BTreeMap<String, String>,
    /// The paths of those that no log may show.
    pub secret_files: Vec<String>,
    /// Commands by the name of their hook: `before_init`, …
    pub hooks: BTreeMap<String, Vec<String>>,
}

/// What an object holds, in the one or the other of two attributes, and whether it is a secret.
fn content(object: &Object, plain: &str, write_only: &str) -> (String, bool) {
    match object.text(write_only) {
        "" => {
            let is_secret = object.flag("write_only") || object.is_sensitive(plain);
            (object.text(plain).to_owned(), is_secret)
        }
        value => (value.to_owned(), true),
    }
}

/// Whether a context, by a label of its own, is attached to the stacks with one of theirs.
fn attaches_itself(context: &Object, spec: &StackSpec) -> bool {
    let labels = context.texts("labels");
    let mut wanted = labels
        .iter()
        .filter_map(|it| it.strip_prefix("autoattach:"));
    wanted.any(|wanted| wanted == "*" || spec.labels.iter().any(|own| own == wanted))
}

impl RunInputs {
    /// What a run of `stack` at `commit` takes: its own attributes, and the variables and files
    /// among `objects` that are attached to it, by itself or through a context.
    pub fn gather(
        stack: &Object,
        spec: &StackSpec,
        repository: RepositoryName,
        commit: &str,
        objects: &[Object],
    ) -> Self {
        let mut inputs = Self {
            repository,
            branch: spec.branch.clone(),
            commit: commit.to_owned(),
            project_root: spec.project_root.clone(),
            manage_state: stack.flag("manage_state"),
            autodeploy: spec.autodeploy,
            opentofu: spec.opentofu,
            variables: BTreeMap::new(),
            secret_variables: Vec::new(),
            mounted_files: BTreeMap::new(),
            secret_files: Vec::new(),
            hooks: BTreeMap::new(),
        };
        // Spacelift's precedence: the stack's own over its contexts', a lower priority first.
        let mut contexts: Vec<&Object> = objects
            .iter()
            .filter(|object| object.kind == "spacelift_context_attachment")
            .filter(|attachment| attachment.text("stack_id") == spec.id.as_str())
            .collect();
        let priority = |object: &Object| {
            object
                .attributes
                .get("priority")
                .and_then(Value::as_i64)
                .unwrap_or_default()
        };
        contexts.sort_by_key(|attachment| std::cmp::Reverse(priority(attachment)));
        let attached: Vec<&str> = contexts.iter().map(|it| it.text("context_id")).collect();
        // Below them those that attach themselves, the first by name above the others.
        let mut own_accord: Vec<&Object> = objects
            .iter()
            .filter(|object| object.kind == "spacelift_context")
            .filter(|context| !attached.contains(&context.id()) && attaches_itself(context, spec))
            .collect();
        own_accord.sort_by_key(|context| std::cmp::Reverse(context.text("name")));
        let own_accord = own_accord.into_iter().map(Object::id);
        for id in own_accord.chain(attached) {
            inputs.attach(
                objects
                    .iter()
                    .filter(|object| object.text("context_id") == id),
            );
            let context = objects
                .iter()
                .find(|object| object.kind == "spacelift_context" && object.id() == id);
            inputs.hook(context);
        }
        inputs.attach(
            objects
                .iter()
                .filter(|object| object.text("stack_id") == spec.id.as_str()),
        );
        inputs.hook(Some(stack));
        inputs
    }

    /// Takes outputs of other stacks in the place of its own variables; `sensitive` names those
    /// that no log may show.
    pub fn take(&mut self, outputs: BTreeMap<String, String>, sensitive: Vec<String>) {
        self.variables.extend(outputs);
        self.secret_variables.extend(sensitive);
    }

    fn attach<'a>(&mut self, objects: impl Iterator<Item = &'a Object>) {
        for object in objects {
            match object.kind.as_str() {
                "spacelift_environment_variable" => {
                    let name = object.text("name").to_owned();
                    self.secret_variables.retain(|secret| *secret != name);
                    let (value, is_secret) = content(object, "value", "value_wo");
                    if is_secret {
                        self.secret_variables.push(name.clone());
                    }
                    self.variables.insert(name, value);
                }
                "spacelift_mounted_file" => {
                    let path = object.text("relative_path").to_owned();
                    self.secret_files.retain(|secret| *secret != path);
                    let (content, is_secret) = content(object, "content", "content_wo");
                    if is_secret {
                        self.secret_files.push(path.clone());
                    }
                    self.mounted_files.insert(path, content);
                }
                _ => {}
            }
        }
    }

    fn hook(&mut self, object: Option<&Object>) {
        const PHASES: [&str; 11] = [
            "before_init",
            "after_init",
            "before_plan",
            "after_plan",
            "before_apply",
            "after_apply",
            "before_perform",
            "after_perform",
            "before_destroy",
            "after_destroy",
            "after_run",
        ];
        for (object, phase) in object
            .into_iter()
            .flat_map(|o| PHASES.map(|phase| (o, phase)))
        {
            let commands = object.texts(phase);
            if !commands.is_empty() {
                self.hooks
                    .entry(phase.to_owned())
                    .or_default()
                    .extend(commands);
            }
        }
    }
}
