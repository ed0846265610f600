//! What a signal that ends dayfly leaves behind: no secret.
//!
//! A CI ends a cancelled job by a signal, after which no destructor runs; and a machine that lives
//! on would keep the key that was written to its disk.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, mpsc};
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::git;

/// Whether somebody else ends the program in order when it is interrupted.
static IS_TAKEN_OVER: AtomicBool = AtomicBool::new(false);

/// From here on, a signal that ends the program takes the keys along that were given as text.
/// Called before such a key is written.
pub(super) fn guard() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let (ready, is_ready) = mpsc::channel();
        thread::spawn(move || watch(&ready));
        // Without signals, as without a thread, it ends as it would have: its end is no error here.
        let _ended = is_ready.recv();
    });
}

/// From here on, an interruption ends the program in order: keys are still needed until then.
pub(super) fn take_over() {
    IS_TAKEN_OVER.store(true, Ordering::SeqCst);
}

fn watch(ready: &mpsc::Sender<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let kinds = [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
        ];
        let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = kinds.map(signal) else {
            return;
        };
        let _nobody_waits = ready.send(());
        loop {
            let kind = tokio::select! {
                kind = next(&mut terminate, SignalKind::terminate()) => kind,
                kind = next(&mut interrupt, SignalKind::interrupt()) => kind,
                kind = next(&mut hangup, SignalKind::hangup()) => kind,
            };
            let is_interruption = kind != SignalKind::hangup();
            if !(is_interruption && IS_TAKEN_OVER.load(Ordering::SeqCst)) {
                end(kind);
            }
        }
    });
}

async fn next(signal: &mut Signal, kind: SignalKind) -> SignalKind {
    signal.recv().await;
    kind
}

#[expect(
    clippy::exit,
    reason = "a signal ends the program, wherever it stands: as by its own handler"
)]
fn end(kind: SignalKind) {
    git::remove_keys();
    // What a shell tells of a program that a signal has ended.
    process::exit(128 + kind.as_raw_value());
}
