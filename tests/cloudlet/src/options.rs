//! Options of a cloudlet.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::events::Observer;
use crate::policy::Policy;
use crate::switches::Switches;

/// Options of a cloudlet.
#[derive(Clone)]
pub struct Options {
    /// The endpoints' host name: in the server's certificate, and the SNI every client must send.
    pub host: String,
    /// The address on which all endpoints listen. Devices on other machines or in other network namespaces need one that is not loopback.
    pub listen: IpAddr,
    /// The port of the MQTT endpoint; 0 for a free one.
    pub mqtt_port: u16,
    /// The port of the credentials endpoint; 0 for a free one.
    pub credentials_port: u16,
    /// The port of STS; 0 for a free one.
    pub api_port: u16,
    /// The folder in which the state is kept between runs; `None` for a temporary one.
    pub dir: Option<PathBuf>,
    /// The account ID, twelve digits.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The policy that [`Cloudlet::article_template`](crate::Cloudlet::article_template) gives to every device.
    pub policy: Policy,
    /// The initial positions of the switches, including JITP's delay and the CONNECT interval.
    pub switches: Switches,
    /// Whether mosquitto saves its sessions every half an hour instead of at every change, for measurements that its disk must not limit.
    pub broker_saves_seldom: bool,
    /// The seed of all random choices except keys and credentials.
    pub seed: u64,
    /// Called with every event as it happens.
    pub observer: Option<Observer>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            listen: Ipv4Addr::LOCALHOST.into(),
            mqtt_port: 0,
            credentials_port: 0,
            api_port: 0,
            dir: None,
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            policy: Policy::seed_strict(),
            switches: Switches::default(),
            broker_saves_seldom: false,
            seed: fastrand::u64(..),
            observer: None,
        }
    }
}

impl Options {
    /// Returns options for tests: provisioning takes 50 ms, and the rate of CONNECTs is not limited.
    pub fn quick() -> Self {
        let delay = Duration::from_millis(50);
        let switches = Switches {
            jitp_delay: delay..=delay,
            connect_interval: Duration::ZERO,
            ..Switches::default()
        };
        Self {
            switches,
            ..Self::default()
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("host", &self.host)
            .field("listen", &self.listen)
            .field("mqtt_port", &self.mqtt_port)
            .field("credentials_port", &self.credentials_port)
            .field("api_port", &self.api_port)
            .field("dir", &self.dir)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
