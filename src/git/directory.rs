//! A directory as Git stores it: `mode name\0id` for each entry, sorted. Edited as that text, so
//! that a change of one file among ten thousand costs a copy.

use std::borrow::Cow;
use std::cmp::Ordering;

use git2::{Error, Oid};

pub(super) const TREE: u32 = 0o040_000;
pub(super) const BLOB: u32 = 0o100_644;
pub(super) const EXECUTABLE: u32 = 0o100_755;

const ID_LENGTH: usize = 20;

/// One entry, and its text.
#[derive(Clone)]
struct Entry<'a> {
    mode: u32,
    name: &'a [u8],
    id: Oid,
    text: Cow<'a, [u8]>,
}

/// The entries of a directory, in Git's order.
#[derive(Clone, Default)]
pub(super) struct Entries<'a>(Vec<Entry<'a>>);

impl<'a> Entries<'a> {
    /// Reads a tree object's content.
    pub(super) fn parse(mut text: &'a [u8]) -> Result<Self, Error> {
        let broken = || Error::from_str("the tree object is broken");
        let mut entries = Vec::with_capacity(text.len() / 64);
        while !text.is_empty() {
            let space = text.iter().position(|byte| *byte == b' ');
            let zero = text.iter().position(|byte| *byte == 0);
            let (Some(space), Some(zero)) = (space, zero) else {
                return Err(broken());
            };
            let end = zero + 1 + ID_LENGTH;
            let (Some(mode), Some(name), Some(id)) = (
                text.get(..space),
                text.get(space + 1..zero),
                text.get(zero + 1..end),
            ) else {
                return Err(broken());
            };
            let mode = std::str::from_utf8(mode).map_err(|_| broken())?;
            entries.push(Entry {
                mode: u32::from_str_radix(mode, 8).map_err(|_| broken())?,
                name,
                id: Oid::from_bytes(id)?,
                text: Cow::Borrowed(&text[..end]),
            });
            text = &text[end..];
        }
        Ok(Self(entries))
    }

    /// The mode and the object of an entry.
    pub(super) fn get(&self, name: &str) -> Option<(u32, Oid)> {
        let found = self.0.iter().find(|entry| entry.name == name.as_bytes())?;
        Some((found.mode, found.id))
    }

    /// Puts an entry in the place of what has its name, or takes that away.
    pub(super) fn set(&mut self, name: &'a str, to: Option<(u32, Oid)>) {
        self.0.retain(|entry| entry.name != name.as_bytes());
        if let Some((mode, id)) = to {
            let mut text = format!("{mode:o} {name}\0").into_bytes();
            text.extend(id.as_bytes());
            self.0.push(Entry {
                mode,
                name: name.as_bytes(),
                id,
                text: Cow::Owned(text),
            });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tree object's content.
    pub(super) fn text(mut self) -> Vec<u8> {
        self.0.sort_by(order);
        let length = self.0.iter().map(|entry| entry.text.len()).sum();
        let mut text = Vec::with_capacity(length);
        for entry in &self.0 {
            text.extend_from_slice(&entry.text);
        }
        text
    }
}

/// Git sorts a directory as if its name ended in a slash.
fn order(a: &Entry<'_>, b: &Entry<'_>) -> Ordering {
    let end = |entry: &Entry<'_>| (entry.mode == TREE).then_some(&b'/');
    let (a, b) = (a.name.iter().chain(end(a)), b.name.iter().chain(end(b)));
    a.cmp(b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        "[a-c.-]{1,3}".prop_filter("no path", |name| name != "." && name != "..")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_written_as_git_writes_it(
            before in prop::collection::btree_map(name(), any::<bool>(), 0..8),
            after in prop::collection::btree_map(name(), prop::option::of(any::<bool>()), 0..4),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let repository = git2::Repository::init_bare(directory.path()).unwrap();
            let blob = repository.blob(b"x").unwrap();
            let inner = {
                let mut builder = repository.treebuilder(None).unwrap();
                builder.insert("x", blob, 0o100_644).unwrap();
                builder.write().unwrap()
            };
            let entry = |is_tree: bool| if is_tree { (TREE, inner) } else { (BLOB, blob) };
            let mut builder = repository.treebuilder(None).unwrap();
            for (name, is_tree) in &before {
                let (mode, id) = entry(*is_tree);
                builder.insert(name, id, i32::try_from(mode).unwrap()).unwrap();
            }
            let base = builder.write().unwrap();
            let objects = repository.odb().unwrap();
            let text = objects.read(base).unwrap();
            let mut entries = Entries::parse(text.data()).unwrap();
            prop_assert_eq!(entries.clone().text(), text.data());
            for (name, is_tree) in &after {
                let to = is_tree.map(entry);
                entries.set(name, to);
                prop_assert_eq!(entries.get(name), to);
                match to {
                    Some((mode, id)) => {
                        builder.insert(name, id, i32::try_from(mode).unwrap()).unwrap();
                    }
                    None if builder.get(name).unwrap().is_some() => builder.remove(name).unwrap(),
                    None => {}
                }
            }
            let expected = builder.write().unwrap();
            let written = objects.write(git2::ObjectType::Tree, &entries.text()).unwrap();
            prop_assert_eq!(written, expected);
        }
    }

    #[test]
    fn what_is_broken_is_an_error() {
        for text in [
            &b"100644 a"[..],
            b"100644 a\0short",
            b"9 a\0aaaaaaaaaaaaaaaaaaaa",
            b"a",
        ] {
            assert!(Entries::parse(text).is_err(), "{text:?}");
        }
    }
}
