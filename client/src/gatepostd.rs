//! Commands that read the configuration: gatepostd carries them out in the place of this process.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command_line::{DEFAULT_SOCKET, Matches, SOCKET_VARIABLE};
use crate::exit::{Exit, Failure};

/// Where Debian installs daemons; not on an ordinary user's PATH.
const SYSTEM: &str = "/usr/sbin/gatepostd";

/// Runs `gatepostd --check`.
pub(crate) fn check(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    exec_gatepostd("--check", matches, &["--config", "--as"], &["--json"], socket)
}

/// Runs `gatepostd --print-policy`.
pub(crate) fn policy(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    exec_gatepostd("--print-policy", matches, &["--config", "--account"], &[], socket)
}

/// Replaces this process by gatepostd with `mode` and the given options. Returns only where that fails. gatepostd asks the
/// running daemon at `socket`.
fn exec_gatepostd(
    mode: &str,
    matches: &Matches,
    values: &[&str],
    flags: &[&str],
    socket: &Path,
) -> Result<Exit, Failure> {
    let mut arguments = vec![OsString::from(mode)];
    for name in values {
        if let Some(value) = matches.value(name) {
            arguments.extend([OsString::from(name), value.to_owned()]);
        }
    }
    arguments.extend(flags.iter().filter(|name| matches.flag(name)).map(OsString::from));
    let beside = std::env::current_exe().map(|own| own.with_file_name("gatepostd"));
    let known = [beside.unwrap_or_default(), PathBuf::from(SYSTEM)];
    let program = known.into_iter().find(|path| path.is_file());
    let program = program.unwrap_or_else(|| PathBuf::from("gatepostd"));
    let mut command = Command::new(&program);
    if socket != Path::new(DEFAULT_SOCKET) {
        command.env(SOCKET_VARIABLE, socket);
    }
    let error = command.args(arguments).exec();
    let program = program.display();
    Err(match error.kind() {
        ErrorKind::NotFound => Failure::new(Exit::Unavailable, "gatepostd, which does this, is not installed here"),
        _ => Failure::new(Exit::Unavailable, format!("{program} cannot be started: {error}")),
    })
}
