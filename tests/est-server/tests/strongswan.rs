//! Compatibility with strongSwan's EST client: it enrols, waits, and renews at this server.

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

/// Runs `pki` with these arguments in the client's folder.
fn pki(client: &Client, arguments: &[&str]) -> Output {
    Command::new("pki")
        .current_dir(client.folder())
        .args(arguments)
        .output()
        .expect("pki (Debian package strongswan-pki)")
}

fn enrol(client: &Client, arguments: &[&str]) -> Output {
    // It expects the URL without the path of RFC 7030.
    let url = client.url().replace("/.well-known/est", "");
    let mut all = vec![
        "--est",
        "--url",
        &url,
        "--cacert",
        "server-ca.pem",
        "--cacert",
        "ca.pem",
    ];
    all.extend(["--in", "request.der", "--outform", "pem"]);
    all.extend(arguments);
    pki(client, &all)
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

    let refused = enrol(&client, &["--userpass", "gw:wrong"]);
    assert!(!refused.status.success(), "{refused:?}");

    server.switch(|switches| switches.enrolment_faults = [AnswerFault::Wait(Some("1".to_owned())).times(1)].into());
    let enrolled = enrol(&client, &["--userpass", "gw:secret", "--interval", "1"]);
    assert!(enrolled.status.success(), "{enrolled:?}");
    client.write("own.pem", &String::from_utf8_lossy(&enrolled.stdout));
    let verify = "openssl verify -x509_strict -purpose sslclient -CAfile ca.pem own.pem";
    assert_eq!(openssl(&client, verify), "own.pem: OK\n");

    // It requires base64 in one line, whatever RFC 8951 says.
    for order in [CertificateOrder::LeafOnly, CertificateOrder::LeafFirst] {
        server.switch(|switches| switches.order = order);
        let renewed = enrol(&client, &["--cert", "own.pem", "--key", "key.pem"]);
        assert!(renewed.status.success(), "{order:?}: {renewed:?}");
        client.write("own.pem", &String::from_utf8_lossy(&renewed.stdout));
        assert_eq!(openssl(&client, verify), "own.pem: OK\n");
    }
}

#[test]
fn strongswan_reads_the_published_cas() {
    let server = EstServer::start(Options::default()).unwrap();
    server.roll_over().unwrap();
    let client = Client::new(&server);
    let url = client.url().replace("/.well-known/est", "");
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
    assert!(found.trim().parse::<u32>().unwrap() >= 2, "{found}: {read:?}");
}
