//! The credentials provider, through curl.

mod common;

use cloudlet::switches::{Answer, Lifetime};
use cloudlet::{CertificateStatus, Endpoint, Policy, Role, RoleAlias};
use common::{Fleet, PATH, ROLE, curl, ready, text, with_alias};
use serde_json::Value;

#[test]
fn an_active_certificate_gets_credentials() {
    let (cloud, _fleet, device) = ready();
    with_alias(&cloud).unwrap();
    let output = curl(&cloud, &device, PATH, &["-H", "x-amzn-iot-thingname: gw-1"]);
    let answer = text(&output);
    assert!(answer.ends_with("\n200"), "{answer}");
    assert!(answer.to_lowercase().contains("x-amzn-requestid: "), "{answer}");
    let body = answer.lines().find(|line| line.starts_with('{')).unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let minted = cloud.minted();
    assert_eq!(
        body["credentials"]["secretAccessKey"],
        minted[0].secret_access_key.as_str()
    );
    let expiration = body["credentials"]["expiration"].as_str().unwrap();
    assert_eq!((expiration.len(), &expiration[19..]), (20, "Z"), "{expiration}");
    assert_eq!(cloud.credential_requests("telemetry"), 1);
    assert_eq!(cloud.handshakes(Endpoint::Credentials), 1);
}

#[test]
fn errors_come_in_the_order_of_the_table() {
    let (cloud, _fleet, device) = ready();
    let expect = |status: &str, message: &str, headers: &[&str]| {
        let answer = text(&curl(&cloud, &device, PATH, headers));
        assert!(
            answer.ends_with(status) && answer.contains(&format!("{{\"message\":\"{message}\"}}")),
            "{answer}"
        );
        assert!(answer.to_lowercase().contains("x-amzn-errortype: "), "{answer}");
    };
    let exists = "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role";
    expect(
        "403",
        "Invalid thing name passed",
        &["-H", "x-amzn-iot-thingname: gw-2"],
    );
    expect("404", "Role alias does not exist", &[]);
    cloud
        .add_role_alias(RoleAlias::new("telemetry", ROLE).lasting(7200))
        .unwrap();
    expect(
        "400",
        "Unable to assume the role, or the role to assume does not exist",
        &[],
    );
    cloud.add_role(Role::trusted_by("lambda.amazonaws.com", ROLE)).unwrap();
    expect(
        "400",
        "Unable to assume the role, or the role to assume does not exist",
        &[],
    );
    cloud
        .add_role(Role {
            max_session_seconds: 3600,
            ..Role::trusting(ROLE)
        })
        .unwrap();
    expect("400", exists, &[]);
    cloud.add_role(Role::trusting(ROLE)).unwrap();
    assert!(text(&curl(&cloud, &device, PATH, &[])).ends_with("200"));
    let policy = cloud
        .account()
        .read(|account| account.policies.in_force().next().unwrap().name().to_owned());
    let nothing = r#"{"Version":"2012-10-17","Statement":[]}"#;
    cloud
        .account()
        .change(|account| {
            account.policies.put(Policy::new(policy.as_str(), nothing)?);
            Ok(())
        })
        .unwrap();
    expect("403", "Access Denied", &[]);
}

#[test]
fn a_caller_that_may_not_connect_gets_no_http() {
    let (cloud, _fleet, device) = ready();
    with_alias(&cloud).unwrap();
    let stranger = Fleet::new().device_v1_kept();
    assert!(
        text(&curl(&cloud, &stranger.1, PATH, &[])).ends_with("000")
            || !curl(&cloud, &stranger.1, PATH, &[]).status.success()
    );
    cloud
        .set_certificate_status(&device.id(), CertificateStatus::Inactive)
        .unwrap();
    assert!(!curl(&cloud, &device, PATH, &[]).status.success());
    assert!(cloud.minted().is_empty());
}

#[test]
fn a_wrong_server_name_fails_the_handshake() {
    let (cloud, _fleet, device) = ready();
    let endpoint = cloud.credentials_endpoint();
    let port = endpoint.split(':').next_back().unwrap();
    let url = format!("https://elsewhere:{port}{PATH}");
    let output = std::process::Command::new("curl")
        .args([
            "-sSk",
            "--resolve",
            &format!("elsewhere:{port}:127.0.0.1"),
            &url,
            "--cert",
        ])
        .arg(&device.certificate)
        .arg("--key")
        .arg(&device.key)
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains("alert"), "{}", text(&output));
}

#[test]
fn switches_spoil_the_answer() {
    let (cloud, _fleet, device) = ready();
    with_alias(&cloud).unwrap();
    let fetch = |answer: Answer| {
        cloud.switches().set(|switches| switches.credentials.answer = answer);
        curl(&cloud, &device, PATH, &[])
    };
    assert!(text(&fetch(Answer::Status(429, "{}".into()))).ends_with("429"));
    assert!(text(&fetch(Answer::Body("nonsense".into()))).contains("nonsense"));
    assert!(fetch(Answer::HugeBody(1 << 20)).stdout.len() > 1 << 20);
    assert!(text(&fetch(Answer::Redirect("https://localhost/".into()))).ends_with("302"));
    assert!(!fetch(Answer::Garbage).status.success());
    assert!(!fetch(Answer::Cut).status.success());
    assert!(text(&fetch(Answer::Slow(std::time::Duration::from_millis(1)))).ends_with("200"));
    for (lifetime, marker) in [
        (Lifetime::Malformed("soon".into()), "\"expiration\":\"soon\""),
        (Lifetime::Seconds(-60), "Z"),
    ] {
        cloud.switches().set(|switches| {
            switches.credentials.answer = Answer::Normal;
            switches.credentials.lifetime_of.insert("telemetry".into(), lifetime);
        });
        assert!(text(&curl(&cloud, &device, PATH, &[])).contains(marker));
    }
}
