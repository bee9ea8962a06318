//! mosquitto_pub and mosquitto_sub, on the Unix socket and on the loopback address.

use std::process::Command;

use rig::command;
use rig::process::{Process, Signal};

use super::packets::{Client, Connect, V5, text};
use super::{SECRET, socket, switch_on, world};
use crate::dashboard::Dashboard;
use crate::messages::subscribed;
use crate::registry::bring_online_registered;
use crate::support::{SOON, THING, World};

/// Returns the options for connecting to each of the listeners.
fn transports(world: &World, address: std::net::SocketAddr) -> [Vec<String>; 2] {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let (port, path) = (address.port().to_string(), socket(&world.gateway).display().to_string());
    [
        words(&["--unix", &path]),
        words(&["-h", "127.0.0.1", "-p", &port, "-u", "any", "-P", SECRET]),
    ]
}

/// Starts mosquitto_sub, which prints each message in a line, and waits until it is subscribed.
fn mosquitto_sub(options: &[String], more: &[&str]) -> Process {
    let mut unbuffered = command::command("stdbuf");
    unbuffered.args(["-oL", "mosquitto_sub", "-d", "-F", "message %t %r %q %p"]);
    unbuffered.args(options).args(more);
    let process = Process::spawn(&mut unbuffered, "mosquitto-clients").unwrap();
    process
        .wait_for_line(SOON, |line| line.contains("Subscribed (mid"))
        .unwrap();
    process
}

fn mosquitto_pub(options: &[String], more: &[&str]) -> std::process::Output {
    Command::new("mosquitto_pub").args(options).args(more).output().unwrap()
}

#[test]
fn promise_12_mosquittos_clients_publish_and_subscribe_without_a_certificate() {
    let (world, address) = world();
    let dashboard = Dashboard::start(&world);
    for (number, options) in transports(&world, address).iter().enumerate() {
        for version in ["311", "5"] {
            let topic = format!("{{thing}}/up/{number}/{version}");
            let sent = mosquitto_pub(options, &["-V", version, "-q", "1", "-t", &topic, "-m", "hello"]);
            assert!(sent.status.success(), "{options:?} {version}: {sent:?}");
            dashboard.expect(&format!("{THING}/up/{number}/{version} 0 hello"));

            let filter = format!("{{thing}}/down/{number}/{version}");
            let resolved = filter.replace("{thing}", THING);
            let program = mosquitto_sub(options, &["-V", version, "-q", "1", "-t", &filter]);
            subscribed(&world, &resolved);
            dashboard.publish(&resolved, "command", &["-q", "1"]);
            let expected = format!("message {resolved} 0 1 command");
            program.wait_for_line(SOON, |line| line == expected).unwrap();
        }
    }
}

#[test]
fn a_message_at_qos_0_is_sent_and_a_retained_one_is_kept() {
    let (world, address) = world();
    let dashboard = Dashboard::start(&world);
    let [options, _] = transports(&world, address);
    assert!(
        mosquitto_pub(&options, &["-t", &format!("{THING}/zero"), "-m", "now"])
            .status
            .success()
    );
    dashboard.expect(&format!("{THING}/zero 0 now"));
    let retained = format!("{THING}/kept");
    dashboard.publish(&retained, "state", &["-r"]);
    // Each subscribed program gets it, even for a filter that another one has subscribed to before.
    for _ in 0..2 {
        let program = mosquitto_sub(&options, &["-q", "1", "-t", &retained]);
        let expected = format!("message {retained} 1 1 state");
        program.wait_for_line(SOON, |line| line == expected).unwrap();
    }
}

/// A mosquitto_sub whose session is kept.
struct Kept {
    topic: String,
    options: Vec<String>,
    process: Process,
}

impl Kept {
    /// Starts it, or starts it again.
    fn run(options: &[String], topic: &str) -> Process {
        mosquitto_sub(options, &["-c", "-q", "1", "-t", topic])
    }

    fn expect(&self, payload: &str) {
        let expected = format!("message {} 0 1 {payload}", self.topic);
        self.process.wait_for_line(SOON, |line| line == expected).unwrap();
    }
}

