//! Commands that read the configuration. They are executed by gatepostd, in place of this process.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command_line::{DEFAULT_SOCKET, Matches, SOCKET_VARIABLE};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::printable::printable;

/// Path of gatepostd in Debian; it is not on the PATH of an ordinary user.
const SYSTEM: &str = "/usr/sbin/gatepostd";

/// Runs `gatepostd --check`.
pub(crate) fn check(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    exec_gatepostd("--check", matches, &["--config", "--as"], &["--json"], socket)
}

/// Runs `gatepostd --print-policy`.
pub(crate) fn policy(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    exec_gatepostd("--print-policy", matches, &["--config", "--account"], &[], socket)
}

/// Runs `gatepostd --support`, whose output goes to stdout or to a new file. The file is created here, because AppArmor lets gatepostd
/// write to few places.
pub(crate) fn support(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let Some(path) = matches.value("--output").map(Path::new) else {
        return exec_gatepostd("--support", matches, &["--config"], &[], socket);
    };
    let name = path.display();
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = file.map_err(|error| {
        Failure::new(Exit::Full, format!("{name}: cannot be written: {error}"))
            .with_hint("name a file that does not exist, in a folder that you may write")
    })?;
    let mut command = gatepostd(OsStr::new("--support"), matches, &["--config"], &[], socket);
    let status = command.stdout(file).status();
    let status = status.map_err(|error| cannot_start(&command, &error));
    match status {
        Ok(status) if status.success() => output::print(
            format!(
                "{} is written. It has no PIN, key, token or credentials in it; it names users, files, topics and \
                 addresses: look it through before you send it.\n",
                printable(&name.to_string())
            )
            .as_bytes(),
        ),
        outcome => {
            // An incomplete file would be taken for a complete one.
            let _ = std::fs::remove_file(path);
            outcome?;
            Err(Failure::new(Exit::Temporary, "gatepostd did not finish"))
        }
    }
}

/// Runs `gatepostd --allow`.
pub(crate) fn allow(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let given = |names: &[&str]| names.iter().any(|name| matches.value(name).is_some());
    let (who, what) = (
        ["--user", "--group", "--uid", "--gid", "--unit"],
        ["--role-alias", "--publish", "--subscribe", "--audience"],
    );
    if !given(&who) {
        return Err(matches.usage_error("name who is to be allowed: --user, --group, --uid, --gid or --unit"));
    }
    if !given(&what) {
        return Err(matches.usage_error("name what to allow: --role-alias, --publish, --subscribe or --audience"));
    }
    let values = [&["--config"][..], &who, &what].concat();
    exec_gatepostd("--allow", matches, &values, &["--dry-run"], socket)
}

/// Runs `gatepostd --install-certificate`; returns its output if it succeeds.
pub(crate) fn install_certificate(socket: &Path, matches: &Matches) -> Result<Result<String, Exit>, Failure> {
    let mut mode = OsString::from("--install-certificate=");
    mode.push(matches.required(0));
    let mut command = gatepostd(&mode, matches, &["--config"], &[], socket);
    // AppArmor prevents gatepostd from reading the places where people keep such files. A file that cannot be opened is passed by name, so
    // that gatepostd reports it.
    let path = Path::new(matches.required(0));
    // Opening a pipe would block.
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    match is_file.then(|| std::fs::File::open(path)) {
        Some(Ok(file)) => command.arg("--stdin").stdin(file),
        _ => command.stdin(Stdio::inherit()),
    };
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| cannot_start(&command, &error))?;
    if output.status.success() {
        return Ok(Ok(String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    // It has already printed the reason.
    Ok(Err(match output.status.code() {
        Some(64) => Exit::Usage,
        Some(65) => Exit::Data,
        Some(69) => Exit::Unavailable,
        Some(73) => Exit::Full,
        Some(78) => Exit::Attention,
        _ => Exit::Temporary,
    }))
}

/// Replaces this process with gatepostd, running with `mode` and the given options. Returns only if that fails.
fn exec_gatepostd(
    mode: &str,
    matches: &Matches,
    values: &[&str],
    flags: &[&str],
    socket: &Path,
) -> Result<Exit, Failure> {
    let mut command = gatepostd(OsStr::new(mode), matches, values, flags, socket);
    let error = command.exec();
    Err(cannot_start(&command, &error))
}

/// Returns the command that runs gatepostd, which queries the running daemon at `socket`.
fn gatepostd(mode: &OsStr, matches: &Matches, values: &[&str], flags: &[&str], socket: &Path) -> Command {
    let mut arguments = vec![mode.to_owned()];
    for name in values {
        // An equals sign is used because a value may begin with a dash.
        for value in matches.values(name) {
            let mut argument = OsString::from(name);
            argument.push("=");
            argument.push(value);
            arguments.push(argument);
        }
    }
    arguments.extend(flags.iter().filter(|name| matches.flag(name)).map(OsString::from));
    let beside = std::env::current_exe().map(|own| own.with_file_name("gatepostd"));
    let known = [beside.unwrap_or_default(), PathBuf::from(SYSTEM)];
    let program = known.into_iter().find(|path| path.is_file());
    let mut command = Command::new(program.unwrap_or_else(|| PathBuf::from("gatepostd")));
    if socket != Path::new(DEFAULT_SOCKET) {
        command.env(SOCKET_VARIABLE, socket);
    }
    command.args(arguments);
    command
}

fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    let program = Path::new(command.get_program()).display();
    match error.kind() {
        ErrorKind::NotFound => Failure::new(Exit::Unavailable, "gatepostd, which does this, is not installed here"),
        _ => Failure::new(Exit::Unavailable, format!("{program} cannot be started: {error}")),
    }
}
