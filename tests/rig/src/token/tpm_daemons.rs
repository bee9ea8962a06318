//! The daemons between tpm2-pkcs11 and a software TPM: swtpm, the resource manager, and their bus.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::command::{command, output};
use crate::port;
use crate::process::Process;
use crate::wait;

/// The time limit for the start of a daemon, which normally takes a fraction of a second.
pub(super) const START: Duration = Duration::from_secs(60);

/// The number of times that swtpm is started with other ports if another process takes its port.
const PORT_ATTEMPTS: usize = 5;

/// The TCTI by which a program reaches the resource manager on the bus of its environment.
pub(super) const TCTI: &str = "tabrmd:bus_name=com.intel.tss2.Tabrmd,bus_type=session";

/// Starts swtpm on a free pair of ports, and returns it with the first of them.
pub(super) fn start_swtpm(state: &Path) -> Result<(Process, u16)> {
    let mut attempt = 1;
    loop {
        let port = port::free_pair()?;
        match start_swtpm_on(state, port) {
            Ok(swtpm) => return Ok((swtpm, port)),
            Err(error) if attempt == PORT_ATTEMPTS => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

/// Starts swtpm with its TPM commands on `port` and its control channel on the next one: the swtpm TCTI knows the
/// control channel by that rule. The paths must be absolute: swtpm changes its folder.
pub(super) fn start_swtpm_on(state: &Path, port: u16) -> Result<Process> {
    let control = port + 1;
    let mut swtpm = command("swtpm");
    swtpm.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"]);
    swtpm
        .arg("--tpmstate")
        .arg(format!("dir={},mode=0600", state.display()));
    swtpm
        .arg("--server")
        .arg(format!("type=tcp,port={port},bindaddr={}", Ipv4Addr::LOCALHOST));
    swtpm
        .arg("--ctrl")
        .arg(format!("type=tcp,port={control},bindaddr={}", Ipv4Addr::LOCALHOST));
    // Written once both channels listen. Probing the ports instead could find another swtpm there.
    let pid_file = state.join("swtpm.pid");
    swtpm.arg("--pid").arg(format!("file={}", pid_file.display()));
    if pid_file.exists() {
        fs::remove_file(&pid_file)?;
    }

    let mut swtpm = Process::spawn(&mut swtpm, "swtpm")?;
    let mut ended = None;
    wait::until(START, "swtpm to listen", || {
        ended = swtpm.wait(Duration::ZERO).ok();
        ended.is_some() || fs::read_to_string(&pid_file).is_ok_and(|pid| pid.trim() == swtpm.pid().to_string())
    })?;
    match ended {
        Some(status) => bail!("swtpm ended with {status}:\n{}", swtpm.log()),
        None => Ok(swtpm),
    }
}

/// Starts a bus for this TPM alone, at a socket in `folder`.
pub(super) fn start_bus(address: &str) -> Result<Process> {
    let mut bus = command("dbus-daemon");
    bus.args([
        "--session",
        "--nofork",
        "--nopidfile",
        "--print-address=1",
        "--address",
        address,
    ]);
    let bus = Process::spawn(&mut bus, "dbus-daemon")?;
    bus.wait_for_line(START, |line| line.starts_with("unix:"))?;
    Ok(bus)
}

/// Starts the resource manager: without one, tpm2-pkcs11 runs out of the TPM's three transient slots.
pub(super) fn start_resource_manager(port: u16, env: &[(String, String)]) -> Result<Process> {
    let mut manager = command("tpm2-abrmd");
    manager.args(["--session", "--allow-root", "--flush-all"]);
    manager.arg(format!("--tcti=swtpm:host={},port={port}", Ipv4Addr::LOCALHOST));
    let manager = Process::spawn(manager.envs(env.iter().cloned()), "tpm2-abrmd")?;
    wait::until(START, "the TPM resource manager to answer", || is_answering(env))
        .map_err(|error| error.context(format!("tpm2-abrmd says:\n{}", manager.log())))?;
    Ok(manager)
}

/// Returns whether the TPM can be reached through the resource manager.
pub(super) fn is_answering(env: &[(String, String)]) -> bool {
    let mut look = command("tpm2_getcap");
    look.args(["--tcti", TCTI, "properties-fixed"])
        .envs(env.iter().cloned());
    output(&mut look, "tpm2-tools").is_ok_and(|output| output.status.success())
}
