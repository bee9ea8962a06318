//! Faults during a claim: each is reported, and a power cut between any two steps loses nothing.

use std::fs;

use cloudlet::{CertificateStatus, Event};
use serde_json::Value;

use super::{Claiming, NAME, shipped};
use crate::bad_input::check_config;
use crate::command::{client, run};
use crate::support::SOON;

/// Makes the next attempt now.
pub fn retry(claiming: &Claiming) {
    let (code, _, error) = run(&mut client(&claiming.world.gateway, &["retry", "enrolment"]));
    assert_eq!(code, 0, "{error}");
}

#[test]
fn refusals_of_aws_are_named_and_recover() {
    let mut claiming = Claiming::with(&shipped("fleet-provisioning-template.json"), Some("hook"));
    claiming.function("hook", "echo '{\"allowProvisioning\": false}'");
    claiming.world.gateway.start();
    claiming.wait_for_problem("Provisioning was not allowed by the hook");
    // The created certificate is registered at last, instead of creating another one.
    assert_eq!(claiming.certificates().len(), 1);

    claiming.function("hook", "echo '{\"allowProvisioning\": true}'");
    let cloud = &claiming.world.cloud;
    let enable = |enabled| {
        let changed = cloud.account().change(|account| {
            account.templates.update("gateways", |template| {
                template.enabled = enabled;
                Ok(())
            })
        });
        changed.unwrap();
    };
    enable(false);
    retry(&claiming);
    claiming.wait_for_problem("is not enabled");
    enable(true);
    retry(&claiming);
    claiming.world.gateway.wait_online();
    let [certificate] = claiming.certificates().try_into().unwrap();
    assert_eq!(certificate.status, CertificateStatus::Active);
    claiming.world.gateway.stop();
}

#[test]
fn a_claim_certificate_that_is_revoked_or_may_too_little_is_named() {
    let mut claiming = Claiming::new();
    let claim = claiming.claim.clone();
    claiming
        .world
        .cloud
        .set_certificate_status(&claim, CertificateStatus::Inactive)
        .unwrap();
    claiming.world.gateway.start();
    let problem = claiming.wait_for_problem("dropped the connection of the claim certificate before CONNACK");
    assert!(problem.contains("is the claim certificate ACTIVE"), "{problem}");
    claiming
        .world
        .cloud
        .set_certificate_status(&claim, CertificateStatus::Active)
        .unwrap();
    let replace = |document: String| {
        let policy = cloudlet::Policy::new("claim-2", &document).unwrap();
        let changed = claiming.world.cloud.account().change(|account| {
            account.detach_policy(&claim, "claim")?;
            let _ = account.detach_policy(&claim, "claim-2");
            let _ = account.delete_policy("claim-2");
            account.policies.create(policy)?;
            account.attach_policy(&claim, "claim-2")
        });
        changed.unwrap();
    };
    replace(shipped("claim-policy.json").replace("topicfilter/$aws/provisioning-templates", "topicfilter/none"));
    retry(&claiming);
    claiming.wait_for_problem(
        "does not allow iot:Subscribe on $aws/provisioning-templates/gateways/provision/json/accepted",
    );
    claiming.world.gateway.stop();
}

#[test]
fn files_that_do_not_belong_together_are_found_by_the_check() {
    let claiming = Claiming::new();
    let folder = claiming.world.gateway.folder.path();
    let (certificate, key) = (folder.join("claim.pem"), folder.join("claim.key"));
    let (good_certificate, good_key) = (fs::read(&certificate).unwrap(), fs::read(&key).unwrap());
    let other = claiming.world.cloud.create_keys_and_certificate().unwrap();
    for (certificate_content, key_content, words) in [
        (
            &good_certificate[..],
            other.private_key.as_bytes(),
            "is not the private key of",
        ),
        (other.certificate.as_bytes(), &good_key[..], "is not the private key of"),
        (b"", &good_key, "enrolment.claim.certificate"),
        (&good_key, &good_key, "enrolment.claim.certificate"),
        (&good_certificate, b"hunter2", "has no private key in PEM"),
    ] {
        fs::write(&certificate, certificate_content).unwrap();
        fs::write(&key, key_content).unwrap();
        let output = check_config(&claiming.world.gateway);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains(words) && !said.contains("hunter2"),
            "{words}: {said}"
        );
    }
    fs::write(&certificate, &good_certificate).unwrap();
    fs::write(&key, &good_key).unwrap();
    assert!(check_config(&claiming.world.gateway).status.success());
}

#[test]
fn a_power_cut_between_any_two_steps_costs_no_thing_and_no_human() {
    let mut claiming = Claiming::with(&shipped("fleet-provisioning-template.json"), Some("hook"));
    // The hook delays RegisterThing, so that the daemon is killed while it waits for the answer.
    claiming.function(
        "hook",
        "touch \"$0.asked\"; while [ ! -e \"$0.go\" ]; do sleep 0.05; done; echo '{\"allowProvisioning\": true}'",
    );
    let folder = claiming.world.gateway.folder.path().to_owned();
    claiming.world.gateway.start();
    let asked = || folder.join("hook.asked").exists();
    rig::wait::until(SOON, "RegisterThing", asked).unwrap();
    claiming.world.gateway.kill();
    fs::write(folder.join("hook.go"), "").unwrap();
    let is_registered = |event: &Event| matches!(event, Event::ServiceAnswered { topic, rejection: None, .. } if topic.ends_with("provision/json"));
    claiming.world.cloud.wait_for(SOON, is_registered).unwrap();
    let kept = claiming.world.gateway.state("claim.json");
    let written: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    assert_eq!(written["was-sent"], true);

    // The token is used up, so another certificate is requested, and the operator is told about the first one.
    claiming.world.gateway.start();
    claiming.world.gateway.wait_online();
    assert_eq!(claiming.world.gateway.status()["identity"]["thing_name"], NAME);
    let log = claiming.world.gateway.log();
    let first = written["created"]["certificateId"].as_str().unwrap();
    assert!(
        log.contains(&format!("AWS's answer about certificate {first} was lost")),
        "{log}"
    );
    let token = written["created"]["certificateOwnershipToken"].as_str().unwrap();
    assert!(!log.contains(token) && !kept.exists());

    // A registered certificate is installed without asking AWS again.
    claiming.world.gateway.stop();
    let certificate = fs::read_to_string(claiming.world.gateway.state("device.pem")).unwrap();
    let mut registered = written.clone();
    registered["is-registered"] = Value::Bool(true);
    registered["thing-name"] = NAME.into();
    registered["created"]["certificatePem"] = certificate.clone().into();
    fs::write(&kept, registered.to_string()).unwrap();
    fs::remove_file(claiming.world.gateway.state("device.pem")).unwrap();
    let count = claiming.certificates().len();
    claiming.world.gateway.start();
    claiming.world.gateway.wait_online();
    assert_eq!(
        fs::read_to_string(claiming.world.gateway.state("device.pem")).unwrap(),
        certificate
    );
    assert_eq!(claiming.certificates().len(), count);
    claiming.world.gateway.stop();
}