#[test]
fn promise_13_mosquitto_sub_with_a_kept_session_survives_a_restart_and_gets_the_messages_of_its_absence() {
    let (mut world, address) = world();
    let dashboard = Dashboard::start(&world);
    let mut programs = Vec::new();
    for (number, transport) in transports(&world, address).into_iter().enumerate() {
        for version in [&["-V", "311"][..], &["-V", "5", "-x", "3600"]] {
            let name = format!("kept-{number}-{}", version[1]);
            let topic = format!("{THING}/{name}");
            let mut options = transport.clone();
            options.extend(version.iter().chain(&["-i", &name]).map(|word| (*word).to_owned()));
            let process = Kept::run(&options, &topic);
            programs.push(Kept {
                topic,
                options,
                process,
            });
        }
    }
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_online();
    world.gateway.wait_for_text("local_mqtt.phase", "listening");
    for program in &mut programs {
        // In MQTT 5 mosquitto_sub ends when its server does.
        if program.options.iter().any(|option| option == "5") {
            program.process = Kept::run(&program.options, &program.topic);
        }
        dashboard.publish(&program.topic, "after a restart", &["-q", "1"]);
        program.expect("after a restart");
    }
    for program in &mut programs {
        program.process.signal(Signal::KILL).unwrap();
        dashboard.publish(&program.topic, "while away", &["-q", "1"]);
    }
    // Received messages are on the disk.
    world
        .gateway
        .wait_for("session.not_taken", |count| count.as_u64() == Some(0));
    world.gateway.kill();
    world.gateway.start();
    world.gateway.wait_for_text("local_mqtt.phase", "listening");
    for program in &mut programs {
        program.process = Kept::run(&program.options, &program.topic);
        program.expect("while away");
    }
}

#[test]
fn retain_as_published_is_granted_with_a_remark_and_only_a_new_subscription_gets_the_flag() {
    let (world, _) = world();
    let dashboard = Dashboard::start(&world);
    let topic = format!("{THING}/kept");
    let subscribe = |name: &str, options: u8| {
        let mut client = Client::connected(&world.gateway, V5, name);
        let filter = text(&topic);
        client.send(0x82, &[&[0, 1, 0][..], &filter, &[options]].concat());
        let suback = client.receive().unwrap();
        assert_eq!((suback.first, suback.body.last()), (0x90, Some(&1)), "{suback:?}");
        let remark = String::from_utf8_lossy(&suback.body).contains("Retain As Published");
        (client, remark)
    };
    let (mut plain, remark) = subscribe("plain", 0x01);
    assert!(!remark);
    let (mut as_published, remark) = subscribe("as-published", 0x09);
    assert!(remark);
    dashboard.publish(&topic, "state", &["-q", "1", "-r"]);
    for client in [&mut plain, &mut as_published] {
        assert_eq!(client.receive().map(|packet| packet.first), Some(0x32));
    }
    for (name, options) in [("plain-later", 0x01), ("as-published-later", 0x09)] {
        let (mut client, _) = subscribe(name, options);
        assert_eq!(client.receive().map(|packet| packet.first), Some(0x33), "{name}");
    }
}

#[test]
fn promise_5_a_message_with_its_puback_reaches_aws_after_a_kill() {
    let mut world = World::new();
    let address = switch_on(&mut world);
    bring_online_registered(&mut world);
    world.gateway.wait_for_log(&format!("listens at {address}"));
    let dashboard = Dashboard::start(&world);
    crate::messages::take_offline(&world);
    let mut client = Client::on_address(address, V5);
    let mut connect = Connect::new("meter");
    connect.password = Some(SECRET.into());
    assert_eq!(client.connect(&connect)[1], 0);
    // All are sent before the first PUBACK is read.
    for number in 1..=50 {
        client.publish(&format!("{THING}/meter"), Some(number), number.to_string().as_bytes());
    }
    for number in 1..=50 {
        assert_eq!(client.puback(number), 0);
    }
    world.gateway.kill();
    world.cloud.switches().set(|switches| switches.refuse_connect = None);
    world.gateway.start();
    for number in 1..=50 {
        dashboard.expect(&format!("{THING}/meter 0 {number}"));
    }
}

#[test]
fn off_unless_it_is_configured_and_switched_by_a_reload() {
    let mut world = World::new();
    world.gateway.start();
    world.gateway.wait_for_csr();
    assert!(!socket(&world.gateway).exists());
    let address = switch_on(&mut world);
    world.gateway.write_config();
    world.gateway.process().signal(Signal::HUP).unwrap();
    world.gateway.wait_for_log(&format!("listens at {address}"));
    world.gateway.wait_for_log("mqtt.sock");
    let off = format!("[local-mqtt]\nsocket = true\nlisten = \"{address}\"");
    world.gateway.configure(&off, "");
    world.gateway.write_config();
    world.gateway.process().signal(Signal::HUP).unwrap();
    rig::wait::until(SOON, "the socket and the port are closed", || {
        !socket(&world.gateway).exists() && std::net::TcpStream::connect(address).is_err()
    })
    .unwrap();
}
