//! Files that are not certificates: `gatepostd --check-config` reads all of them, and says what they are.

use std::fs;
use std::process::Command;

use rig::fleet_ca::FleetCa;

use super::{CONFIGURATION, check_config};
use crate::support::World;

/// Returns both outputs and the exit code.
fn checked(world: &World) -> (Option<i32>, String) {
    let output = check_config(&world.gateway);
    let said = [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned());
    (output.status.code(), said.concat())
}

#[test]
fn a_ca_chain_or_root_ca_without_certificates_is_a_fault() {
    let mut world = World::new();
    let wrong = world.gateway.folder.path().join("wrong.pem");
    let root = world.ca.ca_pem().unwrap();
    let good = world.gateway.config.clone();
    let (chain, roots) = (
        world.ca.ca_pem_path().display().to_string(),
        world.cloud.root_ca_path().display().to_string(),
    );
    assert_eq!(checked(&world).0, Some(0));
    // The unit tests of src/pem_file have every other content.
    for (content, said) in [
        (root[..root.len() / 2].to_owned(), "is cut off"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n".to_owned(),
            "has a private key in it",
        ),
    ] {
        fs::write(&wrong, content).unwrap();
        for old in [&chain, &roots] {
            world.gateway.config = good.replace(old.as_str(), &wrong.display().to_string());
            let (code, output) = checked(&world);
            assert_eq!(code, Some(CONFIGURATION), "{output}");
            assert!(output.contains(said) && output.contains("next: "), "{said}: {output}");
        }
    }
}

#[test]
fn a_device_certificate_with_a_fault_is_a_warning() {
    let mut world = World::new();
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    world.gateway.stop();
    let request = fs::read_to_string(&csr).unwrap();
    let twin = FleetCa::another().unwrap();
    for (pem, said) in [
        (request, "is the certificate signing request, not the certificate"),
        (
            twin.sign_v3(&csr).unwrap(),
            "which has the issuer's name and another key",
        ),
        (
            world.ca.sign_v3_digest(&csr, "-sha1").unwrap(),
            "is signed with RSA with SHA-1, which AWS IoT does not accept",
        ),
    ] {
        world.gateway.install(&pem);
        let (code, output) = checked(&world);
        assert_eq!(code, Some(0), "{output}");
        assert!(
            output.contains("gatepostd: warning: ") && output.contains(said),
            "{said}: {output}"
        );
        assert!(
            !output.contains(": good\n") && output.contains("with 1 warning"),
            "{output}"
        );
        let mut check = Command::new(world.gateway.client());
        check.arg("check").arg("--config").arg(world.gateway.write_config());
        check.envs(world.gateway.env.iter().map(|(name, value)| (name, value)));
        let check = String::from_utf8(check.output().unwrap().stdout).unwrap();
        assert!(check.contains(said), "{said}: {check}");
    }
    // The path is wrong: nobody would replace a key with a certificate.
    let label = "PRIVATE KEY";
    for label in [label.to_owned(), format!("EC {label}"), format!("ENCRYPTED {label}")] {
        world
            .gateway
            .install(&format!("-----BEGIN {label}-----\nMIIE\n-----END {label}-----\n"));
        let (code, output) = checked(&world);
        assert_eq!(code, Some(CONFIGURATION), "{output}");
        assert!(
            output.contains("identity.certificate: ") && output.contains("has a private key in it"),
            "{output}"
        );
    }
    world.gateway.install(&world.ca.sign_v3(&csr).unwrap());
    let (_, output) = checked(&world);
    assert!(output.contains(": good\n"), "{output}");
}

/// Created with openssl: a CA with an EC P-521 key, and a device certificate that it has issued.
const P521: &str = include_str!("../../../src/identity/tests/certificates/issued-p521.pem");

#[test]
fn unverifiable_signatures_and_unusable_roots_are_warnings() {
    let mut world = World::new();
    let good = world.gateway.config.clone();
    fs::create_dir_all(world.gateway.folder.path().join("state")).unwrap();
    world.gateway.install(P521);
    let (code, output) = checked(&world);
    assert_eq!(code, Some(0), "{output}");
    assert!(
        output.contains("cannot verify the signature of CN=gw-1 (ECDSA with SHA-512, by an EC P-521 key)"),
        "{output}"
    );
    let wrong = world.gateway.folder.path().join("wrong.pem");
    fs::write(&wrong, P521).unwrap();
    let roots = world.cloud.root_ca_path().display().to_string();
    world.gateway.config = good.replace(&roots, &wrong.display().to_string());
    let (code, output) = checked(&world);
    assert_eq!(code, Some(0), "{output}");
    assert!(
        output.contains("has CN=gw-1, which is not a CA certificate"),
        "{output}"
    );
}

#[test]
fn an_implausible_endpoint_is_reported() {
    let mut world = World::new();
    let good = world.gateway.config.clone();
    let (mqtt, provider) = (world.cloud.mqtt_endpoint(), world.cloud.credentials_endpoint());
    let data = "a1b2c3-ats.iot.us-east-2.amazonaws.com";
    let credentials = "c4d5e6.credentials.iot.us-east-2.amazonaws.com";
    // A good name, one to be refused, and one to be doubted. The unit tests of src/config/endpoint.rs, aws_name and lookalike.rs have the
    // others.
    for (data, credentials, code, said) in [
        (data, credentials, 0, ": good\n"),
        (
            credentials,
            data,
            78,
            "aws.mqtt-endpoint: \"c4d5e6.credentials.iot.us-east-2.amazonaws.com\" is the credentials provider's endpoint",
        ),
        (
            "a1b2c3-ats.iot.us-west-2.amazonaws.com",
            credentials,
            0,
            "its Region is us-east-2, and that of aws.mqtt-endpoint us-west-2",
        ),
    ] {
        world.gateway.config = good.replace(&mqtt, data).replace(&provider, credentials);
        let (found, output) = checked(&world);
        assert_eq!(found, Some(code), "{data} {credentials}: {output}");
        assert!(output.contains(said), "{said}: {output}");
    }
}
