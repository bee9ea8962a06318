//! Faults of the MQTT endpoint, seen by mosquitto_pub.

mod common;

use std::process::Stdio;
use std::time::Duration;

use cloudlet::switches::{FirstContact, Switches, TlsVersions};
use cloudlet::{Event, Options};
use common::{Device, PATIENCE, cloudlet_with_fleet, mosquitto, provision, publish, text};

/// The name of a fault, the fault, and whether a message is delivered nevertheless.
type Fault = (&'static str, fn(&mut Switches), bool);

fn ready() -> (cloudlet::Cloudlet, common::Fleet, Device) {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    (cloud, fleet, device)
}

#[test]
fn each_refusal_is_seen_by_the_client() {
    let (cloud, _fleet, device) = ready();
    let calm = cloud.switches().get(Clone::clone);
    let faults: [Fault; 6] = [
        ("none", |_| {}, true),
        ("refused", |switches| switches.refuse_connect = Some(0x88), false),
        ("cut at once", |switches| switches.cut_after_packets = Some(0), false),
        (
            "too soon",
            |switches| switches.connect_interval = Duration::from_secs(3600),
            false,
        ),
        ("no ALPN", |switches| switches.require_alpn = true, false),
        (
            "delayed PUBACK",
            |switches| switches.delay_pubacks = Some(Duration::from_millis(10)),
            true,
        ),
    ];
    for (name, fault, delivered) in faults {
        cloud.switches().set(fault);
        let output = publish(&cloud, &device, "mqttv5", "gw-1/a");
        assert_eq!(output.status.success(), delivered, "{name}: {}", text(&output));
        cloud.switches().set(|switches| *switches = calm.clone());
    }
    cloud.switches().set(|switches| switches.require_alpn = true);
    let mut command = mosquitto(&cloud, "mosquitto_pub", &device, "mqttv5");
    let output = command
        .args(["--tls-alpn", "x-amzn-mqtt-ca", "-t", "gw-1/a", "-m", "x"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_swallowed_puback_leaves_the_client_waiting() {
    let (cloud, _fleet, device) = ready();
    cloud.switches().set(|switches| switches.drop_puback = Some(1));
    let seen = cloud.events().len();
    let mut command = mosquitto(&cloud, "mosquitto_pub", &device, "mqttv5");
    let mut child = command
        .args(["-t", "gw-1/a", "-m", "x"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    cloud
        .wait_for_after(seen, PATIENCE, |event| matches!(event, Event::PubackSwallowed { .. }))
        .unwrap();
    assert!(child.try_wait().unwrap().is_none());
    assert_eq!(cloud.disconnect("gw-1"), 1);
    cloud
        .wait_for_after(seen, PATIENCE, |event| matches!(event, Event::Disconnected { .. }))
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        publish(&cloud, &device, "mqttv5", "gw-1/a").status.success(),
        "only one is swallowed"
    );
}

#[test]
fn a_first_contact_can_hang() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    cloud.switches().set(|switches| {
        switches.first_contact = FirstContact::Hang;
        switches.tls_versions = TlsVersions::Only13;
    });
    let mut child = mosquitto(&cloud, "mosquitto_pub", &device, "mqttv5")
        .args(["-t", "gw-1/a", "-m", "x"])
        .spawn()
        .unwrap();
    let left = |event: &Event| matches!(event, Event::ConnectRefused { reason, .. } if reason.contains("hanging"));
    cloud.wait_for(PATIENCE, left).unwrap();
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}
