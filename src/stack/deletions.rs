//! How much a manager run would delete, for the guard against mass deletions.

use std::collections::BTreeSet;

use super::{Change, ChangeAction, Object, Phase};
use crate::config::Limits;

/// How many previews a manager run would delete, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletions {
    pub deleted: usize,
    pub all: usize,
}

impl Deletions {
    /// Of all previews, those that `changes` delete. A stack that is no preview's counts among the
    /// deleted ones but not among all: what previews share must not make the guard wider.
    pub fn count(recorded: &[Object], changes: &[Change]) -> Self {
        let deleted: BTreeSet<&str> = changes
            .iter()
            .filter(|change| change.action == ChangeAction::Deleted && change.object.is_stack())
            .map(|change| change.object.unit())
            .collect();
        let active = recorded
            .iter()
            .filter(|object| object.phase == Phase::Active && object.is_stack());
        let previews: BTreeSet<&str> = active
            .filter(|object| object.origin.environment().is_some())
            .map(Object::unit)
            .collect();
        Self {
            deleted: deleted.len(),
            all: previews.len(),
        }
    }

    /// Whether a person must allow it: more than the limit *and* more than the share (invariant 5).
    pub fn exceed(self, limits: &Limits) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts of environments are small"
        )]
        let (deleted, all) = (self.deleted as f64, self.all as f64);
        self.deleted > limits.deletions && deleted > limits.deletion_share * all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mass_deletion_is_many_and_most() {
        let limits = Limits {
            deletions: 10,
            deletion_share: 0.5,
        };
        for (deleted, all, expected) in [
            (10, 10, false),
            (11, 11, true),
            (11, 22, false),
            (12, 23, true),
            (0, 0, false),
        ] {
            assert_eq!(
                Deletions { deleted, all }.exceed(&limits),
                expected,
                "{deleted} of {all}"
            );
        }
    }
}
