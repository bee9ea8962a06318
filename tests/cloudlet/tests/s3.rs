//! boto3 puts and gets objects; requests that AWS would refuse are refused.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot start its server or Python has failed"
)]

use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use cloudlet::{Cloudlet, Event, Minted, Options};

const ROLE: &str = "arn:aws:iam::123456789012:role/telemetry";

fn boto3(cloud: &Cloudlet, keys: &Minted) -> Output {
    Command::new(rig::command::python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/s3.py"))
        .env("AWS_ENDPOINT_URL", cloud.api_endpoint())
        .env("AWS_ACCESS_KEY_ID", &keys.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key)
        .env("AWS_SESSION_TOKEN", &keys.session_token)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_DEFAULT_REGION", "us-east-2")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("AWS_PROFILE")
        .output()
        .unwrap()
}

#[test]
fn objects_are_kept_and_every_signature_is_checked() {
    let cloud = Cloudlet::start(Options::quick()).unwrap();
    let expires = SystemTime::now() + Duration::from_secs(3_600);
    let keys = cloud.access_keys().mint(ROLE, "gw-1", expires);
    let output = boto3(&cloud, &keys);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let put = |event: &Event| {
        matches!(event, Event::ApiCalled { service: "s3", operation: "PutObject", resource, access_key_id, .. }
        if resource == "bucket/a b/../ü" && *access_key_id == keys.access_key_id)
    };
    assert!(cloud.events().iter().any(put), "{:#?}", cloud.events());

    let expired = cloud
        .access_keys()
        .mint(ROLE, "gw-1", SystemTime::now() - Duration::from_secs(1));
    let output = boto3(&cloud, &expired);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("ExpiredToken"), "{said}");
}
