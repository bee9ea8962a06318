//! Shared by the fuzz targets: a clock that stands still, folders in memory, inputs in several parts, and the daemon itself.

pub mod daemon;
pub mod mqtt;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use gatepost::clock::{AwsTime, Clock};
use gatepost::config::Folders;
use tempfile::TempDir;

/// The time at which every target runs, 2027-01-15T08:00:00Z, when the certificates among the seeds are valid.
pub const NOW: Duration = Duration::from_secs(1_800_000_000);

/// A clock that stands still, so that a crash can be reproduced at any later time.
#[derive(Debug, Default)]
pub struct FixedClock(AwsTime);

impl Clock for FixedClock {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + NOW
    }

    fn boot(&self) -> Duration {
        Duration::from_secs(1000)
    }

    fn aws(&self) -> &AwsTime {
        &self.0
    }
}

/// Creates a folder for this process. `fuzz/run` places it in memory, because an input may cost several files, and removes it at the end. A
/// target cannot remove it, because libFuzzer ends the process without notice.
///
/// # Panics
/// If there is no room for it.
pub fn folder() -> TempDir {
    // The mode must not depend on the caller's umask: the daemon refuses a configuration that everybody may write.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let folder = tempfile::Builder::new().prefix("gatepost-fuzz.").tempdir();
    folder.expect("a folder for the target's files")
}

/// Returns the daemon's folders, all below `folder`.
pub fn folders(folder: &Path) -> Folders {
    let below = |name: &str| -> PathBuf { folder.join(name) };
    Folders {
        state: below("state"),
        runtime: below("run"),
        credentials: None,
    }
}

/// Splits an input at lines `%%` into its parts.
pub fn parts(input: &[u8]) -> Vec<&[u8]> {
    const SEPARATOR: &[u8] = b"\n%%\n";
    let mut parts = Vec::new();
    let mut rest = input;
    while let Some(place) = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        parts.push(&rest[..place]);
        rest = &rest[place + SEPARATOR.len()..];
    }
    parts.push(rest);
    parts
}

/// Asserts that a text is suitable for people: short, and without characters that move a terminal's cursor. Line breaks are allowed,
/// because a list of findings has a line for each.
///
/// # Panics
/// If it is not.
pub fn assert_readable(text: &str) {
    assert!(text.len() < 64 * 1024, "{} bytes of message", text.len());
    let control = text.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert!(control.is_none(), "control character {control:?} in {text:?}");
}
