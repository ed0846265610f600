//! How long each span of the program was entered, by its name.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Clone, Default)]
pub(crate) struct Spans(Arc<Mutex<Collected>>);

#[derive(Default)]
struct Collected {
    entered: HashMap<u64, Instant>,
    seconds: BTreeMap<String, f64>,
}

/// Begins to collect, in this whole process.
pub(crate) fn collect() -> Spans {
    let spans = Spans::default();
    tracing_subscriber::registry().with(spans.clone()).init();
    spans
}

impl Spans {
    pub(crate) fn seconds(&self) -> BTreeMap<String, f64> {
        let collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        collected.seconds.clone()
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_enter(&self, id: &tracing::span::Id, _: Context<'_, S>) {
        let mut collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        collected.entered.insert(id.into_u64(), Instant::now());
    }

    fn on_exit(&self, id: &tracing::span::Id, context: Context<'_, S>) {
        let now = Instant::now();
        let mut collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let began = collected.entered.remove(&id.into_u64());
        if let (Some(began), Some(span)) = (began, context.span(id)) {
            let took = now.duration_since(began).as_secs_f64();
            *collected.seconds.entry(span.name().to_owned()).or_default() += took;
        }
    }
}
