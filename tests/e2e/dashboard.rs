//! Another client of AWS IoT: Mosquitto's clients with their own certificate, which may receive and send everything.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use cloudlet::Policy;
use rig::command;
use rig::fleet_ca::SoftwareKey;
use rig::process::Process;
use serde_json::{Value, json};

use crate::registry::register;
use crate::support::{SOON, THING, World};

/// mosquitto_sub, like a dashboard connected to AWS IoT, and mosquitto_pub.
pub struct Dashboard {
    process: Process,
    host: String,
    port: String,
    root: PathBuf,
    certificate: PathBuf,
    key: SoftwareKey,
}

impl Dashboard {
    /// Starts a dashboard that receives everything of the gateway.
    pub fn start(world: &World) -> Self {
        Self::watching(world, &format!("{THING}/#"))
    }

    /// Starts a dashboard that receives messages for this filter; without wildcards, also the message that AWS has retained.
    pub fn watching(world: &World, filter: &str) -> Self {
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
        let (host, port) = (host.to_owned(), port.to_owned());
        let root = world.cloud.root_ca_path().to_path_buf();
        let mut client = client("mosquitto_sub", &host, &port, &root, &certificate, &key);
        // Its session outlives the broker: messages sent meanwhile arrive later.
        client.args([
            "-c",
            "-x",
            "3600",
            "-i",
            "dashboard",
            "-d",
            "-F",
            "message %t %r %p",
            "-t",
        ]);
        client.arg(filter);
        // Its output must not be buffered: stdout is a pipe here.
        let mut unbuffered = command::command("stdbuf");
        unbuffered.arg("-oL").arg(client.get_program()).args(client.get_args());
        let process = Process::spawn(&mut unbuffered, "mosquitto-clients").unwrap();
        process.wait_for_line(SOON, |line| line.contains("SUBACK")).unwrap();
        Self {
            process,
            host,
            port,
            root,
            certificate,
            key,
        }
    }

    /// Returns all messages so far: topic and payload.
    pub fn messages(&self) -> Vec<(String, String)> {
        let message = |line: &str| {
            let mut words = line.strip_prefix("message ")?.splitn(3, ' ');
            let (topic, _retained, payload) = (words.next()?, words.next()?, words.next()?);
            Some((topic.to_owned(), payload.to_owned()))
        };
        self.process.log().lines().filter_map(message).collect()
    }

    /// Returns whether a message arrived that the broker had retained.
    pub fn has_retained(&self) -> bool {
        let is_retained = |line: &str| {
            let words = line.strip_prefix("message ").and_then(|line| line.split(' ').nth(1));
            words == Some("1")
        };
        self.process.log().lines().any(is_retained)
    }

    /// Waits until a message on `topic` has this payload.
    pub fn wait_for(&self, topic: &str, payload: &str) {
        let wanted = (topic.to_owned(), payload.to_owned());
        rig::wait::until(SOON, &format!("{payload} on {topic}"), || {
            self.messages().contains(&wanted)
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", self.process.log()));
    }

    /// Returns the payloads on `topic`, in order.
    pub fn payloads(&self, topic: &str) -> Vec<String> {
        let all = self.messages().into_iter();
        all.filter(|(at, _)| at == topic).map(|(_, payload)| payload).collect()
    }

    /// Returns the documents on the gateway's presence topic.
    pub fn presence(&self) -> Vec<Value> {
        let payloads = self.payloads(&format!("{THING}/gatepost/status"));
        payloads
            .iter()
            .map(|payload| serde_json::from_str(payload).unwrap())
            .collect()
    }

    /// Waits until a message has arrived: `TOPIC RETAINED PAYLOAD`.
    pub fn expect(&self, message: &str) {
        let expected = format!("message {message}");
        self.process.wait_for_line(SOON, |line| line == expected).unwrap();
    }

    /// Publishes at QoS 1, with further arguments for mosquitto_pub.
    pub fn publish(&self, topic: &str, payload: &str, more: &[&str]) {
        let mut client = client(
            "mosquitto_pub",
            &self.host,
            &self.port,
            &self.root,
            &self.certificate,
            &self.key,
        );
        client.args(["-i", "publisher", "-t", topic, "-m", payload]).args(more);
        let output = client.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

fn client(
    name: &str,
    host: &str,
    port: &str,
    root: &std::path::Path,
    certificate: &std::path::Path,
    key: &SoftwareKey,
) -> Command {
    let mut client = command::command(name);
    client.args(["-h", host, "-p", port, "-V", "mqttv5", "-q", "1"]);
    client.arg("--cafile").arg(root);
    client.arg("--cert").arg(certificate).arg("--key").arg(key.key_path());
    client
}
