//! What a run needs beside its row: commit, variables, files, hooks, policies; the stack for itself,
//! with its state; a tool.

use std::path::Path;

use super::attached::attached;
use super::decide::short;
use super::equipment::Equipment;
use super::execute::{Execution, GRACE, disk};
use super::inputs::{policy_stack, sanitization};
use super::mirrors::RepositoryKey;
use super::states::{self, StateError};
use super::unperformed::{receiver, uncovered};
use super::waves::taken;
use super::work::Shared;
use crate::config::Given;
use crate::error::Error;
use crate::event::RepositoryName;
use crate::git::{CommitId, Repository};
use crate::policy::input::{Sanitization, Stack as PolicyStack};
use crate::policy::{Policy, PolicyType};
use crate::run::{INTERRUPTED, RunState, RunType};
use crate::runner::{self, Hold, Holder, Patience, Tool, ToolPath};
use crate::stack::{Dependencies, Object, Phase, RunInputs, StackSpec};
use crate::store::Run;
use crate::threads::lock;

/// Why a run cannot be executed: the note of its end.
pub(super) enum Unprepared {
    /// Nobody wants it any more.
    Gone(String),
    Failed(String),
}

impl From<String> for Unprepared {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// What a run needs beside its row.
pub(super) struct Prepared {
    pub(super) inputs: RunInputs,
    pub(super) mirror: Repository,
    pub(super) commit: CommitId,
    pub(super) policies: Vec<Policy>,
    pub(super) stack: PolicyStack,
    /// Whether APPROVAL policies look at the stack's plans.
    pub(super) is_reviewed: bool,
    pub(super) sanitization: Sanitization,
    /// What it is given of this machine.
    pub(super) given: Given,
    pub(super) is_fork: bool,
    pub(super) spec: StackSpec,
    /// The slug of the stack's space; empty where none is set.
    pub(super) space: String,
    /// What is secret beside the values of variables: those of earlier runs, as a plan shows what it changes
    /// as it was, and the parts of what is taken of other stacks.
    pub(super) other_secrets: Vec<String>,
}

impl Execution<'_> {
    /// Gathers what the run needs; an error is the reason why it fails.
    pub(super) fn prepare(&self, shared: &Shared<'_>, run: &Run) -> Result<Prepared, Unprepared> {
        let (objects, record) = {
            let store = lock(&shared.store);
            (
                store.objects_around(&run.stack).map_err(chain)?,
                store.stack(&run.stack).map_err(chain)?,
            )
        };
        let phase = match run.kind {
            RunType::Destroy => Phase::Deleting,
            _ => Phase::Active,
        };
        let stack = objects
            .iter()
            .filter(|object| object.is_stack() && object.phase == phase)
            .find(|object| object.id() == run.stack.as_str())
            .ok_or_else(|| {
                Unprepared::Gone(format!("stack {} is not recorded any more", run.stack))
            })?;
        if !run.stack.is_slug() {
            return Err(format!("stack {:?} has no slug for an id", run.stack.as_str()).into());
        }
        let owner = self.settings.repository.as_ref().map(RepositoryName::owner);
        let spec = StackSpec::read(stack, owner);
        let uncovered = uncovered(self.settings, stack, &spec.labels, objects.iter()).next();
        if let Some(uncovered) = uncovered {
            return Err(uncovered.message().into());
        }
        let mut receiver = receiver(stack, &spec.labels);
        receiver.is_fork |= run.is_fork;
        let tokens: Vec<String> = self.mirrors.secrets().collect();
        let passing = &self.settings.runner.passing;
        let given = passing.given(&receiver, &self.host.0, &tokens);
        let given = given.map_err(|unset| unset.to_string())?;
        let described = {
            let equipment = Equipment::of(objects.iter());
            let state = run.state.as_str();
            policy_stack(stack, &spec, &equipment, Some(&record.head), state)
        };
        let taken_before = lock(&shared.store).taken(&run.stack).map_err(chain)?;
        let former_secrets = record.began.iter().flat_map(|began| {
            let before = [Some(&began.variables), taken_before.as_ref()];
            began.secret_variables.iter().flat_map(move |name| {
                let values = before.into_iter().flatten();
                values.filter_map(move |all| all.get(name).cloned())
            })
        });
        let mut other_secrets: Vec<String> = former_secrets.collect();
        let mut is_reviewed = false;
        let (inputs, policies) = match (run.kind, run.state) {
            (RunType::Destroy, _) => {
                let began = record
                    .began
                    .ok_or_else(|| "nothing is known of an apply that began".to_owned())?;
                (began, Vec::new())
            }
            (_, RunState::Confirmed) => {
                let seen = lock(&shared.store).inputs(&run.id).map_err(chain)?;
                let seen = seen.ok_or_else(|| "what its plan was made of is lost".to_owned())?;
                (seen, Vec::new())
            }
            _ => {
                let active: Vec<Object> = objects
                    .iter()
                    .filter(|o| o.phase == Phase::Active)
                    .cloned()
                    .collect();
                let mut inputs = self.inputs(stack, &spec, run, &active)?;
                let dependencies = Dependencies::read(&active);
                // They win over what the stack sets itself, as on Spacelift.
                let mut taken = taken(&lock(&shared.store), &dependencies, &spec.id)?;
                if receiver.is_fork {
                    let is_secret = |name: &String| taken.sensitive.contains(name);
                    taken.values.retain(|name, _| !is_secret(name));
                }
                inputs.take(taken.values, taken.sensitive);
                let attached = |kind| {
                    attached(&active, spec.id.as_str(), &spec.labels, kind)
                        .map_err(|problem| problem.to_string())
                };
                is_reviewed = !attached(PolicyType::Approval)?.is_empty();
                (inputs, attached(PolicyType::Plan)?)
            }
        };
        let dependencies = Dependencies::read(&objects);
        let references = dependencies.of(&run.stack).flat_map(|it| &it.references);
        let taken_before = taken_before.unwrap_or_default();
        // Where the stack is on its way out, its references may have left already.
        let names = references.map(|it| &it.input).chain(taken_before.keys());
        for name in names.filter(|name| inputs.secret_variables.contains(name)) {
            let values = [inputs.variables.get(name), taken_before.get(name)];
            let values = values.into_iter().flatten();
            other_secrets.extend(values.flat_map(|value| runner::secret_parts(value)));
        }
        let mirror = self.mirrors.open(&inputs.repository).map_err(chain)?;
        let commit: CommitId = inputs.commit.parse().map_err(chain)?;
        if !mirror.contains(&commit) && run.kind == RunType::Proposed {
            // A person may name one that no branch of a stack has brought, and a fork's is of none.
            let remote = self.mirrors.remote(self.settings, &inputs.repository);
            mirror
                .fetch(&remote, &[commit.as_str()], None)
                .map_err(chain)?;
        }
        if !mirror.contains(&commit) {
            return Err(format!(
                "commit {} of {} is not to be had any more",
                short(&inputs.commit),
                inputs.repository
            )
            .into());
        }
        Ok(Prepared {
            inputs,
            mirror,
            commit,
            policies,
            stack: described,
            is_reviewed,
            sanitization: sanitization(stack, &spec.labels),
            given,
            is_fork: receiver.is_fork,
            space: stack.text("space_id").to_owned(),
            other_secrets,
            spec,
        })
    }

