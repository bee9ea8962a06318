//! Fleet provisioning by claim, with openssl and mosquitto_rr as the device.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::time::Duration;

use cloudlet::CertificateStatus;
use cloudlet::switches::IssuedSubject;
use common::claim_stage::{CREATE, REGISTER, Stage, template};
use common::{Device, openssl};
use serde_json::{Value, json};

#[test]
fn a_device_gets_a_certificate_and_a_thing() {
    let stage = Stage::new();
    for (number, subject) in [(1, IssuedSubject::OfRequest), (2, IssuedSubject::Default)] {
        stage
            .cloud
            .switches()
            .set(|switches| switches.fleet.issued_subject = subject);
        let created = stage.create();
        assert_eq!(stage.status(&created), Some(CertificateStatus::PendingActivation));
        let serial = number.to_string();
        let reply = stage.register(&created, &json!({ "SerialNumber": serial }), "accepted");
        let thing = format!("gw-{number}");
        let configuration = json!({ "url": "https://pune.example", "fixed": 1 });
        assert_eq!(
            reply,
            json!({ "thingName": thing, "deviceConfiguration": configuration })
        );
        assert_eq!(stage.status(&created), Some(CertificateStatus::Active));
        std::fs::write(
            stage.folder.path().join("own.pem"),
            created["certificatePem"].as_str().unwrap(),
        )
        .unwrap();
        let device = Device {
            name: thing.clone(),
            certificate: stage.folder.path().join("own.pem"),
            key: stage.folder.path().join("own.key"),
        };
        let output = common::publish(&stage.cloud, &device, "mqttv5", "a/b");
        assert!(output.status.success(), "{}", common::text(&output));
        let registered = stage.cloud.certificate(&device.id()).unwrap();
        assert!(registered.things.contains(&thing) && registered.policies.contains("device"));
    }
    let reply = stage.ask("$aws/certificates/create/json", "{}", "accepted");
    assert!(reply["privateKey"].as_str().unwrap().contains("PRIVATE KEY"), "{reply}");
    stage.register(&reply, &json!({ "SerialNumber": "3" }), "accepted");
}

