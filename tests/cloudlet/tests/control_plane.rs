//! The AWS IoT control plane and IAM, called with botocore: valid and invalid requests of a fleet's owner.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use cloudlet::{Cloudlet, Event, Options};

use common::{Fleet, text};

#[test]
fn botocore_finds_the_control_plane_it_knows() {
    let cloud = Cloudlet::start(Options::quick()).unwrap();
    let (fleet, others) = (Fleet::new(), Fleet::new());
    let folder = fleet.path();
    let code = cloud.account().read(|account| account.registration_code().to_owned());
    let by = |fleet: &Fleet, name: &str, common_name: &str| {
        let device = fleet.device_v3(
            name,
            &format!("/CN={common_name}"),
            "ec -pkeyopt ec_paramgen_curve:P-256",
        );
        fs::read_to_string(device.certificate).unwrap()
    };
    by(&fleet, "verification", &code);
    by(&fleet, "device", "gw-7");
    // The code is right, but another CA has signed.
    fs::write(folder.join("forged.pem"), by(&others, "forged", &code)).unwrap();
    fs::write(folder.join("stranger.pem"), by(&others, "stranger", "stranger")).unwrap();
    fs::write(folder.join("code"), &code).unwrap();
    fs::write(folder.join("mqtt"), cloud.mqtt_endpoint()).unwrap();
    fs::write(folder.join("credentials"), cloud.credentials_endpoint()).unwrap();
    fs::write(folder.join("template.json"), cloud.article_template().body()).unwrap();

    let administrator = cloud.administrator();
    let output = Command::new(rig::command::python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control_plane.py"))
        .arg(folder)
        .env("AWS_ENDPOINT_URL", cloud.api_endpoint())
        .env("AWS_ACCESS_KEY_ID", administrator.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", administrator.secret_access_key)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let calls: usize = text(&output).trim().parse().unwrap();
    let told = cloud
        .events()
        .into_iter()
        .filter(|event| {
            matches!(
                event,
                Event::ApiCalled { .. } | Event::CallerRefused { .. } | Event::CallerIdentified { .. }
            )
        })
        .count();
    assert_eq!(told, calls, "each call is one event");
}

#[test]
fn a_role_s_session_may_not_call_the_control_plane() {
    let cloud = Cloudlet::start(Options::quick()).unwrap();
    let minted = cloud.access_keys().mint(
        common::ROLE,
        "gw-1",
        std::time::SystemTime::now() + std::time::Duration::from_secs(900),
    );
    for (service, operation, error) in [
        ("iot", "list-things", "AccessDeniedException"),
        ("iam", "list-roles", "AccessDenied"),
    ] {
        let output = Command::new("aws")
            .args([service, operation])
            .env("AWS_ENDPOINT_URL", cloud.api_endpoint())
            .env("AWS_ACCESS_KEY_ID", &minted.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &minted.secret_access_key)
            .env("AWS_SESSION_TOKEN", &minted.session_token)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .unwrap();
        assert!(text(&output).contains(&format!("({error})")), "{}", text(&output));
    }
}

/// Malformed requests are answered, and the endpoint continues.
#[test]
fn broken_requests_are_answered() {
    let cloud = Cloudlet::start(Options::quick()).unwrap();
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(700_000));
    let scope = "Credential=AKIA/20300101/us-east-1/iot/aws4_request, SignedHeaders=host, Signature=00";
    let unsigned = format!(
        "GET /things HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-amz-date: 20300101T000000Z\r\nauthorization: AWS4-HMAC-SHA256 {scope}\r\n\r\n"
    );
    for (request, answer) in [
        ("\0\0\0\0\r\n\r\n", ""),
        (
            "GET /things HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "MissingAction",
        ),
        (long.as_str(), "HTTP/1.1 4"),
        (unsigned.as_str(), "UnrecognizedClientException"),
        (
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "",
        ),
    ] {
        let endpoint = cloud.api_endpoint();
        let mut stream = TcpStream::connect(endpoint.trim_start_matches("http://")).unwrap();
        // The endpoint may refuse before the whole request is written.
        let _ = stream.write_all(request.as_bytes());
        let mut found = String::new();
        // The endpoint may close before it has read the whole request.
        let _ = stream.read_to_string(&mut found);
        assert!(found.contains(answer), "{request:.80}: {found}");
    }
    assert!(cloud.things().is_empty());
}
