//! Tests that the simulated network affects connections as documented.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests may fail as loudly as they do"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rig::network::{CLOUD, End, Network};
use rig::user;

/// Longer than the kernel waits before it retransmits.
const SOON: Duration = Duration::from_secs(30);
/// Data that has not arrived after this time, over a cable as fast as memory, will not arrive.
const NEVER: Duration = Duration::from_millis(300);

/// A program at the gateway's host that sends lines to the cloud and prints its responses.
struct Talk {
    program: Child,
    heard_by_cloud: Receiver<String>,
    heard_by_gateway: Receiver<String>,
}

/// bash can open TCP connections itself.
const CLIENT: &str = "exec 3<>/dev/tcp/$0/$1 && { cat <&3 & cat >&3; }";

impl Talk {
    /// Starts the program. The cloud answers each line with the same line.
    fn over(network: &Network) -> Self {
        let (to_cloud, heard_by_cloud) = channel();
        let (to_gateway, heard_by_gateway) = channel();
        let listener = network.in_cloud(|| TcpListener::bind((CLOUD, 0)).unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        thread::spawn(move || {
            let (connection, _) = listener.accept().unwrap();
            let mut answers = connection.try_clone().unwrap();
            for line in BufReader::new(connection).lines().map_while(Result::ok) {
                to_cloud.send(line.clone()).unwrap();
                writeln!(answers, "{line}").unwrap();
            }
        });
        let words = network.at_gateway();
        let mut program = Command::new(&words[0])
            .args(&words[1..])
            .args(["bash", "-c", CLIENT, CLOUD, &port])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let answers = program.stdout.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(answers).lines().map_while(Result::ok) {
                to_gateway.send(line).unwrap();
            }
        });
        Self {
            program,
            heard_by_cloud,
            heard_by_gateway,
        }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.program.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn expect(&self, at: End, line: Option<&str>) {
        let heard = match at {
            End::Cloud => &self.heard_by_cloud,
            End::Gateway => &self.heard_by_gateway,
        };
        let patience = if line.is_some() { SOON } else { NEVER };
        assert_eq!(heard.recv_timeout(patience).ok().as_deref(), line, "at {at:?}");
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn a_network_can_be_cut_half_open_and_slow() {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a network of its own, because only root may have one");
    }
    let network = Network::new().unwrap();
    let mut talk = Talk::over(&network);
    talk.say("hello");
    talk.expect(End::Cloud, Some("hello"));
    talk.expect(End::Gateway, Some("hello"));

    network.set_cut(true).unwrap();
    talk.say("cut");
    talk.expect(End::Cloud, None);
    network.set_cut(false).unwrap();
    talk.expect(End::Cloud, Some("cut"));
    talk.expect(End::Gateway, Some("cut"));

    network.lose_all_from(End::Gateway).unwrap();
    talk.say("up");
    talk.expect(End::Cloud, None);
    network.restore().unwrap();
    talk.expect(End::Cloud, Some("up"));
    talk.expect(End::Gateway, Some("up"));

    network.lose_all_from(End::Cloud).unwrap();
    talk.say("down");
    talk.expect(End::Cloud, Some("down"));
    talk.expect(End::Gateway, None);
    network.restore().unwrap();
    talk.expect(End::Gateway, Some("down"));

    // More than the line accepts at once, so that its end waits.
    let long = "x".repeat(100_000);
    network.slow_down(Duration::from_secs(2)).unwrap();
    talk.say(&long);
    talk.expect(End::Cloud, None);
    talk.expect(End::Cloud, Some(&long));
    network.restore().unwrap();
    talk.expect(End::Gateway, Some(&long));

    network.set_cut(true).unwrap();
    network.forget_connections().unwrap();
    network.set_cut(false).unwrap();
    talk.say("forgotten");
    // The cloud's kernel does not know the connection and resets it, so the program ends.
    talk.program.wait().unwrap();
}
