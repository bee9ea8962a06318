//! States of the machine: its token, clock, disk and network.

use std::fs;

use cloudlet::Options;
use rig::manager::Manager;
use rig::network::{CLOUD, CLOUD_NAME, Network};
use rig::token::{KeyKind, SoftHsm, Token as _};
use rig::user;

use super::{ONLINE, Observed};
use crate::bad_input::with_state;
use crate::clock::UnpluggedToken;
use crate::command::{client, run};
use crate::faketime::WallClock;
use crate::faults::SmallDisk;
use crate::messages::configure;
use crate::registry::bring_online_registered;
use crate::support::{PIN, THING, World, options};
use crate::systemd::managed;

#[test]
fn promise_16_every_output_tells_that_the_token_has_no_key_or_others() {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    token.generate(KeyKind::EcP256, "another", "02").unwrap();
    let mut world = World::with(Box::new(token), options());
    world.gateway.manager = Some(Manager::new().unwrap());
    let mut observed = Observed::of(world);
    let generate = "[token]\ngenerate = \"never\"\n";
    observed.world.gateway.configure("[token]\n", generate);
    observed.world.gateway.start();
    let name = "the token has no key, and gatepost may not generate one";
    observed.expect(name, "no private key matches pkcs11:token=gateway");
    observed.world.gateway.stop();
    observed.world.gateway.configure(generate, "[token]\n");
    bring_online_registered(&mut observed.world);
    observed.expect_end_of(name);
    observed.expect("the token has other keys", ONLINE);
}

/// A refresh needs a signature, but does not affect the session.
#[test]
fn promise_16_every_output_tells_of_a_token_that_is_lost_while_the_gateway_is_online() {
    let mut observed = Observed::new();
    let gateway = &mut observed.world.gateway;
    let pin_file = gateway.folder.path().join("pin");
    fs::copy(observed.world.token.pin_file(), &pin_file).unwrap();
    let given = observed.world.token.pin_file().display().to_string();
    gateway.configure(&given, &pin_file.display().to_string());
    bring_online_registered(&mut observed.world);
    let token = UnpluggedToken::new(&*observed.world.token);
    observed.retry(&["credentials", "telemetry"]);
    let name = "the token's state folder was wiped while the gateway was online";
    observed.expect(name, "online as gw-1; 1 of 1 role aliases valid; but ");
    fs::write(&pin_file, "999999").unwrap();
    token.plug_in();
    observed.retry(&["token"]);
    observed.expect(
        "the token has rejected the PIN while the gateway was online",
        "online as gw-1; 1 of 1 role aliases valid; but the token rejected the PIN",
    );
    observed.expect_end_of(name);
}

#[test]
fn promise_16_every_output_tells_of_a_disk_that_is_full_at_the_first_boot() {
    let mut observed = Observed::of(managed());
    let gateway = &mut observed.world.gateway;
    fs::create_dir(gateway.state("")).unwrap();
    let full = r#"mount -t tmpfs -o size=4k tmpfs "$STATE" && echo full > "$STATE/of something""#;
    with_state(gateway, full);
    gateway.start();
    observed.expect(
        "the disk is full at the first boot",
        "the signing request cannot be written to",
    );
}

#[test]
fn promise_16_every_output_tells_that_the_clock_is_not_set() {
    let mut observed = Observed::online();
    observed.world.gateway.stop();
    observed.world.gateway.manager().forget();
    let clock = WallClock::at_1970(&mut observed.world.gateway);
    observed.world.gateway.start();
    observed.expect("the clock shows 1970", "the clock shows 1970-01-01");
    clock.set_right();
    observed.expect_end_of("the clock shows 1970");
    observed.expect("everything works", ONLINE);
}

#[test]
fn promise_16_every_output_tells_of_a_full_disk() {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a full disk, because only root may mount a small one");
    }
    let mut observed = Observed::new();
    configure(&mut observed.world);
    let disk = SmallDisk::at(&observed.world.gateway.state(""), 8);
    bring_online_registered(&mut observed.world);
    disk.fill();
    let (topic, payload) = (format!("{THING}/data"), "x".repeat(100_000));
    let (code, _, _) = run(&mut client(&observed.world.gateway, &["publish", &topic, &payload]));
    assert_eq!(code, 73, "there is no room");
    observed.expect("the disk is full", "online as gw-1; 1 of 1 role aliases valid; but ");
    disk.free();
    observed.expect_end_of("the disk is full");
    observed.expect("everything works", ONLINE);
}

#[test]
fn promise_16_every_output_tells_at_once_of_a_link_that_is_down() {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a network of its own, because only root may have one");
    }
    let network = Network::new().unwrap();
    network.in_cloud(|| pull_the_cable(&network)).unwrap();
}

fn pull_the_cable(network: &Network) {
    let mut options: Options = options();
    (options.listen, options.host) = (CLOUD.parse().unwrap(), CLOUD_NAME.to_owned());
    let mut world = World::with(Box::new(SoftHsm::new("gateway", PIN).unwrap()), options);
    world.gateway.manager = Some(Manager::new().unwrap());
    network.add_default_route().unwrap();
    world.gateway.through = network.at_gateway();
    bring_online_registered(&mut world);
    world.gateway.wait_for_text("network.phase", "up");
    // Another client of AWS would need the cloud's name, which only the gateway knows.
    let mut observed = Observed {
        world,
        dashboard: None,
        cause: None,
    };
    network.set_cut(true).unwrap();
    let name = "this machine's link is down";
    observed.world.gateway.wait_for_text("network.phase", "down");
    let session = &observed.world.gateway.status()["session"];
    assert_eq!(session["phase"], "connected", "nobody has noticed yet: {session}");
    observed.expect(name, "no carrier on cable");
    network.set_cut(false).unwrap();
    observed.expect_end_of(name);
    observed.world.gateway.wait_longer_online();
}
