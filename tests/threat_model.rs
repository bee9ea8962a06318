//! Compares docs/threat-model.md with the tests that it names.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the repository has failed")]
#![allow(clippy::indexing_slicing, reason = "the place was found in the text")]

use std::fs;
use std::path::Path;

/// The part of the document in which every paragraph is a claim.
const CLAIMS: &str = "## What is protected, and from whom";
/// The heading after it. What is not protected needs no test, but tests that are named there must exist as well.
const END: &str = "## What is not protected";

/// Returns the paragraphs and list items of a text, without headings and tables.
fn paragraphs(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for line in text.lines() {
        if line.is_empty() || line.starts_with("- ") {
            found.push(String::new());
        }
        if !line.starts_with(['#', '|']) {
            let last = found.last_mut().unwrap();
            last.push_str(line.trim());
            last.push(' ');
        }
    }
    found.retain(|paragraph| !paragraph.trim().is_empty());
    found
}

/// Returns the tests that a paragraph names, as pairs of file and function: after `Tests:` comes a file in code form, then functions of
/// that file. A fuzz target is a file alone.
fn tests_of(paragraph: &str) -> Vec<(&str, &str)> {
    let named = paragraph.split_once("Tests: ").map_or("", |(_, named)| named);
    let mut file = "";
    let mut pairs = Vec::new();
    for name in named.split('`').skip(1).step_by(2) {
        match name.contains('/') {
            false => pairs.push((file, name)),
            true if name.starts_with("fuzz/") => pairs.push((name, "")),
            true => file = name,
        }
    }
    pairs
}

/// Returns whether the file contains this test: a test function, a step of the system test, or a fuzz target.
fn exists(root: &Path, file: &str, function: &str) -> bool {
    let Ok(source) = fs::read_to_string(root.join(file)) else {
        return false;
    };
    if function.is_empty() {
        return source.contains("fuzz_target!");
    }
    if !file.ends_with(".rs") {
        return source.contains(&format!("\n{function}() "));
    }
    source
        .match_indices(&format!("fn {function}("))
        .any(|(place, _)| is_test(&source[..place]))
}

/// Returns whether the function after this text is marked as a test.
fn is_test(before: &str) -> bool {
    let attributes = before
        .lines()
        .rev()
        .skip(usize::from(!before.ends_with('\n')))
        .map(str::trim)
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    attributes
        .into_iter()
        .any(|line| line == "#[test]" || line.starts_with("#[tokio::test"))
}

/// Returns the faults of the document.
fn faults(document: &str, root: &Path) -> Vec<String> {
    let (_, claims) = document.split_once(CLAIMS).unwrap();
    let (claims, _) = claims.split_once(END).unwrap();
    let mut faults = Vec::new();
    for claim in paragraphs(claims) {
        if tests_of(&claim).is_empty() && !claim.contains("No test: ") {
            faults.push(format!("neither a test nor the word that there is none: {claim}"));
        }
    }
    for paragraph in paragraphs(document) {
        let unknown = tests_of(&paragraph)
            .into_iter()
            .filter(|(file, name)| !exists(root, file, name));
        faults.extend(unknown.map(|(file, name)| format!("no such test: {file} {name}")));
    }
    faults
}

#[test]
fn every_claim_names_tests_that_exist_or_says_that_there_is_none() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let faults = faults(&document, root);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_claim_without_a_test_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (claim, fault) in [
        ("It holds. Tests: `src/secret.rs`: `debug_output_is_redacted`.", ""),
        ("It holds. Tests: `fuzz/fuzz_targets/key_uri.rs`.", ""),
        ("It holds. Tests: `tests/system/bad_input.sh`: `wrong_pin`.", ""),
        ("It holds. No test: the kernel does it.", ""),
        ("It holds.", "neither"),
        ("It holds, by `src/secret.rs`.", "neither"),
        ("It holds. Tests: `src/secret.rs`.", "neither"),
        ("It holds. Tests: `debug_output_is_redacted`.", "no such test"),
        ("It holds. Tests: `src/secret.rs`: `debug_says`.", "no such test"),
        ("It holds. Tests: `src/secret.rs`: `expose`.", "no such test"),
        (
            "It holds. Tests: `src/none.rs`: `debug_output_is_redacted`.",
            "no such test",
        ),
        ("It holds. Tests: `fuzz/fuzz_targets/none.rs`.", "no such test"),
        ("It holds. Tests: `tests/system/bad_input.sh`: `none`.", "no such test"),
    ] {
        let document = format!("{CLAIMS}\n\n### A\n\n- {claim}\n\n{END}\n");
        let faults = faults(&document, root).join("\n");
        assert_eq!(fault.is_empty(), faults.is_empty(), "{claim}: {faults}");
        assert!(faults.contains(fault), "{claim}: {faults}");
    }
}

/// The units have the limits that the threat model relies on, which tests of gatepostd alone cannot check.
#[test]
fn the_units_have_the_limits_that_the_threat_model_names() {
    let systemd = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    for (unit, line) in [
        ("gatepost-pin.socket", "SocketMode=0600"),
        ("gatepost-pin.socket", "SocketUser=gatepost"),
        ("gatepost-pin@.service", "LimitCORE=0"),
        ("gatepost-pin@.service", "PrivateNetwork=yes"),
        ("gatepost-enrol.socket", "SocketMode=0600"),
        ("gatepost-enrol.socket", "SocketUser=gatepost"),
        ("gatepost-enrol@.service", "DynamicUser=yes"),
        ("gatepost-enrol@.service", "CapabilityBoundingSet="),
        ("gatepost-enrol@.service", "NoNewPrivileges=yes"),
        ("gatepost-enrol@.service", "PrivateDevices=yes"),
        ("gatepost-enrol@.service", "LimitFSIZE=1M"),
        ("gatepost-enrol@.service", "RuntimeMaxSec=5min"),
        ("gatepost.service", "LimitCORE=0"),
        ("gatepost.service", "User=gatepost"),
        ("gatepost.service", "CapabilityBoundingSet="),
        ("gatepost.service", "NoNewPrivileges=yes"),
        ("gatepost.service", "StateDirectoryMode=0700"),
        ("gatepost.service", "RestartPreventExitStatus=64 77 78"),
    ] {
        let text = fs::read_to_string(systemd.join(unit)).unwrap();
        assert!(text.lines().any(|found| found == line), "{unit} has no line {line}");
    }
}
