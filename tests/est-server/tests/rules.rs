//! Authorisation of enrolments and renewals, and each misbehaviour as a client sees it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod common;

use std::time::{Duration, Instant};

use common::{Client, openssl};
use est_server::{
    AnswerFault, BodyForm, CertificateFault, EstServer, Event, Options, RequestAttributes, Switches, User,
};

fn user(name: &str, one_time: bool) -> User {
    User {
        name: name.to_owned(),
        secret: "secret".to_owned(),
        one_time,
    }
}

#[test]
fn each_way_to_authenticate_has_its_own_permissions() {
    let bootstrap = EstServer::start(Options {
        open: true,
        ..Options::default()
    })
    .unwrap();
    let factory = Client::new(&bootstrap);
    factory.write_request("serial-1");
    let bootstrap_certificate = factory.read_pkcs7(&factory.enrol(&[]).body);

    let server = EstServer::start(Options {
        users: vec![user("gw", false)],
        bootstrap_cas: Some(bootstrap.ca_pem()),
        ..Options::default()
    })
    .unwrap();
    let client = Client::new(&server);
    client.write_request("gw-1");
    client.write("bootstrap.pem", &bootstrap_certificate);
    std::fs::copy(factory.folder().join("key.pem"), client.folder().join("bootstrap.key")).unwrap();
    let issued = client.enrol(&["--user", "gw:secret"]);
    client.write("own.pem", &client.read_pkcs7(&issued.body));

    let own: &[&str] = &["--cert", "own.pem", "--key", "key.pem"];
    let bootstrap: &[&str] = &["--cert", "bootstrap.pem", "--key", "bootstrap.key"];
    for (operation, options, status) in [
        ("simpleenroll", &["--user", "gw:secret"][..], 200),
        ("simpleenroll", &["--user", "gw:wrong"], 401),
        ("simpleenroll", &["--user", "other:secret"], 401),
        ("simpleenroll", &[], 401),
        ("simpleenroll", bootstrap, 200),
        ("simpleenroll", own, 401),
        ("simplereenroll", own, 200),
        ("simplereenroll", bootstrap, 403),
        ("simplereenroll", &["--user", "gw:secret"], 403),
        ("simplereenroll", &[], 403),
        (
            "simpleenroll",
            &["-H", "Content-Type: text/plain", "--user", "gw:secret"],
            400,
        ),
        ("serverkeygen", own, 404),
    ] {
        let answer = client.post(operation, options);
        assert_eq!(answer.status, status, "{operation} {options:?}: {answer:?}");
        assert_eq!(
            status == 401,
            answer.headers.to_lowercase().contains("www-authenticate: basic")
        );
    }
    client.write_request("gw-2");
    assert_eq!(client.post("simplereenroll", own).status, 403, "another subject");
    openssl(
        &client,
        "openssl req -new -key key.pem -subj /CN=gw-1 -addext subjectAltName=DNS:x -outform DER | base64 -w0 > request.b64",
    );
    assert_eq!(client.post("simplereenroll", own).status, 403, "another subjectAltName");
    openssl(
        &client,
        "openssl ecparam -genkey -name secp384r1 -noout -out new.pem; openssl req -new -key new.pem -subj /CN=gw-1 -outform DER | base64 -w0 > request.b64",
    );
    assert_eq!(client.post("simplereenroll", own).status, 200, "another key, same name");
}

#[test]
fn a_renewal_keeps_the_alternative_name_and_outlives_a_rollover() {
    let server = EstServer::start(Options {
        open: true,
        label: Some("fleet".to_owned()),
        ..Options::default()
    })
    .unwrap();
    let client = Client::new(&server);
    client.write_request("gw-1");
    openssl(
        &client,
        "openssl req -new -key key.pem -subj /O=Example/CN=gw-1 -addext subjectAltName=DNS:gw-1.example -outform DER | base64 -w0 > request.b64",
    );
    client.write("own.pem", &client.read_pkcs7(&client.enrol(&[]).body));
    for _ in 0..2 {
        server.roll_over().unwrap();
        let renewed = client.post("simplereenroll", &["--cert", "own.pem", "--key", "key.pem"]);
        assert_eq!(renewed.status, 200, "{renewed:?}");
        client.write("own.pem", &client.read_pkcs7(&renewed.body));
        let text = openssl(
            &client,
            "openssl x509 -in own.pem -noout -subject -issuer -ext subjectAltName",
        );
        assert!(
            text.contains("O = Example, CN = gw-1") && text.contains("DNS:gw-1.example"),
            "{text}"
        );
    }
    assert!(openssl(&client, "openssl x509 -in own.pem -noout -issuer").contains("EST Trial CA 3"));
    let renewals = server.events();
    let renewals = renewals
        .iter()
        .filter(|event| matches!(event, Event::Issued { renewal: true, .. }));
    assert_eq!(renewals.count(), 2);
}

