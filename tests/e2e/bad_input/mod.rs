//! Mistakes of people and faults of machines: each is reported with its subject, its cause and the next step, and with the exit code that
//! tells systemd whether to restart.

mod certificate;
mod certificate_files;
mod closed;
mod configuration;
mod disk;
mod instance;
mod key;
mod module;
mod pin;

use std::process::Output;

pub use self::disk::with_state;

use crate::support::Gateway;

/// EX_CANTCREAT
const CANNOT_CREATE: i32 = 73;
/// EX_TEMPFAIL
const BUSY: i32 = 75;
/// EX_NOPERM
const PIN_REFUSED: i32 = 77;
/// EX_NOPERM, for a command
const NO_PERMISSION: i32 = PIN_REFUSED;
/// EX_CONFIG
const CONFIGURATION: i32 = 78;

/// A user ID without an account.
const SOMEBODY: u32 = 61_009;

/// Waits until the daemon ends with this exit code, and checks that its last errors contain all of these words, including the next step.
/// Returns the log.
fn ends(gateway: &mut Gateway, code: i32, words: &[&str]) -> String {
    let (status, log) = gateway.run_to_the_end();
    let said = errors(&gateway.process().log());
    assert_eq!(status.code(), Some(code), "{status}\n{log}");
    for word in words.iter().chain(&["next: "]) {
        assert!(said.contains(word), "{word:?} is not in:\n{said}");
    }
    said
}

/// Checks that `gatepostd --check-config` ends with 78, and prints nothing that the daemon does not log.
fn check_says_the_same(gateway: &Gateway, said: &str) {
    let check = check_config(gateway);
    assert_eq!(check.status.code(), Some(CONFIGURATION), "{check:?}");
    let findings = String::from_utf8(check.stderr).unwrap();
    assert!(!findings.is_empty());
    for line in findings.lines() {
        let finding = line.strip_prefix("gatepostd: ").unwrap();
        assert!(
            said.lines().any(|line| line == finding),
            "the check says:\n{finding}\nthe daemon:\n{said}"
        );
    }
}

pub fn check_config(gateway: &Gateway) -> Output {
    gateway.command().arg("--check-config").output().unwrap()
}

/// Returns the logged errors, without their prefix.
fn errors(log: &str) -> String {
    log.lines()
        .filter_map(|line| line.strip_prefix("gatepostd: error: "))
        .flat_map(|line| [line, "\n"])
        .collect()
}
