// Finds the commit that is being built. Included by the build scripts of gatepostd and gatepost, so that both report the same.

use std::path::{Path, PathBuf};
use std::process::Command;

/// `git archive` writes the commit and its date into this file (.gitattributes), so that an unpacked source archive contains them as well.
const ARCHIVE_FILE: &str = "packaging/version/archived-commit";
/// Length of an abbreviation. It is fixed, because git's own choice grows with the repository, and builds must be reproducible.
const LENGTH: usize = 12;

/// Passes the version that `--version` prints (`GATEPOST_VERSION`) and the commit (`GATEPOST_COMMIT`, may be empty) to the compiler. `root`
/// is the folder of the workspace, relative to that of the package.
fn announce_version(root: &Path) {
    println!("cargo::rerun-if-env-changed=GATEPOST_BUILD_COMMIT");
    println!("cargo::rerun-if-changed={}", root.join(ARCHIVE_FILE).display());
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = std::env::var("GATEPOST_BUILD_COMMIT").ok().filter(|text| is_commit(text));
    let commit = given.or_else(|| commit_of_git(root)).or_else(|| commit_of_archive(root));
    // A debug build is not repeated for each commit, so it says that it may be newer.
    if release {
        watch_commits(root);
    }
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let text = match (&commit, release) {
        (Some(commit), true) => format!("{version} ({commit})"),
        (Some(commit), false) => format!("{version} ({commit} or later, debug build)"),
        (None, true) => version,
        (None, false) => format!("{version} (debug build)"),
    };
    println!("cargo::rustc-env=GATEPOST_VERSION={text}");
    println!("cargo::rustc-env=GATEPOST_COMMIT={}", commit.unwrap_or_default());
}

/// Returns the commit, with `-dirty` if the checkout has changes. Returns `None` outside of gatepost's own checkout: sources that were
/// unpacked below another repository would otherwise get that repository's commit.
fn commit_of_git(root: &Path) -> Option<String> {
    if !root.join(".git").exists() {
        return None;
    }
    let abbreviated = format!("--abbrev={LENGTH}");
    let text = git(root, &["describe", "--always", "--dirty", "--exclude=*", &abbreviated])?;
    is_commit(&text).then_some(text)
}

fn commit_of_archive(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join(ARCHIVE_FILE)).ok()?;
    let commit: String = text.trim().chars().take(LENGTH).collect();
    is_commit(&commit).then_some(commit)
}

/// Returns whether the text is a commit. In a checkout the archive's file contains git's placeholder, and a packager may give any text.
fn is_commit(text: &str) -> bool {
    let digits = text.strip_suffix("-dirty").unwrap_or(text);
    digits.len() >= 7 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Lets cargo run the build script again after a commit, a checkout, or a change of a source file.
fn watch_commits(root: &Path) {
    for path in ["src", "client/src", "Cargo.toml", "Cargo.lock", "build.rs", "client/build.rs"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    // Each commit and each checkout writes a line to HEAD's log. A path that does not exist would cause a rebuild each time.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(root, &["rev-parse", "--git-path", name]).map(|path| root.join(PathBuf::from(path)));
        if let Some(path) = path.filter(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

fn git(root: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
