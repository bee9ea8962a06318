//! A network between a gateway and its cloud that can be cut, slow or half-open: two network namespaces and a cable.
//!
//! The namespaces have no names, so that nothing is left behind and no two runs meet: each is held by a process that ends
//! with its standard input, which a test's end closes however it comes about. What delays packets is a line that is too
//! slow for them (tc-tbf(8)), because not every kernel has netem.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::NamedTempFile;

use crate::command::{command, not_started, run};

mod standby;

pub use standby::{FAR_CLOUD, Loss};

/// The cloud's address. RFC 5737 keeps these for documentation: nobody's.
pub const CLOUD: &str = "192.0.2.1";
/// The cloud's host name, as the gateway knows it.
pub const CLOUD_NAME: &str = "aws.example";
const GATEWAY: &str = "192.0.2.2";
const RENUMBERED: &str = "192.0.2.3";

/// An end of the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The gateway's.
    Gateway,
    /// The cloud's.
    Cloud,
}

/// Two hosts and the cable between them; all of it goes when it is dropped and the last program in it has ended.
#[derive(Debug)]
pub struct Network {
    gateway: Host,
    cloud: Host,
    /// What the gateway's `/etc/hosts` says.
    names: NamedTempFile,
}

/// A network namespace.
#[derive(Debug)]
struct Host {
    holder: Child,
}

impl Network {
    /// Lays the cable, which needs root.
    ///
    /// # Errors
    /// If `ip` or `tc` is missing, or the kernel has no network namespaces.
    pub fn new() -> Result<Self> {
        for tool in ["ip", "tc"] {
            run(command(tool).arg("-V"), "iproute2")?;
        }
        let mut names = NamedTempFile::new()?;
        writeln!(names, "127.0.0.1 localhost\n{CLOUD} {CLOUD_NAME}")?;
        let network = Self {
            gateway: Host::new()?,
            cloud: Host::new()?,
            names,
        };
        let peer = network.gateway.holder.id().to_string();
        let veth = ["type", "veth", "peer", "name", "cable", "netns", &peer];
        network
            .cloud
            .run("ip", [&["link", "add", "cable"][..], &veth].concat())?;
        for (host, address) in [(&network.cloud, CLOUD), (&network.gateway, GATEWAY)] {
            let address = format!("{address}/24");
            host.run("ip", ["address", "add", &address, "dev", "cable"])?;
            host.run("ip", ["link", "set", "cable", "up"])?;
        }
        Ok(network)
    }

    /// Does `act` at the cloud's host, on a thread of its own: whatever it starts is there as well. The kernel keeps
    /// namespaces by thread (setns(2)).
    ///
    /// # Errors
    /// If this process may not.
    pub fn in_cloud<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        let namespace = File::open(self.cloud.namespace())?;
        let go_and_act = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(act())
        };
        // A panic goes on as what it is.
        thread::scope(|scope| scope.spawn(go_and_act).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The words before a command that runs it at the gateway's host, as the process that these words begin.
    #[must_use]
    pub fn at_gateway(&self) -> Vec<String> {
        let namespace = format!("--net={}", self.gateway.namespace());
        let names = self.names.path().display().to_string();
        let bind = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        ["nsenter", &namespace, "unshare", "--mount", "sh", "-c", bind, &names]
            .map(str::to_owned)
            .to_vec()
    }

    /// Pulls the cable at the cloud's end, or plugs it in.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn set_cut(&self, cut: bool) -> Result<()> {
        let state = if cut { "down" } else { "up" };
        self.cloud.run("ip", ["link", "set", "cable", state])
    }

    /// Takes the gateway's address away, and the route that goes with it, or gives it back.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn set_addressed(&self, addressed: bool) -> Result<()> {
        let action = if addressed { "add" } else { "del" };
        let address = format!("{GATEWAY}/24");
        self.gateway.run("ip", ["address", action, &address, "dev", "cable"])
    }

    /// Gives the gateway a way to the world, as a router's advertisement or a DHCP server does.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn add_default_route(&self) -> Result<()> {
        self.gateway
            .run("ip", ["route", "add", "default", "via", CLOUD, "dev", "cable"])
    }

    /// Gives the gateway another address in the place of its own, as another lease of a DHCP server does. What was connected
    /// from the old one is dead, and nobody is told.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn renumber(&self) -> Result<()> {
        self.set_addressed(false)?;
        let address = format!("{RENUMBERED}/24");
        self.gateway.run("ip", ["address", "add", &address, "dev", "cable"])
    }

    /// Makes the line slow in both directions: what is too much for it waits for its turn, up to this long, and is lost
    /// beyond that.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn slow_down(&self, longest_wait: Duration) -> Result<()> {
        let latency = format!("{}ms", longest_wait.as_millis());
        for host in [&self.gateway, &self.cloud] {
            host.queue(&["tbf", "rate", "256kbit", "burst", "3000", "latency", &latency])?;
        }
        Ok(())
    }

    /// From now on what is sent at this end is lost, and nobody is told.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn lose_all_from(&self, end: End) -> Result<()> {
        self.host(end).queue(&["blackhole"])
    }

    /// The cloud knows nothing of its connections any more, as after a restart, and has told the gateway, if it could.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn forget_connections(&self) -> Result<()> {
        self.cloud.run("ss", ["--kill", "--tcp", "dst", GATEWAY])
    }

    /// Ends [`slow_down`](Self::slow_down) and [`lose_all_from`](Self::lose_all_from).
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn mend(&self) -> Result<()> {
        for host in [&self.gateway, &self.cloud] {
            // A cable has no queue of its own; this is how to get back to that whatever there was.
            host.queue(&["noqueue"])?;
        }
        Ok(())
    }

    fn host(&self, end: End) -> &Host {
        match end {
            End::Gateway => &self.gateway,
            End::Cloud => &self.cloud,
        }
    }
}

impl Host {
    fn new() -> Result<Self> {
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

    fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    fn run(&self, program: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<()> {
        run(self.command(program).args(arguments), "util-linux").context("a network of its own")?;
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = command("nsenter");
        command.arg(format!("--net={}", self.namespace())).arg(program);
        command
    }

    fn queue(&self, discipline: &[&str]) -> Result<()> {
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
