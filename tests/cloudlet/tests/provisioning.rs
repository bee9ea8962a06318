//! Just-in-time provisioning, with openssl's certificates and mosquitto's clients.

mod common;

use cloudlet::switches::{BadCertificate, FirstContact, TlsVersions};
use cloudlet::{CertificateStatus, Event, JitpStep, Options};
use common::{PATIENCE, cloudlet_with_fleet, provision, publish, text};

#[test]
fn the_first_connection_is_lost_and_the_second_delivers() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let keys = [
        "ec -pkeyopt ec_paramgen_curve:P-256",
        "ec -pkeyopt ec_paramgen_curve:P-384",
        "rsa:2048",
    ];
    let mut devices = vec![fleet.device_v1("gw-v1")];
    for (number, key) in keys.iter().enumerate() {
        let name = format!("gw-{number}");
        devices.push(fleet.device_v3(&name, &format!("/C=IN/CN={name}"), key));
    }
    for versions in [TlsVersions::Only12, TlsVersions::Only13] {
        cloud.switches().set(|switches| switches.tls_versions = versions);
        for device in &devices {
            if cloud.certificate(&device.id()).is_some() {
                cloud.forget_certificate(&device.id()).unwrap();
            }
            let seen = cloud.events().len();
            let first = publish(&cloud, device, "mqttv5", &format!("{}/hello", device.name));
            assert!(!first.status.success());
            assert!(text(&first).contains("lost"), "{}", text(&first));
            let id = device.id();
            let done = |event: &Event| matches!(event, Event::Jitp { certificate, step: JitpStep::StatusSet { .. } } if *certificate == id);
            cloud.wait_for_after(seen, PATIENCE, done).unwrap();
            for version in ["mqttv5", "mqttv311"] {
                let second = publish(&cloud, device, version, &format!("{}/hello", device.name));
                assert!(
                    second.status.success(),
                    "{} {versions:?} {version}: {}",
                    device.name,
                    text(&second)
                );
            }
        }
    }
    let thing = cloud.things().into_iter().find(|thing| thing.name == "gw-v1").unwrap();
    assert_eq!(thing.attributes["country"], "IN");
}

#[test]
fn provisioning_takes_its_steps_in_the_documented_order() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    let steps: Vec<String> = cloud
        .events()
        .into_iter()
        .filter_map(|event| {
            if let Event::Jitp { step, .. } = event {
                Some(step.to_string())
            } else {
                None
            }
        })
        .collect();
    let order = [
        "registered",
        "thing gw-1 created",
        "policy",
        "policy",
        "attached to thing",
        "ACTIVE",
    ];
    assert_eq!(steps.len(), order.len(), "{steps:?}");
    for (step, beginning) in steps.iter().zip(order) {
        assert!(step.starts_with(beginning), "{steps:?}");
    }
}

#[test]
fn a_certificate_that_the_template_cannot_use_stays_pending() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    for (name, subject, reason) in [
        ("dotted", "/C=IN/CN=gw.example", "does not match"),
        (
            "homeless",
            "/CN=homeless",
            "no value for parameter AWS::IoT::Certificate::Country",
        ),
    ] {
        let device = fleet.device_v3(name, subject, "ec -pkeyopt ec_paramgen_curve:P-256");
        let id = device.id();
        for attempt in 0..2 {
            let seen = cloud.events().len();
            assert!(!publish(&cloud, &device, "mqttv5", "a/b").status.success());
            let failed = cloud.wait_for_after(seen, PATIENCE, |event| {
                matches!(event, Event::Jitp { certificate, step: JitpStep::Failed { reason: why } }
                    if *certificate == id && why.contains(reason))
            });
            failed.unwrap_or_else(|error| panic!("{name}, attempt {attempt}: {error}: {:#?}", cloud.events()));
        }
        assert_eq!(
            cloud.certificate(&id).unwrap().status,
            CertificateStatus::PendingActivation
        );
    }
    assert!(cloud.things().is_empty());
}

#[test]
fn certificates_that_may_not_connect_are_rejected() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    let stranger = common::Fleet::new().device_v1_kept();
    provision(&cloud, &device);
    for bad in [BadCertificate::CloseAfterHandshake, BadCertificate::TlsAlert] {
        cloud.switches().set(|switches| switches.bad_certificate = bad);
        assert!(!publish(&cloud, &stranger.1, "mqttv5", "stranger/a").status.success());
        for (status, connects) in [(CertificateStatus::Inactive, false), (CertificateStatus::Active, true)] {
            cloud.set_certificate_status(&device.id(), status).unwrap();
            let output = publish(&cloud, &device, "mqttv5", "gw-1/a");
            assert_eq!(output.status.success(), connects, "{bad:?} {status}: {}", text(&output));
        }
    }
    cloud
        .set_certificate_status(&device.id(), CertificateStatus::Revoked)
        .unwrap();
    assert!(!publish(&cloud, &device, "mqttv5", "gw-1/a").status.success());
    assert!(
        cloud
            .set_certificate_status(&device.id(), CertificateStatus::Active)
            .is_err(),
        "revoking is final"
    );
}

#[test]
fn a_pending_certificate_is_provisioned_again_unless_the_switch_forbids_it() {
    for again in [true, false] {
        let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
        let device = fleet.device_v1("gw-1");
        let try_to_publish = || publish(&cloud, &device, "mqttv5", "gw-1/hello").status.success();
        cloud.switches().set(|switches| {
            switches.first_contact = FirstContact::Never;
            switches.jitp_again = again;
        });
        assert!(!try_to_publish());
        cloud
            .switches()
            .set(|switches| switches.first_contact = FirstContact::Drop);
        let (id, seen) = (device.id(), cloud.events().len());
        assert!(!try_to_publish());
        if again {
            let done = |event: &Event| matches!(event, Event::Jitp { certificate, step: JitpStep::StatusSet { .. } } if *certificate == id);
            cloud.wait_for_after(seen, PATIENCE, done).unwrap();
            assert!(try_to_publish());
        } else {
            assert_eq!([try_to_publish(), try_to_publish()], [false; 2]);
            let status = cloud.certificate(&id).unwrap().status;
            assert_eq!(status, CertificateStatus::PendingActivation);
        }
    }
}

#[test]
fn never_never_provisions_and_a_forgotten_certificate_is_a_stranger_again() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    cloud
        .switches()
        .set(|switches| switches.first_contact = FirstContact::Never);
    assert!(!publish(&cloud, &device, "mqttv5", "gw-1/a").status.success());
    assert_eq!(
        cloud.certificate(&device.id()).unwrap().status,
        CertificateStatus::PendingActivation
    );
    cloud
        .switches()
        .set(|switches| switches.first_contact = FirstContact::Drop);
    provision(&cloud, &device);
    cloud.forget_certificate(&device.id()).unwrap();
    assert!(!publish(&cloud, &device, "mqttv5", "gw-1/a").status.success());
}
