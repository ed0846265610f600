//! What becomes of recorded objects whose block says so, or stands under another address now.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::evaluator::Evaluator;

/// What the `lifecycle` block of a resource says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    pub prevent_destroy: bool,
    pub ignored: Ignored,
}

/// The attributes whose changes are no changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ignored {
    #[default]
    None,
    These(BTreeSet<String>),
    All,
}

impl Ignored {
    pub fn contains(&self, attribute: &str) -> bool {
        match self {
            Self::None => false,
            Self::These(names) => names.contains(attribute),
            Self::All => true,
        }
    }
}

/// Addresses from the module in which the block stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub from: String,
    pub to: String,
    /// Whether it means one of several, or all.
    pub is_one: bool,
}

/// The `moved` and `removed` blocks of a repository, by the module's address.
#[derive(Debug, Default)]
pub(super) struct Moves {
    moved: HashMap<String, Vec<Moved>>,
    retained: HashMap<String, Vec<String>>,
}

impl Moves {
    pub(super) fn gather(evaluator: &Evaluator<'_>) -> Self {
        let mut moves = Self::default();
        for instance in evaluator.instances() {
            let module = &instance.module;
            if !module.moved.is_empty() {
                let moved = module.moved.iter().map(|(moved, _)| moved.clone());
                let address = instance.address.clone();
                moves.moved.insert(address, moved.collect());
            }
            if !module.retained.is_empty() {
                let address = instance.address.clone();
                moves.retained.insert(address, module.retained.clone());
            }
            let has_any = !(module.moved.is_empty() && module.retained.is_empty());
            if has_any && instance.environment.is_none() {
                // What moves here may be of any environment.
                evaluator.tree.looked.set(true);
            }
        }
        moves
    }

    /// The addresses that what stands at `address` may have had, the nearest first.
    pub(super) fn before(&self, address: &str) -> Vec<String> {
        self.reach(address, |moved| (&moved.to, &moved.from))
    }

    /// The addresses that what stood at `address` may have now, the nearest first.
    pub(super) fn after(&self, address: &str) -> Vec<String> {
        self.reach(address, |moved| (&moved.from, &moved.to))
    }

    fn reach(&self, address: &str, ends: fn(&Moved) -> (&String, &String)) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        if self.moved.is_empty() {
            return found;
        }
        let mut open = VecDeque::from([address.to_owned()]);
        // Beyond this, a module is moved into itself.
        while let Some(at) = open.pop_front().filter(|_| found.len() < 64) {
            for (module, within) in modules(&at) {
                for moved in self.moved.get(module).into_iter().flatten() {
                    let (source, target) = ends(moved);
                    let Some(rest) = rest_of(within, source, moved.is_one) else {
                        continue;
                    };
                    let dot = if module.is_empty() { "" } else { "." };
                    let next = format!("{module}{dot}{target}{rest}");
                    if next != address && !found.contains(&next) {
                        found.push(next.clone());
                        open.push_back(next);
                    }
                }
            }
        }
        found
    }

    /// Whether a `removed` block says that the object is not to be destroyed.
    pub(super) fn retain(&self, address: &str) -> bool {
        !self.retained.is_empty()
            && modules(address).into_iter().any(|(module, within)| {
                let retained = self.retained.get(module).into_iter().flatten();
                let mut rests =
                    retained.map(|from| rest_of(&without_keys(within), from, false).is_some());
                rests.any(|is_within| is_within)
            })
    }
}

/// What an address within a module adds to `prefix`; `None` if it is another one.
fn rest_of<'a>(within: &'a str, prefix: &str, is_one: bool) -> Option<&'a str> {
    let rest = within.strip_prefix(prefix)?;
    let is_end = rest.is_empty() || rest.starts_with('.') || (!is_one && rest.starts_with('['));
    is_end.then_some(rest)
}

/// Where the steps of an address begin, after the first one.
fn steps(address: &str) -> Vec<usize> {
    let (mut quoted, mut escaped, mut found) = (false, false, vec![0]);
    for (index, letter) in address.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '.' if !quoted => found.push(index + 1),
            _ => {}
        }
    }
    found
}

/// Each module around what stands at the address, the root first, and the address from there.
pub(super) fn modules(address: &str) -> Vec<(&str, &str)> {
    let steps = steps(address);
    let mut found = vec![("", address)];
    for pair in steps.chunks(2) {
        let [first, _] = *pair else { break };
        let end = steps.iter().copied().find(|step| *step > pair[1]);
        match end {
            Some(end) if address[first..].starts_with("module.") => {
                found.push((&address[..end - 1], &address[end..]));
            }
            _ => break,
        }
    }
    found
}

/// The module of a resource, and its `type.name`.
pub(super) fn block_of(address: &str) -> (&str, &str) {
    let (module, within) = modules(address).pop().unwrap_or(("", address));
    (module, within.split('[').next().unwrap_or(within))
}

fn without_keys(address: &str) -> String {
    let (mut plain, mut quoted, mut escaped, mut inside) = (String::new(), false, false, false);
    for letter in address.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if inside => quoted = !quoted,
            '[' if !quoted => inside = true,
            ']' if !quoted => inside = false,
            _ if inside => {}
            letter => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{block_of, modules, without_keys};

    #[test]
    fn addresses_are_taken_apart_at_their_dots_only() {
        let address = "module.a[\"x.\\\"y\"].module.b.t.n[\"k.l\"]";
        assert_eq!(
            modules(address),
            [
                ("", address),
                ("module.a[\"x.\\\"y\"]", "module.b.t.n[\"k.l\"]"),
                ("module.a[\"x.\\\"y\"].module.b", "t.n[\"k.l\"]"),
            ]
        );
        assert_eq!(block_of("t.n[0]"), ("", "t.n"));
        assert_eq!(block_of(address).1, "t.n");
        assert_eq!(without_keys(address), "module.a.module.b.t.n");
    }
}
