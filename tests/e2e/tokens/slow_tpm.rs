//! A slow TPM: programs do not wait for it, and it gets few commands.

use std::sync::Arc;

use rig::manager::Manager;
use rig::token::Tpm;
use rig::wait;

use crate::support::{PIN, SOON, World, options};

/// The TPM commands of a start, each with its code and its maximum count (docs/decisions/0011).
const COMMANDS_OF_A_START: [(&str, u32, usize); 6] = [
    // tpm2-pkcs11's own in C_Initialize, for the token and for the empty slot that it always adds.
    ("TPM2_GetCapability", 0x17a, 4),
    ("TPM2_TestParms", 0x18a, 18),
    // The login: a session, the object that the PIN unlocks, and unsealing it.
    ("TPM2_StartAuthSession", 0x176, 1),
    ("TPM2_Unseal", 0x15e, 1),
    // That object, and the key.
    ("TPM2_Load", 0x157, 2),
    // The proof of the key, and two handshakes.
    ("TPM2_Sign", SIGN, 3),
];
/// TPM2_ContextLoad, TPM2_ContextSave, TPM2_FlushContext: commands with which the resource manager makes room, and which gatepost cannot
/// avoid.
const SWAPPING: [u32; 3] = [0x161, 0x162, 0x165];
const SIGN: u32 = 0x15d;

/// Creates a gateway with its key in a TPM behind a relay, started by a service manager that stores socket and credentials.
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

    // A TPM that does not answer at all is the extreme case; then a slow one, with which the gateway recovers.
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
fn a_start_needs_few_tpm_commands() {
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
    // The relay forwards an answer before it records it.
    let signatures = || answered().iter().filter(|code| **code == SIGN).count();
    wait::until(SOON, "the third signature to be noted", || signatures() >= 3).unwrap();
    let commands = answered();
    for (name, code, most) in COMMANDS_OF_A_START {
        let count = commands.iter().filter(|command| **command == code).count();
        assert!(count <= most, "{count} times {name}, not {most}");
    }
    let known = |code: &u32| COMMANDS_OF_A_START.iter().any(|(_, known, _)| known == code);
    let others: Vec<_> = commands.iter().filter(|code| !known(code)).collect();
    assert!(others.is_empty(), "commands that no start needs: {others:x?}");
    world.gateway.stop();
}
