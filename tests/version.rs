//! The commit in `--version`: how the build scripts find it in each kind of source tree.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code
)] // what only build scripts call

use std::fs;

include!("../packaging/version/git.rs");

const PLACEHOLDER: &str = "$Format:%H %ct$\n";
const ARCHIVED: &str = "0123456789abcdef0123456789abcdef01234567 1790000000\n";

fn run_git(folder: &Path, words: &[&str]) {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"]);
    let output = command.args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
}

/// Creates sources in a folder, with this content in the archive's file.
fn sources(folder: &Path, archived: &str) {
    let file = folder.join(ARCHIVE_FILE);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, archived).unwrap();
}

fn checkout(folder: &Path) {
    sources(folder, PLACEHOLDER);
    run_git(folder, &["init", "--quiet"]);
    run_git(folder, &["add", "."]);
    run_git(folder, &["commit", "--quiet", "--message", "first"]);
}

fn found(folder: &Path) -> Option<String> {
    commit_of_git(folder).or_else(|| commit_of_archive(folder))
}

#[test]
fn the_commit_is_that_of_the_checkout_with_a_mark_for_changes() {
    let folder = tempfile::tempdir().unwrap();
    checkout(folder.path());
    let clean = found(folder.path()).unwrap();
    assert!(clean.len() == LENGTH && is_commit(&clean), "{clean}");
    // A tag is not a commit, however near it is.
    run_git(folder.path(), &["tag", "--annotate", "--message", "x", "v9.9.9"]);
    assert_eq!(found(folder.path()), Some(clean.clone()));
    sources(folder.path(), "changed");
    assert_eq!(found(folder.path()), Some(format!("{clean}-dirty")));
}

#[test]
fn a_worktree_has_its_own_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (main, other) = (folder.path().join("main"), folder.path().join("other"));
    fs::create_dir(&main).unwrap();
    checkout(&main);
    run_git(&main, &["worktree", "add", "--quiet", "../other"]);
    run_git(&other, &["commit", "--quiet", "--allow-empty", "--message", "second"]);
    assert!(found(&other).is_some());
    assert_ne!(found(&other), found(&main));
}

#[test]
fn without_git_the_commit_comes_from_the_archive_and_never_from_another_repository() {
    for (archived, expected) in [
        (ARCHIVED, Some("0123456789ab")),
        (PLACEHOLDER, None),
        ("", None),
        ("zzzz", None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        sources(folder.path(), archived);
        assert_eq!(found(folder.path()).as_deref(), expected, "{archived}");
        // Unpacked below another project's checkout, as a packager may have it.
        checkout(folder.path());
        let below = folder.path().join("below");
        sources(&below, archived);
        assert_eq!(found(&below).as_deref(), expected, "{archived}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(found(empty.path()), None);
}

#[test]
fn git_archive_writes_commit_and_date() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    fs::create_dir(&from).unwrap();
    fs::create_dir(&to).unwrap();
    fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/.gitattributes"),
        from.join(".gitattributes"),
    )
    .unwrap();
    checkout(&from);
    run_git(&from, &["archive", "--output=../archive.tar", "HEAD"]);
    let unpacked = Command::new("tar")
        .arg("-C")
        .arg(&to)
        .arg("-xf")
        .arg(folder.path().join("archive.tar"))
        .status();
    assert!(unpacked.unwrap().success());
    assert_eq!(found(&to), found(&from));
    let archived = fs::read_to_string(to.join(ARCHIVE_FILE)).unwrap();
    let date = archived.trim().split_once(' ').unwrap().1;
    assert!(date.parse::<u64>().is_ok(), "{archived}");
}

#[test]
fn what_is_taken_for_a_commit() {
    for (text, expected) in [
        ("0123456789ab", true),
        ("0123456789AB", true),
        ("0123456", true),
        ("0123456789ab-dirty", true),
        ("0123456789abcdef0123456789abcdef01234567", true),
        ("012345", false),
        ("", false),
        ("-dirty", false),
        ("v0.1.0", false),
        ("0123456789ab\n", false),
        ("0123456789ab; reboot", false),
        ("$Format:%H", false),
    ] {
        assert_eq!(is_commit(text), expected, "{text:?}");
    }
}

#[test]
fn gatepostd_tells_its_commit() {
    let output = Command::new(env!("CARGO_BIN_EXE_gatepostd"))
        .arg("--version")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        said,
        format!("gatepostd {}\n", gatepost::build_info::VERSION_AND_COMMIT)
    );
    if Path::new(env!("CARGO_MANIFEST_DIR")).join(".git").exists() {
        let commit = gatepost::build_info::commit().expect("a checkout tells its commit");
        assert!(said.contains(commit) && is_commit(commit), "{said}");
    }
}
