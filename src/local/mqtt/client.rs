//! The state of one MQTT connection besides its socket.

use std::collections::HashMap;
use std::rc::Rc;

use tokio::time::Instant;

use super::identity::Identity;
use super::mailbox::Mailbox;
use super::own::OwnMessages;
use super::pending_suback::PendingSuback;
use super::refusal::Refusal;
use super::registry::ClientKey;
use super::stored::StoredMessages;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::listeners::ConnectionSlot;
use crate::messages::{Account, AckGuard, ClientInbox, Sequence};
use crate::mqtt::{Server, ServerOptions, Subscriptions};

/// One connection.
pub(super) struct Client {
    pub(super) context: Rc<ApiContext>,
    pub(super) server: Server,
    pub(super) identity: Identity,
    pub(super) slot: ConnectionSlot,
    pub(super) mailbox: Rc<Mailbox>,
    /// Cost of the client's packets beyond one unit each, since it was last counted.
    pub(super) cost: u32,
    /// Set once CONNECT is accepted.
    pub(super) session: Option<Session>,
}

/// The session of a client whose CONNECT was accepted.
pub(super) struct Session {
    pub(super) caller: Caller,
    pub(super) account: Account,
    /// The account that limits apply to.
    pub(super) reader: Rc<str>,
    pub(super) key: Rc<ClientKey>,
    /// The client's name in messages.
    pub(super) name: Rc<str>,
    /// This gateway's thing name.
    pub(super) thing: String,
    pub(super) inbox: ClientInbox,
    pub(super) subscriptions: Subscriptions,
    pub(super) subacks: Vec<PendingSuback>,
    /// Messages that were sent and not acknowledged, by packet identifier.
    pub(super) in_flight: HashMap<u16, InFlight>,
    /// Messages of the client that AWS may send back, once there are some.
    pub(super) own: Option<Box<OwnMessages>>,
    /// The messages of a connection over MQTT 3.1.1, where a message that is not accepted ends it, once there are some.
    pub(super) sequence: Option<Sequence>,
    /// Messages that the session has stored.
    pub(super) stored: StoredMessages,
    /// Time until which no packet is read, because the client sends too fast.
    pub(super) pause: Option<Instant>,
    /// The inbox's number of dropped messages when it was last read.
    pub(super) dropped: u64,
}

/// A message that was sent and not acknowledged.
pub(super) struct InFlight {
    pub(super) ack: AckGuard,
    /// The number of a stored message.
    pub(super) stored: Option<i64>,
    pub(super) since: Instant,
}

impl Client {
    pub(super) fn new(context: Rc<ApiContext>, identity: Identity, slot: ConnectionSlot) -> Self {
        Self {
            context,
            server: Server::new(ServerOptions::default(), Instant::now()),
            identity,
            slot,
            mailbox: Rc::default(),
            cost: 0,
            session: None,
        }
    }

    /// Names the client in messages.
    pub(super) fn name(&self) -> String {
        match &self.session {
            Some(session) => session.name.to_string(),
            None => self.identity.to_string(),
        }
    }
}

impl Session {
    /// Returns the current thing name.
    pub(super) fn thing(&self, context: &ApiContext) -> String {
        context.thing_name.known().unwrap_or_else(|| self.thing.clone())
    }
}

/// Returns the error for a client without a session. The protocol never lets such a request through.
pub(super) fn no_session() -> Refusal {
    Refusal::new(
        crate::mqtt::ReasonCode::UNSPECIFIED_ERROR,
        "the client is not connected",
    )
}
