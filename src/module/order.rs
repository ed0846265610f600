//! The order in which resources are made, and the other way round deleted: each after all that it
//! depends on.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The members in an order in which each stands after all it depends on, ties broken by `rank`;
/// and the members of circles, which have no place in it. An index without dependencies, not even none,
/// is no member.
pub(crate) fn order<'r, 'd, D: IntoIterator<Item = &'d usize> + Copy>(
    dependencies: &[Option<D>],
    rank: impl Fn(usize) -> &'r str,
) -> (Vec<usize>, Vec<usize>) {
    let is_member = |index: usize| dependencies.get(index).is_some_and(Option::is_some);
    // Ranks are compared once: from here on a member is told by its place among all.
    let mut by_rank: Vec<(&str, usize)> = (0..dependencies.len())
        .filter(|member| is_member(*member))
        .map(|member| (rank(member), member))
        .collect();
    by_rank.sort();
    let mut place_of = vec![0; dependencies.len()];
    for (place, (_, member)) in by_rank.iter().enumerate() {
        place_of[*member] = place;
    }
    let mut waiting: Vec<usize> = vec![0; dependencies.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); dependencies.len()];
    for (member, needed) in dependencies.iter().enumerate() {
        for other in needed.iter().copied().flatten() {
            if is_member(*other) {
                followers[*other].push(member);
                waiting[member] += 1;
            }
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> = by_rank
        .iter()
        .filter(|(_, member)| waiting[*member] == 0)
        .map(|(_, member)| Reverse(place_of[*member]))
        .collect();
    let mut ordered = Vec::with_capacity(dependencies.len());
    while let Some(Reverse(place)) = ready.pop() {
        let (_, member) = by_rank[place];
        ordered.push(member);
        for follower in std::mem::take(&mut followers[member]) {
            waiting[follower] -= 1;
            if waiting[follower] == 0 {
                ready.push(Reverse(place_of[follower]));
            }
        }
    }
    let circular = (0..dependencies.len()).filter(|member| waiting[*member] > 0);
    (ordered, circular.collect())
}

#[cfg(test)]
mod tests {
    use super::order;
    use std::collections::BTreeSet;

    #[test]
    fn each_stands_after_what_it_needs() {
        let needs = [
            Some(BTreeSet::from([2])),
            Some(BTreeSet::new()),
            Some(BTreeSet::from([1, 5, 9])),
            Some(BTreeSet::from([4])),
            Some(BTreeSet::from([3])),
            None,
        ];
        let needs: Vec<_> = needs.iter().map(Option::as_ref).collect();
        let names: Vec<String> = (0..6).map(|member| member.to_string()).collect();
        let (ordered, circular) = order(&needs, |member| &names[member]);
        assert_eq!(ordered, [1, 2, 0]);
        assert_eq!(circular, [3, 4]);
    }
}
