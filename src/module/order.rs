//! The order in which resources are made, and the other way round deleted: each after all that it
//! depends on.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

/// The members in an order in which each stands after all it depends on, ties broken by `rank`;
/// and the members of circles, which have no place in it.
pub(crate) fn order<'r>(
    dependencies: &HashMap<usize, &BTreeSet<usize>>,
    rank: impl Fn(usize) -> &'r str,
) -> (Vec<usize>, Vec<usize>) {
    let mut waiting: HashMap<usize, usize> = HashMap::with_capacity(dependencies.len());
    let mut followers: HashMap<usize, Vec<usize>> = HashMap::new();
    for (member, needed) in dependencies {
        let needed = needed
            .iter()
            .filter(|other| dependencies.contains_key(other));
        let mut count = 0;
        for other in needed {
            followers.entry(*other).or_default().push(*member);
            count += 1;
        }
        waiting.insert(*member, count);
    }
    let mut ready: BinaryHeap<Reverse<(&str, usize)>> = waiting
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(member, _)| Reverse((rank(*member), *member)))
        .collect();
    let mut ordered = Vec::with_capacity(dependencies.len());
    while let Some(Reverse((_, member))) = ready.pop() {
        ordered.push(member);
        waiting.remove(&member);
        for follower in followers.remove(&member).unwrap_or_default() {
            if let Some(count) = waiting.get_mut(&follower) {
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse((rank(follower), follower)));
                }
            }
        }
    }
    let mut circular: Vec<usize> = waiting.into_keys().collect();
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
        let needs = needs.iter().map(|(member, needed)| (*member, needed));
        let names: Vec<String> = (0..5).map(|member| member.to_string()).collect();
        let (ordered, circular) = order(&needs.collect(), |member| &names[member]);
        assert_eq!(ordered, [1, 2, 0]);
        assert_eq!(circular, [3, 4]);
    }
}
