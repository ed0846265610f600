//! Stacks and what belongs to them: desired objects, recorded ones, and the changes between.
//!
//! Everything here is pure. Unreadable is not absent: what cannot be evaluated stays as recorded.

mod changes;
mod deletions;
mod dependencies;
mod lifecycle;
mod object;
mod outputs;
mod spec;

pub use changes::{Change, ChangeAction, Comparison, compare};
pub use deletions::Deletions;
pub use dependencies::{Dependencies, Dependency, Reference};
pub use object::{Object, Phase};
pub use outputs::SensitiveOutputs;
pub use spec::{RunInputs, StackId, StackSpec};
