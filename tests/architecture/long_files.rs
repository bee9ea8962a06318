//! Checks the length of files: one that is longer than the limit must be in a list, with its reason.

use std::fs;
use std::path::Path;

/// Maximum number of lines of a file without a reason.
const LIMIT: usize = 300;

/// The folders with our own source.
const FOLDERS: [&str; 10] = [
    ".ci",
    "bench",
    "client",
    "config",
    "demo",
    "examples",
    "fuzz",
    "packaging",
    "src",
    "tests",
];

/// Folders that builds and installations create.
const GENERATED: [&str; 3] = ["target", "node_modules", "corpus"];

/// Longer files, and the reasons why they are not split.
const LONG_FILES: [(&str, &str); 19] = [
    (
        ".ci/setup",
        "one script, so that a bare machine needs nothing beside it",
    ),
    ("packaging/gatepost-tpm-setup", "one installed script"),
    ("tests/aws_articles.rs", "two documents of AWS, step by step"),
    (
        "tests/cloudlet/src/policy/documented.rs",
        "a table: the examples of AWS's guide",
    ),
    ("tests/cloudlet/src/sigv4/tests.rs", "a table of cases"),
    (
        "tests/cloudlet/tests/control_plane.py",
        "one conversation with the API, which each step continues",
    ),
    ("src/event.rs", "a table: two lines for each event of the journal"),
    ("tests/e2e/sign.rs", "a table of requests that are refused"),
    ("tests/e2e/tokens/quirks.rs", "a table of tokens"),
    ("tests/rig/power_loss.c", "one FUSE file system, compiled from one file"),
    ("tests/rig/token_quirks.c", "one PKCS#11 module, compiled from one file"),
    ("tests/system/bad_input.sh", "a table of cases"),
    (
        "client/src/json.rs",
        "one reader of JSON, so that the command has no dependency",
    ),
    (
        "src/cloud/credentials/refresher/tests.rs",
        "one scripted provider, and what it makes the refresher do",
    ),
    (
        "src/cloud/enrolment/state_machine/tests.rs",
        "tables: each pair of steps that a power cut separates",
    ),
    (
        "src/cloud/session/subscriber/tests.rs",
        "one scripted server, and what it makes the subscriber do",
    ),
    ("src/local/access/missing_rule/tests.rs", "a table of hints"),
    ("src/messages/tests.rs", "one model of the store, held against it"),
    (
        "src/messages/thread/upkeep/tests.rs",
        "tables of files and what becomes of their space",
    ),
];

#[test]
fn a_long_file_has_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut long = Vec::new();
    for folder in FOLDERS {
        find_long_files(root, Path::new(folder), &mut long);
    }
    long.sort();
    let excused = |name: &str| LONG_FILES.iter().any(|(listed, _)| *listed == name);
    let unexcused: Vec<_> = long.iter().filter(|(name, _)| !excused(name)).collect();
    assert!(
        unexcused.is_empty(),
        "longer than {LIMIT} lines: split them, or list them with a reason: {unexcused:?}"
    );
    let is_long = |name: &str| long.iter().any(|(found, _)| found == name);
    let stale: Vec<_> = LONG_FILES.iter().filter(|(name, _)| !is_long(name)).collect();
    assert!(
        stale.is_empty(),
        "take these from the list, they are not long: {stale:?}"
    );
}

/// Adds each source file below `folder` that is too long, with its number of lines.
fn find_long_files(root: &Path, folder: &Path, long: &mut Vec<(String, usize)>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = folder.join(&name);
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !GENERATED.contains(&name.as_str()) {
            find_long_files(root, &path, long);
        } else if kind.is_file() {
            // Only text can be source; any other file is a seed of a fuzz target.
            let text = fs::read_to_string(root.join(&path)).unwrap_or_default();
            let lines = text.lines().count();
            if lines > LIMIT && is_source(&path, &text) {
                long.push((path.display().to_string(), lines));
            }
        }
    }
}

/// Returns whether a file is a program's source, by its extension or its interpreter.
fn is_source(path: &Path, text: &str) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) => ["rs", "c", "h", "py", "js", "sh"].contains(&extension),
        None => text.starts_with("#!"),
    }
}

#[test]
fn source_is_known_by_extension_or_interpreter() {
    let cases = [
        ("a.rs", "", true),
        ("a.c", "", true),
        ("run", "#!/bin/bash\n", true),
        ("run", "text", false),
        ("a.md", "#!/bin/bash\n", false),
        ("Cargo.lock", "", false),
    ];
    for (path, text, expected) in cases {
        assert_eq!(is_source(Path::new(path), text), expected, "{path}");
    }
}
