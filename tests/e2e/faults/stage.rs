//! The world of these tests: a gateway whose user may publish everything, and what has arrived.

use std::path::PathBuf;
use std::time::Duration;

use rig::network::{CLOUD, CLOUD_NAME, Network};
use rig::token::{SoftHsm, TokenCopy};
use rig::wait;

use super::arrivals::Arrivals;
use super::mqtt_connection::Address;
use super::programs::Transport;
use crate::mqtt_listener::packets::{V3_1_1, V5};
use crate::mqtt_listener::socket;
use crate::registry::bring_online_registered;
use crate::support::{PIN, SOON, World, options};

/// A world in which this user may publish everything, as fast as it likes.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) arrivals: Arrivals,
    tokens: PathBuf,
    token: Option<TokenCopy>,
}

impl Stage {
    /// Without a network the gateway and its cloud share this machine's; with one, this is called at the cloud's host.
    pub(super) fn new(network: Option<&Network>) -> Self {
        let arrivals = Arrivals::default();
        let mut options = options();
        options.observer = Some(arrivals.observer());
        options.switches.publishes_per_second = u32::MAX;
        options.switches.report_acknowledgements = true;
        if network.is_some() {
            (options.listen, options.host) = (CLOUD.parse().unwrap(), CLOUD_NAME.to_owned());
        }
        let token = SoftHsm::new("gateway", PIN).unwrap();
        let tokens = token.tokens();
        let mut world = World::with(Box::new(token), options);
        let gateway = &mut world.gateway;
        gateway.through = network.map(Network::at_gateway).unwrap_or_default();
        gateway.configure(
            "role-aliases = [\"*\"]",
            "role-aliases = [\"*\"]\npublish = [\"#\"]\nsubscribe = [\"#\"]",
        );
        // What waits for a program that is away must not be dropped.
        gateway
            .config
            .push_str("[mqtt]\npublish-rate = 10000\ninbox-max-messages = 100000\n[local-mqtt]\nsocket = true\n");
        // Every message is a line at debug.
        gateway.env.push(("GATEPOST_LOG".to_owned(), "info".to_owned()));
        Self {
            world,
            arrivals,
            tokens,
            token: None,
        }
    }

    /// So many programs' transports: HTTP, MQTT 3.1.1, HTTP, MQTT 5, and so on.
    pub(super) fn transports(&self, how_many: usize) -> Vec<Transport> {
        let transport = |number| match number % 4 {
            1 => Transport::Mqtt(self.mqtt_address(), V3_1_1),
            3 => Transport::Mqtt(self.mqtt_address(), V5),
            _ => Transport::Http(self.world.gateway.socket()),
        };
        (0..how_many).map(transport).collect()
    }

    /// Where MQTT programs connect.
    pub(super) fn mqtt_address(&self) -> Address {
        Address::Socket(socket(&self.world.gateway))
    }

    pub(super) fn bring_online(&mut self) {
        bring_online_registered(&mut self.world);
        self.token = Some(TokenCopy::of(&self.tokens).unwrap());
    }

    /// kill -9 for gatepostd, and for nothing else.
    pub(super) fn kill_gateway(&mut self) {
        self.world.gateway.kill();
        self.token.as_ref().expect("it was online").put_back().unwrap();
    }

    /// Waits until everything that waits is sent, after a start.
    pub(super) fn come_to_rest(&self) {
        let gateway = &self.world.gateway;
        gateway.wait_for_text("session.phase", "connected");
        // After a long run many wait. As long as they become fewer, it is only a matter of time.
        let count = || gateway.status()["messages"]["queued"].as_u64().unwrap();
        let mut queued = count();
        while queued > 0 {
            let before = queued;
            wait::until(3 * SOON, "fewer messages to wait", || {
                queued = count();
                queued < before
            })
            .unwrap_or_else(|error| panic!("{error}\n{:#}", gateway.status()));
        }
    }

    /// No message is parked, and no database was corrupt.
    pub(super) fn assert_nothing_is_aside(&self) {
        let status = self.world.gateway.status();
        assert_eq!(status["messages"]["parked"], 0, "{status:#}");
        assert!(
            !self.world.gateway.log().contains("was corrupt"),
            "a database was set aside"
        );
    }
}

/// The seed of all that happens at random, printed, so that a run can be had again as far as threads let it.
pub(super) fn seed() -> u64 {
    let seed = match std::env::var("GATEPOST_FAULTS_SEED") {
        Ok(seed) => seed.parse().expect("GATEPOST_FAULTS_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    eprintln!("GATEPOST_FAULTS_SEED={seed}");
    seed
}

/// A duration between these, in milliseconds.
pub(super) fn between(random: &mut fastrand::Rng, least: u64, most: u64) -> Duration {
    Duration::from_millis(random.u64(least..=most))
}
