//! The real AWS CLI asks the cloudlet's STS for its identity.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot start its server or the AWS CLI has failed"
)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use cloudlet::switches::Lifetime;
use cloudlet::{Cloudlet, Event, Minted, Options};
use common::{PATH, curl, ready, text, with_alias};

const ROLE: &str = "arn:aws:iam::123456789012:role/fleet/gateway-telemetry";

fn mint(cloud: &Cloudlet) -> Minted {
    let expires = SystemTime::now() + Duration::from_secs(3_600);
    cloud.access_keys().mint(ROLE, "gw-1", expires)
}

fn get_caller_identity(cloud: &Cloudlet, credentials: &Minted) -> Output {
    Command::new("aws")
        .args(["sts", "get-caller-identity", "--output", "json", "--endpoint-url"])
        .arg(cloud.api_endpoint())
        .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key)
        .env("AWS_SESSION_TOKEN", &credentials.session_token)
        .env("AWS_DEFAULT_REGION", "us-east-2")
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env_remove("AWS_PROFILE")
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap()
}

/// Returns the events of STS after the first `seen` events.
fn said(cloud: &Cloudlet, seen: usize) -> Vec<Event> {
    let of_sts = |event: &Event| matches!(event, Event::CallerIdentified { .. } | Event::CallerRefused { .. });
    cloud.events().into_iter().skip(seen).filter(of_sts).collect()
}

#[test]
fn the_aws_cli_learns_who_it_is() {
    let cloud = Cloudlet::start(Options::quick()).unwrap();
    let minted = mint(&cloud);
    let output = get_caller_identity(&cloud, &minted);
    assert!(output.status.success(), "{output:?}");
    let identity: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let arn = "arn:aws:sts::123456789012:assumed-role/gateway-telemetry/gw-1";
    assert_eq!(identity["Arn"], arn);
    assert_eq!(identity["Account"], "123456789012");
    let user_id = identity["UserId"].as_str().unwrap();
    assert!(user_id.starts_with("AROA") && user_id.len() == 21 + ":gw-1".len() && user_id.ends_with(":gw-1"));
    let identified = Event::CallerIdentified {
        access_key_id: minted.access_key_id,
        arn: arn.to_owned(),
    };
    assert_eq!(said(&cloud, 0), [identified]);
}

#[test]
fn the_aws_cli_learns_why_it_is_refused() {
    let cloud = Cloudlet::start(Options::quick()).unwrap();
    let good = mint(&cloud);
    let expired = cloud.access_keys().mint(ROLE, "gw-1", SystemTime::now());
    for (credentials, code) in [
        (
            Minted {
                secret_access_key: "x".repeat(40),
                ..good.clone()
            },
            "SignatureDoesNotMatch",
        ),
        (
            Minted {
                session_token: mint(&cloud).session_token,
                ..good.clone()
            },
            "InvalidClientTokenId",
        ),
        (
            Minted {
                access_key_id: "ASIANEVERISSUED00000".to_owned(),
                ..good.clone()
            },
            "InvalidClientTokenId",
        ),
        (expired, "ExpiredToken"),
    ] {
        let seen = cloud.events().len();
        let answer = text(&get_caller_identity(&cloud, &credentials));
        assert!(answer.contains(&format!("An error occurred ({code})")), "{answer}");
        let events = said(&cloud, seen);
        let [
            Event::CallerRefused {
                access_key_id,
                code: told,
                ..
            },
        ] = &events[..]
        else {
            panic!("one event: {events:?}")
        };
        assert_eq!(
            (access_key_id.as_deref(), told.as_str()),
            (Some(credentials.access_key_id.as_str()), code)
        );
    }
}

#[test]
fn what_the_provider_issues_holds_until_its_expiration() {
    let (cloud, _fleet, device) = ready();
    with_alias(&cloud).unwrap();
    for (lifetime, refusal) in [
        (Lifetime::Granted, None),
        (Lifetime::Malformed("soon".to_owned()), None),
        (Lifetime::Seconds(600), None),
        (Lifetime::Seconds(-60), Some("ExpiredToken")),
        (Lifetime::Skewed(-3_000), None),
        (Lifetime::Skewed(-3_660), Some("ExpiredToken")),
    ] {
        cloud
            .switches()
            .set(|switches| switches.credentials.lifetime = lifetime.clone());
        assert!(text(&curl(&cloud, &device, PATH, &[])).ends_with("200"));
        let answer = get_caller_identity(&cloud, cloud.minted().last().unwrap());
        match refusal {
            None => assert!(answer.status.success(), "{lifetime:?}: {}", text(&answer)),
            Some(code) => assert!(text(&answer).contains(code), "{lifetime:?}: {}", text(&answer)),
        }
    }
}

#[test]
fn unsigned_and_unknown_requests_get_the_errors_of_aws() {
    let cloud = Cloudlet::start(Options::quick()).unwrap();
    let operation = "Action=GetCallerIdentity&Version=2011-06-15";
    for (method, target, body, status, code) in [
        ("GET", format!("/?{operation}"), "", 403, "MissingAuthenticationToken"),
        ("POST", "/".to_owned(), operation, 403, "MissingAuthenticationToken"),
        ("GET", "/".to_owned(), "", 400, "MissingAction"),
        ("GET", "/?Action=GetCallerIdentity".to_owned(), "", 400, "InvalidAction"),
        (
            "GET",
            "/?Action=%3Cb%3E&Version=2011-06-15".to_owned(),
            "",
            400,
            "InvalidAction",
        ),
        ("DELETE", format!("/?{operation}"), "", 405, "InvalidAction"),
        (
            "POST",
            "/".to_owned(),
            &"x".repeat(100_000),
            413,
            "RequestEntityTooLarge",
        ),
    ] {
        let seen = cloud.events().len();
        let length = body.len();
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        let answer = ask(&cloud, &format!("{head}{body}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(
            answer.contains(&format!("<Code>{code}</Code>")) && answer.contains("<RequestId>"),
            "{answer}"
        );
        assert!(!answer.contains("<b>"), "what the caller wrote is escaped: {answer}");
        assert!(matches!(&said(&cloud, seen)[..], [Event::CallerRefused { code: told, .. }] if told == code));
    }
}

fn ask(cloud: &Cloudlet, request: &str) -> String {
    let endpoint = cloud.api_endpoint();
    let mut stream = TcpStream::connect(endpoint.trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
