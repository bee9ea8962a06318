//! What gatepostd itself does best, because the configuration is its to understand: it takes this process over.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arguments::{DEFAULT_SOCKET, SOCKET_VARIABLE};
use crate::exit::{Exit, Failure};

/// Where Debian installs daemons; not on an ordinary user's PATH.
const SYSTEM: &str = "/usr/sbin/gatepostd";

/// Becomes gatepostd with `wish` and `arguments`; returns only where that fails. Another socket than the usual one is where
/// it asks the running daemon.
pub(crate) fn become_it(wish: &str, arguments: &[OsString], socket: &Path) -> Result<Exit, Failure> {
    let beside = std::env::current_exe().map(|own| own.with_file_name("gatepostd"));
    let known = [beside.unwrap_or_default(), PathBuf::from(SYSTEM)];
    let program = known.into_iter().find(|path| path.is_file());
    let program = program.unwrap_or_else(|| PathBuf::from("gatepostd"));
    let mut command = Command::new(&program);
    if socket != Path::new(DEFAULT_SOCKET) {
        command.env(SOCKET_VARIABLE, socket);
    }
    let error = command.arg(wish).args(arguments).exec();
    let program = program.display();
    Err(match error.kind() {
        ErrorKind::NotFound => Failure::new(Exit::Unavailable, "gatepostd, which does this, is not installed here"),
        _ => Failure::new(Exit::Unavailable, format!("{program} cannot be started: {error}")),
    })
}
