//! The end of the daemon: clean, in time and with code 0, whatever it was doing.

use std::time::Duration;

use cloudlet::switches::FirstContact;
use cloudlet::{Endpoint, Event, RoleAlias};
use rig::process::Signal;
use rig::token::{SlowSigner, SoftHsm};

use crate::clock::UnpluggedToken;
use crate::cloud_view::{end_of_connection, mark};
use crate::faketime::WallClock;
use crate::registry::{bring_online_registered, start_registered};
use crate::relay::Relay;
use crate::support::{Gateway, PIN, SOON, World, options};

/// Longer than any test.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// Sends both signals, in a state that a start of the daemon leads to. [`Gateway::end`] says how long the end may take.
fn ends_cleanly(gateway: &mut Gateway, in_this_state: impl Fn(&Gateway)) {
    for signal in [Signal::TERM, Signal::INT] {
        gateway.start();
        in_this_state(gateway);
        gateway.end(signal);
    }
}

#[test]
fn a_stop_is_quick_before_the_first_connection() {
    let mut world = World::new();
    let token = UnpluggedToken::new(&*world.token);
    ends_cleanly(&mut world.gateway, |gateway| {
        gateway.wait_for_text("token.phase", "waiting")
    });
    token.plug_in();
    ends_cleanly(&mut world.gateway, |gateway| drop(gateway.wait_for_csr()));

    let environment = world.gateway.env.clone();
    let _clock = WallClock::at_1970(&mut world.gateway);
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("provisioning.phase", "waiting-for-clock");
    world.gateway.stop();
    ends_cleanly(&mut world.gateway, |gateway| {
        gateway.wait_for_text("provisioning.phase", "waiting-for-clock");
    });

    world.gateway.env = environment;
    world.cloud.switches().set(|switches| {
        switches.first_contact = FirstContact::Hang;
        switches.jitp_delay = AN_HOUR..=AN_HOUR;
    });
    let cloud = &world.cloud;
    for signal in [Signal::TERM, Signal::INT] {
        let before = mark(cloud);
        world.gateway.start();
        let hanging = |event: &Event| matches!(event, Event::ConnectRefused { .. });
        cloud.wait_for_after(before, SOON, hanging).unwrap();
        assert_eq!(world.gateway.status()["provisioning"]["phase"], "first-contact");
        world.gateway.end(signal);
    }
}

#[test]
fn a_stop_is_quick_while_connecting_and_between_attempts() {
    let mut world = World::new();
    let relay = Relay::to(&world.cloud.mqtt_endpoint());
    world.gateway.configure(&world.cloud.mqtt_endpoint(), &relay.endpoint());
    relay.set_silent(true);
    start_registered(&mut world);
    world.gateway.wait_for_text("session.phase", "connecting");
    world.gateway.stop();
    ends_cleanly(&mut world.gateway, |gateway| {
        gateway.wait_for_text("session.phase", "connecting")
    });

    relay.set_silent(false);
    world.cloud.switches().set(|switches| switches.hang_after_tls = true);
    let cloud = &world.cloud;
    for signal in [Signal::TERM, Signal::INT] {
        let handshakes = || cloud.handshakes(Endpoint::Mqtt);
        let before = handshakes();
        world.gateway.start();
        rig::wait::until(SOON, "a handshake", || handshakes() > before).unwrap();
        world.gateway.end(signal);
    }

    world.gateway.configure(&relay.endpoint(), "no-such-host.invalid:8883");
    ends_cleanly(&mut world.gateway, |gateway| {
        gateway.wait_for_text("session.phase", "waiting")
    });
}

#[test]
fn promise_8_a_stop_disconnects_so_that_no_will_is_published() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    world.gateway.stop();
    assert_eq!(end_of_connection(&world.cloud, 0), "the client said DISCONNECT");
    let log = world.gateway.log();
    assert!(
        log.contains("the credentials of telemetry end with this process"),
        "{log}"
    );

    // A server that delays every PUBACK, even the one for the last presence message, delays nothing.
    world
        .cloud
        .switches()
        .set(|switches| switches.delay_pubacks = Some(AN_HOUR));
    let before = mark(&world.cloud);
    world.gateway.start();
    world.gateway.wait_for_text("session.phase", "connected");
    world.gateway.end(Signal::INT);
    assert_eq!(end_of_connection(&world.cloud, before), "the client said DISCONNECT");
    assert!(world.gateway.log().contains("gatepostd has stopped"));
}

/// A TPM's signature takes 600 ms, and rustls signs inside the runtime. Even at the worst moment, when every refresher is in a handshake,
/// the session disconnects properly.
#[test]
fn a_slow_token_does_not_prevent_the_disconnect_message() {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    let token = SlowSigner::new(token, Duration::from_millis(600)).unwrap();
    let mut world = World::with(Box::new(token), options());
    let role = "arn:aws:iam::123456789012:role/telemetry";
    let mut aliases = String::new();
    for number in 0..12 {
        let name = format!("alias-{number}");
        world.cloud.add_role_alias(RoleAlias::new(&name, role)).unwrap();
        aliases.push_str(&format!("[[role-alias]]\nname = \"{name}\"\n"));
    }
    world.gateway.configure("[[access]]", &format!("{aliases}[[access]]"));
    world.gateway.start();
    world.certify();
    // The first one has its signature; the token signs for the others one after the other.
    let first = |event: &Event| {
        matches!(
            event,
            Event::TlsAccepted {
                endpoint: Endpoint::Credentials,
                ..
            }
        )
    };
    world.cloud.wait_for(SOON, first).unwrap();
    let before = mark(&world.cloud);
    world.gateway.stop();
    let reason = end_of_connection(&world.cloud, before);
    assert!(reason.contains("DISCONNECT"), "{reason}");
    // Each signature takes 600 ms, so the token would be busy for seconds if the daemon waited for all of them.
    let signed = world.cloud.handshakes(Endpoint::Credentials);
    assert!(signed < 12, "the token signed {signed} times before the daemon ended");
}
