//! MQTT libraries of several languages: each program publishes, receives, and continues by itself after a restart and a crash of gatepost.

use std::net::SocketAddr;
use std::process::Command;

use rig::process::Signal;

use super::program::{Program, compiled, java, node, python};
use super::{Transport, address_and_password};
use crate::dashboard::Dashboard;
use crate::mqtt_listener::world;
use crate::support::{THING, World};

/// A program in tests/mqtt_clients.
struct Library {
    name: &'static str,
    transport: Transport,
    command: Command,
}

/// Returns all programs. Those in Go and Java are included only if the machine has these languages.
fn libraries() -> Vec<Library> {
    use Transport::{Tcp, Unix};
    let mut libraries = vec![
        ("paho-python", Tcp, Some(python("paho_client.py"))),
        ("paho-python-unix", Unix, Some(python("paho_client.py"))),
        ("aiomqtt", Tcp, Some(python("aiomqtt_client.py"))),
        ("awscrt", Tcp, Some(python("awscrt_client.py"))),
        ("mqtt.js", Tcp, Some(node("client.js"))),
        ("mqtt.js-unix", Unix, Some(node("client.js"))),
        ("rumqttc", Tcp, compiled("mqtt-rust/debug/mqtt-client")),
        ("paho-go", Tcp, compiled("mqtt-go")),
        ("paho-go-unix", Unix, compiled("mqtt-go")),
        ("hivemq-java", Tcp, java()),
    ];
    libraries.retain(|(name, _, command)| {
        let is_there = command.is_some();
        if !is_there {
            eprintln!("not run: {name}, whose compiler this machine does not have");
        }
        is_there
    });
    let known = libraries.into_iter().filter_map(|(name, transport, command)| {
        Some(Library {
            name,
            transport,
            command: command?,
        })
    });
    known.collect()
}

impl Library {
    fn start(&self, world: &World, address: SocketAddr) -> Program {
        let mut arguments = address_and_password(world, address, self.transport).to_vec();
        arguments.extend([self.name.to_owned(), self.topic("out"), self.topic("in")]);
        Program::start(&self.command, &arguments)
    }

    fn topic(&self, direction: &str) -> String {
        format!("{THING}/{direction}/{}", self.name)
    }
}

/// Lets each program publish this line and receive it.
fn exchange(dashboard: &Dashboard, programs: &mut [(Library, Program)], seen: &[usize], line: &str) {
    for ((library, program), seen) in programs.iter_mut().zip(seen) {
        program.wait_for(*seen, "subscribed");
        program.send(line);
        program.wait_for(*seen, &format!("published {line}"));
        dashboard.expect(&format!("{} 0 {line}", library.topic("out")));
        dashboard.publish(&library.topic("in"), &format!("{line} back"), &[]);
        program.wait_for(*seen, &format!("received {line} back"));
    }
}

fn line_counts(programs: &[(Library, Program)]) -> Vec<usize> {
    programs
        .iter()
        .map(|(_, program)| program.process.line_count())
        .collect()
}

/// Starts a program with each library, and waits until each has published and received once.
fn start_all(world: &World, address: SocketAddr, dashboard: &Dashboard) -> Vec<(Library, Program)> {
    let start = |library: Library| {
        let program = library.start(world, address);
        (library, program)
    };
    let mut programs: Vec<_> = libraries().into_iter().map(start).collect();
    let none = vec![0; programs.len()];
    exchange(dashboard, &mut programs, &none, "first");
    programs
}

#[test]
fn promise_12_programs_with_any_mqtt_library_publish_receive_and_survive_a_restart_and_a_crash() {
    let (mut world, address) = world();
    let dashboard = Dashboard::start(&world);
    let mut programs = start_all(&world, address, &dashboard);

    let seen = line_counts(&programs);
    world.gateway.stop();
    world.gateway.start();
    exchange(&dashboard, &mut programs, &seen, "after a restart");

    let seen = line_counts(&programs);
    world.gateway.kill();
    world.gateway.start();
    exchange(&dashboard, &mut programs, &seen, "after a crash");
}

#[test]
fn promise_13_a_program_with_a_persistent_session_gets_the_messages_of_its_absence() {
    let (mut world, address) = world();
    let dashboard = Dashboard::start(&world);
    let programs = start_all(&world, address, &dashboard);
    let libraries: Vec<_> = programs
        .into_iter()
        .map(|(library, mut program)| {
            program.process.signal(Signal::KILL).unwrap();
            library
        })
        .collect();
    for library in &libraries {
        dashboard.publish(&library.topic("in"), "while away", &[]);
    }
    // Received messages are on the disk.
    world
        .gateway
        .wait_for("session.not_taken", |count| count.as_u64() == Some(0));
    world.gateway.kill();
    world.gateway.start();
    for library in libraries {
        let program = library.start(&world, address);
        program.wait_for(0, "received while away");
    }
}
