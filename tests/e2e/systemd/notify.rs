//! READY, STATUS, RELOADING, STOPPING.

use std::fs;

use rig::process::Signal;

use super::{has, managed};
use crate::registry::bring_online_registered;
use crate::support::{SOON, THING};

#[test]
fn systemd_is_notified_once_the_socket_answers() {
    let mut world = managed();
    world.gateway.configure("object=device", "object=device;serial=none");
    world.gateway.start();
    world.gateway.manager().wait_for(SOON, has("READY=1")).unwrap();
    let status = rig::unix_http::get(&world.gateway.socket(), "/v1/status").unwrap();
    assert_eq!(status.status, 200);
    let waits = |message: &str| message.starts_with("STATUS=none of the tokens in ");
    world.gateway.manager().wait_for(SOON, waits).unwrap();
}

#[test]
fn the_status_line_follows_the_gateway_from_start_to_stop() {
    let mut world = managed();
    bring_online_registered(&mut world);
    let online = format!("STATUS=online as {THING}; 1 of 1 role aliases valid");
    world.gateway.manager().wait_for(SOON, has(&online)).unwrap();
    world.gateway.stop();
    let last = world.gateway.manager().messages();
    assert!(last.iter().any(|said| has("STOPPING=1")(said)), "{last:#?}");
    assert_eq!(last.last().unwrap().trim(), "STATUS=stopped");
}

#[test]
fn a_reload_good_or_bad_ends_ready() {
    let mut world = managed();
    world.gateway.start();
    world.gateway.manager().wait_for(SOON, has("READY=1")).unwrap();
    for configuration in [world.gateway.config.clone(), "nonsense".to_owned()] {
        fs::write(world.gateway.folder.path().join("gatepost.toml"), configuration).unwrap();
        let before = world.gateway.manager().messages().len();
        world.gateway.process().signal(Signal::HUP).unwrap();
        let manager = world.gateway.manager();
        let reloading = manager.wait_for_after(before, SOON, has("RELOADING=1")).unwrap();
        assert!(
            reloading.lines().any(|line| line.starts_with("MONOTONIC_USEC=")),
            "{reloading}"
        );
        manager.wait_for_after(before, SOON, has("READY=1")).unwrap();
        let said = manager.messages();
        let place = |line: &str| said.iter().skip(before).position(|message| has(line)(message));
        assert!(place("RELOADING=1") < place("READY=1"), "{said:#?}");
    }
}

#[test]
fn the_status_line_stays_true_after_a_refused_reload_and_a_good_one() {
    let mut world = managed();
    world.gateway.start();
    let csr = |said: &str| {
        said.lines()
            .any(|line| line.starts_with("STATUS=waiting for a certificate"))
    };
    world.gateway.manager().wait_for(SOON, csr).unwrap();

    // As with ExecReload=: a wrong file is refused by a process whose notifications systemd accepts as well.
    let good = world.gateway.config.clone();
    world.gateway.configure("mqtt-endpoint", "mqqt-endpoint");
    let mut check = world.gateway.command();
    check.arg("--check-config");
    let before = world.gateway.manager().messages().len();
    let mut check = world.gateway.manager().started(&check).unwrap();
    assert_eq!(check.output().unwrap().status.code(), Some(78));

    world.gateway.config = good;
    world.gateway.write_config();
    world.gateway.process().signal(Signal::HUP).unwrap();
    let manager = world.gateway.manager();
    manager.wait_for_after(before, SOON, has("READY=1")).unwrap();
    manager.wait_for_after(before, SOON, csr).unwrap();
    // The message about the wrong file is not the current status text.
    let last_is_csr = || {
        let said = manager.messages().split_off(before);
        said.iter()
            .rfind(|said| said.contains("STATUS="))
            .is_some_and(|said| csr(said))
    };
    rig::wait::until(SOON, "the line of the good file", last_is_csr).unwrap();
}

#[test]
fn the_reason_of_a_failure_is_the_last_status() {
    let mut world = managed();
    world.gateway.configure("mqtt-endpoint", "mqqt-endpoint");
    let (status, _) = world.gateway.run_to_the_end();
    assert_eq!(status.code(), Some(78));
    let said = world
        .gateway
        .manager()
        .wait_for(SOON, |said| said.starts_with("STATUS="))
        .unwrap();
    assert!(said.contains("mqqt-endpoint"), "{said}");
    assert_eq!(world.gateway.manager().count("READY=1"), 0);
}
