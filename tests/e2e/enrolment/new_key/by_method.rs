//! A new key for each certificate, by the other methods than EST, with the other kinds of keys. Each loses its power after the key was
//! made and before there is a certificate for it.

use std::process::Command;

use cloudlet::switches::{RotatorFault, RotatorVersion};
use rig::wait;

use super::super::claim::faults::retry;
use super::super::claim::{Claiming, shipped};
use super::super::helper::Helped;
use super::super::rotation::Rotating;
use super::*;
use crate::support::SOON;

const RENEW_KEY: &str = "renew-key = \"new\"\n";

/// Has keys of this kind made.
fn generate(gateway: &mut Gateway, kind: &str) {
    gateway.configure("pin-file", &format!("generate = \"{kind}\"\npin-file"));
}

/// Has keys of this kind made, and a new one for each certificate.
fn want_new_keys(gateway: &mut Gateway, kind: &str) {
    generate(gateway, kind);
    gateway.configure("[enrolment]\n", &format!("[enrolment]\n{RENEW_KEY}"));
}

/// Cuts the power after the key of the next certificate was made, and returns that key. SoftHSM's store is only read while the daemon
/// does not write it.
fn lose_power(world: &mut World) -> Object {
    world.gateway.kill();
    let [made] = keys(&*world.token, "device-2").try_into().unwrap();
    made
}

/// Waits until the certificate for that very key is in use, and verifies its kind and that there is no third key.
fn wait_until_in_use(world: &World, made: &Object, bits: &str) {
    wait_for_key(&world.gateway, "device-2");
    assert_eq!(keys(&*world.token, "device-2"), std::slice::from_ref(made));
    assert_eq!(count(&*world.token), (1, 1));
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout", "-text", "-in"]);
    let (code, said, noted) = run(openssl.arg(world.gateway.state("device.pem")));
    assert!(code == 0 && said.contains(bits), "{said}{noted}");
    let log = world.gateway.log();
    assert!(!log.contains(PIN), "{log}");
}

#[test]
fn promise_11_a_program_of_the_operators_certifies_new_rsa_keys() {
    let mut helped = Helped::new(&[]);
    want_new_keys(&mut helped.world.gateway, "rsa-2048");
    let sign = helped.sign(30);
    helped.write_program(&sign);
    helped.begin();
    helped.world.gateway.wait_online();
    let is_running = helped.world.gateway.folder.path().join("the-program-runs");
    helped.write_program(&format!("touch {}; exec sleep 15", is_running.display()));
    let (code, said, noted) = renew_at(&helped.world.gateway, &[]);
    assert_eq!(code, 0, "{said}{noted}");
    wait::until(SOON, "the program", || is_running.exists()).unwrap();
    let made = lose_power(&mut helped.world);
    helped.write_program(&sign);
    helped.world.gateway.start();
    wait_until_in_use(&helped.world, &made, "(2048 bit)");
    helped.world.gateway.stop();
}

#[test]
fn promise_11_aws_certifies_new_keys_of_p_384_by_claim() {
    let mut claiming = Claiming::with(&shipped("fleet-provisioning-template.json"), Some("hook"));
    claiming.function("hook", "echo '{\"allowProvisioning\": true}'");
    want_new_keys(&mut claiming.world.gateway, "ec-p384");
    claiming.world.gateway.start();
    claiming.world.gateway.wait_online();
    claiming.function("hook", "echo '{\"allowProvisioning\": false}'");
    let (code, said, noted) = renew_at(&claiming.world.gateway, &[]);
    assert_eq!(code, 0, "{said}{noted}");
    claiming.wait_for_problem("Provisioning was not allowed by the hook");
    let made = lose_power(&mut claiming.world);
    claiming.function("hook", "echo '{\"allowProvisioning\": true}'");
    claiming.world.gateway.start();
    claiming.world.gateway.wait_online();
    retry(&claiming);
    wait_until_in_use(&claiming.world, &made, "(384 bit)");
    claiming.world.gateway.stop();
}

#[test]
fn promise_11_a_job_certifies_new_rsa_keys_and_the_status_says_why_one_was_kept() {
    let mut world = World::new();
    generate(&mut world.gateway, "rsa-3072");
    let mut rotating = Rotating::of(world, RotatorVersion::StatusDetails, RENEW_KEY);
    rotating.set_fault(Some(RotatorFault::IgnoresCreate));
    rotating.create_job("rotate");
    rotating.wait_for_step("requesting");
    let made = lose_power(&mut rotating.world);
    rotating.set_fault(None);
    rotating.world.gateway.start();
    let gateway = &rotating.world.gateway;
    gateway.wait_for("working", |working| *working == true);
    rotating.wait_for_job("rotate", "SUCCEEDED");
    wait_until_in_use(&rotating.world, &made, "(3072 bit)");

    // The older key is in the way of the next one. No method of enrolment is configured that would report it.
    let gateway = &rotating.world.gateway;
    gateway.wait_for("identity.problem", serde_json::Value::is_null);
    rotating.create_job("next");
    rotating.wait_for_job("next", "SUCCEEDED");
    let problem = gateway.wait_for("identity.problem", |problem| {
        problem.to_string().contains("an older key")
    });
    assert!(problem.to_string().contains("pkcs11-tool --module"), "{problem}");
    assert_eq!(gateway.status()["identity"]["rotation"]["key_problem"], problem);
    let (_, said, _) = run(&mut client(gateway, &["status"]));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("the certificate keeps its key, although a new one was wanted"),
        "{said}"
    );
    rotating.world.gateway.stop();
}
