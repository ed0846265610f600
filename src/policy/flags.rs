//! Flags: notes that policies leave on a run for policies of other types.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The flags of a run, each with the policies that hold it up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(BTreeMap<String, BTreeSet<String>>);

/// What one policy does to the flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagChange {
    pub policy: String,
    pub reset: BTreeSet<String>,
    pub set: BTreeSet<String>,
}

impl Flags {
    /// What `run.flags` is in the next input, sorted.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Takes the changes of one judgement. A policy's resets come before what it sets, and a flag
    /// is gone only when every policy that set it has reset it.
    pub fn apply(&mut self, changes: &[FlagChange]) {
        for change in changes {
            for flag in &change.reset {
                if let Some(owners) = self.0.get_mut(flag) {
                    owners.remove(&change.policy);
                    if owners.is_empty() {
                        self.0.remove(flag);
                    }
                }
            }
            for flag in &change.set {
                self.0
                    .entry(flag.clone())
                    .or_default()
                    .insert(change.policy.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FlagChange, Flags};

    fn change(policy: &str, reset: &[&str], set: &[&str]) -> FlagChange {
        let texts = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect();
        FlagChange {
            policy: policy.to_owned(),
            reset: texts(reset),
            set: texts(set),
        }
    }

    #[test]
    fn a_flag_goes_when_all_its_owners_agree() {
        let mut flags = Flags::default();
        flags.apply(&[change("a", &[], &["x", "y"]), change("b", &[], &["x"])]);
        flags.apply(&[change("a", &["x", "y"], &[])]);
        assert_eq!(flags.names(), ["x"]);
        flags.apply(&[change("c", &["x"], &[])]);
        assert_eq!(flags.names(), ["x"], "only an owner may reset");
        flags.apply(&[change("b", &["x"], &[])]);
        assert!(flags.names().is_empty());
    }

    #[test]
    fn what_is_reset_and_set_at_once_is_set() {
        let mut flags = Flags::default();
        flags.apply(&[change("a", &[], &["x"])]);
        flags.apply(&[change("a", &["x"], &["x"])]);
        assert_eq!(flags.names(), ["x"]);
    }
}
