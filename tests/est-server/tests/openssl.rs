//! The responses, parsed by openssl.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod common;

use std::time::Duration;

use common::{Client, openssl};
use est_server::{BodyForm, CertificateFault, CertificateOrder, EstServer, Options, Switches};

#[test]
fn openssl_reads_every_well_formed_answer() {
    let server = EstServer::start(Options {
        open: true,
        lifetime: Duration::from_secs(60),
        ..Options::default()
    })
    .unwrap();
    let client = Client::new(&server);
    client.write_request("gw-1");
    for (body, order, created) in [
        (BodyForm::Base64, CertificateOrder::LeafOnly, false),
        (BodyForm::Base64, CertificateOrder::LeafFirst, true),
        (BodyForm::Base64, CertificateOrder::LeafLast, false),
        (BodyForm::Base64, CertificateOrder::LeafBetween, false),
        (BodyForm::Lines, CertificateOrder::LeafLast, false),
        (BodyForm::WhiteSpace, CertificateOrder::LeafLast, false),
        (BodyForm::IndefiniteBer, CertificateOrder::LeafLast, false),
        (BodyForm::PemPkcs7, CertificateOrder::LeafLast, false),
        (BodyForm::Binary, CertificateOrder::LeafLast, false),
    ] {
        server.switch(|switches| {
            *switches = Switches {
                body,
                order,
                created,
                ..Switches::default()
            }
        });
        let answer = client.enrol(&[]);
        assert_eq!(answer.status, if created { 201 } else { 200 }, "{body:?}");
        let certificates = client.read_pkcs7(&answer.body);
        let expected = match order {
            CertificateOrder::LeafOnly => 1,
            CertificateOrder::LeafFirst | CertificateOrder::LeafLast => 2,
            CertificateOrder::LeafBetween => 3,
        };
        assert_eq!(
            certificates.matches("BEGIN CERTIFICATE").count(),
            expected,
            "{body:?} {order:?}"
        );
        assert!(certificates.contains("subject=CN = gw-1\n"), "{certificates}");
    }
}

#[test]
fn openssl_verifies_issued_certificates_and_no_faulty_ones() {
    let server = EstServer::start(Options {
        open: true,
        ..Options::default()
    })
    .unwrap();
    let client = Client::new(&server);
    client.write_request("gw-1");
    client.write("ca.pem", &server.ca_pem());
    for (certificate, complaint) in [
        (CertificateFault::None, None),
        (CertificateFault::Expired, Some("certificate has expired")),
        (CertificateFault::NotYetValid, Some("certificate is not yet valid")),
        (
            CertificateFault::WithoutClientAuth,
            Some("unsuitable certificate purpose"),
        ),
        (CertificateFault::OtherCa, Some("certificate signature failure")),
        (CertificateFault::IsCa, Some("unsuitable certificate purpose")),
        (CertificateFault::OtherName, None),
        (CertificateFault::OtherKey, None),
    ] {
        server.switch(|switches| switches.certificate = certificate);
        let answer = client.enrol(&[]);
        client.write("leaf.pem", &client.read_pkcs7(&answer.body));
        let verified = openssl(
            &client,
            "openssl verify -x509_strict -purpose sslclient -CAfile ca.pem leaf.pem 2>&1 || true",
        );
        match complaint {
            Some(complaint) => assert!(verified.contains(complaint), "{certificate:?}: {verified}"),
            None => assert_eq!(verified, "leaf.pem: OK\n", "{certificate:?}"),
        }
        let is_right = |compared: &str| openssl(&client, compared).trim() == "same";
        let same_key = is_right(
            "[ \"$(openssl x509 -in leaf.pem -pubkey -noout)\" = \"$(openssl pkey -in key.pem -pubout)\" ] && echo same || true",
        );
        assert_eq!(same_key, certificate != CertificateFault::OtherKey, "{certificate:?}");
        let subject = openssl(&client, "openssl x509 -in leaf.pem -subject -noout");
        let same_name = subject.trim() == "subject=CN = gw-1";
        assert_eq!(same_name, certificate != CertificateFault::OtherName, "{subject}");
    }
}

#[test]
fn the_published_certificates_connect_old_and_new_ca() {
    let folder = rig_folder();
    let options = || Options {
        open: true,
        dir: Some(folder.path().to_owned()),
        ..Options::default()
    };
    let server = EstServer::start(options()).unwrap();
    let client = Client::new(&server);
    client.write("old.pem", &server.ca_pem());
    server.roll_over().unwrap();
    let new = server.ca_pem();
    client.write("new.pem", &new[..new.find("-----END").unwrap() + 26]);
    client.write("all.pem", &client.read_pkcs7(&client.get("cacerts").body));
    // openssl treats a self-signed certificate as the end of the chain, so it gets only those that connect the CAs.
    openssl(
        &client,
        "awk '/BEGIN/{n++} {print > (\"part\" n \".pem\")}' all.pem; cat part3.pem part4.pem > cross.pem; ! [ -e part5.pem ]",
    );
    client.write_request("gw-1");
    client.write("leaf.pem", &client.read_pkcs7(&client.enrol(&[]).body));
    for trusted in ["old.pem", "new.pem"] {
        let verified = openssl(
            &client,
            &format!("openssl verify -x509_strict -CAfile {trusted} -untrusted cross.pem leaf.pem"),
        );
        assert_eq!(verified, "leaf.pem: OK\n", "{trusted}");
    }
    drop(server);
    let again = EstServer::start(options()).unwrap();
    assert_eq!(again.ca_pem(), new, "both CAs are found again");
}

fn rig_folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}
