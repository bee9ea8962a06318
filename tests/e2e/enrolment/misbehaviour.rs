//! Faults of EST servers, proxies and networks, and the gateway's reaction.

use est_server::{AnswerFault, BodyForm, CertificateFault, CertificateOrder, Options, RequestAttributes, Switches};

use super::*;

/// Starts the daemon without a record of earlier attempts; the server has these switches.
fn start_with(enrolling: &mut Enrolling, switches: Switches) {
    enrolling.server.switch(|known| *known = switches);
    for file in ["enrolment.json", "device.pem", "proven.pem"] {
        let _ = fs::remove_file(enrolling.world.gateway.state(file));
    }
    enrolling.world.gateway.start();
}

/// Waits until the first attempt has ended, and the status contains these words.
fn wait_for_failure(enrolling: &Enrolling, words: &str) {
    enrolling.world.gateway.wait_for("identity.problem.message", |message| {
        let message = message.as_str().unwrap_or_default();
        message.contains(words) && !message.starts_with("asking ")
    });
}

/// Checks that an enrolment at a server with these switches fails with these words, and that nothing is installed.
fn expect_failure(enrolling: &mut Enrolling, switches: Switches, words: &str) {
    start_with(enrolling, switches);
    wait_for_failure(enrolling, words);
    assert!(!enrolling.world.gateway.state("device.pem").exists(), "{words}");
    enrolling.world.gateway.stop();
}

fn answering(fault: AnswerFault) -> Switches {
    Switches {
        enrolment_faults: [fault.forever()].into(),
        ..Switches::default()
    }
}

fn issuing(certificate: CertificateFault) -> Switches {
    Switches {
        certificate,
        ..Switches::default()
    }
}

fn sending(body: BodyForm) -> Switches {
    Switches {
        body,
        ..Switches::default()
    }
}

/// Creates an enrolment whose secret can be used repeatedly, because each row of a table needs it.
fn lasting() -> Enrolling {
    Enrolling::new(false, Options::default())
}

#[test]
fn a_fault_of_the_server_is_named_and_nothing_is_installed() {
    let mut enrolling = lasting();
    // One row for each place where a fault is found. The unit tests have the others: each status in src/cloud/enrolment/est, each end of a
    // connection in src/cloud/https, each body in src/cloud/enrolment/pkcs7, each certificate in src/cloud/enrolment/choose.
    for (switches, words) in [
        (
            answering(AnswerFault::Wait(Some("3600".to_owned()))),
            "has not decided yet",
        ),
        (answering(AnswerFault::Status(401)), "does not accept the secret"),
        (answering(AnswerFault::CutBody), "localhost"),
        (answering(AnswerFault::HugeBody), "sent more than 262144 bytes"),
        (sending(BodyForm::Truncated), "not complete PKCS#7"),
        (issuing(CertificateFault::OtherCa), "was not signed by the CA"),
    ] {
        expect_failure(&mut enrolling, switches, words);
    }
    let log = enrolling.world.gateway.log();
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn a_good_answer_is_taken_whatever_its_form() {
    let mut enrolling = lasting();
    // The unit tests of src/cloud/enrolment/pkcs7 and choose have each form and each order.
    let in_another_form = Switches {
        body: BodyForm::IndefiniteBer,
        order: CertificateOrder::LeafLast,
        created: true,
        content_type: Some("application/octet-stream".to_owned()),
        ..Switches::default()
    };
    for switches in [
        in_another_form,
        answering(AnswerFault::SlowBody(Duration::from_millis(1))),
    ] {
        start_with(&mut enrolling, switches);
        enrolling.world.gateway.wait_for_text("identity.phase", "ready");
        enrolling.world.gateway.stop();
    }
}

#[test]
fn a_lost_answer_to_a_single_use_secret_is_reported_as_such() {
    let mut enrolling = Enrolling::new(true, Options::default());
    start_with(&mut enrolling, answering(AnswerFault::LostAfterIssue));
    wait_for_failure(&enrolling, "localhost");
    enrolling.world.gateway.kill();
    // The wait has ended, but the lost answer is still known.
    let record = enrolling.world.gateway.state("enrolment.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    kept["next"] = serde_json::Value::Null;
    fs::write(&record, kept.to_string()).unwrap();
    enrolling.server.switch(|switches| *switches = Switches::default());
    enrolling.world.gateway.start();
    enrolling
        .world
        .gateway
        .wait_for_words("identity.problem.message", "may have been used up");
    assert_eq!(
        enrolling.world.gateway.status()["identity"]["problem"]["remedy"],
        "configuration"
    );
}

#[test]
fn a_requirement_that_tls_1_3_cannot_meet_is_reported() {
    let mut enrolling = Enrolling::new(
        false,
        Options {
            request_attributes: RequestAttributes::ChallengePassword,
            ..Options::default()
        },
    );
    expect_failure(&mut enrolling, Switches::default(), "asks for challengePassword");
}

#[test]
fn an_unreachable_or_untrusted_server_is_reported() {
    let mut enrolling = lasting();
    fs::write(enrolling.path().join("est-root.pem"), enrolling.server.ca_pem()).unwrap();
    expect_failure(&mut enrolling, Switches::default(), "TLS with localhost");
    fs::remove_file(enrolling.path().join("secret")).unwrap();
    expect_failure(
        &mut enrolling,
        Switches::default(),
        "no credential to request the first one with",
    );
}
