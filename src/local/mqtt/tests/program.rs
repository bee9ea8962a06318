//! A program at the other end of a connection in memory.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::local::caller::{Caller, Peer};
use crate::local::limits::Origin;
use crate::local::mqtt::{Identity, serve};
use crate::local::testing::Bench;
use crate::messages::Properties;
use crate::mqtt::packet::{
    Acknowledgement, Connect, Disconnect, Publish, Subscribe, Subscription, SubscriptionOptions,
};
use crate::mqtt::{Framer, Packet, Property, ProtocolVersion, ReasonCode, Sender, decode, encode};
use crate::qos::Qos;

/// Longer than anything waits.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Shorter than any time limit.
const AT_ONCE: Duration = Duration::from_millis(10);
/// More than a program leaves unread.
const PIPE: usize = 1024 * 1024;

/// A program that speaks MQTT.
pub(super) struct Program {
    stream: DuplexStream,
    framer: Framer,
    input: BytesMut,
    version: ProtocolVersion,
}

impl Program {
    /// Opens a connection as a process of this user, without sending anything.
    pub(super) fn open(bench: &Bench, uid: u32) -> Self {
        Self::open_as(bench, Identity::Peer(Caller::Peer(Peer::new(uid, uid, None))))
    }

    /// Opens a connection whose other end has this identity.
    pub(super) fn open_as(bench: &Bench, identity: Identity) -> Self {
        let (stream, served) = duplex(PIPE);
        let slot = bench.connections.enter(Origin::Trusted).unwrap();
        spawn_local(serve(bench.context.clone(), served, identity, slot));
        Self {
            stream,
            framer: Framer::new(Sender::Server),
            input: BytesMut::new(),
            version: ProtocolVersion::V5,
        }
    }

    /// Connects as a process of this user, and returns the program with the answer.
    pub(super) async fn connect(bench: &Bench, uid: u32, connect: Connect) -> (Self, Packet) {
        let mut program = Self::open(bench, uid);
        let answer = program.say_hello(connect).await;
        (program, answer)
    }

    /// Connects as a process of this user, which must succeed.
    pub(super) async fn start(bench: &Bench, uid: u32, connect: Connect) -> Self {
        let (program, answer) = Self::connect(bench, uid, connect).await;
        let is_accepted = matches!(&answer, Packet::Connack(connack) if connack.code == ReasonCode::SUCCESS);
        assert!(is_accepted, "{answer:?}");
        program
    }

    /// Sends CONNECT, and returns the answer.
    pub(super) async fn say_hello(&mut self, connect: Connect) -> Packet {
        self.version = connect.version;
        self.framer.set_version(connect.version);
        self.send(&Packet::Connect(Box::new(connect))).await;
        self.receive().await.unwrap()
    }

