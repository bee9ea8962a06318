//! The fleet CA and the release.

use std::fs;
use std::path::Path;

use rig::executable;

use crate::machine::{Machine, REPOSITORY};

#[test]
fn the_fleet_ca_says_what_is_missing_before_it_makes_anything() {
    let openssl = ("openssl", "exec /usr/bin/openssl \"$@\"");
    let asked = "echo CODE";
    // The machine, the variables, whether it succeeds, its output, and whether commands are kept.
    for (programs, variables, succeeds, says, made) in [
        (vec![], "", false, "openssl is missing: apt-get install openssl", false),
        (vec![openssl], "", false, "the AWS CLI is missing", false),
        (vec![openssl], "REGISTRATION_CODE=code", true, "account *", true),
        (vec![openssl], "MODE=SNI_ONLY", true, "AWS was not asked", true),
        (
            vec![openssl, ("aws", "echo 'no credentials' >&2; exit 253")],
            "",
            false,
            "give REGISTRATION_CODE",
            false,
        ),
        (
            vec![openssl, ("aws", asked)],
            "",
            true,
            "What AWS needs to be told",
            true,
        ),
        (vec![openssl], "MODE=NONE", false, "it is DEFAULT or SNI_ONLY", false),
        (
            vec![openssl],
            "MODE=SNI_ONLY DAYS=-1",
            false,
            "DAYS=-1: it is a number of days",
            false,
        ),
        (
            vec![openssl],
            "MODE=SNI_ONLY OUT='a folder/with spaces'",
            true,
            "made in a folder/with spaces",
            true,
        ),
    ] {
        let machine = Machine::new(&programs);
        let ran = machine.run(&["-c", &format!("{variables} bash config/aws/fleet-ca")]);
        let shown = format!("{variables} with {programs:?}\n{}", ran.said);
        assert!(ran.success == succeeds && ran.said.contains(says), "{shown}");
        let out = if variables.contains("OUT=") {
            "a folder/with spaces"
        } else {
            "fleet-ca"
        };
        let out = machine.folder.path().join(out);
        assert_eq!(out.join("commands.sh").exists(), made, "{shown}");
        assert!(
            made || !ran.said.contains("aws iam create-role"),
            "half of the commands: {shown}"
        );
        if programs.iter().all(|(name, _)| *name != "aws") {
            assert!(made || !out.exists(), "something was made before: {shown}");
        }
    }
}

/// Git's answers in a clean checkout without tags.
const CLEAN: &str = "case $1 in rev-parse) [[ $* == *HEAD* ]] ;; archive) for word in \"$@\"; do \
                     [[ $word != --output=* ]] || : >\"${word#--output=}\"; done ;; esac";

#[test]
fn a_release_is_refused_until_everything_agrees() {
    let version = env!("CARGO_PKG_VERSION");
    let released = format!("# Changelog\n\n## [{version}] - 2026-12-01\n");
    let toolchain = fs::read_to_string(Path::new(REPOSITORY).join("packaging/toolchain")).unwrap();
    let (good, other) = (
        format!("echo 'rustc {} (x)'", toolchain.trim()),
        "echo 'rustc 1.0.0 (x)'",
    );
    let ready = "State: released.\n";
    for (git, changelog, readme, rustc, says) in [
        (
            "exit 1",
            released.as_str(),
            ready,
            good.as_str(),
            "this is not a git checkout",
        ),
        (
            "[[ $1 != status ]] || echo ' M x'",
            &released,
            ready,
            &good,
            "changes that are not committed",
        ),
        ("exit 0", &released, ready, &good, "is tagged already"),
        (CLEAN, "## [Unreleased]\n", ready, &good, "CHANGELOG.md has no section"),
        (
            CLEAN,
            "## [9.9.9] - 2026-12-01\n",
            ready,
            &good,
            "CHANGELOG.md has no section",
        ),
        (
            CLEAN,
            &released,
            "State: not released yet.\n",
            &good,
            "README.md says that nothing is released yet",
        ),
        (CLEAN, &released, ready, other, "releases are built with Rust"),
        (CLEAN, &released, ready, &good, "git tag --sign"),
    ] {
        let sums = ("sha256sum", "exec /usr/bin/sha256sum \"$@\"");
        let machine = Machine::new(&[("git", git), ("rustc", rustc), sums]);
        let folder = machine.folder.path();
        fs::create_dir(folder.join("packaging")).unwrap();
        for name in ["packaging/release", "packaging/toolchain"] {
            fs::copy(Path::new(REPOSITORY).join(name), folder.join(name)).unwrap();
        }
        fs::write(folder.join("CHANGELOG.md"), changelog).unwrap();
        fs::write(folder.join("README.md"), readme).unwrap();
        let build = format!(
            "#!/bin/bash\necho built\nmkdir -p target/deb/amd64/pages\n\
             echo x | tee target/deb/gatepost_{version}-1_amd64.deb >target/deb/amd64/pages/gatepost.cdx.json\n"
        );
        executable::write(&folder.join("packaging/build"), &build).unwrap();
        let ran = machine.run(&["-c", "ARCH=amd64 bash packaging/release"]);
        assert!(ran.said.contains(says), "{says:?} was not said:\n{}", ran.said);
        let is_last = says.contains("git tag");
        assert!(
            ran.success == is_last && ran.said.contains("built\n") == is_last,
            "{}",
            ran.said
        );
        let sums = fs::read_to_string(folder.join(format!("target/release-{version}/SHA256SUMS"))).unwrap_or_default();
        assert_eq!(sums.lines().count(), if is_last { 3 } else { 0 }, "{sums}");
    }
}
