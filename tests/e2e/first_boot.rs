//! Promise 2: first boot needs no human other than the one who signs the request.

use rig::command;

use crate::support::{SOON, THING, World};

#[test]
fn promise_2_an_empty_token_becomes_an_online_gateway() {
    let mut world = World::new();
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    let said = command::output(
        command::command("openssl")
            .args(["req", "-verify", "-noout", "-subject", "-in"])
            .arg(&csr),
        "openssl",
    )
    .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr)
    );
    assert!(said.contains("verify OK") && said.contains(THING), "{said}");

    world.certify();
    world.gateway.wait_online();
    let status = world.gateway.status();
    assert_eq!(status["provisioning"]["phase"], "provisioned");
    assert_eq!(status["session"]["client_id"], THING);
    assert_eq!(world.cloud.things().len(), 1);
    world
        .cloud
        .wait_for(
            SOON,
            |event| matches!(event, cloudlet::Event::Connected { client_id, protocol: 5, .. } if client_id == THING),
        )
        .unwrap();

    let log = world.gateway.log();
    assert!(
        log.contains("as it does while it registers"),
        "the drop is named:\n{log}"
    );
    assert!(!log.contains("error:"), "and never an error:\n{log}");
    world.gateway.stop();
}
