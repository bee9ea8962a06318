//! Holds docs/promises.md against the names of the tests.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the repository has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The numbers of the list under this heading.
fn listed(document: &str, heading: &str) -> BTreeSet<u32> {
    let (_, after) = document.split_once(&format!("\n## {heading}\n")).unwrap();
    let part = after.split("\n## ").next().unwrap();
    part.lines()
        .filter_map(|line| line.split_once(". ")?.0.parse().ok())
        .collect()
}

/// The promises that test functions of the source files below `folder` name.
fn tested(folder: &Path, found: &mut BTreeSet<u32>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tested(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let names = source.split("fn promise_").skip(1);
            found.extend(names.filter_map(|rest| rest.split('_').next()?.parse::<u32>().ok()));
        }
    }
}

#[test]
fn every_kept_promise_has_a_test_and_every_test_a_promise() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/promises.md")).unwrap();
    let kept = listed(&document, "Kept");
    let later = listed(&document, "Not kept yet");
    let all: BTreeSet<u32> = kept.union(&later).copied().collect();
    assert_eq!(all, (1..=16).collect(), "the promises are numbered without holes");
    assert!(kept.is_disjoint(&later));
    let mut tested_promises = BTreeSet::new();
    for folder in ["src", "client", "tests"] {
        tested(&root.join(folder), &mut tested_promises);
    }
    // Parts of a later promise may be tested already.
    let missing: Vec<_> = kept.difference(&tested_promises).collect();
    let unknown: Vec<_> = tested_promises.difference(&all).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "no test: {missing:?}, no promise: {unknown:?}"
    );
}
