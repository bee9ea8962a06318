//! What others see of the gateway under its presence topic: a real client with a certificate of its own looks.

use cloudlet::Policy;
use rig::command;
use rig::fleet_ca::SoftwareKey;
use rig::process::Process;
use serde_json::{Value, json};

use crate::registry::{bring_online_known, register};
use crate::world::{SOON, THING, World};

/// mosquitto_sub as a dashboard would use AWS IoT.
struct Dashboard {
    process: Process,
    _key: SoftwareKey,
}

impl Dashboard {
    fn start(world: &World) -> Self {
        let key = SoftwareKey::new("/C=IN/O=Example/CN=dashboard").unwrap();
        let pem = world.ca.sign_v3(&key.csr_path()).unwrap();
        let certificate = key.key_path().with_file_name("dashboard.pem");
        std::fs::write(&certificate, &pem).unwrap();
        let everything = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "iot:*", "Resource": "*" },
        ]});
        let policy = Policy::new("dashboard", &everything.to_string()).unwrap();
        register(&world.cloud, &pem, "dashboard", &policy);
        let endpoint = world.cloud.mqtt_endpoint();
        let (host, port) = endpoint.split_once(':').unwrap();
        let mut client = command::command("mosquitto_sub");
        client.args([
            "-h",
            host,
            "-p",
            port,
            "-V",
            "mqttv5",
            "-i",
            "dashboard",
            "-q",
            "1",
            "-d",
        ]);
        client.args(["-F", "presence %t %p", "-t"]).arg(format!("{THING}/#"));
        client.arg("--cafile").arg(world.cloud.root_ca_path());
        client.arg("--cert").arg(&certificate).arg("--key").arg(key.key_path());
        // Its lines must not wait in a buffer: stdout is a pipe here.
        let mut unbuffered = command::command("stdbuf");
        unbuffered.arg("-oL").arg(client.get_program()).args(client.get_args());
        let process = Process::spawn(&mut unbuffered, "mosquitto-clients").unwrap();
        process.wait_for_line(SOON, |line| line.contains("SUBACK")).unwrap();
        Self { process, _key: key }
    }

    /// The next message after the first `seen` lines: its topic and its state.
    fn next(&self, seen: usize) -> (String, String) {
        let line = self
            .process
            .wait_for_line_after(seen, SOON, |line| line.starts_with("presence "))
            .unwrap();
        let mut words = line.splitn(3, ' ').skip(1);
        let (topic, payload) = (words.next().unwrap().to_owned(), words.next().unwrap());
        let payload: Value = serde_json::from_str(payload).unwrap();
        (topic, payload["state"].as_str().unwrap().to_owned())
    }

    /// Every state seen so far.
    fn states(&self) -> Vec<String> {
        let log = self.process.log();
        let payloads = log
            .lines()
            .filter_map(|line| line.strip_prefix("presence ")?.split_once(' '));
        let state = |(_, payload): (&str, &str)| {
            let payload: Value = serde_json::from_str(payload).unwrap();
            payload["state"].as_str().unwrap().to_owned()
        };
        payloads.map(state).collect()
    }
}

#[test]
fn presence_is_announced_and_withdrawn_by_word_or_by_will() {
    let mut world = World::new();
    let dashboard = Dashboard::start(&world);
    let expect = |seen: usize, state: &str| {
        assert_eq!(
            dashboard.next(seen),
            (format!("{THING}/gatepost/status"), state.to_owned())
        );
        dashboard.process.line_count()
    };
    bring_online_known(&mut world);
    let seen = expect(0, "online");
    world.gateway.stop();
    let seen = expect(seen, "offline");
    world.gateway.start();
    let seen = expect(seen, "online");
    world.gateway.kill();
    let seen = expect(seen, "offline");
    world.gateway.start();
    expect(seen, "online");
    assert_eq!(
        dashboard.states(),
        ["online", "offline", "online", "offline", "online"],
        "the will is not published after a farewell"
    );
}
