//! States of the MQTT session and of AWS's view of the certificate.

use cloudlet::CertificateStatus;
use rig::manager::Manager;
use rig::process::Signal;

use super::{ONLINE, Observed};
use crate::registry::{attach, bring_online_registered, certificate_with};
use crate::scripted_broker::{Script, framed, publish};
use crate::session::{policy_without_presence, world_with_scripted_broker};
use crate::support::{Gateway, SOON, THING, options};
use crate::systemd::managed;

const NOT_REACHED: &str = "AWS cannot be reached, and the credentials are good";

/// Lets AWS answer each CONNECT with this reason code.
fn refuse_connect(observed: &Observed, code: Option<u8>) {
    let switches = observed.world.cloud.switches();
    switches.set(|switches| switches.refuse_connect = code);
}

#[test]
fn promise_16_every_output_tells_why_there_is_no_session() {
    let mut observed = Observed::online();
    for (code, name) in [(0x87, "AWS refuses the connection"), (0x88, NOT_REACHED)] {
        refuse_connect(&observed, Some(code));
        observed.restart();
        observed.expect(name, "refused the connection");
        refuse_connect(&observed, None);
        observed.retry(&["session"]);
        observed.expect_end_of(name);
    }
    observed.expect("everything works", ONLINE);

    let endpoint = observed.world.cloud.mqtt_endpoint();
    let closed = format!("localhost:{}", rig::port::free_pair().unwrap());
    observed.world.gateway.configure(&endpoint, &closed);
    observed.restart();
    observed.expect(NOT_REACHED, "cannot be reached: Connection refused");
    observed.world.gateway.configure(&closed, &endpoint);
    observed.restart();
    observed.expect_end_of(NOT_REACHED);

    // The endpoint completes TLS and then sends nothing; after half a minute the first attempt ends, and with it this state.
    let switches = observed.world.cloud.switches();
    switches.set(|switches| switches.hang_after_tls = true);
    observed.expect_briefly(
        "the daemon has just started",
        "session connecting; 1 of 1 role aliases valid",
        Observed::restart,
    );
    let switches = observed.world.cloud.switches();
    switches.set(|switches| switches.hang_after_tls = false);
    observed.restart();
    observed.expect("everything works", ONLINE);
}

#[test]
fn promise_16_every_output_tells_of_a_certificate_that_aws_drops() {
    let mut observed = Observed::new();
    let id = bring_online_registered(&mut observed.world);
    let name = "AWS starts to drop a certificate that it has accepted before";
    let activate = |observed: &Observed, status| observed.world.cloud.set_certificate_status(&id, status).unwrap();
    activate(&observed, CertificateStatus::Inactive);
    observed.expect(
        name,
        "AWS drops every connection of this certificate, which it has accepted before",
    );
    activate(&observed, CertificateStatus::Active);
    observed.retry(&["session"]);
    observed.expect_end_of(name);
    observed.expect("everything works", ONLINE);
}

#[test]
fn promise_16_every_output_tells_how_often_the_connection_was_lost() {
    let mut observed = Observed::online();
    let lose = |observed: &Observed| {
        let connects = observed.world.gateway.status()["session"]["connects"].as_u64();
        observed.world.cloud.disconnect(THING);
        let is_back = |now: &serde_json::Value| now.as_u64() > connects;
        observed
            .world
            .gateway
            .wait_longer_for(3 * SOON, "session.connects", is_back);
    };
    lose(&observed);
    lose(&observed);
    observed.expect("the connection was lost twice", ONLINE);
    lose(&observed);
    observed.expect(
        "the connection was lost three times within an hour",
        "but the MQTT connection was lost 3 times since",
    );
    let working = &observed.world.gateway.status()["working"];
    assert_eq!(working, true, "a script that waits for gatepost goes on");
}

#[test]
fn promise_16_every_output_tells_of_another_client_with_this_name() {
    let mut observed = Observed::online();
    let world = &observed.world;
    let pem = std::fs::read_to_string(world.gateway.state("device.pem")).unwrap();
    let mut clone = Gateway::new(&world.cloud, &*world.token, &world.ca.ca_pem_path());
    clone.start();
    clone.wait_for_csr();
    clone.install(&pem);
    world.gateway.wait_for_words("session.problem.message", "in use twice");
    clone.process().signal(Signal::KILL).unwrap();
    clone.process().wait(SOON).unwrap();
    observed.expect(
        "another client has taken over the session, and it is connected again",
        "online as gw-1; 1 of 1 role aliases valid; but another client",
    );
}

#[test]
fn promise_16_every_output_tells_that_aws_refuses_the_presence_topic() {
    let mut observed = Observed::of(managed());
    // The gateway cannot send health reports.
    observed.dashboard = None;
    let world = &mut observed.world;
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    let (pem, id) = certificate_with(world, &csr, &policy_without_presence());
    world.gateway.install(&pem);
    let name = "AWS refuses the presence topic";
    observed.expect(name, "but AWS refuses the presence topic");
    attach(&observed.world.cloud, &id, &options().policy);
    observed.restart();
    observed.expect_end_of(name);
    observed.expect("everything works", ONLINE);
}

#[test]
fn promise_16_every_output_tells_that_a_session_was_discarded() {
    let (world, broker) = world_with_scripted_broker();
    // A message that violates the protocol arrives with the session, until the gateway begins a new one.
    broker.play(Script {
        connack: framed(0x20, &[1, 0, 0]),
        then: publish(2, &[0, 1], &[0x23, 0, 1], b"poison"),
        ..Script::default()
    });
    let mut observed = Observed {
        world,
        dashboard: None,
        cause: None,
    };
    observed.world.gateway.manager = Some(Manager::new().unwrap());
    observed.world.gateway.start();
    let is_clean_start = |packet: &[u8]| packet[0] == 0x10 && packet[8] & 2 != 0;
    broker.wait_for("a clean start", is_clean_start);
    broker.play(Script::default());
    observed.expect(
        "three connections were lost, and then the previous session was discarded",
        "online as gw-1; 1 of 1 role aliases valid; but the MQTT connection was lost 3 times since",
    );
}
