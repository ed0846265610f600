//! The wait for the artifact of an event's commit, before anything is written.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::escape::escaped;
use super::output::Output;
use crate::artifact;
use crate::error::Error;
use crate::manager::Artifact;

/// Whether artifacts are there, each asked for once.
#[derive(Default)]
pub(super) struct Known(RefCell<BTreeMap<String, bool>>);

impl Known {
    pub(super) fn is_built(&self, artifact: &Artifact) -> bool {
        let Self(known) = self;
        let address = &artifact.address;
        let found = known.borrow().get(address).copied();
        found.unwrap_or_else(|| {
            let is_there = artifact::is_there(address).unwrap_or(false);
            known.borrow_mut().insert(address.clone(), is_there);
            is_there
        })
    }
}

/// Waits until the artifact is there.
pub(super) fn wait(awaited: &Artifact, output: &Output) -> Result<(), Error> {
    let tell = |answer: &str| {
        output.talk(format_args!(
            "waiting up to {} s for {}: {}",
            awaited.timeout.as_secs(),
            escaped(&awaited.address),
            escaped(answer)
        ));
    };
    Ok(artifact::wait(&awaited.address, awaited.timeout, tell)?)
}
