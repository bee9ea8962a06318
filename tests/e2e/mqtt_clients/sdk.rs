//! The shadow and jobs clients of the AWS IoT Device SDK, with the gateway's identity.

use cloudlet::Policy;
use rustix::process::Signal;
use serde_json::json;

use super::program::{Program, python};
use super::{Transport, address_and_password};
use crate::mqtt_listener::switch_on;
use crate::registry::certificate_with;
use crate::support::{SOON, THING, World, shell};

#[test]
fn promise_12_the_shadow_and_jobs_clients_of_awss_sdk_work_unchanged_and_get_what_came_during_a_restart() {
    let mut world = World::new();
    let address = switch_on(&mut world);
    world
        .gateway
        .configure("publish = [\"#\"]", "publish = [\"#\", \"$aws/things/{thing}/#\"]");
    world.gateway.start();
    let everything = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:*", "Resource": "*" },
    ]});
    let policy = Policy::new("everything", &everything.to_string()).unwrap();
    let csr = world.gateway.wait_for_csr();
    let (pem, _) = certificate_with(&world, &csr, &policy);
    world.gateway.install(&pem);
    world.gateway.wait_online();

    let mut arguments = address_and_password(&world, address, Transport::Tcp).to_vec();
    arguments.extend(["sdk".to_owned(), THING.to_owned()]);
    let program = Program::start(&python("shadow_and_jobs.py"), &arguments);
    program.wait_for(0, "no shadow 404");
    program.wait_for(0, "ready 0");
    let shell = shell(&world.cloud);
    let aws = |arguments: &str| {
        let printed = shell.try_step(&format!("aws {arguments}"), "");
        assert!(printed.success, "{}", printed.both);
        printed.out
    };
    aws(&format!(
        "iot-data update-thing-shadow --thing-name {THING} --payload '{{\"state\":{{\"desired\":{{\"led\":\"on\"}}}}}}' /dev/stdout"
    ));
    program.wait_for(0, "delta {'led': 'on'}");
    program.wait_for(0, "reported 2");
    let shadow = aws(&format!("iot-data get-thing-shadow --thing-name {THING} /dev/stdout"));
    assert!(shadow.contains("\"reported\":{\"led\":\"on\"}"), "{shadow}");
    assert!(!shadow.contains("delta"), "{shadow}");
    let create_job = |name: &str, document: &str| world.cloud.jobs().create(name, document, &[THING]).unwrap();
    let wait_until_done = |job: &str| {
        rig::wait::until(SOON, "the job is done", || {
            world.cloud.jobs().status(job, THING) == Some("SUCCEEDED")
        })
        .unwrap();
    };
    create_job("first", "{\"do\":\"this\"}");
    program.wait_for(0, "job {'do': 'this'}");
    wait_until_done("first");
    // Its streams go on after a restart and a crash, with what came meanwhile.
    let seen = program.process.line_count();
    world.gateway.stop();
    aws(&format!(
        "iot-data update-thing-shadow --thing-name {THING} --payload '{{\"state\":{{\"desired\":{{\"led\":\"off\"}}}}}}' /dev/stdout"
    ));
    world.gateway.start();
    program.wait_for(seen, "delta {'led': 'off'}");
    world.gateway.kill();
    create_job("second", "{\"second\":true}");
    world.gateway.start();
    program.wait_for(0, "job {'second': True}");
    wait_until_done("second");
    // The program is killed, and the next one with its client ID gets what came meanwhile.
    let mut killed = program.process;
    killed.signal(Signal::KILL).unwrap();
    killed.wait(SOON).unwrap();
    aws(&format!(
        "iot-data update-thing-shadow --thing-name {THING} --payload '{{\"state\":{{\"desired\":{{\"led\":\"dim\"}}}}}}' /dev/stdout"
    ));
    create_job("third", "{\"last\":true}");
    let program = Program::start(&python("shadow_and_jobs.py"), &arguments);
    program.wait_for(0, "delta {'led': 'dim'}");
    program.wait_for(0, "job {'last': True}");
    wait_until_done("third");
}
