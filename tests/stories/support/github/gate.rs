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
    is_open: watch::Sender<bool>,
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
            is_open: watch::Sender::new(false),
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

    /// Lets them go on.
    pub(crate) fn release(self) {}
}

impl Drop for HeldRequests {
    fn drop(&mut self) {
        *self.at.lock().unwrap() = None;
        self.gate.is_open.send_replace(true);
    }
}

/// Holds the request, if the gate that stands now takes it.
pub(super) async fn pass(at: &GateAt, request: &str) {
    let gate = at.lock().unwrap().clone();
    let Some(gate) = gate else { return };
    if (gate.chooses.lock().unwrap())(request) {
        gate.held.send_modify(|count| *count += 1);
        let mut opened = gate.is_open.subscribe();
        let _ = opened.wait_for(|is_open| *is_open).await;
    }
}
