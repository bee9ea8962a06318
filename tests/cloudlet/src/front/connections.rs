//! The live connections, and orders to them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::direct_message::DirectMessage;
use crate::account::CertificateId;

/// A live connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its client ID.
    pub client_id: String,
    /// Its certificate.
    pub certificate: CertificateId,
    /// The thing that the connection belongs to, if its certificate is attached to the thing named like the client ID.
    pub thing: Option<String>,
    /// The client's address.
    pub peer: SocketAddr,
    /// 4 (MQTT 3.1.1) or 5.
    pub protocol: u8,
}

/// An order to a connection from elsewhere.
#[derive(Debug)]
pub(super) enum Order {
    /// ConnectionEnd without notice.
    Cut(&'static str),
    /// Send DISCONNECT with this code to an MQTT 5 client, then end.
    Disconnect(u8, &'static str),
    /// Send this message to the client.
    Deliver(DirectMessage),
}

/// The live connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Live>>);

#[derive(Debug, Default)]
struct Live {
    next: u64,
    connections: BTreeMap<u64, (Connection, mpsc::UnboundedSender<Order>)>,
}

/// Removes a connection from the list when it ends for any reason.
#[derive(Debug)]
pub(super) struct Registration(Connections, u64);

impl Connections {
    pub(super) fn register(&self, connection: Connection) -> (Registration, mpsc::UnboundedReceiver<Order>) {
        let (orders, inbox) = mpsc::unbounded_channel();
        let mut live = self.0.lock();
        let number = live.next;
        live.next += 1;
        live.connections.insert(number, (connection, orders));
        (Registration(self.clone(), number), inbox)
    }

    pub(crate) fn snapshot(&self) -> Vec<Connection> {
        self.0
            .lock()
            .connections
            .values()
            .map(|(connection, _)| connection.clone())
            .collect()
    }

    /// Closes all connections of a certificate: "connection interrupted" without a reason (cpp-v2 issue 247).
    pub(crate) fn cut_certificate(&self, id: &CertificateId) -> usize {
        let order = || Order::Cut("the certificate was deactivated");
        self.order(order, |connection| connection.certificate == *id)
    }

    /// Disconnects a client, as DeleteConnection and maintenance do.
    pub(crate) fn disconnect(&self, client_id: &str) -> usize {
        let order = || Order::Disconnect(crate::mqtt::reason::ADMINISTRATIVE_ACTION, "server-initiated");
        self.order(order, |connection| connection.client_id == client_id)
    }

    /// Ends the older connections of a client ID (developer guide, life-cycle-events: DUPLICATE_CLIENTID). mosquitto 2.0.11 ends them too,
    /// but closes them before its DISCONNECT has been sent.
    pub(super) fn take_over(&self, client_id: &str) {
        let order = || Order::Disconnect(crate::mqtt::reason::SESSION_TAKEN_OVER, "DUPLICATE_CLIENTID");
        self.order(order, |connection| connection.client_id == client_id);
    }

    /// Sends a message to the newest connection of a client. Returns whether it is connected.
    pub(crate) fn deliver(&self, client_id: &str, message: DirectMessage) -> bool {
        let live = self.0.lock();
        let mut newest_first = live.connections.values().rev();
        let found = newest_first.find(|(connection, _)| connection.client_id == client_id);
        found.is_some_and(|(_, orders)| orders.send(Order::Deliver(message)).is_ok())
    }

    fn order(&self, order: impl Fn() -> Order, of: impl Fn(&Connection) -> bool) -> usize {
        let live = self.0.lock();
        let ordered = live.connections.values().filter(|(connection, _)| of(connection));
        ordered.filter(|(_, orders)| orders.send(order()).is_ok()).count()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.0.0.lock().connections.remove(&self.1);
    }
}
