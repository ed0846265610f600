//! The wait for the artifact of an event's commit, before anything is written.

use super::escape::escaped;
use super::output::Output;
use crate::artifact;
use crate::error::Error;
use crate::manager::Artifact;

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
