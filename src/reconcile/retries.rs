//! What failed is tried again within one apply: later each time, and only so often.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::execute::number;
use crate::clock;
use crate::run::RunState;
use crate::stack::StackId;
use crate::store::{NewRun, Run, Store, StoreError};

/// How long the first retry waits; each further one waits four times as long.
const FIRST_WAIT: Duration = Duration::from_secs(2);

pub(super) struct Retries {
    limit: usize,
    /// How often each stack failed in a row.
    failed: BTreeMap<StackId, usize>,
    /// When a run may be executed that waits for its time.
    due: BTreeMap<u64, Instant>,
}

impl Retries {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            failed: BTreeMap::new(),
            due: BTreeMap::new(),
        }
    }

    /// Queues another run where this one failed by what may pass, and nothing else is queued.
    pub(super) fn after(
        &mut self,
        store: &mut Store,
        run: &Run,
        may_pass: bool,
    ) -> Result<(), StoreError> {
        if run.state != RunState::Failed || !may_pass || !run.kind.is_blocking() {
            if run.state == RunState::Finished {
                self.failed.remove(&run.stack);
            }
            return Ok(());
        }
        let failed = self.failed.entry(run.stack.clone()).or_default();
        *failed += 1;
        let attempt = *failed;
        let is_queued = store
            .unfinished_runs()?
            .iter()
            .any(|other| other.stack == run.stack && other.kind.is_blocking());
        if attempt > self.limit || is_queued {
            return Ok(());
        }
        let new = NewRun {
            stack: run.stack.clone(),
            kind: run.kind,
            commit: run.commit.clone(),
            cause: format!("retry {attempt} of {}, after run {}", self.limit, run.id),
            judgements: Vec::new(),
            push: store.push_of(&run.id)?,
        };
        let id = store.queue(&new, clock::now())?;
        let queued = store.run(&id)?;
        self.due.insert(
            number(&queued),
            Instant::now() + wait(attempt, clock::jitter()),
        );
        Ok(())
    }

    /// The time that the run waits for, if it has one.
    pub(super) fn due(&self, run: &Run) -> Option<Instant> {
        self.due.get(&number(run)).copied()
    }
}

/// How long the `attempt`th retry waits, from 1; `jitter` from 0 to 1 adds up to a quarter.
fn wait(attempt: usize, jitter: f64) -> Duration {
    let power = u32::try_from(attempt.saturating_sub(1))
        .unwrap_or(u32::MAX)
        .min(8);
    (FIRST_WAIT * 4_u32.pow(power)).mul_f64(1.0 + jitter / 4.0)
}

#[cfg(test)]
mod tests {
    use super::wait;

    #[test]
    fn each_retry_waits_longer() {
        let seconds = |attempt| wait(attempt, 0.0).as_secs();
        assert_eq!([1, 2, 3].map(seconds), [2, 8, 32]);
        assert!(wait(1, 1.0).as_millis() == 2500 && wait(usize::MAX, 1.0).as_secs() > 0);
    }
}
