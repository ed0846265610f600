//! The rules that Spacelift reads from each type of policy, and the type of each.

use std::collections::BTreeSet;

use super::kind::PolicyType;

/// What a rule of the contract gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A complete rule with `true` or `false`; `false` where nothing else is said.
    Boolean,
    /// A complete rule with a string; it may be undefined.
    Text,
    /// A set of strings.
    Texts,
    /// A set of objects.
    Objects,
}

impl Shape {
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean",
            Self::Text => "a string",
            Self::Texts => "a set of strings",
            Self::Objects => "a set of objects",
        }
    }

    pub(super) fn is_set(self) -> bool {
        matches!(self, Self::Texts | Self::Objects)
    }
}

/// The name under which the prelude gathers all rules. It is Spacelift's own.
pub(super) const RESULT: &str = "result";

/// The rules of a type, with their shapes.
pub(super) fn rules(kind: PolicyType) -> &'static [(&'static str, Shape)] {
    use Shape::{Boolean, Objects, Text, Texts};
    match kind {
        PolicyType::Trigger => &[
            ("trigger", Texts),
            ("flag", Texts),
            ("reset_flag", Texts),
            ("sample", Boolean),
        ],
        PolicyType::GitPush => &[
            ("track", Boolean),
            ("propose", Boolean),
            ("ignore", Boolean),
            ("ignore_track", Boolean),
            ("notrigger", Boolean),
            ("notify", Boolean),
            ("fail", Boolean),
            ("prioritize", Boolean),
            ("allow_fork", Boolean),
            ("lock", Text),
            ("unlock", Text),
            ("module_version", Text),
            ("cancel", Texts),
            ("message", Texts),
            ("external_dependency", Texts),
            ("flag", Texts),
            ("reset_flag", Texts),
            ("sample", Boolean),
        ],
        PolicyType::Plan => &[
            ("deny", Texts),
            ("warn", Texts),
            ("flag", Texts),
            ("reset_flag", Texts),
            ("sample", Boolean),
        ],
        PolicyType::Approval => &[
            ("approve", Boolean),
            ("reject", Boolean),
            ("approve_with_note", Texts),
            ("reject_with_note", Texts),
            ("flag", Texts),
            ("reset_flag", Texts),
            ("sample", Boolean),
        ],
        PolicyType::Notification => &[
            ("inbox", Objects),
            ("slack", Objects),
            ("webhook", Objects),
            ("pull_request", Objects),
            ("sample", Boolean),
        ],
    }
}

/// The rules that the prelude gives a value where the policy does not.
pub(super) fn defined(kind: PolicyType) -> impl Iterator<Item = &'static str> {
    let always = rules(kind)
        .iter()
        .filter(|(_, shape)| *shape != Shape::Text);
    always.map(|(name, _)| *name)
}

pub(super) fn shape(kind: PolicyType, rule: &str) -> Option<Shape> {
    rules(kind)
        .iter()
        .find(|(name, _)| *name == rule)
        .map(|(_, shape)| *shape)
}

/// The one type to which all of `names` belong that belong to one type only; `None` where there
/// are no such names, or names of several types.
pub(super) fn type_of(names: &BTreeSet<String>) -> Option<PolicyType> {
    let mut found = BTreeSet::new();
    for name in names {
        let owners: Vec<PolicyType> = PolicyType::ALL
            .into_iter()
            .filter(|kind| shape(*kind, name).is_some())
            .collect();
        if let [only] = owners.as_slice() {
            found.insert(*only);
        }
    }
    match found.len() {
        1 => found.first().copied(),
        _ => None,
    }
}
