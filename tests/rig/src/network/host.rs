//! A host of the network: a network namespace.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{command, not_started, run};

/// A network namespace, and the process that holds it.
#[derive(Debug)]
pub struct Host {
    holder: Child,
}

impl Host {
    /// Creates a namespace in which only the loopback interface is up.
    pub fn new() -> Result<Self> {
        let mut unshare = command("unshare");
        unshare
            .args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let holder = unshare
            .spawn()
            .map_err(|error| not_started(&unshare, "util-linux", error))?;
        let mut host = Self { holder };
        let mut said = String::new();
        if let Some(stdout) = &mut host.holder.stdout {
            BufReader::new(stdout).read_line(&mut said)?;
        }
        if said != "ready\n" {
            if let Some(stderr) = &mut host.holder.stderr {
                stderr.read_to_string(&mut said)?;
            }
            bail!("no network namespace, which needs root: {said}");
        }
        Ok(host)
    }

    /// Returns the ID of the process that holds the namespace.
    pub fn process_id(&self) -> u32 {
        self.holder.id()
    }

    /// Returns the path of the namespace, for `nsenter` and setns(2).
    pub fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// Returns a command prefix that runs a program in the namespace, with this file as `/etc/hosts`, under the process ID of the
    /// prefix.
    pub fn prefix(&self, names: &Path) -> Vec<String> {
        let namespace = format!("--net={}", self.namespace());
        let names = names.display().to_string();
        let bind = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        ["nsenter", &namespace, "unshare", "--mount", "sh", "-c", bind, &names]
            .map(str::to_owned)
            .to_vec()
    }

    /// Runs a program in the namespace.
    pub fn run(&self, program: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<()> {
        run(self.command(program).args(arguments), "util-linux").context("a network of its own")?;
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = command("nsenter");
        command.arg(format!("--net={}", self.namespace())).arg(program);
        command
    }

    /// Sets the queueing discipline of the cable at this end.
    pub fn queue(&self, discipline: &[&str]) -> Result<()> {
        self.run(
            "tc",
            [&["qdisc", "replace", "dev", "cable", "root"], discipline].concat(),
        )
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