#[test]
fn a_request_that_cannot_be_signed_is_rejected_with_the_reason() {
    let stage = Stage::new();
    let (_, good) = stage.signing_request("ec -pkeyopt ec_paramgen_curve:P-256");
    let (_, weak) = stage.signing_request("rsa:1024");
    let (_, curve) = stage.signing_request("ec -pkeyopt ec_paramgen_curve:secp256k1");
    let request = |text: &str| json!({ "certificateSigningRequest": text }).to_string();
    let forged = good.replacen("MI", "MJ", 1);
    for (payload, code) in [
        ("{".to_owned(), "InvalidPayload"),
        ("{}".to_owned(), "InvalidPayload"),
        ("[]".to_owned(), "InvalidPayload"),
        (request(""), "InvalidCertificateSigningRequest"),
        (request("nonsense"), "InvalidCertificateSigningRequest"),
        (request(&good[..good.len() / 2]), "InvalidCertificateSigningRequest"),
        (request(&forged), "InvalidCertificateSigningRequest"),
        (request(&weak), "InvalidCertificateSigningRequest"),
        (request(&curve), "InvalidCertificateSigningRequest"),
        (
            request(&format!("{good}{}", " ".repeat(4097))),
            "InvalidCertificateSigningRequest",
        ),
    ] {
        let reply = stage.ask(CREATE, &payload, "rejected");
        assert_eq!(
            (&reply["statusCode"], &reply["errorCode"]),
            (&json!(400), &json!(code)),
            "{payload}: {reply}"
        );
        assert!(!reply["errorMessage"].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_thing_is_registered_only_with_a_good_token_and_a_good_template() {
    let stage = Stage::new();
    let created = stage.create();
    let token = &created["certificateOwnershipToken"];
    let serial = json!({ "SerialNumber": "7" });
    for (token, parameters, status, code) in [
        (&json!(""), &serial, 400, "InvalidCertificateOwnershipToken"),
        (&json!("guessed"), &serial, 400, "InvalidCertificateOwnershipToken"),
        (token, &json!({}), 400, "InvalidParameters"),
        (token, &json!({ "SerialNumber": 7 }), 400, "InvalidPayload"),
        (token, &json!({ "SerialNumber": "a b" }), 400, "InvalidRequest"),
        (
            token,
            &json!({ "SerialNumber": "7", "Site": "Oslo" }),
            400,
            "InvalidParameters",
        ),
        (
            token,
            &json!({ "AWS::IoT::Certificate::Id": "x", "SerialNumber": "7" }),
            400,
            "InvalidParameters",
        ),
    ] {
        let reply = stage.register_with(token, parameters, "rejected");
        assert_eq!(
            (&reply["statusCode"], &reply["errorCode"]),
            (&json!(status), &json!(code)),
            "{parameters}: {reply}"
        );
    }
    let payload = json!({ "certificateOwnershipToken": token, "parameters": serial }).to_string();
    let missing = REGISTER.replace("gateways", "missing");
    let reply = stage.ask(&missing, &payload, "rejected");
    assert_eq!(
        (&reply["statusCode"], &reply["errorCode"]),
        (&json!(404), &json!("ResourceNotFound"))
    );
    // A token can be used for one registration only.
    stage.register(&created, &serial, "accepted");
    let reply = stage.register(&created, &serial, "rejected");
    assert_eq!(reply["errorCode"], "InvalidCertificateOwnershipToken");
    // The certificate of an expired token is deleted.
    let unused = stage.create();
    stage
        .cloud
        .switches()
        .set(|switches| switches.fleet.ownership_token_lifetime = Duration::ZERO);
    let reply = stage.register(&unused, &serial, "rejected");
    assert_eq!(reply["errorCode"], "InvalidCertificateOwnershipToken");
    assert_eq!(stage.status(&unused), None);
    assert_eq!(stage.status(&created), Some(CertificateStatus::Active));
}

#[test]
fn a_hook_decides_and_a_certificate_provider_signs() {
    let stage = Stage::with(&template(), Some("hook"));
    let created = stage.create();
    let serial = json!({ "SerialNumber": "7" });
    for (script, part) in [
        ("exit 1", "ended with"),
        ("echo nonsense", "not JSON"),
        ("echo '{}'", "allowProvisioning"),
        ("echo '{\"allowProvisioning\": false}'", "not allowed"),
        ("sleep 60", "within 5 s"),
    ] {
        stage.function("hook", script);
        let reply = stage.register(&created, &serial, "rejected");
        let message = reply["errorMessage"].as_str().unwrap();
        assert!(message.contains(part), "{script}: {reply}");
    }
    stage.function(
        "hook",
        "cat > \"$0.event\"; echo '{\"allowProvisioning\": true, \"parameterOverrides\": {\"SerialNumber\": \"8\"}}'",
    );
    let reply = stage.register(&created, &serial, "accepted");
    assert_eq!(reply["thingName"], "gw-8");
    let event = std::fs::read(stage.folder.path().join("hook.event")).unwrap();
    let event: Value = serde_json::from_slice(&event).unwrap();
    assert_eq!(event["parameters"], serial);
    assert_eq!(
        (&event["clientId"], &event["certificateId"]),
        (&json!("claiming-1"), &created["certificateId"])
    );

    // A provider signs with its own CA, which the account need not know.
    openssl(
        stage.folder.path(),
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ca.key -out ca.pem -subj /CN=Provider",
    );
    stage.function(
        "signer",
        "cd \"$(dirname \"$0\")\" && python3 -c 'import json,sys; open(\"asked.csr\",\"w\").write(json.load(sys.stdin)[\"certificateSigningRequest\"])' \
         && openssl x509 -req -in asked.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -out signed.pem 2>/dev/null \
         && python3 -c 'import json; print(json.dumps({\"certificatePem\": open(\"signed.pem\").read()}))'",
    );
    stage
        .cloud
        .switches()
        .set(|switches| switches.fleet.certificate_provider = Some("signer".to_owned()));
    let provided = stage.create();
    stage.register(&provided, &serial, "accepted");
    assert_eq!(stage.status(&provided), Some(CertificateStatus::Active));
}
