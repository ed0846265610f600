//! How a run ended.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::run::{INTERRUPTED, RunEvent, RunState};
use crate::stack::SensitiveOutputs;

/// What became of a run that was executed: it is FINISHED, FAILED, STOPPED, or waits for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub state: RunState,
    /// What brought it there; the caller records it.
    pub event: RunEvent,
    /// Why it FAILED or was STOPPED; `None` otherwise.
    pub reason: Option<Reason>,
    /// What the policies warned of.
    pub warnings: Vec<String>,
    /// As planned; of a DESTROY run, as done. `None` if it did not come so far.
    pub counts: Option<Counts>,
    /// The stack's outputs after a TRACKED run that FINISHED, without sensitive ones; what holds
    /// a secret of the run's has a mask in its place.
    pub outputs: BTreeMap<String, Value>,
    /// Those that are sensitive or have a mask above, as they are.
    pub sensitive_outputs: SensitiveOutputs,
    /// After a DESTROY run that FAILED: what the state still holds, by address; empty if that
    /// could not be asked.
    pub left: Vec<String>,
    /// What the tool was at when it was killed, in words.
    pub in_flight: Vec<String>,
}

/// How many resources, in the tool's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub add: u64,
    pub change: u64,
    pub destroy: u64,
}

/// Why a run FAILED. Displayed it is one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A step of the tool or a hook failed; the message is its own first error.
    Step {
        step: &'static str,
        message: String,
    },
    /// The policies said no.
    Denied {
        messages: Vec<String>,
    },
    /// The destroy ended well by its own word, and yet the state is not empty.
    Left {
        addresses: Vec<String>,
    },
    /// The tool could not store its state and left it in this file, which must be kept.
    StateNotStored {
        file: PathBuf,
    },
    TimeLimit {
        limit: Duration,
    },
    /// A step printed nothing for so long.
    Silence {
        limit: Duration,
    },
    /// dayfly was told to stop.
    Interrupted,
    /// A person stopped it.
    Asked,
}

impl Reason {
    /// Whether the run was stopped from outside; such a run did not fail by itself.
    pub fn is_stop(&self) -> bool {
        matches!(
            self,
            Self::TimeLimit { .. } | Self::Silence { .. } | Self::Interrupted | Self::Asked
        )
    }

    /// What it makes happen to the run.
    pub fn event(&self) -> RunEvent {
        match self {
            Self::Interrupted => RunEvent::Interrupt,
            Self::Asked => RunEvent::Stop,
            _ => RunEvent::Fail,
        }
    }

    /// Whether the same may succeed a little later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Step { .. } | Self::Left { .. })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { step, message } => write!(formatter, "{step}: {message}"),
            Self::Denied { messages } => {
                write!(formatter, "denied by policy: {}", messages.join("; "))
            }
            Self::Left { addresses } => write!(
                formatter,
                "destroyed, but the state still holds {}",
                addresses.join(", ")
            ),
            Self::StateNotStored { file } => {
                write!(
                    formatter,
                    "the state could not be stored and is in {}",
                    file.display()
                )
            }
            Self::TimeLimit { limit } => {
                write!(formatter, "time limit of {} s", limit.as_secs_f64())
            }
            Self::Silence { limit } => {
                write!(formatter, "nothing was heard for {} s", limit.as_secs_f64())
            }
            Self::Interrupted => formatter.write_str(INTERRUPTED),
            Self::Asked => formatter.write_str("stopped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Reason;

    #[test]
    fn a_time_limit_is_told_in_seconds() {
        let reason = |limit| Reason::TimeLimit { limit }.to_string();
        assert_eq!(reason(Duration::from_secs(60)), "time limit of 60 s");
        assert_eq!(reason(Duration::from_millis(1500)), "time limit of 1.5 s");
    }
}
