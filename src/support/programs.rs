//! Output of other programs: the system's, and gatepostd's own checks as separate processes, so that a fault in one does not keep
//! the rest away.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::foreign_text;

/// A program that takes longer is ended; `gatepost check` may try each endpoint for some seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than a few days of a gateway's journal.
const MAX_BYTES: u64 = 1024 * 1024;
/// Lines of the journal.
const JOURNAL_LINES: &str = "500";
/// gatepost's units, as systemctl and journalctl take patterns.
const UNITS: &str = "gatepost*";
/// Properties shown of each unit; not Environment=, which may have anything in it.
const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,ExecMainStartTimestamp,NRestarts,\
                          StatusText,FragmentPath,DropInPaths,ActiveEnterTimestamp,InactiveEnterTimestamp,MemoryCurrent,TasksCurrent,\
                          NeedDaemonReload";
/// Packages whose version matters.
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

/// The operating system, the machine, its clock.
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

/// The versions of the packages that are installed.
pub(super) fn packages() -> String {
    let format = "--showformat=${binary:Package} ${Version} ${db:Status-Abbrev}\\n";
    let said = run("dpkg-query", ["--show", format].into_iter().chain(PACKAGES));
    // What is not installed is no finding.
    let lines = said.lines().filter(|line| !line.contains("no packages found"));
    lines.collect::<Vec<_>>().join("\n")
}

/// `gatepost check`, which asks the daemon. Without one it would try the PIN, and is left out.
pub(super) fn check(path: &Path, is_running: bool) -> String {
    match is_running {
        true => own(["--check".as_ref(), "--config".as_ref(), path.as_os_str()]),
        false => "left out: no daemon runs, and a check would try the PIN; gatepost check does that".to_owned(),
    }
}

/// `gatepostd --check-config`.
pub(super) fn check_config(path: &Path) -> String {
    own(["--check-config".as_ref(), "--config".as_ref(), path.as_os_str()])
}

/// The state of gatepost's units.
pub(super) fn units() -> String {
    let property = format!("--property={PROPERTIES}");
    run("systemctl", ["show", "--no-pager", &property, UNITS])
}

/// The last lines of gatepost's units in the journal.
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

fn own<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> String {
    match std::env::current_exe() {
        Ok(program) => output(Command::new(program).args(words)),
        Err(error) => format!("gatepostd does not find itself: {}", foreign_text::clean(error)),
    }
}

fn run<'a>(program: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    output(Command::new(program).args(words))
}

/// Both streams of a program, and how it ended where that was not well.
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
    let until = Instant::now() + PATIENCE;
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                break if status.success() {
                    String::new()
                } else {
                    format!("({name}: {status})")
                };
            }
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(20)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                break format!("({name} was ended after {} s)", PATIENCE.as_secs());
            }
        }
    };
    let [said, noted] = readers.map(|reader| reader.join().unwrap_or_default());
    let parts = [said, noted, ended];
    let parts = parts.iter().map(|part| part.trim_end()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n")
}

/// The beginning of a stream. The rest is read as well, so that the program can end.
fn read(mut stream: impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    // What could be read counts.
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
    fn a_program_is_quoted_with_its_end_and_one_that_is_missing_is_named() {
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
