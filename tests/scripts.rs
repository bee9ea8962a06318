//! The scripts that a stranger runs first, each branch of them, with the programs they call in miniature: nothing is
//! installed, and nothing is built.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use rig::executable;
use tempfile::TempDir;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
/// What the scripts use of every Debian.
const ORDINARY: &[&str] = &[
    "bash", "cat", "chmod", "cmp", "cp", "cut", "date", "dirname", "env", "grep", "head", "mkdir", "mv", "nice",
    "readlink", "realpath", "rm", "sed", "sh", "sort", "tee", "tr",
];

/// A copy of the scripts, and the only programs that they find.
struct Machine {
    folder: TempDir,
}

/// How a script ended, what it said, and which of the programs it ran with which words.
struct Ran {
    success: bool,
    said: String,
    calls: String,
}

impl Machine {
    /// `programs` are a name and a shell line each; every call of one is noted.
    fn new(programs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", ".ci", "target/awscli/bin", "config/aws"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let for_the_fleet = [
            "policy",
            "provisioning-template",
            "provisioning-trust",
            "role-alias-trust",
        ];
        let for_the_fleet = for_the_fleet.map(|name| format!("config/aws/{name}.json"));
        let scripts = [".ci/run", ".ci/setup", "Cargo.toml", "config/aws/fleet-ca"];
        for name in scripts.into_iter().chain(for_the_fleet.iter().map(String::as_str)) {
            fs::copy(Path::new(REPOSITORY).join(name), folder.path().join(name)).unwrap();
        }
        let machine = Self { folder };
        for name in ORDINARY {
            let found = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
            let found = found
                .iter()
                .find(|path| path.exists())
                .unwrap_or_else(|| panic!("no {name}"));
            symlink(found, machine.folder.path().join("bin").join(name)).unwrap();
        }
        for (name, line) in programs {
            machine.add(name, line);
        }
        machine
    }

    fn add(&self, name: &str, line: &str) {
        let calls = self.folder.path().join("calls");
        let text = format!("#!/bin/bash\necho \"{name} $*\" >>'{}'\n{line}\n", calls.display());
        let path = self.folder.path().join("bin").join(name);
        executable::write(&path, &text).unwrap();
    }

    /// Runs a script as an ordinary user.
    fn run(&self, words: &[&str]) -> Ran {
        // Nobody else's folder is shown to that user: this one is opened to all.
        for name in ["", "target", "target/awscli", "target/awscli/bin"] {
            fs::set_permissions(self.folder.path().join(name), fs::Permissions::from_mode(0o777)).unwrap();
        }
        let mut command = match rig::user::is_root() {
            true => {
                let mut command = Command::new("/usr/bin/setpriv");
                command
                    .args(["--reuid", "61011", "--regid", "61011", "--clear-groups"])
                    .arg("/bin/bash");
                command
            }
            false => Command::new("/bin/bash"),
        };
        let output = command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", self.folder.path().join("bin"))
            .env("HOME", self.folder.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        Ran {
            success: output.status.success(),
            said: String::from_utf8(said).unwrap(),
            calls: fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default(),
        }
    }
}

const RUST: [(&str, &str); 2] = [("cargo", ""), ("rustc", "echo 'rustc 1.95.0 (5980761 2026-04-14)'")];
const APT: (&str, &str) = ("apt-get", "");

/// The script, the programs of the machine, whether it succeeds, what it says, and what it runs.
struct Case<'a> {
    words: &'a [&'a str],
    programs: Vec<(&'a str, &'a str)>,
    succeeds: bool,
    says: &'a [&'a str],
    runs: &'a [&'a str],
}

