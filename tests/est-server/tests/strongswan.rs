//! Compatibility with strongSwan's EST client: it enrols, asks again after a 202 with `Retry-After`, and renews.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod common;

use std::process::{Command, Output};

use common::{Client, openssl};
use est_server::{AnswerFault, CertificateOrder, EstServer, Options, User};

/// Runs strongSwan's pki(1) with these arguments in the client's folder.
fn pki(client: &Client, arguments: &[&str]) -> Output {
    Command::new("pki")
        .current_dir(client.folder())
        .args(arguments)
        .output()
        .expect("pki (Debian package strongswan-pki)")
}

/// Returns the server's URL as strongSwan expects it, without the path of RFC 7030.
fn base_url(client: &Client) -> String {
    client.url().replace("/.well-known/est", "")
}

/// Requests a certificate with `pki --est` and these further arguments.
fn request_certificate(client: &Client, arguments: &[&str]) -> Output {
    let url = base_url(client);
    let mut command_line = vec![
        "--est",
        "--url",
        &url,
        "--cacert",
        "server-ca.pem",
        "--cacert",
        "ca.pem",
    ];
    command_line.extend(["--in", "request.der", "--outform", "pem"]);
    command_line.extend(arguments);
    pki(client, &command_line)
}

#[test]
fn strongswan_enrols_waits_and_renews() {
    let server = EstServer::start(Options {
        users: vec![User {
            name: "gw".to_owned(),
            secret: "secret".to_owned(),
            one_time: false,
        }],
        ..Options::default()
    })
    .unwrap();
    let client = Client::new(&server);
    client.write("ca.pem", &server.ca_pem());
    client.write_request("gw-1");
    openssl(&client, "base64 -d request.b64 > request.der");

    let refused = request_certificate(&client, &["--userpass", "gw:wrong"]);
    assert!(!refused.status.success(), "{refused:?}");

    server.switch(|switches| switches.enrolment_faults = [AnswerFault::Wait(Some("1".to_owned())).times(1)].into());
    let enrolled = request_certificate(&client, &["--userpass", "gw:secret", "--interval", "1"]);
    assert!(enrolled.status.success(), "{enrolled:?}");
    client.write("own.pem", &String::from_utf8_lossy(&enrolled.stdout));
    let verify = "openssl verify -x509_strict -purpose sslclient -CAfile ca.pem own.pem";
    assert_eq!(openssl(&client, verify), "own.pem: OK\n");

    for order in [CertificateOrder::LeafOnly, CertificateOrder::LeafFirst] {
        server.switch(|switches| switches.order = order);
        let renewed = request_certificate(&client, &["--cert", "own.pem", "--key", "key.pem"]);
        assert!(renewed.status.success(), "{order:?}: {renewed:?}");
        client.write("own.pem", &String::from_utf8_lossy(&renewed.stdout));
        assert_eq!(openssl(&client, verify), "own.pem: OK\n");
    }
}

#[test]
fn strongswan_reads_both_cas_during_a_rollover() {
    let server = EstServer::start(Options::default()).unwrap();
    server.roll_over().unwrap();
    let client = Client::new(&server);
    let url = base_url(&client);
    let arguments = [
        "--estca",
        "--url",
        &url,
        "--cacert",
        "server-ca.pem",
        "--caout",
        "ca-out.pem",
        "--outform",
        "pem",
    ];
    let read = pki(&client, &arguments);
    assert!(read.status.success(), "{read:?}");
    let found = openssl(&client, "cat ca-out*.pem | grep -c 'BEGIN CERTIFICATE'");
    // The old and the new root.
    assert!(found.trim().parse::<u32>().unwrap() >= 2, "{found}: {read:?}");
}
