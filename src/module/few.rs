//! A map of a few names.

/// Values by their names, of which there are so few that a look at one after another costs less than a
/// tree.
#[derive(Debug)]
pub(super) struct Few<'n, V>(Vec<(&'n str, V)>);

impl<V> Default for Few<'_, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'n, V> Few<'n, V> {
    pub(super) fn get(&self, name: &str) -> Option<&V> {
        let known = self.0.iter().find(|(known, _)| *known == name);
        known.map(|(_, value)| value)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Of two by one name the later counts.
    pub(super) fn insert(&mut self, name: &'n str, value: V) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// In the order of their names.
    pub(super) fn into_sorted(mut self) -> Vec<(&'n str, V)> {
        self.0.sort_unstable_by_key(|(name, _)| *name);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn the_later_counts_and_all_come_in_order() {
        let mut few = Few::default();
        for (number, name) in ["b", "c", "a", "b"].into_iter().enumerate() {
            few.insert(name, number);
        }
        assert_eq!(few.get("b"), Some(&3));
        assert!(few.contains("a") && !few.contains("d"));
        assert_eq!(few.into_sorted(), [("a", 2), ("b", 3), ("c", 1)]);
    }
}
