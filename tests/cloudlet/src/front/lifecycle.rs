//! Lifecycle events: what AWS IoT publishes about clients (developer guide, life-cycle-events).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::connections::Connection;
use super::end::Cause;
use crate::broker;
use crate::cloud::Cloud;
use crate::json::joined;
use crate::mqtt::{Connect, Packet, Properties, Protocol, Publish, QoS};

/// Takes events; they are published in their order, when the broker is there.
#[derive(Debug, Clone)]
pub(crate) struct Lifecycle(mpsc::UnboundedSender<(String, Value)>);

/// Between two attempts to reach a broker that was killed.
const PAUSE: Duration = Duration::from_millis(100);

impl Lifecycle {
    /// Where events are put in, and where [`publish`] takes them out.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<(String, Value)>) {
        let (events, queue) = mpsc::unbounded_channel();
        (Self(events), queue)
    }

    pub(super) fn connected(&self, connection: &Connection, session: &str, version: u64) {
        let more = json!({ "ipAddress": connection.peer.ip(), "versionNumber": version });
        self.tell("presence", "connected", connection, session, more);
    }

    pub(super) fn disconnected(&self, connection: &Connection, session: &str, version: u64, cause: Cause) {
        let more = json!({
            "clientInitiatedDisconnect": cause == Cause::ClientInitiated,
            "disconnectReason": cause.name(),
            "versionNumber": version,
        });
        self.tell("presence", "disconnected", connection, session, more);
    }

    pub(super) fn connect_failed(&self, connection: &Connection, session: &str) {
        let more = json!({
            "ipAddress": connection.peer.ip(),
            "connectFailureReason": "AUTHORIZATION_FAILED",
        });
        self.tell("presence", "connect_failed", connection, session, more);
    }

    /// `verb` is `subscribed` or `unsubscribed`.
    pub(super) fn subscriptions(&self, connection: &Connection, session: &str, verb: &str, topics: &[String]) {
        self.tell("subscriptions", verb, connection, session, json!({ "topics": topics }));
    }

    fn tell(&self, family: &str, kind: &str, connection: &Connection, session: &str, more: Value) {
        // developer guide, life-cycle-events: none for client IDs that contain # or +.
        let client_id = &connection.client_id;
        if client_id.contains(['#', '+']) {
            return;
        }
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let milliseconds = since.map_or(0, |since| since.as_millis());
        let event = json!({
            "clientId": client_id,
            "timestamp": u64::try_from(milliseconds).unwrap_or(u64::MAX),
            "eventType": kind,
            "sessionIdentifier": session,
            "principalIdentifier": connection.certificate,
        });
        // The receiver ends with the cloudlet.
        let _ = self
            .0
            .send((format!("$aws/events/{family}/{kind}/{client_id}"), joined(event, more)));
    }
}

/// Publishes events for ever, on a connection to the broker of its own.
pub(crate) async fn publish(cloud: Arc<Cloud>, mut queue: mpsc::UnboundedReceiver<(String, Value)>) {
    let mut broker = None;
    while let Some((topic, event)) = queue.recv().await {
        let packet = Packet::Publish(Publish {
            duplicate: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic,
            packet_id: 1,
            properties: Properties::default(),
            payload: Bytes::from(event.to_string()),
        })
        .encode(Protocol::V311);
        while !send(&cloud, &mut broker, &packet).await {
            broker = None;
            sleep(PAUSE).await;
        }
    }
}

/// Sends one packet and waits for its PUBACK; false if the broker is not there.
async fn send(cloud: &Cloud, broker: &mut Option<UnixStream>, packet: &[u8]) -> bool {
    /// Both CONNACK and PUBACK of MQTT 3.1.1 have four bytes.
    const ANSWER: usize = 4;
    let mut answer = [0; ANSWER];
    let stream = match broker {
        Some(stream) => stream,
        None => {
            let Ok(mut stream) = broker::connect(&cloud.broker_socket).await else {
                return false;
            };
            let connect = Packet::Connect(Connect::of_server("$aws-lifecycle-events")).encode(Protocol::V311);
            if stream.write_all(&connect).await.is_err() || stream.read_exact(&mut answer).await.is_err() {
                return false;
            }
            broker.insert(stream)
        }
    };
    stream.write_all(packet).await.is_ok() && stream.read_exact(&mut answer).await.is_ok()
}
