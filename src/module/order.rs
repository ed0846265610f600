//! The order in which resources are made: each after all that it depends on.

use std::collections::{BTreeSet, HashMap};

/// The members in an order in which each stands after all it depends on, ties broken by `rank`;
/// and the members of circles, which have no place in it.
pub(super) fn order(
    dependencies: &HashMap<usize, BTreeSet<usize>>,
    rank: impl Fn(usize) -> String,
) -> (Vec<usize>, Vec<usize>) {
    let mut waiting: HashMap<usize, usize> = HashMap::new();
    let mut followers: HashMap<usize, Vec<usize>> = HashMap::new();
    for (member, needed) in dependencies {
        let needed: Vec<usize> = needed
            .iter()
            .copied()
            .filter(|other| dependencies.contains_key(other))
            .collect();
        waiting.insert(*member, needed.len());
        for other in needed {
            followers.entry(other).or_default().push(*member);
        }
    }
    let mut ready: BTreeSet<(String, usize)> = waiting
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(member, _)| (rank(*member), *member))
        .collect();
    let mut ordered = Vec::with_capacity(dependencies.len());
    while let Some((_, member)) = ready.pop_first() {
        ordered.push(member);
        for follower in followers.remove(&member).unwrap_or_default() {
            if let Some(count) = waiting.get_mut(&follower) {
                *count -= 1;
                if *count == 0 {
                    ready.insert((rank(follower), follower));
                }
            }
        }
    }
    let placed: BTreeSet<usize> = ordered.iter().copied().collect();
    let mut circular: Vec<usize> = dependencies
        .keys()
        .copied()
        .filter(|member| !placed.contains(member))
        .collect();
    circular.sort_unstable();
    (ordered, circular)
}

#[cfg(test)]
mod tests {
    use super::order;
    use std::collections::{BTreeSet, HashMap};

    #[test]
    fn each_stands_after_what_it_needs() {
        let needs: HashMap<usize, BTreeSet<usize>> = HashMap::from([
            (0, BTreeSet::from([2])),
            (1, BTreeSet::new()),
            (2, BTreeSet::from([1, 9])),
            (3, BTreeSet::from([4])),
            (4, BTreeSet::from([3])),
        ]);
        let (ordered, circular) = order(&needs, |member| member.to_string());
        assert_eq!(ordered, [1, 2, 0]);
        assert_eq!(circular, [3, 4]);
    }
}
