//! Publishes lifecycle events, on a connection to the broker of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::broker;
use crate::cloud::Cloud;
use crate::mqtt::{Connect, Packet, Properties, Protocol, Publish, QoS};

/// Between two attempts to reach a broker that was killed.
const PAUSE: Duration = Duration::from_millis(100);

/// Publishes events for ever, in their order.
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