    fn inputs(
        &self,
        stack: &Object,
        spec: &StackSpec,
        run: &Run,
        objects: &[Object],
    ) -> Result<RunInputs, String> {
        let Some(repository) = spec.repository.clone() else {
            return Err(format!(
                "stack {} names no owner of its repository, and dayfly.hcl names no repository",
                run.stack
            ));
        };
        if run.commit.is_empty() {
            let url = self.mirrors.remote(self.settings, &repository);
            return Err(
                match self.unreachable.get(&RepositoryKey::from(&repository)) {
                    Some(said) => said.clone(),
                    None => format!("{url} has no branch {}", spec.branch),
                },
            );
        }
        Ok(RunInputs::gather(
            stack,
            spec,
            repository,
            &run.commit,
            objects,
        ))
    }

    /// Waits until nobody works on the stack any more.
    pub(super) async fn hold(&self, shared: &Shared<'_>, run: &Run) -> Result<Hold, String> {
        let path = states::hold_of(&self.directory, &run.stack);
        let patience = Patience {
            wait: self.settings.runner.time_limit,
            grace: GRACE,
        };
        let waits = |holder: &Holder| {
            let note = format!("waits for {holder}");
            // What cannot be noted is waited for all the same.
            let _ = lock(&shared.store).note(&run.id, &note);
            let note = Some(note);
            shared.watch.moved(&Run {
                note,
                ..run.clone()
            });
        };
        let held = Hold::take(&path, &run.id, patience, &self.stop, waits).await;
        held.map_err(|error| chain(disk("hold", &path, error)))?
            .ok_or_else(|| INTERRUPTED.to_owned())
    }

    /// Keeps what an earlier run has left, before the workspace is made anew.
    pub(super) fn take_up_state(
        &self,
        shared: &Shared<'_>,
        run: &Run,
        manages_state: bool,
        workspace: &Path,
    ) -> Result<(), StateError> {
        let store = &mut lock(&shared.store);
        if let Some(began) = store.stack(&run.stack)?.began {
            states::rescue(&self.directory, &run.stack, workspace, &began)?;
        }
        if !manages_state {
            return Ok(());
        }
        let cause = format!("found before run {}", run.id);
        states::take_up(store, &self.directory, &run.stack, &cause)
    }

    /// The tool, looked for once per apply.
    pub(super) async fn tool(
        &self,
        shared: &Shared<'_>,
        opentofu: Option<bool>,
    ) -> Result<ToolPath, String> {
        let asked = opentofu.map(|tofu| {
            if tofu {
                Tool::OpenTofu
            } else {
                Tool::Terraform
            }
        });
        let key = opentofu.unwrap_or_default();
        let mut tools = shared.tools.lock().await;
        if let Some(tool) = tools.get(&key) {
            return Ok(tool.clone());
        }
        // A wish for Terraform is met by what is there: on Spacelift it is the default.
        let asked = asked.filter(|tool| *tool == Tool::OpenTofu);
        let tool = runner::found(asked, &self.host).await.map_err(chain)?;
        tools.insert(key, tool.clone());
        Ok(tool)
    }
}

/// An error and its causes in one line, for the note of a run.
pub(super) fn chain<E: crate::error::Diagnose>(error: E) -> String {
    let error = Error::from(error);
    let mut line = error.message();
    for cause in error.causes() {
        line.push_str(": ");
        line.push_str(&cause);
    }
    line
}
