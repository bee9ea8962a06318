//! A second way from the gateway to its cloud, which takes over when the first one is gone, as a modem does for a cable.

use std::fs;

use anyhow::Result;

use super::{CLOUD, CLOUD_NAME, End, Network};

/// The cloud's address behind both ways.
pub const FAR_CLOUD: &str = "203.0.113.1";
const STANDBY_CLOUD: &str = "198.51.100.1";
const STANDBY_GATEWAY: &str = "198.51.100.2";

/// What is lost of the first way when it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The gateway's address, as when a lease ends.
    Address,
    /// The route alone, as when a router's advertisement ends.
    Route,
    /// The link, as when the cable is pulled at the gateway's end.
    Link,
}

impl Network {
    /// Puts the cloud behind a second cable as well. The gateway prefers the first one for as long as it has it.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn add_standby(&self) -> Result<()> {
        let peer = self.gateway.holder.id().to_string();
        let veth = ["type", "veth", "peer", "name", "standby", "netns", &peer];
        self.cloud
            .run("ip", [&["link", "add", "standby"][..], &veth].concat())?;
        for (host, address) in [(&self.cloud, STANDBY_CLOUD), (&self.gateway, STANDBY_GATEWAY)] {
            let address = format!("{address}/24");
            host.run("ip", ["address", "add", &address, "dev", "standby"])?;
            host.run("ip", ["link", "set", "standby", "up"])?;
        }
        self.cloud.run("ip", ["address", "add", FAR_CLOUD, "dev", "lo"])?;
        self.add_way(STANDBY_CLOUD, "standby", "200")?;
        self.add_first_way()?;
        // The file is bound to /etc/hosts in another mount namespace, so it must stay the same file.
        fs::write(
            self.names.path(),
            format!("127.0.0.1 localhost\n{FAR_CLOUD} {CLOUD_NAME}\n"),
        )?;
        Ok(())
    }

    /// Makes the first way a dead end of which no packet tells, though the gateway keeps preferring it, or mends it.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn set_first_way_dead(&self, is_dead: bool) -> Result<()> {
        let address = format!("{CLOUD}/24");
        let action = if is_dead { "del" } else { "add" };
        self.host(End::Cloud)
            .run("ip", ["address", action, &address, "dev", "cable"])
    }

    /// Takes the first way from the gateway.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn lose_first_way(&self, loss: Loss) -> Result<()> {
        match loss {
            Loss::Address => self.set_addressed(false),
            Loss::Route => self.gateway.run("ip", ["route", "del", FAR_CLOUD, "dev", "cable"]),
            Loss::Link => self.gateway.run("ip", ["link", "set", "cable", "down"]),
        }
    }

    /// Gives the gateway its first way back.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn regain_first_way(&self, loss: Loss) -> Result<()> {
        match loss {
            Loss::Address => self.set_addressed(true)?,
            Loss::Route => {}
            Loss::Link => self.gateway.run("ip", ["link", "set", "cable", "up"])?,
        }
        self.add_first_way()
    }

    fn add_first_way(&self) -> Result<()> {
        self.add_way(CLOUD, "cable", "100")
    }

    fn add_way(&self, router: &str, link: &str, metric: &str) -> Result<()> {
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
            self.gateway.run("ip", route)?;
        }
        Ok(())
    }
}
