//! A mosquitto with sensors and a bridge to gatepost; mosquitto itself cannot connect to AWS with a key in a token.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rig::command;
use rig::process::Process;

use crate::dashboard::Dashboard;
use crate::messages::subscribed;
use crate::mqtt_listener::{SECRET, world};
use crate::support::{SOON, THING};

/// A mosquitto for local sensors, with a bridge to gatepost: `sensors/#` goes out, `commands/#` comes in.
pub struct Bridge {
    process: Process,
    port: String,
    folder: tempfile::TempDir,
}

impl Bridge {
    /// Starts one with further lines of configuration.
    pub fn start(gatepost: SocketAddr, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = rig::port::free_pair().unwrap();
        let file = folder.path().join("mosquitto.conf");
        // If the test runs as root, mosquitto could not write its database into this folder without `user root`.
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\nautosave_interval 1\n\
             autosave_on_changes true\nconnection gatepost\naddress {gatepost}\nremote_username bridge\nremote_password {SECRET}\n\
             remote_clientid bridge\ncleansession false\nbridge_protocol_version mqttv311\nrestart_timeout 1\n\
             topic # out 1 sensors/ {THING}/sensors/\ntopic # in 1 commands/ {THING}/commands/\n{more}\n",
            folder.path().display()
        );
        fs::write(&file, text).unwrap();
        let process = spawn(&file);
        Self {
            process,
            port: port.to_string(),
            folder,
        }
    }

    /// Kills it, and starts it again with what it has saved.
    pub fn restart(&mut self) {
        self.kill();
        self.start_again();
    }

    fn kill(&mut self) {
        self.process.signal(rig::process::Signal::KILL).unwrap();
        self.process.wait(SOON).unwrap();
    }

    fn start_again(&mut self) {
        self.process = spawn(&self.folder.path().join("mosquitto.conf"));
    }

    /// Waits until it has received a message of this length since its start. A local subscriber could come too late for the message.
    fn wait_for_message(&self, topic: &str, payload: &str) {
        let (topic, length) = (format!("'{topic}'"), format!("({} bytes)", payload.len()));
        let is_message =
            |line: &str| line.contains("Received PUBLISH") && line.contains(&topic) && line.contains(&length);
        self.process.wait_for_line(SOON, is_message).unwrap();
    }

    /// Where its local clients connect.
    pub fn port(&self) -> u16 {
        self.port.parse().unwrap()
    }

    /// Publishes as a sensor.
    fn publish(&self, topic: &str, payload: &str) {
        let mut client = command::command("mosquitto_pub");
        client.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port,
            "-q",
            "1",
            "-t",
            topic,
            "-m",
            payload,
        ]);
        command::run(&mut client, "mosquitto-clients").unwrap();
    }

    /// Starts a program that prints incoming messages.
    fn subscribe(&self, topic: &str) -> Process {
        let mut client = command::command("stdbuf");
        client.args([
            "-oL",
            "mosquitto_sub",
            "-h",
            "127.0.0.1",
            "-p",
            &self.port,
            "-q",
            "1",
            "-d",
            "-t",
            topic,
        ]);
        let process = Process::spawn(&mut client, "mosquitto-clients").unwrap();
        process
            .wait_for_line(SOON, |line| line.contains("Subscribed (mid"))
            .unwrap();
        process
    }
}

fn spawn(file: &Path) -> Process {
    let mut mosquitto = command::command("mosquitto");
    mosquitto.arg("-v").arg("-c").arg(file);
    let process = Process::spawn(&mut mosquitto, "mosquitto").unwrap();
    process.wait_for_line(SOON, |line| line.contains("running")).unwrap();
    process
}

#[test]
fn promise_5_a_bridge_loses_nothing_through_crashes_of_gatepost_and_its_own() {
    let (mut world, address) = world();
    let dashboard = Dashboard::start(&world);
    let mut bridge = Bridge::start(address, "notifications false");
    subscribed(&world, &format!("{THING}/commands/#"));
    let topic = format!("{THING}/sensors/hall/temperature");
    bridge.publish("sensors/hall/temperature", "20");
    dashboard.wait_for(&topic, "20");
    let commands = bridge.subscribe("commands/#");
    dashboard.publish(&format!("{THING}/commands/valve"), "open", &[]);
    commands.wait_for_line(SOON, |line| line == "open").unwrap();

    // Messages that sensors publish while gatepost is down wait in the bridge. When the bridge is killed, it loses what it had not saved,
    // which is at most the last reading.
    world.gateway.kill();
    for reading in 21..32 {
        bridge.publish("sensors/hall/temperature", &reading.to_string());
    }
    bridge.restart();
    world.gateway.start();
    dashboard.wait_for(&topic, "30");
    let mut seen = dashboard.payloads(&topic);
    seen.dedup();
    let expected: Vec<String> = (20..31).map(|reading| reading.to_string()).collect();
    assert!(expected.iter().all(|reading| seen.contains(reading)), "{seen:?}");
    // What comes while the bridge is away is there when it is back; a local program with a session that is kept sees it.
    let commands = bridge.subscribe("commands/#");
    rig::wait::until(SOON, "a command arrives", || {
        dashboard.publish(&format!("{THING}/commands/valve"), "close", &[]);
        commands.log().lines().any(|line| line == "close")
    })
    .unwrap();
    bridge.kill();
    dashboard.publish(&format!("{THING}/commands/valve"), "open a little", &[]);
    world
        .gateway
        .wait_for("session.not_taken", |count| count.as_u64() == Some(0));
    world.gateway.kill();
    world.gateway.start();
    bridge.start_again();
    bridge.wait_for_message("commands/valve", "open a little");
}

#[test]
fn a_bridge_with_notifications_is_refused_and_the_journal_says_why() {
    let (mut world, address) = world();
    let _bridge = Bridge::start(address, "notifications true");
    world.gateway.wait_for_log("set `notifications false`");
}
