//! What nobody may read: marks on values, as Terraform has them.
//!
//! A mark stands where Terraform puts one, also within a list or object, so that what is refused and
//! what `issensitive` says is the same. A marked value is none of its type to whoever does not look
//! behind the mark: what forgets to fails, and tells nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::value::Value;

impl Value {
    /// The value with a mark.
    pub fn sensitive(self) -> Self {
        match self {
            Self::Sensitive(_) => self,
            value => Self::Sensitive(Arc::new(value)),
        }
    }

    /// The value, with a mark if `sensitive`.
    pub(super) fn marked(self, sensitive: bool) -> Self {
        if sensitive { self.sensitive() } else { self }
    }

    /// Whether it has a mark itself; parts of it may have some all the same.
    pub fn is_sensitive(&self) -> bool {
        matches!(self, Self::Sensitive(_))
    }

    /// The value without the mark of its own, and whether it had one.
    pub(super) fn opened(&self) -> (&Self, bool) {
        match self {
            Self::Sensitive(value) => (value, true),
            value => (value, false),
        }
    }

    /// Whether it or a part of it has a mark.
    pub fn holds_sensitive(&self) -> bool {
        match self {
            Self::Sensitive(_) => true,
            Self::List(_, items) | Self::Set(_, items) | Self::Tuple(items) => {
                items.iter().any(Self::holds_sensitive)
            }
            Self::Map(_, entries) | Self::Object(entries) => {
                entries.values().any(Self::holds_sensitive)
            }
            Self::Null(_) | Self::Bool(_) | Self::Number(_) | Self::String(_) => false,
        }
    }

    /// The value without any mark.
    pub(super) fn revealed(&self) -> Self {
        if !self.holds_sensitive() {
            return self.clone();
        }
        let items = |items: &Arc<[Self]>| items.iter().map(Self::revealed).collect();
        let entries = |entries: &BTreeMap<String, Self>| {
            let revealed = entries
                .iter()
                .map(|(name, it)| (name.clone(), it.revealed()));
            Arc::new(revealed.collect())
        };
        match self {
            Self::Sensitive(value) => value.revealed(),
            Self::List(element, all) => Self::List(element.clone(), items(all)),
            Self::Set(element, all) => Self::Set(element.clone(), items(all)),
            Self::Tuple(all) => Self::Tuple(items(all)),
            Self::Map(element, all) => Self::Map(element.clone(), entries(all)),
            Self::Object(all) => Self::Object(entries(all)),
            Self::Null(_) | Self::Bool(_) | Self::Number(_) | Self::String(_) => self.clone(),
        }
    }
}
