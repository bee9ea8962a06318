//! Compares docs/promises.md with the names of the tests.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the repository has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Returns the numbers of the list under this heading.
fn listed(document: &str, heading: &str) -> BTreeSet<u32> {
    let (_, after) = document.split_once(&format!("\n## {heading}\n")).unwrap();
    let part = after.split("\n## ").next().unwrap();
    part.lines()
        .filter_map(|line| line.split_once(". ")?.0.parse().ok())
        .collect()
}

/// Collects the promises in the names of test functions below `folder`.
fn tested(folder: &Path, found: &mut BTreeSet<u32>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tested(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(promises_in(&fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Returns the promises in the names of a source file's tests. A function that no test runner calls proves nothing.
fn promises_in(source: &str) -> Vec<u32> {
    let mut promises = Vec::new();
    let mut attributes: Vec<&str> = Vec::new();
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            attributes.push(line);
            continue;
        }
        let function = line.strip_prefix("async ").unwrap_or(line);
        if let Some(rest) = function.strip_prefix("fn promise_") {
            let is_run = attributes
                .iter()
                .any(|attribute| attribute.starts_with("#[test]") || attribute.starts_with("#[tokio::test"));
            let is_ignored = attributes.iter().any(|attribute| attribute.starts_with("#[ignore"));
            let number = rest.split('_').next().and_then(|number| number.parse().ok());
            if let (true, false, Some(number)) = (is_run, is_ignored, number) {
                promises.push(number);
            }
        }
        // Comments may stand between an attribute and its function.
        if !line.starts_with("//") {
            attributes.clear();
        }
    }
    promises
}

/// Returns the faults of a list of promises, given those that have tests.
fn faults(document: &str, tested: &BTreeSet<u32>) -> Vec<String> {
    let kept = listed(document, "Kept");
    let later = listed(document, "Not kept yet");
    let all: BTreeSet<u32> = kept.union(&later).copied().collect();
    let mut faults = Vec::new();
    if all != (1..=16).collect() {
        faults.push(format!("the promises are 1 to 16, and these are listed: {all:?}"));
    }
    let twice = kept.intersection(&later);
    faults.extend(twice.map(|number| format!("promise {number} is kept, and not kept yet")));
    // Parts of a later promise may be tested already.
    let untested = kept.difference(tested);
    faults.extend(untested.map(|number| format!("promise {number} is kept, and no test proves it")));
    let unknown = tested.difference(&all);
    faults.extend(unknown.map(|number| format!("a test names promise {number}, which is not listed")));
    faults
}

#[test]
fn every_kept_promise_has_a_test_and_every_test_a_promise() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/promises.md")).unwrap();
    let mut found = BTreeSet::new();
    for folder in ["src", "client", "tests"] {
        tested(&root.join(folder), &mut found);
    }
    assert_eq!(faults(&document, &found), Vec::<String>::new());
}

#[test]
fn each_way_to_break_the_list_is_found() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/promises.md")).unwrap();
    let kept = listed(&document, "Kept");
    for number in &kept {
        let mut without = kept.clone();
        without.remove(number);
        let expected = format!("promise {number} is kept, and no test proves it");
        assert_eq!(faults(&document, &without), [expected]);
    }
    let mut with_another = kept.clone();
    with_another.insert(17);
    assert_eq!(
        faults(&document, &with_another),
        ["a test names promise 17, which is not listed"]
    );
    let without_a_line = document.replacen("\n3. ", "\nThree. ", 1);
    assert_eq!(faults(&without_a_line, &kept).len(), 2, "a hole, and a test for it");
    let twice = document.replacen("\n11. ", "\n10. ", 1);
    assert_eq!(faults(&twice, &kept).len(), 2, "a hole, and one in both lists");
}

#[test]
fn only_what_a_test_runner_calls_is_a_test() {
    let cases = [
        ("#[test]\nfn promise_1_a() {}", vec![1]),
        (
            "    #[tokio::test(start_paused = true)]\n    async fn promise_12_a() {}",
            vec![12],
        ),
        ("#[test]\n// Why.\n#[allow(dead_code)]\nfn promise_3_a() {}", vec![3]),
        ("#[test]\n#[ignore]\nfn promise_1_a() {}", vec![]),
        ("#[test]\n#[ignore = \"slow\"]\nfn promise_1_a() {}", vec![]),
        ("fn promise_1_a() {}", vec![]),
        ("// fn promise_1_a() {}", vec![]),
        ("// #[test]\nfn promise_1_a() {}", vec![]),
        ("#[test]\nfn other() {}\nfn promise_1_a() {}", vec![]),
        ("let call = promise_1_a;", vec![]),
        ("#[test]\nfn promise_one_a() {}", vec![]),
    ];
    for (source, expected) in cases {
        assert_eq!(promises_in(source), expected, "{source}");
    }
}
