//! Runs as they go: a live line each on a terminal, plain lines elsewhere; all on stderr.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::reconcile::Watch;
use crate::store::Run;

pub(super) struct Progress {
    /// `None` where stderr is no terminal.
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self {
            bars,
            running: Mutex::new(BTreeMap::new()),
        }
    }

    /// Takes the live lines away.
    pub(super) fn finish(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }
}

impl Watch for Progress {
    fn moved(&self, run: &Run) {
        // Of a run that ended the apply tells in its end.
        let waits = run.note.as_ref().filter(|_| run.state.is_executing());
        let waits = waits.map(|note| format!(": {note}")).unwrap_or_default();
        let Some(bars) = &self.bars else {
            let _ = std::io::Write::write_fmt(
                &mut anstream::stderr(),
                format_args!("{}  {}  {}{waits}\n", run.stack, run.kind, run.state),
            );
            return;
        };
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = running.entry(run.id.to_string()).or_insert_with(|| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {msg}  {elapsed}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(run.stack.to_string());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(format!("{} {}{waits}", run.kind, run.state));
        if run.state.is_terminal() {
            bar.finish_and_clear();
            running.remove(run.id.as_str());
        }
    }
}
