//! A wall clock that is not set yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloudlet::{Cloudlet, Options};
use rig::token::{SoftHsm, Token};
use tempfile::TempDir;

use crate::cloud_view::{connects, mark};
use crate::faketime::WallClock;
use crate::registry::certificate_for;
use crate::support::{PIN, World, options};

/// More than the minute after which the daemon checks an unset clock again.
const MORE_THAN_A_MINUTE: Duration = Duration::from_secs(120);

/// A SoftHSM token that is unplugged.
pub struct UnpluggedToken {
    tokens: PathBuf,
    away: PathBuf,
}

impl UnpluggedToken {
    /// Unplugs the token, with its content.
    pub fn new(token: &dyn Token) -> Self {
        let (_, config) = token
            .env()
            .into_iter()
            .find(|(name, _)| name == "SOFTHSM2_CONF")
            .unwrap();
        let folder = Path::new(&config).parent().unwrap();
        let unplugged = Self {
            tokens: folder.join("tokens"),
            away: folder.join("tokens.away"),
        };
        fs::rename(&unplugged.tokens, &unplugged.away).unwrap();
        fs::create_dir(&unplugged.tokens).unwrap();
        unplugged
    }

    /// Plugs it in again.
    pub fn plug_in(self) {
        fs::remove_dir(&self.tokens).unwrap();
        fs::rename(&self.away, &self.tokens).unwrap();
    }
}

#[test]
fn promise_9_it_becomes_ready_as_token_clock_and_network_arrive() {
    // Its own folder and ports, so that the cloud can be restarted unchanged.
    let folder = TempDir::new().unwrap();
    let (mqtt_port, credentials_port) = ports();
    let cloud_options = Options {
        dir: Some(folder.path().to_owned()),
        mqtt_port,
        credentials_port,
        ..options()
    };
    let token = SoftHsm::new("gateway", PIN).unwrap();
    let mut world = World::with(Box::new(token), cloud_options.clone());
    let clock = WallClock::at_1970(&mut world.gateway);
    let token = UnpluggedToken::new(&*world.token);

    let gateway = &mut world.gateway;
    gateway.start();
    gateway.wait_for_words("clock.problem.message", "the clock shows 1970-01-01");
    gateway.wait_for_text("token.phase", "waiting");
    gateway.wait_for_text("provisioning.phase", "no-key");
    assert_eq!(gateway.credentials().status, 503, "the socket answers all the same");

    token.plug_in();
    let csr = world.gateway.wait_for_csr();
    let (pem, _) = certificate_for(&world, &csr);
    let before = mark(&world.cloud);
    world.gateway.install(&pem);
    world.gateway.wait_for_text("provisioning.phase", "waiting-for-clock");
    assert_eq!(world.gateway.status()["state"], "waiting");
    assert_eq!(connects(&world.cloud, before), 0, "TLS could trust nobody yet");

    let World { mut gateway, cloud, .. } = world;
    drop(cloud);
    clock.set_right();
    gateway.wait_longer_for(MORE_THAN_A_MINUTE, "clock.phase", |phase| phase == "set");
    gateway.wait_for_words("session.problem.message", "cannot be reached: Connection refused");

    let _cloud = Cloudlet::start(cloud_options).unwrap();
    gateway.wait_online();
    gateway.stop();
}

fn ports() -> (u16, u16) {
    let first = rig::port::free_pair().unwrap();
    (first, first + 1)
}
