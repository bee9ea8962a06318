//! Several MQTT clients against the daemon itself, with its access rules, sessions and outbox: what each gets can be read, no secret is in
//! it, and the next client is served.
//!
//! The clients take turns, connect again in the middle of what they say, and share client identifiers, so that sessions are taken over,
//! resumed and ended. Messages that they publish are delivered to nobody, because this gateway has never been online.

#![no_main]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process;
use std::sync::OnceLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::BytesMut;
use fuzz::daemon::{Daemon, SECRET};
use fuzz::mqtt::{First, Sent};
use gatepost::mqtt::{Framer, Packet, ProtocolVersion, ReasonCode, Sender, decode};
use libfuzzer_sys::fuzz_target;

/// Time limit for the daemon to respond.
const PATIENCE: Duration = Duration::from_secs(20);
/// CONNECT of MQTT 3.1.1 with a clean session and without a client identifier, PINGREQ and DISCONNECT.
const NEXT_CLIENT: &[u8] = b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0\xc0\0\xe0\0";
/// CONNACK with success, and PINGRESP.
const SERVED: &[u8] = b"\x20\x02\0\0\xd0\0";
/// Clients at the same time.
const CLIENTS: usize = 3;
/// Most steps of an input. Each may cost a turn of the daemon's thread.
const MAX_STEPS: usize = 60;

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// A client connects; an earlier connection of it ends, as with a network that is cut.
    Connect(u8, First<'a>),
    /// A client sends this.
    Send(u8, Sent<'a>),
    /// A client publishes on a topic that a rule allows.
    Publish(u8, Option<u8>, &'a str, &'a [u8]),
    /// A client subscribes to a filter that a rule allows, or ends that.
    Subscribe(u8, u8, &'a str, Option<u8>),
    /// A client sends the first bytes of this.
    Interrupt(u8, Sent<'a>, u8),
    /// A client sends nothing more, and waits until the daemon ends the connection.
    Finish(u8),
    /// The daemon handles what it has received.
    Settle,
}

/// A connection, and the version that its CONNECT announced.
struct Client {
    stream: UnixStream,
    version: Option<ProtocolVersion>,
}

static DAEMON: OnceLock<Daemon> = OnceLock::new();

fuzz_target!(
    init: {
        let _ = DAEMON.set(Daemon::start("mqtt.sock"));
    },
    |steps: Vec<Step>| {
        let Daemon { socket, .. } = DAEMON.get().expect("the daemon");
        let mut clients: [Option<Client>; CLIENTS] = [const { None }; CLIENTS];
        for step in steps.iter().take(MAX_STEPS) {
            match step {
                Step::Connect(number, first) => {
                    let version = match first {
                        First::V3 { .. } | First::Connect(4 | 0x84, ..) => Some(ProtocolVersion::V3_1_1),
                        First::V5 { .. } | First::Connect(5, ..) => Some(ProtocolVersion::V5),
                        First::Connect(..) | First::Bytes(_) => None,
                    };
                    let mut client = Client { stream: connect(socket), version };
                    client.send(&first.bytes());
                    clients[usize::from(*number) % CLIENTS] = Some(client);
                }
                Step::Send(number, sent) => send(&mut clients, *number, sent),
                Step::Publish(number, id, topic, payload) => {
                    let sent = Sent::Publish {
                        id: *id,
                        dup: false,
                        retain: false,
                        topic: &format!("gw-1/{topic}"),
                        alias: None,
                        payload,
                    };
                    send(&mut clients, *number, &sent);
                }
                Step::Subscribe(number, id, filter, qos) => {
                    let filter = format!("gw-1/{filter}");
                    let sent = match qos {
                        Some(qos) => Sent::Subscribe(*id, &filter, *qos),
                        None => Sent::Unsubscribe(*id, &filter),
                    };
                    send(&mut clients, *number, &sent);
                }
                Step::Interrupt(number, sent, length) => {
                    if let Some(client) = &mut clients[usize::from(*number) % CLIENTS] {
                        let bytes = sent.bytes(client.version.unwrap_or(ProtocolVersion::V5));
                        client.send(&bytes[..bytes.len().min((*length).into())]);
                    }
                }
                Step::Finish(number) => {
                    if let Some(client) = clients[usize::from(*number) % CLIENTS].take() {
                        client.finish();
                    }
                }
                Step::Settle => check_next_client(socket),
            }
        }
        clients.into_iter().flatten().for_each(Client::finish);
        check_next_client(socket);
    }
);

fn send(clients: &mut [Option<Client>; CLIENTS], number: u8, sent: &Sent) {
    if let Some(client) = &mut clients[usize::from(number) % CLIENTS] {
        client.send(&sent.bytes(client.version.unwrap_or(ProtocolVersion::V5)));
    }
}

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        // The daemon may have ended the connection.
        let _ = self.stream.write_all(bytes);
    }

    /// Sends nothing more, and checks everything that the daemon has sent until it ends the connection, which it must.
    fn finish(mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let mut answers = Vec::new();
        let outcome = self.stream.read_to_end(&mut answers);
        let is_held = outcome.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        assert!(!is_held, "the connection is held");
        let leaks = answers.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!leaks, "a secret in an answer");
        if let Some(version) = self.version {
            read_answers(&answers, version);
        }
    }
}

fn connect(socket: &Path) -> UnixStream {
    let stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        // A signal ends the daemon first.
        Err(_) if DAEMON.get().is_some_and(|daemon| daemon.thread.is_finished()) => process::exit(0),
        Err(error) => panic!("{error}"),
    };
    stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream
}

/// Asserts that another client is served. One thread serves all connections, so what the others have sent was received before.
fn check_next_client(socket: &Path) {
    let mut stream = connect(socket);
    let _ = stream.write_all(NEXT_CLIENT);
    let mut answers = Vec::new();
    let _ = stream.read_to_end(&mut answers);
    assert_eq!(answers, SERVED, "the next client is not served");
}

/// Decodes everything that the daemon has sent. The last packet may be cut off.
fn read_answers(answers: &[u8], version: ProtocolVersion) {
    let mut input = BytesMut::from(answers);
    let mut framer = Framer::new(Sender::Server);
    framer.set_version(version);
    let (mut is_first, mut is_over) = (true, false);
    while let Some(frame) = framer.next(&mut input).unwrap_or_else(|error| panic!("{error}")) {
        let packet = decode(frame, Sender::Server, version).unwrap_or_else(|error| panic!("{error}"));
        let is_connack = matches!(packet, Packet::Connack(_));
        assert_eq!(is_first, is_connack, "CONNACK comes first and once");
        assert!(!is_over, "{packet:?} behind the last packet");
        is_over = match &packet {
            Packet::Connack(connack) => connack.code != ReasonCode::SUCCESS,
            Packet::Disconnect(_) => true,
            _ => false,
        };
        is_first = false;
    }
}
