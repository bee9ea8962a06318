//! A connection from the end of its handshake until CONNACK or its refusal.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::admission::{Refusal, admit};
use super::connections::Connection;
use super::limits::MAX_REMAINING_LENGTH;
use super::relay;
use super::streams::{ClientReader, answer, close, refuse};
use crate::account::Standing;
use crate::cloud::Cloud;
use crate::events::Event;
use crate::mqtt::{Connect, FrameReader, Packet, Protocol, reason};
use crate::switches::{DeniedConnect, FirstContact};
use crate::tls::Accepted;

/// MQTT 3.1.1, 3.2.2.3: "Connection Refused, not authorized".
const RETURN_NOT_AUTHORIZED: u8 = 5;

/// Time limit for CONNECT. AWS's value is not known.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// Receives CONNECT, and continues depending on the certificate's standing.
pub(super) async fn receive(cloud: Arc<Cloud>, accepted: Accepted) {
    let Accepted {
        mut stream,
        peer,
        certificate,
        id,
    } = accepted;
    if cloud.switches.get(|switches| switches.hang_after_tls) {
        drain(&mut stream).await;
        return;
    }
    let (read, mut write) = tokio::io::split(stream);
    let mut reader = FrameReader::new(read, MAX_REMAINING_LENGTH);
    let Some(mut connect) = read_connect(&mut reader).await else {
        close(&mut write).await;
        return;
    };
    let assigned = connect.client_id.is_empty();
    if assigned {
        connect.client_id = cloud.random_uuid().to_string();
    }
    let client_id = connect.client_id.clone();
    cloud.events.push(Event::ConnectReceived {
        client_id: client_id.clone(),
        certificate: id.clone(),
    });
    let refused = |reason: String| {
        cloud.events.push(Event::ConnectRefused {
            client_id: client_id.clone(),
            certificate: id.clone(),
            reason,
        });
    };

    if !cloud.may_connect_now(&client_id) {
        refused("CONNECT came too soon after the one before".to_owned());
        close(&mut write).await;
        return;
    }
    if let Some(code) = cloud.switches.get(|switches| switches.refuse_connect) {
        refused(format!("refused with {code:#04x} by a switch"));
        answer(&mut write, connect.protocol, code).await;
        return;
    }
    match cloud.standing(&certificate) {
        Standing::Active => {}
        Standing::ToProvision { .. } => {
            cloud.first_contact(&id, &certificate);
            if cloud.switches.get(|switches| switches.first_contact) == FirstContact::Hang {
                refused("the certificate is PENDING_ACTIVATION: left hanging".to_owned());
                while reader.read().await.is_ok() {}
            } else {
                refused("the certificate is PENDING_ACTIVATION: dropped".to_owned());
                close(&mut write).await;
            }
            return;
        }
        Standing::Rejected(reason) => {
            refused(reason);
            close(&mut write).await;
            return;
        }
    }
    match admit(&cloud, &id, &certificate, peer, connect, assigned) {
        Ok(admitted) => relay::run(cloud.clone(), admitted, reader, write).await,
        Err(Refusal { code, reason, protocol }) => {
            refused(reason);
            let denied_connect = cloud.switches.get(|switches| switches.denied_connect);
            if code == reason::NOT_AUTHORIZED {
                let connection = Connection {
                    client_id: client_id.clone(),
                    certificate: id.clone(),
                    thing: None,
                    peer,
                    protocol: protocol as u8,
                };
                cloud
                    .lifecycle
                    .connect_failed(&connection, &cloud.random_uuid().to_string());
                if protocol == Protocol::V311 && denied_connect == DeniedConnect::Connack {
                    return answer(&mut write, protocol, RETURN_NOT_AUTHORIZED).await;
                }
            }
            refuse(&mut write, protocol, code).await;
        }
    }
}

async fn read_connect(reader: &mut ClientReader) -> Option<Connect> {
    let frame = timeout(CONNECT_TIMEOUT, reader.read()).await.ok()?.ok()?;
    match Packet::decode(frame, Protocol::V5) {
        Ok(Packet::Connect(connect)) => Some(connect),
        _ => None,
    }
}

/// Reads and ignores everything until the client closes the connection.
async fn drain(stream: &mut TlsStream<TcpStream>) {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}
