//! Finds circles in a directed graph.

use std::collections::{BTreeMap, BTreeSet};

/// Returns every set of nodes that reach each other (strongly connected components of more than one node; Kosaraju's algorithm).
pub fn circles(nodes: usize, edges: &BTreeSet<(usize, usize)>) -> Vec<BTreeSet<usize>> {
    let mut forwards: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut backwards: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to) in edges {
        forwards.entry(*from).or_default().push(*to);
        backwards.entry(*to).or_default().push(*from);
    }
    let mut finished = Vec::new();
    let mut seen = BTreeSet::new();
    for node in 0..nodes {
        visit(node, &forwards, &mut seen, &mut finished);
    }
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for node in finished.into_iter().rev() {
        let mut component = Vec::new();
        visit(node, &backwards, &mut seen, &mut component);
        if component.len() > 1 {
            found.push(component.into_iter().collect());
        }
    }
    found
}

/// Appends the unvisited nodes that can be reached from `node`, each after those that it reaches.
fn visit(node: usize, arrows: &BTreeMap<usize, Vec<usize>>, seen: &mut BTreeSet<usize>, finished: &mut Vec<usize>) {
    if seen.insert(node) {
        for next in arrows.get(&node).into_iter().flatten() {
            visit(*next, arrows, seen, finished);
        }
        finished.push(node);
    }
}

#[test]
fn circles_are_found_and_nothing_else() {
    let edges = BTreeSet::from([(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (5, 6), (6, 5), (4, 5)]);
    let mut found = circles(7, &edges);
    found.sort();
    assert_eq!(found, [BTreeSet::from([0, 1, 2]), BTreeSet::from([5, 6])]);
    assert!(circles(3, &BTreeSet::from([(0, 1), (0, 2), (1, 2)])).is_empty());
}
