//! Consistency of a release: all places agree on the version, and all descriptions of the first steps agree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // tests

use std::fs;
use std::path::Path;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the versions of the changelog with their dates, the newest first.
fn releases() -> Vec<(String, Option<String>)> {
    let changelog = read("CHANGELOG.md");
    let titles = changelog.lines().filter_map(|line| line.strip_prefix("## ["));
    titles
        .map(|title| match title.split_once("] - ") {
            Some((version, date)) => (version.to_owned(), Some(date.to_owned())),
            None => (title.trim_end_matches(']').to_owned(), None),
        })
        .collect()
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |part: &str, count| part.len() == count && part.bytes().all(|digit| digit.is_ascii_digit());
    matches!(parts.as_slice(), [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2))
}

#[test]
fn the_changelog_knows_the_version_that_is_built() {
    let releases = releases();
    let (newest, _) = releases.first().expect("the changelog has a section");
    assert!(newest == "Unreleased" || newest == VERSION, "{newest}");
    for (version, date) in &releases {
        match date {
            Some(date) => assert!(is_date(date), "{version} - {date}"),
            None => assert_eq!(version, "Unreleased", "a release has a date"),
        }
    }
    let released = releases.iter().filter(|(version, _)| version != "Unreleased");
    let released: Vec<&str> = released.map(|(version, _)| version.as_str()).collect();
    assert!(
        released.is_empty() || released[0] == VERSION,
        "Cargo.toml says {VERSION}, the changelog {released:?}"
    );
    let says_unreleased = read("README.md").contains("not released yet");
    assert_eq!(says_unreleased, released.is_empty(), "README and changelog differ");
    let state = format!("**State:** {VERSION}");
    assert!(read("README.md").contains(&state), "README does not say {state}");
    let said = read("CHANGELOG.md").contains("Nothing has been released yet");
    assert_eq!(said, released.is_empty(), "the changelog says that nothing is released");
    let supported = read("SECURITY.md").contains("There are no others yet");
    assert_eq!(supported, released.len() < 2, "SECURITY.md and changelog differ");
}

#[test]
fn the_changelog_is_text_as_it_is_read() {
    for (number, line) in read("CHANGELOG.md").lines().enumerate() {
        assert!(!line.contains("\\n"), "CHANGELOG.md:{}: {line}", number + 1);
        let begins = line.is_empty() || ["- ", "  ", "#", "["].iter().any(|start| line.starts_with(start));
        assert!(
            begins || number < 12 || line == "The first release.",
            "CHANGELOG.md:{}: {line}",
            number + 1
        );
    }
}

#[test]
fn every_crate_of_the_workspace_has_the_version() {
    for (lock, names) in [
        (
            "Cargo.lock",
            &["gatepost", "gatepost-client", "pages", "bench", "rig"][..],
        ),
        ("fuzz/Cargo.lock", &["gatepost", "gatepost-client"]),
    ] {
        let lock_text = read(lock);
        for name in names {
            let entry = format!("name = \"{name}\"\nversion = \"{VERSION}\"\n");
            assert!(lock_text.contains(&entry), "{lock}: {name} is not {VERSION}");
        }
    }
}

/// The emulator is useful without gatepost, so its package must be complete enough to be published.
#[test]
fn the_emulator_can_be_packaged() {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    let words = [
        "package",
        "--package",
        "cloudlet",
        "--list",
        "--offline",
        "--allow-dirty",
    ];
    let output = cargo
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let files: Vec<&str> = listed.lines().collect();
    for name in ["Cargo.toml", "LICENSE", "README.md", "src/lib.rs", "src/main.rs"] {
        assert!(files.contains(&name), "{name} is not among {files:?}");
    }
    assert!(
        !files.iter().any(|name| name.starts_with("tests/")),
        "its tests need what is not published"
    );
    let manifest = read("tests/cloudlet/Cargo.toml");
    for key in [
        "repository",
        "readme",
        "keywords",
        "categories",
        "license",
        "description",
    ] {
        assert!(manifest.lines().any(|line| line.starts_with(key)), "no {key}");
    }
    assert!(!manifest.contains("publish = false"));
    // On a page of its own, the links of its README must lead somewhere.
    let readme = read("tests/cloudlet/README.md");
    assert!(
        !readme.contains("](../") && !readme.contains("](docs/"),
        "a link out of its package"
    );
}

/// The package's version comes from Cargo.toml, and the page that says how to release names the script.
#[test]
fn the_package_and_the_release_take_the_version_from_cargo_toml() {
    for script in ["packaging/build", "packaging/release"] {
        assert!(
            read(script).contains(r"sed -n '/^\[workspace.package\]/,/^\[/ s/^version ="),
            "{script}"
        );
    }
    assert!(read("CONTRIBUTING.md").contains("make release"));
}

#[test]
fn the_first_steps_are_the_same_in_every_place() {
    for place in [
        "README.md",
        "docs/install.md",
        "packaging/debian/gatepost.postinst",
        "packaging/pages/src/manual.rs",
        "client/src/daemon/first_steps.rs",
    ] {
        let text = read(place);
        let mut rest = text.as_str();
        for step in [
            "sudo gatepost-tpm-setup",
            "/etc/gatepost/gatepost.toml",
            "sudo gatepostd --check-config",
            "sudo systemctl enable --now gatepost",
        ] {
            // Other text may come in between, so each step is searched after the previous one.
            let (_, after) = rest
                .split_once(step)
                .unwrap_or_else(|| panic!("{place}: no {step} in its place"));
            rest = after;
        }
    }
}
