//! Whether something recorded is still wanted, is provably gone, or cannot be told.
//!
//! Unreadable is not absent: only a file that is gone, or a block that was taken out of a file
//! that parses, removes anything.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::definitions::{Doubts, Module};
use super::instance::Expansion;
use super::lifecycle::{Lifecycle, Moves, block_of, modules};
use super::origin::{Call, Origin};

/// What the repository says about a recorded resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is among the resources.
    Present,
    /// It was taken out.
    Gone,
    /// Something on the way to it cannot be read or evaluated.
    Unreadable,
}

/// What stands in the repository, readable or not.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// By address; empty if the root module could not be read.
    pub instances: HashMap<String, InstanceStanding>,
    pub moves: Moves,
}

#[derive(Debug)]
pub(super) struct InstanceStanding {
    pub module: Arc<Outline>,
    /// Part of an environment that failed.
    pub blocked: bool,
    /// How each call of the module came out; `None` if it failed.
    pub calls: Vec<Option<Arc<Expansion>>>,
    /// The same of its resources.
    pub resources: Vec<Option<Arc<Expansion>>>,
}

/// What is left of a module once it is evaluated: of all it holds, expressions take most memory.
#[derive(Debug)]
pub(super) struct Outline {
    calls: IndexSet<String>,
    resources: IndexMap<String, Lifecycle>,
    doubtful: Doubts,
    refused: bool,
}

impl Outline {
    pub(super) fn of(module: &Module) -> Self {
        let resources = module.resources.iter();
        Self {
            calls: module.calls.keys().cloned().collect(),
            resources: resources
                .map(|(name, resource)| (name.clone(), resource.lifecycle.clone()))
                .collect(),
            doubtful: module.doubtful.clone(),
            refused: module.refused,
        }
    }
}

impl InstanceStanding {
    fn call(&self, name: &str) -> Option<&Option<Arc<Expansion>>> {
        self.calls.get(self.module.calls.get_index_of(name)?)
    }

    fn resource(&self, name: &str) -> Option<&Option<Arc<Expansion>>> {
        self.resources
            .get(self.module.resources.get_index_of(name)?)
    }
}

impl Standing {
    /// Whether the block of a resource stands; what it makes may have failed all the same.
    pub(super) fn presence(&self, address: &str, origin: &Origin) -> Presence {
        let mut at = "";
        for call in &*origin.calls {
            let Some((name, suffix)) = last_step(&call.address, at, "module.") else {
                return Presence::Unreadable;
            };
            let step = self.step(at, &call.file, name, suffix, InstanceStanding::call);
            if step != Presence::Present {
                return step;
            }
            at = &call.address;
        }
        let Some((name, suffix)) = last_step(address, at, "") else {
            return Presence::Unreadable;
        };
        self.step(at, &origin.file, name, suffix, InstanceStanding::resource)
    }

    /// The same of an address of which no more is known.
    pub(super) fn presence_at(&self, address: &str) -> Presence {
        let around = modules(address).into_iter().skip(1);
        let calls = around.map(|(module, _)| Call {
            address: module.to_owned(),
            file: String::new(),
            is_fork: false,
        });
        let origin = Origin {
            calls: calls.collect(),
            ..Origin::default()
        };
        self.presence(address, &origin)
    }

    /// What the block of a resource says, if that stands.
    pub(super) fn lifecycle(&self, address: &str) -> Option<&Lifecycle> {
        let (module, name) = block_of(address);
        self.instances.get(module)?.module.resources.get(name)
    }

    fn step(
        &self,
        at: &str,
        file: &str,
        name: &str,
        suffix: &str,
        of: impl for<'i> Fn(&'i InstanceStanding, &str) -> Option<&'i Option<Arc<Expansion>>>,
    ) -> Presence {
        let Some(instance) = self.instances.get(at) else {
            return Presence::Unreadable;
        };
        if instance.blocked || instance.module.refused {
            return Presence::Unreadable;
        }
        match of(instance, name) {
            Some(None) => Presence::Unreadable,
            Some(Some(expansion)) if expansion.has(suffix) => Presence::Present,
            Some(Some(_)) => Presence::Gone,
            None => {
                // A resource is looked for by the name of its block, a call by its own.
                let label = name.rsplit('.').next().unwrap_or(name);
                let doubtful = &instance.module.doubtful;
                let may_stand = doubtful.hold(file) || doubtful.may_define(label);
                if may_stand {
                    Presence::Unreadable
                } else {
                    Presence::Gone
                }
            }
        }
    }
}

/// The name and key of what an address adds to the one before it.
fn last_step<'a>(address: &'a str, before: &str, prefix: &str) -> Option<(&'a str, &'a str)> {
    let rest = address.strip_prefix(before)?;
    let rest = if before.is_empty() {
        rest
    } else {
        rest.strip_prefix('.')?
    };
    let rest = rest.strip_prefix(prefix)?;
    let split = rest.find('[').unwrap_or(rest.len());
    Some(rest.split_at(split))
}
