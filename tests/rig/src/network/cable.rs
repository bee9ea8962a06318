//! The gateway's host, the cloud's host, and the cable between them.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::NamedTempFile;

use super::host::Host;
use crate::command::{command, run};

/// The cloud's address, from a range that RFC 5737 reserves for documentation.
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

/// Two hosts and the cable between them. They exist until the value is dropped and the last program in them has ended.
#[derive(Debug)]
pub struct Network {
    pub(super) gateway: Host,
    pub(super) cloud: Host,
    /// The gateway's `/etc/hosts`.
    pub(super) names: NamedTempFile,
}

impl Network {
    /// Creates both hosts and connects them. This needs root.
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
        let peer = network.gateway.process_id().to_string();
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

    /// Calls `act` at the cloud's host, on a thread of its own, because the kernel sets namespaces for each thread
    /// (setns(2)). Threads and programs that `act` starts are at that host as well.
    ///
    /// # Errors
    /// If this process lacks the permission.
    pub fn in_cloud<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        let namespace = File::open(self.cloud.namespace())?;
        let enter_and_act = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(act())
        };
        // A panic of `act` is passed on to the test.
        thread::scope(|scope| scope.spawn(enter_and_act).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Returns a command prefix that runs a program at the gateway's host, under the process ID of the prefix.
    #[must_use]
    pub fn at_gateway(&self) -> Vec<String> {
        self.gateway.prefix(self.names.path())
    }

    /// Sets the names that the gateway knows, in the form of `/etc/hosts`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn set_names(&self, lines: &str) -> Result<()> {
        // The file is bound to /etc/hosts in another mount namespace, so it must stay the same file.
        Ok(fs::write(self.names.path(), format!("127.0.0.1 localhost\n{lines}\n"))?)
    }

    /// Gives the cloud's name addresses that swallow everything, before its real one: `count` of IPv6 that the gateway prefers.
    ///
    /// # Errors
    /// If a command fails.
    pub fn add_black_holes(&self, count: u8) -> Result<()> {
        let address = ["address", "add", "2001:db8::ff/64", "dev", "cable", "nodad"];
        self.gateway.run("ip", address)?;
        let mut names = String::new();
        for number in 1..=count {
            let hole = format!("2001:db8::{number:x}");
            // No host has this hardware address, so the packets reach the cable and nobody answers.
            let neighbour = ["neighbour", "add", &hole, "lladdr", "02:00:00:00:00:01", "dev", "cable"];
            self.gateway.run("ip", neighbour)?;
            names += &format!("{hole} {CLOUD_NAME}\n");
        }
        self.set_names(&format!("{names}{CLOUD} {CLOUD_NAME}"))
    }

    /// Disconnects the cable at the cloud's end, or connects it again.
    ///
    /// # Errors
    /// If the command fails.
    pub fn set_cut(&self, cut: bool) -> Result<()> {
        let state = if cut { "down" } else { "up" };
        self.cloud.run("ip", ["link", "set", "cable", state])
    }

    /// Removes the gateway's address and its route, or restores them.
    ///
    /// # Errors
    /// If the command fails.
    pub fn set_addressed(&self, addressed: bool) -> Result<()> {
        let action = if addressed { "add" } else { "del" };
        let address = format!("{GATEWAY}/24");
        self.gateway.run("ip", ["address", action, &address, "dev", "cable"])
    }

    /// Adds a default route to the gateway, as a router advertisement or a DHCP server does.
    ///
    /// # Errors
    /// If the command fails.
    pub fn add_default_route(&self) -> Result<()> {
        self.gateway
            .run("ip", ["route", "add", "default", "via", CLOUD, "dev", "cable"])
    }

    /// Replaces the gateway's address, as another lease of a DHCP server does. Connections from the old address are dead,
    /// and neither side is notified.
    ///
    /// # Errors
    /// If the command fails.
    pub fn renumber(&self) -> Result<()> {
        self.set_addressed(false)?;
        let address = format!("{RENUMBERED}/24");
        self.gateway.run("ip", ["address", "add", &address, "dev", "cable"])
    }

    /// Makes the cable slow in both directions: packets that exceed its rate are queued for up to `longest_wait`, and
    /// dropped beyond that.
    ///
    /// # Errors
    /// If the command fails.
    pub fn slow_down(&self, longest_wait: Duration) -> Result<()> {
        let latency = format!("{}ms", longest_wait.as_millis());
        for host in [&self.gateway, &self.cloud] {
            host.queue(&["tbf", "rate", "256kbit", "burst", "3000", "latency", &latency])?;
        }
        Ok(())
    }

    /// Drops silently whatever this end sends, until [`restore`](Self::restore).
    ///
    /// # Errors
    /// If the command fails.
    pub fn lose_all_from(&self, end: End) -> Result<()> {
        self.host(end).queue(&["blackhole"])
    }

    /// Closes the cloud's connections in its kernel, as a restart does. The gateway is notified if the cable allows it.
    ///
    /// # Errors
    /// If the command fails.
    pub fn forget_connections(&self) -> Result<()> {
        self.cloud.run("ss", ["--kill", "--tcp", "dst", GATEWAY])
    }

    /// Ends [`slow_down`](Self::slow_down) and [`lose_all_from`](Self::lose_all_from).
    ///
    /// # Errors
    /// If the command fails.
    pub fn restore(&self) -> Result<()> {
        for host in [&self.gateway, &self.cloud] {
            // A veth has no queue by default, and this replaces whatever was set.
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
