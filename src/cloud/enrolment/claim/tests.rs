//! Answers of AWS, valid and invalid.

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::problem::Remedy;

fn certificate() -> String {
    let key = KeyPair::generate().unwrap();
    CertificateParams::default().self_signed(&key).unwrap().pem()
}

#[test]
fn requests_have_the_members_of_the_guide() {
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap();
    let payload = create_payload(csr.der()).unwrap();
    let payload: serde_json::Value = serde_json::from_str(&payload).unwrap();
    let text = payload["certificateSigningRequest"].as_str().unwrap();
    assert!(text.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n") && !text.contains('\r'));
    let created = Created {
        certificate_pem: certificate(),
        certificate_id: "id".to_owned(),
        certificate_ownership_token: "hunter2".to_owned(),
    };
    let parameters = BTreeMap::from([("SerialNumber".to_owned(), "42".to_owned())]);
    let payload: serde_json::Value = serde_json::from_str(&register_payload(&created, &parameters)).unwrap();
    let expected =
        serde_json::json!({ "certificateOwnershipToken": "hunter2", "parameters": { "SerialNumber": "42" } });
    assert_eq!(payload, expected);
    assert!(!format!("{created:?}").contains("hunter2"));
    let long = CertificateSigningRequestDer::from(vec![0; 3200]);
    assert_eq!(create_payload(&long).unwrap_err().kind, FailureKind::Refused);
    assert_eq!(Step::Create.topic(), CREATE);
    assert_eq!(
        Step::Register("t").topic(),
        "$aws/provisioning-templates/t/provision/json"
    );
}

#[test]
fn a_certificate_comes_with_its_token_or_not_at_all() {
    let pem = certificate();
    let answer = |pem: &str, token: &str| {
        serde_json::json!({ "certificatePem": pem, "certificateOwnershipToken": token, "certificateId": "id", "more": 1 }).to_string()
    };
    let created = read_created(answer(&pem, "token").as_bytes()).unwrap();
    assert_eq!(
        (
            created.certificate_id.as_str(),
            certificates(&created.certificate_pem).len()
        ),
        ("id", 1)
    );
    for bad in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        answer(&pem, ""),
        answer("", "token"),
        answer("nonsense", "token"),
        answer(&pem[..pem.len() / 2], "token"),
        "\u{0}".to_owned(),
        answer(&pem, "token").replace("\"id\"", "7").replace("\"token\"", "{}"),
    ] {
        let failure = read_created(bad.as_bytes()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{bad}");
    }
}

#[test]
fn a_thing_name_must_be_one() {
    for (payload, expected) in [
        (
            r#"{"thingName":"gw-1","deviceConfiguration":{"a":{}}}"#,
            Ok(Some("gw-1")),
        ),
        (r#"{"thingName":null}"#, Ok(None)),
        ("{}", Ok(None)),
        (r#"{"thingName":"a b"}"#, Err(())),
        (r#"{"thingName":""}"#, Err(())),
        (r#"{"thingName":7}"#, Err(())),
        ("", Err(())),
        ("null", Err(())),
    ] {
        let found = read_registered(payload.as_bytes(), "t");
        let found = found.as_ref().map(Option::as_deref).map_err(|_| ());
        assert_eq!(found, expected, "{payload}");
    }
}

#[test]
fn each_rejection_names_the_responsible_party() {
    use FailureKind::{Refused, Unauthorized, Unavailable};
    let register = Step::Register("gateways");
    for (step, payload, kind, part) in [
        (
            Step::Create,
            r#"{"statusCode":400,"errorCode":"InvalidCertificateSigningRequest","errorMessage":"weak"}"#,
            Refused,
            "weak",
        ),
        (
            Step::Create,
            r#"{"statusCode":403,"errorCode":"AccessDenied","errorMessage":"no"}"#,
            Unauthorized,
            "AccessDenied no",
        ),
        (Step::Create, r#"{"statusCode":500}"#, Unavailable, "(500)"),
        (
            register,
            r#"{"statusCode":404,"errorCode":"ResourceNotFound","errorMessage":"none"}"#,
            Refused,
            "template gateways",
        ),
        (
            register,
            r#"{"statusCode":400,"errorCode":"AccessDenied","errorMessage":"hook"}"#,
            Refused,
            "its hook",
        ),
        (
            register,
            r#"{"statusCode":409,"errorCode":"ResourceConflict"}"#,
            Unavailable,
            "ResourceConflict",
        ),
        (
            register,
            r#"{"statusCode":429,"errorCode":"Throttling"}"#,
            Unavailable,
            "Throttling",
        ),
        (register, r#"{"statusCode":503}"#, Unavailable, "(503)"),
        (register, "{}", Refused, "AWS rejects RegisterThing;"),
        (register, "nonsense", Refused, "AWS rejects RegisterThing;"),
        (
            register,
            r#"{"statusCode":400,"errorCode":"a\u001b[31m","errorMessage":"b\nc"}"#,
            Refused,
            "(400: a",
        ),
    ] {
        let failure = read_rejection(step, payload.as_bytes());
        let text = failure.problem.to_string();
        assert_eq!(failure.kind, kind, "{payload}");
        assert!(
            text.contains(part) && !text.contains(['\u{1b}', '\n']),
            "{payload}: {text}"
        );
        let is_theirs = failure.problem.remedy == Remedy::Wait;
        assert_eq!(is_theirs, kind == Unavailable, "{payload}");
    }
    let long = format!(r#"{{"statusCode":400,"errorMessage":"{}"}}"#, "word ".repeat(500));
    assert!(read_rejection(register, long.as_bytes()).problem.message.len() < 400);
    assert!(is_token_rejected(
        br#"{"statusCode":400,"errorCode":"InvalidCertificateOwnershipToken"}"#
    ));
    assert!(!is_token_rejected(br#"{"statusCode":400,"errorCode":"InvalidParameters"}"#) && !is_token_rejected(b""));
}
