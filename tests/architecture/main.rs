//! Compares docs/architecture.md with the source: layers, circles between files, types that are spread over files, and the length of files.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot read the repository has failed"
)]

mod document;
mod graph;
mod impl_files;
mod long_files;
mod source;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use document::Document;
use graph::circles;
use source::Crate;

/// All crates of the workspace: the name in messages, and the file of the root module.
const CRATES: [(&str, &str); 9] = [
    ("gatepost", "src/lib.rs"),
    ("gatepost-client", "client/src/lib.rs"),
    ("cloudlet", "tests/cloudlet/src/lib.rs"),
    ("est-server", "tests/est-server/src/lib.rs"),
    ("rig", "tests/rig/src/lib.rs"),
    ("bench", "bench/src/main.rs"),
    ("pages", "packaging/pages/src/main.rs"),
    ("the end-to-end tests", "tests/e2e/main.rs"),
    ("the test of the architecture", "tests/architecture/main.rs"),
];

/// The crates, parsed once for all tests of this file.
static PARSED: LazyLock<Vec<Crate>> = LazyLock::new(|| {
    CRATES
        .iter()
        .map(|(_, root)| Crate::read(&repository().join(root)))
        .collect()
});

fn crates() -> impl Iterator<Item = (&'static str, &'static Crate)> {
    CRATES.iter().map(|(name, _)| *name).zip(PARSED.iter())
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document() -> Document {
    Document::read(&fs::read_to_string(repository().join("docs/architecture.md")).unwrap())
}

#[test]
fn no_file_imports_from_a_layer_above_its_own() {
    let document = document();
    let (_, gatepost) = crates().next().unwrap();
    let modules = gatepost.top_level();
    let mut faults = document.differences(&modules);
    for &(from, to) in gatepost.edges() {
        let (above, below) = (gatepost.top_level_of(from), gatepost.top_level_of(to));
        if above != below && !document.may_import(above, below) {
            faults.push(format!("{} imports from {}", gatepost.name(from), gatepost.name(to)));
        }
    }
    assert!(
        faults.is_empty(),
        "against docs/architecture.md:\n{}",
        faults.join("\n")
    );
}

#[test]
fn no_files_import_from_each_other_in_a_circle() {
    let mut found = Vec::new();
    for (name, parsed) in crates() {
        for circle in circles(parsed.files(), parsed.edges()) {
            let inside = |(from, to): &&(usize, usize)| circle.contains(from) && circle.contains(to);
            let arrows: Vec<String> = parsed
                .edges()
                .iter()
                .filter(inside)
                .map(|(from, to)| format!("    {} -> {}", parsed.name(*from), parsed.name(*to)))
                .collect();
            found.push(format!("{name}, {} files:\n{}", circle.len(), arrows.join("\n")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Types that have methods outside the file that defines them, each with its reason: crate, type, reason.
const SPREAD_TYPES: [(&str, &str, &str); 0] = [];

#[test]
fn the_methods_of_a_type_are_in_the_file_that_defines_it() {
    let mut found = Vec::new();
    let mut excused = Vec::new();
    for (crate_name, parsed) in crates() {
        for (defined_in, name, others) in parsed.impl_files().spread() {
            let full_name = format!("{}::{name}", parsed.name(defined_in));
            match SPREAD_TYPES
                .iter()
                .find(|(listed, type_, _)| (*listed, *type_) == (crate_name, &full_name))
            {
                Some(exception) => excused.push(exception),
                None => {
                    let others: Vec<_> = others.iter().map(|file| parsed.name(*file)).collect();
                    found.push(format!("    {crate_name}: {full_name}, also in {}", others.join(", ")));
                }
            }
        }
    }
    assert!(
        found.is_empty(),
        "types with methods outside the file that defines them:\n{}\nGive the fields that these methods use a type of their own, in a \
         file of its own; or move the methods to the type.",
        found.join("\n")
    );
    let stale: Vec<_> = SPREAD_TYPES.iter().filter(|one| !excused.contains(one)).collect();
    assert!(stale.is_empty(), "take these from the list: {stale:?}");
}
