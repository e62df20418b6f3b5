//! Circles in a graph.

use std::collections::{BTreeMap, BTreeSet};

/// The sets of more than one node from each of which every other can be reached.
pub(crate) fn circles(
    nodes: usize,
    edges: &BTreeMap<usize, BTreeSet<usize>>,
) -> Vec<BTreeSet<usize>> {
    let reached: Vec<BTreeSet<usize>> = (0..nodes).map(|node| reach(node, edges)).collect();
    let mut found: Vec<BTreeSet<usize>> = Vec::new();
    for node in 0..nodes {
        if found.iter().any(|circle| circle.contains(&node)) {
            continue;
        }
        let circle: BTreeSet<usize> = reached[node]
            .iter()
            .copied()
            .filter(|other| reached[*other].contains(&node))
            .collect();
        if circle.len() > 1 {
            found.push(circle);
        }
    }
    found
}

fn reach(from: usize, edges: &BTreeMap<usize, BTreeSet<usize>>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(node) = next.pop() {
        for to in edges.get(&node).into_iter().flatten() {
            if reached.insert(*to) {
                next.push(*to);
            }
        }
    }
    reached
}