#[test]
fn what_a_machine_lacks_is_said_or_installed() {
    let with = |more: &[(&'static str, &'static str)]| [&RUST[..], more].concat();
    let linters = [("cargo-clippy", ""), ("cargo-fmt", "")];
    let compiler = [("make", ""), ("cc", "")];
    let old = |version: &'static str| vec![("cargo", ""), ("rustc", version), APT, ("sudo", "")];
    let bare = |more: &[(&'static str, &'static str)]| [&RUST[..], &compiler, more].concat();
    let ready = |more: &[(&'static str, &'static str)]| bare(&[&[("g++", "")], more].concat());
    let by_hand = "as root: apt-get update && apt-get install --no-install-recommends";
    let check: &[&str] = &[".ci/setup", "check"];
    let cases = [
        (
            check,
            vec![APT],
            false,
            vec!["Rust is missing: install version 1.94.1", "https://rustup.rs"],
            vec![],
        ),
        (check, vec![("cargo", ""), APT], false, vec!["Rust is missing"], vec![]),
        (
            check,
            old("echo 'rustc 1.85.0 (x)'"),
            false,
            vec!["this is Rust 1.85.0, and 1.94.1 or newer", "rustup update"],
            vec!["rustc --version"],
        ),
        (
            check,
            old("echo 'rustc 1.94.0'"),
            false,
            vec!["this is Rust 1.94.0"],
            vec!["rustc --version"],
        ),
        (
            &[".ci/setup", "test"],
            old("echo 'rustc 1.9.0 (x)'"),
            false,
            vec!["this is Rust 1.9.0"],
            vec!["rustc --version"],
        ),
        (
            &[".ci/setup", "demo"],
            old("echo 'rustc 1.63.0 (x)'"),
            false,
            vec!["this is Rust 1.63.0"],
            vec!["rustc --version"],
        ),
        (
            check,
            with(&[APT]),
            false,
            vec!["packages are missing", by_hand],
            vec![],
        ),
        (
            check,
            with(&[APT, ("sudo", "exit 1")]),
            false,
            vec!["sudo is not for you", by_hand],
            vec!["sudo -v"],
        ),
        (
            check,
            with(&[]),
            false,
            vec!["please install the equivalents of:"],
            vec![],
        ),
        (
            check,
            [with(&[APT, ("sudo", "[[ $1 == -v ]] || \"$@\"")]), linters.to_vec()].concat(),
            true,
            vec!["installing "],
            vec!["apt-get update -q", "apt-get install -q -y --no-install-recommends "],
        ),
        (
            check,
            ready(&[("rustup", "")]),
            true,
            vec!["installing clippy rustfmt"],
            vec!["rustup component add clippy rustfmt"],
        ),
        (
            check,
            ready(&[]),
            false,
            vec!["please install the Rust tools clippy rustfmt"],
            vec![],
        ),
        (
            check,
            ready(&[linters[0], ("rustup", "")]),
            true,
            vec!["installing rustfmt"],
            vec!["rustup component add rustfmt"],
        ),
        (check, ready(&linters), true, vec![], vec![]),
        (check, bare(&linters), false, vec!["equivalents of: g++"], vec![]),
        (&[".ci/setup", "fuzz"], bare(&[APT]), false, vec!["g++"], vec![]),
        (
            &[".ci/setup", "demo"],
            ready(&[APT]),
            false,
            vec![by_hand, "opensc", "python3-venv"],
            vec![],
        ),
        (
            &[".ci/setup", "test"],
            ready(&[APT]),
            false,
            vec![by_hand, "podman", "swtpm"],
            vec![],
        ),
        (
            &[".ci/setup", "deb"],
            ready(&[APT]),
            false,
            vec![by_hand, "lintian"],
            vec![],
        ),
        (
            &[".ci/setup", "system-test"],
            ready(&[APT]),
            false,
            vec![by_hand, "mmdebstrap"],
            vec![],
        ),
        (
            &[".ci/setup", "lint"],
            ready(&[APT]),
            false,
            vec![by_hand, "python3-venv"],
            vec![],
        ),
        (
            &[".ci/setup", "nonsense"],
            ready(&[]),
            false,
            vec!["usage: .ci/setup check|test|fuzz"],
            vec![],
        ),
        (&[".ci/setup"], ready(&[]), false, vec!["usage:"], vec![]),
        (
            &[".ci/setup", "newcomer"],
            with(&[APT]),
            false,
            vec![by_hand, "mmdebstrap"],
            vec![],
        ),
    ];
    for (words, programs, succeeds, says, runs) in cases {
        let case = Case {
            words,
            programs,
            succeeds,
            says: &says,
            runs: &runs,
        };
        check_case(&case);
    }
}

