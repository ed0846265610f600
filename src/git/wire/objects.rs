//! What a push has to hold: the objects of new commits that the server does not have.

use std::collections::HashSet;

use git2::{ObjectType, Odb, Oid, Repository, Tree};

use super::pack::Object;

/// The objects of `new` and of the commits before them, as far back as to those that the server
/// has; of their files only what differs from their first parent's. What is not here was never
/// made here: the server has it.
pub(super) fn missing(
    repository: &Repository,
    new: &[Oid],
    known: &HashSet<Oid>,
) -> Result<Vec<Object>, git2::Error> {
    // Parents before children: what a commit's files are told by is there already then.
    let mut chain = Vec::new();
    let mut seen = known.clone();
    let mut next: Vec<(Oid, bool)> = new.iter().map(|id| (*id, false)).collect();
    while let Some((id, is_after_parents)) = next.pop() {
        let Ok(commit) = repository.find_commit(id) else {
            continue;
        };
        if is_after_parents {
            chain.push(commit);
        } else if seen.insert(id) {
            next.push((id, true));
            next.extend(commit.parent_ids().map(|parent| (parent, false)));
        }
    }
    let mut collected = Collected {
        objects: repository.odb()?,
        repository,
        seen: HashSet::new(),
        missing: Vec::new(),
    };
    for commit in &chain {
        collected.add(commit.id(), ObjectType::Commit, None)?;
        let before = commit.parent(0).and_then(|parent| parent.tree()).ok();
        collected.add_tree(commit.tree_id(), before.as_ref())?;
    }
    Ok(collected.missing)
}

struct Collected<'a> {
    repository: &'a Repository,
    objects: Odb<'a>,
    seen: HashSet<Oid>,
    missing: Vec<Object>,
}

impl Collected<'_> {
    fn add_tree(&mut self, id: Oid, before: Option<&Tree<'_>>) -> Result<(), git2::Error> {
        if before.is_some_and(|before| before.id() == id) || self.seen.contains(&id) {
            return Ok(());
        }
        // What was there before is there: a revert to it needs nothing.
        self.seen.extend(before.map(Tree::id));
        let Ok(tree) = self.repository.find_tree(id) else {
            return Ok(());
        };
        self.add(id, ObjectType::Tree, before.map(Tree::id))?;
        let old: HashSet<Oid> = before
            .map(|before| before.iter().map(|entry| entry.id()).collect())
            .unwrap_or_default();
        for entry in tree.iter().filter(|entry| !old.contains(&entry.id())) {
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let before = before
                        .and_then(|before| before.get_name_bytes(entry.name_bytes()))
                        .and_then(|entry| self.repository.find_tree(entry.id()).ok());
                    self.add_tree(entry.id(), before.as_ref())?;
                }
                Some(ObjectType::Blob) if self.objects.exists(entry.id()) => {
                    self.add(entry.id(), ObjectType::Blob, None)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, id: Oid, kind: ObjectType, base: Option<Oid>) -> Result<(), git2::Error> {
        if self.seen.insert(id) {
            let base =
                base.and_then(|base| Some((base, self.objects.read(base).ok()?.data().to_vec())));
            let content = self.objects.read(id)?.data().to_vec();
            self.missing.push(Object {
                kind,
                content,
                base,
            });
        }
        Ok(())
    }
}
