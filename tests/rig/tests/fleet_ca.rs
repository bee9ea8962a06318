//! Tests of the CA, with the openssl command.

#![allow(clippy::unwrap_used, reason = "a helper of tests may fail as loudly as they do")]

use std::io::Write;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, SystemTime};

use rig::command::{command, output, run};
use rig::fleet_ca::{FleetCa, SoftwareKey, Validity};
use tempfile::NamedTempFile;

const SUBJECT: &str = "/C=IN/O=Example/CN=gw-1";

/// Runs `openssl` with these arguments on a certificate in a file.
fn openssl(args: &[&str], certificate: &str) -> Output {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(certificate.as_bytes()).unwrap();
    output(command("openssl").args(args).arg(file.path()), "openssl").unwrap()
}

fn text(certificate: &str) -> String {
    String::from_utf8(openssl(&["x509", "-noout", "-text", "-in"], certificate).stdout).unwrap()
}

fn public_key(certificate: &str) -> String {
    String::from_utf8(openssl(&["x509", "-noout", "-pubkey", "-in"], certificate).stdout).unwrap()
}

/// Returns OpenSSL's reason why the chain is invalid at this moment; empty if it is valid.
fn objection(ca: &FleetCa, certificate: &str) -> String {
    let ca = ca.ca_pem_path();
    let output = openssl(
        &["verify", "-purpose", "sslclient", "-CAfile", &ca.to_string_lossy()],
        certificate,
    );
    if output.status.success() {
        String::new()
    } else {
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn the_root_is_what_aws_asks_for() {
    let ca = FleetCa::new().unwrap();
    let root = text(&ca.ca_pem().unwrap());
    for wanted in [
        "CA:TRUE",
        "Public-Key: (2048 bit)",
        "Subject: C = IN, O = AMZ",
        "Version: 3",
    ] {
        assert!(root.contains(wanted), "{wanted}: {root}");
    }
}

#[test]
fn the_articles_command_signs() {
    let (ca, key) = (FleetCa::new().unwrap(), SoftwareKey::new(SUBJECT).unwrap());
    let certificate = ca.sign_v1(&key.csr_path()).unwrap();
    assert_eq!(objection(&ca, &certificate), "");
    let text = text(&certificate);
    assert!(text.contains("Subject: C = IN, O = Example, CN = gw-1"), "{text}");
    // OpenSSL 3.4 and later add extensions by default, and with them version 3.
    assert_eq!(
        text.contains("Version: 1 (0x0)"),
        !text.contains("X509v3 extensions"),
        "{text}"
    );
}

#[test]
fn version_3_is_a_tls_client_for_the_key_of_the_request() {
    let (ca, key) = (FleetCa::new().unwrap(), SoftwareKey::new(SUBJECT).unwrap());
    let certificate = ca.sign_v3(&key.csr_path()).unwrap();
    assert_eq!(objection(&ca, &certificate), "");
    let text = text(&certificate);
    for wanted in ["Version: 3", "TLS Web Client Authentication", "CA:FALSE", "CN = gw-1"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let generated = run(
        command("openssl").args(["pkey", "-pubout", "-in"]).arg(key.key_path()),
        "openssl",
    )
    .unwrap();
    assert_eq!(public_key(&certificate), generated);

    let other = ca.for_another_key(SUBJECT).unwrap();
    assert_eq!(objection(&ca, &other), "");
    assert_ne!(public_key(&other), generated);
}

#[test]
fn another_subject_is_signed_for_the_key_of_the_request() {
    let (ca, key) = (FleetCa::new().unwrap(), SoftwareKey::new(SUBJECT).unwrap());
    let asked = ca.sign_v1(&key.csr_path()).unwrap();
    let given = ca.sign_as(&key.csr_path(), "/C=IN/CN=two words").unwrap();
    assert_eq!(objection(&ca, &given), "");
    assert!(text(&given).contains("Subject: C = IN, CN = two words"));
    assert_eq!(public_key(&given), public_key(&asked));
}

#[test]
fn validity_is_chosen() {
    let (ca, key) = (FleetCa::new().unwrap(), SoftwareKey::new(SUBJECT).unwrap());
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    let now = SystemTime::now();
    for (validity, reason) in [
        (Validity::Now, ""),
        (Validity::Between(now - hours(1), now + hours(1)), ""),
        (Validity::Expired, "certificate has expired"),
        (Validity::NotYet, "certificate is not yet valid"),
        (
            Validity::Between(now - hours(2), now - hours(1)),
            "certificate has expired",
        ),
    ] {
        let certificate = ca.sign_v3_valid(&key.csr_path(), validity).unwrap();
        let objection = objection(&ca, &certificate);
        assert_eq!(objection.is_empty(), reason.is_empty(), "{validity:?}: {objection}");
        assert!(objection.contains(reason), "{validity:?}: {objection}");
    }
    assert!(ca.sign_v3_valid(&key.csr_path(), Validity::Between(now, now)).is_err());
}

#[test]
fn invalid_requests_are_refused() {
    let ca = FleetCa::new().unwrap();
    assert!(ca.sign_v1(&ca.ca_pem_path()).is_err());
    assert!(ca.sign_v3(Path::new("/nonexistent.csr")).is_err());
}
