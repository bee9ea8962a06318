//! A reload applies changes without interrupting the rest, and names the changes that need a restart.

mod wrong_file;

use std::fs;
use std::net::TcpListener;

use cloudlet::{Event, Role, RoleAlias};
use rig::process::Signal;
use rig::unix_http;
use rig::wait;
use serde_json::Value;

use crate::command::{client, run};
use crate::registry::bring_online_registered;
use crate::support::{Gateway, SOON, THING, World};

/// Writes the configuration, reloads it, and waits until the daemon has done so.
pub fn reload(gateway: &mut Gateway) {
    gateway.write_config();
    let seen = gateway.process().line_count();
    gateway.process().signal(Signal::HUP).unwrap();
    let done = |line: &str| line.contains("configuration: read again") || line.contains("nothing was changed");
    gateway.process().wait_for_line_after(seen, SOON, done).unwrap();
}

fn add_alias(world: &World, name: &str) {
    let role = format!("arn:aws:iam::123456789012:role/{name}");
    world.cloud.add_role(Role::trusting(&role)).unwrap();
    world.cloud.add_role_alias(RoleAlias::new(name, &role)).unwrap();
}

fn names(status: &Value) -> Vec<(String, bool)> {
    let aliases = status["role_aliases"].as_array().unwrap().iter();
    let name = |alias: &Value| {
        (
            alias["name"].as_str().unwrap().to_owned(),
            alias["default"].as_bool().unwrap(),
        )
    };
    aliases.map(name).collect()
}

#[test]
fn role_aliases_are_added_and_removed_without_effect_on_the_others() {
    let mut world = World::new();
    add_alias(&world, "video");
    bring_online_registered(&mut world);
    let before = world.gateway.credentials().body;
    let status = |gateway: &Gateway, alias: &str| gateway.get(&format!("/v1/credentials/{alias}")).status;

    // The value is in the file but not loaded; both the response and the status say so.
    world
        .gateway
        .configure("[[access]]", "[[role-alias]]\nname = \"video\"\n[[access]]");
    world.gateway.write_config();
    world.gateway.wait_for_text("configuration.phase", "differs");
    assert_eq!(
        world.gateway.status()["configuration"]["differs"],
        serde_json::json!(["role-alias"])
    );
    let answer = world.gateway.get("/v1/credentials/video").json().unwrap();
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("is in the configuration files"), "{answer}");
    assert_eq!(answer["hint"], "systemctl reload gatepost");
    assert_eq!(world.gateway.status()["state"], "attention");

    reload(&mut world.gateway);
    world.gateway.wait_online();
    assert_eq!(status(&world.gateway, "video"), 200);
    assert_eq!(
        world.gateway.credentials().body,
        before,
        "the other one has kept its set"
    );
    assert_eq!(world.gateway.status()["session"]["connects"], 1, "the session goes on");
    assert_eq!(world.gateway.status()["configuration"]["phase"], "loaded");

    // Another default, with the same aliases.
    world.gateway.configure("default = true", "default = false");
    world
        .gateway
        .configure("name = \"video\"", "name = \"video\"\ndefault = true");
    reload(&mut world.gateway);
    let expected = [("telemetry".to_owned(), false), ("video".to_owned(), true)];
    assert_eq!(names(&world.gateway.status()), expected);
    assert_ne!(world.gateway.credentials().body, before);

    // Credentials of a removed alias are not handed out any more.
    world
        .gateway
        .configure("[[role-alias]]\nname = \"telemetry\"\ndefault = false\n", "");
    reload(&mut world.gateway);
    assert_eq!(names(&world.gateway.status()), [("video".to_owned(), true)]);
    assert_eq!(status(&world.gateway, "telemetry"), 404);
    assert_eq!(
        (status(&world.gateway, "video"), world.gateway.credentials().status),
        (200, 200)
    );
}

#[test]
fn a_reload_reconnects_only_if_necessary() {
    let mut world = World::new();
    world.gateway.configure(
        "role-aliases = [\"*\"]",
        "role-aliases = [\"*\"]\npublish = [\"{thing}/#\"]",
    );
    bring_online_registered(&mut world);
    let post = |gateway: &Gateway| {
        let request = format!(
            "POST /topics/{THING}/data HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
        );
        unix_http::request_raw(&gateway.socket(), request.as_bytes())
            .unwrap()
            .status
    };
    for line in [
        "publish-rate = 10",
        "report-interval = \"1h\"",
        "outbox-max-age = \"1day\"",
        "inbox-max-messages = 5",
    ] {
        world.gateway.config.push_str(&format!("[mqtt]\n{line}\n"));
        reload(&mut world.gateway);
        assert_eq!(world.gateway.status()["configuration"]["phase"], "loaded", "{line}");
        assert_eq!(world.gateway.status()["session"]["connects"], 1, "{line}");
        world.gateway.config = world.gateway.config.replace(&format!("[mqtt]\n{line}\n"), "");
    }
    // A limit applies from the next message on.
    world
        .gateway
        .config
        .push_str("[mqtt]\noutbox-max-bytes = 262144\noutbox-max-messages = 1\n");
    reload(&mut world.gateway);
    let switches = world.cloud.switches();
    switches.set(|switches| switches.refuse_connect = Some(0x88));
    world.cloud.disconnect(THING);
    world.gateway.wait_for("session.phase", |phase| phase != "connected");
    assert_eq!((post(&world.gateway), post(&world.gateway)), (200, 507));
    // A higher limit does so too, even while the session cannot be reached.
    world
        .gateway
        .configure("outbox-max-messages = 1", "outbox-max-messages = 2");
    reload(&mut world.gateway);
    assert_eq!((post(&world.gateway), post(&world.gateway)), (200, 507));
}

