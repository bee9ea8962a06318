//! The listeners through restarts and reloads, and what is reported while they cannot use their addresses.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;

use rig::wait;

use super::packets::{Client, Connect, V3_1_1, V5};
use super::{SECRET, socket, switch_on};
use crate::command::{client, run};
use crate::registry::bring_online_registered;
use crate::reload::reload;
use crate::support::{SOON, World};
use crate::systemd::managed;

fn listening() -> (World, SocketAddr) {
    let mut world = managed();
    let address = switch_on(&mut world);
    bring_online_registered(&mut world);
    world.gateway.wait_for_text("local_mqtt.phase", "listening");
    (world, address)
}

fn connects(address: SocketAddr) {
    for version in [V5, V3_1_1] {
        let mut client = Client::on_address(address, version);
        assert_eq!(client.connect(&with_password("program"))[1], 0);
    }
}

fn with_password(client_id: &str) -> Connect {
    let mut connect = Connect::new(client_id);
    connect.password = Some(SECRET.into());
    connect
}

fn wait_until_kept(world: &World, count: usize) {
    let kept = || {
        let kept = world.gateway.manager().kept();
        kept.iter().filter(|name| *name == "local-mqtt").count() == count
    };
    wait::until(SOON, "the socket in the store", kept).unwrap();
}

#[test]
fn promise_7_the_mqtt_port_is_never_free_through_restarts_and_reloads() {
    let (mut world, address) = listening();
    wait_until_kept(&world, 1);
    for kills in [true, false, true] {
        match kills {
            true => world.gateway.kill(),
            false => world.gateway.stop(),
        }
        let error = TcpListener::bind(address).expect_err("the port is free while gatepostd is down");
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        // A program that connects meanwhile is answered by the next run.
        let mut early = Client::on_address(address, V5);
        early.send(0x10, &with_password("early").encode(V5));
        world.gateway.start();
        let connack = early.receive().expect("it was closed");
        assert_eq!((connack.first, connack.body[1]), (0x20, 0));
        world.gateway.wait_for_text("local_mqtt.phase", "listening");
        wait_until_kept(&world, 1);
    }
    // A reload that changes the other listener leaves the port as it is.
    world.gateway.configure("socket = true\n", "");
    reload(&mut world.gateway);
    wait::until(SOON, "the end of the socket", || !socket(&world.gateway).exists()).unwrap();
    world.gateway.wait_for_text("local_mqtt.phase", "listening");
    connects(address);
    wait_until_kept(&world, 1);
    // One that is no longer configured is free, and is not passed to the next run.
    world
        .gateway
        .configure(&format!("listen = \"{address}\"\n"), "socket = true\n");
    reload(&mut world.gateway);
    wait::until(SOON, "a free port", || TcpListener::bind(address).is_ok()).unwrap();
    wait_until_kept(&world, 0);
}

#[test]
fn a_place_that_a_listener_cannot_have_is_named_with_a_next_step_and_is_had_later() {
    let (mut world, address) = listening();
    let status = |world: &World| {
        let (code, text, _) = run(&mut client(&world.gateway, &["status"]));
        // A screen is wrapped anywhere between two words.
        (code, text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(status(&world).0, 0);
    world.gateway.stop();
    world.gateway.manager().forget();
    let taken = wait::until_some(SOON, "the port", || TcpListener::bind(address).ok()).unwrap();
    // The last run has left its socket file.
    let _ = fs::remove_file(socket(&world.gateway));
    fs::create_dir(socket(&world.gateway)).unwrap();
    let secret = world.gateway.folder.path().join("secret");
    fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    world.gateway.start();
    world
        .gateway
        .wait_for_words("local_mqtt.problem.message", &address.to_string());
    world.gateway.wait_for_words("local_mqtt.problem.message", "mqtt.sock");
    let (code, text) = status(&world);
    assert_eq!(code, 78, "{text}");
    for words in [
        "MQTT programs cannot connect at",
        "another port (local-mqtt.listen)",
        "remove the folder",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Both are tried again. Then the secret that everybody may read is what is left.
    fs::remove_dir(socket(&world.gateway)).unwrap();
    drop(taken);
    world.gateway.wait_for_text("local_mqtt.phase", "listening");
    world.gateway.wait_for_words("local_mqtt.problem.message", "secret");
    let (code, text) = status(&world);
    assert_eq!(code, 78, "{text}");
    let mut refused = Client::on_address(address, V5);
    assert_eq!(refused.connect(&with_password("program"))[1], 0x86);
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    reload(&mut world.gateway);
    wait::until(SOON, "a good verdict", || status(&world).0 == 0).unwrap();
    connects(address);
}
