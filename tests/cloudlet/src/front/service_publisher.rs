//! Publishes messages of AWS's own services (lifecycle events, shadows, jobs, the Publish API), over a separate connection to the broker.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::broker;
use crate::mqtt::{Connect, FrameReader, Packet, Properties, Protocol, Publish, QoS};

/// Interval between attempts to reach a broker that was killed.
const PAUSE: Duration = Duration::from_millis(100);
/// Maximum length of a packet from the broker to a publisher.
const MAX_ANSWER: usize = 64 * 1024;

/// A message of a service.
#[derive(Debug)]
pub(crate) struct ServiceMessage {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) properties: Properties,
}

/// Queues messages. They are published in order, once the broker is available.
#[derive(Debug, Clone)]
pub(crate) struct ServicePublisher(mpsc::UnboundedSender<ServiceMessage>);

/// The messages to be published.
pub(crate) type ServiceQueue = mpsc::UnboundedReceiver<ServiceMessage>;

struct BrokerConnection {
    reader: FrameReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl ServicePublisher {
    /// Creates the queue of messages: its sender, and its receiver for [`publish`].
    pub(crate) fn new() -> (Self, ServiceQueue) {
        let (messages, queue) = mpsc::unbounded_channel();
        (Self(messages), queue)
    }

    pub(crate) fn publish(&self, message: ServiceMessage) {
        // The receiver ends with the cloudlet.
        let _ = self.0.send(message);
    }

    /// Publishes JSON at QoS 1.
    pub(crate) fn publish_json(&self, topic: String, payload: &Value) {
        self.publish(ServiceMessage {
            topic,
            payload: payload.to_string().into(),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: Properties::default(),
        });
    }
}

/// Publishes messages in order, until the cloudlet ends.
pub(crate) async fn publish(broker_socket: PathBuf, mut queue: ServiceQueue) {
    let mut broker = None;
    while let Some(message) = queue.recv().await {
        let packet_id = match message.qos {
            QoS::AtMostOnce => 0,
            _ => 1,
        };
        let packet = Packet::Publish(Publish {
            duplicate: false,
            qos: message.qos,
            retain: message.retain,
            topic: message.topic,
            packet_id,
            properties: message.properties,
            payload: message.payload,
        })
        .encode(Protocol::V5);
        while send(&broker_socket, &mut broker, &packet, packet_id > 0)
            .await
            .is_none()
        {
            broker = None;
            sleep(PAUSE).await;
        }
    }
}

/// Sends a packet, and waits for its answer if there is one; `None` if the broker is not available.
async fn send(socket: &Path, broker: &mut Option<BrokerConnection>, packet: &[u8], has_answer: bool) -> Option<()> {
    let broker = match broker {
        Some(broker) => broker,
        None => broker.insert(connect(socket).await?),
    };
    broker.writer.write_all(packet).await.ok()?;
    if has_answer {
        broker.reader.read().await.ok()?;
    }
    Some(())
}

async fn connect(socket: &Path) -> Option<BrokerConnection> {
    let stream = broker::connect(socket).await.ok()?;
    let (read, mut writer) = stream.into_split();
    let mut reader = FrameReader::new(read, MAX_ANSWER);
    let connect = Packet::Connect(Connect::of_server("$aws-services")).encode(Protocol::V5);
    writer.write_all(&connect).await.ok()?;
    reader.read().await.ok()?;
    Some(BrokerConnection { reader, writer })
}
