//! Policies, limits and sessions, with mosquitto's clients.

mod common;

use std::process::Stdio;

use cloudlet::switches::DeniedSubscribe;
use cloudlet::{CertificateStatus, Event, Options};
use common::{PATIENCE, cloudlet_with_fleet, mosquitto, provision, publish, text};

fn connected(client_id: &'static str) -> impl FnMut(&Event) -> bool {
    move |event| matches!(event, Event::Connected { client_id: id, .. } if id == client_id)
}

#[test]
fn the_seed_policy_holds_a_gateway_to_its_own_topics() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    for (version, topic, delivered) in [
        ("mqttv5", "gw-1/a/b", true),
        ("mqttv311", "gw-1/a/b", true),
        ("mqttv5", "gw-2/a", false),
        ("mqttv311", "gw-2/a", false),
        ("mqttv5", "gw-1/1/2/3/4/5/6/7/8", false),
    ] {
        let seen = cloud.events().len();
        let output = publish(&cloud, &device, version, topic);
        let published = cloud
            .events()
            .iter()
            .skip(seen)
            .any(|event| matches!(event, Event::Published { .. }));
        assert_eq!(published, delivered, "{version} {topic}: {}", text(&output));
    }
    let refused = publish(&cloud, &device, "mqttv5", "gw-2/a");
    assert!(text(&refused).contains("Not authorized"), "{}", text(&refused));
}

#[test]
fn a_client_id_must_be_the_thing_name() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let mut device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    device.name = "gw-2".to_owned();
    assert!(text(&publish(&cloud, &device, "mqttv5", "gw-2/a")).contains("Not authorized"));
    assert!(!publish(&cloud, &device, "mqttv311", "gw-2/a").status.success());
}

#[test]
fn a_denied_will_or_retained_message_is_refused() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    for extra in [["--will-topic", "gw-2/will"].as_slice(), ["--retain"].as_slice()] {
        let mut command = mosquitto(&cloud, "mosquitto_pub", &device, "mqttv5");
        let output = command.args(["-t", "gw-1/a", "-m", "x"]).args(extra).output().unwrap();
        assert!(text(&output).contains("Not authorized"), "{extra:?}: {}", text(&output));
    }
}

#[test]
fn a_denied_subscription_is_answered_as_its_version_has_it() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    for (version, denied, said) in [
        (
            "mqttv5",
            DeniedSubscribe::Close,
            "All subscription requests were denied",
        ),
        (
            "mqttv311",
            DeniedSubscribe::Suback,
            "All subscription requests were denied",
        ),
        ("mqttv311", DeniedSubscribe::Close, ""),
    ] {
        cloud.switches().set(|switches| switches.denied_subscribe = denied);
        let seen = cloud.events().len();
        let mut command = mosquitto(&cloud, "mosquitto_sub", &device, version);
        let mut child = command.args(["-t", "gw-2/#"]).stderr(Stdio::piped()).spawn().unwrap();
        let gone = |event: &Event| matches!(event, Event::Disconnected { .. });
        cloud.wait_for_after(seen, PATIENCE, gone).unwrap();
        // With 3.1.1, mosquitto_sub reconnects for ever after it is disconnected.
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(text(&output).contains(said), "{version}: {}", text(&output));
    }
}

#[test]
fn a_session_outlives_a_killed_broker_and_not_a_wiped_one() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    let subscribe = || {
        let mut command = mosquitto(&cloud, "mosquitto_sub", &device, "mqttv5");
        command
            .args(["-c", "-x", "600", "-t", "gw-1/in", "-E"])
            .status()
            .unwrap()
    };
    let present = |seen| match cloud.wait_for_after(seen, PATIENCE, connected("gw-1")).unwrap() {
        Event::Connected { session_present, .. } => session_present,
        _ => unreachable!(),
    };
    for (wipe, expected) in [(false, true), (true, false)] {
        assert!(subscribe().success());
        cloud.broker().kill().unwrap();
        if wipe {
            cloud.broker().wipe_database().unwrap();
        }
        assert!(
            !publish(&cloud, &device, "mqttv5", "gw-1/in").status.success(),
            "the broker is gone"
        );
        cloud.broker().start().unwrap();
        let seen = cloud.events().len();
        assert!(subscribe().success());
        assert_eq!(present(seen), expected);
    }
}

#[test]
fn a_deactivated_certificate_is_cut() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    let seen = cloud.events().len();
    let mut command = mosquitto(&cloud, "mosquitto_sub", &device, "mqttv5");
    let mut child = command
        .args(["-t", "gw-1/#", "-v", "--will-topic", "gw-1/will"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    cloud.wait_for_after(seen, PATIENCE, connected("gw-1")).unwrap();
    assert_eq!(cloud.connections()[0].thing.as_deref(), Some("gw-1"));
    cloud
        .set_certificate_status(&device.id(), CertificateStatus::Inactive)
        .unwrap();
    cloud
        .wait_for_after(seen, PATIENCE, |event| matches!(event, Event::Disconnected { .. }))
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_second_connection_takes_the_client_id_over() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    let seen = cloud.events().len();
    let mut child = mosquitto(&cloud, "mosquitto_sub", &device, "mqttv5")
        .args(["-t", "gw-1/#"])
        .spawn()
        .unwrap();
    cloud.wait_for_after(seen, PATIENCE, connected("gw-1")).unwrap();
    assert!(publish(&cloud, &device, "mqttv5", "gw-1/a").status.success());
    cloud
        .wait_for_after(
            seen,
            PATIENCE,
            |event| matches!(event, Event::Disconnected { reason, .. } if reason == "DUPLICATE_CLIENTID"),
        )
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}
