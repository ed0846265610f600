//! Things by their number, as they come up.

use std::collections::HashMap;
use std::rc::Rc;

/// Counts from zero, or on from what another has counted.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    /// Those of the other that are known here.
    known: HashMap<usize, Rc<T>>,
    first: usize,
    own: Vec<Rc<T>>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self::after(0, HashMap::new())
    }
}

impl<T> Numbered<T> {
    /// Counts on from `first`.
    pub(super) fn after(first: usize, known: HashMap<usize, Rc<T>>) -> Self {
        Self {
            known,
            first,
            own: Vec::new(),
        }
    }

    /// The number of the next.
    pub(super) fn end(&self) -> usize {
        self.first + self.own.len()
    }

    pub(super) fn add(&mut self, thing: T) -> Rc<T> {
        let thing = Rc::new(thing);
        self.own.push(thing.clone());
        thing
    }

    pub(super) fn get(&self, id: usize) -> &Rc<T> {
        match id.checked_sub(self.first) {
            Some(index) => &self.own[index],
            None => &self.known[&id],
        }
    }

    /// Those counted here from `start` on.
    pub(super) fn from(&self, start: usize) -> &[Rc<T>] {
        &self.own[start - self.first..]
    }

    /// All counted here.
    pub(super) fn own(&self) -> &[Rc<T>] {
        &self.own
    }
}

impl<T: Clone> Numbered<T> {
    pub(super) fn into_own(self) -> impl Iterator<Item = T> {
        self.own.into_iter().map(Rc::unwrap_or_clone)
    }
}