    /// Sends a packet.
    pub(super) async fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        encode(&mut bytes, packet, self.version).unwrap();
        // The connection may have ended.
        let _ = self.stream.write_all(&bytes).await;
    }

    /// Returns the next packet; `None` at the end of the connection.
    pub(super) async fn receive(&mut self) -> Option<Packet> {
        loop {
            if let Some(frame) = self.framer.next(&mut self.input).unwrap() {
                return Some(decode(frame, Sender::Server, self.version).unwrap());
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await;
            if read.expect("a packet").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Checks that nothing comes now.
    pub(super) async fn expect_nothing(&mut self) {
        if let Ok(packet) = timeout(AT_ONCE, self.receive()).await {
            panic!("{packet:?}");
        }
    }

    /// Checks that the connection ends with this reason code; in MQTT 3.1.1 there is none.
    pub(super) async fn expect_end(&mut self, code: u8) {
        if self.version == ProtocolVersion::V5 {
            match self.receive().await {
                Some(Packet::Disconnect(disconnect)) => assert_eq!(disconnect.code, ReasonCode(code)),
                other => panic!("{other:?} instead of DISCONNECT"),
            }
        }
        assert_eq!(self.receive().await, None);
    }

    /// Publishes a message, and returns the code of its PUBACK.
    pub(super) async fn publish(&mut self, topic: &str, payload: &str) -> ReasonCode {
        self.send(&publish(topic, payload, Some(1))).await;
        match self.receive().await {
            Some(Packet::Puback(puback)) => puback.code,
            other => panic!("{other:?} instead of PUBACK"),
        }
    }

    /// Subscribes with these options, and returns the codes of SUBACK with the reason string. AWS must not be asked, or must have answered.
    pub(super) async fn subscribe(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
    ) -> (Vec<ReasonCode>, Option<String>) {
        self.send(&subscribe(filters)).await;
        self.suback().await
    }

    /// Returns the codes of the SUBACK that is next, with the reason string.
    pub(super) async fn suback(&mut self) -> (Vec<ReasonCode>, Option<String>) {
        match self.receive().await {
            Some(Packet::Suback(suback)) => {
                let words = suback.properties.into_iter().find_map(|property| match property {
                    Property::ReasonString(words) => Some(words),
                    _ => None,
                });
                (suback.codes, words)
            }
            other => panic!("{other:?} instead of SUBACK"),
        }
    }

    /// Returns the message that is next.
    pub(super) async fn message(&mut self) -> Publish {
        match self.receive().await {
            Some(Packet::Publish(publish)) => publish,
            other => panic!("{other:?} instead of PUBLISH"),
        }
    }

    /// Acknowledges a message with this code.
    pub(super) async fn acknowledge(&mut self, message: &Publish, code: ReasonCode) {
        let acknowledgement = Acknowledgement {
            packet_id: message.packet_id.unwrap(),
            code,
            properties: Vec::new(),
        };
        self.send(&Packet::Puback(acknowledgement)).await;
    }

    /// Sends DISCONNECT with this code, and waits for the end of the connection.
    pub(super) async fn disconnect(mut self, code: ReasonCode) {
        self.send(&Packet::Disconnect(Disconnect {
            code,
            properties: Vec::new(),
        }))
        .await;
        assert_eq!(self.receive().await, None);
    }
}

/// Returns the CONNECT of a client with this identifier. Its session ends with the connection.
pub(super) fn client(version: ProtocolVersion, client_id: &str) -> Connect {
    Connect {
        version,
        clean_start: true,
        client_id: client_id.to_owned(),
        ..Connect::default()
    }
}

/// Returns the CONNECT of a client whose session is kept.
pub(super) fn kept_client(version: ProtocolVersion, client_id: &str) -> Connect {
    Connect {
        clean_start: false,
        properties: match version {
            ProtocolVersion::V5 => vec![Property::SessionExpiryInterval(3600)],
            ProtocolVersion::V3_1_1 => Vec::new(),
        },
        ..client(version, client_id)
    }
}

/// Returns a PUBLISH, at QoS 1 if it has a packet identifier.
pub(super) fn publish(topic: &str, payload: &str, packet_id: Option<u16>) -> Packet {
    Packet::Publish(Publish {
        qos: match packet_id {
            Some(_) => Qos::AtLeastOnce,
            None => Qos::AtMostOnce,
        },
        topic: topic.to_owned(),
        packet_id,
        properties: Properties::default(),
        payload: payload.to_owned().into(),
        ..Publish::default()
    })
}

/// Returns a SUBSCRIBE.
pub(super) fn subscribe(filters: &[(&str, SubscriptionOptions)]) -> Packet {
    let subscriptions = filters.iter().map(|(filter, options)| Subscription {
        filter: (*filter).to_owned(),
        options: *options,
    });
    Packet::Subscribe(Subscribe {
        packet_id: 9,
        subscriptions: subscriptions.collect(),
        properties: Vec::new(),
    })
}

/// Returns the options of a subscription at this QoS.
pub(super) fn at(qos: Qos) -> SubscriptionOptions {
    SubscriptionOptions {
        qos,
        ..SubscriptionOptions::default()
    }
}
