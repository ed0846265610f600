//! Whether something recorded is still wanted, is provably gone, or cannot be told.
//!
//! Unreadable is not absent: only a file that is gone, or a block that was taken out of a file
//! that parses, removes anything.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::definitions::Module;
use super::origin::Origin;

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
    pub resources: HashSet<String>,
}

#[derive(Debug)]
pub(super) struct InstanceStanding {
    pub module: Arc<Module>,
    /// Part of an environment that failed.
    pub blocked: bool,
    /// By the name of the call.
    pub calls: HashMap<String, Members>,
    /// By `type.name`.
    pub resources: HashMap<String, Members>,
}

/// The members of a block, by what stands behind their address.
#[derive(Debug)]
pub(super) enum Members {
    Failed,
    Known(HashSet<String>),
}

impl Standing {
    pub(super) fn presence(&self, address: &str, origin: &Origin) -> Presence {
        if self.resources.contains(address) {
            return Presence::Present;
        }
        let mut at = "";
        for call in &origin.calls {
            let Some((name, suffix)) = last_step(&call.address, at, "module.") else {
                return Presence::Unreadable;
            };
            let step = self.step(at, &call.file, name, suffix, |instance| &instance.calls);
            if step != Presence::Present {
                return step;
            }
            at = &call.address;
        }
        let Some((name, suffix)) = last_step(address, at, "") else {
            return Presence::Unreadable;
        };
        match self.step(at, &origin.file, name, suffix, |instance| {
            &instance.resources
        }) {
            // Its block stands, yet it is not among the resources: it failed.
            Presence::Present => Presence::Unreadable,
            other => other,
        }
    }

    fn step(
        &self,
        at: &str,
        file: &str,
        name: &str,
        suffix: &str,
        of: impl Fn(&InstanceStanding) -> &HashMap<String, Members>,
    ) -> Presence {
        let Some(instance) = self.instances.get(at) else {
            return Presence::Unreadable;
        };
        if instance.blocked || instance.module.refused {
            return Presence::Unreadable;
        }
        match of(instance).get(name) {
            Some(Members::Failed) => Presence::Unreadable,
            Some(Members::Known(members)) if members.contains(suffix) => Presence::Present,
            Some(Members::Known(_)) => Presence::Gone,
            None => {
                // A resource is looked for by the name of its block, a call by its own.
                let label = name.rsplit('.').next().unwrap_or(name);
                let module = &instance.module;
                let may_stand = module.doubts(file) || module.may_define(label);
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
