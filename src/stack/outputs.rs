//! What a stack puts out for others that nobody may read.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Values by the names of their outputs. It holds secrets: printed it is the names.
#[derive(Clone, Default, PartialEq)]
pub struct SensitiveOutputs(pub BTreeMap<String, Value>);

impl fmt::Debug for SensitiveOutputs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
