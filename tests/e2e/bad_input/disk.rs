//! A disk that is full or has become read-only.

use std::fs;

use crate::registry::bring_online_registered;
use crate::support::{Gateway, World};

/// Gives the daemon another state folder than other processes; `mount` is the shell command that does so before it starts.
pub fn with_state(gateway: &mut Gateway, mount: &str) {
    let state = gateway.state("").display().to_string();
    let script = format!(r#"STATE='{state}'; {mount} && exec "$0" "$@""#);
    // A separate mount namespace, which an ordinary user gets together with a user namespace.
    let words = [
        "unshare",
        "--map-current-user",
        "--keep-caps",
        "--mount",
        "sh",
        "-c",
        &script,
    ];
    gateway.through = words.map(str::to_owned).into();
}

#[test]
fn a_known_gateway_starts_and_connects_with_a_read_only_disk() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    world.gateway.stop();
    // The daemon works even without the state that it could not write.
    fs::remove_file(world.gateway.state("provisioning.json")).unwrap();
    with_state(
        &mut world.gateway,
        r#"mount --bind "$STATE" "$STATE" && mount -o remount,bind,ro "$STATE""#,
    );
    world.gateway.start();
    // It reports that it cannot store messages; everything else works.
    world.gateway.wait_for_text("session.phase", "connected");
    world.gateway.wait_for("role_aliases.0.phase", |phase| phase == "valid");
    assert_eq!(world.gateway.credentials().status, 200);
    let said = "provisioning.json cannot be written; after a restart provisioning starts over: Read-only file system";
    assert!(world.gateway.log().contains(said), "{}", world.gateway.log());
    assert!(!world.gateway.state("provisioning.json").exists());
    world
        .gateway
        .wait_for_words("messages.problem.next_step", "not read-only");
    world.gateway.stop();
}

#[test]
fn a_full_disk_at_first_boot_is_reported_and_the_socket_answers() {
    let mut world = World::new();
    fs::create_dir(world.gateway.state("")).unwrap();
    let full = r#"mount -t tmpfs -o size=4k tmpfs "$STATE" && echo full > "$STATE/of something""#;
    with_state(&mut world.gateway, full);
    world.gateway.start();
    world
        .gateway
        .wait_for_words("identity.problem.message", "the signing request cannot be written to");
    world
        .gateway
        .wait_for_words("identity.problem.message", "No space left on device");
    world.gateway.wait_for_words("identity.problem.next_step", "free space");
    assert_eq!(world.gateway.credentials().status, 503);
    world.gateway.stop();
}

#[test]
fn the_identity_does_not_depend_on_the_host_name() {
    let mut world = World::new();
    let id = bring_online_registered(&mut world).to_string();
    world.gateway.stop();
    // As with common-name = "{hostname}" after the host name was changed.
    world
        .gateway
        .configure(r#"common-name = "gw-1""#, r#"common-name = "renamed""#);
    world.gateway.start();
    world.gateway.wait_online();
    let identity = &world.gateway.status()["identity"];
    assert_eq!(
        (&identity["thing_name"], &identity["certificate_id"]),
        (&"gw-1".into(), &id.into())
    );
    world.gateway.stop();
}
