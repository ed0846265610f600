//! `dayfly policy input`: the input that a run was judged on.

use super::super::output::Output;
use super::super::{DONE, Ended};

#[derive(clap::Args)]
pub(in crate::cli) struct Args {}

pub(super) fn run(_: Args, _: &Output) -> Ended {
    Ok(DONE)
}