#[test]
fn presence_moves_to_another_topic_with_one_new_connection() {
    let mut world = World::new();
    world.gateway.config.push_str("[mqtt]\nreport-interval = \"off\"\n");
    bring_online_registered(&mut world);
    let published = |world: &World, topic: &str| {
        let is_it = |event: &&Event| matches!(event, Event::Published { topic: found, .. } if found == topic);
        world.cloud.events().iter().filter(is_it).count()
    };
    let (old, new) = (format!("{THING}/gatepost/status"), format!("{THING}/presence"));
    wait::until(SOON, "presence", || published(&world, &old) == 1).unwrap();
    world.gateway.configure(
        "report-interval",
        "presence-topic = \"{thing}/presence\"\nkeep-alive = \"5min\"\nreport-interval",
    );
    reload(&mut world.gateway);
    wait::until(SOON, "presence on the new topic", || published(&world, &new) >= 1).unwrap();
    assert_eq!(published(&world, &old), 2, "online, and offline at the end");
    world.gateway.wait_for("session.connects", |connects| connects == 2);
    world.gateway.wait_online();
}

#[test]
fn the_loopback_listener_is_opened_moved_and_closed() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    let free = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (first, second) = (free(), free());
    world
        .gateway
        .config
        .push_str(&format!("[loopback]\nlisten = \"{first}\"\n"));
    reload(&mut world.gateway);
    world.gateway.wait_for_text("loopback.phase", "listening");
    let folder = world.gateway.folder.path().join("run/loopback");
    let token = || {
        let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        fs::read_to_string(file).unwrap()
    };
    let get = |address, token: &str| crate::loopback::get(address, "/v1/credentials", token).status;
    let before = token();
    assert_eq!(get(first, &before), 200);

    world.gateway.configure(&first.to_string(), &second.to_string());
    reload(&mut world.gateway);
    world
        .gateway
        .wait_for("loopback.listen", |listen| listen == second.to_string().as_str());
    world.gateway.wait_for_text("loopback.phase", "listening");
    let after = token();
    assert_ne!(before, after, "the old port may be another user's now");
    assert_eq!((get(second, &after), get(second, &before)), (200, 401));
    drop(TcpListener::bind(first).unwrap());

    let line = format!("[loopback]\nlisten = \"{second}\"\n");
    world.gateway.configure(&line, "");
    reload(&mut world.gateway);
    assert!(world.gateway.status()["loopback"].is_null());
    wait::until(SOON, "the port's end", || TcpListener::bind(second).is_ok()).unwrap();
    wait::until(SOON, "the end of the token files", || !folder.exists()).unwrap();
}

#[test]
fn changes_that_need_a_restart_are_reported_until_then() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    let good = world.gateway.config.clone();
    world
        .gateway
        .configure("[identity]\n", "[identity]\nthing-name = \"gw-1\"\n");
    world
        .gateway
        .configure("[[role-alias]]", "[mqtt]\npublish-rate = 10\n[[role-alias]]");
    reload(&mut world.gateway);
    world.gateway.wait_for_log(
        "configuration: changed, takes effect at a restart: identity.thing-name; next: systemctl restart",
    );
    let configuration = world.gateway.status()["configuration"].clone();
    assert_eq!(configuration["phase"], "restart-needed");
    assert_eq!(
        configuration["takes_effect_at_restart"],
        serde_json::json!(["identity.thing-name"])
    );
    let summary = world.gateway.status()["summary"].as_str().unwrap().to_owned();
    assert!(
        summary.contains("takes effect at a restart: identity.thing-name"),
        "{summary}"
    );
    // A second reload still reports the pending change.
    let (code, said, _) = run(&mut client(&world.gateway, &["reload"]));
    assert_eq!(
        (code, said.as_str()),
        (
            0,
            "reloaded; no changed key takes effect by a reload\nchanged, takes effect at a restart: identity.thing-name\nnext: systemctl restart gatepost\n"
        )
    );
    assert_eq!(world.gateway.status()["configuration"]["phase"], "restart-needed");
    // Once the change is reverted, nothing is pending, even without a reload.
    let changed = std::mem::replace(
        &mut world.gateway.config,
        good.replace("[[role-alias]]", "[mqtt]\npublish-rate = 10\n[[role-alias]]"),
    );
    world.gateway.write_config();
    world.gateway.wait_for_text("configuration.phase", "loaded");
    world.gateway.config = changed;
    reload(&mut world.gateway);
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_online();
    assert_eq!(world.gateway.status()["configuration"]["phase"], "loaded");
}