#[test]
fn a_one_time_secret_is_consumed_even_if_the_answer_is_lost() {
    for (repeat_same_request, second) in [(false, 401), (true, 200)] {
        let server = EstServer::start(Options {
            users: vec![user("gw", true)],
            repeat_same_request,
            ..Options::default()
        })
        .unwrap();
        server.switch(|switches| switches.enrolment_faults = [AnswerFault::LostAfterIssue.times(1)].into());
        let client = Client::new(&server);
        client.write_request("gw-1");
        assert_eq!(client.enrol(&["--user", "gw:secret"]).status, 0);
        server
            .wait_for(1, Duration::from_secs(10), |event| {
                matches!(event, Event::Issued { .. })
            })
            .unwrap();
        assert_eq!(client.enrol(&["--user", "gw:secret"]).status, second);
        client.write_request("gw-2");
        assert_eq!(client.enrol(&["--user", "gw:secret"]).status, 401, "another request");
    }
}

#[test]
fn each_fault_of_an_answer_is_seen() {
    let server = EstServer::start(Options {
        open: true,
        ..Options::default()
    })
    .unwrap();
    let client = Client::new(&server);
    client.write_request("gw-1");
    for (fault, status, header) in [
        (AnswerFault::Wait(Some("7".to_owned())), 202, "retry-after: 7"),
        (AnswerFault::Wait(None), 202, ""),
        (AnswerFault::Status(503), 503, ""),
        (AnswerFault::Status(404), 404, ""),
        (
            AnswerFault::Redirect("https://other.example/x".to_owned()),
            302,
            "location: https://other.example/x",
        ),
        (AnswerFault::Closed, 0, ""),
        (AnswerFault::LostAfterIssue, 0, ""),
        (AnswerFault::HugeBody, 200, "content-length: 5242880"),
        (AnswerFault::CutBody, 200, ""),
        (AnswerFault::SlowBody(Duration::from_millis(1)), 200, ""),
    ] {
        server.switch(|switches| switches.enrolment_faults = [fault.clone().times(1)].into());
        let answer = client.enrol(&[]);
        assert_eq!(answer.status, status, "{fault:?}");
        assert!(answer.headers.to_lowercase().contains(header), "{fault:?}: {answer:?}");
        match fault {
            AnswerFault::CutBody => assert!(answer.headers.contains("content-length"), "{answer:?}"),
            AnswerFault::SlowBody(_) => assert!(client.read_pkcs7(&answer.body).contains("CN = gw-1")),
            _ => {}
        }
        assert_eq!(client.enrol(&[]).status, 200, "after {fault:?}");
    }
    server.switch(|switches| switches.enrolment_faults = [AnswerFault::Hang.times(1)].into());
    let begun = Instant::now();
    assert_eq!(client.enrol(&["--max-time", "1"]).status, 0);
    assert!(begun.elapsed() >= Duration::from_secs(1), "it hung");
}

#[test]
fn each_malformed_body_is_sent_as_configured() {
    let server = EstServer::start(Options {
        open: true,
        request_attributes: RequestAttributes::ChallengePassword,
        ..Options::default()
    })
    .unwrap();
    let client = Client::new(&server);
    client.write_request("gw-1");
    for (body, part) in [
        (BodyForm::Html, "<html>"),
        (BodyForm::BrokenBase64, "%"),
        (BodyForm::PemCertificates, "BEGIN CERTIFICATE"),
        (BodyForm::PemPkcs7, "BEGIN PKCS7"),
        (BodyForm::Empty, ""),
    ] {
        server.switch(|switches| switches.body = body);
        let answer = client.enrol(&[]);
        assert_eq!(answer.status, 200);
        assert!(String::from_utf8_lossy(&answer.body).contains(part), "{body:?}");
    }
    server.switch(|switches| *switches = Switches::default());
    assert_eq!(client.get("csrattrs").body, b"MAsGCSqGSIb3DQEJBw==");
    server.switch(|switches| switches.certificate = CertificateFault::Unchanged);
    assert_eq!(
        client.enrol(&[]).status,
        200,
        "there is nothing to repeat at the first enrolment"
    );
}
