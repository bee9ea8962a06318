//! A TPM that takes its time: programs do not wait for it, and it is asked for little.

use std::sync::Arc;

use rig::manager::Manager;
use rig::token::Tpm;
use rig::wait;

use crate::world::{PIN, SOON, World, options};

/// What a start asks the TPM for: 22 commands by which tpm2-pkcs11 finds out what the TPM can do, 11 for each slot, before it is
/// asked for anything; then a session, the login's object and its secret, the key, the signature that proves it, and one for each of
/// two handshakes.
const COMMANDS_OF_A_START: usize = 29;
/// TPM2_ContextLoad, TPM2_ContextSave, TPM2_FlushContext: how the resource manager makes room, which is not gatepost's to spare.
const SWAPPING: [u32; 3] = [0x161, 0x162, 0x165];
/// TPM2_Unseal (a login), TPM2_Load (its object, the key) and TPM2_Sign.
const LOGIN: u32 = 0x15e;
const LOAD: u32 = 0x157;
const SIGN: u32 = 0x15d;

/// A gateway with its key in a TPM behind a relay, started by a service manager that keeps socket and credentials.
fn with_relayed_tpm() -> (World, Arc<Tpm>) {
    let tpm = Arc::new(Tpm::relayed(PIN).unwrap());
    let mut world = World::with(Box::new(tpm.clone()), options());
    let mut manager = Manager::new().unwrap();
    manager.listen(&world.gateway.socket()).unwrap();
    world.gateway.manager = Some(manager);
    (world, tpm)
}

fn wait_until_kept(world: &World) {
    wait::until(SOON, "kept credentials", || world.gateway.manager().kept().len() == 1).unwrap();
}

#[test]
fn promise_3_after_kill_9_programs_are_answered_before_the_tpm_is() {
    let (mut world, tpm) = with_relayed_tpm();
    world.bring_online();
    wait_until_kept(&world);
    let before = world.gateway.credentials().body;
    let relay = tpm.relay().unwrap();

    // One that does not answer at all is slower than any; then a slow one, with which the gateway comes back.
    relay.hold().unwrap();
    world.gateway.kill();
    let commands = relay.answered().unwrap().len();
    world.gateway.start();
    assert_eq!(world.gateway.credentials().body, before);
    let mut client = std::process::Command::new(world.gateway.client());
    client.arg("--socket").arg(world.gateway.socket()).arg("credentials");
    let said = rig::command::run(&mut client, "gatepost").unwrap();
    assert!(said.contains("SecretAccessKey"));
    assert_eq!(
        relay.answered().unwrap().len(),
        commands,
        "nobody has waited for the TPM"
    );

    relay.delay(150, 20).unwrap();
    world
        .gateway
        .wait_longer_for(3 * SOON, "state", |state| state == "ready");
    assert!(relay.answered().unwrap().len() > commands);
    world.gateway.stop();
}

#[test]
fn a_start_asks_the_tpm_for_little() {
    let (mut world, tpm) = with_relayed_tpm();
    world.bring_online();
    world.gateway.stop();
    let relay = tpm.relay().unwrap();
    let before = relay.answered().unwrap();
    world.gateway.start();
    world.gateway.wait_online();
    let answered = || {
        let mut commands = relay.answered().unwrap().split_off(before.len());
        commands.retain(|code| !SWAPPING.contains(code));
        commands
    };
    // The relay passes an answer on before it notes it.
    let signatures = || answered().iter().filter(|code| **code == SIGN).count();
    wait::until(SOON, "the third signature to be noted", || signatures() >= 3).unwrap();
    let commands = answered();
    let listed: Vec<_> = commands.iter().map(|code| format!("{code:03x}")).collect();
    assert!(
        commands.len() <= COMMANDS_OF_A_START,
        "{} commands: {}",
        commands.len(),
        listed.join(" ")
    );
    let count = |code| commands.iter().filter(|command| **command == code).count();
    assert_eq!(
        (count(LOGIN), count(LOAD), count(SIGN)),
        (1, 2, 3),
        "{}",
        listed.join(" ")
    );
    world.gateway.stop();
}
