//! Node-RED without its editor: a flow that passes commands on.

use rig::process::Signal;
use rig::wait;

use super::program::{Program, node};
use super::{Transport, address_and_password};
use crate::dashboard::Dashboard;
use crate::mqtt_listener::world;
use crate::support::{SOON, THING};

#[test]
fn promise_12_a_flow_of_node_red_goes_on_after_a_restart_and_gets_what_came_while_it_was_away() {
    let (mut world, address) = world();
    let dashboard = Dashboard::start(&world);
    let folder = tempfile::tempdir().unwrap();
    let (topic_in, topic_out) = (format!("{THING}/in/flow"), format!("{THING}/out/flow"));
    let mut arguments = vec![folder.path().display().to_string()];
    arguments.extend(address_and_password(&world, address, Transport::Tcp));
    arguments.extend(["node-red".to_owned(), topic_out.clone(), topic_in.clone()]);
    let mut program = Program::start(&node("node-red.js"), &arguments);
    // Nothing reports when the flow has subscribed, so messages are repeated until one has passed through it.
    let passes = |program: &Program, payload: &str| {
        wait::until(SOON, &format!("{payload} passes the flow"), || {
            dashboard.publish(&topic_in, payload, &[]);
            dashboard.payloads(&topic_out).iter().any(|passed| passed == payload)
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", program.process.log()));
    };
    passes(&program, "first");
    world.gateway.kill();
    world.gateway.start();
    world.gateway.wait_online();
    passes(&program, "after a crash");
    let seen = program.process.line_count();
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_online();
    let connected = |line: &str| line.contains("Connected to broker");
    program.process.wait_for_line_after(seen, SOON, connected).unwrap();
    passes(&program, "after a restart");

    // Its session is kept: it gets what came while it was away, after a crash of gatepost as well.
    program.process.signal(Signal::KILL).unwrap();
    program.process.wait(SOON).unwrap();
    dashboard.publish(&topic_in, "while away", &[]);
    world
        .gateway
        .wait_for("session.not_taken", |count| count.as_u64() == Some(0));
    world.gateway.kill();
    world.gateway.start();
    let _program = Program::start(&node("node-red.js"), &arguments);
    dashboard.wait_for(&topic_out, "while away");
}
