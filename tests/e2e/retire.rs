//! docs/retire.md describes what to do with a gateway that is stolen, replaced or retired. Its commands are run here unchanged.

use std::fs;

use cloudlet::CertificateStatus;
use rig::shell::Shell;
use rig::token::SoftHsm;
use serde_json::json;

use crate::cloud_view::{chains, mark};
use crate::support::{Gateway, PIN, SOON, World, shell};

/// Returns the commands of a section, after those that set the page's variables.
fn commands(section: &str) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/retire.md")).unwrap();
    let (introduction, sections) = page.split_once("\n## ").unwrap();
    let found = sections.split("\n## ").find(|text| text.starts_with(section));
    let found = found.unwrap_or_else(|| panic!("no section {section}"));
    [introduction, found].map(shell_blocks).concat()
}

fn shell_blocks(text: &str) -> String {
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap()).collect()
}

fn run(shell: &Shell, section: &str) -> String {
    shell.step(&commands(section))
}

fn status_at_aws(shell: &Shell, certificate: &str) -> String {
    let describe = format!("aws iot describe-certificate --certificate-id {certificate}");
    shell.text(&describe, "/certificateDescription/status")
}

#[test]
fn a_stolen_gateway_is_locked_out_for_good() {
    let mut world = World::new();
    world.bring_online();
    let shell = shell(&world.cloud);
    let certificate = world.certificate_id().to_string();

    run(&shell, "Deactivate it for a while");
    assert_eq!(status_at_aws(&shell, &certificate), "INACTIVE");
    world.gateway.wait_for_log("dropped the connection before CONNACK");
    shell.step(&format!(
        "aws iot update-certificate --certificate-id {certificate} --new-status ACTIVE"
    ));
    world.gateway.wait_online();

    run(&shell, "Lock it out");
    assert_eq!(status_at_aws(&shell, &certificate), "REVOKED");
    run(&shell, "End the credentials");
    let names = shell.json("aws iam list-role-policies --role-name telemetry");
    let denied = format!("gatepost-denied-{certificate}");
    assert_eq!(names["PolicyNames"], json!(["AWSRevokeOlderSessions", denied]));
    let policy = shell.json(&format!(
        "aws iam get-role-policy --role-name telemetry --policy-name {denied}"
    ));
    assert_eq!(
        policy["PolicyDocument"]["Statement"][0]["Condition"],
        json!({ "StringLike": { "aws:userid": format!("*:{certificate}") } })
    );

    run(&shell, "Remove the thing");
    assert!(world.cloud.things().is_empty());
    let policies = format!(
        "aws iot list-attached-policies --target $(aws iot describe-certificate \
                            --certificate-id {certificate} --query certificateDescription.certificateArn --output text)"
    );
    assert_eq!(shell.json(&policies)["policies"], json!([]));

    // The gateway sends its chain again, as for a certificate that was deleted; a revoked one is not registered again.
    let before = mark(&world.cloud);
    let shows_its_chain = || chains(&world.cloud, before).contains(&2);
    rig::wait::until(2 * SOON, "the gateway's chain", shows_its_chain).unwrap();
    assert_eq!(status_at_aws(&shell, &certificate), "REVOKED");
    assert!(world.cloud.things().is_empty());
    assert_ne!(world.gateway.status()["session"]["phase"], "connected");
}

#[test]
fn new_hardware_takes_the_name_of_the_old() {
    let mut world = World::new();
    world.bring_online();
    let shell = shell(&world.cloud);
    let old = world.certificate_id();
    run(&shell, "Lock it out");
    let (detach, delete) = commands("Remove the thing")
        .rsplit_once("aws iot delete-thing")
        .map_or_else(
            || panic!("the thing is not deleted last"),
            |(detach, delete)| (detach.to_owned(), delete.to_owned()),
        );
    assert_eq!(delete.trim().lines().count(), 1);
    shell.step(&detach);
    assert_eq!(world.cloud.things().len(), 1, "the thing stays");

    world.token = Box::new(SoftHsm::new("gateway", PIN).unwrap());
    world.gateway = Gateway::new(&world.cloud, &*world.token, &world.ca.ca_pem_path());
    world.bring_online();
    let new = world.certificate_id();
    assert_ne!(old, new);
    let principals = shell.json("aws iot list-thing-principals --thing-name gw-1");
    let principals = principals["principals"].as_array().unwrap().clone();
    assert!(
        matches!(principals.as_slice(), [one] if one.as_str().unwrap().ends_with(new.as_str())),
        "{principals:?}"
    );
}

#[test]
fn a_revoked_fleet_ca_registers_no_further_gateway() {
    let mut world = World::new();
    world.bring_online();
    let shell = shell(&world.cloud);
    let certificate = world.certificate_id();
    let listed = run(&shell, "The fleet CA leaked");
    assert!(listed.contains(certificate.as_str()), "{listed}");
    let ca = listed.split_whitespace().next().unwrap();
    let described = shell.json(&format!("aws iot describe-ca-certificate --certificate-id {ca}"));
    assert_eq!(described["certificateDescription"]["status"], "INACTIVE");
    assert_eq!(described["certificateDescription"]["autoRegistrationStatus"], "DISABLE");
    let status = world
        .cloud
        .account()
        .read(|account| account.certificates.iter().next().unwrap().status);
    assert_eq!(status, CertificateStatus::Active, "what is registered stays as it is");
    shell.step(&format!("aws iot delete-ca-certificate --certificate-id {ca}"));
}
