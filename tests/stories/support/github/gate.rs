//! Requests that a story holds back.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Says of a request, as in `POST /repos/acme/x/issues/1/comments`, whether it is held.
type Chooses = Box<dyn FnMut(&str) -> bool + Send>;

pub(super) struct Gate {
    chooses: Mutex<Chooses>,
    held: watch::Sender<usize>,
    /// How many go on, in the order in which they came.
    let_go: watch::Sender<usize>,
}

/// Where a server finds the gate that stands now.
pub(super) type GateAt = Arc<Mutex<Option<Arc<Gate>>>>;

/// Requests that are held before the server sees them. They go on once this is dropped.
pub(crate) struct HeldRequests {
    gate: Arc<Gate>,
    at: GateAt,
}

impl HeldRequests {
    pub(super) fn begin(at: &GateAt, chooses: Chooses) -> Self {
        let gate = Arc::new(Gate {
            chooses: Mutex::new(chooses),
            held: watch::Sender::new(0),
            let_go: watch::Sender::new(0),
        });
        *at.lock().unwrap() = Some(gate.clone());
        Self {
            gate,
            at: at.clone(),
        }
    }

    /// Waits until so many were held.
    #[track_caller]
    pub(crate) fn wait(&self, count: usize) {
        let began = Instant::now();
        while *self.gate.held.borrow() < count {
            let waited = began.elapsed();
            assert!(waited < Duration::from_secs(60), "{count} were not held");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets so many of them go on, the first that came.
    pub(crate) fn let_go(&self, count: usize) {
        self.gate.let_go.send_replace(count);
    }

    /// Lets all go on.
    pub(crate) fn release(self) {}
}

impl Drop for HeldRequests {
    fn drop(&mut self) {
        *self.at.lock().unwrap() = None;
        self.gate.let_go.send_replace(usize::MAX);
    }
}

/// Holds the request, if the gate that stands now takes it.
pub(super) async fn pass(at: &GateAt, request: &str) {
    let gate = at.lock().unwrap().clone();
    let Some(gate) = gate else { return };
    if (gate.chooses.lock().unwrap())(request) {
        let mut let_go = gate.let_go.subscribe();
        let mut number = 0;
        gate.held.send_modify(|count| {
            *count += 1;
            number = *count;
        });
        let _ = let_go.wait_for(|count| *count >= number).await;
    }
}
