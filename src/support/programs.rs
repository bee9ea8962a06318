//! Output of other programs: tools of the system, and gatepostd's own checks, which run as separate processes so that a fault in one does
//! not prevent the rest of the bundle.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::foreign_text;

/// Time after which a program is killed. `gatepost check` may try each endpoint for some seconds.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum size of the output of a program. Some days of a gateway's journal are smaller.
const MAX_BYTES: u64 = 1024 * 1024;
/// Number of lines of the journal.
const JOURNAL_LINES: &str = "500";
/// Pattern for the names of gatepost's units.
const UNITS: &str = "gatepost*";
/// Properties of units that are shown. Environment= is not among them, because it may contain secrets.
const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,ExecMainStartTimestamp,NRestarts,\
                          StatusText,FragmentPath,DropInPaths,ActiveEnterTimestamp,InactiveEnterTimestamp,MemoryCurrent,TasksCurrent,\
                          NeedDaemonReload";
/// Packages whose versions are shown.
const PACKAGES: [&str; 9] = [
    "gatepost",
    "systemd",
    "libtpm2-pkcs11-1",
    "libtpm2-pkcs11-tools",
    "tpm2-tools",
    "softhsm2",
    "opensc-pkcs11",
    "ca-certificates",
    "apparmor",
];

/// Returns information about the operating system, the machine and its clock.
pub(super) fn system() -> String {
    let release = std::fs::read_to_string("/etc/os-release")
        .unwrap_or_else(|error| format!("/etc/os-release: {}", foreign_text::clean(error)));
    [
        release.trim_end().to_owned(),
        run("uname", ["-srvmo"]),
        run("uptime", ["-p"]),
        run("systemctl", ["--version"])
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
        run("timedatectl", ["show"]),
    ]
    .join("\n")
}

/// Returns the versions of the packages that are installed.
pub(super) fn packages() -> String {
    let format = "--showformat=${binary:Package} ${Version} ${db:Status-Abbrev}\\n";
    let said = run("dpkg-query", ["--show", format].into_iter().chain(PACKAGES));
    // Packages that are not installed are left out.
    let lines = said.lines().filter(|line| !line.contains("no packages found"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Runs `gatepost check` if the daemon is running. Otherwise the check would try the PIN, so it is left out.
pub(super) fn check(path: &Path, is_running: bool) -> String {
    match is_running {
        true => run_gatepostd(["--check".as_ref(), "--config".as_ref(), path.as_os_str()]),
        false => "left out: no daemon runs, and a check would try the PIN; gatepost check does that".to_owned(),
    }
}

/// Runs `gatepostd --check-config`.
pub(super) fn check_config(path: &Path) -> String {
    run_gatepostd(["--check-config".as_ref(), "--config".as_ref(), path.as_os_str()])
}

/// Returns the state of gatepost's units.
pub(super) fn units() -> String {
    let property = format!("--property={PROPERTIES}");
    run("systemctl", ["show", "--no-pager", &property, UNITS])
}

/// Returns the last lines of gatepost's units in the journal.
pub(super) fn journal() -> String {
    run(
        "journalctl",
        [
            "--no-pager",
            "--output=short-iso",
            "--lines",
            JOURNAL_LINES,
            "--unit",
            UNITS,
        ],
    )
}

/// Runs gatepostd itself with these arguments, and returns its output.
fn run_gatepostd<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> String {
    match std::env::current_exe() {
        Ok(program) => output(Command::new(program).args(words)),
        Err(error) => format!(
            "gatepostd cannot find its own program file: {}",
            foreign_text::clean(error)
        ),
    }
}

fn run<'a>(program: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    output(Command::new(program).args(words))
}

/// Runs a program. Returns the output of both streams, and its exit status if it failed.
fn output(command: &mut Command) -> String {
    let name = Path::new(command.get_program()).display().to_string();
    let spawned = command
        .env("LC_ALL", "C")
        .env("SYSTEMD_COLORS", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return format!("{name} cannot be started: {}", foreign_text::clean(error)),
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let readers = [
        thread::spawn(move || stdout.map(read).unwrap_or_default()),
        thread::spawn(move || stderr.map(read).unwrap_or_default()),
    ];
    let deadline = Instant::now() + TIMEOUT;
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                break if status.success() {
                    String::new()
                } else {
                    format!("({name}: {status})")
                };
            }
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                break format!("({name} was ended after {} s)", TIMEOUT.as_secs());
            }
        }
    };
    let [stdout, stderr] = readers.map(|reader| reader.join().unwrap_or_default());
    let parts = [stdout, stderr, ended];
    let parts = parts.iter().map(|part| part.trim_end()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n")
}

/// Returns the beginning of a stream. The rest is read and discarded, so that the program can end.
fn read(mut stream: impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    // After an error the part that was read is used.
    let _ = stream.by_ref().take(MAX_BYTES).read_to_end(&mut bytes);
    let cut = std::io::copy(&mut stream, &mut std::io::sink()).unwrap_or_default() > 0;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if cut {
        text.push_str("\n(cut off after 1 MiB)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_has_the_exit_status_of_a_failed_program_and_names_a_missing_one() {
        for (script, said) in [
            ("echo out; echo err >&2", "out\nerr"),
            ("echo out; exit 3", "out\n(sh: exit status: 3)"),
            ("kill -9 $$", "(sh: signal: 9 (SIGKILL))"),
            ("printf ''", ""),
        ] {
            assert_eq!(run("sh", ["-c", script]), said, "{script}");
        }
        assert!(run("/nonexistent", []).starts_with("/nonexistent cannot be started: "));
        let long = run("sh", ["-c", "head -c 3000000 /dev/zero | tr '\\0' x"]);
        assert!(long.ends_with("(cut off after 1 MiB)") && long.len() < 1_100_000);
    }
}
