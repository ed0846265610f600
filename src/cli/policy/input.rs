//! `dayfly policy input`: the input that a run was judged on.

use super::super::arguments::DataArgs;
use super::super::output::Output;
use super::super::{DONE, Ended};
use super::policy_type;
use crate::error::{Diagnose, Kind};
use crate::policy::PolicyType;
use crate::run::RunId;
use crate::store::{Store, StoreError};

/// Print the very input that policies judged a run on
///
/// `dayfly policy eval FILE --type TYPE --input -` reads it. Secrets of the run are masked in it: where a policy
/// judged one that was not sanitised, it sees the mask now.
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The run's number, as `dayfly runs` lists it
    run: String,

    /// Of policies of this type [default: of those that judged it last]
    #[arg(long = "type", value_name = "TYPE", value_parser = policy_type)]
    kind: Option<PolicyType>,

    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, thiserror::Error)]
#[error("no {}policy judged run {run}", kind.map_or_else(String::new, |kind| format!("{kind} ")))]
struct NotJudged {
    run: RunId,
    kind: Option<PolicyType>,
}

impl Diagnose for NotJudged {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "`dayfly runs show {}` tells which ones did",
            self.run
        ))
    }
}

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let directory = args.data.directory()?;
    if !Store::exists(&directory) {
        return Err(StoreError::NoRun(args.run).into());
    }
    let store = Store::open(&directory)?;
    let run = store.run(&RunId::new(args.run))?;
    let judgements = store.judgements(&run.id)?;
    let last = judgements
        .iter()
        .rfind(|judgement| args.kind.is_none_or(|kind| judgement.kind == kind.name()));
    let document = match last {
        Some(judgement) => store.policy_input(&judgement.input_digest)?,
        None => None,
    };
    let document = document.ok_or(NotJudged {
        run: run.id,
        kind: args.kind,
    })?;
    output.data(document);
    Ok(DONE)
}
