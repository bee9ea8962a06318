//! A second cable between gateway and cloud, which takes over when the first one fails, as a modem does.

use anyhow::Result;

use super::cable::{CLOUD, CLOUD_NAME, Network};

/// The cloud's address behind both cables.
pub const FAR_CLOUD: &str = "203.0.113.1";
const STANDBY_CLOUD: &str = "198.51.100.1";
const STANDBY_GATEWAY: &str = "198.51.100.2";

/// How the gateway loses its first path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its address is removed, as when a DHCP lease expires.
    Address,
    /// Only the route is removed, as when a router advertisement expires.
    Route,
    /// The link goes down, as when the cable is unplugged at the gateway's end.
    Link,
}

/// A network in which the gateway has a second path to the cloud. It prefers the first one while that exists.
#[derive(Debug)]
pub struct Standby<'a> {
    network: &'a Network,
}

impl<'a> Standby<'a> {
    /// Adds the second cable to a network.
    ///
    /// # Errors
    /// If the command fails.
    pub fn add_to(network: &'a Network) -> Result<Self> {
        let peer = network.gateway.process_id().to_string();
        let veth = ["type", "veth", "peer", "name", "standby", "netns", &peer];
        network
            .cloud
            .run("ip", [&["link", "add", "standby"][..], &veth].concat())?;
        for (host, address) in [(&network.cloud, STANDBY_CLOUD), (&network.gateway, STANDBY_GATEWAY)] {
            let address = format!("{address}/24");
            host.run("ip", ["address", "add", &address, "dev", "standby"])?;
            host.run("ip", ["link", "set", "standby", "up"])?;
        }
        network.cloud.run("ip", ["address", "add", FAR_CLOUD, "dev", "lo"])?;
        let standby = Self { network };
        standby.add_path(STANDBY_CLOUD, "standby", "200")?;
        standby.add_first_path()?;
        network.set_names(&format!("{FAR_CLOUD} {CLOUD_NAME}"))?;
        Ok(standby)
    }

    /// Makes the first path drop everything silently while the gateway still prefers it, or ends that.
    ///
    /// # Errors
    /// If the command fails.
    pub fn set_first_path_dead(&self, is_dead: bool) -> Result<()> {
        let address = format!("{CLOUD}/24");
        let action = if is_dead { "del" } else { "add" };
        self.network
            .cloud
            .run("ip", ["address", action, &address, "dev", "cable"])
    }

    /// Removes the gateway's first path.
    ///
    /// # Errors
    /// If the command fails.
    pub fn remove_first_path(&self, loss: Loss) -> Result<()> {
        let gateway = &self.network.gateway;
        match loss {
            Loss::Address => self.network.set_addressed(false),
            Loss::Route => gateway.run("ip", ["route", "del", FAR_CLOUD, "dev", "cable"]),
            Loss::Link => gateway.run("ip", ["link", "set", "cable", "down"]),
        }
    }

    /// Restores the gateway's first path.
    ///
    /// # Errors
    /// If the command fails.
    pub fn restore_first_path(&self, loss: Loss) -> Result<()> {
        match loss {
            Loss::Address => self.network.set_addressed(true)?,
            Loss::Route => {}
            Loss::Link => self.network.gateway.run("ip", ["link", "set", "cable", "up"])?,
        }
        self.add_first_path()
    }

    fn add_first_path(&self) -> Result<()> {
        self.add_path(CLOUD, "cable", "100")
    }

    fn add_path(&self, router: &str, link: &str, metric: &str) -> Result<()> {
        for destination in [FAR_CLOUD, "default"] {
            let route = [
                "route",
                "replace",
                destination,
                "via",
                router,
                "dev",
                link,
                "metric",
                metric,
            ];
            self.network.gateway.run("ip", route)?;
        }
        Ok(())
    }
}