/// The network, or what it leads to, is not there: the last line says so, and nothing is half done without a word.
#[test]
fn what_cannot_be_fetched_is_said_at_the_end() {
    let as_root = ("sudo", "[[ $1 == -v ]] || \"$@\"");
    let compiler = [("make", ""), ("cc", ""), ("g++", "")];
    let linters = [("cargo-clippy", ""), ("cargo-fmt", "")];
    let fails = |name: &'static str, words: &'static str| (name, words);
    let with = |more: &[(&'static str, &'static str)]| [&RUST[..], &compiler, more].concat();
    let python = "[[ $* != *'-m venv'* ]] || { mkdir -p target/cfn-lint/bin; \
                  printf '#!/bin/sh\n[ \"$1\" = -c ] || exit 1\n' >target/cfn-lint/bin/python3; chmod +x target/cfn-lint/bin/python3; }";
    let cargo_fails = [
        ("cargo", "[[ $1 != install ]]"),
        RUST[1],
        compiler[0],
        compiler[1],
        compiler[2],
        ("cfn-lint", ""),
    ];
    for (words, programs, says) in [
        (
            "check",
            [&RUST[..], &[as_root, fails("apt-get", "[[ $1 != update ]]")]].concat(),
            "these packages could not be installed: g++ gcc",
        ),
        (
            "check",
            [&RUST[..], &[as_root, fails("apt-get", "[[ $1 != install ]]")]].concat(),
            "these packages could not be installed: g++ gcc",
        ),
        (
            "check",
            with(&[fails("rustup", "exit 1")]),
            "rustup could not install clippy rustfmt",
        ),
        (
            "lint",
            [&cargo_fails[..], &linters].concat(),
            "cargo-deny could not be installed",
        ),
        (
            "lint",
            with(&[linters[0], linters[1], ("python3", python), as_root, APT]),
            "pip could not install into target/cfn-lint: cfn-lint",
        ),
    ] {
        let ran = Machine::new(&programs).run(&[".ci/setup", words]);
        let last = ran.said.lines().last().unwrap_or_default();
        assert!(!ran.success, "{words}: {}", ran.said);
        assert!(
            last.contains(says) && last.ends_with("; is the network there?"),
            "{words}: {}\n{}",
            ran.said,
            ran.calls
        );
    }
}

fn check_case(case: &Case) {
    let ran = Machine::new(&case.programs).run(case.words);
    let shown = format!("{:?} with {:?}\n{}\n{}", case.words, case.programs, ran.said, ran.calls);
    assert_eq!(ran.success, case.succeeds, "{shown}");
    for words in case.says {
        assert!(ran.said.contains(words), "{words:?} was not said: {shown}");
    }
    for call in case.runs {
        assert!(ran.calls.contains(call), "{call:?} was not run: {shown}");
    }
    if !case.succeeds {
        assert!(
            !ran.calls.contains("apt-get"),
            "something was installed before: {shown}"
        );
        assert!(ran.said.lines().count() <= 1, "more than a line: {shown}");
    }
    for line in ran.said.lines().filter(|line| line.contains("install")) {
        let mut names: Vec<&str> = line
            .split_whitespace()
            .filter(|word| word.starts_with("python3") || *word == "openssl")
            .collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "a name twice: {shown}");
    }
}

#[test]
fn the_merge_check_goes_on_without_the_advisories_and_stops_at_a_fault_whoever_finds_it() {
    let programs = |cargo: &'static str| {
        let mut programs = RUST.to_vec();
        programs[0].1 = cargo;
        programs.extend([
            ("make", ""),
            ("cc", ""),
            ("g++", ""),
            ("cfn-lint", ""),
            ("cargo-deny", ""),
            ("cargo-clippy", ""),
            ("cargo-fmt", ""),
        ]);
        programs
    };
    let run: &[&str] = &[".ci/run"];
    let advisories = "cargo deny --offline --workspace check advisories";
    let ran = Machine::new(&programs("")).run(run);
    assert!(
        ran.success && ran.calls.contains(advisories),
        "{}\n{}",
        ran.said,
        ran.calls
    );
    assert!(
        ["test", "deb ARCH=amd64 arm64", "newcomer", "system-test", "fuzz"]
            .iter()
            .all(|target| ran.calls.contains(&format!("make {target}"))),
        "{}",
        ran.calls
    );

    let ran = Machine::new(&programs("[[ $* != 'deny fetch db' ]]")).run(run);
    assert!(
        ran.success && !ran.calls.contains(advisories) && ran.calls.contains("make test"),
        "{}\n{}",
        ran.said,
        ran.calls
    );
    assert!(ran.said.contains("advisories were NOT checked"), "{}", ran.said);

    for fault in [
        "[[ $* != 'fmt --all --check' ]]",
        "[[ $1 != clippy ]]",
        "[[ $* != 'clippy --manifest-path fuzz/Cargo.toml '* ]]",
        "[[ $1 != doc ]]",
        "[[ $* != *'check bans'* ]]",
        "[[ $* != *'check advisories'* ]]",
    ] {
        let ran = Machine::new(&programs(fault)).run(run);
        assert!(!ran.success && !ran.calls.contains("make"), "{fault}: {}", ran.calls);
    }
    for (fault, says) in [
        ("[[ $1 != setup-test ]]", ""),
        ("[[ $1 != test ]]", ""),
        ("[[ $1 != deb ]] || { echo no compiler; exit 1; }", "no compiler"),
        (
            "[[ $1$BUILD_ONLY != fuzz1 ]] || { echo no instrumentation; exit 1; }",
            "no instrumentation",
        ),
    ] {
        let mut programs = programs("");
        programs.retain(|(name, _)| *name != "make");
        programs.push(("make", fault));
        let ran = Machine::new(&programs).run(run);
        assert!(
            !ran.success && ran.said.contains(says) && !ran.calls.contains("make system-test"),
            "{fault}: {}\n{}",
            ran.said,
            ran.calls
        );
    }
}

