//! A relay in front of a software TPM that counts commands, and makes the TPM slow or silent.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::tpm_daemons::START;
use crate::command;
use crate::port;
use crate::process::Process;
use crate::wait;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tpm_relay.c");

/// A relay in front of a software TPM. It ends when the value is dropped.
#[derive(Debug)]
pub struct TpmRelay {
    _process: Process,
    folder: TempDir,
    port: u16,
}

impl TpmRelay {
    /// Compiles the relay and starts it before the swtpm on this port and the next one.
    ///
    /// # Errors
    /// If there is no C compiler, or the relay does not listen.
    pub fn start(swtpm: u16) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatepost-tpm-relay-").tempdir()?;
        let program = command::program(SOURCE, folder.path())?;
        let port = port::free_pair()?;
        let mut relay = command::command(program);
        relay.arg("tcp").arg(port.to_string()).arg(swtpm.to_string());
        relay.arg(folder.path().join("log")).arg(folder.path().join("orders"));
        let mut process = Process::spawn(&mut relay, "gcc")?;
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        wait::until(START, "the relay to listen", listens)?;
        ensure!(
            process.wait(std::time::Duration::ZERO).is_err(),
            "the relay has ended:\n{}",
            process.log()
        );
        Ok(Self {
            _process: process,
            folder,
            port,
        })
    }

    /// Returns the port on which it listens, for the swtpm TCTI.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Delays all further commands: those that use a key, and all others, by these numbers of milliseconds.
    ///
    /// # Errors
    /// If the order cannot be written.
    pub fn delay(&self, with_key: u32, others: u32) -> Result<()> {
        self.order(&format!("{with_key} {others}\n"))
    }

    /// Stops answering commands until the next [`delay`](Self::delay).
    ///
    /// # Errors
    /// If the order cannot be written.
    pub fn hold(&self) -> Result<()> {
        self.order("-1 -1\n")
    }

    /// Returns the codes of all commands that were answered so far (TPM 2.0 Library, part 2, 6.5.2).
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn answered(&self) -> Result<Vec<u32>> {
        let log = std::fs::read_to_string(self.folder.path().join("log"))?;
        log.lines()
            .map(|line| {
                let code = line.split(' ').nth(1).context("a line without a code")?;
                Ok(u32::from_str_radix(code, 16)?)
            })
            .collect()
    }

    fn order(&self, order: &str) -> Result<()> {
        // Replaced atomically, because it is read at any time.
        let (draft, orders): (PathBuf, PathBuf) = (self.folder.path().join("draft"), self.folder.path().join("orders"));
        std::fs::write(&draft, order)?;
        Ok(std::fs::rename(draft, orders)?)
    }
}
