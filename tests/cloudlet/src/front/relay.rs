//! An accepted connection: the broker's CONNACK, then both directions until one of them ends.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::admission::Admitted;
use super::client_records::Properties;
use super::connections::{Connection, Order};
use super::end::{Cause, ConnectionEnd};
use super::session::{Session, State};
use super::streams::{BrokerReader, ClientReader, ClientWriter, refuse};
use super::{direct, downstream, upstream, writer};
use crate::broker;
use crate::cloud::Cloud;
use crate::events::Event;
use crate::mqtt::{Connack, Connect, Disconnect, FrameReader, Packet, Protocol, property, reason};

/// mosquitto limits packets only by the protocol's maximum.
const MAX_FROM_BROKER: usize = 268_435_455;

/// The time limit for sending queued packets when a connection has ended.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn run(cloud: Arc<Cloud>, admitted: Admitted, reader: ClientReader, mut write: ClientWriter) {
    let Admitted {
        connection,
        protocol,
        context,
        connect,
        mut connack,
        silence,
        session_expiry_limit,
    } = admitted;
    let record = Properties {
        thing: connection.thing.clone(),
        peer: connection.peer,
        is_persistent: connect.is_persistent(),
        // The limit on silence is one and a half times the keep-alive.
        keep_alive: silence.as_secs() * 2 / 3,
        session_expiry: connect.properties.u32(property::SESSION_EXPIRY_INTERVAL).unwrap_or(0),
    };
    // The old connection ends before the broker sees the new one, because the broker would end the old one itself.
    cloud.connections.take_over(&connection.client_id);
    let (mut broker, broker_write, session_present) = match join_broker(&cloud, connect).await {
        Ok(joined) => joined,
        Err(reason) => {
            let Connection {
                client_id, certificate, ..
            } = connection;
            cloud.events.push(Event::ConnectRefused {
                client_id,
                certificate,
                reason,
            });
            refuse(&mut write, protocol, reason::SERVER_UNAVAILABLE).await;
            return;
        }
    };
    connack.session_present = session_present;
    let session = Arc::new(Session {
        identifier: cloud.random_uuid().to_string(),
        version: cloud.count_connection(&connection.client_id),
        client_id: connection.client_id.clone(),
        certificate: connection.certificate.clone(),
        connection,
        protocol,
        silence,
        session_expiry_limit,
        is_resumed: session_present,
        state: Mutex::new(State::default()),
        context,
        cloud,
    });
    let (_registration, mut orders) = session.cloud.connections.register(session.connection.clone());
    let (to_client, client_queue) = mpsc::channel(64);
    let (to_broker, broker_queue) = mpsc::channel(64);
    let client_writer = tokio::spawn(writer::to_client(session.clone(), write, client_queue));
    let broker_writer = tokio::spawn(writer::to_broker(broker_write, broker_queue));
    // Queued first, so that no packet of the broker can be sent before it.
    let sent = to_client
        .send(writer::Outgoing::Packet(Packet::Connack(connack).encode(protocol)))
        .await;
    session.cloud.events.push(Event::Connected {
        client_id: session.client_id.clone(),
        certificate: session.certificate.clone(),
        protocol: protocol as u8,
        session_present,
    });
    let lifecycle = &session.cloud.lifecycle;
    let records = &session.cloud.client_records;
    records.connected(&session.client_id, record, session.version, session_present);
    lifecycle.connected(&session.connection, &session.identifier, session.version);

    let end = tokio::select! {
        biased;
        end = obey(&session, &mut orders, &to_client) => end,
        _ = std::future::ready(()), if sent.is_err() => ConnectionEnd::client_gone(),
        end = upstream::run(&session, reader, to_client.clone(), to_broker.clone()) => end,
        end = downstream::run(&session, &mut broker, to_client.clone(), to_broker.clone()) => end,
    };
    if let (Some(code), Protocol::V5) = (end.code, protocol) {
        let disconnect = Packet::Disconnect(Disconnect::because(code)).encode(protocol);
        // The client may have gone; then there is nobody to notify.
        let _ = to_client.send(writer::Outgoing::Packet(disconnect)).await;
    }
    drop((to_client, to_broker));
    // A client that does not read must not prevent its end from being reported.
    let _ = timeout(FLUSH_TIMEOUT, async {
        tokio::join!(client_writer, broker_writer, drain(broker))
    })
    .await;
    let records = &session.cloud.client_records;
    records.disconnected(&session.client_id, session.version, end.cause);
    lifecycle.disconnected(&session.connection, &session.identifier, session.version, end.cause);
    session.cloud.events.push(Event::Disconnected {
        client_id: session.client_id.clone(),
        reason: end.reason,
    });
}

/// Executes orders until one of them ends the connection.
async fn obey(
    session: &Session,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    to_client: &mpsc::Sender<writer::Outgoing>,
) -> ConnectionEnd {
    loop {
        match orders.recv().await {
            Some(Order::Deliver(message)) => {
                if let Err(end) = direct::deliver(session, message, to_client).await {
                    return end;
                }
            }
            Some(Order::Disconnect(code, reason)) => return ConnectionEnd::with_disconnect(code, reason),
            Some(Order::Cut(reason)) => return ConnectionEnd::without_disconnect(Cause::AuthError, reason),
            None => return ConnectionEnd::without_disconnect(Cause::ServerError, "the cloudlet ends"),
        }
    }
}

/// Reads until the broker has closed the connection. Closing a Unix socket with unread data resets the other side, and mosquitto would lose
/// the DISCONNECT before it.
async fn drain(mut broker: BrokerReader) {
    while broker.read().await.is_ok() {}
}

async fn join_broker(cloud: &Cloud, connect: Connect) -> Result<(BrokerReader, OwnedWriteHalf, bool), String> {
    let protocol = connect.protocol;
    let stream = broker::connect(&cloud.broker_socket)
        .await
        .map_err(|error| format!("broker: {error}"))?;
    let (read, mut write) = stream.into_split();
    let connect = Packet::Connect(connect).encode(protocol);
    write
        .write_all(&connect)
        .await
        .map_err(|error| format!("broker: {error}"))?;
    let mut reader = FrameReader::new(read, MAX_FROM_BROKER);
    let frame = reader.read().await.map_err(|error| format!("broker: {error}"))?;
    match Packet::decode(frame, protocol) {
        Ok(Packet::Connack(Connack {
            code: reason::SUCCESS,
            session_present,
            ..
        })) => Ok((reader, write, session_present)),
        Ok(Packet::Connack(Connack { code, .. })) => Err(format!("the broker refuses with {code:#04x}")),
        Ok(_) => Err("the broker answers CONNECT with another packet".to_owned()),
        Err(error) => Err(format!("broker: {error}")),
    }
}