/// The words of each `cargo deny` in .ci/run are understood by the one that is installed.
#[test]
fn cargo_deny_knows_the_options_it_is_given() {
    if !Command::new("cargo-deny")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("NOT TESTED: the options of cargo-deny, because it is not installed");
        return;
    }
    let script = fs::read_to_string(Path::new(REPOSITORY).join(".ci/run")).unwrap();
    let calls = script
        .lines()
        .filter_map(|line| line.split_once("cargo deny ").map(|(_, words)| words));
    let calls: Vec<&str> = calls.map(|words| words.trim_end_matches("; then")).collect();
    assert_eq!(calls.len(), 3, "{calls:?}");
    for words in calls {
        let output = Command::new("cargo-deny")
            .args(words.split_whitespace())
            .arg("--help")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{words}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn the_fleet_ca_says_what_is_missing_before_it_makes_anything() {
    let openssl = ("openssl", "exec /usr/bin/openssl \"$@\"");
    let asked = "echo CODE";
    // The machine, the variables, whether it succeeds, what it says, and whether commands are kept.
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

/// As git answers in a clean checkout without tags.
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
            "this is no git checkout",
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

#[test]
fn wrong_words_are_named_before_anything_is_built() {
    let nowhere = tempfile::tempdir().unwrap();
    let run = |script: &str, words: &[&str], variables: &[(&str, &str)]| {
        let output = Command::new(Path::new(REPOSITORY).join(script))
            .args(words)
            .envs(variables.iter().copied())
            .env("TMPDIR", nowhere.path())
            .env("BUILD", nowhere.path().join("build"))
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        )
    };
    for (script, words, variables, says) in [
        (
            "fuzz/run",
            &["nonsense"][..],
            &[][..],
            "there is no target nonsense; there are: certificates",
        ),
        (
            "fuzz/run",
            &["key_uri", "certificates"],
            &[("INPUT", "x")],
            "INPUT is for one target",
        ),
        ("packaging/build", &["sparc"], &[], "no such architecture: sparc"),
        (
            "demo/run",
            &[],
            &[("PROGRAMS", "/nonexistent")],
            "no gatepostd in /nonexistent",
        ),
        (
            "config/aws/fleet-ca",
            &[],
            &[("MODE", "NONE")],
            "it is DEFAULT or SNI_ONLY",
        ),
        (
            "config/aws/fleet-ca",
            &[],
            &[("KEY", "none")],
            "it is ec-p256 or rsa-2048",
        ),
    ] {
        let (success, said) = run(script, words, variables);
        assert!(
            !success && said.contains(says),
            "{script} {words:?} {variables:?}: {said}"
        );
    }
}

#[test]
fn make_alone_lists_the_targets_in_two_columns() {
    // `make test` runs this as a make below its own, which would also name the folder it works in.
    let output = Command::new("make")
        .arg("--no-print-directory")
        .current_dir(REPOSITORY)
        .env_remove("MAKEFLAGS")
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines.len() > 10 && lines[0].starts_with("  make help "), "{listed}");
    for line in &lines {
        let (target, text) = line.split_at(25);
        assert!(
            target.starts_with("  make ") && target.ends_with(' ') && !text.starts_with(' '),
            "{line:?}"
        );
        assert!(line.chars().count() <= 140, "{line:?}");
    }
    assert!(
        lines.iter().position(|line| line.contains("make setup-")) == Some(lines.len() - 1),
        "{listed}"
    );
}

/// A user without rights: the script ends before it looks at the machine.
const NOBODY: u32 = 65_534;

#[test]
fn seconds_to_wait_may_begin_with_a_zero() {
    use std::os::unix::process::CommandExt as _;
    for (seconds, code) in [
        ("0", 77),
        ("8", 77),
        ("08", 77),
        ("000", 77),
        ("0099", 77),
        ("999999", 77),
        ("1000000", 64),
        ("", 64),
        ("1s", 64),
        ("-1", 64),
        ("0x10", 64),
        ("1.5", 64),
    ] {
        let mut setup = Command::new("sh");
        setup.arg("-s").arg("--").args(["--wait", seconds]);
        setup.stdin(fs::File::open(Path::new(REPOSITORY).join("packaging/gatepost-tpm-setup")).unwrap());
        if rustix::process::geteuid().is_root() {
            setup.uid(NOBODY).gid(NOBODY);
        }
        let ran = setup.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(code), "{seconds:?}: {said}");
        assert!(said.starts_with("gatepost-tpm-setup: "), "{seconds:?}: {said}");
    }
}
